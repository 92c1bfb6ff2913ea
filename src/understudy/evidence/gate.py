"""Which confidence is enough to decide alone: thresholds certified against the promised risk, at any time.

For every threshold of a grid an e-process bets against "the risk among the cases at or above it is at least r". What it
owns is a nonnegative supermartingale that begins with 1 where that is true, so that it ever reaches 1/δ with
probability at most δ, however often one looks (Ville's inequality; Waudby-Smith & Ramdas 2024, "Estimating means of
bounded random variables by betting"). The grid is walked in an order fixed beforehand, and ends at the first threshold
that has not reached it: so no false certificate is issued except with probability δ (fixed-sequence testing;
Angelopoulos, Bates, Candès, Jordan & Lei 2025, "Learn then Test"). Cases that were looked at with unequal probabilities
are weighted (Xu, Karampatziakis & Mineiro 2024, "Active, anytime-valid risk controlling prediction sets").

The promise is about cases that are like those that it was certified on. What holds in a world that changes is the
error budget (`budget`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, inf, log, log1p, nan

import msgspec
import numpy as np
from msgspec.structs import replace

from understudy.core.evidence import Evidence
from understudy.evidence.betting import check_bets, check_losses, chunks, log_gains, log_mixed, nested, running

BETS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""A bet f is the best one where the true risk is (1 − f)·r, for losses of 0 or 1."""

