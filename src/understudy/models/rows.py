"""What a recipe is fitted on, and how rows are drawn, scaled and left out before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from understudy.core.nouns import Kind

RARE = 20
"""An answer is rare where another is so many times as frequent; of that one so many rows are kept for each."""
MANY_ROWS = 50_000
"""With fewer rows all of them are used."""


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


def thinned(rows: Rows, seed: int) -> tuple[Rows, str]:
    """Fewer rows of a class that outnumbers all others together many times over, each counting for those left out.

    From many rows with a rare answer the rare ones teach most. All of them are kept, and a random part of the frequent
    class, each with the weight N/n where n of its N rows are kept: the weighted loss has the loss of all rows as its
    mean, whatever is fitted, so that probabilities need no correction afterwards (Horvitz & Thompson 1952; for
    case-control samples Manski & Lerman 1977). Unweighted, each probability p would have to become
    p·w / (p·w + 1 − p) with w the ratio of the two weights (Elkan 2001), which holds for models that are right only.
    """
    if rows.kind != "classification" or len(rows.y) < MANY_ROWS:
        return rows, ""
    counts = np.bincount(rows.y, minlength=rows.n_classes)
    frequent = int(counts.argmax())
    others = len(rows.y) - int(counts[frequent])
    kept = max(RARE * others, MANY_ROWS // 2)
    if kept >= counts[frequent]:
        return rows, ""
    drawn = np.random.default_rng(seed).choice(np.flatnonzero(rows.y == frequent), kept, replace=False)
    chosen = np.sort(np.concatenate([np.flatnonzero(rows.y != frequent), drawn]))
    weights = np.ones(len(rows.y)) if rows.weights is None else rows.weights
    weights = np.where(rows.y == frequent, weights * (counts[frequent] / kept), weights)[chosen]
    part = replace(rows, X=rows.X[chosen], y=rows.y[chosen], weights=weights)
    return part, f"of the most frequent answer a random {kept:,} of {counts[frequent]:,} rows, which count for all"


def notes(*parts: str) -> str:
    """What there is to say of a fit, in one line.

    >>> notes("", "a sample", "cut short")
    'a sample; cut short'
    """
    return "; ".join(part for part in parts if part)


def target_columns(rows: Rows) -> np.ndarray:
    """The target as columns, of shape (n, k): a number, or ones by class, for two classes only that of the second."""
    if rows.kind == "regression":
        return np.asarray(rows.y, dtype=np.float64)[:, None]
    hot = (rows.y[:, None] == np.arange(rows.n_classes)).astype(np.float64)
    return np.asarray(hot[:, 1:] if rows.n_classes == 2 else hot)


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
