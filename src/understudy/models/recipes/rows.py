"""What a recipe is fitted on, and how rows are drawn, scaled and left out before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from understudy.core.nouns import Kind


@dataclass(frozen=True)
class Rows:
    """What a recipe is fitted on.

    Attributes
    ----------
    kind : {"classification", "regression"}
    n_classes : int
        How many classes there are; 0 for regression. A class may have no row here.
    X : ndarray of float32, shape (n, d)
        The encoded inputs.
    y : ndarray of shape (n,)
        Class indices, or numbers.
    views : sequence of str
        What each of the d features shows: "number", "flag", "code", "level" or "word".
    X_stop, y_stop : ndarray, optional
        Rows on which boosting decides when to stop; none of them is in X.
    weights : ndarray of float64, shape (n,), optional
        How much each row of X counts; by default all alike.
    weights_stop : ndarray of float64, optional
        The same for the rows to stop on.
    monotone : ndarray of int64, shape (d,), optional
        What is known of each feature: with 1 the number, or the probability of the second of two classes, may only rise
        with it, with −1 only fall, with 0 anything.
    """

    kind: Kind
    n_classes: int
    X: np.ndarray
    y: np.ndarray
    views: Sequence[str]
    X_stop: np.ndarray | None = None
    y_stop: np.ndarray | None = None
    weights: np.ndarray | None = None
    weights_stop: np.ndarray | None = None
    monotone: np.ndarray | None = None

    @property
    def directed(self) -> bool:
        """Whether the direction of any feature is known."""
        return self.monotone is not None and bool(self.monotone.any())


@dataclass(frozen=True)
class Effort:
    """The seed, and how many threads a fit may use."""

    seed: int
    threads: int


def counted(rows: Rows) -> Rows:
    """The rows that count at all; libraries differ in what they make of a weight of 0."""
    if rows.weights is None or rows.weights.all():
        return rows
    kept = rows.weights > 0
    return replace(rows, X=rows.X[kept], y=rows.y[kept], weights=rows.weights[kept])


def target_scale(rows: Rows) -> tuple[float, float]:
    """The mean and standard deviation of a numeric target; 0 and 1 for classes, and 1 where it is constant."""
    if rows.kind == "classification":
        return 0.0, 1.0
    center = float(np.average(rows.y, weights=rows.weights))
    return center, float(np.sqrt(np.average((rows.y - center) ** 2, weights=rows.weights))) or 1.0


def scaled(rows: Rows, center: float, scale: float) -> Rows:
    """The rows with their numeric target, also that of the stopping rows, shifted and divided."""
    if rows.kind == "classification":
        return rows
    y_stop = None if rows.y_stop is None else (rows.y_stop - center) / scale
    return replace(rows, y=(rows.y - center) / scale, y_stop=y_stop)


def sampled(rows: Rows, most: int, seed: int) -> tuple[Rows, str]:
    """At most so many of the rows, drawn at random and kept in their order, and a note that says so."""
    n = len(rows.y)
    if n <= most:
        return rows, ""
    chosen = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    weights = None if rows.weights is None else rows.weights[chosen]
    part = replace(rows, X=rows.X[chosen], y=rows.y[chosen], weights=weights)
    return part, f"fitted on a random {most:,} of {n:,} rows"


def notes(*parts: str) -> str:
    """What there is to say of a fit, in one line.

    >>> notes("", "a sample", "cut short")
    'a sample; cut short'
    """
    return "; ".join(part for part in parts if part)


def baseline_scores(y: np.ndarray, *, kind: Kind, n_classes: int, n: int) -> np.ndarray:
    """What one would say knowing nothing of the case: the shares of the classes, or the mean.

    Returns
    -------
    ndarray of shape (n, n_classes) or (n, 1)
    """
    if kind == "regression":
        return np.full((n, 1), float(np.mean(y)))
    shares = np.bincount(y, minlength=n_classes) / len(y)
    return np.tile(shares, (n, 1))
