"""Decision trees: a small one that can be drawn, and forests of large ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from understudy.models.ensemble import Ensemble
from understudy.models.nodes import Graph
from understudy.models.recipes.recipe import BOTH, LINEAR_VIEWS, TREE_VIEWS, Estimate, Fitted, Params, Recipe, Traits
from understudy.models.rows import Effort, Rows, notes

MOST_TREE_ROWS = 50_000
"""Each tree of a forest is grown on at most so many rows."""
MOST_LEAVES = 1_000_000
"""The leaves of a forest, all in all: compiled they take some 60 MB."""
BOOTSTRAPPED = 0.632
"""The share of the rows that a draw with replacement holds."""
DRAWN_TO_ALL = 0.5
"""The rows by which the shares of a forest's leaf are drawn to those of all rows."""


def fit_tree(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """A small decision tree (Breiman, Friedman, Olshen & Stone 1984), grown where it helps most first.

    The shares of a leaf are drawn to those of all rows, as by one row more: no answer is ever ruled out.
    """
    build = DecisionTreeClassifier if rows.kind == "classification" else DecisionTreeRegressor
    model = build(
        max_leaf_nodes=params["leaves"],
        min_samples_leaf=params["min_samples_leaf"],
        monotonic_cst=rows.monotone if rows.directed else None,
        random_state=effort.seed,
    )
    model.fit(rows.X, rows.y, rows.weights)
    if rows.kind == "classification":
        draw_to_all(model.tree_, 1.0, even=rows.directed)
    return Estimate(model)


def draw_to_all(tree: Any, by: float, *, even: bool) -> None:
    """Draw the shares of each leaf to those of all rows, as by so many rows more; `even` keeps the order of leaves.

    A small leaf is drawn more than a large one, which could turn a known direction round; evenly each is drawn as the
    smallest.
    """
    values, sizes = tree.value, tree.weighted_n_node_samples
    if even:
        sizes = np.full(len(sizes), sizes[tree.children_left < 0].min())
    values[:, 0] = (values[:, 0] * sizes[:, None] + by * values[0, 0]) / (sizes[:, None] + by)


def fit_forest(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """A random forest (Breiman 2001)."""
    build = RandomForestClassifier if rows.kind == "classification" else RandomForestRegressor
    many = len(rows.y) > MOST_TREE_ROWS
    return grown(build, params, rows, effort, max_samples=MOST_TREE_ROWS if many else None)


def fit_extra_trees(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Extremely randomised trees (Geurts, Ernst & Wehenkel 2006), each on all rows as long as they are not too many."""
    build = ExtraTreesClassifier if rows.kind == "classification" else ExtraTreesRegressor
    many = len(rows.y) > MOST_TREE_ROWS
    return grown(build, params, rows, effort, bootstrap=many, max_samples=MOST_TREE_ROWS if many else None)


def grown(build: Any, params: Params, rows: Rows, effort: Effort, **settings: Any) -> Estimate:
    """A fitted forest, whose leaves are larger than asked for where they would be too many to serve.

    The shares of a leaf are drawn to those of all rows, as by half a row more: one row alone makes nothing certain.
    """
    seen = min(settings["max_samples"] or len(rows.y), len(rows.y))
    distinct = seen if settings.get("bootstrap") is False else BOOTSTRAPPED * seen
    leaf = max(params["min_samples_leaf"], math.ceil(params["n_estimators"] * distinct / MOST_LEAVES))
    model = build(
        n_estimators=params["n_estimators"],
        min_samples_leaf=leaf,
        max_features=params["max_features"],
        monotonic_cst=rows.monotone if rows.directed else None,
        n_jobs=effort.threads,
        random_state=effort.seed,
        **settings,
    )
    model.fit(rows.X, rows.y, rows.weights)
    model.set_params(n_jobs=None)  # threads would add the trees' votes in any order, and the last bits would vary
    if rows.kind == "classification":
        for tree in model.estimators_:
            draw_to_all(tree.tree_, DRAWN_TO_ALL, even=rows.directed)
    few = f"each tree sees {seen:,} of {len(rows.y):,} rows" if seen < len(rows.y) else ""
    large = f"leaves of {leaf} rows: smaller ones would be too many" if leaf > params["min_samples_leaf"] else ""
    return Estimate(model, note=notes(few, large))


def add_forest(fitted: Fitted, graph: Graph) -> None:
    """The mean of the trees' votes."""
    trees = getattr(fitted.estimator, "estimators_", [fitted.estimator])
    classes = fitted.estimator.classes_ if fitted.kind == "classification" else np.array([0])
    ensemble = Ensemble()
    for tree in trees:
        ensemble.add_forest_tree(tree.tree_, classes, 1.0 / len(trees))
    ensemble.write(graph, "raw", fitted.n_classes or 1)


def tree_space(trial: optuna.Trial) -> Params:
    """How large a tree is, so that it can still be drawn."""
    return {
        "leaves": trial.suggest_int("leaves", 3, 24),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 200, log=True),
    }


def forest_space(trial: optuna.Trial) -> Params:
    """How large the leaves are, and how many features a split sees."""
    return {
        "n_estimators": 100,
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 50, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 0.8),
    }


def extra_trees_space(trial: optuna.Trial) -> Params:
    """The same for trees whose thresholds are drawn at random, which stand smaller leaves."""
    return {
        "n_estimators": 100,
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 30, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
    }


TREE = Recipe(
    name="tree",
    title="Decision tree",
    kinds=BOTH,
    views=LINEAR_VIEWS,  # a level of its own reads better than "code ≤ 7"
    portfolio=({"leaves": 8, "min_samples_leaf": 10}, {"leaves": 16, "min_samples_leaf": 20}),
    space=tree_space,
    fit_part=fit_tree,
    nodes=add_forest,
    traits=Traits(
        family="tree",
        about="Asks a few questions one after the other, small enough to be drawn.",
        reads="whole",
        fewest=50,
        monotone=True,
        seconds=0.06,
        micros=8,
    ),
    raced=False,
)

FOREST = Recipe(
    name="forest",
    title="Random forest",
    kinds=BOTH,
    views=TREE_VIEWS,
    portfolio=(
        {"n_estimators": 100, "min_samples_leaf": 5, "max_features": 0.35},
        {"n_estimators": 100, "min_samples_leaf": 1, "max_features": 0.35},
    ),
    portfolio_numbers=(
        {"n_estimators": 100, "min_samples_leaf": 1, "max_features": 0.35},
        {"n_estimators": 100, "min_samples_leaf": 5, "max_features": 0.35},
    ),
    space=forest_space,
    fit_part=fit_forest,
    nodes=add_forest,
    traits=Traits(
        family="forests",
        about="Lets many large trees vote, each on other rows and columns; needs little tuning.",
        fewest=100,
        monotone=True,
        seconds=3.2,
        growth=1.1,
        micros=70,
    ),
)

EXTRA_TREES = Recipe(
    name="extra_trees",
    title="Extra trees",
    kinds=BOTH,
    views=TREE_VIEWS,
    portfolio=(
        {"n_estimators": 100, "min_samples_leaf": 5, "max_features": 0.35},
        {"n_estimators": 100, "min_samples_leaf": 1, "max_features": 0.5},
    ),
    portfolio_numbers=(
        {"n_estimators": 100, "min_samples_leaf": 1, "max_features": 0.5},
        {"n_estimators": 100, "min_samples_leaf": 3, "max_features": 0.8},
    ),
    space=extra_trees_space,
    fit_part=fit_extra_trees,
    nodes=add_forest,
    traits=Traits(
        family="forests",
        about="Lets many trees vote whose thresholds are drawn at random; smoother than a random forest.",
        fewest=100,
        monotone=True,
        seconds=1.5,
        growth=1.1,
        micros=80,
    ),
)
