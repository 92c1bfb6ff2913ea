"""Two versions side by side, and what there is to say of them."""

from __future__ import annotations

import msgspec

from understudy.core.evidence import Evidence
from understudy.core.nouns import Check, Kind
from understudy.evaluation.compare import Compared, MetricChange, Switch
from understudy.evaluation.measures import METRICS
from understudy.evaluation.slices import Slice
from understudy.evaluation.words import bounds, estimate, rounded

NAMED = 12
"""So many letters of a version's digest name it."""

LEAST = 0.05
"""What one decimal can tell from 0."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two versions.

    Attributes
    ----------
    version, recipe, served : str
    role : str
        "champion", "challenger" or empty.
    at : int
        When it was registered, in microseconds since 1970 UTC.
    source, snapshot : str
        The name and the digest of the data that it was made from.
    learned : int
        How many rows it learned from.
    bytes : int
        The size of its files.
    milliseconds : float, optional
        What the answer to one case takes, as the median of a few, here and now; None where no row can be answered.
    inputs : tuple of str
        The columns that it takes.
    passed : bool
    """

    version: str
    recipe: str
    served: str
    role: str
    at: int
    source: str
    snapshot: str
    learned: int
    bytes: int
    milliseconds: float | None
    inputs: tuple[str, ...]
    passed: bool


class CheckPair(msgspec.Struct, frozen=True, kw_only=True):
    """A go-live check of both versions, each as it was made for that version; None where it was not."""

    code: str
    name: str
    first: Check | None
    second: Check | None

    @property
    def differs(self) -> bool:
        """Whether the verdicts are not the same."""
        return (self.first and self.first.verdict) != (self.second and self.second.verdict)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two versions side by side.

    Attributes
    ----------
    task, question, goal : str
    kind : Kind
    tolerance : float, optional
    first, second : Side
        As they were asked for; what got better is told of the second.
    compared : Compared, optional
        None where no row is left that neither has learned from.
    rows : str
        Which rows they are compared on, or why there are none, in a sentence.
    checks : tuple of CheckPair
    notes : tuple of str
        What a reader should know besides.
    """

    task: str
    question: str
    goal: str
    kind: Kind
    tolerance: float | None
    first: Side
    second: Side
    compared: Compared | None
    rows: str
    checks: tuple[CheckPair, ...]
    notes: tuple[str, ...] = ()

    @property
    def added(self) -> tuple[str, ...]:
        """Columns that only the second takes."""
        return tuple(name for name in self.second.inputs if name not in self.first.inputs)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Columns that only the first takes."""
        return tuple(name for name in self.first.inputs if name not in self.second.inputs)


def headline(found: Comparison) -> str:
    """The finding in one sentence, by the metric that the task is to be good at."""
    if found.compared is None:
        return "They cannot be compared yet."
    goal = found.compared.metrics[0]
    name = found.second.version[:NAMED]
    return {
        "better": f"{name} is better.",
        "worse": f"{name} is worse.",
        "not shown": "Neither is shown to be better.",
    }[goal.verdict]


def conclusion(found: Comparison) -> tuple[str, ...]:
    """What became better or worse, for whom, and what that rests on."""
    if found.compared is None:
        return (found.rows,)
    compared = found.compared
    said = [metric_words(compared.metrics[0]), switch_words(compared.all)]
    said += [f"It gained most {slice_words(one, 'right')}" for one in compared.gained[:1]]
    said += [f"It lost {slice_words(one, 'wrong')}" for one in compared.lost]
    for column, switches in compared.groups.items():
        said += [
            f"Where {column} is {one.of} it is {one.verdict}: {gain_words(one)}."
            for one in switches
            if one.verdict == "worse"
        ]
    changed = [f"{pair.code} {pair.name}: {verdicts(pair)}" for pair in found.checks if pair.differs]
    said += [f"Checks that came out otherwise: {'; '.join(changed)}."] if changed else []
    return (*said, found.rows)


def verdicts(pair: CheckPair) -> str:
    """Both verdicts of a check."""
    first, second = (one.verdict if one else "not made" for one in (pair.first, pair.second))
    return f"{first} → {second}"


def metric_words(change: MetricChange) -> str:
    """A metric of both, and whether its change is shown."""
    metric = METRICS[change.metric]
    shown = {"better": "shown to be better", "worse": "shown to be worse", "not shown": "not shown to differ"}
    higher = "higher" if metric.greater_is_better else "lower"
    way, by = ("better", change.gain) if change.gain.estimate >= 0 else ("worse", turned(change.gain))
    return (
        f"{metric.title} ({higher} is better) {estimate(change.first)} → {estimate(change.second)}: {way} by "
        f"{estimate(by)} ({bounds(by)}), {shown[change.verdict]}."
    )


def turned(gain: Evidence) -> Evidence:
    """The same statement of what was lost."""
    return msgspec.structs.replace(gain, estimate=-gain.estimate, lower=-gain.upper, upper=-gain.lower)


def switch_words(switch: Switch) -> str:
    """How many answers became right and wrong."""
    exact = "" if switch.p is None else f", exact McNemar p = {switch.p:.2g}"
    return (
        f"Of {switch.n:,} cases {switch.mended:,} are right now that were wrong, and {switch.broken:,} wrong that were "
        f"right: {gain_words(switch)}{exact}."
    )


def gain_words(switch: Switch) -> str:
    """How many more of a hundred are right.

    >>> gain = Evidence(estimate=0.08, lower=-0.02, upper=0.2, confidence=0.95, n=100, method="exact McNemar")
    >>> gain_words(Switch(of="all", n=100, first=0.3, second=0.22, mended=10, broken=2, gain=gain, p=0.04))
    '8.0 more right of 100 (-2.0 to 20.0)'
    """
    fewer = switch.gain.estimate < 0
    gain = turned(switch.gain) if fewer else switch.gain
    low, middle, high = (100 * value for value in (gain.lower, gain.estimate, gain.upper))
    places = 1 if all(abs(value) >= LEAST or not value for value in (low, high)) else 2  # a bound beside 0 is not 0
    said = [rounded(value, places) for value in (middle, low, high)]
    return f"{said[0]} {'fewer' if fewer else 'more'} right of 100 ({said[1]} to {said[2]})"


def slice_words(one: Slice, way: str) -> str:
    """Where a slice is, and how many more answers are right, or wrong, in it than before."""
    elsewhere = f"{100 * abs(one.rest):.1f} {'more' if one.rest >= 0 else 'fewer'}"
    return (
        f"where {one.words}, {one.share:.1%} of the cases: {100 * one.loss:.1f} more {way} of 100, against {elsewhere} "
        "elsewhere."
    )
