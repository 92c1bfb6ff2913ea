"""Metrics as functions of arrays and row weights, so that one bootstrap serves them all.

Every metric takes `y` (class indices or numbers) and `scores` (probabilities of shape (n, k), or numbers of shape
(n, 1)), does once what does not depend on weights, such as sorting, and returns a function of weights of shape (n,).
That gives a float; NaN where the metric is not defined, as ROC AUC with one class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from understudy.core.nouns import Kind

Statistic = Callable[[np.ndarray], float]
Prepared = Callable[[np.ndarray, np.ndarray], Statistic]
LOWEST = 1e-15


@dataclass(frozen=True)
class Metric:
    """A metric: its name in code, its title for people, the kind it suits, whether more is better, and itself."""

    name: str
    title: str
    kind: Kind
    greater_is_better: bool
    prepare: Prepared

    def function(self, y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
        """The metric of weighted rows."""
        return self.prepare(y, scores)(weights)


def weighted_mean(values: np.ndarray) -> Statistic:
    """The mean of values as a function of their weights."""
    values = np.asarray(values, dtype=np.float64)
    return lambda weights: float(values @ weights / weights.sum())


def accuracy(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """The share of right answers, the most probable class being the answer."""
    return weighted_mean(scores.argmax(axis=1) == y)


def log_loss(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Minus the mean log probability of the truth, in nats, probabilities clipped at 1e-15."""
    right = np.asarray(scores[np.arange(len(y)), y], dtype=np.float64)
    return weighted_mean(-np.log(np.clip(right, LOWEST, 1.0)))


def brier(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Mean squared error of the probabilities (Brier 1950); for two classes that of the positive one."""
    if scores.shape[1] == 2:
        return weighted_mean((scores[:, 1] - y) ** 2)
    hot = np.eye(scores.shape[1])[y]
    return weighted_mean(((scores - hot) ** 2).sum(axis=1))


def one_versus_rest(binary: Prepared) -> Prepared:
    """A binary metric for any number of classes: of the last of two, else the mean over the classes that occur."""

    def metric(y: np.ndarray, scores: np.ndarray) -> Statistic:
        k = scores.shape[1]
        classes = [1] if k == 2 else np.unique(y).tolist()
        each = [binary((y == label).astype(np.float64), scores[:, label]) for label in classes]

        def mean(weights: np.ndarray) -> float:
            values = np.array([one(weights) for one in each])
            if k == 2:
                return float(values[0])
            defined = values[np.isfinite(values)]  # a class may be missing from a bootstrap draw
            return float(defined.mean()) if len(defined) else float("nan")

        return mean

    return metric


def ranked(y: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Weights of positives and negatives at each distinct score, from the highest score down."""
    order = np.argsort(-score, kind="stable")
    ordered, positive = score[order], y[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))

    def at_scores(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sorted_weights = weights[order]
        positives = np.add.reduceat(sorted_weights * positive, starts)
        return positives, np.add.reduceat(sorted_weights, starts) - positives

    return at_scores


def binary_roc_auc(y: np.ndarray, score: np.ndarray) -> Statistic:
    """The chance that a positive case scores higher than a negative one, ties counting half."""
    at_scores = ranked(y, score)

    def auc(weights: np.ndarray) -> float:
        positives, negatives = at_scores(weights)
        p, n = positives.sum(), negatives.sum()
        if not p or not n:
            return float("nan")
        above = np.cumsum(positives) - positives
        return float(negatives @ (above + positives / 2) / (p * n))

    return auc


def binary_pr_auc(y: np.ndarray, score: np.ndarray) -> Statistic:
    """Average precision: the mean precision over the positives, from the highest score down."""
    at_scores = ranked(y, score)

    def average_precision(weights: np.ndarray) -> float:
        positives, negatives = at_scores(weights)
        p = positives.sum()
        if not p:
            return float("nan")
        found, total = np.cumsum(positives), np.cumsum(positives + negatives)
        precision = np.divide(found, total, out=np.zeros_like(found), where=total > 0)
        return float(positives @ precision / p)

    return average_precision


def f1(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """The harmonic mean of precision and recall at the most probable class; over several classes their mean."""
    answers, k = scores.argmax(axis=1), scores.shape[1]
    hits = answers == y

    def harmonic(weights: np.ndarray) -> float:
        truth, said = (np.bincount(labels, weights=weights, minlength=k) for labels in (y, answers))
        both = np.bincount(y[hits], weights=weights[hits], minlength=k)
        if k == 2:
            total = truth[1] + said[1]
            return float(2 * both[1] / total) if total else 0.0
        seen = truth + said > 0
        return float(np.mean(2 * both[seen] / (truth + said)[seen]))

    return harmonic


def mse(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Mean squared error."""
    return weighted_mean((scores[:, 0] - y) ** 2)


def rmse(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Root of the mean squared error, in the target's unit."""
    squared = mse(y, scores)
    return lambda weights: float(np.sqrt(squared(weights)))


def mae(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Mean absolute error, in the target's unit."""
    return weighted_mean(np.abs(scores[:, 0] - y))


def r2(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """The share of the target's variance that is explained."""
    squared = mse(y, scores)

    def explained(weights: np.ndarray) -> float:
        mean = y @ weights / weights.sum()
        total = (y - mean) ** 2 @ weights / weights.sum()
        return float(1 - squared(weights) / total) if total else float("nan")

    return explained


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
