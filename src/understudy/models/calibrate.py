"""The head: from raw scores to probabilities, or intervals, that mean what they say."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
from scipy.optimize import minimize

Method = Literal["none", "platt", "isotonic", "venn-abers"]

LOWEST = 1e-7
PRIOR_ROWS = 10.0
BINS = 10
FEWEST_PER_BIN = 50
MOST_PER_BIN = 500


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen calibration.

    Attributes
    ----------
    method : {"none", "platt", "isotonic", "venn-abers"}
        How it was made; for more than two classes "platt" is bias-corrected temperature scaling.
    slope : float
        What log probabilities are multiplied by (one over the temperature).
    bias : tuple of float
        What is added to them, by class; empty where nothing is.
    knots, levels : tuple of tuple of float
        For each class a polyline from its log odds to its probability, before these are made to sum to 1; empty where
        there is none.
    edges : tuple of float
        For numbers, the inner edges between bins of the prediction.
    residuals : tuple of tuple of float
        For numbers, the sorted out-of-fold residuals y − ŷ of each bin, thinned to at most 500.
    """

    method: Method = "none"
    slope: float = 1.0
    bias: tuple[float, ...] = ()
    knots: tuple[tuple[float, ...], ...] = ()
    levels: tuple[tuple[float, ...], ...] = ()
    edges: tuple[float, ...] = ()
    residuals: tuple[tuple[float, ...], ...] = ()


def fit_probability_head(raw: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Head:
    """Calibrate probabilities by one slope and a bias per class on their logarithms.

    For two classes this is Platt scaling of the log odds (Platt 1999), else bias-corrected temperature scaling
    (Alexandari, Kundaje & Shrikumar 2020). It minimises log loss with a weak pull, worth ten rows, towards leaving the
    probabilities as they are, so that few rows do no harm.

    Parameters
    ----------
    raw : ndarray of shape (n, k)
        Out-of-fold probabilities.
    y : ndarray of int64, shape (n,)
    weights : ndarray of float64, shape (n,), optional
        How many rows each row stands for; by default itself.
    """
    logs = np.log(np.clip(raw, LOWEST, 1 - LOWEST))
    n, k = logs.shape
    each = np.ones(n) if weights is None else weights
    total = float(np.sum(each))
    hot = np.zeros((n, k))
    hot[np.arange(n), y] = 1.0

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        slope, bias = np.exp(theta[0]), theta[1:]
        scores = slope * logs + bias
        probabilities = softmax(scores)
        value = -np.sum(each * np.log(np.clip(probabilities[np.arange(n), y], 1e-300, None)))
        error = each[:, None] * (probabilities - hot)
        gradient = np.concatenate([[np.sum(error * logs) * slope], error.sum(axis=0)])
        return (value + PRIOR_ROWS * np.sum(theta**2) / 2) / total, (gradient + PRIOR_ROWS * theta) / total

    solved = minimize(objective, np.zeros(k + 1), jac=True, method="L-BFGS-B", bounds=[(-2.0, 2.0)] + [(-8.0, 8.0)] * k)
    bias = solved.x[1:] - solved.x[1:].mean()
    return Head(method="platt", slope=float(np.exp(solved.x[0])), bias=tuple(float(value) for value in bias))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Exponentials that sum to one in each row.

    >>> softmax(np.zeros((1, 2))).tolist()
    [[0.5, 0.5]]
    """
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_number_head(raw: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Head:
    """Keep the out-of-fold residuals, in bins of the prediction, so that intervals fit small and large numbers.

    Parameters
    ----------
    raw : ndarray of shape (n, 1)
        Out-of-fold predictions.
    y : ndarray of float64, shape (n,)
    weights : ndarray of float64, shape (n,), optional
        How much each row counts; by default all alike.
    """
    predicted = raw[:, 0]
    edges = bin_edges(predicted)
    where = np.searchsorted(edges, predicted, side="right")
    residuals = []
    for index in range(len(edges) + 1):
        inside = where == index
        kept = weighted_residuals((y - predicted)[inside], None if weights is None else weights[inside])
        residuals.append(tuple(kept.tolist()))
    return Head(edges=tuple(edges), residuals=tuple(residuals))


def weighted_residuals(residuals: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Sorted residuals, at most 500; where they count unequally, as often as their weight asks for.

    >>> weighted_residuals(np.array([2.0, 1.0]), None).tolist()
    [1.0, 2.0]
    >>> weighted_residuals(np.array([4.0, 1.0, 2.0, 3.0]), np.array([1.0, 5.0, 1.0, 1.0])).tolist()
    [1.0, 1.0, 1.0, 3.0]
    """
    order = np.argsort(residuals, kind="stable")
    if weights is None or not len(order):
        return thinned(residuals[order], MOST_PER_BIN)
    upto = np.cumsum(weights[order])
    most = min(len(order), MOST_PER_BIN)
    middles = (np.arange(most) + 0.5) / most * upto[-1]
    return np.asarray(residuals[order][np.searchsorted(upto, middles)])


def bin_edges(predicted: np.ndarray) -> list[float]:
    """Inner edges of at most ten bins of about as many predictions, never fewer than fifty unless that is all there is.

    Tied predictions stand in one bin, so there may be fewer bins, down to one.

    >>> bin_edges(np.full(1000, 3.0))
    []
    """
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, BINS + 1)[1:-1]))
    below = np.searchsorted(np.sort(predicted), edges, side="left")
    kept: list[float] = []
    last = 0
    for edge, count in zip(edges.tolist(), below.tolist(), strict=True):
        if count - last >= FEWEST_PER_BIN and len(predicted) - count >= FEWEST_PER_BIN:
            kept.append(edge)
            last = count
    return kept


