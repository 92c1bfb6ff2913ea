"""Metrics as functions of arrays and row weights, so that one bootstrap serves them all.

Every metric takes `y` (class indices or numbers), `scores` (probabilities of shape (n, k), or numbers of shape (n, 1))
and weights of shape (n,), and returns a float; NaN where it is not defined, as ROC AUC with one class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from understudy.core.nouns import Kind

Function = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
LOWEST = 1e-15


@dataclass(frozen=True)
class Metric:
    """A metric: its name in code, its title for people, the kind it suits, whether more is better, and itself."""

    name: str
    title: str
    kind: Kind
    greater_is_better: bool
    function: Function


def accuracy(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """The share of right answers, the most probable class being the answer."""
    return float(np.average(scores.argmax(axis=1) == y, weights=weights))


def log_loss(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """Minus the mean log probability of the truth, in nats, probabilities clipped at 1e-15."""
    right = np.clip(scores[np.arange(len(y)), y], LOWEST, 1.0)
    return float(-np.average(np.log(right), weights=weights))


def brier(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """Mean squared error of the probabilities (Brier 1950); for two classes that of the positive one."""
    if scores.shape[1] == 2:
        return float(np.average((scores[:, 1] - y) ** 2, weights=weights))
    hot = np.eye(scores.shape[1])[y]
    return float(np.average(((scores - hot) ** 2).sum(axis=1), weights=weights))


def one_versus_rest(function: Function) -> Function:
    """A binary metric for any number of classes: of the last of two, else the mean over the classes that occur."""

    def metric(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
        k = scores.shape[1]
        classes = [1] if k == 2 else [label for label in range(k) if np.any(weights[y == label] > 0)]
        each = [function((y == label).astype(np.int64), scores[:, label], weights) for label in classes]
        return float(np.mean(each)) if each else float("nan")

    return metric


def ranked(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of positives and negatives at each distinct score, from the highest score down."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    positives = np.add.reduceat((weights * y)[order], starts)
    negatives = np.add.reduceat((weights * (1 - y))[order], starts)
    return positives, negatives


def binary_roc_auc(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float:
    """The chance that a positive case scores higher than a negative one, ties counting half."""
    positives, negatives = ranked(y, score, weights)
    p, n = positives.sum(), negatives.sum()
    if not p or not n:
        return float("nan")
    above = np.cumsum(positives) - positives
    return float(np.sum(negatives * (above + positives / 2)) / (p * n))


def binary_pr_auc(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float:
    """Average precision: the mean precision over the positives, from the highest score down."""
    positives, negatives = ranked(y, score, weights)
    p = positives.sum()
    if not p:
        return float("nan")
    found, all_ = np.cumsum(positives), np.cumsum(positives + negatives)
    precision = np.divide(found, all_, out=np.zeros_like(found, dtype=np.float64), where=all_ > 0)
    return float(np.sum(positives * precision) / p)


def f1(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """The harmonic mean of precision and recall at the most probable class; over several classes their mean."""
    answers = scores.argmax(axis=1)
    k = scores.shape[1]
    classes = [1] if k == 2 else [label for label in range(k) if np.any(weights[(y == label) | (answers == label)] > 0)]
    each = []
    for label in classes:
        truth, said = weights[y == label].sum(), weights[answers == label].sum()
        both = weights[(y == label) & (answers == label)].sum()
        each.append(2 * both / (truth + said) if truth + said else 0.0)
    return float(np.mean(each))


def mse(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """Mean squared error."""
    return float(np.average((scores[:, 0] - y) ** 2, weights=weights))


def rmse(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(mse(y, scores, weights)))


def mae(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.average(np.abs(scores[:, 0] - y), weights=weights))


def r2(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """The share of the target's variance that is explained."""
    mean = np.average(y, weights=weights)
    total = np.average((y - mean) ** 2, weights=weights)
    return float(1 - mse(y, scores, weights) / total) if total else float("nan")


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", "ROC AUC", "classification", True, one_versus_rest(binary_roc_auc)),
        Metric("pr_auc", "Average precision", "classification", True, one_versus_rest(binary_pr_auc)),
        Metric("accuracy", "Accuracy", "classification", True, accuracy),
        Metric("f1", "F1", "classification", True, f1),
        Metric("log_loss", "Log loss", "classification", False, log_loss),
        Metric("brier", "Brier score", "classification", False, brier),
        Metric("rmse", "RMSE", "regression", False, rmse),
        Metric("mae", "MAE", "regression", False, mae),
        Metric("r2", "R²", "regression", True, r2),
    )
}


def measure(name: str, y: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> float:
    """One metric.

    Parameters
    ----------
    name : str
        A key of `METRICS`.
    y : ndarray of shape (n,)
        Class indices or numbers.
    scores : ndarray of shape (n, k) or (n, 1)
    weights : ndarray of shape (n,), optional

    >>> measure("accuracy", np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
    0.5
    """
    return METRICS[name].function(y, scores, np.ones(len(y)) if weights is None else weights)