RATIOS = (
    *(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
    *(1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0),
)
"""The risks, as multiples of r, among which an upper bound is looked for."""

FROM_HISTORY = 0.8
"""The part of the live wealth that history may multiply."""


class GatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be certified, fixed before the first live case.

    Attributes
    ----------
    sides : tuple of str
        The decisions that have a threshold of their own.
    grid : tuple of tuple of float
        For each side its thresholds on the confidence, strictly decreasing: from the coverage floor to everything.
    max_error : float
        The promised risk r, in (0, 1).
    delta : float
        The chance of a false certificate that is granted to all sides together, in (0, 1).
    bets : tuple of float
        Shares of the largest bet 1/(1 − r).
    shares : tuple of float
        What each bet begins with.
    ratios : tuple of float
        Increasing multiples of r at which the risk of the first threshold is bounded.

    >>> plan = GatePlan(sides=("pay",), grid=((0.9, 0.8),), max_error=0.05, delta=0.05)
    >>> round(plan.goal, 2), round(plan.cap, 2)
    (3.0, 4.47)
    """

    sides: tuple[str, ...]
    grid: tuple[tuple[float, ...], ...]
    max_error: float
    delta: float
    bets: tuple[float, ...] = BETS
    shares: tuple[float, ...] = (0.2,) * len(BETS)
    ratios: tuple[float, ...] = RATIOS

    def __post_init__(self) -> None:
        if not (0 < self.max_error < 1 and 0 < self.delta < 1):
            raise ValueError(f"max_error and delta lie between 0 and 1, not {self.max_error} and {self.delta}")
        if not self.sides or len(self.sides) != len(self.grid):
            raise ValueError(f"{len(self.sides)} sides need as many grids, at least one, not {len(self.grid)}")
        if any(high <= low for side in self.grid for high, low in pairwise(side)):
            raise ValueError("the thresholds of a grid are walked downwards and must strictly decrease")
        if any(low >= high for low, high in pairwise((0.0, *self.ratios))):
            raise ValueError("ratios are positive and strictly increase")
        check_bets(self.bets, self.shares)

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

    @property
    def risks(self) -> tuple[float, ...]:
        """The risks at which the first threshold is tested, increasing."""
        return tuple(self.max_error * ratio for ratio in self.ratios if self.max_error * ratio < 1)


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
    """

    side: np.ndarray
    confidence: np.ndarray
    loss: np.ndarray
    weight: np.ndarray


class SideState(msgspec.Struct, frozen=True, kw_only=True):
    """What one side has come to; t thresholds, k bets, m candidate risks.

    Attributes
    ----------
    cases : int
        Rows in all.
    covered, looked : tuple of t ints
        Rows at or above the threshold, and those among them with a loss.
    weight, loss : tuple of t floats
        The sums of weights and of weighted losses among those looked at.
    wealth : t tuples of k floats
        Log wealth of every bet.
    start, peak : tuple of t floats
        The log of the e-process when the epoch opened, by history, and the highest that it has been since.
    risk_wealth : m tuples of k floats
    risk_peak : tuple of m floats
        The same for candidate risks at the first threshold, without history.
    """

    cases: int
    covered: tuple[int, ...]
    looked: tuple[int, ...]
    weight: tuple[float, ...]
    loss: tuple[float, ...]
    wealth: tuple[tuple[float, ...], ...]
    start: tuple[float, ...]
    peak: tuple[float, ...]
    risk_wealth: tuple[tuple[float, ...], ...]
    risk_peak: tuple[float, ...]


class GateState(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of an epoch about its grid, side by side as in the plan."""

    sides: tuple[SideState, ...]


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """How far a side is from its first certificate.

    Attributes
    ----------
    threshold : float
        The first of the grid.
    risk : Evidence
        The risk at or above it, with an upper bound that holds at all times together.
    progress : float
        The log of the e-process over ln(1/δ); certified at 1, negative where the cases speak against it.
    best : float
        The highest that `progress` has been, which decides.
    missing : float
        About how many more looks it takes if the risk is as estimated; infinite if that is not below the promise.
    """

    threshold: float
    risk: Evidence
    progress: float
    best: float
    missing: float


def make_grid(confidences: np.ndarray, min_coverage: float, points: int = 20) -> tuple[float, ...]:
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


def open_gate(plan: GatePlan) -> GateState:
    """The state before the first case."""
    return GateState(sides=tuple(open_side(len(grid), len(plan.risks), len(plan.bets)) for grid in plan.grid))


def open_side(thresholds: int, risks: int, bets: int) -> SideState:
    """One side before its first case."""
    return SideState(
        cases=0,
        covered=(0,) * thresholds,
        looked=(0,) * thresholds,
        weight=(0.0,) * thresholds,
        loss=(0.0,) * thresholds,
        wealth=((0.0,) * bets,) * thresholds,
        start=(0.0,) * thresholds,
        peak=(0.0,) * thresholds,
        risk_wealth=((0.0,) * bets,) * risks,
        risk_peak=(0.0,) * risks,
    )


def warm_start(plan: GatePlan, rows: Rows) -> GateState:
    """The state of a new epoch in which history has bet first: E = 0.8·min(W, κ)·E_live + 0.2·E_live.

    If history was like today, the promise is δ; whatever it was, κδ, since that is the most by which it multiplies.

    Parameters
    ----------
    plan : GatePlan
    rows : Rows
        Held-out rows that served nothing else, the loss of all of them known.

    >>> plan = GatePlan(sides=("pay",), grid=((0.5,),), max_error=0.1, delta=0.05)
    >>> rows = Rows(side=np.zeros(500, int), confidence=np.ones(500), loss=np.zeros(500), weight=np.ones(500))
    >>> round(how_far(warm_start(plan, rows), plan)["pay"].progress, 2)
    0.44
    """
    past = fold_gate(open_gate(plan), plan, rows)
    return GateState(
        sides=tuple(
            opened if not opened.start else warmed(opened, plan, np.array(seen.wealth))
            for opened, seen in zip(open_gate(plan).sides, past.sides, strict=True)
        )
    )


def warmed(opened: SideState, plan: GatePlan, wealth: np.ndarray) -> SideState:
    """One side, begun with what history of shape (t, k) earned."""
    earned = np.minimum(log_mixed(wealth, plan.shares), plan.goal / 2)
    start = tuple(np.log(FROM_HISTORY * np.exp(earned) + (1 - FROM_HISTORY)).tolist())
    return replace(opened, start=start, peak=start)


def fold_gate(state: GateState, plan: GatePlan, rows: Rows) -> GateState:
    """The evidence with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : GateState
    plan : GatePlan
    rows : Rows
        The cases that follow, in decision order.

    >>> plan = GatePlan(sides=("pay",), grid=((0.9, 0.5),), max_error=0.1, delta=0.05)
    >>> rows = Rows(side=np.zeros(100, int), confidence=np.full(100, 0.7), loss=np.zeros(100), weight=np.ones(100))
    >>> state = fold_gate(open_gate(plan), plan, rows)
    >>> state.sides[0].covered, certified(state, plan)
    ((0, 100), {})
    """
    check_losses(rows.loss, rows.weight)
    if len(rows.side) and not 0 <= rows.side.min() <= rows.side.max() < len(plan.sides):
        raise ValueError(f"a side is a place among {len(plan.sides)}")
    return GateState(sides=tuple(fold_side(side, plan, place, rows) for place, side in enumerate(state.sides)))


def fold_side(state: SideState, plan: GatePlan, place: int, rows: Rows) -> SideState:
    """One side with its cases among `rows` added."""
    own = rows.side == place
    grid = np.array(plan.grid[place], dtype=np.float64)
    if not own.any() or not len(grid):
        return replace(state, cases=state.cases + int(own.sum()))
    covered = rows.confidence[own][:, None] >= grid
    seen = ~np.isnan(rows.loss[own])
    looks = Looks(covered[seen], rows.loss[own][seen], rows.weight[own][seen])
    wealth, peak = fold_thresholds(state, plan, looks)
    risk_wealth, risk_peak = fold_risks(state, plan, looks)
    weight, loss = fold_sums(state, looks)
    return SideState(
        cases=state.cases + len(covered),
        covered=added(state.covered, covered),
        looked=added(state.looked, looks.covered),
        weight=weight,
        loss=loss,
        wealth=nested(wealth),
        start=state.start,
        peak=tuple(peak.tolist()),
        risk_wealth=nested(risk_wealth),
        risk_peak=tuple(risk_peak.tolist()),
    )


@dataclass(frozen=True)
class Looks:
    """The cases of one side that were looked at: whether each threshold covers them (n, t), loss (n,), weight (n,)."""

    covered: np.ndarray
    loss: np.ndarray
    weight: np.ndarray


def added(counts: tuple[int, ...], covered: np.ndarray) -> tuple[int, ...]:
    """Counts per threshold, with these cases."""
    return tuple((np.array(counts) + covered.sum(axis=0)).tolist())


def fold_thresholds(state: SideState, plan: GatePlan, looks: Looks) -> tuple[np.ndarray, np.ndarray]:
    """Wealth (t, k) and peak (t,) of the e-processes against the promised risk."""
    wealth, start, peak = np.array(state.wealth), np.array(state.start), np.array(state.peak)
    for part in chunks(len(looks.loss)):
        gains = log_gains(looks.loss[part], looks.weight[part], plan.max_error, plan.bets)
        path = running(wealth, np.where(looks.covered[part][:, :, None], gains[:, None, :], 0.0))
        peak = np.maximum(peak, start + log_mixed(path, plan.shares).max(axis=0))
        wealth = path[-1]
    return wealth, peak


def fold_risks(state: SideState, plan: GatePlan, looks: Looks) -> tuple[np.ndarray, np.ndarray]:
    """Wealth (m, k) and peak (m,) of the e-processes of the first threshold against each candidate risk."""
    wealth, peak = np.array(state.risk_wealth), np.array(state.risk_peak)
    first = looks.covered[:, 0]
    loss, weight = looks.loss[first][:, None], looks.weight[first][:, None]
    for part in chunks(len(loss)):
        path = running(wealth, log_gains(loss[part], weight[part], np.array(plan.risks), plan.bets))
        peak = np.maximum(peak, log_mixed(path, plan.shares).max(axis=0))
        wealth = path[-1]
    return wealth, peak


def fold_sums(state: SideState, looks: Looks) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Sums of weights and of weighted losses per threshold."""
    if not len(looks.loss):
        return state.weight, state.loss
    weight = running(np.array(state.weight), looks.covered * looks.weight[:, None])
    loss = running(np.array(state.loss), looks.covered * (looks.weight * looks.loss)[:, None])
    return tuple(weight[-1].tolist()), tuple(loss[-1].tolist())


def certified(state: GateState, plan: GatePlan) -> dict[str, float]:
    """For each side the lowest certified threshold; sides without any are left out.

    >>> plan = GatePlan(sides=("pay",), grid=((0.9, 0.5, 0.0),), max_error=0.1, delta=0.05)
    >>> confidence = np.tile([0.95, 0.6], 100)
    >>> rows = Rows(side=np.zeros(200, int), confidence=confidence, loss=np.zeros(200), weight=np.ones(200))
    >>> certified(fold_gate(open_gate(plan), plan, rows), plan)
    {'pay': 0.0}
    """
    found = {}
    for name, grid, side in zip(plan.sides, plan.grid, state.sides, strict=True):
        for threshold, peak in zip(grid, side.peak, strict=True):
            if peak < plan.goal:
                break
            found[name] = threshold
    return found


def how_far(state: GateState, plan: GatePlan) -> dict[str, Distance]:
    """How far each side is from its first certificate; sides without a grid are left out.

    The bound on the risk inverts the same e-process over the candidate risks: the lowest that it refutes. It holds with
    the confidence of one side at all times together, and is at most r exactly when the first threshold is certified
    without the help of history. Where nothing is refuted, it is 1.
    """
    return {
        name: distance(plan, grid[0], side)
        for name, grid, side in zip(plan.sides, plan.grid, state.sides, strict=True)
        if grid
    }


def distance(plan: GatePlan, threshold: float, side: SideState) -> Distance:
    """How far one side is from its first certificate."""
    estimate = side.loss[0] / side.weight[0] if side.weight[0] else nan
    refuted = (risk for risk, peak in zip(plan.risks, side.risk_peak, strict=True) if peak >= plan.goal)
    now = side.start[0] + float(log_mixed(np.array(side.wealth[0]), plan.shares))
    return Distance(
        threshold=threshold,
        risk=Evidence(
            estimate=estimate,
            lower=0.0,
            upper=next(refuted, 1.0),
            confidence=1 - plan.side_delta,
            n=side.looked[0],
            method="betting, one-sided",
            anytime=True,
        ),
        progress=now / plan.goal,
        best=side.peak[0] / plan.goal,
        missing=missing(plan, side, estimate, now),
    )


def missing(plan: GatePlan, side: SideState, estimate: float, now: float) -> float:
    """About how many more looks the first certificate takes, by the growth of the best bet at the estimated risk.

    Exact growth for losses of 0 or 1 and equal weights; less than the true one for costs, unequal weights slow it.
    """
    if side.peak[0] >= plan.goal:
        return 0.0
    if not estimate < plan.max_error:
        return inf
    odds = plan.max_error / (1 - plan.max_error)
    growth = max(estimate * log1p(-bet) + (1 - estimate) * log1p(bet * odds) for bet in plan.bets)
    evenness = side.weight[0] / side.looked[0]
    return (plan.goal - now) / (growth * evenness) if growth > 0 else inf
