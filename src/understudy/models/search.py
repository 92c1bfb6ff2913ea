"""A race of recipes under a budget of time, or of trials where it must be repeatable."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import optuna

from understudy.core.errors import ModelError
from understudy.core.extras import require
from understudy.core.nouns import Kind
from understudy.models.recipes import RECIPES, Effort, Fitted, Params, Recipe, Rows
from understudy.models.steady import STEADY

PRUNE_MARGIN = 1.05
"""A trial whose first folds are more than 5 % worse than the best trial's same folds is stopped."""


FEWEST_JUDGED = 1000
"""No trial is pruned on fewer rows than this: the folds of a small table differ by more than settings do."""

MANY_ROWS = 200_000
"""With fewer rows one thread fits about as fast as several, which wait for each other on a busy machine."""


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
    weights : ndarray of float64, optional
        How much each of these rows counts; by default all alike.
    """

    rows: Rows
    X: np.ndarray
    y: np.ndarray
    positions: np.ndarray
    weights: np.ndarray | None = None


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
        Why it failed, or was given up.
    note : str
        What a reader should know of the fits; see `Fitted`.
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
    note: str = ""


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
    map : callable
        Runs work on some items side by side, as an engine does. Folds run side by side with one thread each: that is
        faster than threads within a fit, and does not collapse on a busy machine.
    first : tuple of (str, dict)
        Recipes with settings to try before all others: what has proved good on earlier data. Recipes that are unknown
        or do not take part are passed over.
    """

    budget: Budget
    effort: Effort
    elapsed: Callable[[], float]
    tell: Callable[[Trial], None] = lambda _: None
    recipes: tuple[str, ...] = ()
    map: Callable[[Callable[[Fold], Any], Sequence[Fold]], Iterable[Any]] = map
    first: tuple[tuple[str, Params], ...] = ()


@dataclass
class _Progress:
    """What is known in the middle of a search."""

    folds: tuple[Fold, ...]
    race: Race
    started: float
    trials: list[Trial] = field(default_factory=list)
    best: Trial | None = None
    oof: np.ndarray | None = None

    def left(self) -> float:
        """The seconds that are left of the budget; without end where it is one of trials."""
        if self.race.budget.seconds is None:
            return math.inf
        return self.race.budget.seconds - (self.race.elapsed() - self.started)


@dataclass
class _Attempt:
    """What a trial has shown so far: a score and a number of rounds by fold, predictions, and why it ended."""

    oof: np.ndarray
    scores: list[float] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    judged: int = 0
    notes: set[str] = field(default_factory=set)
    state: Literal["complete", "pruned", "failed"] = "complete"
    error: str = ""


def search(folds: tuple[Fold, ...], n: int, race: Race) -> Found:
    """Find the recipe and the settings with the lowest cross-validated loss.

    Settings that are known to be strong go first, one recipe after the other; what is left of the budget goes to
    Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), for the recipe families in turn, better ones more
    often. With a budget in trials no decision depends on a clock. With one in seconds, a trial that would not end in
    time is not started, or is given up between two folds, but one trial is always completed.

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
    """
    recipes = entrants(folds[0].rows.kind, race.recipes)
    progress = _Progress(folds, race, race.elapsed())
    for recipe, params in known_settings(recipes, race.first):
        if affordable(recipe.name, progress):
            attempt(recipe, params, "portfolio", n, progress)
    studies = {recipe.name: new_study(race.effort.seed) for recipe in recipes}
    while chosen := next_recipe(recipes, progress):
        draw = studies[chosen.name].ask()
        trial = attempt(chosen, chosen.space(draw), "search", n, progress)
        tell_study(studies[chosen.name], draw, trial)
    if progress.best is None or progress.oof is None:
        reasons = "; ".join(f"{trial.recipe}: {trial.error}" for trial in progress.trials)
        raise ModelError(f"No model could be trained ({reasons}).")
    return Found(progress.best, tuple(progress.trials), progress.oof)


def entrants(kind: Kind, names: tuple[str, ...]) -> list[Recipe]:
    """The recipes that take part: those named, or those that are raced anyway, as far as they suit the kind of task.

    >>> [recipe.name for recipe in entrants("regression", ())]
    ['lightgbm', 'ridge', 'forest']
    """
    unknown = [name for name in names if name not in RECIPES]
    if unknown:
        raise ModelError(f"There is no recipe {unknown[0]!r}.", hint=f"The recipes are {', '.join(RECIPES)}.")
    suited = [recipe for recipe in RECIPES.values() if kind in recipe.kinds]
    chosen = [recipe for recipe in suited if (recipe.name in names if names else recipe.raced)]
    for recipe in chosen:
        if recipe.extra:
            require(recipe.extra, extra=recipe.extra)
    if not chosen:
        raise ModelError(
            f"None of the recipes {', '.join(names)} suits {kind}.",
            hint=f"Those that do are {', '.join(recipe.name for recipe in suited)}.",
        )
    return chosen


def known_settings(recipes: list[Recipe], first: tuple[tuple[str, Params], ...]) -> list[tuple[Recipe, Params]]:
    """The settings that are tried before any is drawn: those that go first, then the portfolios, rank by rank."""
    named = {recipe.name: recipe for recipe in recipes}
    found = [(named[name], params) for name, params in first if name in named]
    for rank in range(max(len(recipe.portfolio) for recipe in recipes)):
        found += [
            (recipe, recipe.portfolio[rank])
            for recipe in recipes
            if rank < len(recipe.portfolio) and (recipe.name, recipe.portfolio[rank]) not in first
        ]
    return found


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


