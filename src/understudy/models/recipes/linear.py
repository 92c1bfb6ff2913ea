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
from understudy.models.recipes.rows import Effort, Rows, notes, sampled

MOST_LINEAR_ROWS = 200_000
"""Linear models are fitted on a random sample of this size: more rows move their few weights no more."""
ITERATIONS = (400, 1600)
"""How many iterations a logistic regression gets, and how many more if it has not converged by then."""
UNSETTLED = "before its weights settled"


def fit_logistic(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """L2-regularised multinomial logistic regression, by L-BFGS; where signs are given, as `fit_penalised`."""
    part, note = sampled(rows, MOST_LINEAR_ROWS, effort.seed)
    if rows.directed:
        return penalised(part, Penalty(0.0, 1 / (params["C"] * row_weights(part).sum())), note)
    X = part.X.astype(np.float64)
    model = LogisticRegression(C=params["C"], warm_start=True)
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
    return Estimate(Ridge(alpha=params["alpha"]).fit(part.X.astype(np.float64), part.y, part.weights), note=note)


def fit_penalised(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """A penalty λ·(r·‖w‖₁ + (1 − r)/2·‖w‖²), as a share of that at which all weights are 0 (Zou & Hastie 2005)."""
    part, note = sampled(rows, MOST_LINEAR_ROWS, effort.seed)
    ratio = params.get("l1_ratio", 1.0)
    target = targets(part)[0]
    strength = params["strength"] * largest_penalty(part.X.astype(np.float64), target, shares(part)) / ratio
    return penalised(part, Penalty(strength * ratio, strength * (1 - ratio)), note)


def penalised(rows: Rows, penalty: Penalty, note: str) -> Estimate:
    """Weights under a penalty, and within the signs that are known, as a scikit-learn model."""
    target, classes = targets(rows)
    found = fit_weights(
        rows.X.astype(np.float64),
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


def lasso_space(trial: optuna.Trial) -> Params:
    """How strong the penalty is, as a share of that at which nothing is left."""
    return {"strength": trial.suggest_float("strength", 1e-4, 0.5, log=True)}


def elastic_space(trial: optuna.Trial) -> Params:
    """How strong the penalty is, and how it is shared between the two norms."""
    return {
        "strength": trial.suggest_float("strength", 1e-4, 0.5, log=True),
        "l1_ratio": trial.suggest_float("l1_ratio", 0.1, 0.9),
    }


def traits(about: str, seconds: float) -> Traits:
    """What linear models have in common."""
    return Traits(
        family="linear",
        about=about,
        reads="weights",
        fewest=20,
        most=MOST_LINEAR_ROWS,
        bends=False,
        joins=False,
        monotone=True,
        seconds=seconds,
        micros=9,
    )


LOGISTIC = Recipe(
    name="logistic",
    title="Logistic regression",
    kinds=CLASSES,
    views=LINEAR_VIEWS,
    portfolio=({"C": 1.0}, {"C": 0.05}),
    space=lambda trial: {"C": trial.suggest_float("C", 1e-3, 100.0, log=True)},
    fit_part=fit_logistic,
    nodes=add_logistic,
    traits=traits("Adds up weighted features to log odds; an L2 penalty keeps all weights small.", 0.02),
)

RIDGE = Recipe(
    name="ridge",
    title="Ridge regression",
    kinds=NUMBERS,
    views=LINEAR_VIEWS,
    portfolio=({"alpha": 1.0}, {"alpha": 30.0}),
    space=lambda trial: {"alpha": trial.suggest_float("alpha", 1e-3, 1e3, log=True)},
    fit_part=fit_ridge,
    nodes=add_linear,
    traits=traits("Adds up weighted features to a number; an L2 penalty keeps all weights small.", 0.02),
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
    portfolio=({"strength": 0.01, "l1_ratio": 0.5}, {"strength": 0.05, "l1_ratio": 0.5}),
    space=elastic_space,
    fit_part=fit_penalised,
    nodes=add_linear,
    traits=traits("Adds up weighted features; of those that say the same it keeps all, small, or none.", 0.02),
    raced=False,
)
