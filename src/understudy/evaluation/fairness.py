"""Is it worse for some groups than for others? Each group against all other cases, with what could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action
from understudy.evaluation.fairness_found import Fairness, FairnessPlan, Group, Selection, lowest_gap
from understudy.evaluation.fairness_groups import GroupColumn, crossed, group_column
from understudy.evaluation.fairness_rates import Sample
from understudy.evaluation.fairness_tests import OWN, Telling, crossed_tests, cut_of, holm, present, single_tests
from understudy.evaluation.report import CoveragePoint, TestPart

MOST_CROSSED = 30

CROSSED = ("error", "surprise")
"""What is compared of intersections."""

LARGEST = 0.5
"""The largest share of all cases that an action names."""


def promised_threshold(coverage: Sequence[CoveragePoint], max_error: float) -> float | None:
    """The confidence at which the most cases are answered with an error bound within the limit; None if none is."""
    able = [point for point in coverage if point.upper <= max_error]
    return able[-1].threshold if able else None


def fairness(
    frame: pl.DataFrame, part: TestPart, columns: Sequence[str], plan: FairnessPlan | None = None
) -> Fairness | None:
    """Compare the groups of some columns, and the intersections of each two of them, with all other cases.

    Holm's procedure adjusts the comparisons of each family, and the families part alpha, so that the chance of any
    false difference is at most alpha. Bounds of differences hold for all comparisons together (Bonferroni; where Holm
    shows a difference, they end at 0).

    Parameters
    ----------
    frame : pl.DataFrame
        The rows of the test part with these columns, as text or typed; the model need not see them. Numbers are cut
        into ranges. Rows without a value are a group.
    part : TestPart
    columns : sequence of str
        The columns in `[task] groups`.
    plan : FairnessPlan, optional

    Returns
    -------
    Fairness, or None where no column is named.

    Raises
    ------
    ValueError
        A column is not there, or lengths differ.

    >>> rng = np.random.default_rng(0)
    >>> sex = rng.choice(["f", "m"], 4000)
    >>> p = rng.beta(1, 1, 4000)
    >>> y = (rng.random(4000) < np.where(sex == "f", 0.5, p)).astype(int)
    >>> both = np.column_stack([1 - p, p])
    >>> part = TestPart(y=y, scores=both, confidence=both.max(axis=1), baseline=both, baseline_name="", hard=False)
    >>> found = fairness(pl.DataFrame({"sex": sex}), part, ["sex"])
    >>> [(group.words, group.standing) for group in found.groups]
    [('sex is f', 'worse'), ('sex is m', 'better')]
    """
    if not columns:
        return None
    plan = plan or FairnessPlan()
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ValueError(
            f"there is no column {', '.join(absent)} to compare groups by; the columns are {frame.columns}"
        )
    if frame.height != len(part.y) or not len(part.y):
        raise ValueError(f"groups and answers need the same rows, at least one; got {frame.height} and {len(part.y)}")
    clusters = None if part.groups is None else np.unique(part.groups, return_inverse=True)[1]
    samples = measures(part, plan)
    parted = [group_column(frame[name], plan.least) for name in dict.fromkeys(columns)]
    single = [cut_of(samples, one.codes, [(group,) for group in one.groups], clusters) for one in parted]
    pairs = [
        cut_of({name: samples[name] for name in CROSSED}, *crossed(one, other), clusters)
        for one, other in combinations([one for one in parted if len(one.groups) > 1], 2)
    ]
    tests = {
        **single_tests(single, plan.least),
        **crossed_tests(pairs, len(single), plan.least),
    }
    levels, counts = holm(tests)
    told = Telling(plan, tests, levels, counts)
    groups = [told.group(place, cut, code) for place, cut in enumerate(single) for code in present(cut)]
    both = [
        told.group(place, cut, code)
        for place, cut in enumerate(pairs, start=len(single))
        for code in present(cut)
        if (place, code, "error") in tests
    ]
    few = [int(n) for cut in pairs for n in cut.tallies["error"].n if 0 < n < plan.least]
    return Fairness(
        columns=tuple(one.name for one in parted),
        rows=frame.height,
        groups=tuple(groups),
        crossed=tuple(sorted(both, key=lambda group: -lowest_gap(group))[:MOST_CROSSED]),
        crossed_compared=len(both),
        crossed_few=len(few),
        crossed_few_rows=sum(few),
        selection=tuple(four_fifths(one, groups, plan.least) for one in parted if able(one, groups, plan.least)),
        error=float(1 - part.right.mean()),
        tests=sum(counts.values()),
        plan=plan,
    )


def measures(part: TestPart, plan: FairnessPlan) -> dict[str, Sample]:
    """What is measured of each case; see `Group`."""
    wrong = 1 - part.right
    found = {
        "error": Sample(wrong),
        "surprise": Sample(wrong - (1 - part.confidence), share=False),
    }
    if part.tolerance is not None:
        off = part.scores[:, 0] - part.y
        found["bias"] = Sample(off, share=False)
        found["size"] = Sample(np.abs(off), share=False)
    elif part.scores.shape[1] == 2:
        truth, said = part.y == plan.favourable, part.scores.argmax(axis=1) == plan.favourable
        found["selected"] = Sample(said)
        found["base"] = Sample(truth)
        found["false_positive"] = Sample(said, where=~truth)
        found["false_negative"] = Sample(~said, where=truth)
        found["calibration"] = Sample(part.scores[:, plan.favourable] - truth, share=False)
    if plan.threshold is not None:
        found["automated"] = Sample(part.confidence >= plan.threshold)
    return found


def able(column: GroupColumn, groups: list[Group], least: int) -> bool:
    """Whether a column has two groups whose rates of the favourable answer can be compared."""
    return len(selectable(column.name, groups, least)) > 1


def selectable(column: str, groups: list[Group], least: int) -> list[Group]:
    """The groups of a column that have enough rows, of two classes."""
    return [
        group
        for group in groups
        if group.predicates[0].column == column and group.n >= least and "selected" in group.figures
    ]


def four_fifths(column: GroupColumn, groups: list[Group], least: int) -> Selection:
    """The lowest over the highest rate; the bounds hold for the groups that truly have them, whichever those are."""
    compared_groups = selectable(column.name, groups, least)
    rates = [(group, group.figures["selected"].together) for group in compared_groups]
    low, high = (pick(rates, key=lambda pair: pair[1].estimate) for pick in (min, max))
    top = max(one.upper for _, one in rates)
    bottom = max(one.lower for _, one in rates)
    ratio = Evidence(
        estimate=low[1].estimate / high[1].estimate if high[1].estimate else 1.0,
        lower=min(one.lower for _, one in rates) / top if top else 1.0,
        upper=min(1.0, min(one.upper for _, one in rates) / bottom) if bottom else 1.0,
        confidence=1 - OWN,
        n=min(low[0].n, high[0].n),
        method=f"exact bounds of {len(rates)} groups together",
    )
    return Selection(column=column.name, lowest=low[0].words, highest=high[0].words, ratio=ratio)


def fairness_actions(found: Fairness | None) -> tuple[Action, ...]:
    """What could be done: groups that are wrong more often, those first that would win most surely.

    Where a group is wrong more often than the model's own confidence expects, something about it is not learned: the
    gain is what would be won if it were like all other cases. Where the confidence expects it, its cases are harder as
    far as the model can see, and nothing is promised. Groups of more than half of the cases are not named: of most
    cases one would say where they are not. An intersection is named only where none of its own groups is.
    """
    if found is None:
        return ()
    worse = [group for group in found.worse if group.share <= LARGEST]
    named = {group.words for group in worse}
    beyond = [
        group
        for group in found.crossed
        if group.standing == "worse"
        and group.share <= LARGEST
        and not any(one.words in named for one in group.predicates)
    ]
    actions = [group_action(group, found) for group in (*worse, *beyond)]
    actions.sort(key=lambda action: (action.gain is None, -sure_gain(action), action.subject))
    return (*actions, *([few_action(found)] if found.few else []))


def sure_gain(action: Action) -> float:
    """The least that an action wins."""
    return 0.0 if action.gain is None else action.gain.lower


def group_action(group: Group, found: Fairness) -> Action:
    """What to do about a group that is wrong more often."""
    gap, surprise = group.error.difference, group.figures.get("surprise")
    assert gap is not None  # noqa: S101  it was compared, else it would not be known to be worse
    unexpected = surprise is not None and surprise.significant and surprise.rate.estimate > 0
    there = 0.0 if group.error.rest is None else group.error.rest
    gain = Evidence(
        estimate=gap.estimate * group.share,
        lower=max(0.0, gap.lower) * group.share,
        upper=gap.upper * group.share,
        confidence=gap.confidence,
        n=gap.n,
        method=gap.method,
    )
    expected = group.error.rate.estimate - (surprise.rate.estimate if surprise else 0.0)
    if unexpected:
        what = f"Find out what it has not learned where {group.words}, or leave these cases to people"
        reason = f"Its own confidence expects only {expected:.1%}: something about them is not learned."
    else:
        what = f"Look for columns that tell these cases apart where {group.words}"
        reason = f"Its own confidence expects {expected:.1%}: as far as its columns tell, these cases are harder."
    return Action(
        kind="fix group" if unexpected else "watch group",
        subject=group.words,
        what=what,
        why=(
            f"Wrong in {group.error.rate.estimate:.1%} of {group.n:,} cases and in {there:.1%} of all others: "
            f"{gap.lower:.1%} to {gap.upper:.1%} more, all comparisons counted. {reason}"
        ),
        gain=gain if unexpected else None,
        share=group.share,
        effort="days",
        chapter="fairness",
        blocking=found.plan.stated and gap.lower > found.plan.limit,
        mandate=group.condition,
    )


def few_action(found: Fairness) -> Action:
    """What to do about groups that nothing can be told of."""
    few = sorted(found.few, key=lambda group: group.n)
    listed = "; ".join(f"{group.words} ({group.n} rows)" for group in few[:3])
    more = f" and {len(few) - 3} more" if len(few) > 3 else ""
    return Action(
        kind="watch group",
        subject="groups with few cases",
        what="Collect answers of the groups that are too small to tell, and review them meanwhile",
        why=f"Too few rows to tell how often it is wrong for {listed}{more}.",
        share=min(1.0, sum(group.n for group in few) / found.rows),
        effort="weeks",
        chapter="fairness",
    )
