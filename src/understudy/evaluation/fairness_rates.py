"""Rates of groups, and by how much each lies apart from that of all other cases."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from understudy.core.evidence import Evidence


@dataclass(frozen=True)
class Sample:
    """What one measure says of each case.

    Attributes
    ----------
    values : ndarray of shape (n,)
    where : ndarray of bool, shape (n,), optional
        The cases for which it is defined; None for all.
    share : bool
        Whether all values are 0 or 1.
    """

    values: np.ndarray
    where: np.ndarray | None = None
    share: bool = True


@dataclass(frozen=True)
class Tally:
    """The sums of one measure over the rows of each group, and what is needed beside them.

    Attributes
    ----------
    n, total, squares : ndarray of shape (groups,)
        Rows, the sum of their values, and of their squares.
    share : bool
    least : float
        The variance of all rows: neither side of a comparison counts as less variable, else a few rows that happen to
        be alike would seem sure.
    """

    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    share: bool
    least: float


def tally(sample: Sample, codes: np.ndarray, groups: int) -> Tally:
    """One pass over the rows."""
    values = np.asarray(sample.values, dtype=np.float64)
    if sample.where is not None:
        values, codes = values[sample.where], codes[sample.where]
    total = np.bincount(codes, weights=values, minlength=groups)
    squares = total if sample.share else np.bincount(codes, weights=values**2, minlength=groups)
    least = float(values.var()) if len(values) else 0.0
    return Tally(np.bincount(codes, minlength=groups), total, squares, sample.share, least)


def rate(found: Tally, group: int, alpha: float) -> Evidence | None:
    """The mean of one group: exact for shares, by Student's t otherwise; None without rows.

    Exact is the interval of Clopper & Pearson 1934, Biometrika 26. A t interval takes the variance of all rows where
    the group's own is smaller.
    """
    n = int(found.n[group])
    if not n:
        return None
    mean = float(found.total[group] / n)
    if found.share:
        lower, upper = exact_bounds(mean, n, alpha)
        return Evidence(estimate=mean, lower=lower, upper=upper, confidence=1 - alpha, n=n, method="Clopper–Pearson")
    if n < 2:
        return None
    half = t_quantile(alpha, n - 1) * math.sqrt(variance(found, group) / n)
    return Evidence(
        estimate=mean, lower=mean - half, upper=mean + half, confidence=1 - alpha, n=n, method="Student's t"
    )


def exact_bounds(mean: float, n: int, alpha: float) -> tuple[float, float]:
    """The bounds of a share, exact for independent rows; a comparison of many groups asks for very many of them.

    >>> [round(bound, 4) for bound in exact_bounds(0.0, 100, 0.05)]
    [0.0, 0.0362]
    """
    hits = round(mean * n)
    lower = float(special.betaincinv(hits, n - hits + 1, alpha / 2)) if hits else 0.0
    upper = float(special.betaincinv(hits + 1, n - hits, 1 - alpha / 2)) if hits < n else 1.0
    return lower, upper


def t_quantile(alpha: float, df: float) -> float:
    """What Student's t exceeds in size with a chance of alpha."""
    return -float(special.stdtrit(df, alpha / 2))


def variance(found: Tally, group: int) -> float:
    """The variance of one group, or of all rows where that is larger."""
    n = float(found.n[group])
    own = (found.squares[group] - found.total[group] ** 2 / n) / (n - 1) if n > 1 else 0.0
    return max(float(own), found.least)


