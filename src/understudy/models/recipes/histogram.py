"""Histogram boosting: scikit-learn's own gradient-boosted trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from understudy.models.ensemble import rounded_down
from understudy.models.recipes.boosted import (
    CHECKED_ROWS,
    BoostedTrees,
    Tree,
    add_boosted,
    check_sums,
    gathered,
    known_classes,
)
from understudy.models.recipes.recipe import ALL_VIEWS, BOTH, Estimate, Params, Recipe, Traits
from understudy.models.rows import Effort, Rows

PATIENCE = 20


def fit_histogram(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Gradient-boosted trees on at most 255 bins, stopped early where there are rows to stop on."""
    build = HistGradientBoostingClassifier if rows.kind == "classification" else HistGradientBoostingRegressor
    model = build(
        max_iter=params["n_estimators"],
        learning_rate=params["learning_rate"],
        max_leaf_nodes=params["leaves"],
        min_samples_leaf=params["min_samples_leaf"],
        l2_regularization=params["l2"],
        max_features=params["max_features"],
        monotonic_cst=rows.monotone if rows.directed else None,
        categorical_features=None,
        early_stopping=rows.X_stop is not None,
        n_iter_no_change=PATIENCE,
        random_state=effort.seed,
    )
    classes, _ = known_classes(rows)
    with threadpool_limits(limits=effort.threads, user_api="openmp"):
        model.fit(rows.X, rows.y, rows.weights, **stopping(rows))
    some = rows.X[:CHECKED_ROWS]
    sums = model.predict(some) if classes is None else model.decision_function(some)
    trees = read_trees(model, classes)
    return Estimate(check_sums(trees, some, sums, "scikit-learn"), model.n_iter_)


def stopping(rows: Rows) -> dict[str, np.ndarray | None]:
    """The rows to stop on whose class has been seen."""
    if rows.X_stop is None or rows.y_stop is None:
        return {}
    known = np.isin(rows.y_stop, rows.y) if rows.kind == "classification" else np.ones(len(rows.y_stop), dtype=bool)
    weights = None if rows.weights_stop is None else rows.weights_stop[known]
    return {"X_val": rows.X_stop[known], "y_val": rows.y_stop[known], "sample_weight_val": weights}


def read_trees(model: Any, classes: np.ndarray | None) -> BoostedTrees:
    """The trees of a fitted model, round by round.

    scikit-learn has no public way to them. Should its private one change, `check_sums` finds out.
    """
    start = np.reshape(model._baseline_prediction, -1).astype(np.float64)
    trees = []
    for grown in model._predictors:
        for target, tree in enumerate(grown):
            nodes, value = tree.nodes, np.zeros((len(tree.nodes), len(start)))
            value[:, target] = np.where(nodes["is_leaf"], nodes["value"], 0.0)
            left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
            threshold = rounded_down(np.where(nodes["is_leaf"], 0.0, nodes["num_threshold"])).astype(np.float64)
            feature = nodes["feature_idx"].astype(np.int64)
            trees.append(Tree(feature, threshold, np.where(nodes["is_leaf"], -1, left), right, value))
    return gathered(trees, start, classes)


def histogram_space(trial: optuna.Trial) -> Params:
    """Settings of the boosted trees that matter most."""
    return {
        "n_estimators": 1000,
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "leaves": trial.suggest_int("leaves", 6, 127, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 200, log=True),
        "l2": trial.suggest_float("l2", 1e-3, 30.0, log=True),
        "max_features": trial.suggest_float("max_features", 0.4, 1.0),
    }


HISTOGRAM = Recipe(
    name="histogram",
    title="Histogram boosting",
    kinds=BOTH,
    views=ALL_VIEWS,
    portfolio=(
        {
            "n_estimators": 1000,
            "learning_rate": 0.05,
            "leaves": 31,
            "min_samples_leaf": 20,
            "l2": 1.0,
            "max_features": 0.7,
        },
        {
            "n_estimators": 1000,
            "learning_rate": 0.05,
            "leaves": 8,
            "min_samples_leaf": 20,
            "l2": 1.0,
            "max_features": 0.7,
        },
    ),
    space=histogram_space,
    fit_part=fit_histogram,
    nodes=add_boosted,
    traits=Traits(
        family="boosting",
        about="Adds many small trees, each mending what is left; scikit-learn's own.",
        fewest=200,
        per_class=True,
        monotone=True,
        seconds=2.0,
        micros=40,
    ),
    raced=False,
)
