"""What to fit next: strong settings of unlike families first, then what a blend gains from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from understudy.models.recipes import Effort, Params, Recipe
from understudy.models.search.allowance import Allowance
from understudy.models.search.board import HOPELESS, Board, Runner
from understudy.models.search.costs import Costs
from understudy.models.search.draws import Past, as_drawn, draw
from understudy.models.search.entry import known_settings
from understudy.models.search.judging import SKETCH, Fit, fit_of
from understudy.models.search.race import Begun, Chosen, Race

PRUNE_MARGIN = 1.05
"""A trial whose first fold is more than 5 % worse than the best trial's same fold goes no further."""

NEAR = 1.002
"""One that is within 0.2 % of the best on the first fold goes on, also where a blend would not take it."""

FEWEST_JUDGED = 1000
"""No trial is stopped on fewer rows than this: the folds of a small table differ by more than settings do."""

WAVE = 4
"""With a budget in trials so many are drawn at once, whatever the number of workers."""

PORTFOLIO_SHARE = 0.4
"""So much of a budget in seconds goes to first looks at known settings; the rest of them come later, if at all."""

FEWEST_SKETCHED = 2000
"""A first look is on so many rows at least."""

FLOOR = 0.25
"""This share of the turns is divided evenly; the rest goes by the blend."""


