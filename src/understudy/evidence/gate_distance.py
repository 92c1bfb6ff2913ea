"""How far is a side of the gate from its first certificate?"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, log1p, nan

import msgspec
import numpy as np
from scipy import optimize

from understudy.core.evidence import Evidence
from understudy.evidence.betting import log_mixed
from understudy.evidence.closure import log_levels, order_shares
from understudy.evidence.gate_plan import GatePlan, GateState, GroupState, SideState, first_shares, joint


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """How far a side is from its first certificate: all about the threshold that is the closest.

    Attributes
    ----------
    threshold : float
        The one that takes the fewest looks, or, where no number of them will do, the one with the lowest estimate.
    coverage : float
        The share of the side's cases at or above it, seen so far.
    risk : Evidence
        The risk at or above it, of the worst group. The upper bound holds at all times and thresholds together.
    progress : float
        The log of what speaks for it over ln(1/δ); certified at 1, negative where the cases speak against it.
    best : float
        The highest that `progress` has been at any threshold, which decides.
    missing : float
        About how many more looks at the side it takes if the risk is as estimated; infinite if that is not below the
        promise.
    """

    threshold: float
    coverage: float
    risk: Evidence
    progress: float
    best: float
    missing: float


def how_far(state: GateState, plan: GatePlan) -> dict[str, Distance]:
    """How far each side is from its first certificate; sides without a grid are left out.

    >>> from understudy.evidence.gate import Rows, fold_gate, open_gate
    >>> plan = GatePlan(sides=("pay",), grid=((0.9, 0.0),), max_error=0.1, delta=0.05)
    >>> loss = np.tile([0.0, 0.0, 0.0, 0.0, 1.0], 20)
    >>> rows = Rows(side=np.zeros(100, int), confidence=np.linspace(0, 1, 100), loss=loss, weight=np.ones(100))
    >>> far = how_far(fold_gate(open_gate(plan), plan, rows), plan)["pay"]
    >>> far.threshold, far.risk.estimate, round(far.risk.upper, 2), far.missing
    (0.9, 0.2, 0.62, inf)
    """
    return {
        name: distance(plan, grid, side)
        for name, grid, side in zip(plan.sides, plan.grid, state.sides, strict=True)
        if grid
    }


def distance(plan: GatePlan, grid: Sequence[float], side: SideState) -> Distance:
    """How far one side is from its first certificate."""
    peak, logs = np.array(side.peak), joint(side.groups)
    left = peak < plan.goal
    now = logs.copy()
    now[left] = log_levels(logs[None], left)[0] if left.any() else 0.0
    looks = [
        max(missing(plan, group, place, float(now[place]), side) for group in side.groups) for place in range(len(grid))
    ]
    if not left.all():
        nearest = int(np.flatnonzero(~left)[-1])
    elif min(looks) < inf:
        nearest = int(np.argmin(looks))
    else:
        nearest = int(np.argmin([worst(side.groups, place) for place in range(len(grid))]))
    return Distance(
        threshold=grid[nearest],
        coverage=sum(group.covered[nearest] for group in side.groups) / max(side.cases, 1),
        risk=max((bound(plan, group, nearest, len(grid)) for group in side.groups), key=lambda found: found.upper),
        progress=float(now[nearest]) / plan.goal,
        best=float(peak.max()) / plan.goal,
        missing=0.0 if not left.all() else looks[nearest],
    )


def estimated(group: GroupState, place: int) -> float:
    """The risk of one group at or above a threshold; NaN before the first look."""
    return group.loss[place] / group.weight[place] if group.weight[place] else nan


def worst(groups: Sequence[GroupState], place: int) -> float:
    """The highest estimate of any group; infinite where one was never looked at."""
    return max(estimated(group, place) if group.looked[place] else inf for group in groups)


def bound(plan: GatePlan, group: GroupState, place: int, thresholds: int) -> Evidence:
    """The risk of one group at or above a threshold.

    The upper bound inverts the same bets without history: it is the lowest risk that they refute. As log(1 + x) is
    concave, Σwℓ and Σw are all that is needed to bound from below what they own; for losses of 0 or 1 and equal weights
    that is exact. Thresholds divide δ by their shares, so that it holds for all of them together.
    """
    delta = plan.side_delta * float(order_shares(thresholds)[place])
    bets, shares = np.array(plan.bets), first_shares(plan, thresholds)[place]
    wrong, right = group.loss[place], group.weight[place] - group.loss[place]

    def missing_wealth(risk: float) -> float:
        logs = wrong * np.log1p(-bets) + right * np.log1p(bets * risk / (1 - risk))
        return float(log_mixed(logs, tuple(shares))) + log(delta)

    highest = 1 - 1e-9
    refuted = missing_wealth(highest) > 0
    return Evidence(
        estimate=estimated(group, place),
        lower=0.0,
        upper=float(optimize.brentq(missing_wealth, 0.0, highest)) if refuted else 1.0,
        confidence=1 - plan.side_delta,
        n=group.looked[place],
        method="betting, one-sided",
        anytime=True,
    )


def missing(plan: GatePlan, group: GroupState, place: int, now: float, side: SideState) -> float:
    """About how many more looks at a side a threshold takes, by the growth of the best bet at the estimated risk.

    Exact growth for losses of 0 or 1 and equal weights; less than the true one for costs, unequal weights slow it.
    """
    estimate = estimated(group, place)
    if not estimate < plan.max_error:
        return inf
    odds = plan.max_error / (1 - plan.max_error)
    growth = max(estimate * log1p(-bet) + (1 - estimate) * log1p(bet * odds) for bet in plan.bets)
    if growth <= 0:
        return inf
    looked = sum(other.looked[-1] for other in side.groups)
    return max(plan.goal - now, 0.0) / (growth * group.weight[place] / looked)
