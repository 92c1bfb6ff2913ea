"""A small neural network on the encoded features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import optuna
from onnx import TensorProto
from sklearn.neural_network import MLPClassifier, MLPRegressor

from understudy.models.nodes import ABSENT, Graph, add_shares, add_wide, placed
from understudy.models.recipes.recipe import BOTH, LINEAR_VIEWS, Estimate, Fitted, Params, Recipe, Traits
from understudy.models.rows import Effort, Rows, sampled

MOST_NETWORK_ROWS = 200_000
EPOCHS = 100
PATIENCE = 8
FEWEST_TO_STOP = 300
"""With fewer rows there are none to spare for saying when to stop."""
FEW_EPOCHS = 30
"""So many epochs then."""


class Best(NamedTuple):
    """The weights of the best epoch so far."""

    epoch: int
    loss: float
    weights: list[np.ndarray]
    intercepts: list[np.ndarray]


def fit_network(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """A multilayer perceptron with rectified units, by Adam (Kingma & Ba 2015).

    The weights are those of the epoch with the lowest loss on the rows to stop on, or on a tenth of the rows where none
    are given. (scikit-learn's own stopping looks at accuracy, which stands still where one answer is rare.)
    """
    part, note = sampled(rows, MOST_NETWORK_ROWS, effort.seed)
    build = MLPClassifier if rows.kind == "classification" else MLPRegressor
    model = build(
        hidden_layer_sizes=(params["units"],) * params["layers"],
        alpha=params["alpha"],
        learning_rate_init=params["learning_rate"],
        random_state=effort.seed,
    )
    part, stop = parted(part, effort.seed) if "epochs" not in params else (part, None)
    X, more = part.X.astype(np.float64), {}
    if rows.kind == "classification":
        more["classes"] = np.unique(part.y)
        if len(more["classes"]) < 2:
            raise ValueError(f"there are rows of one class only, {more['classes'][0]}")
    best = Best(0, np.inf, [], [])
    for epoch in range(1, params.get("epochs", EPOCHS if stop else FEW_EPOCHS) + 1):
        model.partial_fit(X, part.y, **more, sample_weight=part.weights)
        if stop is None:
            continue
        loss = stop_loss(model, stop)
        if loss < best.loss:
            best = Best(epoch, loss, copied(model.coefs_), copied(model.intercepts_))
        elif epoch >= best.epoch + PATIENCE:
            break
    if stop is not None and best.epoch:
        model.coefs_, model.intercepts_ = best.weights, best.intercepts
    return Estimate(model, best.epoch, note)


def copied(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Arrays that stay as they are."""
    return [part.copy() for part in parts]


def parted(rows: Rows, seed: int) -> tuple[Rows, Rows | None]:
    """The rows to fit on and those to stop on: the ones given, or a random tenth; none where there are too few."""
    if rows.X_stop is not None and rows.y_stop is not None:
        return rows, replace(rows, X=rows.X_stop, y=rows.y_stop, weights=rows.weights_stop)
    n = len(rows.y)
    if n < FEWEST_TO_STOP:
        return rows, None
    held = np.zeros(n, dtype=bool)
    held[np.random.default_rng(seed).choice(n, n // 10, replace=False)] = True
    return chosen(rows, ~held), chosen(rows, held)


def chosen(rows: Rows, places: np.ndarray) -> Rows:
    """Some of the rows."""
    weights = None if rows.weights is None else rows.weights[places]
    return replace(rows, X=rows.X[places], y=rows.y[places], weights=weights)


def stop_loss(model: Any, stop: Rows) -> float:
    """Mean log loss, or squared error, on the rows to stop on."""
    X = stop.X.astype(np.float64)
    if stop.kind == "regression":
        losses = (stop.y - model.predict(X)) ** 2
    else:
        probabilities = np.zeros((len(X), stop.n_classes))
        probabilities[:, model.classes_] = model.predict_proba(X)
        losses = -np.log(np.clip(probabilities[np.arange(len(X)), stop.y], 1e-7, None))
    return float(np.average(losses, weights=stop.weights))


def add_network(fitted: Fitted, graph: Graph) -> None:
    """Layer by layer in float64, then a number or the shares of the classes."""
    estimator = fitted.estimator
    source = add_wide(graph)
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    for number, (weights, intercept) in enumerate(layers[:-1]):
        source = graph.add("Relu", [add_layer(graph, source, f"layer_{number}", weights, intercept)], f"units_{number}")
    weights, intercept = layers[-1]
    if fitted.kind == "regression":
        graph.add("Cast", [add_layer(graph, source, "last", weights, intercept)], "raw", to=TensorProto.FLOAT)
        return
    if len(estimator.classes_) == 2:
        weights, intercept = np.hstack([np.zeros_like(weights), weights]), np.array([0.0, intercept[0]])
    weights = placed(weights.T, estimator.classes_, fitted.n_classes, 0.0).T
    intercept = placed(intercept, estimator.classes_, fitted.n_classes, ABSENT)
    add_shares(graph, add_layer(graph, source, "last", weights, intercept))


def add_layer(graph: Graph, source: str, name: str, weights: np.ndarray, intercept: np.ndarray) -> str:
    """Add the weighted sums of a layer."""
    constants = [
        graph.constant(f"{name}_weights", weights, np.float64),
        graph.constant(f"{name}_bias", intercept, np.float64),
    ]
    return graph.add("Gemm", [source, *constants], name)


def network_space(trial: optuna.Trial) -> Params:
    """Its shape, and how fast and how freely it learns."""
    return {
        "units": trial.suggest_int("units", 16, 256, log=True),
        "layers": trial.suggest_int("layers", 1, 3),
        "alpha": trial.suggest_float("alpha", 1e-6, 0.1, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "steps": trial.suggest_categorical("steps", ["ranks", "plain", "standard", "topics"]),
    }


NETWORK = Recipe(
    name="network",
    title="Neural network",
    kinds=BOTH,
    views=LINEAR_VIEWS,
    portfolio=(
        {"units": 64, "layers": 1, "alpha": 1e-3, "learning_rate": 2e-3, "steps": "ranks"},
        {"units": 64, "layers": 2, "alpha": 1e-2, "learning_rate": 2e-3, "steps": "plain"},
    ),
    space=network_space,
    fit_part=fit_network,
    nodes=add_network,
    traits=Traits(
        family="network",
        about="Layers of weighted sums; smooth curves, needs many rows and some tuning.",
        fewest=1000,
        most=MOST_NETWORK_ROWS,
        online=True,
        seconds=0.7,
        micros=35,
    ),
    rounds="epochs",
)
