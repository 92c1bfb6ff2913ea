"""What a search has found, when it is over."""

from __future__ import annotations

import numpy as np

from understudy.core.errors import ModelError
from understudy.models.search.allowance import Allowance
from understudy.models.search.board import CLEARLY, HOPELESS, MOST_STACKED, Board, Runner
from understudy.models.search.judging import loss
from understudy.models.search.race import Found, Race, Trial
from understudy.models.selection import MOST_MEMBERS, greedy_weights


def give_up_late(runner: Runner, board: Board) -> None:
    """A trial for which there is no time left."""
    done = len(runner.sound())
    runner.given_up = f"the time ran out after {done} of {board.k} folds" if done else "the time ran out"


def tell_ended(board: Board, race: Race, *, over: bool = False) -> None:
    """Tell of the trials whose end is known now."""
    for runner in board.runners:
        final = runner.complete(board.k) or (bool(runner.error) and not runner.pending) or runner.given_up == HOPELESS
        if (final or over) and not runner.told:
            runner.told = True
            race.tell(runner.as_trial(board.k))


def conclude(board: Board, race: Race, allowed: Allowance) -> Found:
    """What the search has found, when it is over.

    Raises
    ------
    ModelError
        No trial is complete; the reasons are told.
    """
    for runner in board.runners:
        if not runner.error and not runner.complete(board.k) and runner.given_up is None:
            if allowed.timed:
                give_up_late(runner, board)
            else:
                runner.given_up = HOPELESS
    tell_ended(board, race, over=True)
    weights = chosen_weights(board, race, allowed)
    if not weights:
        reasons = "; ".join(dict.fromkeys(f"{runner.recipe.name}: {runner.error}" for runner in board.runners))
        raise ModelError(f"No model could be trained ({reasons}).")
    return as_found(board, weights, tuple(runner.as_trial(board.k) for runner in board.runners))


def as_found(board: Board, weights: dict[int, float], trials: tuple[Trial, ...]) -> Found:
    """What was found, with the predictions of every trial that is worth keeping."""
    stack = {runner.number: board.out_of_fold(runner) for runner in board.stacked()}
    stack |= {number: board.out_of_fold(board.runners[number]) for number in weights if number not in stack}
    partly = any(not board.runners[number].complete(board.k) for number in weights)
    best = min(weights, key=lambda number: board.runners[number].judged[0].loss) if partly else None
    if best is None and (runner := board.best()) is not None:
        best = runner.number
    return Found(trials[best or 0], trials, stack[best or 0], stack, weights)


def chosen_weights(board: Board, race: Race, allowed: Allowance) -> dict[int, float]:
    """The blend's weights, of trials that can be refitted in time; none where no trial was judged.

    The blend is of complete trials. Where a budget in seconds was so short that far better ones have only one fold,
    it is of these, chosen and calibrated on that fold.
    """
    y, counts = judged_by(board)
    stack = {runner.number: board.out_of_fold(runner) for runner in board.stacked()}
    whole = shares_in_time(stack, y, counts, board, race, allowed) if stack else {}
    if not allowed.timed:
        return whole
    fold = board.folds[0]
    begun = sorted(board.begun(), key=lambda runner: runner.judged[0].loss)[:MOST_STACKED]
    stack = {runner.number: runner.judged[0].scores for runner in sorted(begun, key=lambda one: one.number)}
    if not stack:
        return whole
    quick = shares_in_time(stack, fold.y, fold.weights, board, race, allowed)
    if not whole or first_loss(board, quick) < (1 - CLEARLY) * first_loss(board, whole):
        return quick
    return whole


def first_loss(board: Board, weights: dict[int, float]) -> float:
    """The loss of a blend on the first fold."""
    fold = board.folds[0]
    scores = sum(share * board.runners[number].judged[0].scores for number, share in weights.items())
    return loss(fold.rows.kind, fold.y, np.asarray(scores), fold.weights)


def shares_in_time(
    stack: dict[int, np.ndarray],
    y: np.ndarray,
    counts: np.ndarray | None,
    board: Board,
    race: Race,
    allowed: Allowance,
) -> dict[int, float]:
    """The blend's weights, of as many members as can still be refitted; the least useful for their time go first."""
    kept = dict(stack)
    most = 1 if race.single else MOST_MEMBERS
    while True:
        found = greedy_weights(np.stack(list(kept.values())), y, board.folds[0].rows.kind, counts, most=most)
        weights = {number: float(share) for number, share in zip(kept, found, strict=True) if share > 0}
        if allowed.refitting([board.runners[number] for number in weights]) or len(kept) == 1:
            return weights
        worst = min(weights, key=lambda number: weights[number] / max(board.runners[number].seconds(), 1e-9))
        del kept[worst]


def judged_by(board: Board) -> tuple[np.ndarray, np.ndarray | None]:
    """The answers of all training rows, and how much each counts."""
    y = np.zeros(board.n, dtype=board.folds[0].y.dtype)
    counts = np.ones(board.n)
    for fold in board.folds:
        y[fold.positions] = fold.y
        if fold.weights is not None:
            counts[fold.positions] = fold.weights
    return y, counts if any(fold.weights is not None for fold in board.folds) else None
