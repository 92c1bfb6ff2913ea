"""Which confidence is enough to decide alone: thresholds certified against the promised risk, at any time.

For every threshold of a grid an e-process bets against "the risk among the cases at or above it is at least r". What it
owns is a nonnegative supermartingale that begins with 1 where that is true, so that it ever reaches 1/δ with
probability at most δ, however often one looks (Ville's inequality; Waudby-Smith & Ramdas 2024, "Estimating means of
bounded random variables by betting"). All thresholds of a grid together are tested in an order fixed beforehand
(`closure`), so that any of them is certified falsely with probability at most δ. Cases that were looked at with
unequal probabilities are weighted (Xu, Karampatziakis & Mineiro 2024, "Active, anytime-valid risk controlling
prediction sets").

The promise is about cases that are like those that it was certified on. What holds in a world that changes is the
error budget (`budget`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from understudy.evidence.betting import check_losses, chunks, log_gains, nested, running
from understudy.evidence.closure import log_levels, refute
from understudy.evidence.gate_distance import Distance, how_far
from understudy.evidence.gate_plan import (
    GatePlan,
    GateState,
    GroupState,
    Rows,
    SideState,
    check_places,
    first_shares,
    joint,
    make_grid,
    owned,
)
from understudy.evidence.history import start_by_errors, start_by_wealth

__all__ = [
    "Distance",
    "GatePlan",
    "GateState",
    "Rows",
    "SideState",
    "certified",
    "fold_gate",
    "how_far",
    "make_grid",
    "open_gate",
    "warm_start",
]

INFORMED = 0.8
"""The part of what a threshold owns that goes to the bets that history favours."""


def open_gate(plan: GatePlan) -> GateState:
    """The state before the first case."""
    return GateState(sides=tuple(open_side(plan, len(grid)) for grid in plan.grid))


def open_side(plan: GatePlan, thresholds: int) -> SideState:
    """One side before its first case."""
    group = GroupState(
        covered=(0,) * thresholds,
        looked=(0,) * thresholds,
        weight=(0.0,) * thresholds,
        loss=(0.0,) * thresholds,
        wealth=nested(np.log(first_shares(plan, thresholds))) if thresholds else (),
    )
    return SideState(cases=0, groups=(group,) * len(plan.groups), peak=(0.0,) * thresholds)


def warm_start(plan: GatePlan, rows: Rows) -> GateState:
    """The state of a new epoch in which history has bet first.

    It counts in two ways. What each e-process begins with is an e-value of at most κ (`history`): if history was like
    today, the promise is δ; whatever it was, κδ, since that is the most by which it multiplies. And most of that goes
    to the bets that would have won on history, which costs nothing: bets may be anything that was fixed before live
    data.

    Parameters
    ----------
    plan : GatePlan
    rows : Rows
        Held-out rows that served nothing else, the loss of all of them known, and all weights 1.

    Raises
    ------
    ValueError
        A loss is missing, or a weight is not 1.

    >>> plan = GatePlan(sides=("pay",), grid=((0.5,),), max_error=0.1, delta=0.05)
    >>> rows = Rows(side=np.zeros(500, int), confidence=np.ones(500), loss=np.zeros(500), weight=np.ones(500))
    >>> round(how_far(warm_start(plan, rows), plan)["pay"].progress, 2)
    0.5
    """
    if np.isnan(rows.loss).any() or (rows.weight != 1).any():
        raise ValueError("history needs the loss of every row, and weights of 1: its rows were not drawn for a look")
    past, opened = fold_gate(open_gate(plan), plan, rows), open_gate(plan)
    return GateState(
        sides=tuple(
            warm_side(plan, place, rows, begun, seen)
            for place, (begun, seen) in enumerate(zip(opened.sides, past.sides, strict=True))
        )
    )


def warm_side(plan: GatePlan, place: int, rows: Rows, opened: SideState, past: SideState) -> SideState:
    """One side, begun with what its history says."""
    if not plan.grid[place]:
        return opened
    looks = looks_at(plan, place, rows)
    groups = []
    for number, (begun, seen) in enumerate(zip(opened.groups, past.groups, strict=True)):
        errors = (looks.of_group(number) & (looks.loss > 0)[:, None]).sum(axis=0)
        wealth = np.array(seen.wealth)
        if plan.costs:
            start = start_by_wealth(owned(wealth), plan.cap)
        else:
            start = start_by_errors(errors, np.array(seen.looked), plan.max_error, plan.cap)
        favoured = np.exp(wealth - owned(wealth)[:, None])
        shares = INFORMED * favoured + (1 - INFORMED) * np.exp(begun.wealth)
        groups.append(replace(begun, wealth=nested(np.log(start[:, None] * shares))))
    peak = log_levels(joint(groups)[None], np.full(len(opened.peak), True))[0]
    return replace(opened, groups=tuple(groups), peak=tuple(peak.tolist()))


def fold_gate(state: GateState, plan: GatePlan, rows: Rows) -> GateState:
    """The evidence with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : GateState
    plan : GatePlan
    rows : Rows
        The cases that follow, in decision order.

    Raises
    ------
    ValueError
        A loss, weight, side or group lies outside its range, or groups are missing.

    >>> plan = GatePlan(sides=("pay",), grid=((0.9, 0.5),), max_error=0.1, delta=0.05)
    >>> rows = Rows(side=np.zeros(100, int), confidence=np.full(100, 0.7), loss=np.zeros(100), weight=np.ones(100))
    >>> state = fold_gate(open_gate(plan), plan, rows)
    >>> state.sides[0].groups[0].covered, certified(state, plan)
    ((0, 100), {'pay': 0.5})
    """
    check_losses(rows.loss, rows.weight)
    check_places("side", rows.side, plan.sides)
    if rows.group is not None:
        check_places("group", rows.group, plan.groups)
    elif len(plan.groups) > 1:
        raise ValueError(f"the plan has {len(plan.groups)} groups: rows need the place of theirs")
    return GateState(sides=tuple(fold_side(side, plan, place, rows) for place, side in enumerate(state.sides)))


@dataclass(frozen=True)
class Looks:
    """The cases of one side that were looked at.

    Attributes
    ----------
    covered : ndarray of bool, shape (n, t)
        Whether it lies at or above each threshold.
    group : ndarray of int, shape (n,)
    loss, weight : ndarray of shape (n,)
    """

    covered: np.ndarray
    group: np.ndarray
    loss: np.ndarray
    weight: np.ndarray

    def of_group(self, number: int) -> np.ndarray:
        """Which cases count for a group, at each threshold."""
        counted: np.ndarray = self.covered & (self.group == number)[:, None]
        return counted


def looks_at(plan: GatePlan, place: int, rows: Rows) -> Looks:
    """The rows of one side that were looked at."""
    seen = (rows.side == place) & ~np.isnan(rows.loss)
    group = np.zeros(len(seen), dtype=np.int64) if rows.group is None else rows.group
    covered = rows.confidence[seen][:, None] >= np.array(plan.grid[place], dtype=np.float64)
    return Looks(covered, group[seen], rows.loss[seen], rows.weight[seen])


def fold_side(state: SideState, plan: GatePlan, place: int, rows: Rows) -> SideState:
    """One side with its cases among `rows` added."""
    own = rows.side == place
    cases = state.cases + int(own.sum())
    if not own.any() or not plan.grid[place]:
        return replace(state, cases=cases)
    looks = looks_at(plan, place, rows)
    paths = [np.array(group.wealth) for group in state.groups]
    peak = np.array(state.peak)
    for part in chunks(len(looks.loss)):
        gains = log_gains(looks.loss[part], looks.weight[part], plan.max_error, plan.bets)
        logs = []
        for number, wealth in enumerate(paths):
            counted = looks.of_group(number)[part]
            path = running(wealth, np.where(counted[:, :, None], gains[:, None, :], 0.0))
            logs.append(owned(path))
            paths[number] = path[-1]
        peak = refute(np.min(logs, axis=0), peak, plan.goal)
    covered = rows.confidence[own][:, None] >= np.array(plan.grid[place], dtype=np.float64)
    group = np.zeros(len(covered), dtype=np.int64) if rows.group is None else rows.group[own]
    groups = tuple(
        fold_counts(before, wealth, covered[group == number], looks, looks.of_group(number))
        for number, (before, wealth) in enumerate(zip(state.groups, paths, strict=True))
    )
    return SideState(cases=cases, groups=groups, peak=tuple(peak.tolist()))


def fold_counts(
    before: GroupState, wealth: np.ndarray, covered: np.ndarray, looks: Looks, counted: np.ndarray
) -> GroupState:
    """One group with its new wealth, its cases and its looks added."""
    weight, loss = np.array(before.weight), np.array(before.loss)
    if len(counted):
        weight = running(weight, counted * looks.weight[:, None])[-1]
        loss = running(loss, counted * (looks.weight * looks.loss)[:, None])[-1]
    return GroupState(
        covered=tuple((np.array(before.covered) + covered.sum(axis=0)).tolist()),
        looked=tuple((np.array(before.looked) + counted.sum(axis=0)).tolist()),
        weight=tuple(weight.tolist()),
        loss=tuple(loss.tolist()),
        wealth=nested(wealth),
    )


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
        proven = [threshold for threshold, peak in zip(grid, side.peak, strict=True) if peak >= plan.goal]
        if proven:
            found[name] = min(proven)
    return found