@dataclass(frozen=True)
class Apart:
    """How far one group lies from all other rows.

    Attributes
    ----------
    here, there : float
        The means of the group and of the other rows.
    n_here, n_there : int
    p : float
        Two-sided, for no difference.
    error, df : float
        The standard error of the difference and its degrees of freedom; NaN where both means are shares, whose bounds
        are exact.
    """

    here: float
    there: float
    n_here: int
    n_there: int
    p: float
    error: float = math.nan
    df: float = math.nan

    @property
    def estimate(self) -> float:
        """The difference."""
        return self.here - self.there

    def difference(self, alpha: float) -> tuple[float, float]:
        """Bounds of the difference, wrong with a chance of alpha.

        Of shares they are put together from the exact bounds of both by squaring and adding (Newcombe 1998, "Interval
        estimation for the difference between independent proportions", method 10, Stat. Med. 17, with exact bounds in
        place of Wilson's).
        """
        if not math.isnan(self.error):
            half = t_quantile(alpha, self.df) * self.error
            return self.estimate - half, self.estimate + half
        (low_here, high_here), (low_there, high_there) = self.sides(alpha)
        low = math.hypot(self.here - low_here, high_there - self.there)
        high = math.hypot(high_here - self.here, self.there - low_there)
        return self.estimate - low, self.estimate + high

    def ratio(self, alpha: float) -> tuple[float, float] | None:
        """Bounds of here over there, of shares only; None where no upper bound exists.

        Put together from the exact bounds of both (Donner & Zou 2012, "Closed-form confidence intervals for functions
        of the normal mean and standard deviation", Stat. Methods Med. Res. 21, equation 9).
        """
        if not math.isnan(self.error) or not self.there:
            return None
        (low_here, high_here), (low_there, high_there) = self.sides(alpha)
        if not low_there or 2 * self.there <= high_there:
            return None
        product = self.here * self.there
        low = low_here * high_there * (2 * self.here - low_here) * (2 * self.there - high_there)
        high = high_here * low_there * (2 * self.here - high_here) * (2 * self.there - low_there)
        lower = (product - math.sqrt(max(0.0, product**2 - low))) / (high_there * (2 * self.there - high_there))
        upper = (product + math.sqrt(max(0.0, product**2 - high))) / (low_there * (2 * self.there - low_there))
        return max(0.0, lower), upper

    def sides(self, alpha: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """The exact bounds of both shares."""
        return exact_bounds(self.here, self.n_here, alpha), exact_bounds(self.there, self.n_there, alpha)


def apart(found: Tally, group: int) -> Apart | None:
    """One group against all other rows; None where either side holds less than two.

    Shares by Fisher's exact test, the smaller tail doubled; anything else by Welch's t (Welch 1947, Biometrika 34).

    >>> wrong = np.array([1.0] * 12 + [0.0] * 28 + [1.0] * 20 + [0.0] * 180)
    >>> found = apart(tally(Sample(wrong), (np.arange(240) >= 40).astype(int), 2), 0)
    >>> round(found.estimate, 2), round(found.p, 4), [round(bound, 3) for bound in found.difference(0.05)]
    (0.2, 0.0036, [0.057, 0.37])
    """
    here, total = int(found.n[group]), int(found.n.sum())
    there = total - here
    if min(here, there) < 2:
        return None
    inside, outside = float(found.total[group]), float(found.total.sum() - found.total[group])
    means = (inside / here, outside / there)
    if found.share:
        hits, law = round(inside), (total, round(inside + outside), here)
        below, above = stats.hypergeom.cdf(hits, *law), stats.hypergeom.sf(hits - 1, *law)
        return Apart(*means, here, there, min(1.0, 2 * float(min(below, above))))
    beyond = Tally(
        n=np.array([there]),
        total=np.array([outside]),
        squares=np.array([found.squares.sum() - found.squares[group]]),
        share=False,
        least=found.least,
    )
    parts = (variance(found, group) / here, variance(beyond, 0) / there)
    if not sum(parts):
        return Apart(*means, here, there, 1.0, error=0.0, df=1.0)
    error, df = math.sqrt(sum(parts)), sum(parts) ** 2 / (parts[0] ** 2 / (here - 1) + parts[1] ** 2 / (there - 1))
    return Apart(*means, here, there, two_sided((means[0] - means[1]) / error, df), error=error, df=df)


def two_sided(t: float, df: float) -> float:
    """The p-value of a t statistic."""
    return float(2 * special.stdtr(df, -abs(t)))
