"""How often is it wrong where it is sure, at every threshold at once: the selective risk, for whoever picks one.

Deciding only from a confidence on has a coverage, the share of cases that are decided, and a risk, the mean loss among
these (El-Yaniv & Wiener 2010, "On the foundations of noise-free selective classification", J. Mach. Learn. Res. 11).
Somebody looks at the whole curve and picks a threshold. An interval made for one threshold does not hold for the one
that is picked, since it is picked where chance was kind. So the bounds here hold for all thresholds of a grid
together: each gets an equal part of α (union bound). That is what one pays: a width grows with the logarithm of how
many there are.

The grid is fixed before the cases come; then the cases at or above a threshold all have its risk as their mean. Live
cases are bounded by betting (`means`), which holds at any time. Rows of the past, all there at once, are bounded for
one look (`fixed`), which is tighter; their grid may be quantiles of their own confidences, since losses are independent
of each other once all confidences are given: what is bounded then is the risk among cases with just these confidences
(Hoeffding 1956, "On the distribution of the number of successes in independent trials", Ann. Math. Statist. 27(3),
theorem 4: errors of unequal chances vary less than those of equal ones).

Between two thresholds of the grid the bounds follow from both, since coverage and the sum of losses only grow as the
threshold falls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
from msgspec.structs import replace

from understudy.core.evidence import Evidence
from understudy.evidence.betting import check_losses, refuse
from understudy.evidence.fixed import clopper_pearson, hoeffding_bentkus
from understudy.evidence.means import WEIGHTS, MeanPlan, MeanState, fold_mean, mean_evidence, merge_means, open_mean

FOR_COVERAGE = 0.1
"""The part of α for the bounds on coverage, of which every case tells, whether somebody looked or not."""


class BandPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is bounded, all of it together.

    Attributes
    ----------
    grid : tuple of tuple of float
        For each side, that is each answer with a threshold of its own, its thresholds on the confidence, strictly
        decreasing.
    alpha : float
        The chance that any of the bounds misses, in (0, 1).

    >>> plan = BandPlan(grid=((0.9, 0.5), (0.7, 0.6, 0.0)), alpha=0.05)
    >>> round(plan.for_risk, 4), round(plan.for_coverage, 4)
    (0.009, 0.001)
    """

    grid: tuple[tuple[float, ...], ...]
    alpha: float

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not at {self.alpha}")
        if any(not high > low for side in self.grid for high, low in pairwise(side)):
            raise ValueError("the thresholds of a side must strictly decrease")

    @property
    def settings(self) -> int:
        """How many thresholds there are to pick from."""
        return sum(map(len, self.grid))

    @property
    def for_risk(self) -> float:
        """The chance that the bounds on the risk at one threshold miss it."""
        return (1 - FOR_COVERAGE) * self.alpha / self.settings

    @property
    def for_coverage(self) -> float:
        """The chance that the bounds on the coverage of one threshold miss it."""
        return FOR_COVERAGE * self.alpha / self.settings


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The cases to which one answer was, or would be, given.

    Attributes
    ----------
    confidence : ndarray of shape (n,)
    loss : ndarray of shape (n,)
        In [0, 1]; NaN where nobody looked. Whether somebody looked was drawn, never chosen.
    weight : ndarray of shape (n,)
        π_min/π in (0, 1], as for the gate: all 1 where every case is looked at, or each with the same probability.
    cases : int
        How many cases came in all, with these among them.
    """

    confidence: np.ndarray
    loss: np.ndarray
    weight: np.ndarray
    cases: int

    def __post_init__(self) -> None:
        check_losses(self.loss, self.weight)
        if not len(self.confidence) == len(self.loss) == len(self.weight) <= self.cases:
            sizes = f"{len(self.confidence)}, {len(self.loss)} and {len(self.weight)}"
            raise ValueError(f"confidence, loss and weight have one length, at most {self.cases} cases; got {sizes}")
        refuse(self.confidence, np.isnan(self.confidence), "a confidence is a number, not NaN")


class SelectiveRisk(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of deciding from a threshold on.

    Attributes
    ----------
    threshold : float
    coverage : Evidence
        The share of all cases that are decided: those of this side at or above the threshold.
    risk : Evidence
        The mean loss of these; its estimate is NaN where nobody has looked at any.
    """

    threshold: float
    coverage: Evidence
    risk: Evidence


Curve = tuple[SelectiveRisk, ...]
"""One side along its grid, coverage growing."""


