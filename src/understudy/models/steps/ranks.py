"""Numbers by their place in the order of the rows."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from understudy.models.rows import Effort, Rows
from understudy.models.steps.curves import centered, knots
from understudy.models.steps.projection import Projection
from understudy.models.steps.step import Made, after, known_signs, others, places, wide

KNOTS = 33
FARTHEST = 2.5
"""The normal score of the smallest and of the largest value, at most."""


def fit_ranks(rows: Rows, _: Effort) -> Made:
    """Normal scores (van der Waerden 1952), straight between a few quantiles, for numbers of three values or more.

    What is skewed or has far values becomes even. The ramps between the quantiles are added up to one number again.
    """
    found = {place: knots(rows.X[:, place], KNOTS) for place in places(rows, "number")}
    ranked = {place: edges for place, edges in found.items() if len(edges) > 2}
    if not ranked:
        return Made(rows)
    sizes = [len(edges) - 1 for edges in ranked.values()]
    columns = tuple(np.repeat(list(ranked), sizes).tolist())
    low = np.concatenate([edges[:-1] for edges in ranked.values()])
    high = np.concatenate([edges[1:] for edges in ranked.values()])
    ramps = centered(rows, others(rows, tuple(ranked)), columns, low, high, 1 / (high - low))
    passed, width = len(ramps.kept), len(columns)
    weights = np.zeros((width, len(ranked)))
    rises = [np.diff(normal_scores(rows.X[:, place], edges)) for place, edges in ranked.items()]
    weights[np.arange(width), np.repeat(np.arange(len(ranked)), sizes)] = np.concatenate(rises)
    sums = Projection(tuple(range(passed)), tuple(range(passed, passed + width)), np.zeros(width), weights)
    kept = [rows.views[place] for place in ramps.kept]
    signs = known_signs(rows)
    raised = after(ramps, rows, [*kept, *["bend"] * width], signs=signs[[*ramps.kept, *columns]])
    summed = after(sums, raised, [*kept, *["number"] * len(ranked)], signs=signs[[*ramps.kept, *ranked]])
    return Made(summed, (ramps, sums))


def normal_scores(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The normal score of each edge: that of the share of the values below it, ties counted half.

    >>> normal_scores(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])).round(3).tolist()
    [-0.967, 0.0, 0.967]
    """
    ordered = np.sort(wide(values))
    below = np.searchsorted(ordered, edges, side="left") + np.searchsorted(ordered, edges, side="right")
    return np.clip(ndtri(below / (2 * len(values))), -FARTHEST, FARTHEST)
