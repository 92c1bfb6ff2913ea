"""Where to cut a number: at quantiles, and where the loss changes most; at numbers as round as they can be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise

import numpy as np

FINE = 256
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
TREE_CUTS = 3
QUANTILE_SLACK, TREE_SLACK = 1 / 64, 1 / 256
"""The share of values by which a cut may move for a rounder number."""
MOST_VALUES = 50_000
"""Cuts are placed by so many values at most; what lies between them is counted on all rows."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Rounder = Callable[[float, float], float]
"""Gives the roundest number above the first and at most the second."""


def cuts(numbers: np.ndarray, excess: np.ndarray, *, least: int, rounder: Rounder) -> np.ndarray:
    """Edges that part a number into cells: [edge, next edge).

    Five lie near the 10, 25, 50, 75 and 90 % quantiles, three more are those of a regression tree on the loss (Breiman
    et al. 1984). Each may move a little, to the roundest number there is.

    Parameters
    ----------
    numbers : ndarray of shape (n,)
        NaN where missing; may be infinite.
    excess : ndarray of shape (n,)
        Each row's loss less the mean loss.
    least : int
        The fewest values on each side of a tree's cut.
    rounder : callable

    >>> age = np.arange(16.0, 80.0).repeat(10)
    >>> cuts(age, (age < 25) - 0.14, least=30, rounder=rounder_number).tolist()
    [23.0, 25.0, 33.0, 49.0, 60.0, 65.0, 75.0]
    """
    every = slice(None, None, -(-len(numbers) // MOST_VALUES) or None)
    numbers, excess = numbers[every], excess[every]
    known = np.flatnonzero(np.isfinite(numbers))
    order = known[np.argsort(numbers[known], kind="stable")]
    ordered, n = numbers[order], len(order)
    starts = possible_cuts(ordered)
    if not len(starts):
        return np.empty(0)
    path = np.concatenate([[0.0], np.cumsum(excess[order])])
    quantiles = {int(starts[np.argmin(np.abs(starts - share * n))]) for share in SHARES}
    tree = set(tree_cuts(starts, path, least=least * n / len(numbers)))
    slack = dict.fromkeys(quantiles, QUANTILE_SLACK) | dict.fromkeys(tree, TREE_SLACK)
    windows = [(start, int(share * n)) for start, share in slack.items()]
    spans = [(ordered[max(start - 1 - most, 0)], ordered[min(start + most, n - 1)]) for start, most in windows]
    return np.unique([rounder(float(low), float(high)) for low, high in spans])


def possible_cuts(ordered: np.ndarray) -> np.ndarray:
    """Places between different values: as many as there are, or near so many quantiles.

    >>> possible_cuts(np.array([1.0, 1.0, 2.0, 5.0])).tolist()
    [2, 3]
    """
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    if len(changes) <= FINE:
        return changes
    wanted = np.arange(1, FINE) * len(ordered) // FINE
    return np.unique(changes[np.minimum(np.searchsorted(changes, wanted), len(changes) - 1)])


def tree_cuts(starts: np.ndarray, path: np.ndarray, *, least: float) -> list[int]:
    """The cuts of a regression tree grown best first, each as how many values lie below it.

    Parameters
    ----------
    starts : ndarray of int
        How many values lie below each possible cut.
    path : ndarray of shape (n + 1,)
        The running sum of what the tree predicts.
    least : float
        The fewest values on each side.
    """
    found: list[int] = []
    for _ in range(TREE_CUTS):
        best, place = 0.0, 0
        for low, high in pairwise([0, *sorted(found), len(path) - 1]):
            at = starts[(starts - low >= least) & (high - starts >= least)]
            if not len(at):
                continue
            left, right = path[at] - path[low], path[high] - path[at]
            gain = left**2 / (at - low) + right**2 / (high - at) - (left + right) ** 2 / (high - low)
            if gain.max() > best:
                best, place = float(gain.max()), int(at[gain.argmax()])
        if not place:
            break
        found.append(place)
    return found


def rounder_number(low: float, high: float) -> float:
    """The number with the fewest digits that lies above `low` and at most at `high`.

    >>> rounder_number(1163.2, 1204.9), rounder_number(-1, 2), rounder_number(2, 3)
    (1200.0, 0.0, 3.0)
    """
    if low < 0 <= high:
        return 0.0
    exact = Decimal(repr(high))
    for digits in range(18):
        step = Decimal(1).scaleb(exact.adjusted() - digits)
        value = float(exact.quantize(step, rounding=ROUND_FLOOR))
        if low < value <= high:
            return value
    return high


def rounder_time(low: float, high: float) -> float:
    """The roundest time above `low` and at most at `high`, both in microseconds since 1970 UTC.

    >>> def micros(*moment):
    ...     return (datetime(*moment, tzinfo=UTC) - EPOCH) / timedelta(microseconds=1)
    >>> rounder_time(micros(2024, 3, 30), micros(2024, 4, 2, 17, 5)) == micros(2024, 4, 1)
    True
    """
    moment = EPOCH + timedelta(microseconds=high)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    for rounded in (day.replace(month=1, day=1), day.replace(day=1), day, hour):
        micros = (rounded - EPOCH) / timedelta(microseconds=1)
        if micros > low:
            return micros
    return high
