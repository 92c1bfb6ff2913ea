"""Calibration curves without a formula: isotonic regression and Venn–Abers, as polylines over the log odds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

MOST_GROUPS = 200
FEWEST_PER_GROUP = 20
STEEPEST = 2.0
"""A curve that rises faster, by log odds, would make much of a difference that is none."""

TILT = 1e-3
"""How far beyond its ends a curve still rises, relative to what is left: so that no two cases become equal."""

FURTHEST = 17.0
"""Log odds beyond those that occur: probabilities are clipped."""


class Curve(NamedTuple):
    """A polyline from log odds, increasing, to probabilities, increasing too; each of shape (m,)."""

    knots: np.ndarray
    levels: np.ndarray


class Groups(NamedTuple):
    """Cases with about the same log odds: their mean log odds, their share of hits and how much they count."""

    odds: np.ndarray
    shares: np.ndarray
    weights: np.ndarray


def grouped(odds: np.ndarray, hits: np.ndarray, weights: np.ndarray | None = None) -> Groups:
    """At most 200 groups of neighbouring cases, of about as many each, never fewer than twenty; ties stay together.

    Parameters
    ----------
    odds : ndarray of shape (n,)
    hits : ndarray of shape (n,)
        0 or 1.
    weights : ndarray of shape (n,), optional
        How much each case counts; they are scaled to a mean of 1.
    """
    n = len(odds)
    each = np.ones(n) if weights is None else weights * (n / weights.sum())
    count = int(np.clip(n // FEWEST_PER_GROUP, 1, MOST_GROUPS))
    edges = np.unique(np.quantile(odds, np.linspace(0, 1, count + 1)[1:-1]))
    place = np.searchsorted(edges, odds, side="right")
    total = np.bincount(place, each, len(edges) + 1)
    used = total > 0
    sums = [np.bincount(place, each * values, len(edges) + 1)[used] / total[used] for values in (odds, hits)]
    return Groups(sums[0], sums[1], total[used])


def isotonic_curve(groups: Groups) -> Curve:
    """Centred isotonic regression (Oron & Flournoy 2017).

    The pooled blocks of isotonic regression (Zadrozny & Elkan 2002) stand at their mean log odds, with straight lines
    between them: unlike the staircase it makes no two cases equal, so that ranks, and the area under the ROC curve,
    stay. The outermost blocks are kept off 0 and 1 by half a case.
    """
    found = isotonic_regression(groups.shares, weights=groups.weights)
    starts = found.blocks[:-1]
    weights = np.add.reduceat(groups.weights, starts)
    knots = np.add.reduceat(groups.weights * groups.odds, starts) / weights
    levels = found.x[starts].copy()
    if len(levels) > 1:
        levels[0] = max(levels[0], min(0.5 / (weights[0] + 1), levels[1] / 2))
        levels[-1] = min(levels[-1], max(1 - 0.5 / (weights[-1] + 1), (1 + levels[-2]) / 2))
    return finished(knots, np.clip(levels, 0.5 / (weights + 1), 1 - 0.5 / (weights + 1)), weights)


def venn_abers_curve(groups: Groups) -> Curve:
    """Inductive Venn–Abers prediction (Vovk & Petej 2014), as one probability for each case.

    Isotonic regression is made once as if a new case were a miss, and once as if it were a hit; the two answers p₀ and
    p₁ bracket the truth, and p₁/(1 − p₀ + p₁) stands for both (Vovk, Petej & Fedorova 2015, §4). The guarantee is for
    the pair on unpooled scores; this polyline through the groups comes close to it.
    """
    places = range(len(groups.odds))
    low = np.array([as_if(groups, place, 0.0) for place in places])
    high = np.array([as_if(groups, place, 1.0) for place in places])
    return finished(groups.odds, high / (1 - low + high), groups.weights)


def as_if(groups: Groups, place: int, hit: float) -> float:
    """The isotonic answer for a new case in a group, if it is a hit or a miss."""
    weights, shares = groups.weights.copy(), groups.shares.copy()
    weights[place] += 1
    shares[place] += (hit - shares[place]) / weights[place]
    return float(isotonic_regression(shares, weights=weights).x[place])


def finished(knots: np.ndarray, levels: np.ndarray, weights: np.ndarray) -> Curve:
    """The curve through some points: those that are level, or nearly upright, are one; beyond its ends it rises a
    little.
    """
    points = [*zip(knots.tolist(), np.maximum.accumulate(levels).tolist(), weights.tolist(), strict=True)]
    kept: list[tuple[float, float, float]] = []
    for point in points:
        here = point
        while kept and not rises(kept[-1], here):
            here = joined(kept.pop(), here)
        kept.append(here)
    x, y = [point[0] for point in kept], [point[1] for point in kept]
    ends = y[0] * (1 - TILT), y[-1] + (1 - y[-1]) * TILT
    return Curve(np.array([-FURTHEST, *x, FURTHEST]), np.array([ends[0], *y, ends[1]]))


def rises(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether a line from one point to another rises, and not too steeply."""
    return 0 < other[1] - one[1] <= STEEPEST * (other[0] - one[0])


def joined(one: tuple[float, float, float], other: tuple[float, float, float]) -> tuple[float, float, float]:
    """Two points as one, between them by what they count."""
    total = one[2] + other[2]
    share = other[2] / total
    return one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1]), total


def mirrored(curve: Curve) -> Curve:
    """The curve of the other of two answers.

    >>> mirrored(Curve(np.array([-2.0, 1.0]), np.array([0.25, 0.5])))
    Curve(knots=array([-1.,  2.]), levels=array([0.5 , 0.75]))
    """
    return Curve(-curve.knots[::-1], 1 - curve.levels[::-1])
