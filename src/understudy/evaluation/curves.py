"""What a score tells along all of its thresholds: ROC, precision and recall, gain and lift, with bands.

Each curve has 200 points at most, whatever the number of rows. Bands hold each point by itself with 95 %; they are read
off bootstrap draws of how many of each class lie between neighbouring thresholds.
"""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.evaluation.cells import cell_counts, drawn_counts, from_edge_up, score_edges

MOST_EDGES = 198
GRID = 60
CONFIDENCE = 0.95


class RocPoint(msgspec.Struct, frozen=True, kw_only=True):
    """At a threshold: the shares of negatives and of positives at or above it, and bounds of the latter there."""

    false_positives: float
    true_positives: float
    lower: float
    upper: float


class PrecisionPoint(msgspec.Struct, frozen=True, kw_only=True):
    """At a threshold: the share of positives found, the share of positives among those found, and its bounds there."""

    threshold: float
    recall: float
    precision: float
    lower: float
    upper: float


class GainPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Of the highest scores a share of all cases: the share of all positives among them, with bounds, and the lift.

    Lift is by how many times as many they are as among as many cases drawn by lot.
    """

    share: float
    found: float
    lower: float
    upper: float
    lift: float


class RankingCurves(msgspec.Struct, frozen=True, kw_only=True):
    """The curves of one class against all others.

    Attributes
    ----------
    label : str
    positives : float
        The share of cases that are so: the precision of answering at random.
    roc : tuple of RocPoint
        From (0, 0) to (1, 1).
    precision : tuple of PrecisionPoint
        From the highest threshold down.
    gain : tuple of GainPoint
    method : str
        How the bands were made.
    """

    label: str
    positives: float
    roc: tuple[RocPoint, ...]
    precision: tuple[PrecisionPoint, ...]
    gain: tuple[GainPoint, ...]
    method: str


def ranking_curves(
    y: np.ndarray, score: np.ndarray, label: str, *, seed: int = 0, groups: np.ndarray | None = None
) -> RankingCurves | None:
    """The curves of one class; None where all cases are of it, or none is.

    Parameters
    ----------
    y : ndarray of shape (n,)
        1 for the class, else 0.
    score : ndarray of shape (n,)
        The higher, the likelier the class.
    label : str
    seed : int
    groups : ndarray of shape (n,), optional
        Rows of one group are drawn together.

    >>> found = ranking_curves(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]), "yes")
    >>> [(one.false_positives, one.true_positives) for one in found.roc]
    [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]
    """
    positives = float(np.mean(y))
    if not 0 < positives < 1:
        return None
    edges = score_edges(y, score, MOST_EDGES)
    counts = cell_counts(y, score, edges)
    drawn = drawn_counts(y, score, edges, seed=seed, groups=groups)
    drawn = drawn[(drawn.sum(axis=2) > 0).all(axis=1)]  # a class may be missing from a draw
    return RankingCurves(
        label=label,
        positives=positives,
        roc=roc(counts, drawn),
        precision=precision_recall(counts, drawn, edges),
        gain=gain_curve(counts, drawn),
        method=f"{'' if groups is None else 'cluster '}bootstrap, {len(drawn):,} draws, each point by itself",
    )


def shares_above(counts: np.ndarray) -> np.ndarray:
    """The shares of each class at or above each threshold, the highest one first, with 0 before it."""
    above = from_edge_up(counts)[..., ::-1] / counts.sum(axis=-1, keepdims=True)
    return np.concatenate([np.zeros((*above.shape[:-1], 1)), above], axis=-1)


def band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of the draws at each point."""
    alpha = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(values, [alpha, 1 - alpha], axis=0)
    return lower, upper


def along(x: np.ndarray, drawn_x: np.ndarray, drawn_y: np.ndarray) -> np.ndarray:
    """Each draw's curve read at the same places."""
    return np.array([np.interp(x, one_x, one_y) for one_x, one_y in zip(drawn_x, drawn_y, strict=True)])


def roc(counts: np.ndarray, drawn: np.ndarray) -> tuple[RocPoint, ...]:
    """The receiver operating characteristic; the band is one of true positives at a given share of false ones."""
    false, true = shares_above(counts)
    draws = shares_above(drawn)
    lower, upper = band(along(false, draws[:, 0], draws[:, 1]))
    return tuple(
        RocPoint(false_positives=f, true_positives=t, lower=min(low, t), upper=max(high, t))
        for f, t, low, high in zip(*(one.tolist() for one in (false, true, lower, upper)), strict=True)
    )


def precision_recall(counts: np.ndarray, drawn: np.ndarray, edges: np.ndarray) -> tuple[PrecisionPoint, ...]:
    """Precision against recall; the band is one of the precision at a given threshold."""
    above = from_edge_up(counts)[:, ::-1]
    precision = above[1] / above.sum(axis=0)
    many = from_edge_up(drawn)[:, :, ::-1]
    total = many.sum(axis=1)
    draws = np.divide(many[:, 1], total, out=np.broadcast_to(precision, total.shape).copy(), where=total > 0)
    lower, upper = band(draws)
    recall = above[1] / counts[1].sum()
    return tuple(
        PrecisionPoint(threshold=t, recall=r, precision=p, lower=min(low, p), upper=max(high, p))
        for t, r, p, low, high in zip(
            *(one.tolist() for one in (edges[::-1], recall, precision, lower, upper)), strict=True
        )
    )


def gain_curve(counts: np.ndarray, drawn: np.ndarray) -> tuple[GainPoint, ...]:
    """The share of positives among the highest scores, by how many those are; within a cell, cases by lot."""
    grid = np.linspace(0, 1, GRID + 1)[1:]

    def path(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        all_cases = shares_above(cells.sum(axis=-2))
        return all_cases, shares_above(cells)[..., 1, :]

    found = np.interp(grid, *path(counts))
    draws = path(drawn)
    lower, upper = band(along(grid, *draws))
    return tuple(
        GainPoint(share=s, found=f, lower=min(low, f), upper=max(high, f), lift=f / s)
        for s, f, low, high in zip(*(one.tolist() for one in (grid, found, lower, upper)), strict=True)
    )
