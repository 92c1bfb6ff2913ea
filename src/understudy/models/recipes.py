"""The catalogue: each recipe is a way to fit a model on the encoded matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind

Params = dict[str, Any]
LINEAR_VIEWS = frozenset({"number", "flag", "level", "word"})
TREE_VIEWS = frozenset({"number", "flag", "code", "word"})
PATIENCE = 50


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
    """

    kind: Kind
    n_classes: int
    X: np.ndarray
    y: np.ndarray
    views: Sequence[str]
    X_stop: np.ndarray | None = None
    y_stop: np.ndarray | None = None


@dataclass(frozen=True)
class Effort:
    """The seed, and how many threads a fit may use."""

    seed: int
    threads: int


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
    """

    recipe: str
    estimator: Any
    columns: np.ndarray
    kind: Kind
    n_classes: int
    center: float = 0.0
    scale: float = 1.0
    rounds: int = 0

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
        Fits on the chosen features: (params, rows, effort, features that are codes) -> estimator, rounds.
    """

    name: str
    title: str
    kinds: frozenset[Kind]
    views: frozenset[str]
    portfolio: tuple[Params, ...]
    space: Callable[[optuna.Trial], Params]
    fit_part: Callable[[Params, Rows, Effort], tuple[Any, int]]

    def columns(self, views: Sequence[str]) -> np.ndarray:
        """The features that it takes, by their views."""
        return np.array([index for index, view in enumerate(views) if view in self.views], dtype=np.int64)

    def fit(self, params: Params, rows: Rows, effort: Effort) -> Fitted:
        """Fit on some rows.

        Raises
        ------
        ModelError
            No feature has a view that the recipe takes, or the library fails.
        """
        columns = self.columns(rows.views)
        if not len(columns):
            raise ModelError(f"{self.title} has no feature to learn from.")
        center, scale = target_scale(rows)
        part = replace(
            rows,
            X=rows.X[:, columns],
            y=rows.y if rows.kind == "classification" else (rows.y - center) / scale,
            views=[rows.views[index] for index in columns],
            X_stop=None if rows.X_stop is None else rows.X_stop[:, columns],
            y_stop=None if rows.y_stop is None else scaled_stop(rows, center, scale),
        )
        estimator, rounds = self.fit_part(params, part, effort)
        return Fitted(self.name, estimator, columns, rows.kind, rows.n_classes, center, scale, rounds)


def target_scale(rows: Rows) -> tuple[float, float]:
    """The mean and standard deviation of a numeric target; 0 and 1 for classes."""
    if rows.kind == "classification":
        return 0.0, 1.0
    return float(np.mean(rows.y)), float(np.std(rows.y)) or 1.0


def scaled_stop(rows: Rows, center: float, scale: float) -> np.ndarray:
    """The stopping rows' target on the scale of the training target."""
    stop: np.ndarray = rows.y_stop if rows.kind == "classification" else (rows.y_stop - center) / scale  # type: ignore[operator,assignment]
    return stop


def fit_logistic(params: Params, rows: Rows, effort: Effort) -> tuple[Any, int]:
    """L2-regularised multinomial logistic regression."""
    model = LogisticRegression(C=params["C"], max_iter=params.get("max_iter", 400), random_state=effort.seed)
    return model.fit(rows.X.astype(np.float64), rows.y), 0


def fit_ridge(params: Params, rows: Rows, effort: Effort) -> tuple[Any, int]:
    """Linear regression with an L2 penalty."""
    return Ridge(alpha=params["alpha"], random_state=effort.seed).fit(rows.X.astype(np.float64), rows.y), 0


def fit_forest(params: Params, rows: Rows, effort: Effort) -> tuple[Any, int]:
    """A random forest (Breiman 2001)."""
    build = RandomForestClassifier if rows.kind == "classification" else RandomForestRegressor
    model = build(
        n_estimators=params["n_estimators"],
        min_samples_leaf=params["min_samples_leaf"],
        max_features=params["max_features"],
        max_samples=None if len(rows.y) <= 50_000 else 50_000,
        n_jobs=effort.threads,
        random_state=effort.seed,
    )
    return model.fit(rows.X, rows.y), 0


def fit_lightgbm(params: Params, rows: Rows, effort: Effort) -> tuple[Any, int]:
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
    codes = [index for index, view in enumerate(rows.views) if view == "code"]
    train = lgb.Dataset(rows.X, rows.y, categorical_feature=codes, free_raw_data=True)
    if rows.X_stop is None:
        return lgb.train(settings, train, num_boost_round=params["n_estimators"]), params["n_estimators"]
    stop = lgb.Dataset(rows.X_stop, rows.y_stop, reference=train)
    callbacks = [lgb.early_stopping(PATIENCE, verbose=False)]
    booster = lgb.train(settings, train, params["n_estimators"], valid_sets=[stop], callbacks=callbacks)
    return booster, booster.best_iteration


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
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 3, 30, log=True),
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
            name="lightgbm",
            title="LightGBM",
            kinds=BOTH,
            views=TREE_VIEWS,
            portfolio=(boosted(31, 20), boosted(8, 20), boosted(84, 10)),
            space=lightgbm_space,
            fit_part=fit_lightgbm,
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
