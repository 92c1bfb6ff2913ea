"""The catalogue: each recipe is a way to fit a model on the encoded matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import optuna
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.steady import STEADY

Params = dict[str, Any]
LINEAR_VIEWS = frozenset({"number", "flag", "level", "word"})
TREE_VIEWS = frozenset({"number", "flag", "code", "word"})
PATIENCE = 50
MOST_CODES = 256
"""A column of codes with more values than this is split on as a number; the encoding makes at most 256."""
MOST_LINEAR_ROWS = 200_000
"""Linear models are fitted on a random sample of this size: more rows move their few weights no more."""
MOST_TREE_ROWS = 50_000
"""Each tree of a forest is grown on at most so many rows."""
ITERATIONS = (400, 1600)
"""How many iterations a logistic regression gets, and how many more if it has not converged by then."""


@dataclass(frozen=True)
class Rows:
    """What a recipe is fitted on.

    Attributes
    ----------
    kind : {"classification", "regression"}
    n_classes : int
        How many classes there are; 0 for regression. A class may have no row here.
    X : ndarray of float32, shape (n, d)
        The encoded inputs.
    y : ndarray of shape (n,)
        Class indices, or numbers.
    views : sequence of str
        What each of the d features shows: "number", "flag", "code", "level" or "word".
    X_stop, y_stop : ndarray, optional
        Rows on which boosting decides when to stop; none of them is in X.
    weights : ndarray of float64, shape (n,), optional
        How much each row of X counts; by default all alike.
    weights_stop : ndarray of float64, optional
        The same for the rows to stop on.
    """

    kind: Kind
    n_classes: int
    X: np.ndarray
    y: np.ndarray
    views: Sequence[str]
    X_stop: np.ndarray | None = None
    y_stop: np.ndarray | None = None
    weights: np.ndarray | None = None
    weights_stop: np.ndarray | None = None


@dataclass(frozen=True)
class Effort:
    """The seed, and how many threads a fit may use."""

    seed: int
    threads: int


class Estimate(NamedTuple):
    """What a library made: the estimator, its boosting rounds, and anything that a reader should know of the fit."""

    estimator: Any
    rounds: int = 0
    note: str = ""


@dataclass(frozen=True)
class Fitted:
    """A fitted member.

    Attributes
    ----------
    recipe : str
        The recipe's name.
    estimator : object
        What the library returned.
    columns : ndarray of int64
        The features that it takes of the encoded matrix.
    kind, n_classes : Kind, int
        As in `Rows`.
    center, scale : float
        For regression, what the target was shifted and divided by before the fit.
    rounds : int
        How many boosting rounds were kept; 0 where that means nothing.
    note : str
        What a reader should know of the fit: rows left out, a search for weights that was cut short.
    """

    recipe: str
    estimator: Any
    columns: np.ndarray
    kind: Kind
    n_classes: int
    center: float = 0.0
    scale: float = 1.0
    rounds: int = 0
    note: str = ""

    def raw(self, X: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities of shape (n, n_classes), or numbers of shape (n, 1), as float64."""
        part = X[:, self.columns]
        if self.kind == "regression":
            values = np.asarray(self.estimator.predict(part), dtype=np.float64).reshape(-1, 1)
            return values * self.scale + self.center
        return full_probabilities(self, part)


def full_probabilities(fitted: Fitted, X: np.ndarray) -> np.ndarray:
    """Probabilities with a column for every class, also for those that were not in the training rows."""
    estimator = fitted.estimator
    if isinstance(estimator, lgb.Booster):
        scores = np.asarray(estimator.predict(X), dtype=np.float64)
        return scores if scores.ndim == 2 else np.column_stack([1 - scores, scores])
    probabilities = np.zeros((len(X), fitted.n_classes))
    probabilities[:, estimator.classes_] = estimator.predict_proba(X)
    return probabilities


