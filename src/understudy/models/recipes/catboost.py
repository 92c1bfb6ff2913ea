"""CatBoost, where it is installed: gradient-boosted symmetric trees, strong without tuning."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
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


def fit_catboost(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Ordered boosting of symmetric trees (Prokhorenkova et al. 2018) on the encoded columns.

    Its own way with categories is not used: a model that has it cannot be compiled.
    """
    library = require("catboost", extra="catboost")
    classes, y = known_classes(rows)
    settings = {
        **{key: value for key, value in params.items() if key != "n_estimators"},
        "iterations": params["n_estimators"],
        "loss_function": "RMSE" if classes is None else "Logloss" if len(classes) == 2 else "MultiClass",
        "thread_count": effort.threads,
        "random_seed": effort.seed,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
    if rows.monotone is not None and rows.directed:
        settings["monotone_constraints"] = rows.monotone.tolist()
    stop = stopping(library, rows, classes)
    if stop is not None:
        settings["early_stopping_rounds"] = PATIENCE
    model = library.CatBoost(settings)
    try:
        model.fit(library.Pool(rows.X, y, weight=rows.weights), eval_set=stop)
    except library.CatBoostError as error:
        raise ValueError(str(error)) from error
    trees = read_trees(as_json(model), classes)
    some = rows.X[:CHECKED_ROWS]
    sums = np.asarray(model.predict(some, prediction_type="RawFormulaVal"))
    return Estimate(check_sums(trees, some, sums, "CatBoost"), int(model.tree_count_))


def stopping(library: Any, rows: Rows, classes: np.ndarray | None) -> Any:
    """The rows to stop on whose class is known, as CatBoost takes them; None where there are none."""
    if rows.X_stop is None or rows.y_stop is None:
        return None
    known = np.ones(len(rows.y_stop), dtype=bool) if classes is None else np.isin(rows.y_stop, classes)
    y = rows.y_stop[known] if classes is None else np.searchsorted(classes, rows.y_stop[known])
    return library.Pool(rows.X_stop[known], y, weight=None if rows.weights_stop is None else rows.weights_stop[known])


def as_json(model: Any) -> bytes:
    """A model in CatBoost's JSON format, which it writes to files only."""
    with TemporaryDirectory() as place:
        file = Path(place) / "model.json"
        model.save_model(str(file), format="json")
        return file.read_bytes()


def read_trees(model: bytes, classes: np.ndarray | None) -> BoostedTrees:
    """The trees of a model in CatBoost's JSON format.

    A symmetric tree asks all rows the same questions: the leaf's number has a one in the i-th place where the i-th
    question, x > border, is answered by yes.
    """
    stored = msgspec.json.decode(model)
    scale, start = stored["scale_and_bias"]
    k = 1 if classes is None or len(classes) == 2 else len(classes)
    trees = [
        symmetric(tree["splits"], np.reshape(tree["leaf_values"], (-1, k)) * scale)
        for tree in stored["oblivious_trees"]
    ]
    return gathered(trees, np.array(start, dtype=np.float64), classes)


def symmetric(splits: list[dict[str, Any]] | None, leaves: np.ndarray) -> Tree:
    """A symmetric tree as a binary one, whose root asks the last question and whose leaves come last."""
    asked = list(reversed(splits or []))
    inner = 2 ** len(asked) - 1
    total = inner + len(leaves)
    level = np.floor(np.log2(np.arange(inner) + 1)).astype(np.int64)
    features = np.array([split["float_feature_index"] for split in asked], dtype=np.int64)
    borders = np.array([split["border"] for split in asked], dtype=np.float32).astype(np.float64)
    feature, threshold = np.zeros(total, dtype=np.int64), np.zeros(total)
    feature[:inner], threshold[:inner] = features[level], borders[level]
    below = 2 * np.arange(total) + 1
    left, right = np.where(np.arange(total) < inner, below, -1), np.where(np.arange(total) < inner, below + 1, -1)
    value = np.zeros((total, leaves.shape[1]))
    value[inner:] = leaves
    return Tree(feature, threshold, left, right, value)


def catboost_space(trial: optuna.Trial) -> Params:
    """Settings of the boosted trees that matter most."""
    return {
        "n_estimators": 2000,
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "depth": trial.suggest_int("depth", 3, 8),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.5, 30, log=True),
    }


CATBOOST = Recipe(
    name="catboost",
    title="CatBoost",
    kinds=BOTH,
    views=ALL_VIEWS,
    portfolio=({"n_estimators": 2000, "learning_rate": 0.05, "depth": 6, "l2_leaf_reg": 3.0},),
    space=catboost_space,
    fit_part=fit_catboost,
    nodes=add_boosted,
    traits=Traits(
        family="boosting",
        about="Adds many symmetric trees, each mending what is left; strong without tuning.",
        fewest=100,
        monotone=True,
        seconds=2.5,
        micros=35,
    ),
    extra="catboost",
)
