"""What a fit is going to take: from the trial's other fits, from its recipe's, or from what the recipe is known for."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from understudy.models.recipes import Recipe
from understudy.models.search.board import Board, Runner
from understudy.models.search.judging import SKETCH

TRAIT_ROWS = 10_000
TRAIT_FEATURES = 30
FIT_SECONDS = 0.1
"""What every fit takes, however few its rows."""

FIRST_PACE = 1.5
"""How much slower than in the catalogue fits are, until some have been seen."""

HEAD_SECONDS = 0.6
"""What calibrating and compiling takes at least, on a machine as fast as the catalogue's."""

HEAD_PER_MEMBER = 0.2
COMPILING = 0.4
"""Compiling takes this part of what fitting took: both grow with the number of nodes."""

HEAD_PER_ROW = 1e-5
FEW_ROWS = 5000
FEW_ROWS_SECONDS = 1.0
"""Of few rows it is worked out on top how much of the result is the luck of the choice."""

SLOWEST = 4.0


class Costs:
    """Predicts seconds on this machine, on these rows.

    Parameters
    ----------
    board : Board
    workers : int
        How many fits run side by side.
    """

    def __init__(self, board: Board, workers: int) -> None:
        self._board = board
        self._workers = workers
        self._rows = [len(fold.rows.y) for fold in board.folds]
        held_out = board.folds[0].rows.y_stop
        self._all_rows = board.n + (0 if held_out is None else len(held_out))
        self._views = board.folds[0].rows.views
        self._classes = board.folds[0].rows.n_classes

    def fit(self, recipe: Recipe, rows: int) -> float:
        """The seconds that a new setting is going to take on so many rows."""
        alike = [runner for runner in self._board.runners if runner.recipe.name == recipe.name and runner.judged]
        sound = [self.seen(runner, rows) for runner in alike if not runner.error]
        lost = [self.seen(runner, rows) for runner in alike if runner.error]
        return max(statistics.median(sound) if sound else self.listed(recipe, rows) * self.pace(), *lost, 0.0)

    def seen(self, runner: Runner, rows: int) -> float:
        """The seconds that a trial takes on so many rows, from the fits that it had."""
        growth = runner.recipe.traits.growth
        took = [one.seconds * power(rows / self.rows_of(fold, one.rows), growth) for fold, one in runner.judged.items()]
        return statistics.median(took)

    def next_fold(self, runner: Runner) -> float:
        """The seconds of a trial's next fit."""
        rows = self._rows[min(len(runner.sound()), len(self._rows) - 1)]
        return self.seen(runner, rows) if runner.judged else self.fit(runner.recipe, rows)

    def finish(self, runner: Runner) -> float:
        """The seconds until a trial is judged on all folds."""
        missing = self._board.k - len(runner.sound())
        one = self.next_fold(runner)
        return one * -(-missing // self._workers)

    def refit(self, runners: Sequence[Runner]) -> float:
        """The seconds until some trials are fitted on all rows, side by side, and their blend is calibrated."""
        took = [self.seen(runner, self._all_rows) for runner in runners]
        compiling = COMPILING * sum(took)
        return self.head(len(runners)) + compiling + max(*took, sum(took) / self._workers, 0.0)

    def joining(self, recipe: Recipe) -> float:
        """The seconds by which the refit grows when a new setting of a recipe joins the blend."""
        return self.fit(recipe, self._all_rows) * (1 / self._workers + COMPILING)

    def head(self, members: int) -> float:
        """The seconds until a blend of some members that are fitted is calibrated and compiled."""
        few = FEW_ROWS_SECONDS if self._board.n <= FEW_ROWS else 0.0
        known = HEAD_SECONDS + HEAD_PER_MEMBER * members + HEAD_PER_ROW * self._all_rows + few
        return known * min(max(self.pace(), 1.0), SLOWEST)

    def first_rows(self) -> int:
        """How many rows the first fold has to fit on."""
        return self._rows[0]

    def rows_of(self, fold: int, sketched: int | None) -> int:
        """How many rows a fit had."""
        return sketched if fold == SKETCH and sketched else self._rows[max(fold, 0)]

    def listed(self, recipe: Recipe, rows: int) -> float:
        """The seconds of a fit as the catalogue has them, for so many rows, features and classes."""
        traits = recipe.traits
        classes = max(1, self._classes - 1) if traits.per_class else 1
        wide = max(0.2, len(recipe.columns(self._views)) / TRAIT_FEATURES)
        times = power(min(rows, traits.most or rows) / TRAIT_ROWS, traits.growth)
        return FIT_SECONDS + traits.seconds * wide * classes * times

    def pace(self) -> float:
        """How much slower fits are here than in the catalogue."""
        ratios = [
            one.seconds / self.listed(runner.recipe, self.rows_of(fold, one.rows))
            for runner in self._board.runners
            for fold, one in runner.judged.items()
            if not one.error
        ]
        return statistics.median(ratios) if ratios else FIRST_PACE


def power(share: float, growth: float) -> float:
    """How many times as long a fit takes on so many times the rows."""
    return math.exp(growth * math.log(share))
