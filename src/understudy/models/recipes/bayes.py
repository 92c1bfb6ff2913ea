"""Naive Bayes on bins: each feature tells its own log odds, and they are added up."""

from __future__ import annotations

import msgspec
import numpy as np
import optuna

from understudy.models.ensemble import Ensemble
from understudy.models.nodes import ABSENT, Graph, placed
from understudy.models.recipes.recipe import CLASSES, TREE_VIEWS, Estimate, Fitted, Params, Recipe, Traits
from understudy.models.rows import Effort, Rows

MOST_CODES = 256
"""A column of codes with more values than this is cut as a number is; the encoding makes at most 256."""


class StepSums(msgspec.Struct, frozen=True, tag="step_sums"):
    """Sums of step functions, one for each feature, as logits of the classes that were seen.

    Attributes
    ----------
    classes_ : ndarray of int64, shape (k,)
    prior : ndarray of shape (k,)
        The logits that all rows begin with.
    features : ndarray of int64, shape (f,)
        The features that have steps.
    edges : tuple of f ndarray of shape (m,)
        Increasing; at an edge the step below it holds.
    steps : tuple of f ndarray of shape (m + 1, k)
        What each step adds to each class.
    shares : tuple of f ndarray of shape (m + 1,)
        Which share of the training rows stood on each step.
    """

    classes_: np.ndarray
    prior: np.ndarray
    features: np.ndarray
    edges: tuple[np.ndarray, ...]
    steps: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of shape (n, k)."""
        logits = np.tile(self.prior, (len(X), 1))
        for feature, edges, steps in zip(self.features, self.edges, self.steps, strict=True):
            logits += steps[np.searchsorted(edges, X[:, feature])]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_bayes(params: Params, rows: Rows, _: Effort) -> Estimate:
    """Naive Bayes on discretised features (Dougherty, Kohavi & Sahami 1995).

    The shares of the bins within a class are drawn to those of all rows, as by `alpha` more rows (the m-estimate;
    Cestnik 1990). A bin, or a code, without any training row says nothing.
    """
    classes, y = np.unique(rows.y, return_inverse=True)
    weights = np.ones(len(y)) if rows.weights is None else rows.weights
    totals = np.bincount(y, weights, minlength=len(classes))
    features, edges, steps, shares = [], [], [], []
    for feature, view in enumerate(rows.views):
        values = rows.X[:, feature]
        cuts = bin_edges(values, view, params["bins"])
        if not len(cuts):
            continue
        features.append(feature)
        edges.append(cuts)
        counts = bin_counts(np.searchsorted(cuts, values), len(cuts) + 1, y, weights, len(classes))
        steps.append(log_shares(counts, totals, params["alpha"]))
        shares.append(counts.sum(axis=1) / totals.sum())
    if not features:
        raise ValueError("no feature varies")
    prior = np.log(totals / totals.sum())
    places = np.array(features, dtype=np.int64)
    return Estimate(StepSums(classes, prior, places, tuple(edges), tuple(steps), tuple(shares)))


def bin_edges(values: np.ndarray, view: str, bins: int) -> np.ndarray:
    """Where a feature is cut: a number into bins of as many rows, between codes, and between 0 and more.

    >>> bin_edges(np.array([1, 3, 3], dtype=np.float32), "code", 10).tolist()
    [0.5, 1.5, 2.5, 3.5]
    """
    if view == "code" and values.max() < MOST_CODES:
        return np.arange(int(values.max()) + 1) + 0.5
    if view in ("flag", "word"):
        return np.zeros(1) if values.min() <= 0 < values.max() else np.zeros(0)
    ordered = np.sort(values)
    places = np.linspace(0, len(values), bins + 1)[1:-1].astype(np.int64)
    cuts = np.unique(ordered[places]).astype(np.float64)
    return np.asarray(cuts[cuts < ordered[-1]])


def bin_counts(bins: np.ndarray, n_bins: int, y: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """The weight of the rows of each class in each bin, of shape (n_bins, k)."""
    return np.bincount(bins * k + y, weights, minlength=n_bins * k).reshape(n_bins, k)


def log_shares(counts: np.ndarray, totals: np.ndarray, alpha: float) -> np.ndarray:
    """The log share of each bin in each class, less their mean over the classes, of shape (n_bins, k)."""
    overall = counts.sum(axis=1, keepdims=True) / totals.sum()
    filled = overall > 0
    logs = np.log(np.where(filled, (counts + alpha * overall) / (totals + alpha), 1.0))
    return np.where(filled, logs - logs.mean(axis=1, keepdims=True), 0.0)


def add_bayes(fitted: Fitted, graph: Graph) -> None:
    """The steps as small trees, then the softmax of their sums."""
    estimator: StepSums = fitted.estimator
    ensemble = Ensemble()
    for feature, edges, steps in zip(estimator.features, estimator.edges, estimator.steps, strict=True):
        ensemble.add_steps(int(feature), edges, steps, estimator.classes_)
    prior = placed(estimator.prior, estimator.classes_, fitted.n_classes, ABSENT)
    ensemble.write(graph, "sums", fitted.n_classes)
    graph.add("Add", ["sums", graph.constant("prior", prior[None, :])], "logits")
    graph.add("Softmax", ["logits"], "raw", axis=1)


def bayes_space(trial: optuna.Trial) -> Params:
    """How fine the bins are, and how much is needed to believe them."""
    return {
        "bins": trial.suggest_int("bins", 3, 30, log=True),
        "alpha": trial.suggest_float("alpha", 0.1, 30, log=True),
    }


BAYES = Recipe(
    name="bayes",
    title="Naive Bayes",
    kinds=CLASSES,
    views=TREE_VIEWS,
    portfolio=({"bins": 8, "alpha": 1.0}, {"bins": 4, "alpha": 5.0}),
    space=bayes_space,
    fit_part=fit_bayes,
    nodes=add_bayes,
    traits=Traits(
        family="bayes",
        about="Adds up what each column says by itself, as if none repeated another.",
        reads="weights",
        fewest=20,
        joins=False,
        online=True,
        seconds=0.02,
        micros=9,
    ),
    raced=False,
)