def live_bands(plan: BandPlan, sides: Sequence[Answers]) -> tuple[Curve, ...]:
    """For each side its risk and coverage at each threshold, with bounds that hold for all of them, at all times.

    The promise assumes that cases are alike over time, each looked at with a probability that is known beforehand.

    Parameters
    ----------
    plan : BandPlan
        Fixed before these cases came.
    sides : sequence of Answers
        As in the plan, cases in decision order.

    Raises
    ------
    ValueError
        There are more sides than grids, or fewer.

    >>> rng = np.random.default_rng(0)
    >>> confidence = rng.random(4000)
    >>> loss = (rng.random(4000) < 0.3 * (1 - confidence)).astype(float)
    >>> answers = Answers(confidence=confidence, loss=loss, weight=np.ones(4000), cases=5000)
    >>> [curve] = live_bands(BandPlan(grid=((0.8, 0.5, 0.0),), alpha=0.05), [answers])
    >>> [(at.threshold, round(at.risk.estimate, 3), round(at.risk.upper, 3)) for at in curve]
    [(0.8, 0.02, 0.045), (0.5, 0.075, 0.099), (0.0, 0.154, 0.177)]
    """
    check_sides(plan, sides)
    return tuple(live_curve(plan, grid, answers) for grid, answers in zip(plan.grid, sides, strict=True))


def check_sides(plan: BandPlan, sides: Sequence[Answers]) -> None:
    """There is a grid for each side."""
    if len(plan.grid) != len(sides):
        raise ValueError(f"{len(sides)} sides need as many grids, not {len(plan.grid)}")


def live_curve(plan: BandPlan, grid: Sequence[float], answers: Answers) -> Curve:
    """One side of the live bands. Each case is folded once, since every threshold has the cases of the one before."""
    risks = MeanPlan(alpha=plan.for_risk, weights=known_weights(answers.weight))
    shares = MeanPlan(alpha=plan.for_coverage, knots=(0.0, 1.0))
    state, covered, found = open_mean(risks), 0, []
    for threshold, added in rings(grid, answers.confidence):
        ring = fold_mean(open_mean(risks), risks, answers.loss[added], answers.weight[added])
        state, covered = merge_means(state, ring), covered + len(added)
        table = ((float(answers.cases - covered), float(covered)),)
        share = mean_evidence(MeanState(rows=answers.cases, known=answers.cases, table=table), shares)
        found.append(together(plan, threshold, share, mean_evidence(state, risks)))
    return tuple(found)


