"""The search itself: decide, fit side by side, note, until the budget is at its end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from understudy.core.ports import Crew, Ended, Lost
from understudy.models.recipes import RECIPES, Effort, Fitted, Rows
from understudy.models.search.again import replayed, restore
from understudy.models.search.allowance import Allowance
from understudy.models.search.board import Board
from understudy.models.search.costs import Costs
from understudy.models.search.ending import conclude, give_up_late, tell_ended
from understudy.models.search.entry import entrants
from understudy.models.search.judging import Fit, failed, judge
from understudy.models.search.plan import Planner
from understudy.models.search.race import Fitting, Fold, Found, Race, Standing, Trial

MANY_ROWS = 200_000
"""With fewer rows one thread fits about as fast as several, which wait for each other on a busy machine."""

GROWING = 0.9
"""Where the first fold has so many times fewer rows to fit on than the last, folds follow each other in time."""


class Alone:
    """A crew of one, here: it works on an item when it is waited for."""

    workers = 1

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._work: Callable[[Any], Any] = lambda item: item
        self._item: Any = None

    def take(self, work: Callable[[Any], Any]) -> None:
        """Learn what is to be done."""
        self._work = work

    def start(self, item: Any, seconds: float | None = None) -> None:  # noqa: ARG002  as a crew
        """Remember what is next; it cannot be given up."""
        self._item = item

    def wait(self) -> Ended:
        """Do it."""
        began = self._elapsed()
        value = self._work(self._item)
        return Ended(self._item, value, self._elapsed() - began)


def search(folds: tuple[Fold, ...], n: int, race: Race) -> Found:
    """Find settings of recipes that together predict with the lowest cross-validated loss.

    Settings that are known to be strong are fitted on the first fold, one recipe after the other (where even that would
    take too long, on some of its rows before). The other folds are for those that greedy ensemble selection would take
    (Caruana et al. 2004), or that are near the best. What is left of the budget goes to new settings, drawn by Optuna's
    tree-structured Parzen estimator, of the recipes in proportion to what the blend gains from them, again on one fold
    first. By a rolling origin the newest window is raced on, whose models have learned from most.

    With a budget in trials no decision depends on a clock, or on how many fits run side by side. With one in seconds,
    what would not end in time is not started, what overruns is given up, and the time that the refit needs is left
    over; but one trial is always judged.

    Parameters
    ----------
    folds : tuple of Fold
    n : int
        How many training rows there are in all.
    race : Race

    Raises
    ------
    ModelError
        No recipe suits, or no trial could be completed.
    MissingExtraError
        The library of a named recipe is not installed.
    """
    if len(folds[0].rows.y) < GROWING * len(folds[-1].rows.y):
        folds = folds[::-1]
    board = Board(folds, n)
    crew = race.crew or Alone(race.elapsed)
    crew.take(partial(judge, folds))
    if race.replay is not None:
        return replayed(board, crew, race, race.replay)
    recipes = entrants(folds[0].rows.kind, race.recipes, directed=folds[0].rows.directed)
    spent = restore(board, race)
    reused = sum(bool(runner.judged) for runner in board.runners)
    started = race.elapsed() if race.started is None else race.started
    costs = Costs(board, crew.workers)
    allowed = Allowance(
        board, costs, race, partial(seconds_left, race, started - spent), lambda: race.elapsed() - started + spent
    )
    planner = Planner(recipes, board, costs, race, allowed)
    run_all(board, crew, race, planner, allowed)
    found = conclude(board, race, allowed)
    return replace(found, reused=reused, stopped_after=spent)


def run_all(board: Board, crew: Crew, race: Race, planner: Planner, allowed: Allowance) -> None:
    """Fit what the planner says, as many side by side as there are workers, until it says no more."""
    waiting: deque[Fit] = deque()
    running = 0
    while True:
        while running < crew.workers:
            if not waiting and (allowed.timed or not running):
                waiting.extend(planner.next())
            if not waiting and not running and not (board.begun() if allowed.timed else board.complete()):
                waiting.extend(planner.rescue())
            if not waiting:
                break
            running += begin(waiting.popleft(), board, crew, allowed)
        if not running:
            return
        note(crew.wait(), board, race, allowed)
        running -= 1
        tell_ended(board, race)
        show(board, race, allowed, running)


def begin(fit: Fit, board: Board, crew: Crew, allowed: Allowance) -> bool:
    """Start a fit, unless its trial has failed meanwhile or it cannot end in time; say whether it was started."""
    runner = board.runners[fit.number]
    seconds = allowed.limit(fit)
    late = seconds is not None and seconds <= 0
    if late:
        give_up_late(runner, board)
    if late or (allowed.timed and runner.error):
        runner.pending.discard(fit.fold)
        return False
    crew.start(fit, seconds)
    return True


def note(ended: Ended, board: Board, race: Race, allowed: Allowance) -> None:
    """Write down what a fit has shown."""
    fit: Fit = ended.item
    runner = board.runners[fit.number]
    runner.pending.discard(fit.fold)
    if isinstance(ended.value, Lost):
        if ended.value.late and (fit.number, fit.fold) in allowed.cut:
            give_up_late(runner, board)
            return
        judged = failed(ended.value.reason)
    else:
        judged = ended.value
    judged = replace(judged, seconds=ended.seconds, rows=fit.rows)
    runner.judged[fit.fold] = judged
    line = Fitting(
        fit.number,
        fit.fold,
        None if judged.error else judged.loss,
        judged.rounds,
        judged.seconds,
        judged.error,
        judged.note,
        allowed.spent(),
        fit.rows,
    )
    race.journal.write(line, None if judged.error else judged.scores)


def show(board: Board, race: Race, allowed: Allowance, running: int) -> None:
    """Show how the search stands, where someone looks."""
    if race.show is None:
        return
    trials = tuple(runner.as_trial(board.k) for runner in board.runners)
    left = allowed.left() if allowed.timed else float((race.budget.trials or 0) - len(trials))
    race.show(Standing(trials=trials, weights=allowed.shares(), folds=board.k, running=running, left=left))


def seconds_left(race: Race, started: float) -> float:
    """The seconds that are left of the budget; without end where it is one of trials."""
    if race.budget.seconds is None:
        return math.inf
    return race.budget.seconds - (race.elapsed() - started)


def refit(trial: Trial, rows: Rows, effort: Effort) -> Fitted:
    """Fit a trial's setting on all training rows, for as many rounds as its folds needed."""
    recipe = RECIPES[trial.recipe]
    params = {**trial.params, recipe.rounds: trial.rounds} if trial.rounds else trial.params
    threads = effort.threads if len(rows.y) >= MANY_ROWS else 1
    return recipe.fit(params, rows, Effort(effort.seed, threads))
