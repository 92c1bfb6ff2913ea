"""Go-live checks of whom it is wrong for: prediction bias over all, and groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from understudy.core.evidence import Evidence
from understudy.core.nouns import Check
from understudy.evaluation.fairness_found import Comparison, Fairness, Group, Selection
from understudy.evaluation.prediction_bias import PredictionBias
from understudy.evaluation.report import TestPart
from understudy.evaluation.slice_evidence import side
from understudy.evaluation.words import with_bounds

FAILING_BIAS = 0.1
"""How far the mean probability of an answer may surely lie from its share. What a version decides by itself is
certified live whatever its bias, so that only a gross one is a reason not to let it watch."""

MOST_BIASED = 0.05
"""How far the mean probability of an answer may lie from its share."""
NOTABLE_BIAS = 0.1
"""Of an answer's share, or of the mean absolute error: a bias beyond this is worth a look."""
MOST_BIASED_NUMBERS = 0.5
"""How much of the mean absolute error may be bias."""
CAUSE = "Find the cause before correcting the output: its rows, a filter, or a change in time"
FEWEST = 10
FOUR_FIFTHS = 0.8
MOST_NAMED = 3
NO_GROUPS = "The task names no groups ([task] groups), so that nobody knows whether it is worse for some."


def bias_check(part: TestPart, found: PredictionBias | None = None, *, alpha: float = 0.05) -> Check:
    """US005: over all, it neither promises too much nor too little; and no group of cases does by very much.

    Parameters
    ----------
    part : TestPart
    found : PredictionBias, optional
        What a search of groups of cases has found; it warns of those whose bias is surely beyond the limit.
    alpha : float
        The chance that the bounds of any bias are wrong.
    """
    name = "No prediction bias"
    units = len(part.y) if part.groups is None else len(np.unique(part.groups))
    if units < FEWEST:
        detail = f"{units} independent row{'' if units == 1 else 's'}: too few to tell."
        return Check(code="US005", name=name, verdict="warn", detail=detail, severity="note")
    worst = max(biases(part, alpha), key=lambda one: surely(one.bias) / max(one.notable, 1e-12))
    bias, sure = worst.bias, surely(worst.bias)
    figures = {"bias": bias.estimate, "lower": bias.lower, "upper": bias.upper, "limit": worst.limit}
    said = f"{worst.words} is {with_bounds(bias)}"
    if sure <= worst.notable:
        far = [] if found is None else [one for one in found.found if surely(one.bias) > min(worst.limit, worst.far)]
        more = f" But over all is not everywhere: {far[0].sentence}" if far else ""
        return Check(
            code="US005",
            name=name,
            verdict="warn" if far else "pass",
            detail=f"{said}.{more}",
            figures=figures,
            subjects=tuple(one.words for one in far),
            advice=CAUSE if far else "",
        )
    passed_limit = worst.limit if sure > worst.limit else worst.notable
    return Check(
        code="US005",
        name=name,
        verdict="fail" if sure > worst.limit else "warn",
        detail=f"{said}: too {'high' if bias.estimate > 0 else 'low'} by more than {passed_limit:.2g}, beyond chance.",
        figures=figures,
        subjects=worst.subjects,
        advice=CAUSE,
    )


@dataclass(frozen=True)
class Bias:
    """One bias: what it is, what fails, what is worth a look, of which answer it is, and what is much for a group."""

    words: str
    bias: Evidence
    limit: float
    notable: float
    subjects: tuple[str, ...] = ()
    far: float = math.inf


def biases(part: TestPart, alpha: float) -> list[Bias]:
    """For numbers the mean error; else for each class the mean probability less its share, of two for the last only."""
    if part.tolerance is not None:
        off = part.scores[:, 0] - part.y
        size, found = float(np.mean(np.abs(off))), mean_evidence(off, part.groups, alpha)
        return [Bias("The mean prediction less the mean truth", found, MOST_BIASED_NUMBERS * size, NOTABLE_BIAS * size)]
    k = part.scores.shape[1]
    shares = np.bincount(part.y, minlength=k) / len(part.y)
    classes = [1] if k == 2 else list(range(k))
    made = []
    for place in classes:
        label = part.labels[place] if place < len(part.labels) else f"class {place}"
        share = float(min(shares) if k == 2 else shares[place])
        made.append(
            Bias(
                words=f"The mean probability of {label} less its share",
                bias=mean_evidence(part.scores[:, place] - (part.y == place), part.groups, alpha / len(classes)),
                limit=FAILING_BIAS,
                notable=min(MOST_BIASED, NOTABLE_BIAS * share),
                subjects=(label,),
                far=MOST_BIASED,
            )
        )
    return made


