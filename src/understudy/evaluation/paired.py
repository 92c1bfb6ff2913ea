"""Two ways to answer the same cases: by how much one is more often right, and how sure that is."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evaluation.intervals import group_codes
from understudy.evidence.fixed import clopper_pearson

SPENT_ON_COUNT = 0.1
"""Of the chance of a wrong bound, the part that is spent on how many answers change, not on which way they do."""


def mean_interval(
    values: np.ndarray, *, alpha: float = 0.05, groups: np.ndarray | None = None, together: int = 1
) -> Evidence:
    """The mean of values in [-1, 1], by Student's t over independent units.

    Rows of one group count as one unit (Liang & Zeger 1986, Biometrika 73). The variance is never taken to be smaller
    than if two of the units lay at 1 and the rest at the mean: where nothing was seen to vary, something still may.

    Parameters
    ----------
    values : ndarray of shape (n,)
    alpha : float
        The chance that any of the bounds is wrong.
    groups : ndarray of shape (n,), optional
    together : int
        For how many means the bounds are to hold at once (Bonferroni).

    Raises
    ------
    ValueError
        There is no value.

    >>> found = mean_interval(np.array([0.0] * 90 + [1.0] * 10))
    >>> round(found.estimate, 3), round(found.lower, 3), round(found.upper, 3)
    (0.1, 0.04, 0.16)
    """
    if not len(values):
        raise ValueError("the mean of no values is not known")
    mean = float(values.mean())
    units, member = (len(values), None) if groups is None else group_codes(groups)
    off = values - mean
    pull = off if member is None else np.bincount(member, off, minlength=units)
    method = "t" if groups is None else "cluster-robust t"
    if units < 2:
        lower, upper = -1.0, 1.0
    else:
        error = math.sqrt(max(float(pull @ pull) * units / (units - 1), 2.0)) / len(values)
        half = float(stats.t.isf(alpha / together / 2, units - 1)) * error
        lower, upper = max(-1.0, mean - half), min(1.0, mean + half)
    return Evidence(
        estimate=mean,
        lower=lower,
        upper=upper,
        confidence=1 - alpha,
        n=units,
        method=method if together == 1 else f"{method}, {together} together",
    )


def change_interval(mended: int, broken: int, n: int, *, alpha: float = 0.05, together: int = 1) -> Evidence:
    """By how many right answers per case the second of two ways is ahead, exactly, where cases are independent.

    How many answers change, and which share of those change for the better, each have exact bounds (Clopper & Pearson
    1934, Biometrika 26; the second is the interval of McNemar's exact test, 1947, Psychometrika 12), a tenth of alpha
    for the first and nine for the second; their product is bounded with alpha in all.

    Parameters
    ----------
    mended, broken : int
        How many wrong answers became right, and right ones wrong.
    n : int
        Of how many cases.
    alpha : float
        The chance that any of the bounds is wrong.
    together : int
        For how many changes the bounds are to hold at once (Bonferroni).

    Raises
    ------
    ValueError
        More answers change than there are cases.

    >>> found = change_interval(212, 180, 4000)
    >>> round(found.estimate, 4), round(found.lower, 4), round(found.upper, 4)
    (0.008, -0.0025, 0.0206)
    """
    changed = mended + broken
    if min(mended, broken) < 0 or changed > n or n < 1:
        raise ValueError(f"of {n} cases {mended} became right and {broken} wrong: that cannot be")
    each = alpha / together
    some = clopper_pearson(changed, n, alpha=SPENT_ON_COUNT * each)
    way = clopper_pearson(mended, changed, alpha=(1 - SPENT_ON_COUNT) * each) if changed else None
    low, high = (-1.0, 1.0) if way is None else (2 * way.lower - 1, 2 * way.upper - 1)
    return Evidence(
        estimate=(mended - broken) / n,
        lower=low * (some.lower if low > 0 else some.upper),
        upper=high * (some.lower if high < 0 else some.upper),
        confidence=1 - alpha,
        n=n,
        method="exact McNemar" if together == 1 else f"exact McNemar, {together} together",
    )


def mcnemar(mended: int, broken: int) -> float:
    """The two-sided p-value of as uneven a change, if answers changed for the better as often as for the worse.

    >>> round(mcnemar(9, 1), 4), mcnemar(0, 0)
    (0.0215, 1.0)
    """
    return float(stats.binomtest(mended, mended + broken).pvalue) if mended + broken else 1.0
