"""Is the mean outcome of some cases what was predicted of them? A test of many buckets at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from understudy.evaluation.intervals import group_codes
from understudy.evaluation.poisson_binomial import tails

KINDS = 64
SMALL = 200
"""A bucket with fewer observations is taken to spread as much as all of them do, if it seems to spread less."""


@dataclass(frozen=True)
class Cases:
    """Predictions and outcomes.

    Attributes
    ----------
    predicted, outcome : ndarray of shape (n,)
    shares : bool
        Whether outcomes are 0 or 1 and predictions are their probabilities.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    member : ndarray of int, shape (n,), optional
        The number of each row's group.
    kind : ndarray of int, shape (n,)
        Rows of one kind have about the same prediction.
    """

    predicted: np.ndarray
    outcome: np.ndarray
    shares: bool
    groups: np.ndarray | None
    member: np.ndarray | None
    kind: np.ndarray

    @classmethod
    def of(cls, predicted: np.ndarray, outcome: np.ndarray, *, shares: bool, groups: np.ndarray | None) -> Cases:
        """Cases, their groups and kinds numbered."""
        edges = np.unique(np.quantile(predicted, np.linspace(0, 1, KINDS + 1)[1:-1]))
        kind = np.searchsorted(edges, predicted, side="right")
        return cls(predicted, outcome, shares, groups, None if groups is None else group_codes(groups)[1], kind)

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.outcome)

    @property
    def error_of_all(self) -> float:
        """The standard error of the bias of all rows, times the root of how many independent observations there are."""
        off = self.outcome - self.predicted
        off = off - off.mean()
        if self.member is None:
            return float(off.std())
        by_group = np.bincount(self.member, weights=off)
        return float(np.sqrt(by_group @ by_group * len(by_group))) / self.n

    @property
    def method(self) -> str:
        """How buckets are tested."""
        if self.groups is not None:
            return "Student t by groups"
        return "Poisson binomial test, Clopper–Pearson bounds" if self.shares else "Student t"


@dataclass(frozen=True)
class Sums:
    """What is known of the buckets of one cut; all arrays of shape (buckets,).

    Attributes
    ----------
    n, units : ndarray
        Rows, and independent observations.
    predicted, observed : ndarray
        Means.
    error : ndarray
        The standard error of the bias.
    p : ndarray
        Two-sided, against "the mean outcome is what was predicted".
    exact : bool
        Whether bounds are those of a share of independent cases.
    """

    n: np.ndarray
    units: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray
    error: np.ndarray
    p: np.ndarray
    exact: bool

    @property
    def bias(self) -> np.ndarray:
        """Observed less predicted."""
        return np.asarray(self.observed - self.predicted)

    @property
    def strength(self) -> np.ndarray:
        """The bias in standard errors; 0 where that cannot be told."""
        return np.asarray(np.divide(self.bias, self.error, out=np.zeros(len(self.n)), where=self.error > 0))

    def bounds(self, at: int, alpha: float) -> tuple[float, float]:
        """Bounds of a bucket's bias, each wrong with a chance of half of alpha."""
        bias, n = float(self.bias[at]), float(self.n[at])
        if self.exact:
            came = round(float(self.observed[at]) * n)
            low = float(stats.beta.ppf(alpha / 2, came, n - came + 1)) if came else 0.0
            high = float(stats.beta.isf(alpha / 2, came + 1, n - came)) if came < n else 1.0
            return low - float(self.predicted[at]), high - float(self.predicted[at])
        half = float(stats.t.isf(alpha / 2, max(self.units[at] - 1, 1))) * float(self.error[at])
        return bias - half, bias + half


def sums_of(cases: Cases, codes: np.ndarray, buckets: int) -> Sums:
    """The buckets of a cut, tested.

    Shares of independent cases are tested by the law of sums of unlike cases; else by Student's t, and the rows of one
    group count as one observation (Liang & Zeger 1986, Biometrika 73).

    Parameters
    ----------
    cases : Cases
    codes : ndarray of int, shape (n,)
        The bucket of each row, −1 where it is in none.
    buckets : int
    """
    inside = codes >= 0
    some = codes[inside].astype(np.int64)
    predicted, outcome = cases.predicted[inside], cases.outcome[inside]
    n = np.bincount(some, minlength=buckets)
    safe = np.maximum(n, 1)
    means = [np.bincount(some, weights=one, minlength=buckets) / safe for one in (predicted, outcome)]
    if cases.shares and cases.member is None:
        p, error = share_test(predicted, some * KINDS + cases.kind[inside], means[1] * n, buckets)
        return Sums(n, n, means[0], means[1], error, np.where(n > 0, p, 1.0), exact=True)
    off = outcome - predicted - (means[1] - means[0])[some]
    if cases.member is None:
        squares, units = np.bincount(some, weights=off**2, minlength=buckets), n
    else:
        squares, units = squares_by_group(off, some, cases.member[inside], buckets)
    error = np.sqrt(squares * units / np.maximum(units - 1, 1)) / safe
    usual = cases.error_of_all / np.sqrt(np.maximum(units, 1))
    error = np.where(units < SMALL, np.maximum(error, usual), error)
    told = (units > 1) & (error > 0)
    t = np.divide(means[1] - means[0], error, out=np.zeros(buckets), where=told)
    p = np.where(told, 2 * stats.t.sf(np.abs(t), np.maximum(units - 1, 1)), 1.0)
    return Sums(n, units, means[0], means[1], error, p, exact=False)


def share_test(
    predicted: np.ndarray, code: np.ndarray, came: np.ndarray, buckets: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p-values of how many came true, and the standard errors that the predictions imply.

    `code` is the bucket of each row times the number of kinds, and its kind.
    """
    cells, shape = buckets * KINDS, (buckets, KINDS)
    sizes = np.bincount(code, minlength=cells).reshape(shape).astype(np.float64)
    totals = np.bincount(code, weights=predicted, minlength=cells).reshape(shape)
    chances = totals / np.maximum(sizes, 1)
    below, above = tails(came, sizes, chances)
    p = np.minimum(2 * np.minimum(below, above), 1.0)
    return p, np.sqrt((sizes * chances * (1 - chances)).sum(axis=1)) / np.maximum(sizes.sum(axis=1), 1)


def squares_by_group(
    off: np.ndarray, some: np.ndarray, member: np.ndarray, buckets: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each bucket the sum of squares of its groups' sums, and how many groups it has."""
    pair, place = np.unique(some * (int(member.max(initial=0)) + 1) + member, return_inverse=True)
    owner = pair // (int(member.max(initial=0)) + 1)
    by_group = np.bincount(place, weights=off, minlength=len(pair))
    return np.bincount(owner, weights=by_group**2, minlength=buckets), np.bincount(owner, minlength=buckets)
