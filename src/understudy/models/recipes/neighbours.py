"""Nearest neighbours: what became of the cases most like this one."""

from __future__ import annotations

import msgspec
import numpy as np
import optuna
from onnx import TensorProto

from understudy.core.errors import ModelError
from understudy.models.nodes import Graph, add_distances, placed
from understudy.models.recipes.recipe import BOTH, Estimate, Fitted, Params, Recipe, Traits
from understudy.models.rows import Effort, Rows, sampled

MOST_NEIGHBOUR_ROWS = 10_000
"""Every answer looks at all the rows that are kept."""
MOST_COMPILED_ROWS = 1000
"""Compiled, a batch is compared with all kept rows at once: with more of them a large batch would fill the memory."""
SAME = 1e-9
"""Rows whose squared distance is that of the last neighbour, but for rounding, are neighbours too."""
CHUNK = 500


class Neighbours(msgspec.Struct, frozen=True, tag="neighbours", dict=True):
    """The rows that are kept, and how many of them are asked.

    Attributes
    ----------
    X : ndarray of float64, shape (m, d)
    votes : ndarray of float64, shape (m, k)
        The weight of each row in the column of its class; or its number times its weight, and its weight.
    prior : ndarray of float64, shape (k,)
        What is added to the votes: one more neighbour, who answers as all rows together do; nothing for numbers.
    k : int
        How many neighbours are asked; more where several are equally near.
    classes_ : ndarray of int64, shape (k,), optional
    """

    X: np.ndarray
    votes: np.ndarray
    prior: np.ndarray
    k: int
    classes_: np.ndarray | None = None

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """The shares of the classes among the neighbours, of shape (n, k)."""
        sums = self.sums(X)
        return np.asarray(sums / sums.sum(axis=1, keepdims=True))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The mean of the neighbours, of shape (n,)."""
        sums = self.sums(X)
        return np.asarray(sums[:, 0] / sums[:, 1])

    def sums(self, X: np.ndarray) -> np.ndarray:
        """The votes of the neighbours, of shape (n, k)."""
        parts = [self.sums_of(X[start : start + CHUNK].astype(np.float64)) for start in range(0, len(X), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, self.votes.shape[1]))

    def sums_of(self, X: np.ndarray) -> np.ndarray:
        """The same for a few rows."""
        apart = squares(X)[:, None] - 2 * X @ self.X.T + squares(self.X)
        last = np.partition(apart, self.k - 1, axis=1)[:, self.k - 1 : self.k]
        return np.asarray((apart <= last + SAME * (np.abs(last) + 1)) @ self.votes + self.prior)


def squares(X: np.ndarray) -> np.ndarray:
    """The squared length of each row."""
    return np.asarray((X**2).sum(axis=1))


def fit_neighbours(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """The nearest neighbours by Euclidean distance (Cover & Hart 1967)."""
    part, note = sampled(rows, MOST_NEIGHBOUR_ROWS, effort.seed)
    X, y = part.X.astype(np.float64), part.y
    weights = np.ones(len(y)) if part.weights is None else part.weights
    k = min(params["neighbours"], len(y))
    if rows.kind == "regression":
        return Estimate(Neighbours(X, np.column_stack([y * weights, weights]), np.zeros(2), k), note=note)
    classes = np.unique(y)
    votes = (y[:, None] == classes) * weights[:, None]
    return Estimate(Neighbours(X, votes, votes.mean(axis=0), k, classes), note=note)


def add_neighbours(fitted: Fitted, graph: Graph) -> None:
    """Distances to every kept row, the k-th smallest of them, and the votes of all that are no further.

    Raises
    ------
    ModelError
        Too many rows are kept.
    """
    estimator: Neighbours = fitted.estimator
    if len(estimator.X) > MOST_COMPILED_ROWS:
        raise ModelError(
            f"It keeps {len(estimator.X):,} rows: compiled, a large batch would be compared with all of them at once."
        )
    votes, prior = estimator.votes, estimator.prior
    if estimator.classes_ is not None:
        votes = placed(votes.T, estimator.classes_, fitted.n_classes, 0.0).T
        prior = placed(prior, estimator.classes_, fitted.n_classes, 0.0)
    apart = add_distances(graph, estimator.X)
    count = graph.constant("count", [estimator.k], np.int64)
    graph.add("TopK", [apart, count], "nearest", "which", axis=1, largest=0)
    last = graph.add("ReduceMax", ["nearest", graph.constant("columns_of", [1], np.int64)], "last", keepdims=1)
    size = graph.add("Abs", [last], "size")
    one, same = graph.constant("one", 1.0, np.float64), graph.constant("same", SAME, np.float64)
    slack = graph.add("Mul", [graph.add("Add", [size, one], "size_1"), same], "slack")
    graph.add("LessOrEqual", [apart, graph.add("Add", [last, slack], "limit")], "is_near")
    graph.add("Cast", ["is_near"], "near", to=TensorProto.DOUBLE)
    graph.add("MatMul", ["near", graph.constant("votes", votes, np.float64)], "votes_given")
    graph.add("Add", ["votes_given", graph.constant("prior", prior, np.float64)], "sums")
    if fitted.kind == "regression":
        graph.add("Split", ["sums"], "total", "weight", axis=1, num_outputs=2)
    else:
        graph.add("Identity", ["sums"], "total")
        graph.add("ReduceSum", ["sums", "columns_of"], "weight", keepdims=1)
    graph.add("Cast", [graph.add("Div", ["total", "weight"], "mean")], "raw", to=TensorProto.FLOAT)


def neighbours_space(trial: optuna.Trial) -> Params:
    """How many neighbours are asked, and in which units rows are compared."""
    return {
        "neighbours": trial.suggest_int("neighbours", 3, 100, log=True),
        "steps": trial.suggest_categorical("steps", ["plain", "ranks", "standard", "whitened"]),
    }


NEIGHBOURS = Recipe(
    name="neighbours",
    title="Nearest neighbours",
    kinds=BOTH,
    views=frozenset({"number", "flag", "level"}),
    portfolio=({"neighbours": 15, "steps": "plain"}, {"neighbours": 50, "steps": "ranks"}),
    space=neighbours_space,
    fit_part=fit_neighbours,
    nodes=add_neighbours,
    traits=Traits(
        family="neighbours",
        about="Answers as the most similar known cases were answered; every column counts alike.",
        fewest=100,
        most=MOST_NEIGHBOUR_ROWS,
        wide=False,
        online=True,
        seconds=0.01,
        micros=500,
        native=f"compiled where at most {MOST_COMPILED_ROWS:,} rows are kept: each answer compares with all of them",
    ),
    raced=False,
)
