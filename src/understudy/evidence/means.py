"""What is the mean of numbers with known limits, however often we look?

For a candidate m one gambler bets that the mean is above m, another that it is below: a case with the value x, scaled
to [0, 1], multiplies what they own by 1 + f·w·(x − m)/m, or by 1 + f·w·(m − x)/(1 − m). Both are nonnegative
supermartingales where m is the mean, so the means at which neither owns 2/α are a confidence sequence (Waudby-Smith &
Ramdas 2024, "Estimating means of bounded random variables by betting", J. R. Stat. Soc. B 86(1), section 4, with a
fixed mixture of bets f; Ville's inequality). The weight w = π_min/π evens out that cases were looked at with unequal
probabilities, as in `betting`.

The logarithms of the factors are concave in (w, w·x). So a case that is split among the knots of a fixed table, with
the same mean of w and of w·x, adds no more to the wealth than the case itself (Jensen's inequality), and just as much
where it lies on a knot, as 0 and 1 do. Then a table of counts is all there is to remember: it has a constant size, two
tables add up to one, and every candidate mean and every bet can be asked of it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, nan, pi, sin

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evidence.betting import check_bets, check_weights, chunks, nested, refuse

BETS = (0.95, 0.75, *(2.0**-power for power in range(1, 15)))
"""A bet f is the best one where 0s and 1s have a mean of m + f·(1 − m), or of m − f·m."""

SHARES = tuple(1 / (place + 4) / sum(1 / (other + 4) for other in range(16)) for place in range(16))
"""Large bets begin with more, since they are needed when there are few cases.

For 0s and 1s the bounds are 1.5 to 1.8 times as wide as those for one look (Clopper–Pearson), from 100 to a million
cases and from no error to one half.
"""

KNOTS = tuple(round(sin(pi * place / 256) ** 2, 12) for place in range(129))
"""So dense that splitting a case adds at most 0.02 % of x(1 − x) to its variance."""

WEIGHTS = tuple(2.0 ** (-power / 2) for power in reversed(range(15)))
"""Weights at which cases are counted where they were looked at with unequal probabilities."""

HALVINGS = 40
"""How often the range of a bound is halved."""


class MeanPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a mean is bounded, fixed before the first case.

    Attributes
    ----------
    alpha : float
        The chance that the bounds ever miss the mean, in (0, 1).
    low, high : float
        The limits of the values.
    bets : tuple of k floats
        Shares of the largest bet.
    shares : tuple of k floats
        What each bet begins with.
    knots : tuple of float
        Increasing from 0 to 1: places in the range of the values at which cases are counted.
    weights : tuple of float
        Increasing to 1: weights at which cases are counted. Other weights are split too, which costs power and no
        validity; `WEIGHTS` serves any, and the few that occur serve best.

    >>> plan = MeanPlan(alpha=0.05, high=500)
    >>> len(plan.knots), plan.weights, round(plan.goal, 2)
    (129, (1.0,), 3.69)
    """

    alpha: float
    low: float = 0.0
    high: float = 1.0
    bets: tuple[float, ...] = BETS
    shares: tuple[float, ...] = SHARES
    knots: tuple[float, ...] = KNOTS
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not at {self.alpha}")
        if not -np.inf < self.low < self.high < np.inf:
            raise ValueError(f"values need finite limits, low below high; got {self.low} and {self.high}")
        check_bets(self.bets, self.shares)
        if not increase(self.knots) or len(self.knots) < 2 or (self.knots[0], self.knots[-1]) != (0, 1):
            raise ValueError("knots increase from 0 to 1")
        if not increase((0.0, *self.weights)) or self.weights[-1:] != (1,):
            raise ValueError("the weights of a plan are positive and increase to 1")

    @property
    def goal(self) -> float:
        """The log wealth that refutes a mean, ln(2/α): both bounds share α."""
        return log(2 / self.alpha)


def increase(numbers: Sequence[float]) -> bool:
    """Whether each number is larger than the one before."""
    return all(first < second for first, second in pairwise(numbers))


