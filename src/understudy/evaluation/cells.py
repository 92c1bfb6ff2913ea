"""Rows as counts in a few cells, and bootstrap draws of those counts.

What is read off many thresholds depends on the rows only through how many of each class lie between neighbouring
ones. Drawn with weights from a Poisson law, the rows of a cell together weigh what a Poisson law with their number says
(sums of independent Poisson variables are Poisson). So drawing counts is drawing rows, at a cost that does not grow
with them.
"""

from __future__ import annotations

import numpy as np

from understudy.evaluation.intervals import bootstrap_weights

DRAWS, GROUPED_DRAWS = 1000, 200


def score_edges(y: np.ndarray, score: np.ndarray, most: int) -> np.ndarray:
    """Where a score is cut into cells: at quantiles of positives and of negatives, so that a rare class is cut too.

    Cell i holds edges[i − 1] ≤ score < edges[i].

    Parameters
    ----------
    y : ndarray of shape (n,)
        1 for positives.
    score : ndarray of shape (n,)
    most : int
        At most so many edges.

    >>> score_edges(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]), 10).tolist()
    [0.1, 0.2, 0.3, 0.4]
    """
    distinct = np.unique(score)
    if len(distinct) <= most:
        return distinct
    parts = [score[y == label] for label in (0, 1)]
    filled = [part for part in parts if len(part)]
    grid = np.linspace(0, 1, most // len(filled))
    return np.unique(np.concatenate([np.quantile(part, grid, method="inverted_cdf") for part in filled]))


def cell_counts(y: np.ndarray, score: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many negatives and positives lie in each cell, of shape (2, cells)."""
    cells = len(edges) + 1
    return np.bincount(cell_codes(y, score, edges), minlength=2 * cells).reshape(2, cells).astype(np.float64)


def cell_codes(y: np.ndarray, score: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The cell of each row, positives after all negatives."""
    return np.searchsorted(edges, score, side="right") + (len(edges) + 1) * y.astype(np.int64)


def drawn_counts(
    y: np.ndarray, score: np.ndarray, edges: np.ndarray, *, seed: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """Bootstrap draws of the counts, of shape (draws, 2, cells); rows of one group are drawn together."""
    counts = cell_counts(y, score, edges)
    if groups is None:
        return np.random.default_rng(seed).poisson(counts, (DRAWS, *counts.shape)).astype(np.float64)
    codes = cell_codes(y, score, edges)
    weighted = bootstrap_weights(len(y), GROUPED_DRAWS, seed, groups)
    return np.array([np.bincount(codes, weights=w, minlength=counts.size).reshape(counts.shape) for w in weighted])


def from_edge_up(counts: np.ndarray) -> np.ndarray:
    """How much lies at or above each edge, along the last axis."""
    return np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1][..., 1:]
