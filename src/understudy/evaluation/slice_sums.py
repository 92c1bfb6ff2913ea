"""Rows as cells of facets, sums over cells, and what sums say of the slices that are made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHUNK = 32_768
"""So many rows are counted at a time, since they stay in the processor's cache."""

Place = tuple[int, int]
"""A facet and one of its predicates, each as a number from 0."""


@dataclass(frozen=True)
class Board:
    """The rows of a search.

    Attributes
    ----------
    codes : ndarray of uint8, shape (facets, n)
        The cell of each row in each facet.
    holds : ndarray of float64, shape (facets, predicates, cells)
        1 where a predicate takes in a cell; all 0 beyond a facet's own predicates.
    moments : tuple of ndarray of shape (n,)
        Of each row its weight u (left out where all are 1), ud and u²d², d being its loss less the mean loss.
    """

    codes: np.ndarray
    holds: np.ndarray
    moments: tuple[np.ndarray, ...]

    def rows(self, chosen: np.ndarray) -> Board:
        """Some of the rows."""
        return Board(self.codes[:, chosen], self.holds, tuple(moment[chosen] for moment in self.moments))

    def facets(self, chosen: np.ndarray) -> Board:
        """Some of the facets."""
        return Board(self.codes[chosen], self.holds[chosen], self.moments)

    def inside(self, places: tuple[Place, ...]) -> np.ndarray:
        """Which rows a slice takes in."""
        held = [self.holds[facet, predicate][self.codes[facet]] > 0 for facet, predicate in places]
        return np.asarray(np.logical_and.reduce(held))


@dataclass
class Sums:
    """Sums over cells: of each row 1 and its moments.

    Attributes
    ----------
    singles : ndarray of shape (facets, k, cells)
    pairs : list of ndarray of shape (later facets, k, cells, cells)
        For each facet those with each later one.
    total : ndarray of shape (k,)
    """

    singles: np.ndarray
    pairs: list[np.ndarray]
    total: np.ndarray

    def drop(self, other: Sums) -> None:
        """Take the sums of some rows away."""
        self.singles -= other.singles
        self.total -= other.total
        for mine, theirs in zip(self.pairs, other.pairs, strict=True):
            np.subtract(mine, theirs, out=mine)


def sum_cells(board: Board, paired: int) -> Sums:
    """The sums of all facets alone, and of the first `paired` of them with each other."""
    (facets, n), cells, k = board.codes.shape, board.holds.shape[2], len(board.moments) + 1
    singles = np.zeros((facets, k, cells))
    pairs = [np.zeros((paired - 1 - first, k, cells, cells)) for first in range(paired)]
    for start in range(0, n, CHUNK):
        part = board.codes[:, start : start + CHUNK].astype(np.int64)
        weights = [None, *(moment[start : start + CHUNK] for moment in board.moments)]
        for facet in range(facets):
            for place, weight in enumerate(weights):
                singles[facet, place] += np.bincount(part[facet], weight, minlength=cells)
        both = np.empty(part.shape[1], dtype=np.int64)
        for first in range(paired):
            rows = part[first] * cells
            for second in range(first + 1, paired):
                np.add(rows, part[second], out=both)
                for place, weight in enumerate(weights):
                    counted = np.bincount(both, weight, minlength=cells * cells)
                    pairs[first][second - first - 1, place] += counted.reshape(cells, cells)
    total = np.array([n, *(moment.sum() for moment in board.moments)], dtype=np.float64)
    return Sums(singles=singles, pairs=pairs, total=total)


def alone(holds: np.ndarray, sums: Sums) -> np.ndarray:
    """The sums of every predicate, of shape (k, facets, predicates)."""
    return np.moveaxis(sums.singles @ holds.transpose(0, 2, 1), 1, 0)


def crossed(holds: np.ndarray, sums: Sums, first: int) -> np.ndarray:
    """The sums of every pair with one facet, of shape (k, later facets, its predicates, their predicates)."""
    later = holds[first + 1 : first + 1 + len(sums.pairs[first])].transpose(0, 2, 1)
    return np.moveaxis(holds[first] @ sums.pairs[first] @ later[:, None], 1, 0)


def tell(inside: np.ndarray, total: np.ndarray, least: int) -> np.ndarray:
    """At how many standard errors the excess of slices lies; none where rows are too few."""
    gap, error, valid = compared(inside, total, least)
    return np.asarray(np.divide(gap, error, out=np.full(gap.shape, -np.inf), where=valid))


def tell_apart(inside: np.ndarray, outside: np.ndarray, total: np.ndarray) -> np.ndarray:
    """At how many standard errors two means differ."""
    gap, error = difference(inside, outside, total)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(gap / error)


def compared(inside: np.ndarray, total: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The excess of slices over the rows outside, its standard error, and whether both have rows enough."""
    outside = total.reshape(-1, *[1] * (inside.ndim - 1)) - inside
    gap, error = difference(inside, outside, total)
    return gap, error, np.asarray((inside[0] >= least) & (outside[0] >= least) & (error > 0))


def difference(inside: np.ndarray, outside: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much the mean losses differ, and the standard error (Welch 1947).

    Neither side's variance counts as smaller than that of all rows: else a few rows that are all wrong would seem sure.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        least = variance(total)
        errors = (np.maximum(variance(side), least) / side[0] for side in (inside, outside))
        return inside[-2] / inside[-3] - outside[-2] / outside[-3], np.sqrt(sum(errors))


def variance(sums: np.ndarray) -> np.ndarray:
    """The variance per row about the mean; with weights that of the weighted mean times the rows."""
    n, weight, excess, square = sums[0], sums[-3], sums[-2], sums[-1]
    spread: np.ndarray = np.maximum(square * n - excess**2, 0.0) / weight**2
    return spread