@dataclass(frozen=True)
class Recipe:
    """A way to build a model.

    Attributes
    ----------
    name, title : str
        For machines and for people.
    kinds : frozenset of str
        The kinds of task that it suits.
    views : frozenset of str
        The views of the encoding that it takes.
    portfolio : tuple of dict
        Settings that are tried first, the best guess first.
    space : callable
        Draws settings from an Optuna trial.
    fit_part : callable
        Fits on the chosen features and the scaled target.
    """

    name: str
    title: str
    kinds: frozenset[Kind]
    views: frozenset[str]
    portfolio: tuple[Params, ...]
    space: Callable[[optuna.Trial], Params]
    fit_part: Callable[[Params, Rows, Effort], Estimate]

    def columns(self, views: Sequence[str]) -> np.ndarray:
        """The features that it takes, by their views."""
        return np.array([index for index, view in enumerate(views) if view in self.views], dtype=np.int64)

    def fit(self, params: Params, rows: Rows, effort: Effort) -> Fitted:
        """Fit on some rows.

        Raises
        ------
        ModelError
            No feature has a view that the recipe takes, or the library refuses the rows or the settings.
        """
        columns = self.columns(rows.views)
        if not len(columns):
            raise ModelError(f"{self.title} has no feature to learn from.")
        center, scale = target_scale(rows)
        part = replace(
            scaled(rows, center, scale),
            X=rows.X[:, columns],
            views=[rows.views[index] for index in columns],
            X_stop=None if rows.X_stop is None else rows.X_stop[:, columns],
        )
        try:
            with STEADY:
                estimator, rounds, note = self.fit_part(params, part, effort)
        except (ValueError, ArithmeticError, lgb.basic.LightGBMError) as error:
            raise ModelError(f"{self.title} could not be fitted: {error}") from error
        return Fitted(self.name, estimator, columns, rows.kind, rows.n_classes, center, scale, rounds, note)


def target_scale(rows: Rows) -> tuple[float, float]:
    """The mean and standard deviation of a numeric target; 0 and 1 for classes, and 1 where it is constant."""
    if rows.kind == "classification":
        return 0.0, 1.0
    center = float(np.average(rows.y, weights=rows.weights))
    return center, float(np.sqrt(np.average((rows.y - center) ** 2, weights=rows.weights))) or 1.0


def scaled(rows: Rows, center: float, scale: float) -> Rows:
    """The rows with their numeric target, also that of the stopping rows, shifted and divided."""
    if rows.kind == "classification":
        return rows
    y_stop = None if rows.y_stop is None else (rows.y_stop - center) / scale
    return replace(rows, y=(rows.y - center) / scale, y_stop=y_stop)


def sampled(rows: Rows, seed: int) -> tuple[Rows, str]:
    """At most `MOST_LINEAR_ROWS` of the rows, drawn at random and kept in their order, and a note that says so."""
    n = len(rows.y)
    if n <= MOST_LINEAR_ROWS:
        return rows, ""
    chosen = np.sort(np.random.default_rng(seed).choice(n, MOST_LINEAR_ROWS, replace=False))
    weights = None if rows.weights is None else rows.weights[chosen]
    part = replace(rows, X=rows.X[chosen], y=rows.y[chosen], weights=weights)
    return part, f"fitted on a random {MOST_LINEAR_ROWS:,} of {n:,} rows"


