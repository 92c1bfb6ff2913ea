"""A race of recipes under a budget of time, or of trials where it must be repeatable."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import lightgbm as lgb
import msgspec
import numpy as np
import optuna

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.recipes import RECIPES, Effort, Fitted, Params, Recipe, Rows

PRUNE_MARGIN = 1.05
"""A trial whose first folds are more than 5 % worse than the best trial's same folds is stopped."""


@dataclass(frozen=True)
class Budget:
    """How long to search: some seconds, or, where two runs must agree exactly, a number of trials.

    >>> Budget(trials=6).trials
    6
    """

    seconds: float | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.trials is None):
            raise ValueError("a budget is either seconds or trials")
        if (self.seconds or self.trials or 0) <= 0:
            raise ValueError(f"a budget is positive, not {self.seconds or self.trials}")


@dataclass(frozen=True)
class Fold:
    """One fold: what is fitted on, and the rows that it is judged on.

    Attributes
    ----------
    rows : Rows
        The rows to fit on, and those to stop on.
    X, y : ndarray
        The rows to predict, encoded by this fold's own encoding.
    positions : ndarray of int64
        Where these rows stand among all training rows.
    """

    rows: Rows
    X: np.ndarray
    y: np.ndarray
    positions: np.ndarray


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of one recipe, and how it did.

    Attributes
    ----------
    number : int
    recipe : str
    params : dict
    stage : {"portfolio", "search"}
        Whether the setting was known to be strong, or drawn.
    state : {"complete", "pruned", "failed"}
    score : float, optional
        Mean over the folds of log loss or squared error; lower is better.
    fold_scores : tuple of float
    rounds : int
        Boosting rounds, the median over the folds; 0 where that means nothing.
    seconds : float
    error : str
        Why it failed.
    """

    number: int
    recipe: str
    params: Params
    stage: Literal["portfolio", "search"]
    state: Literal["complete", "pruned", "failed"]
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    rounds: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    best : Trial
    trials : tuple of Trial
    oof : ndarray of shape (n, k) or (n, 1)
        The best trial's out-of-fold predictions; NaN for rows that no fold predicts.
    """

    best: Trial
    trials: tuple[Trial, ...]
    oof: np.ndarray


@dataclass(frozen=True)
class Race:
    """How a search is run.

    Attributes
    ----------
    budget : Budget
    effort : Effort
    elapsed : callable
        Seconds since any fixed moment; asked only where the budget is in seconds, or to note how long a trial took.
    tell : callable
        Is told of every finished trial.
    recipes : tuple of str
        The recipes that take part; by default all that suit the kind.
    """

    budget: Budget
    effort: Effort
    elapsed: Callable[[], float]
    tell: Callable[[Trial], None] = lambda _: None
    recipes: tuple[str, ...] = ()


@dataclass
class _Progress:
    """What is known in the middle of a search."""

    started: float
    trials: list[Trial] = field(default_factory=list)
    best: Trial | None = None
    oof: np.ndarray | None = None


def search(folds: tuple[Fold, ...], n: int, race: Race) -> Found:
    """Find the recipe and the settings with the lowest cross-validated loss.

    Settings that are known to be strong go first, one recipe after the other; what is left of the budget goes to
    Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), for the recipe families in turn, better ones more
    often. With a budget in trials no decision depends on a clock.

    Parameters
    ----------
    folds : tuple of Fold
    n : int
        How many training rows there are in all.
    race : Race

    Raises
    ------
    ModelError
        No trial could be completed.
    """
    kind = folds[0].rows.kind
    recipes = [
        recipe for recipe in RECIPES.values() if kind in recipe.kinds and recipe.name in (race.recipes or RECIPES)
    ]
    progress = _Progress(race.elapsed())
    for rank in range(max(len(recipe.portfolio) for recipe in recipes)):
        for recipe in recipes:
            if rank < len(recipe.portfolio) and affordable(recipe.name, progress, race):
                attempt(recipe, recipe.portfolio[rank], "portfolio", folds, n, progress, race)
    studies = {recipe.name: new_study(race.effort.seed) for recipe in recipes}
    while recipe := next_recipe(recipes, progress, race):
        draw = studies[recipe.name].ask()
        trial = attempt(recipe, recipe.space(draw), "search", folds, n, progress, race)
        tell_study(studies[recipe.name], draw, trial)
    if progress.best is None or progress.oof is None:
        reasons = "; ".join(f"{trial.recipe}: {trial.error}" for trial in progress.trials) or "the budget is too small"
        raise ModelError(f"No model could be trained ({reasons}).")
    return Found(progress.best, tuple(progress.trials), progress.oof)