class Planner:
    """Decides what is fitted next, from the board and, where the budget is in seconds, from the time that is left.

    With a budget in trials it is asked only when nothing is under way, so that what it says depends on no clock and no
    number of workers.
    """

    def __init__(self, recipes: list[Recipe], board: Board, costs: Costs, race: Race, allowed: Allowance) -> None:
        self._recipes = recipes
        self._board = board
        self._costs = costs
        self._race = race
        self._allowed = allowed
        self._effort = Effort(race.effort.seed, threads=1)
        tried = {(runner.recipe.name, repr(runner.params)) for runner in board.runners}
        self._waiting = [one for one in self._known() if (one[0].name, repr(one[1])) not in tried]
        self._exhausted: set[str] = set()
        self._sketch_rows = self._rows_to_sketch()

    def next(self) -> list[Fit]:
        """The fits to make next; none when the search is at its end."""
        if fits := self._unfinished():
            return fits
        self._give_up_hopeless()
        return (
            self._portfolio(PORTFOLIO_SHARE)
            or self._second_looks()
            or self._chosen()
            or self._portfolio(1.0)
            or self._drawn()
        )

    def rescue(self) -> list[Fit]:
        """The fit of the last hope, where no trial was judged on the first fold and none can end in time.

        The trial that is nearest to its end; where none has begun, the next known setting. Without hope, none.
        """
        hopeful = [runner for runner in self._board.runners if not runner.error]
        if hopeful:
            runner = min(hopeful, key=self._costs.finish)
            runner.given_up = None
            self._allowed.rescued.add(runner.number)
            return self._fits(runner, [0])
        if not self._waiting:
            return []
        fits = self._begin([self._waiting.pop(0)])
        self._allowed.rescued.add(fits[0].number)
        return fits

    def _known(self) -> list[tuple[Recipe, Params]]:
        if self._race.strategy == "portfolio+tpe":
            return known_settings(self._recipes, self._race.first, self._board.folds[0].rows.kind)
        named = {recipe.name: recipe for recipe in self._recipes}
        return [(named[name], params) for name, params in self._race.first if name in named]

    def _rows_to_sketch(self) -> int | None:
        """On how many rows of the first fold known settings are looked at first; None for all, where time allows."""
        rows = self._costs.first_rows()
        if not self._allowed.timed or not self._waiting or any(0 in runner.judged for runner in self._board.runners):
            return None
        whole = sum(self._costs.fit(recipe, rows) for recipe, _ in self._waiting) / self._allowed.workers
        share = PORTFOLIO_SHARE * max(self._allowed.left(), 0.0) / max(whole, 1e-9)
        few = max(FEWEST_SKETCHED, int(rows * share / 2))
        return few if share < 1.0 and few < rows / 2 else None

    def _unfinished(self) -> list[Fit]:
        """Fits of an earlier search that were decided on and are not there."""
        fits: list[Fit] = []
        for runner in self._board.runners:
            if runner.error or runner.given_up is not None or runner.pending:
                continue
            if runner.chosen:
                fits += self._missing(runner)
            elif not runner.judged:
                fits.append(self._first(runner))
        return fits

    def _portfolio(self, share: float) -> list[Fit]:
        """Known settings, each on the first fold."""
        if not self._allowed.timed:
            room = (self._race.budget.trials or 0) - len(self._board.runners)
            now, self._waiting = self._waiting[: max(room, 0)], self._waiting[max(room, 0) :]
            return self._begin(now)
        until = (1 - share) * (self._race.budget.seconds or 0.0)
        for place, (recipe, _) in enumerate(self._waiting):
            expected = self._costs.fit(recipe, self._sketch_rows or self._costs.first_rows())
            fits_in = self._allowed.whole_trial(recipe) if share == 1.0 else self._allowed.beside_reserve(expected)
            if not self._board.runners or (fits_in and self._allowed.left() - expected >= until):
                return self._begin([self._waiting.pop(place)])
        return []

    def _second_looks(self) -> list[Fit]:
        """After first looks on some rows: the whole first fold for the better half, and for what a blend takes."""
        sketched = self._board.sketched()
        if not sketched:
            return []
        looked = [runner for runner in self._board.runners if SKETCH in runner.judged and not runner.error]
        shares = self._board.shares(looked, SKETCH)
        looked.sort(key=lambda runner: (-shares.get(runner.number, 0.0), runner.judged[SKETCH].loss))
        better = looked[: max(len(shares), math.ceil(len(looked) / 2))]
        for runner in better:
            if runner not in sketched or runner.pending:
                continue
            expected = self._costs.seen(runner, self._costs.first_rows())
            if self._allowed.beside_reserve(expected):
                return self._fits(runner, [0])
        if not any(runner.pending for runner in self._board.runners):
            for runner in sketched:
                runner.given_up = "a first look on some of the rows was enough"
        return []

    def _chosen(self) -> list[Fit]:
        """The remaining folds of what a blend would take after the first fold, and of what is near the best."""
        fits: list[Fit] = []
        for runner in self._promising():
            if self._allowed.timed:
                if not self._allowed.finishing(runner):
                    continue
                self._choose([runner])
                return self._missing(runner)
            fits += self._missing(runner)
        self._choose([self._board.runners[number] for number in sorted({fit.number for fit in fits})])
        return fits

    def _promising(self) -> list[Runner]:
        """Trials that have one fold and deserve the others, the most useful first."""
        begun = [runner for runner in self._board.begun() if runner.given_up is None]
        losses = {runner.number: runner.judged[0].loss for runner in begun}
        if not losses:
            return []
        shares = self._board.shares(begun)
        near = math.inf if len(self._board.folds[0].y) < FEWEST_JUDGED else NEAR * min(losses.values())
        kept = [
            runner
            for runner in begun
            if not runner.chosen and not runner.pending and (runner.number in shares or losses[runner.number] <= near)
        ]
        return sorted(kept, key=lambda one: (-shares.get(one.number, 0.0), losses[one.number], one.number))

    def _drawn(self) -> list[Fit]:
        """New settings, each on the first fold."""
        fits: list[Fit] = []
        room = 1 if self._allowed.timed else min(WAVE, (self._race.budget.trials or 0) - len(self._board.runners))
        began: list[Runner] = []
        while len(began) < room and (recipe := self._whose_turn()) is not None:
            found = draw(recipe, self._past(recipe), self._race.strategy, self._race.effort.seed)
            if found is None:
                self._exhausted.add(recipe.name)
                continue
            params, numbers = found
            runner = self._board.add(recipe, params, "search", numbers)
            began.append(runner)
            fits.append(self._first(runner))
        self._note(began)
        return fits

    def _past(self, recipe: Recipe) -> list[Past]:
        """What has been tried of a recipe, as the estimator learns it: by the loss on the first fold."""
        return [
            Past(runner.drawn, runner.first_loss(), running=not runner.judged)
            for runner in self._board.runners
            if runner.recipe.name == recipe.name and SKETCH not in runner.judged
        ]

    def _whose_turn(self) -> Recipe | None:
        """The recipe that has had least for what it gives to the blend, of those that can end in time.

        As seats are given to parties by their votes (D'Hondt): a vote is a share of the blend, and a little for all.
        """
        able = [recipe for recipe in self._recipes if self._may_draw(recipe)]
        if not able:
            return None
        votes = dict.fromkeys((recipe.name for recipe in able), FLOOR / len(able))
        for number, share in self._board.shares(self._board.begun()).items():
            name = self._board.runners[number].recipe.name
            if name in votes:
                votes[name] += (1 - FLOOR) * share
        return max(able, key=lambda recipe: votes[recipe.name] / (1 + self._had(recipe)))

    def _had(self, recipe: Recipe) -> float:
        """What a recipe's draws have taken: their number, or, where time is scarce, their seconds by a mean fit's."""
        drawn = [one for one in self._board.runners if one.recipe.name == recipe.name and one.stage == "search"]
        if not self._allowed.timed:
            return len(drawn)
        fits = [one.seconds for runner in self._board.runners for one in runner.judged.values()]
        mean = sum(fits) / len(fits) if fits else 1.0
        waiting = sum(not runner.judged for runner in drawn)
        return waiting + sum(runner.seconds() for runner in drawn) / max(mean, 1e-9)

    def _may_draw(self, recipe: Recipe) -> bool:
        """Whether a recipe has not only failed, has settings left, and time allows to judge one on all folds."""
        mine = [runner for runner in self._board.runners if runner.recipe.name == recipe.name]
        if recipe.name in self._exhausted or (mine and all(runner.error for runner in mine)):
            return False
        if self._allowed.timed and mine and all(runner.first_loss() is None for runner in mine):
            return False  # it may be one that hangs
        if not mine and self._race.strategy == "portfolio+tpe":
            return False
        if not self._allowed.timed:
            return True
        return self._allowed.whole_trial(recipe)

    def _give_up_hopeless(self) -> None:
        """Trials whose first fold is clearly worse than the best trial's go no further."""
        best = self._board.best()
        if best is None or len(self._board.folds[0].y) < FEWEST_JUDGED:
            return
        bar = PRUNE_MARGIN * best.judged[0].loss
        for runner in self._board.begun():
            if not runner.chosen and not runner.pending and runner.given_up is None and runner.judged[0].loss > bar:
                runner.given_up = HOPELESS
                runner.judged[0] = replace(runner.judged[0], scores=np.empty(0))

    def _begin(self, settings: Sequence[tuple[Recipe, Params]]) -> list[Fit]:
        """New trials of known settings."""
        began = [self._board.add(recipe, params, "portfolio", as_drawn(recipe, params)) for recipe, params in settings]
        self._note(began)
        return [self._first(runner) for runner in began]

    def _note(self, began: Sequence[Runner]) -> None:
        if began:
            self._race.journal.write(Begun(tuple(runner.as_trial(self._board.k) for runner in began)))

    def _choose(self, runners: Sequence[Runner]) -> None:
        for runner in runners:
            runner.chosen = True
        if runners:
            self._race.journal.write(Chosen(tuple(runner.number for runner in runners)))

    def _first(self, runner: Runner) -> Fit:
        if runner.stage == "portfolio" and self._sketch_rows is not None:
            return self._fits(runner, [SKETCH])[0]
        return self._fits(runner, [0])[0]

    def _missing(self, runner: Runner) -> list[Fit]:
        return self._fits(runner, (fold for fold in range(self._board.k) if fold not in runner.judged))

    def _fits(self, runner: Runner, folds: Iterable[int]) -> list[Fit]:
        some = self._sketch_rows
        found = [
            fit_of(runner.number, runner.recipe, runner.params, fold, self._effort, some if fold == SKETCH else None)
            for fold in folds
        ]
        runner.pending |= {fit.fold for fit in found}
        return found