def thinned(values: np.ndarray, most: int) -> np.ndarray:
    """At most so many sorted values, evenly spaced by rank, the extremes included."""
    if len(values) <= most:
        return values
    places = np.linspace(0, len(values) - 1, most).round().astype(np.int64)
    return np.asarray(values[places])


def apply_head(head: Head, raw: np.ndarray) -> np.ndarray:
    """Calibrated probabilities of shape (n, k), or the numbers as they are, of shape (n, 1)."""
    if head.knots:
        odds = log_odds(raw)
        curves = enumerate(zip(head.knots, head.levels, strict=True))
        shares = np.column_stack([np.interp(odds[:, place], *curve) for place, curve in curves])
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))
    if not head.bias:
        return raw
    return softmax(head.slope * np.log(np.clip(raw, LOWEST, 1 - LOWEST)) + np.array(head.bias))


def log_odds(raw: np.ndarray) -> np.ndarray:
    """The log odds of each class against all others, of shape (n, k).

    The others are summed, since 1 − p would lose the digits of what is nearly certain.

    >>> log_odds(np.array([[0.5, 0.5]])).tolist()
    [[0.0, 0.0]]
    """
    others = raw @ (1 - np.eye(raw.shape[1]))
    return np.asarray(np.log(np.clip(raw, LOWEST, 1 - LOWEST)) - np.log(np.clip(others, LOWEST, 1 - LOWEST)))


def intervals(head: Head, predicted: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that hold the truth with the given probability, if cases to come are like those of the calibration.

    Split-conformal, bin by bin of the prediction (Vovk, Lindsay, Nouretdinov & Gammerman 2003, "Mondrian confidence
    machine"): the ⌈(n + 1)(1 − α/2)⌉-th smallest residual above, and its mirror below. The residuals are out-of-fold,
    so coverage is that of cross-conformal prediction: close to nominal, not guaranteed.

    Parameters
    ----------
    head : Head
    predicted : ndarray of shape (n,)
    confidence : float
        Between 0 and 1. A bin with fewer than 2/(1 − confidence) − 1 residuals cannot know its bounds; the outermost
        residuals then stand for them, and cover less than was asked for.
    """
    alpha = 1 - confidence
    lower, upper = [], []
    for bin_residuals in head.residuals:
        n = len(bin_residuals)
        rank = min(n, int(np.ceil((n + 1) * (1 - alpha / 2))))
        upper.append(bin_residuals[rank - 1])
        lower.append(bin_residuals[n - rank])
    where = np.searchsorted(head.edges, predicted, side="right")
    return predicted + np.array(lower)[where], predicted + np.array(upper)[where]


def within(head: Head, predicted: np.ndarray, tolerance: float) -> np.ndarray:
    """The probability that the truth is no further than `tolerance` from each prediction, of shape (n,).

    The share of residuals in the prediction's bin that are, shrunk by one miss: (hits) / (n + 1).
    """
    shares = [
        np.count_nonzero(np.abs(np.array(residuals)) <= tolerance) / (len(residuals) + 1)
        for residuals in head.residuals
    ]
    where = np.searchsorted(head.edges, predicted, side="right")
    return np.array(shares)[where]
