"""XGBoost, where it is installed: gradient-boosted trees with a penalty on their leaves."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import optuna

from understudy.core.extras import require
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

PATIENCE = 50


def fit_xgboost(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Gradient-boosted trees (Chen & Guestrin 2016), stopped early where there are rows to stop on."""
    library = require("xgboost", extra="xgboost")
    classes, y = known_classes(rows)
    settings = {
        **{key: value for key, value in params.items() if key != "n_estimators"},
        **objective(classes),
        "tree_method": "hist",
        "nthread": effort.threads,
        "seed": effort.seed,
        "verbosity": 0,
    }
    if rows.monotone is not None and rows.directed:
        settings["monotone_constraints"] = tuple(rows.monotone.tolist())
    train = library.DMatrix(rows.X, y, weight=rows.weights)
    stop = stopping(library, rows, classes)
    booster = library.train(
        settings,
        train,
        params["n_estimators"],
        evals=[(stop, "stop")] if stop else [],
        early_stopping_rounds=PATIENCE if stop else None,
        verbose_eval=False,
    )
    rounds = booster.best_iteration + 1 if stop else params["n_estimators"]
    trees = read_trees(bytes(booster[:rounds].save_raw("json")), classes)
    some = rows.X[:CHECKED_ROWS]
    sums = booster.predict(library.DMatrix(some), output_margin=True, iteration_range=(0, rounds))
    return Estimate(check_sums(trees, some, sums, "XGBoost"), rounds)


def stopping(library: Any, rows: Rows, classes: np.ndarray | None) -> Any:
    """The rows to stop on whose class is known, as XGBoost takes them; None where there are none."""
    if rows.X_stop is None or rows.y_stop is None:
        return None
    known = np.ones(len(rows.y_stop), dtype=bool) if classes is None else np.isin(rows.y_stop, classes)
    y = rows.y_stop[known] if classes is None else np.searchsorted(classes, rows.y_stop[known])
    weights = None if rows.weights_stop is None else rows.weights_stop[known]
    return library.DMatrix(rows.X_stop[known], y, weight=weights)


def objective(classes: np.ndarray | None) -> Params:
    """What it minimises; it begins at even odds, or at the mean, which the target's scale has put at 0."""
    if classes is None:
        return {"objective": "reg:squarederror", "base_score": 0.0}
    if len(classes) == 2:
        return {"objective": "binary:logistic", "base_score": 0.5}
    return {"objective": "multi:softprob", "num_class": len(classes), "base_score": 0.5}


def read_trees(model: bytes, classes: np.ndarray | None) -> BoostedTrees:
    """The trees of a model in XGBoost's JSON format: it splits by x < t, in float32 by x ≤ the number before t."""
    stored = msgspec.json.decode(model)["learner"]["gradient_booster"]["model"]
    k = 1 if classes is None or len(classes) == 2 else len(classes)
    trees = []
    for tree, target in zip(stored["trees"], stored["tree_info"], strict=True):
        left = np.array(tree["left_children"], dtype=np.int64)
        number = np.array(tree["split_conditions"], dtype=np.float32)
        value = np.zeros((len(left), k))
        value[:, target] = np.where(left < 0, number, 0.0)
        before = np.nextafter(number, np.float32(-np.inf)).astype(np.float64)
        right = np.array(tree["right_children"], dtype=np.int64)
        trees.append(Tree(np.array(tree["split_indices"], dtype=np.int64), before, left, right, value))
    return gathered(trees, np.full(k, 0.5 if k > 1 else 0.0), classes)


def xgboost_space(trial: optuna.Trial) -> Params:
    """Settings of the boosted trees that matter most."""
    return {
        "n_estimators": 2000,
        "eta": trial.suggest_float("eta", 0.02, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 3, 10),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 50, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "lambda": trial.suggest_float("lambda", 0.1, 30, log=True),
    }


def deep(depth: int) -> Params:
    """A setting that is known to be strong."""
    return {
        "n_estimators": 2000,
        "eta": 0.05,
        "max_depth": depth,
        "min_child_weight": 2.0,
        "subsample": 0.8,
        "colsample_bytree": 0.7,
        "lambda": 1.0,
    }


XGBOOST = Recipe(
    name="xgboost",
    title="XGBoost",
    kinds=BOTH,
    views=ALL_VIEWS,
    portfolio=(deep(6), deep(3)),
    space=xgboost_space,
    fit_part=fit_xgboost,
    nodes=add_boosted,
    traits=Traits(
        family="boosting",
        about="Adds many small trees, each mending what is left, with a penalty on their leaves.",
        fewest=200,
        per_class=True,
        monotone=True,
        seconds=2.0,
        micros=40,
    ),
    extra="xgboost",
    raced=False,
)