def rings(grid: Sequence[float], confidence: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Each threshold with the places of the cases that it adds to those of the one before, in their order.

    >>> [(threshold, places.tolist()) for threshold, places in rings((0.8, 0.5), np.array([0.5, 0.9, 0.2, 0.8]))]
    [(0.8, [1, 3]), (0.5, [0])]
    """
    ring = len(grid) - np.searchsorted(np.array(grid)[::-1], confidence, side="right")
    for place, threshold in enumerate(grid):
        yield threshold, np.flatnonzero(ring == place)


def known_weights(weight: np.ndarray) -> tuple[float, ...]:
    """The weights at which cases are counted: those that occur, as long as they are few."""
    few = np.union1d(weight, [1.0])
    return tuple(few.tolist()) if len(few) <= len(WEIGHTS) else WEIGHTS


def together(plan: BandPlan, threshold: float, coverage: Evidence, risk: Evidence) -> SelectiveRisk:
    """A point of a curve, which says that it holds together with all others."""
    many = f", {plan.settings} thresholds at once" if plan.settings > 1 else ""
    coverage, risk = (
        replace(found, confidence=1 - plan.alpha, method=f"{found.method}{many}") for found in (coverage, risk)
    )
    return SelectiveRisk(threshold=threshold, coverage=coverage, risk=risk)


def history_bands(plan: BandPlan, sides: Sequence[Answers], *, costs: bool = False) -> tuple[Curve, ...]:
    """For each side its risk and coverage at each threshold, with bounds that hold for all of them, for one look.

    Parameters
    ----------
    plan : BandPlan
        Fixed before these rows came, or at quantiles of their own confidences.
    sides : sequence of Answers
        As in the plan; the rows of the past are all known at once. Where nobody looked at some, each was looked at with
        the same probability.
    costs : bool
        Whether losses are costs: otherwise they are 0 or 1, and the bounds are exact (Clopper–Pearson).

    Raises
    ------
    ValueError
        There are more sides than grids, or fewer; a weight is not 1; or a loss is neither 0 nor 1, without costs.

    >>> answers = Answers(confidence=np.linspace(0, 1, 400), loss=np.tile([0.0, 0.0, 0.0, 1.0], 100),
    ...                   weight=np.ones(400), cases=400)
    >>> [[at]] = history_bands(BandPlan(grid=((0.5,),), alpha=0.05), [answers])
    >>> round(at.coverage.estimate, 3), round(at.risk.lower, 3), round(at.risk.upper, 3), at.risk.anytime
    (0.5, 0.19, 0.317, False)
    """
    check_sides(plan, sides)
    for answers in sides:
        if (answers.weight != 1).any():
            raise ValueError("history needs weights of 1: its rows were not drawn for a look")
        if not costs and not np.isin(answers.loss[~np.isnan(answers.loss)], (0, 1)).all():
            raise ValueError("a loss is neither 0 nor 1: say costs=True")
    return tuple(
        history_curve(plan, grid, answers, costs=costs) for grid, answers in zip(plan.grid, sides, strict=True)
    )


def history_curve(plan: BandPlan, grid: Sequence[float], answers: Answers, *, costs: bool) -> Curve:
    """One side of the bands from history."""
    found = []
    for threshold in grid:
        covered = answers.confidence >= threshold
        loss = answers.loss[covered & ~np.isnan(answers.loss)]
        share = clopper_pearson(int(covered.sum()), answers.cases, alpha=plan.for_coverage)
        if costs:
            risk = hoeffding_bentkus(loss, alpha=plan.for_risk)
        else:
            risk = clopper_pearson(int(loss.sum()), len(loss), alpha=plan.for_risk)
        found.append(together(plan, threshold, share, risk))
    return tuple(found)


def between(curve: Curve, answers: Answers, threshold: float) -> SelectiveRisk:
    """What is known of any threshold, by its two neighbours on the grid: still together with all others.

    For its cases S between those of its neighbours, A ⊂ S ⊂ B, coverage c and sum of losses m only grow: c_A ≤ c ≤ c_B
    and m_A ≤ m ≤ m_B, and what S has beyond A, or lacks of B, loses at most 1 per case. So the risk m/c is at most
    m_B/c_A and at most 1 − (c_A − m_A)/c_B, and at least m_A/c_B and at least 1 − (c_B − m_B)/c_A.

    Parameters
    ----------
    curve : tuple of SelectiveRisk
    answers : Answers
        The same that the curve was made from, for the estimates.
    threshold : float

    >>> confidence = np.linspace(0, 1, 1001)
    >>> answers = Answers(confidence=confidence, loss=np.zeros(1001), weight=np.ones(1001), cases=1001)
    >>> [curve] = history_bands(BandPlan(grid=((0.6, 0.5, 0.4),), alpha=0.05), [answers])
    >>> found = between(curve, answers, 0.55)
    >>> [round(at.risk.upper, 3) for at in (curve[0], found, curve[1])]
    [0.012, 0.015, 0.01]
    """
    for at in curve:
        if at.threshold == threshold:
            return at
    smaller = next((at for at in reversed(curve) if at.threshold > threshold), None)
    larger = next((at for at in curve if at.threshold < threshold), None)
    covered = answers.confidence >= threshold
    seen = covered & ~np.isnan(answers.loss)
    weight, loss = answers.weight[seen], answers.loss[seen]
    coverage = Evidence(
        estimate=float(covered.sum() / answers.cases) if answers.cases else np.nan,
        lower=0.0 if smaller is None else smaller.coverage.lower,
        upper=1.0 if larger is None else larger.coverage.upper,
        confidence=curve[0].coverage.confidence,
        n=answers.cases,
        method=f"{curve[0].coverage.method}, between two",
        anytime=curve[0].coverage.anytime,
    )
    lower, upper = risk_between(smaller, larger)
    risk = Evidence(
        estimate=float(weight @ loss / weight.sum()) if seen.any() else np.nan,
        lower=lower,
        upper=upper,
        confidence=curve[0].risk.confidence,
        n=int(seen.sum()),
        method=f"{curve[0].risk.method}, between two",
        anytime=curve[0].risk.anytime,
    )
    return SelectiveRisk(threshold=threshold, coverage=coverage, risk=risk)


def risk_between(smaller: SelectiveRisk | None, larger: SelectiveRisk | None) -> tuple[float, float]:
    """Bounds on the risk at a threshold between two; nothing is known without both."""
    if smaller is None or larger is None or smaller.coverage.lower <= 0:
        return 0.0, 1.0
    least, most = smaller.coverage.lower, larger.coverage.upper
    upper = min(larger.risk.upper * most / least, 1 - least * (1 - smaller.risk.upper) / most)
    lower = max(smaller.risk.lower * least / most, 1 - most * (1 - larger.risk.lower) / least)
    return max(lower, 0.0), min(upper, 1.0)


def widest_kept(curve: Sequence[SelectiveRisk], max_risk: float) -> SelectiveRisk | None:
    """The lowest threshold whose risk is proven to be at most `max_risk`; None where none is.

    It may be picked after looking, with any `max_risk`.
    """
    return next((at for at in reversed(curve) if at.risk.upper <= max_risk), None)


def closest(curve: Sequence[SelectiveRisk]) -> SelectiveRisk | None:
    """The threshold with the lowest proven risk, of several the lowest one; None where there is no threshold."""
    return min(reversed(curve), key=lambda at: at.risk.upper, default=None)
