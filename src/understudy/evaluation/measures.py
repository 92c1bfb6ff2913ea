"""Metrics as functions of arrays and row weights, so that one bootstrap serves them all.

Every metric takes `y` (class indices or numbers) and `scores` (probabilities of shape (n, k), or numbers of shape
(n, 1)) and returns a `Statistic`: a function of weights of shape (n,), and how far each row pulls it. It is NaN where
the metric is not defined, as ROC AUC with one class.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from understudy.core.nouns import Kind
from understudy.evaluation import measures_answers as answers
from understudy.evaluation import measures_numbers as numbers
from understudy.evaluation.measures_ranks import binary_pr_auc, binary_roc_auc, one_versus_rest
from understudy.evaluation.statistic import Prepared


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes
    ----------
    name, title : str
        In code, and for people.
    kind : Kind
        What it suits.
    greater_is_better : bool
    prepare : callable
        Truth and scores to a statistic.
    lowest, highest : float
        Between which it lies.
    hard : bool
        Whether it needs answers only, and no probabilities.
    """

    name: str
    title: str
    kind: Kind
    greater_is_better: bool
    prepare: Prepared
    lowest: float = 0.0
    highest: float = 1.0
    hard: bool = False

    def function(self, y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
        """The metric of weighted rows."""
        return self.prepare(y, scores)(weights)


def of_order(name: str, title: str, binary: Prepared) -> Metric:
    """A metric of the order of probabilities."""
    return Metric(name, title, "classification", greater_is_better=True, prepare=one_versus_rest(binary))


def of_answers(name: str, title: str, rule: answers.Rule, *, lowest: float = 0.0) -> Metric:
    """A metric of the answers."""
    prepare = answers.of_answers(rule)
    return Metric(name, title, "classification", greater_is_better=True, prepare=prepare, lowest=lowest, hard=True)


def of_losses(name: str, title: str, kind: Kind, prepare: Prepared) -> Metric:
    """A mean loss, or the root of one."""
    return Metric(name, title, kind, greater_is_better=False, prepare=prepare, highest=inf)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        of_order("roc_auc", "ROC AUC", binary_roc_auc),
        of_order("pr_auc", "Average precision", binary_pr_auc),
        of_answers("accuracy", "Accuracy", answers.accuracy),
        of_answers("balanced_accuracy", "Balanced accuracy", answers.balanced_accuracy),
        of_answers("precision", "Precision", answers.precision),
        of_answers("recall", "Recall", answers.recall),
        of_answers("f1", "F1", answers.f_beta(1.0)),
        of_answers("f05", "F0.5", answers.f_beta(0.5)),
        of_answers("f2", "F2", answers.f_beta(2.0)),
        of_answers("mcc", "MCC", answers.mcc, lowest=-1.0),
        of_losses("log_loss", "Log loss", "classification", numbers.log_loss),
        of_losses("brier", "Brier score", "classification", numbers.brier),
        of_losses("rmse", "RMSE", "regression", numbers.rmse),
        of_losses("mae", "MAE", "regression", numbers.mae),
        Metric("r2", "R²", "regression", greater_is_better=True, prepare=numbers.r2, lowest=-inf),
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