class MeanState(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen.

    Attributes
    ----------
    rows, known : int
        Cases, and those among them with a value.
    table : tuple of tuple of float
        For each weight of the plan, how many cases count at each knot; those that are split count in parts.
    """

    rows: int
    known: int
    table: tuple[tuple[float, ...], ...]


def open_mean(plan: MeanPlan) -> MeanState:
    """The state before the first case."""
    return MeanState(rows=0, known=0, table=((0.0,) * len(plan.knots),) * len(plan.weights))


def fold_mean(state: MeanState, plan: MeanPlan, values: np.ndarray, weight: np.ndarray | None = None) -> MeanState:
    """The state with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : MeanState
    plan : MeanPlan
    values : ndarray of shape (n,)
        Within the limits of the plan, NaN where nobody looked.
    weight : ndarray of shape (n,), optional
        π_min/π in (0, 1] where cases were looked at with unequal probabilities π, fixed before each was drawn. Left out
        where each case is known, or each with the same probability.

    Raises
    ------
    ValueError
        A value or a weight lies outside its range.

    >>> plan = MeanPlan(alpha=0.05)
    >>> state = fold_mean(open_mean(plan), plan, np.tile([1.0, 0.0, 0.0, np.nan], 100))
    >>> statement = mean_evidence(state, plan)
    >>> state.rows, statement.n, round(statement.lower, 3), round(statement.estimate, 3), round(statement.upper, 3)
    (400, 300, 0.244, 0.333, 0.431)
    """
    factor = np.ones(len(values)) if weight is None else weight
    check_values(plan, values, factor)
    seen = ~np.isnan(values)
    scaled, factor = (values[seen] - plan.low) / (plan.high - plan.low), factor[seen]
    table = np.array([[0.0] * len(plan.knots), *state.table])  # what has no weight is counted, and left out again
    for part in chunks(len(scaled)):
        column, columns = knots_around(np.array(plan.knots), scaled[part])
        row, rows = knots_around(np.array((0.0, *plan.weights)), factor[part])
        place = (row[:, :, None] * len(plan.knots) + column[:, None, :]).ravel()
        np.add.at(table.reshape(-1), place, (rows[:, :, None] * columns[:, None, :]).ravel())  # one by one, in order
    return MeanState(rows=state.rows + len(seen), known=state.known + len(scaled), table=nested(table[1:]))


def check_values(plan: MeanPlan, values: np.ndarray, weight: np.ndarray) -> None:
    """Values lie within the limits of the plan or are NaN; weights lie in (0, 1].

    Raises
    ------
    ValueError
        They do not.
    """
    if values.ndim != 1 or values.shape != weight.shape:
        raise ValueError(f"values and weights are rows of one length, got {values.shape} and {weight.shape}")
    outside = (values < plan.low) | (values > plan.high)
    refuse(values, outside, f"a value lies outside the limits [{plan.low:g}, {plan.high:g}] of the plan")
    check_weights(weight)


def knots_around(knots: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two knots around each place, and the parts of 1 that keep it as their mean, both of shape (n, 2).

    >>> knots_around(np.array([0.0, 0.5, 1.0]), np.array([0.6, 1.0]))[1].round(3).tolist()
    [[0.8, 0.2], [0.0, 1.0]]
    """
    left = np.clip(np.searchsorted(knots, places, side="right") - 1, 0, len(knots) - 2)
    part = (places - knots[left]) / (knots[left + 1] - knots[left])
    return np.column_stack([left, left + 1]), np.column_stack([1 - part, part])


def merge_means(one: MeanState, other: MeanState) -> MeanState:
    """What two states under the same plan have seen together, as partitions of one stream or two sources of one mean.

    The same as folding all, except that sums of parts may differ in their last bit.
    """
    table = nested(np.array(one.table) + np.array(other.table))
    return MeanState(rows=one.rows + other.rows, known=one.known + other.known, table=table)


def mean_evidence(state: MeanState, plan: MeanPlan) -> Evidence:
    """The mean, with bounds that hold at all times together.

    The promise assumes that the mean of each case, given those before it, is the same one.
    """
    seen = cells(state, plan)
    lower, estimate, upper = 0.0, nan, 1.0
    if state.known:
        estimate = min(1.0, float((seen.weight * seen.place) @ seen.count / (seen.weight @ seen.count)))
        lower = last_refuted(lambda mean: log_wealth(seen, plan, mean, above=True) >= plan.goal, 0.0, estimate)
        upper = last_refuted(lambda mean: log_wealth(seen, plan, mean, above=False) >= plan.goal, 1.0, estimate)
    width = plan.high - plan.low
    return Evidence(
        estimate=plan.low + width * estimate,
        lower=plan.low + width * lower,
        upper=plan.low + width * upper,
        confidence=1 - plan.alpha,
        n=state.known,
        method="betting",
        anytime=True,
    )


@dataclass(frozen=True)
class Cells:
    """The cells of a table that are not empty, each array of shape (c,): weight, place in [0, 1], and count."""

    weight: np.ndarray
    place: np.ndarray
    count: np.ndarray


def cells(state: MeanState, plan: MeanPlan) -> Cells:
    """What a state has seen."""
    table = np.array(state.table)
    row, column = np.nonzero(table)
    return Cells(np.array(plan.weights)[row], np.array(plan.knots)[column], table[row, column])


def log_wealth(seen: Cells, plan: MeanPlan, mean: float, *, above: bool) -> float:
    """What the gambler owns who bets that the mean is above, or below, a number in (0, 1)."""
    edge = (seen.place - mean) / mean if above else (mean - seen.place) / (1 - mean)
    logs = seen.count @ np.log1p((seen.weight * edge)[:, None] * np.array(plan.bets)) + np.log(plan.shares)
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum()))