def fit_logistic(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """L2-regularised multinomial logistic regression, by L-BFGS."""
    part, note = sampled(rows, effort.seed)
    X = part.X.astype(np.float64)
    model = LogisticRegression(C=params["C"], warm_start=True)
    for iterations in ITERATIONS:
        model.set_params(max_iter=iterations).fit(X, part.y, part.weights)
        if model.n_iter_.max() < iterations:
            return Estimate(model, note=note)
    unfinished = f"stopped after {sum(ITERATIONS):,} iterations, before its weights settled"
    return Estimate(model, note="; ".join(filter(None, [note, unfinished])))


def fit_ridge(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Linear regression with an L2 penalty."""
    part, note = sampled(rows, effort.seed)
    return Estimate(Ridge(alpha=params["alpha"]).fit(part.X.astype(np.float64), part.y, part.weights), note=note)


def fit_forest(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """A random forest (Breiman 2001)."""
    build = RandomForestClassifier if rows.kind == "classification" else RandomForestRegressor
    many = len(rows.y) > MOST_TREE_ROWS
    model = build(
        n_estimators=params["n_estimators"],
        min_samples_leaf=params["min_samples_leaf"],
        max_features=params["max_features"],
        max_samples=MOST_TREE_ROWS if many else None,
        n_jobs=effort.threads,
        random_state=effort.seed,
    )
    model.fit(rows.X, rows.y, rows.weights)
    model.set_params(n_jobs=None)  # threads would add the trees' votes in any order, and the last bits would vary
    return Estimate(model, note=f"each tree sees {MOST_TREE_ROWS:,} of {len(rows.y):,} rows" if many else "")


def fit_lightgbm(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Gradient-boosted trees (Ke et al. 2017), stopped early where there are rows to stop on."""
    settings = {
        **{key: value for key, value in params.items() if key != "n_estimators"},
        **objective(rows),
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": effort.threads,
        "seed": effort.seed,
        "verbose": -1,
        "max_cat_to_onehot": 4,
        "cat_smooth": 20,
        "min_data_per_group": 50,
    }
    codes = [index for index, view in enumerate(rows.views) if view == "code" and rows.X[:, index].max() < MOST_CODES]
    train = lgb.Dataset(rows.X, rows.y, weight=rows.weights, categorical_feature=codes)
    if rows.X_stop is None:
        booster = lgb.train(settings, train, params["n_estimators"])
        return Estimate(booster, booster.current_iteration())
    stop = lgb.Dataset(rows.X_stop, rows.y_stop, weight=rows.weights_stop, reference=train)
    callbacks = [lgb.early_stopping(PATIENCE, verbose=False)]
    booster = lgb.train(settings, train, params["n_estimators"], valid_sets=[stop], callbacks=callbacks)
    return Estimate(booster, booster.best_iteration)


def objective(rows: Rows) -> Params:
    """What LightGBM minimises."""
    if rows.kind == "regression":
        return {"objective": "regression", "metric": "l2"}
    if rows.n_classes == 2:
        return {"objective": "binary", "metric": "binary_logloss"}
    return {"objective": "multiclass", "metric": "multi_logloss", "num_class": rows.n_classes}


def lightgbm_space(trial: optuna.Trial) -> Params:
    """Settings of the boosted trees that matter most."""
    return {
        "n_estimators": 2000,
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 6, 127, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, 200, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.4, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "bagging_freq": 1,
        "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 30.0, log=True),
    }


def forest_space(trial: optuna.Trial) -> Params:
    """How large the leaves are, and how many features a split sees."""
    return {
        "n_estimators": 200,
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 50, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 0.8),
    }


def boosted(leaves: int, leaf_rows: int) -> Params:
    """A setting of the boosted trees that is known to be strong."""
    return {
        "n_estimators": 2000,
        "learning_rate": 0.05,
        "num_leaves": leaves,
        "min_data_in_leaf": leaf_rows,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
    }


BOTH: frozenset[Kind] = frozenset({"classification", "regression"})

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="lightgbm",
            title="LightGBM",
            kinds=BOTH,
            views=TREE_VIEWS,
            portfolio=(boosted(31, 20), boosted(8, 20), boosted(84, 10)),
            space=lightgbm_space,
            fit_part=fit_lightgbm,
        ),
        Recipe(
            name="logistic",
            title="Logistic regression",
            kinds=frozenset({"classification"}),
            views=LINEAR_VIEWS,
            portfolio=({"C": 1.0}, {"C": 0.05}),
            space=lambda trial: {"C": trial.suggest_float("C", 1e-3, 100.0, log=True)},
            fit_part=fit_logistic,
        ),
        Recipe(
            name="ridge",
            title="Ridge regression",
            kinds=frozenset({"regression"}),
            views=LINEAR_VIEWS,
            portfolio=({"alpha": 1.0}, {"alpha": 30.0}),
            space=lambda trial: {"alpha": trial.suggest_float("alpha", 1e-3, 1e3, log=True)},
            fit_part=fit_ridge,
        ),
        Recipe(
            name="forest",
            title="Random forest",
            kinds=BOTH,
            views=TREE_VIEWS,
            portfolio=({"n_estimators": 200, "min_samples_leaf": 5, "max_features": 0.35},),
            space=forest_space,
            fit_part=fit_forest,
        ),
    )
}


def baseline_scores(y: np.ndarray, *, kind: Kind, n_classes: int, n: int) -> np.ndarray:
    """What one would say knowing nothing of the case: the shares of the classes, or the mean.

    Returns
    -------
    ndarray of shape (n, n_classes) or (n, 1)
    """
    if kind == "regression":
        return np.full((n, 1), float(np.mean(y)))
    shares = np.bincount(y, minlength=n_classes) / len(y)
    return np.tile(shares, (n, 1))
