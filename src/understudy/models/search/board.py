"""What is known in the middle of a search."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from understudy.models.recipes import Params, Recipe
from understudy.models.search.judging import SKETCH, Judged
from understudy.models.search.race import Fold, Stage, State, Trial
from understudy.models.selection import greedy_joins, row_shares, truth_scores

MOST_STACKED = 50
"""So many complete trials are kept for the blend, the best ones."""

STACKED_BYTES = 1_000_000_000
"""Their predictions take no more memory than this."""

HOPELESS = ""
"""Why a trial goes no further that is clearly worse: its loss says it."""

LOOKED_AT = 5000
"""Of a fold with more rows, a part shows well enough what a blend would take; the rest of the machine is at work."""

CLEARLY = 0.02
"""A blend that was chosen on one fold must have a loss this much lower there than one of complete trials."""

SELECTION_ROUNDS = 25
MOST_KEPT = 12


@dataclass
class Runner:
    """A trial in the middle of a search.

    Attributes
    ----------
    judged : dict of Judged
        What each fit has shown, by fold.
    chosen : bool
        Whether it goes on to all folds.
    given_up : str
        Why it does not; empty where that is open.
    """

    number: int
    recipe: Recipe
    params: Params
    stage: Stage
    drawn: Params
    judged: dict[int, Judged] = field(default_factory=dict)
    pending: set[int] = field(default_factory=set)
    chosen: bool = False
    given_up: str | None = None
    told: bool = False

    @property
    def error(self) -> str:
        """Why it failed: the first error, in the order of the folds."""
        return next((self.judged[fold].error for fold in sorted(self.judged) if self.judged[fold].error), "")

    def sound(self) -> list[Judged]:
        """What the folds have shown, from the first one on, up to one that is missing or failed."""
        found = []
        for fold in range(len(self.judged)):
            if fold not in self.judged or self.judged[fold].error:
                break
            found.append(self.judged[fold])
        return found

    def complete(self, folds: int) -> bool:
        """Whether it was judged on all folds."""
        return len(self.sound()) == folds

    def first_loss(self) -> float | None:
        """Its loss on the first fold."""
        first = self.judged.get(0)
        return None if first is None or first.error else first.loss

    def seconds(self) -> float:
        """How long its fits took."""
        return sum(one.seconds for one in self.judged.values())

    def as_trial(self, folds: int) -> Trial:
        """How it stands."""
        done = self.sound()
        state: State = "running"
        if self.error:
            state = "failed"
        elif len(done) == folds:
            state = "complete"
        elif self.given_up is not None:
            state = "pruned"
        return Trial(
            number=self.number,
            recipe=self.recipe.name,
            params=self.params,
            stage=self.stage,
            state=state,
            score=float(np.mean([one.loss for one in done])) if done and state != "failed" else None,
            fold_scores=tuple(one.loss for one in done),
            rounds=int(statistics.median(one.rounds for one in done)) if done else 0,
            seconds=self.seconds(),
            error=self.error or (self.given_up or ""),
            note="; ".join(sorted({one.note for one in done} - {""})),
            drawn=self.drawn,
        )


@dataclass
class Board:
    """All trials of a search, in the order in which they were decided on."""

    folds: Sequence[Fold]
    n: int
    runners: list[Runner] = field(default_factory=list)

    @property
    def k(self) -> int:
        """How many folds there are."""
        return len(self.folds)

    def add(self, recipe: Recipe, params: Params, stage: Stage, drawn: Params) -> Runner:
        """Note a trial that is to be made."""
        runner = Runner(len(self.runners), recipe, params, stage, drawn)
        self.runners.append(runner)
        return runner

    def begun(self) -> list[Runner]:
        """The trials that the first fold has judged, without an error since."""
        return [
            runner
            for runner in self.runners
            if runner.first_loss() is not None and not runner.error and runner.given_up != HOPELESS
        ]

    def complete(self) -> list[Runner]:
        """The trials that all folds have judged."""
        return [runner for runner in self.runners if runner.complete(self.k)]

    def best(self) -> Runner | None:
        """The complete trial with the lowest loss; of equal ones the earliest."""
        return min(self.complete(), key=lambda runner: sum(one.loss for one in runner.sound()), default=None)

    def stacked(self) -> list[Runner]:
        """The complete trials that are worth keeping, by number."""
        ranked = sorted(self.complete(), key=lambda runner: sum(one.loss for one in runner.sound()))
        size = self.n * max(1, self.folds[0].rows.n_classes) * 8
        most = min(MOST_STACKED, max(2, STACKED_BYTES // size))
        return sorted(ranked[:most], key=lambda runner: runner.number)

    def out_of_fold(self, runner: Runner) -> np.ndarray:
        """A trial's predictions for all training rows, of shape (n, k) or (n, 1); NaN where no fold predicts."""
        oof = np.full((self.n, self.folds[0].rows.n_classes or 1), np.nan)
        for fold, one in zip(self.folds, runner.sound(), strict=False):
            oof[fold.positions] = one.scores
        return oof

    def shares(self, runners: Iterable[Runner], fold: int = 0) -> dict[int, float]:
        """What greedy selection would make of some trials on one fold: a share by number, where greater than 0."""
        able = [runner for runner in runners if fold in runner.judged and not runner.judged[fold].error]
        if not able:
            return {}
        judged_on = self.folds[max(fold, 0)]
        some = slice(None, None, max(1, len(judged_on.y) // LOOKED_AT))
        kind = judged_on.rows.kind
        stack = np.stack([runner.judged[fold].scores[some] for runner in able])
        weights = None if judged_on.weights is None else judged_on.weights[some]
        scored = truth_scores(stack, judged_on.y[some], kind)
        joined = greedy_joins(scored, row_shares(weights, scored.shape[1]), kind, MOST_KEPT, SELECTION_ROUNDS)
        return {runner.number: float(share) for runner, share in zip(able, joined, strict=True) if share > 0}

    def sketched(self) -> list[Runner]:
        """The trials that had a first look only."""
        return [
            runner
            for runner in self.runners
            if SKETCH in runner.judged and not runner.error and 0 not in runner.judged and runner.given_up is None
        ]
