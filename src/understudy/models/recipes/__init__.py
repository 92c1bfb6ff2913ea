"""The catalogue: each recipe is a way to fit a model on the encoded matrix."""

from __future__ import annotations

from understudy.models.recipes.bayes import BAYES
from understudy.models.recipes.catboost import CATBOOST
from understudy.models.recipes.histogram import HISTOGRAM
from understudy.models.recipes.kernels import LINEAR_SVM, SVM
from understudy.models.recipes.lightgbm import LIGHTGBM
from understudy.models.recipes.linear import ELASTIC_NET, LASSO, LOGISTIC, RIDGE
from understudy.models.recipes.neighbours import NEIGHBOURS
from understudy.models.recipes.network import NETWORK
from understudy.models.recipes.recipe import Estimate, Fitted, Params, Recipe, Traits
from understudy.models.recipes.rules import RULES
from understudy.models.recipes.trees import EXTRA_TREES, FOREST, TREE
from understudy.models.recipes.xgboost import XGBOOST
from understudy.models.rows import Effort, Rows, baseline_scores

__all__ = [
    "RECIPES",
    "Effort",
    "Estimate",
    "Fitted",
    "Params",
    "Recipe",
    "Rows",
    "Traits",
    "baseline_scores",
]

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        LIGHTGBM,
        LOGISTIC,
        RIDGE,
        FOREST,
        EXTRA_TREES,
        CATBOOST,
        NETWORK,
        RULES,
        TREE,
        LASSO,
        ELASTIC_NET,
        LINEAR_SVM,
        BAYES,
        NEIGHBOURS,
        SVM,
        HISTOGRAM,
        XGBOOST,
    )
}
"""Every recipe by its name; those that are raced where none is named come first."""