def new_study(seed: int) -> optuna.Study:
    """A quiet study that minimises, with a seeded sampler."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5))


def tell_study(study: optuna.Study, draw: optuna.Trial, trial: Trial) -> None:
    """Let the sampler learn from a trial."""
    if trial.score is None:
        study.tell(draw, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(draw, trial.score)


def affordable(recipe: str, progress: _Progress, race: Race) -> bool:
    """Whether a trial of this recipe is likely to end within the budget; the first trial always is."""
    if race.budget.trials is not None:
        return len(progress.trials) < race.budget.trials
    if progress.best is None:
        return True
    took = [trial.seconds for trial in progress.trials if trial.recipe == recipe and trial.state == "complete"]
    expected = statistics.median(took) if took else 0.0
    return race.elapsed() - progress.started + expected <= (race.budget.seconds or 0.0)


def next_recipe(recipes: list[Recipe], progress: _Progress, race: Race) -> Recipe | None:
    """Whose turn it is: three times in four the best so far, else the next one that the budget allows."""
    best = {
        recipe.name: min(
            (t.score for t in progress.trials if t.recipe == recipe.name and t.score is not None), default=None
        )
        for recipe in recipes
    }
    able = [recipe for recipe in recipes if best[recipe.name] is not None and affordable(recipe.name, progress, race)]
    if not able:
        return None
    able.sort(key=lambda recipe: best[recipe.name] or 0.0)
    turn = len(progress.trials)
    return able[0] if turn % 4 else able[(turn // 4) % len(able)]


def attempt(
    recipe: Recipe,
    params: Params,
    stage: Literal["portfolio", "search"],
    folds: tuple[Fold, ...],
    n: int,
    progress: _Progress,
    race: Race,
) -> Trial:
    """Try one setting, note how it did, and keep its predictions if it is the best so far."""
    began = race.elapsed()
    oof = np.full((n, folds[0].rows.n_classes or 1), np.nan)
    scores: list[float] = []
    rounds: list[int] = []
    state: Literal["complete", "pruned", "failed"] = "complete"
    error = ""
    try:
        for fold in folds:
            fitted = recipe.fit(params, fold.rows, race.effort)
            oof[fold.positions] = fitted.raw(fold.X)
            scores.append(loss(fold.rows.kind, fold.y, oof[fold.positions]))
            rounds.append(fitted.rounds)
            if len(scores) < len(folds) and hopeless(scores, progress.best):
                state = "pruned"
                break
    except (ModelError, ValueError, ArithmeticError, MemoryError, lgb.basic.LightGBMError) as caught:
        state, error = "failed", f"{type(caught).__name__}: {caught}"
    trial = Trial(
        number=len(progress.trials),
        recipe=recipe.name,
        params=params,
        stage=stage,
        state=state,
        score=None if state == "failed" else float(np.mean(scores)),
        fold_scores=tuple(scores),
        rounds=int(statistics.median(rounds)) if rounds else 0,
        seconds=race.elapsed() - began,
        error=error,
    )
    progress.trials.append(trial)
    if state == "complete" and (progress.best is None or trial.score < progress.best.score):  # type: ignore[operator]
        progress.best, progress.oof = trial, oof
    race.tell(trial)
    return trial


def hopeless(scores: list[float], best: Trial | None) -> bool:
    """Whether the folds so far are clearly worse than the same folds of the best trial."""
    return best is not None and sum(scores) > PRUNE_MARGIN * sum(best.fold_scores[: len(scores)])


def loss(kind: Kind, y: np.ndarray, scores: np.ndarray) -> float:
    """Mean log loss (natural logarithm, probabilities clipped at 1e-15), or mean squared error."""
    if kind == "regression":
        return float(np.mean((y - scores[:, 0]) ** 2))
    return float(-np.mean(np.log(np.clip(scores[np.arange(len(y)), y], 1e-15, 1.0))))


def refit(trial: Trial, rows: Rows, effort: Effort) -> Fitted:
    """Fit a trial's setting on all training rows, for as many rounds as its folds needed."""
    params = {**trial.params, "n_estimators": trial.rounds} if trial.rounds else trial.params
    return RECIPES[trial.recipe].fit(params, rows, effort)
