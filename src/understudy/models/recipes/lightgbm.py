"""LightGBM: gradient-boosted trees grown leaf by leaf."""

from __future__ import annotations

import lightgbm as lgb
import optuna

from understudy.models.ensemble import Ensemble, add_link
from understudy.models.nodes import Graph
from understudy.models.recipes.recipe import BOTH, TREE_VIEWS, Estimate, Fitted, Params, Recipe, Traits
from understudy.models.rows import Effort, Rows
from understudy.models.steps import PLAIN

PATIENCE = 50
MOST_CODES = 256
"""A column of codes with more values than this is split on as a number; the encoding makes at most 256."""


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
    if rows.monotone is not None and rows.directed:
        settings["monotone_constraints"] = rows.monotone.tolist()
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


def add_lightgbm(fitted: Fitted, graph: Graph) -> None:
    """The boosted trees, node by node, then the objective's link from sums to probabilities."""
    sums = max(1, fitted.n_classes if fitted.n_classes > 2 else 1)
    ensemble = Ensemble()
    for number, tree in enumerate(fitted.estimator.dump_model()["tree_info"]):
        ensemble.add_splits(tree["tree_structure"], number % sums)
    add_link(graph, ensemble, fitted.n_classes)


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
        "steps": trial.suggest_categorical("steps", [PLAIN, "means"]),
    }


def boosted(leaves: int, leaf_rows: int, learning_rate: float, steps: str = PLAIN) -> Params:
    """A setting of the boosted trees that is known to be strong."""
    return {
        "n_estimators": 2000,
        "learning_rate": learning_rate,
        "num_leaves": leaves,
        "min_data_in_leaf": leaf_rows,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "steps": steps,
    }


LIGHTGBM = Recipe(
    name="lightgbm",
    title="LightGBM",
    kinds=BOTH,
    views=TREE_VIEWS,
    portfolio=(boosted(31, 20, 0.05), boosted(8, 20, 0.05), boosted(84, 10, 0.03, "means")),
    portfolio_numbers=(boosted(84, 10, 0.03), boosted(8, 20, 0.05), boosted(31, 20, 0.05, "means")),
    space=lightgbm_space,
    fit_part=fit_lightgbm,
    nodes=add_lightgbm,
    traits=Traits(
        family="boosting",
        about="Adds many small trees, each mending what is left; splits levels into sets.",
        fewest=200,
        per_class=True,
        monotone=True,
        seconds=1.5,
        micros=40,
    ),
)