def affordable(recipe: str, progress: _Progress) -> bool:
    """Whether a trial of this recipe is likely to end within the budget; until one is complete, each is tried."""
    if progress.race.budget.trials is not None:
        return len(progress.trials) < progress.race.budget.trials
    if progress.best is None:
        return True
    took = [
        trial.seconds / len(trial.fold_scores)
        for trial in progress.trials
        if trial.recipe == recipe and trial.fold_scores
    ]
    expected = statistics.median(took) * len(progress.folds) if took else 0.0
    return progress.left() > expected


def next_recipe(recipes: list[Recipe], progress: _Progress) -> Recipe | None:
    """Whose turn it is: three times in four the best so far, else the next one that the budget allows."""
    best: dict[str, float] = {}
    for trial in progress.trials:
        if trial.score is not None:
            best[trial.recipe] = min(trial.score, best.get(trial.recipe, math.inf))
    able = [recipe for recipe in recipes if recipe.name in best and affordable(recipe.name, progress)]
    if not able:
        return None
    able.sort(key=lambda recipe: best[recipe.name])
    turn = len(progress.trials)
    return able[0] if turn % 4 else able[(turn // 4) % len(able)]


def attempt(
    recipe: Recipe, params: Params, stage: Literal["portfolio", "search"], n: int, progress: _Progress
) -> Trial:
    """Try one setting, note how it did, and keep its predictions if it is the best so far."""
    began = progress.race.elapsed()
    done = cross_validate(recipe, params, n, progress, began)
    trial = Trial(
        number=len(progress.trials),
        recipe=recipe.name,
        params=params,
        stage=stage,
        state=done.state,
        score=None if done.state == "failed" else float(np.mean(done.scores)),
        fold_scores=tuple(done.scores),
        rounds=int(statistics.median(done.rounds)) if done.rounds else 0,
        seconds=progress.race.elapsed() - began,
        error=done.error,
        note="; ".join(sorted(done.notes)),
    )
    progress.trials.append(trial)
    if trial.state == "complete" and (progress.best is None or sum(done.scores) < sum(progress.best.fold_scores)):
        progress.best, progress.oof = trial, done.oof
    progress.race.tell(trial)
    return trial


def cross_validate(recipe: Recipe, params: Params, n: int, progress: _Progress, began: float) -> _Attempt:
    """Fit and judge a setting fold by fold, until it fails, is clearly worse than the best, or time runs out.

    As many folds run side by side as there are threads, but they are told one after the other and what comes after the
    end is dropped: a trial is the same on any number of threads.
    """
    folds, race = progress.folds, progress.race
    together, alone = race.effort.threads, Effort(race.effort.seed, threads=1)
    done = _Attempt(np.full((n, folds[0].rows.n_classes or 1), np.nan))
    for start in range(0, len(folds), together):
        some = folds[start : start + together]
        for fold, judged in zip(some, race.map(lambda fold: judge(recipe, params, fold, alone), some), strict=True):
            add_fold(done, fold, judged)
            if done.state == "complete" and len(done.scores) < len(folds) and hopeless(done, progress.best):
                done.state = "pruned"
            if done.state != "complete":
                return done
        number = len(done.scores)
        spent = race.elapsed() - began
        if number < len(folds) and progress.best and progress.left() < spent / number * together:
            done.state, done.error = "pruned", f"the time ran out after {number} of {len(folds)} folds"
            return done
    return done


class _Judged(NamedTuple):
    """What one fold showed: scores, loss and rounds, or an error."""

    scores: np.ndarray
    loss: float
    rounds: int = 0
    note: str = ""
    error: str = ""


def judge(recipe: Recipe, params: Params, fold: Fold, effort: Effort) -> _Judged:
    """Fit a setting on one fold, and judge it on the rows that were left out."""
    try:
        with STEADY:
            fitted = recipe.fit(params, fold.rows, effort)
            scores = fitted.raw(fold.X)
        score = finite(loss(fold.rows.kind, fold.y, scores, fold.weights))
        return _Judged(scores, score, fitted.rounds, fitted.note)
    except ModelError as caught:
        return _Judged(np.empty(0), math.nan, error=caught.message)
    except MemoryError as caught:
        return _Judged(np.empty(0), math.nan, error=f"it needs more memory than there is ({caught})")


def add_fold(done: _Attempt, fold: Fold, judged: _Judged) -> None:
    """Note what one fold showed."""
    if judged.error:
        done.state, done.error = "failed", judged.error
        return
    done.oof[fold.positions] = judged.scores
    done.scores.append(judged.loss)
    done.judged += len(fold.y)
    done.rounds.append(judged.rounds)
    done.notes |= {judged.note} - {""}


def hopeless(done: _Attempt, best: Trial | None) -> bool:
    """Whether the folds so far hold enough rows and are clearly worse than the same folds of the best trial."""
    if best is None or done.judged < FEWEST_JUDGED:
        return False
    return sum(done.scores) > PRUNE_MARGIN * sum(best.fold_scores[: len(done.scores)])


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


def refit(trial: Trial, rows: Rows, effort: Effort) -> Fitted:
    """Fit a trial's setting on all training rows, for as many rounds as its folds needed."""
    recipe = RECIPES[trial.recipe]
    params = {**trial.params, recipe.rounds: trial.rounds} if trial.rounds else trial.params
    threads = effort.threads if len(rows.y) >= MANY_ROWS else 1
    return recipe.fit(params, rows, Effort(effort.seed, threads))