def mean_evidence(values: np.ndarray, groups: np.ndarray | None, alpha: float) -> Evidence:
    """The mean by Student's t, over groups where rows are not independent."""
    clusters = None if groups is None else np.unique(groups, return_inverse=True)[1]
    found = side(np.asarray(values, dtype=np.float64), np.ones(len(values)), clusters, np.ones(len(values), dtype=bool))
    half = -float(special.stdtrit(found.units - 1, alpha / 2)) * math.sqrt(found.square)
    return Evidence(
        estimate=found.mean,
        lower=found.mean - half,
        upper=found.mean + half,
        confidence=1 - alpha,
        n=round(found.units),
        method="Student's t" if clusters is None else "Student's t over groups",
    )


def surely(found: Evidence) -> float:
    """How far from 0 it lies at least."""
    return max(found.lower, -found.upper, 0.0)


def fairness_checks(found: Fairness | None) -> tuple[Check, ...]:
    """US006 to US008.

    Parameters
    ----------
    found : Fairness, optional
        None where no groups are named.
    """
    return (errors_by_group(found), calibrated_by_group(found), errors_in_intersections(found))


def errors_by_group(found: Fairness | None) -> Check:
    """US006: no group bears more errors, and none is answered favourably much less often."""
    name = "No group is shown to bear more errors"
    if found is None:
        return Check(code="US006", name=name, verdict="pass", detail=NO_GROUPS, severity="note")
    limit, stated = found.plan.limit, found.plan.stated
    over = [group for group in found.groups if lowest(group.error) > limit]
    spans = [group for group in found.worse if group not in over and highest(group.error) > limit]
    kinds = {
        side: [group for group in found.groups if lowest(group.figures.get(side)) > limit and group not in over]
        for side in SIDES
    }
    low = [one for one in found.selection if one.ratio.upper < FOUR_FIFTHS]
    said = [
        listed(over, f"Wrong more often than elsewhere by more than {limit:.0%}"),
        listed(spans, f"Wrong more often than elsewhere, by as much as {limit:.0%} or more as far as is known"),
        *(listed(kinds[side], f"{words} more often by more than {limit:.0%}", side) for side, words in SIDES.items()),
        *(four_fifths_words(one) for one in low),
    ]
    subjects = [*over, *spans, *(group for groups in kinds.values() for group in groups)]
    return verdict_of("US006", name, found, said, fails=bool(over) and stated, subjects=subjects)


SIDES = {
    "false_positive": "The favourable answer wrongly given",
    "false_negative": "The favourable answer wrongly withheld",
}


def four_fifths_words(one: Selection) -> str:
    """A rate of the favourable answer that is surely low."""
    ratio = one.ratio
    return (
        f"Lowest over highest rate of the favourable answer by {one.column}: {ratio.estimate:.2f} "
        f"({ratio.lower:.2f} to {ratio.upper:.2f}), below four fifths ({one.lowest}; {one.highest})"
    )


def verdict_of(
    code: str, name: str, found: Fairness, said: list[str], *, fails: bool, subjects: Sequence[Group]
) -> Check:
    """The check over groups, with what could not be told."""
    told = [one for one in said if one]
    few = len(found.few)
    unknown = f" Of {few} group{'s' if few > 1 else ''} too few rows to tell." if few else ""
    opened = sum(group.standing == "open" for group in found.groups)
    if opened:
        unknown += f" Of {opened} more, a difference beyond {found.plan.limit:.0%} is not excluded."
    start = ". ".join(told) if told else f"Nothing beyond chance in {len(found.groups)} groups"
    return Check(
        code=code,
        name=name,
        verdict="fail" if fails else "warn" if told else "pass",
        detail=f"{start}.{unknown}",
        figures=group_figures(found),
        severity="blocking" if found.plan.stated else "warning",
        subjects=tuple(dict.fromkeys(group.words for group in subjects)),
        advice="Find out what it has not learned of these groups, or leave their cases to people" if told else "",
    )


def group_figures(found: Fairness) -> dict[str, float]:
    """The figures of the groups, in few numbers."""
    gaps = [group.error.difference.estimate for group in found.groups if group.error.difference is not None]
    ratios = [one.ratio.estimate for one in found.selection]
    figures = {
        "groups": float(len(found.groups)),
        "too_few": float(len(found.few)),
        "worse": float(len(found.worse)),
        "limit": found.plan.limit,
    }
    if gaps:
        figures["largest_gap"] = max(gaps)
    if ratios:
        figures["four_fifths"] = min(ratios)
    return figures


