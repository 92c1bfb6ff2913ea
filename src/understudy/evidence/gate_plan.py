"""What the gate is about: its plan, the rows that it counts, and what it has come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, log

import msgspec
import numpy as np

from understudy.evidence.betting import check_bets, log_mixed

BETS = (0.12, 0.2, 0.32, 0.5, 0.75, 0.95)
"""A bet f is the best one where the true risk is (1 − f)·r, for losses of 0 or 1.

To reach ln(1/δ) within so many cases that m errors are expected at r, about √(2 ln(1/δ)/m) is best, whatever r is.
"""

BOLDEST, CALMEST, CALM_FROM = 0.7, 0.2, 0.22
"""The bet that gets most: at the first threshold; and from this part of the grid on, where more cases count."""

SPREAD, EVENLY = 0.25, 0.1
"""How far around it, in logs, the others get something; and the part that all get alike."""


class GatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be certified, fixed before the first live case.

    Attributes
    ----------
    sides : tuple of str
        The decisions that have a threshold of their own. A group with a threshold of its own is a side of its own.
    grid : tuple of tuple of float
        For each side its thresholds on the confidence, strictly decreasing: from the coverage floor to everything.
    max_error : float
        The promised risk r, in (0, 1).
    delta : float
        The chance of a false certificate that is granted to all sides together, in (0, 1).
    groups : tuple of str
        Groups that share a threshold: one is certified where the risk of each of them is proven. δ is not divided.
    bets : tuple of float
        Shares of the largest bet 1/(1 − r).
    shares : tuple of float
        What each bet begins with, the same at every threshold; if empty, bolder bets get more at the first ones.
    costs : bool
        Whether losses are costs, not only 0 or 1. It decides how history counts; the promise holds in any case.

    >>> plan = GatePlan(sides=("pay",), grid=((0.9, 0.8),), max_error=0.05, delta=0.05)
    >>> round(plan.goal, 2), round(plan.cap, 2)
    (3.0, 4.47)
    """

    sides: tuple[str, ...]
    grid: tuple[tuple[float, ...], ...]
    max_error: float
    delta: float
    groups: tuple[str, ...] = ("",)
    bets: tuple[float, ...] = BETS
    shares: tuple[float, ...] = ()
    costs: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.max_error < 1 and 0 < self.delta < 1):
            raise ValueError(f"max_error and delta lie between 0 and 1, not {self.max_error} and {self.delta}")
        if not self.sides or len(self.sides) != len(self.grid):
            raise ValueError(f"{len(self.sides)} sides need as many grids, at least one, not {len(self.grid)}")
        if not self.groups:
            raise ValueError("there is at least one group")
        if any(not high > low for side in self.grid for high, low in pairwise(side)):
            raise ValueError("the thresholds of a grid are walked downwards and must strictly decrease")
        check_bets(self.bets, self.shares or (1 / len(self.bets),) * len(self.bets))

    @property
    def side_delta(self) -> float:
        """The chance of a false certificate on one side."""
        return self.delta / len(self.sides)

    @property
    def goal(self) -> float:
        """The log wealth at which a threshold is certified, ln(1/δ) of a side."""
        return -log(self.side_delta)

    @property
    def cap(self) -> float:
        """The most that history may count, κ = √(1/δ) of a side."""
        return exp(self.goal / 2)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Mature cases in decision order; those that are strange or outside the mandate are not among them.

    Attributes
    ----------
    side : ndarray of int, shape (n,)
        The place of the predicted side in the plan.
    confidence : ndarray of shape (n,)
    loss : ndarray of shape (n,)
        In [0, 1]; NaN where nobody looked. Whether somebody looked was drawn, never chosen.
    weight : ndarray of shape (n,)
        π_min/π in (0, 1]: the smallest probability of a look under the deployment that held when the case came, over
        the case's own. All 1 where every case is looked at, or each with the same probability.
    group : ndarray of int, shape (n,), optional
        The place of the case's group in the plan; needed where there are several.
    """

    side: np.ndarray
    confidence: np.ndarray
    loss: np.ndarray
    weight: np.ndarray
    group: np.ndarray | None = None


def check_places(what: str, places: np.ndarray, names: Sequence[str]) -> None:
    """Places lie among the names of a plan."""
    if len(places) and not 0 <= places.min() <= places.max() < len(names):
        raise ValueError(f"a {what} is a place among {len(names)}, from 0; got {places.min()} to {places.max()}")


class GroupState(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of one side has come to; t thresholds, k bets.

    Attributes
    ----------
    covered, looked : tuple of t ints
        Rows at or above the threshold, and those among them with a loss.
    weight, loss : tuple of t floats
        The sums of weights and of weighted losses among those looked at.
    wealth : t tuples of k floats
        The logs of what every bet owns; together they are the e-process.
    """

    covered: tuple[int, ...]
    looked: tuple[int, ...]
    weight: tuple[float, ...]
    loss: tuple[float, ...]
    wealth: tuple[tuple[float, ...], ...]


