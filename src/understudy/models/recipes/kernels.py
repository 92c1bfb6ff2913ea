"""Support vector machines: the widest margin between the answers, straight or bent by a kernel."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import optuna
from onnx import TensorProto
from scipy.special import expit, softmax
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from understudy.core.errors import ModelError
from understudy.models.nodes import ABSENT, Graph, add_distances, add_shares, placed
from understudy.models.recipes.recipe import BOTH, LINEAR_VIEWS, Estimate, Fitted, Params, Recipe, Traits
from understudy.models.rows import Effort, Rows, notes, sampled

MOST_KERNEL_ROWS = 5_000
"""The time of a fit grows with the square of the rows, and that of an answer with the rows that it keeps."""
MOST_MARGIN_ROWS = 100_000
MOST_COMPILED_ROWS = 1000
"""Compiled, a batch is compared with all kept rows at once: with more of them a large batch would fill the memory."""
MOST_CLASSES = 50
"""There is a machine for each class."""
ITERATIONS = 5000
CHUNK = 500


class Margins(msgspec.Struct, frozen=True, tag="margins"):
    """One margin for two classes or a number, else one for each class against the rest.

    Attributes
    ----------
    weights : ndarray of float64, shape (k, m)
        By feature, or by kept row.
    intercept : ndarray of float64, shape (k,)
    kept : ndarray of float64, shape (m, d)
        The support vectors; none where the margin is straight.
    gamma : float
        How fast the influence of a kept row fades with its squared distance.
    classes_ : ndarray of int64, optional
    """

    weights: np.ndarray
    intercept: np.ndarray
    kept: np.ndarray | None = None
    gamma: float = 0.0
    classes_: np.ndarray | None = None

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The margin of each row, of shape (n, k)."""
        wide = X.astype(np.float64)
        if self.kept is None:
            return np.asarray(wide @ self.weights.T + self.intercept)
        parts = [self.bent(wide[start : start + CHUNK], self.kept) for start in range(0, len(X), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.weights)))

    def bent(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """The same for a few rows, by the Gaussian kernel."""
        apart = (X**2).sum(axis=1, keepdims=True) - 2 * X @ kept.T + (kept**2).sum(axis=1)
        return np.asarray(np.exp(-self.gamma * apart) @ self.weights.T + self.intercept)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Margins as if they were log odds; the calibration gives them their slope (Platt 1999)."""
        margins = self.predict(X)
        if margins.shape[1] == 1:
            positive = expit(margins[:, 0])
            return np.column_stack([1 - positive, positive])
        return np.asarray(softmax(margins, axis=1))


def fit_straight(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Linear support vector machine, one against the rest (Fan et al. 2008, LIBLINEAR), or regression."""
    part, note = sampled(rows, MOST_MARGIN_ROWS, effort.seed)
    X = np.asarray(part.X, dtype=np.float64)
    settings = {"C": params["C"], "random_state": effort.seed, "max_iter": ITERATIONS}
    if rows.kind == "regression":
        model = LinearSVR(loss="squared_epsilon_insensitive", dual=False, epsilon=0.1, **settings)
        model.fit(X, part.y, part.weights)
        classes = None
    else:
        model = LinearSVC(dual=False, **settings).fit(X, part.y, part.weights)
        classes = model.classes_
    cut = "stopped before its margin settled" if np.max(model.n_iter_) >= ITERATIONS else ""
    weights = model.coef_.reshape(-1, X.shape[1]).astype(np.float64)
    return Estimate(Margins(weights, np.reshape(model.intercept_, -1), classes_=classes), note=notes(note, cut))


def fit_bent(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Support vector machine with a Gaussian kernel (Cortes & Vapnik 1995), one against the rest, or regression."""
    part, note = sampled(rows, MOST_KERNEL_ROWS, effort.seed)
    X = np.asarray(part.X, dtype=np.float64)
    gamma = params["gamma"] / (X.shape[1] * (X.var() or 1.0))
    if rows.kind == "regression":
        machines, classes = [SVR(C=params["C"], gamma=gamma, epsilon=0.1).fit(X, part.y, part.weights)], None
    else:
        classes = np.unique(part.y)
        if len(classes) > MOST_CLASSES:
            raise ValueError(f"there are {len(classes)} classes, and it takes at most {MOST_CLASSES}")
        sides = classes[1:] if len(classes) == 2 else classes
        machines = [SVC(C=params["C"], gamma=gamma).fit(X, part.y == side, part.weights) for side in sides]
    support = np.unique(np.concatenate([machine.support_ for machine in machines]))
    weights = np.zeros((len(machines), len(support)))
    for row, machine in zip(weights, machines, strict=True):
        row[np.searchsorted(support, machine.support_)] = machine.dual_coef_[0]
    intercept = np.array([machine.intercept_[0] for machine in machines])
    return Estimate(Margins(weights, intercept, X[support], float(gamma), classes), note=note)


def add_margins(fitted: Fitted, graph: Graph) -> None:
    """Margins, then a number or the softmax of them.

    Raises
    ------
    ModelError
        Too many rows are kept.
    """
    estimator: Margins = fitted.estimator
    weights, intercept = estimator.weights, estimator.intercept
    if estimator.classes_ is not None:
        if len(weights) == 1:
            weights, intercept = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, intercept[0]])
        weights = placed(weights, estimator.classes_, fitted.n_classes, 0.0)
        intercept = placed(intercept, estimator.classes_, fitted.n_classes, ABSENT)
    target = "raw_wide" if fitted.kind == "regression" else "logits"
    source = add_influence(graph, estimator)
    constants = [graph.constant("weights", weights, np.float64), graph.constant("intercept", intercept, np.float64)]
    graph.add("Gemm", [source, *constants], target, transB=1)
    if fitted.kind == "regression":
        graph.add("Cast", [target], "raw", to=TensorProto.FLOAT)
    else:
        add_shares(graph, target)


def add_influence(graph: Graph, estimator: Margins) -> str:
    """What margins are weighted sums of: the features, or the influence of each kept row."""
    if estimator.kept is None:
        return graph.add("Cast", ["part"], "wide", to=TensorProto.DOUBLE)
    if len(estimator.kept) > MOST_COMPILED_ROWS:
        kept = len(estimator.kept)
        raise ModelError(f"It keeps {kept:,} rows: compiled, a large batch would be compared with all of them at once.")
    apart = add_distances(graph, estimator.kept)
    faded = graph.add("Mul", [apart, graph.constant("fading", -estimator.gamma, np.float64)], "faded")
    return graph.add("Exp", [faded], "influence")


def straight_space(trial: optuna.Trial) -> Params:
    """What a row within the margin costs, and how features are prepared."""
    return {
        "C": trial.suggest_float("C", 1e-3, 10.0, log=True),
        "steps": trial.suggest_categorical("steps", ["plain", "curves", "standard"]),
    }


def bent_space(trial: optuna.Trial) -> Params:
    """What a row within the margin costs, and how far a row's influence reaches."""
    return {
        "C": trial.suggest_float("C", 0.03, 100.0, log=True),
        "gamma": trial.suggest_float("gamma", 0.05, 5, log=True),
        "steps": trial.suggest_categorical("steps", ["ranks", "plain", "standard", "topics"]),
    }


STRAIGHT: tuple[Params, ...] = ({"C": 0.1, "steps": "plain"}, {"C": 0.1, "steps": "curves"})
BENT: tuple[Params, ...] = ({"C": 1.0, "gamma": 1.0, "steps": "ranks"}, {"C": 10.0, "gamma": 0.3, "steps": "plain"})


def machine(name: str, title: str, fit: Callable[[Params, Rows, Effort], Estimate], traits: Traits) -> Recipe:
    """What both machines have in common."""
    straight = fit is fit_straight
    return Recipe(
        name=name,
        title=title,
        kinds=BOTH,
        views=LINEAR_VIEWS,
        portfolio=STRAIGHT if straight else BENT,
        space=straight_space if straight else bent_space,
        fit_part=fit,
        nodes=add_margins,
        traits=traits,
        raced=False,
    )


LINEAR_SVM = machine(
    "linear_svm",
    "Linear support vector machine",
    fit_straight,
    Traits(
        family="linear",
        about="Puts the widest margin between the answers; good on many columns and on text.",
        reads="weights",
        fewest=50,
        per_class=True,
        most=MOST_MARGIN_ROWS,
        bends=False,
        joins=False,
        seconds=0.02,
        micros=9,
    ),
)

SVM = machine(
    "svm",
    "Support vector machine",
    fit_bent,
    Traits(
        family="kernels",
        about="Puts the widest margin between the answers, bent by a Gaussian kernel; for a few thousand rows.",
        fewest=100,
        per_class=True,
        most=MOST_KERNEL_ROWS,
        growth=2.0,
        seconds=0.8,
        micros=180,
        native=f"compiled where at most {MOST_COMPILED_ROWS:,} rows are kept: each answer compares with all of them",
    ),
)