def last_refuted(refuted: Callable[[float], bool], far: float, near: float) -> float:
    """The number between `far`, which is refuted, and `near`, which is not, where that changes; rounded outwards."""
    for _ in range(HALVINGS):
        middle = (far + near) / 2
        if middle in (far, near, 0.0, 1.0):
            break
        far, near = (middle, near) if refuted(middle) else (far, middle)
    return far


def mean_log_e(state: MeanState, plan: MeanPlan, mean: float, *, above: bool) -> float:
    """The log of the e-process for "the mean is above `mean`", against "it is at most that"; or for "below".

    Parameters
    ----------
    state : MeanState
    plan : MeanPlan
    mean : float
        Between the limits of the plan.
    above : bool
        Whether the bet is on a larger mean, or on a smaller one.

    Raises
    ------
    ValueError
        `mean` is not between the limits.

    >>> plan = MeanPlan(alpha=0.05)
    >>> state = fold_mean(open_mean(plan), plan, np.zeros(100))
    >>> round(mean_log_e(state, plan, 0.05, above=False), 2), mean_log_e(state, plan, 0.05, above=True) < 0
    (3.3, True)
    """
    if not plan.low < mean < plan.high:
        raise ValueError(f"a mean to bet against lies between {plan.low} and {plan.high}, not at {mean}")
    return log_wealth(cells(state, plan), plan, (mean - plan.low) / (plan.high - plan.low), above=above)


def mean_bounds(
    values: np.ndarray, *, alpha: float = 0.05, low: float = 0.0, high: float = 1.0, weight: np.ndarray | None = None
) -> Evidence:
    """The mean of these values, with bounds that may be recomputed after every further value.

    Parameters
    ----------
    values, weight : ndarray of shape (n,)
        As for `fold_mean`.
    alpha, low, high : float
        As for `MeanPlan`.

    >>> statement = mean_bounds(np.array([0.0] * 190 + [1.0] * 10))
    >>> round(statement.lower, 3), statement.estimate, round(statement.upper, 3), statement.anytime
    (0.013, 0.05, 0.12, True)
    """
    plan = MeanPlan(alpha=alpha, low=low, high=high, weights=(1.0,) if weight is None else WEIGHTS)
    return mean_evidence(fold_mean(open_mean(plan), plan, values, weight), plan)
