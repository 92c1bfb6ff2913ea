"""Linear and logistic models: sums of weighted features, with a weight that each reader can check."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from understudy.models.nodes import ABSENT, Graph, add_shares, add_weighted_sums, placed
from understudy.models.recipes.penalised import Penalty, fit_weights, largest_penalty
from understudy.models.recipes.recipe import (
    BOTH,
    CLASSES,
    LINEAR_VIEWS,
    NUMBERS,
    Estimate,
    Fitted,
    Params,
    Recipe,
    Traits,
)
from understudy.models.rows import Effort, Rows, notes, sampled

MOST_LINEAR_ROWS = 200_000
"""Linear models are fitted on a random sample of this size: more rows move their few weights no more."""
ITERATIONS = (400, 1600)
"""How many iterations a logistic regression gets, and how many more if it has not converged by then."""
MOST_NEWTON = 500
"""With more features the steps of Newton's method cost more than they save."""
UNSETTLED = "before its weights settled"


def fit_logistic(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """L2-regularised multinomial logistic regression; where signs are given, as `fit_penalised`.

    It is solved by L-BFGS, or for two classes and not too many features by Newton's method, which is faster there.
    """
    part, note = sampled(rows, MOST_LINEAR_ROWS, effort.seed)
    if rows.directed:
        return penalised(part, Penalty(0.0, 1 / (params["C"] * row_weights(part).sum())), note)
    X = np.asarray(part.X, dtype=np.float64)
    newton = len(np.unique(part.y)) == 2 and X.shape[1] <= MOST_NEWTON
    model = LogisticRegression(C=params["C"], solver="newton-cholesky" if newton else "lbfgs", warm_start=True)
    for iterations in ITERATIONS:
        model.set_params(max_iter=iterations).fit(X, part.y, part.weights)
        if model.n_iter_.max() < iterations:
            return Estimate(model, note=note)
    return Estimate(model, note=notes(note, f"stopped after {sum(ITERATIONS):,} iterations, {UNSETTLED}"))


def fit_ridge(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Linear regression with an L2 penalty."""
    part, note = sampled(rows, MOST_LINEAR_ROWS, effort.seed)
    if rows.directed:
        return penalised(part, Penalty(0.0, params["alpha"] / row_weights(part).sum()), note)
    X = np.asarray(part.X, dtype=np.float64)
    return Estimate(Ridge(alpha=params["alpha"]).fit(X, part.y, part.weights), note=note)


def fit_penalised(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """A penalty λ·(r·‖w‖₁ + (1 − r)/2·‖w‖²), as a share of that at which all weights are 0 (Zou & Hastie 2005)."""
    part, note = sampled(rows, MOST_LINEAR_ROWS, effort.seed)
    ratio = params.get("l1_ratio", 1.0)
    target = targets(part)[0]
    strength = params["strength"] * largest_penalty(np.asarray(part.X, dtype=np.float64), target, shares(part)) / ratio
    return penalised(part, Penalty(strength * ratio, strength * (1 - ratio)), note)


def penalised(rows: Rows, penalty: Penalty, note: str) -> Estimate:
    """Weights under a penalty, and within the signs that are known, as a scikit-learn model."""
    target, classes = targets(rows)
    found = fit_weights(
        np.asarray(rows.X, dtype=np.float64),
        target,
        shares(rows),
        penalty,
        logistic=rows.kind == "classification",
        signs=rows.monotone if rows.directed else None,
    )
    zeros = int((found.weights == 0).all(axis=0).sum())
    said = f"{zeros:,} of {rows.X.shape[1]:,} weights are 0" if penalty.l1 or zeros else ""
    note = notes(note, said, "" if found.settled else f"stopped {UNSETTLED}")
    model: Any = LinearRegression() if classes is None else LogisticRegression()
    model.coef_, model.intercept_ = found.weights, found.intercept
    if classes is not None:
        model.classes_ = classes
    return Estimate(model, note=note)


def row_weights(rows: Rows) -> np.ndarray:
    """How much each row counts."""
    return np.ones(len(rows.y)) if rows.weights is None else rows.weights


def shares(rows: Rows) -> np.ndarray:
    """The same, to sum to one."""
    each = row_weights(rows)
    return np.asarray(each / each.sum())


def targets(rows: Rows) -> tuple[np.ndarray, np.ndarray | None]:
    """The target as columns, one for two classes, and the classes that occur; None for numbers.

    Raises
    ------
    ValueError
        There is one class only.
    """
    if rows.kind == "regression":
        return rows.y[:, None], None
    classes = np.unique(rows.y)
    if len(classes) < 2:
        raise ValueError(f"there are rows of one class only, {classes[0]}")
    hot = (rows.y[:, None] == classes).astype(np.float64)
    return (hot[:, 1:] if len(classes) == 2 else hot), classes


def add_logistic(fitted: Fitted, graph: Graph) -> None:
    """Logits and softmax; a class without training rows gets a logit of minus infinity, nearly."""
    weights, bias = fitted.estimator.coef_, fitted.estimator.intercept_
    if len(fitted.estimator.classes_) == 2:
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, bias[0]])
    classes = fitted.estimator.classes_
    all_weights = placed(weights, classes, fitted.n_classes, 0.0)
    add_weighted_sums(graph, all_weights, placed(bias, classes, fitted.n_classes, ABSENT), "logits")
    add_shares(graph, "logits")


def add_linear(fitted: Fitted, graph: Graph) -> None:
    """A weighted sum for numbers, logits and softmax for classes."""
    if fitted.kind == "classification":
        add_logistic(fitted, graph)
        return
    weights = fitted.estimator.coef_.reshape(1, -1)
    add_weighted_sums(graph, weights, np.reshape(fitted.estimator.intercept_, -1), "raw")


def prepared_as(trial: optuna.Trial) -> str:
    """How the features of a sum are prepared."""
    return str(trial.suggest_categorical("steps", ["curves", "curves+crosses", "means+curves", "bins", "plain"]))


def logistic_space(trial: optuna.Trial) -> Params:
    """How weak the penalty is, and how features are prepared."""
    return {"C": trial.suggest_float("C", 1e-3, 100.0, log=True), "steps": prepared_as(trial)}


def ridge_space(trial: optuna.Trial) -> Params:
    """How strong the penalty is, and how features are prepared."""
    return {"alpha": trial.suggest_float("alpha", 1e-3, 1e3, log=True), "steps": prepared_as(trial)}


def lasso_space(trial: optuna.Trial) -> Params:
    """How strong the penalty is, as a share of that at which nothing is left; features stay as they are."""
    return {"strength": trial.suggest_float("strength", 1e-4, 0.5, log=True)}


def elastic_space(trial: optuna.Trial) -> Params:
    """How strong the penalty is, and how it is shared between the two norms."""
    return {
        "strength": trial.suggest_float("strength", 1e-4, 0.5, log=True),
        "l1_ratio": trial.suggest_float("l1_ratio", 0.1, 0.9),
        "steps": str(trial.suggest_categorical("steps", ["plain", "stable", "curves", "curves+crosses"])),
    }


def traits(about: str, seconds: float, *, bends: bool = False) -> Traits:
    """What linear models have in common."""
    return Traits(
        family="linear",
        about=about,
        reads="weights",
        fewest=20,
        most=MOST_LINEAR_ROWS,
        bends=bends,
        joins=False,
        monotone=True,
        seconds=seconds,
        micros=17 if bends else 9,
    )


LOGISTIC = Recipe(
    name="logistic",
    title="Logistic regression",
    kinds=CLASSES,
    views=LINEAR_VIEWS,
    portfolio=(
        {"C": 1.0, "steps": "curves"},
        {"C": 0.05, "steps": "curves"},
        {"C": 0.5, "steps": "plain"},
        {"C": 10.0, "steps": "curves+crosses"},
    ),
    space=logistic_space,
    fit_part=fit_logistic,
    nodes=add_logistic,
    traits=traits(
        "Adds up weighted features, numbers as curves, to log odds; an L2 penalty keeps all weights small.",
        0.3,
        bends=True,
    ),
)

RIDGE = Recipe(
    name="ridge",
    title="Ridge regression",
    kinds=NUMBERS,
    views=LINEAR_VIEWS,
    portfolio=(
        {"alpha": 1.0, "steps": "curves+crosses"},
        {"alpha": 30.0, "steps": "curves"},
        {"alpha": 1.0, "steps": "plain"},
    ),
    space=ridge_space,
    fit_part=fit_ridge,
    nodes=add_linear,
    traits=traits(
        "Adds up weighted features, numbers as curves, to a number; an L2 penalty keeps all weights small.",
        0.1,
        bends=True,
    ),
)

LASSO = Recipe(
    name="lasso",
    title="Lasso",
    kinds=BOTH,
    views=LINEAR_VIEWS,
    portfolio=({"strength": 0.01}, {"strength": 0.1}, {"strength": 0.001}),
    space=lasso_space,
    fit_part=fit_penalised,
    nodes=add_linear,
    traits=traits("Adds up weighted features; an L1 penalty sets most weights to exactly 0.", 0.02),
    raced=False,
)

ELASTIC_NET = Recipe(
    name="elastic_net",
    title="Elastic net",
    kinds=BOTH,
    views=LINEAR_VIEWS,
    portfolio=(
        {"strength": 0.01, "l1_ratio": 0.5, "steps": "plain"},
        {"strength": 0.003, "l1_ratio": 0.5, "steps": "curves"},
        {"strength": 0.05, "l1_ratio": 0.5, "steps": "plain"},
    ),
    space=elastic_space,
    fit_part=fit_penalised,
    nodes=add_linear,
    traits=traits("Adds up weighted features; of those that say the same it keeps all, small, or none.", 0.02),
    raced=False,
)
