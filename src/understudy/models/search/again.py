"""A search that goes on where an earlier one was stopped, or that is done once more as it went."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import msgspec

from understudy.core.errors import ModelError
from understudy.core.ports import Crew, Lost
from understudy.models.recipes import RECIPES, Effort
from understudy.models.search.board import Board
from understudy.models.search.ending import as_found, tell_ended
from understudy.models.search.judging import Fit, Judged, failed, fit_of
from understudy.models.search.race import Begun, Chosen, Fitting, Found, Race, Replay, Trial


def restore(board: Board, race: Race) -> float:
    """Take over what an earlier search has written, and return after how many seconds it was stopped."""
    spent = 0.0
    for line in race.journal.earlier():
        match line:
            case Begun(trials):
                for trial in trials:
                    board.add(RECIPES[trial.recipe], trial.params, trial.stage, trial.drawn)
            case Chosen(numbers):
                for number in numbers:
                    board.runners[number].chosen = True
            case Fitting():
                board.runners[line.number].judged[line.fold] = as_judged(line, race)
                spent = line.at
    return spent


def as_judged(line: Fitting, race: Race) -> Judged:
    """What a fit of an earlier search has shown."""
    if line.loss is None:
        return failed(line.error, line.seconds)
    scores = race.journal.scores(line.number, line.fold)
    return Judged(scores, line.loss, line.rounds, line.note, seconds=line.seconds, rows=line.rows)


def replayed(board: Board, crew: Crew, race: Race, replay: Replay) -> Found:
    """The trials of an earlier search that are complete, or serve, once more; of others the record is enough."""
    effort = Effort(race.effort.seed, threads=1)
    fits = deque[Fit]()
    for trial in replay.trials:
        runner = board.add(RECIPES[trial.recipe], trial.params, trial.stage, trial.drawn)
        if needed(trial, replay):
            done = range(len(trial.fold_scores))
            fits.extend(fit_of(trial.number, runner.recipe, trial.params, fold, effort) for fold in done)
    running = 0
    while fits or running:
        while fits and running < crew.workers:
            crew.start(fits.popleft())
            running += 1
        ended = crew.wait()
        running -= 1
        value = failed(ended.value.reason) if isinstance(ended.value, Lost) else ended.value
        board.runners[ended.item.number].judged[ended.item.fold] = replace(value, seconds=ended.seconds)
        tell_ended(board, race)
    if any(runner.error for runner in board.runners):
        raise ModelError("The search cannot be replayed: a trial that came to its end then fails now.")
    trials = tuple(
        msgspec.structs.replace(board.runners[trial.number].as_trial(board.k), state=trial.state, error=trial.error)
        if needed(trial, replay)
        else trial
        for trial in replay.trials
    )
    return as_found(board, dict(replay.weights), trials)


def needed(trial: Trial, replay: Replay) -> bool:
    """Whether the predictions of a trial are needed again."""
    return trial.state == "complete" or trial.number in replay.weights
