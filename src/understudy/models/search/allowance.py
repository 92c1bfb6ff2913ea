"""What a budget in seconds allows: nothing is begun that cannot end, and the refit has its time."""

from __future__ import annotations

from collections.abc import Callable

from understudy.models.recipes import Recipe
from understudy.models.search.board import CLEARLY, Board, Runner
from understudy.models.search.costs import Costs
from understudy.models.search.judging import Fit
from understudy.models.search.race import Race

TRIAL_SHARE = 0.4
"""No fit may take a larger part of a budget in seconds than this, unless it was foreseen."""

SLACK = 4.0
"""A fit is given up when it takes so many times as long as was foreseen."""

RESCUE_SECONDS = 60.0
"""How long the last hope may take at least, where no trial is complete and the time is up."""

FEWEST_SECONDS = 5.0
"""A fit is never given up before, unless the budget ends."""


class Allowance:
    """Compares what is left of a budget with what things take.

    Parameters
    ----------
    board : Board
    costs : Costs
    race : Race
    left : callable
        The seconds that are left of the budget; without end where it is one of trials.
    spent : callable
        The seconds since the search began, also before it was stopped and went on.

    Attributes
    ----------
    workers : int
        How many fits run side by side.
    rescued : set of int
        The trials that go on although the time is up, since without them there would be no model.
    cut : set of (int, int)
        The fits, by trial and fold, that the end of the budget stops rather than their own slowness.
    """

    def __init__(
        self, board: Board, costs: Costs, race: Race, left: Callable[[], float], spent: Callable[[], float]
    ) -> None:
        self._board = board
        self._costs = costs
        self._race = race
        self.left, self.spent = left, spent
        self.workers = race.crew.workers if race.crew else 1
        self.rescued: set[int] = set()
        self.cut: set[tuple[int, int]] = set()
        self._known = -1
        self._shares: dict[int, float] = {}

    @property
    def timed(self) -> bool:
        """Whether the budget is in seconds."""
        return self._race.budget.seconds is not None

    def limit(self, fit: Fit) -> float | None:
        """How many seconds a fit may take; 0 where it should not be started, None where nothing limits it."""
        if not self.timed:
            return None
        budget = self._race.budget.seconds or 0.0
        if fit.number in self.rescued:
            return max(budget, RESCUE_SECONDS)
        runner = self._board.runners[fit.number]
        rows = fit.rows or self._costs.first_rows()
        expected = self._costs.seen(runner, rows) if runner.judged else self._costs.fit(fit.recipe, rows)
        foreseen = max(FEWEST_SECONDS, TRIAL_SHARE * budget, SLACK * expected)
        if self._board.complete():
            room = self.left() - self._costs.refit(self._with(runner))
        elif runner.chosen or not self._board.begun():
            return foreseen
        else:
            room = self.left() - self.reserve()
        if room < expected:
            return 0.0
        if room < foreseen:
            self.cut.add((fit.number, fit.fold))
        return min(room, foreseen)

    def reserve(self) -> float:
        """The seconds that must be left when the search ends: for the refit of what is the blend by now."""
        if not self.timed:
            return 0.0
        blend = self.blend()
        if blend:
            return max(self._costs.refit(blend), self._hope(blend))
        needed = {runner.number: self._whole(runner) for runner in self._board.begun()}
        if not needed:
            return 0.0
        able = [runner for runner in self._board.begun() if needed[runner.number] <= self.left()]
        if not able:
            return min(needed.values())
        return needed[min(able, key=lambda runner: runner.judged[0].loss).number]

    def _hope(self, blend: list[Runner]) -> float:
        """The seconds for the refit of a trial that is far better than the blend's, though not complete; 0 without."""
        best = min(self._board.begun(), key=lambda runner: runner.judged[0].loss)
        bar = (1 - CLEARLY) * min(runner.judged[0].loss for runner in blend)
        alone = self._costs.refit([best])
        return alone if best.judged[0].loss < bar and alone <= self.left() else 0.0

    def _whole(self, runner: Runner) -> float:
        """The seconds until a trial alone is a model."""
        return self._costs.finish(runner) + self._costs.refit([runner])

    def shares(self) -> dict[int, float]:
        """What each complete trial would count in a blend by now, by number, where greater than 0."""
        complete = self._board.complete()
        if self._known != len(complete):
            self._known, self._shares = len(complete), self._board.shares(complete)
        best = self._board.best()
        return {best.number: 1.0} if self._race.single and best else self._shares

    def blend(self) -> list[Runner]:
        """The complete trials that a blend would take by now."""
        return [self._board.runners[number] for number in self.shares()]

    def refitting(self, runners: list[Runner]) -> bool:
        """Whether there is time to refit some trials."""
        return not self.timed or self.left() >= self._costs.refit(runners)

    def beside_reserve(self, seconds: float) -> bool:
        """Whether something that takes so many seconds ends before the refit must begin."""
        return self.left() - seconds >= self.reserve()

    def whole_trial(self, recipe: Recipe) -> bool:
        """Whether a new setting of a recipe can be judged on all folds, and join the blend."""
        one = self._costs.fit(recipe, self._costs.first_rows())
        judged = one * (1 + -(-(self._board.k - 1) // self.workers))
        return self.beside_reserve(judged + self._costs.joining(recipe))

    def finishing(self, runner: Runner) -> bool:
        """Whether a trial can be judged on all folds so that it can still be refitted, the blend so far with it."""
        return self.left() >= self._costs.finish(runner) + self._costs.refit(self._with(runner))

    def _with(self, runner: Runner) -> list[Runner]:
        """The blend by now, and a trial that would join it."""
        others = [] if self._race.single else self.blend()
        joins = [runner] if runner.judged and runner not in others else []
        return [*others, *joins]
