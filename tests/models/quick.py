"""Settings with which every recipe that can run here is fitted in a moment."""

from importlib.util import find_spec

from understudy.models.recipes import RECIPES

SMALL = {
    "forest": {"n_estimators": 20, "min_samples_leaf": 5, "max_features": 0.5},
    "extra_trees": {"n_estimators": 20, "min_samples_leaf": 5, "max_features": 0.5},
    "network": {"units": 16, "layers": 2, "alpha": 1e-3, "learning_rate": 0.01},
}
HERE = [name for name, recipe in RECIPES.items() if not recipe.extra or find_spec(recipe.extra)]
"""Those whose library is installed."""
QUICK = {
    name: SMALL.get(name)
    or RECIPES[name].portfolio[0] | ({"n_estimators": 40} if "n_estimators" in RECIPES[name].portfolio[0] else {})
    for name in HERE
}
MEMBERS = [
    (name, k) for name in HERE for k in (2, 3, 0) if ("classification" if k else "regression") in RECIPES[name].kinds
]
"""Recipes with the numbers of classes that they can tell apart; 0 for numbers."""
CLASSIFIERS = [name for name, k in MEMBERS if k == 3]
ESTIMATORS = [name for name, k in MEMBERS if not k]
BRIEF = {name: params | ({"n_estimators": 5} if "n_estimators" in params else {}) for name, params in QUICK.items()}
"""The same with fewer trees, where it does not matter how good they are."""
BOOSTED = [name for name in ("lightgbm", "histogram", "xgboost", "catboost") if name in HERE]
