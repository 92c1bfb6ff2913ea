"""Intervals and confidence of one predicted number.

This file needs the standard library only, because it travels, as it is, with every exported model. `calibrate.py` does
the same for arrays.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any


class RowIntervals:
    """Bounds around a number that hold the truth with a given confidence, and how likely it is within a tolerance.

    Parameters
    ----------
    head : mapping
        A `Head` as plain data.
    confidence : float
    tolerance : float
    """

    def __init__(self, head: Mapping[str, Any], confidence: float, tolerance: float) -> None:
        self._edges = list(head["edges"])
        self._bins = [
            (*interval_bounds(residuals, confidence), share_within(residuals, tolerance))
            for residuals in head["residuals"]
        ]

    def around(self, value: float) -> tuple[float, float, float]:
        """The lower bound, the upper bound, and the probability that the truth is within the tolerance."""
        low, high, within = self._bins[bisect_right(self._edges, value)]
        return value + low, value + high, within


def interval_bounds(residuals: Sequence[float], confidence: float) -> tuple[float, float]:
    """The residuals between which the truth lies, of sorted ones: the ⌈(n + 1)(1 − α/2)⌉-th and its mirror."""
    n = len(residuals)
    rank = min(n, math.ceil((n + 1) * (1 - (1 - confidence) / 2)))
    return residuals[n - rank], residuals[rank - 1]


def share_within(residuals: Sequence[float], tolerance: float) -> float:
    """The share of residuals no larger than the tolerance, drawn down by one miss."""
    return sum(abs(residual) <= tolerance for residual in residuals) / (len(residuals) + 1)
