"""One fit of a search: what is handed to a worker, and what comes back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.recipes import RECIPES, Effort, Params, Recipe
from understudy.models.rows import sampled
from understudy.models.search.race import Fold
from understudy.models.steady import STEADY

SKETCH = -1
"""The fold number of a first look, on some rows of the first fold."""


@dataclass(frozen=True)
class Fit:
    """A fit to be made: a trial's setting on one fold, on so many rows of it at most.

    It goes to other processes: a recipe of the catalogue by its name alone, `own` is one that is not there.
    """

    number: int
    name: str
    params: Params
    fold: int
    effort: Effort
    rows: int | None = None
    own: Recipe | None = None

    @property
    def recipe(self) -> Recipe:
        """What is fitted."""
        return self.own or RECIPES[self.name]


def fit_of(number: int, recipe: Recipe, params: Params, fold: int, effort: Effort, rows: int | None = None) -> Fit:
    """A fit of a recipe."""
    own = None if RECIPES.get(recipe.name) is recipe else recipe
    return Fit(number, recipe.name, params, fold, effort, rows, own)


@dataclass(frozen=True)
class Judged:
    """What one fit showed: its predictions, their loss and its rounds, or an error.

    `rows` says how many rows it had, where they were fewer than the fold's.
    """

    scores: np.ndarray
    loss: float
    rounds: int = 0
    note: str = ""
    error: str = ""
    seconds: float = 0.0
    rows: int | None = None


def failed(error: str, seconds: float = 0.0) -> Judged:
    """A fit that came to nothing."""
    return Judged(np.empty(0), math.nan, error=error, seconds=seconds)


def judge(folds: Sequence[Fold], fit: Fit) -> Judged:
    """Fit a setting on one fold, and judge it on the rows that were left out."""
    fold = folds[max(fit.fold, 0)]
    rows = fold.rows
    if fit.rows is not None:
        rows, _ = sampled(rows, fit.rows, fit.effort.seed)
    try:
        with STEADY:
            fitted = fit.recipe.fit(fit.params, rows, fit.effort)
            scores = fitted.raw(fold.X)
        score = finite(loss(rows.kind, fold.y, scores, fold.weights))
        return Judged(scores, score, fitted.rounds, fitted.note)
    except ModelError as caught:
        return failed(caught.message)
    except MemoryError as caught:
        return failed(f"it needs more memory than there is ({caught})")


def finite(score: float) -> float:
    """The score itself; one that is not a number would otherwise win or lose every comparison."""
    if not math.isfinite(score):
        raise ModelError("Its predictions are not finite numbers.")
    return score


def loss(kind: Kind, y: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean log loss (natural logarithm, probabilities clipped at 1e-15), or mean squared error; weighted, if asked."""
    if kind == "regression":
        losses = (y - scores[:, 0]) ** 2
    else:
        losses = -np.log(np.clip(scores[np.arange(len(y)), y], 1e-15, 1.0))
    return float(np.mean(losses) if weights is None else np.average(losses, weights=weights))