def calibrated_by_group(found: Fairness | None) -> Check:
    """US007: its probabilities mean the same for every group."""
    name = "Calibrated in each group"
    if found is None:
        return Check(code="US007", name=name, verdict="pass", detail=NO_GROUPS, severity="note")
    off = [(group, one) for group in found.groups if (one := trusted(group)) and surely(one.together) > MOST_BIASED]
    parts = [f"{group.words} {with_bounds(one.together)}" for group, one in off[:MOST_NAMED]]
    more = f" and {len(off) - MOST_NAMED} more" if len(off) > MOST_NAMED else ""
    wide = sum(
        group.n >= found.plan.least and max(one.together.upper, -one.together.lower) > MOST_BIASED
        for group in found.groups
        if (one := trusted(group)) and not surely(one.together) > MOST_BIASED
    )
    start = f"Off by more than {MOST_BIASED} beyond chance: {'; '.join(parts)}{more}." if off else "None is shown off."
    unknown = f" Of {wide} groups it is not known whether they lie within {MOST_BIASED}." if wide else ""
    return Check(
        code="US007",
        name=name,
        verdict="warn" if off else "pass",
        detail=f"{start}{unknown}",
        figures={"off": float(len(off)), "not_known": float(wide), "limit": MOST_BIASED},
        severity="warning",
        subjects=tuple(group.words for group, _ in off),
        advice="Give it columns that tell these groups apart, or calibrate each by itself" if off else "",
    )


def trusted(group: Group) -> Comparison | None:
    """What tells whether its probabilities mean what they say."""
    return group.figures.get("calibration", group.figures.get("surprise"))


def errors_in_intersections(found: Fairness | None) -> Check:
    """US008: no intersection of two groups bears more errors."""
    name = "No intersection is shown to bear more errors"
    if found is None or len(found.columns) < 2:
        detail = NO_GROUPS if found is None else f"Only {found.columns[0]} parts the cases: there are no intersections."
        return Check(code="US008", name=name, verdict="pass", detail=detail, severity="note")
    over = [group for group in found.crossed if lowest(group.error) > found.plan.limit]
    few = (
        f" {found.crossed_few} more hold {found.crossed_few_rows:,} rows, too few to tell." if found.crossed_few else ""
    )
    said = listed(over, f"Wrong more often than elsewhere by more than {found.plan.limit:.0%}")
    start = said or f"Nothing beyond {found.plan.limit:.0%} in {found.crossed_compared} intersections"
    return Check(
        code="US008",
        name=name,
        verdict=("fail" if found.plan.stated else "warn") if over else "pass",
        detail=f"{start}.{few}",
        figures={
            "compared": float(found.crossed_compared),
            "too_few": float(found.crossed_few),
            "over": float(len(over)),
            "limit": found.plan.limit,
        },
        severity="blocking" if found.plan.stated else "warning",
        subjects=tuple(group.words for group in over),
        advice="Look at these cases together: neither of their groups alone may show it" if over else "",
    )


def lowest(one: Comparison | None) -> float:
    """The least by which a figure lies above that of other cases."""
    return 0.0 if one is None or one.difference is None else one.difference.lower


def highest(one: Comparison) -> float:
    """The most by which a figure lies above that of other cases."""
    return 0.0 if one.difference is None else one.difference.upper


def listed(groups: list[Group], start: str, measure: str = "error") -> str:
    """Groups with the bounds of their gaps; empty where there are none."""
    if not groups:
        return ""
    parts = []
    for group in groups[:MOST_NAMED]:
        gap = group.figures[measure].difference
        span = "" if gap is None else f" ({gap.lower:+.1%} to {gap.upper:+.1%})"
        parts.append(f"{group.words}{span}")
    more = f" and {len(groups) - MOST_NAMED} more" if len(groups) > MOST_NAMED else ""
    return f"{start}: {'; '.join(parts)}{more}"


def in_percent(found: Evidence) -> str:
    """A share with its bounds.

    >>> in_percent(Evidence(estimate=0.0213, lower=0.0101, upper=0.0302, confidence=0.95, n=900, method="exact"))
    '2.1% (1.0% to 3.0%)'
    """
    return f"{found.estimate:.1%} ({found.lower:.1%} to {found.upper:.1%})"
