"""The members that a search chose, fitted on all training rows, as far as they keep the limits on time and size."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from understudy.core.errors import ModelError
from understudy.models.blend import Blend, blend_title
from understudy.models.calibrate import Head
from understudy.models.compile import compile_model
from understudy.models.limits import NATIVE, Cost, Limits, counted_micros, forest_cost, lightened, pruned, total_cost
from understudy.models.recipes import Fitted, Rows
from understudy.models.saved import save_fitted
from understudy.models.search import Found, Race, Trial, refit
from understudy.models.selection import greedy_weights
from understudy.models.session import open_session, run_session

MILLISECOND = 1000.0
TIMED_ROWS = 300
WARMING_ROWS = 20


@dataclass(frozen=True)
class Judge:
    """What members are chosen by: the answers of the rows that the out-of-fold predictions belong to.

    Attributes
    ----------
    y : ndarray of shape (n,)
    weights : ndarray of float64, shape (n,), optional
    """

    y: np.ndarray
    weights: np.ndarray | None


@dataclass(frozen=True)
class Settled:
    """The members that serve.

    Attributes
    ----------
    blend : Blend
    weights : dict of float
        The weight of each by the number of its trial.
    note : str
        What was left out for the limits' sake, or that they are not kept.
    """

    blend: Blend
    weights: dict[int, float]
    note: str = ""


@dataclass
class _Members:
    """Fitted members and what each of them takes, by trial; each is fitted once."""

    trials: dict[int, Trial]
    rows: Rows
    race: Race
    fitted: dict[int, Fitted]
    costs: dict[int, Cost]

    def fit(self, numbers: Mapping[int, float]) -> None:
        """Fit those that are not fitted yet, side by side."""
        absent = [number for number in sorted(numbers) if number not in self.fitted]
        work = partial(refit, rows=self.rows, effort=self.race.effort)
        made = self.race.map(work, [self.trials[number] for number in absent])
        self.fitted |= dict(zip(absent, made, strict=True))

    def price(self, numbers: Mapping[int, float]) -> None:
        """Learn what each of them takes."""
        for number in numbers:
            if number not in self.costs:
                self.costs[number] = cost_of(self.fitted[number], self.rows, self.race)

    def blend(self, weights: Mapping[int, float]) -> Blend:
        """These members with their weights, the heaviest first."""
        ranked = sorted(weights, key=lambda number: (-weights[number], number))
        shares = np.array([weights[number] for number in ranked])
        return Blend(tuple(self.fitted[number] for number in ranked), shares)


def settle(found: Found, rows: Rows, judge: Judge, race: Race) -> Settled:
    """Fit the members of the blend that a search found on all rows, and leave out those that it cannot afford.

    What a member takes is counted from its compiled form, so that the same search always gives the same blend; where
    somebody asks for a limit in time it is measured, and may differ from machine to machine. If not even one of the
    members keeps a limit that was asked for, the search's other recipes are tried. A search that is replayed brings the
    weights that were settled on, and nothing is left out of it.

    Parameters
    ----------
    found : Found
    rows : Rows
        All rows to fit on.
    judge : Judge
    race : Race
    """
    asked = race.max_latency is not None or race.max_size is not None
    limits = limits_of(race)
    members = _Members({trial.number: trial for trial in found.trials}, rows, race, {}, {})
    weights = pruned(found.weights) if race.replay is None else dict(found.weights)
    first, passed_over = weights, set[str]()
    while True:
        members.fit(weights)
        if race.replay is not None or (len(weights) == 1 and not asked):
            return Settled(members.blend(weights), weights)
        members.price(weights)
        light = lightened(weights, members.costs, limits, found.stack, judge.y, rows.kind, judge.weights)
        if fits(light, members.costs, limits) or not asked:
            return settled(members, first, light, limits)
        passed_over |= {members.trials[number].recipe for number in weights}
        rest = [number for number in sorted(found.stack) if members.trials[number].recipe not in passed_over]
        if not rest:
            lightest = min(sorted(members.costs), key=lambda number: limits.load(members.costs[number]))
            return settled(members, first, {lightest: 1.0}, limits)
        stack = np.stack([found.stack[number] for number in rest])
        again = greedy_weights(stack, judge.y, rows.kind, judge.weights)
        weights = pruned({number: share for number, share in zip(rest, again.tolist(), strict=True) if share})


def limits_of(race: Race) -> Limits:
    """The limits that were asked for, and the usual one on time where none was."""
    size = math.inf if race.max_size is None else race.max_size
    return Limits(size=size) if race.max_latency is None else Limits(race.max_latency * MILLISECOND, size)


def fits(weights: Mapping[int, float], costs: Mapping[int, Cost], limits: Limits) -> bool:
    """Whether these members keep the limits together."""
    return limits.load(total_cost([costs[number] for number in weights])) <= 1


def settled(members: _Members, first: Mapping[int, float], weights: dict[int, float], limits: Limits) -> Settled:
    """The members that serve, and what became of those that the search had chosen."""
    blend = members.blend(weights)
    gone = [number for number in sorted(first) if number not in weights]
    parts = []
    if gone:
        parts.append(f"{blend_title(members.blend(dict(first)))} would take {said(first, members.costs)}")
    if not fits(weights, members.costs, limits):
        parts.append(f"{blend_title(blend)} takes {said(weights, members.costs)}, more than it may; nothing takes less")
    return Settled(blend, weights, "; ".join(parts))


def said(weights: Mapping[int, float], costs: Mapping[int, Cost]) -> str:
    """What members take together, in words."""
    cost = total_cost([costs[number] for number in weights])
    return f"{cost.micros:,.0f} µs for a row and {cost.size / 1e6:,.1f} MB"


def cost_of(fitted: Fitted, rows: Rows, race: Race) -> Cost:
    """What a member takes by itself: counted, or measured where there is a limit that somebody asked for."""
    counted = None if race.max_latency or race.max_size else forest_cost(fitted.estimator)
    if counted is not None:
        return counted
    try:
        model = compile_model(fitted, Head(), rows.X.shape[1])
    except ModelError:
        return Cost(NATIVE, sum(len(body) for body in save_fitted(fitted).values()))
    if race.max_latency is None:
        return Cost(counted_micros(model), len(model))
    return Cost(measured_micros(model, rows.X, race), len(model))


def measured_micros(model: bytes, X: np.ndarray, race: Race) -> float:
    """The median time of one row, over different rows, in a session like the one that serves."""
    session = open_session(model)
    took = []
    for place in range(WARMING_ROWS + TIMED_ROWS):
        row = X[place % len(X)][None]
        began = race.elapsed()
        run_session(session, row)
        took.append(race.elapsed() - began)
    return statistics.median(took[WARMING_ROWS:]) * 1e6
