"""Rates of groups where rows are not independent, as those of one customer: every group of a column in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.fairness_rates import Apart, Sample, t_quantile, two_sided


@dataclass(frozen=True)
class Cells:
    """Which cluster and which group each row is in, as cells: the pairs that occur.

    Attributes
    ----------
    row : ndarray of int64, shape (n,)
        The cell of each row.
    group, cluster : ndarray of int64, shape (cells,)
    groups, clusters : int
        How many there are.
    """

    row: np.ndarray
    group: np.ndarray
    cluster: np.ndarray
    groups: int
    clusters: int


def cells_of(clusters: np.ndarray, codes: np.ndarray, groups: int) -> Cells:
    """The cells of rows, given their clusters, counted from 0, and their groups."""
    pairs, row = np.unique(clusters * groups + codes, return_inverse=True)
    return Cells(row, pairs % groups, pairs // groups, groups, int(clusters.max()) + 1)


@dataclass(frozen=True)
class Side:
    """One side of every group's comparison, the groups themselves or all other rows.

    Attributes
    ----------
    n, mean : ndarray of shape (groups,)
    units : ndarray of shape (groups,)
        How many clusters of equal size it is worth.
    square : ndarray of shape (groups,)
        The squared standard error of the mean, over clusters (Liang & Zeger 1986, Biometrika 73).
    """

    n: np.ndarray
    mean: np.ndarray
    units: np.ndarray
    square: np.ndarray


@dataclass(frozen=True)
class Clustered:
    """One measure of every group, over clusters.

    Attributes
    ----------
    here, there : Side
    cross : ndarray of shape (groups,)
        The covariance of both means: one cluster may lie on both sides.
    least : float
        The variance of all rows; no side's counts as smaller.
    share : bool
    """

    here: Side
    there: Side
    cross: np.ndarray
    least: float
    share: bool

    def square(self, one: Side, group: int) -> float:
        """The squared standard error of one side, not below that of independent rows."""
        return max(float(one.square[group]), self.least / float(one.n[group]))

    def rate(self, group: int, alpha: float) -> Evidence | None:
        """The mean of one group by Student's t over its clusters; None with less than two of them."""
        units = float(self.here.units[group])
        if not units >= 2:
            return None
        mean = float(self.here.mean[group])
        half = t_quantile(alpha, units - 1) * math.sqrt(self.square(self.here, group))
        return Evidence(
            estimate=mean,
            lower=max(0.0, mean - half) if self.share else mean - half,
            upper=min(1.0, mean + half) if self.share else mean + half,
            confidence=1 - alpha,
            n=round(units),
            method="Student's t over clusters",
        )

    def apart(self, group: int) -> Apart | None:
        """One group against all other rows, by Welch's t over clusters; None with less than two on either side."""
        sides = (self.here, self.there)
        units = [float(one.units[group]) for one in sides]
        if not min(units) >= 2:
            return None
        means, rows = [float(one.mean[group]) for one in sides], [round(float(one.n[group])) for one in sides]
        if not self.least:
            return Apart(means[0], means[1], rows[0], rows[1], 1.0, error=0.0, df=1.0)
        parts = [self.square(one, group) for one in sides]
        error = math.sqrt(max(sum(parts) - 2 * float(self.cross[group]), 0.0))
        df = sum(parts) ** 2 / sum(part**2 / (unit - 1) for part, unit in zip(parts, units, strict=True))
        p = two_sided((means[0] - means[1]) / error, df) if error else 1.0
        return Apart(means[0], means[1], rows[0], rows[1], p, error=error, df=df)


def clustered(sample: Sample, cells: Cells) -> Clustered:
    """One measure of every group, from sums over cells.

    What all other rows of a cluster come to is what the cluster comes to less the cell; clusters without rows of a
    group enter through the sums over all clusters.
    """
    mask = np.ones(len(cells.row)) if sample.where is None else sample.where.astype(np.float64)
    values = np.asarray(sample.values, dtype=np.float64) * mask
    size = len(cells.group)
    n, s = np.bincount(cells.row, mask, size), np.bincount(cells.row, values, size)
    all_n, all_s = (np.bincount(cells.cluster, one, cells.clusters) for one in (n, s))

    def by_group(one: np.ndarray) -> np.ndarray:
        return np.bincount(cells.group, one, cells.groups)

    rest_n, rest_s = all_n[cells.cluster] - n, all_s[cells.cluster] - s
    total_n, total_s = by_group(n), by_group(s)
    here = side(total_n, total_s, by_group(n * n), by_group(n * s), by_group(s * s))
    there = side(
        mask.sum() - total_n,
        values.sum() - total_s,
        all_n @ all_n - by_group(all_n[cells.cluster] ** 2 - rest_n**2),
        all_n @ all_s - by_group((all_n * all_s)[cells.cluster] - rest_n * rest_s),
        all_s @ all_s - by_group(all_s[cells.cluster] ** 2 - rest_s**2),
    )
    pull_here = s - here.mean[cells.group] * n
    pull_there = rest_s - there.mean[cells.group] * rest_n
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = inflated(here.units) * inflated(there.units) / (here.n * there.n)
        cross = by_group(pull_here * pull_there) * scale
    mean = float(values.sum() / mask.sum()) if mask.any() else 0.0
    least = float(mask @ (values - mean) ** 2 / mask.sum()) if mask.any() else 0.0
    return Clustered(here, there, cross, least, sample.share)


def side(n: np.ndarray, s: np.ndarray, nn: np.ndarray, ns: np.ndarray, ss: np.ndarray) -> Side:
    """One side from sums over clusters: of rows, values, and their squares and products."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, units = s / n, n**2 / nn
        square = (ss - 2 * mean * ns + mean**2 * nn) / n**2 * inflated(units) ** 2
    return Side(n, mean, units, np.maximum(square, 0.0))


def inflated(units: np.ndarray) -> np.ndarray:
    """What few clusters make of a standard error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.sqrt(units / (units - 1))
    return found