class SideState(msgspec.Struct, frozen=True, kw_only=True):
    """What one side has come to; t thresholds.

    Attributes
    ----------
    cases : int
        Rows in all.
    groups : tuple of GroupState
        As in the plan.
    peak : tuple of t floats
        The log of how close each threshold came to its certificate; it has it where this reaches ln(1/δ).
    """

    cases: int
    groups: tuple[GroupState, ...]
    peak: tuple[float, ...]


class GateState(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of an epoch about its grid, side by side as in the plan."""

    sides: tuple[SideState, ...]


def make_grid(confidences: np.ndarray, min_coverage: float, points: int = 40) -> tuple[float, ...]:
    """Thresholds that cover from `min_coverage` of one side's cases to all, by history.

    Parameters
    ----------
    confidences : ndarray of shape (n,)
        Of cases of the side, in [0, 1]. Ties give fewer thresholds.
    min_coverage : float
        The share of cases that the first threshold covers at least, in (0, 1].
    points : int
        How many thresholds at most.

    Returns
    -------
    tuple of float
        Strictly decreasing; the last is 0, everything. Empty without history.

    >>> make_grid(np.array([0.9, 0.8, 0.7, 0.6]), 0.5, points=3)
    (0.8, 0.7, 0.0)
    """
    if not 0 < min_coverage <= 1:
        raise ValueError(f"min_coverage lies above 0 and is at most 1, not {min_coverage}")
    ordered = np.sort(confidences)[::-1]
    if not len(ordered):
        return ()
    places = (ceil(coverage * len(ordered) - 1e-9) - 1 for coverage in np.linspace(min_coverage, 1, points)[:-1])
    inner = {float(ordered[max(place, 0)]) for place in places}
    return (*sorted(inner - {0.0, float(ordered[-1])}, reverse=True), 0.0)


def first_shares(plan: GatePlan, thresholds: int) -> np.ndarray:
    """What each bet begins with at each threshold, where history says nothing.

    At the first thresholds few cases count, and the risk is low: only bold bets can win there. Further down, where the
    risk comes close to the promise, calm ones do.

    Returns
    -------
    ndarray of shape (t, k)
    """
    k = len(plan.bets)
    if plan.shares or thresholds == 1:
        return np.tile(plan.shares or np.full(k, 1 / k), (thresholds, 1))
    down = np.minimum(np.arange(thresholds) / (thresholds - 1) / CALM_FROM, 1)
    best = BOLDEST - (BOLDEST - CALMEST) * down
    distance = np.log(np.maximum(plan.bets, 1e-9)) - np.log(best)[:, None]
    near = np.exp(-((distance / SPREAD) ** 2) / 2) + 1e-12
    shares: np.ndarray = (1 - EVENLY) * near / near.sum(axis=1, keepdims=True) + EVENLY / k
    return shares


def owned(wealth: np.ndarray) -> np.ndarray:
    """The log of what all bets own together, shape (...), from that of each, shape (..., k)."""
    return log_mixed(wealth, (1.0,) * wealth.shape[-1])


def joint(groups: Sequence[GroupState]) -> np.ndarray:
    """The log e-process of each threshold: what is proven of every group is what is proven of the poorest."""
    least: np.ndarray = np.min([owned(np.array(group.wealth)) for group in groups], axis=0)
    return least
