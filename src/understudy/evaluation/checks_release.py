"""Go-live checks of a release: how its rows were parted, what its owner asks of it, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from understudy.core.nouns import Check
from understudy.evaluation.measures import METRICS
from understudy.evaluation.release import Age, Lineage, Overlap, Pace, Release, Required, rows_to_see
from understudy.evaluation.repeats import Repeats
from understudy.evaluation.words import rounded, with_bounds

Verdict = Literal["pass", "warn", "fail"]
MOST_BOUND = 0.1
"""The share of the rows it learned from that may be later than the first test row, because their group began before."""

NOT_TOLD = "What that does to its metric cannot be told."
MOST_NAMED = 20
AHEAD = -1.0
"""How many days the newest row may be dated in the future: clocks and time zones differ."""


def release_checks(release: Release) -> tuple[Check, ...]:
    """US020 to US027.

    Parameters
    ----------
    release : Release
        What the flow found and measured.
    """
    return (
        parted_in_time(release.overlap),
        without_repeats(release.repeats),
        required_answers(release.required),
        fast_enough(release.pace),
        reproducible(release.lineage),
        lineage_stated(release.lineage),
        young_enough(release.age),
        enough_to_judge(release.units, release.max_error, release.confidence),
    )


def parted_in_time(overlap: Overlap | None) -> Check:
    """US020: it learned from what came before the rows that judge it."""
    name = "Learned before it was judged"
    if overlap is None:
        detail = "The task's rows have no order in time, so that none can come too late."
        return Check(code="US020", name=name, verdict="pass", detail=detail, severity="note")
    free = overlap.late - overlap.bound
    figures = {
        "late": float(overlap.late),
        "bound": float(overlap.bound),
        "inside": float(overlap.inside),
        "fitted": float(overlap.fitted),
    }
    if free:
        detail = (
            f"It learned from {free:,} of {overlap.fitted:,} rows that are later than the first row that judges it, "
            f"and {overlap.inside:,} of the {overlap.judged:,} that judge it lie in the time it learned from."
        )
        advice = "Part the rows by time, so that it is judged on what comes after all that it learned from"
        return Check(code="US020", name=name, verdict="fail", detail=detail, figures=figures, advice=advice)
    if overlap.bound:
        detail = (
            f"{overlap.bound:,} of the {overlap.fitted:,} rows that it learned from are later than the first row that "
            "judges it: they belong to a group, or repeat a row, that began before."
        )
        if overlap.bound > MOST_BOUND * overlap.fitted:
            advice = "Consider whether [task] split_group must keep rows together that lie so far apart in time"
            return Check(code="US020", name=name, verdict="warn", detail=detail, figures=figures, advice=advice)
        return Check(code="US020", name=name, verdict="pass", detail=detail, figures=figures)
    detail = f"All {overlap.fitted:,} rows that it learned from are earlier than those that judge it, or as early."
    return Check(code="US020", name=name, verdict="pass", detail=detail, figures=figures)


def without_repeats(repeats: Repeats) -> Check:
    """US021: the rows that judge it are not those that it learned from."""
    name = "Judged on other rows than it learned from"
    figures = {"judged": float(repeats.judged), "repeated": float(repeats.repeated), "parted": float(repeats.parted)}
    share = f"{repeats.repeated:,} of the {repeats.judged:,} rows that judge it"
    effect = flattery_text(repeats)
    if repeats.whole is not None and repeats.without is not None:
        figures |= {"whole": repeats.whole, "without": repeats.without}
    if repeats.parted:
        detail = (
            f"{repeats.parted:,} copies of rows that it learned from are among the {repeats.judged:,} that judge it."
        )
        advice = "Keep copies of a row on one side of the split, or name what they share in [task] split_group"
        detail = f"{detail} {effect}".strip()
        return Check(code="US021", name=name, verdict="fail", detail=detail, figures=figures, advice=advice)
    if not repeats.repeated:
        detail = f"None of the {repeats.judged:,} rows that judge it has inputs that it learned from."
        return Check(code="US021", name=name, verdict="pass", detail=detail, figures=figures)
    chance = "columns of few values bring that by chance"
    flattered = repeats.flattered
    if repeats.repeated == repeats.judged or (flattered is not None and flattered.lower > 0):
        detail = f"{share} have inputs that it learned from too; {chance}. {effect}".strip()
        advice = (
            "Expect the figure without repeated rows where cases to come are new, or add columns that tell rows apart"
        )
        return Check(
            code="US021",
            name=name,
            verdict="warn",
            detail=detail,
            figures=figures,
            severity="warning",
            advice=advice,
        )
    detail = f"{share} have inputs that it learned from too; {chance}. {effect or NOT_TOLD}"
    return Check(code="US021", name=name, verdict="pass", detail=detail.strip(), figures=figures)


def flattery_text(repeats: Repeats) -> str:
    """What the repeated rows do to the metric, in a sentence; empty where that cannot be told."""
    if repeats.repeated == repeats.judged:
        return "No other row is left, so that nobody knows how good it is on new inputs."
    if repeats.flattered is None or repeats.whole is None or repeats.without is None:
        return ""
    title = METRICS[repeats.metric].title
    return (
        f"Its {title} is {rounded(repeats.whole, 4)} with them and {rounded(repeats.without, 4)} without, "
        f"which flatters it by {with_bounds(repeats.flattered)}."
    )


def required_answers(required: Sequence[Required]) -> Check:
    """US022: cases whose answer its owner lists get that answer."""
    name = "Answers what it must"
    if not required:
        detail = "The task lists no case that must get one answer."
        return Check(code="US022", name=name, verdict="pass", detail=detail, severity="note")
    broken = [case for case in required if not case.kept]
    figures = {"cases": float(len(required)), "broken": float(len(broken))}
    if not broken:
        words = "The one case that must get its answer does" if len(required) == 1 else f"All {len(required):,} do"
        return Check(code="US022", name=name, verdict="pass", detail=f"{words}.", figures=figures)
    named = [f"“{case.why}” must be {case.expected}, and is {case.answered}" for case in broken[:MOST_NAMED]]
    more = [f"{len(broken) - MOST_NAMED:,} more"] if len(broken) > MOST_NAMED else []
    return Check(
        code="US022",
        name=name,
        verdict="fail",
        detail=f"{len(broken):,} of {len(required):,} do not: {'; '.join([*named, *more])}.",
        figures=figures,
        subjects=tuple(dict.fromkeys(case.why for case in broken)),
        advice="Mend what it learns such cases from, or keep them with people by [mandate] never",
    )


def fast_enough(pace: Pace) -> Check:
    """US023: it answers within the time that the task allows."""
    name = "Fast enough"
    measured = f"{seconds_text(pace.p50)} for half of the answers, {seconds_text(pace.p95)} for 95 of 100"
    figures = {"p50": pace.p50, "p95": pace.p95, "rows": float(pace.rows)}
    if pace.limit is None:
        detail = f"The task names no limit; measured here: {measured}."
        return Check(code="US023", name=name, verdict="pass", detail=detail, figures=figures, severity="note")
    figures["limit"] = pace.limit
    limit = seconds_text(pace.limit)
    if pace.p95 > pace.limit:
        detail = f"Above {limit}: it takes {measured} ({pace.rows:,} rows, one at a time, on this machine)."
        advice = f"Search again with --max-latency {pace.limit * 1e3:g} --single, or allow more in [checks] max_latency"
        return Check(code="US023", name=name, verdict="fail", detail=detail, figures=figures, advice=advice)
    detail = f"Within {limit}: {measured} ({pace.rows:,} rows, one at a time, on this machine)."
    return Check(code="US023", name=name, verdict="pass", detail=detail, figures=figures)


def seconds_text(seconds: float) -> str:
    """A short time with its unit.

    >>> seconds_text(0.00007), seconds_text(0.0042), seconds_text(1.5)
    ('70 µs', '4.2 ms', '1.5 s')
    """
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def reproducible(lineage: Lineage) -> Check:
    """US024: it could be made again."""
    name = "Can be made again"
    figures = {"seed": float(lineage.seed), "libraries": float(lineage.libraries), "planned": float(lineage.planned)}
    recorded = f"seed {lineage.seed} and the versions of {lineage.libraries} libraries are recorded"
    if not lineage.kept:
        detail = f"The data that it learned from (snapshot {lineage.snapshot[:12]}) is missing or damaged."
        advice = "Run again from the data, so that its snapshot is kept with it"
        return Check(code="US024", name=name, verdict="fail", detail=detail, figures=figures, advice=advice)
    kept = f"Its data (snapshot {lineage.snapshot[:12]}) is kept, {recorded}"
    if lineage.adopted:
        detail = f"{kept}; it was trained elsewhere, so that only its calibration can be repeated here."
        return Check(code="US024", name=name, verdict="pass", detail=detail, figures=figures, severity="note")
    if not lineage.planned:
        detail = f"{kept}, but not what its search tried: it can be trained again, not replayed."
        return Check(code="US024", name=name, verdict="pass", detail=detail, figures=figures, severity="note")
    detail = f"{kept}, and so is each trial of its search: understudy run --replay VERSION makes it again."
    return Check(code="US024", name=name, verdict="pass", detail=detail, figures=figures)


def lineage_stated(lineage: Lineage) -> Check:
    """US025: it is known where its data comes from, and by what right it is used."""
    name = "Source and licence stated"
    absent = [key for key, value in (("source", lineage.source), ("licence", lineage.licence)) if value is None]
    if absent:
        stated = f"Learned from {lineage.read_from} (snapshot {lineage.snapshot[:12]})"
        detail = f"{stated}; the task file does not say its {' and its '.join(absent)}."
        advice = f"Say {' and '.join(f'[data] {key}' for key in absent)} in the task file"
        return Check(
            code="US025",
            name=name,
            verdict="warn",
            detail=detail,
            severity="warning",
            subjects=tuple(absent),
            advice=advice,
        )
    detail = f"Learned from {lineage.read_from}, of {lineage.source}, used under {lineage.licence}."
    return Check(code="US025", name=name, verdict="pass", detail=detail, severity="warning")


def young_enough(age: Age) -> Check:
    """US026: its newest data is younger than the task asks."""
    name = "Data young enough"
    figures = {} if age.newest is None else {"days": age.newest}
    figures |= {} if age.limit is None else {"limit": age.limit}
    if age.newest is None:
        detail = "The task names no time that is a date, so that nobody knows how old its data is."
        asked = age.limit is not None
        return Check(
            code="US026",
            name=name,
            verdict="warn" if asked else "pass",
            detail=detail,
            figures=figures,
            severity="warning" if asked else "note",
            advice="Name the column with the date of a case in [task] time" if asked else "",
        )
    if age.newest < AHEAD:
        detail = f"The newest row is dated {-age.newest:,.0f} days in the future."
        return Check(
            code="US026",
            name=name,
            verdict="warn",
            detail=detail,
            figures=figures,
            severity="warning",
            advice="Mend the dates, or name another [task] time",
        )
    found = f"The newest row is {days_text(age.newest)} old"
    if age.limit is None:
        detail = f"{found}; the task names no limit."
        return Check(code="US026", name=name, verdict="pass", detail=detail, figures=figures, severity="note")
    if age.newest > age.limit:
        detail = f"{found}, above {days_text(age.limit)}."
        advice = "Learn from newer data"
        return Check(code="US026", name=name, verdict="fail", detail=detail, figures=figures, advice=advice)
    return Check(
        code="US026", name=name, verdict="pass", detail=f"{found}, below {days_text(age.limit)}.", figures=figures
    )


def days_text(days: float) -> str:
    """An age in words.

    >>> days_text(0.02), days_text(1.2), days_text(400)
    ('0.5 hours', '1.2 days', '400 days')
    """
    if days < 1:
        return f"{max(0.0, days) * 24:.1f} hours"
    return f"{days:,.1f} days" if days < 10 else f"{days:,.0f} days"


def enough_to_judge(units: int, max_error: float, confidence: float) -> Check:
    """US027: it was judged on as many cases as it takes to see the promised error."""
    name = "Enough rows to judge"
    needed = rows_to_see(max_error, confidence)
    figures = {"cases": float(units), "needed": float(needed)}
    promise = f"an error of at most {100 * max_error:g} of 100 with {100 * confidence:g} % confidence"
    if units < needed:
        detail = (
            f"{units:,} independent cases judge it; {needed - units:,} more are needed, for even a model that never "
            f"errs shows {promise} on {needed:,} at the earliest."
        )
        advice = f"Collect rows until {needed:,} can be kept for judging"
        return Check(
            code="US027", name=name, verdict="warn", detail=detail, figures=figures, severity="warning", advice=advice
        )
    detail = f"{units:,} independent cases judge it; {promise} shows on {needed:,} at the earliest."
    return Check(code="US027", name=name, verdict="pass", detail=detail, figures=figures, severity="warning")
