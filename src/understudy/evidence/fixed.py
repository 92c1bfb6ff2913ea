"""Bounds for one look, at a number of cases that was fixed beforehand.

They are tighter than those that hold at any time, and wrong for whoever looks again and stops when it suits: then the
promise is broken several times as often.
"""

from __future__ import annotations

from math import ceil, e, exp, nan

import numpy as np
from scipy import special, stats

from understudy.core.evidence import Evidence
from understudy.evidence.betting import refuse
from understudy.evidence.means import last_refuted


def clopper_pearson(errors: int, n: int, *, alpha: float = 0.05) -> Evidence:
    """An error rate after so many errors in `n` cases, exact for one look (Clopper & Pearson 1934, Biometrika 26).

    Parameters
    ----------
    errors, n : int
        0 ≤ errors ≤ n.
    alpha : float
        The chance that the bounds miss the rate, at most half of it on each side.

    Raises
    ------
    ValueError
        A number lies outside its range.

    >>> statement = clopper_pearson(0, 100)
    >>> statement.lower, round(statement.upper, 3), statement.anytime
    (0.0, 0.036, False)
    """
    if not 0 <= errors <= n or not 0 < alpha < 1:
        raise ValueError(f"errors lie between 0 and n, alpha between 0 and 1; got {errors}, {n} and {alpha}")
    return Evidence(
        estimate=errors / n if n else nan,
        lower=float(stats.beta.ppf(alpha / 2, errors, n - errors + 1)) if errors else 0.0,
        upper=float(stats.beta.ppf(1 - alpha / 2, errors + 1, n - errors)) if errors < n else 1.0,
        confidence=1 - alpha,
        n=n,
        method="Clopper–Pearson",
    )


def hoeffding_bentkus(losses: np.ndarray, *, alpha: float = 0.05) -> Evidence:
    """The mean of losses in [0, 1] for one look; the bounds invert `hoeffding_bentkus_p` on both sides.

    Parameters
    ----------
    losses : ndarray of shape (n,)
        In [0, 1], NaN where nobody looked, with the same probability everywhere.
    alpha : float
        The chance that the bounds miss the mean, at most half of it on each side.

    Raises
    ------
    ValueError
        A loss or alpha lies outside its range.

    >>> statement = hoeffding_bentkus(np.array([0.0] * 95 + [0.5] * 5))
    >>> round(statement.lower, 4), statement.estimate, round(statement.upper, 3)
    (0.0023, 0.025, 0.092)
    """
    known = losses[~np.isnan(losses)]
    refuse(losses, (losses < 0) | (losses > 1), "losses lie in [0, 1], or are NaN where nobody looked")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not at {alpha}")
    n, mean, lower, upper = len(known), nan, 0.0, 1.0
    if n:
        mean = float(known.mean())
        upper = last_refuted(lambda risk: hoeffding_bentkus_p(mean, n, risk) <= alpha / 2, 1.0, mean)
        lower = 1 - last_refuted(lambda gain: hoeffding_bentkus_p(1 - mean, n, gain) <= alpha / 2, 1.0, 1 - mean)
    return Evidence(estimate=mean, lower=lower, upper=upper, confidence=1 - alpha, n=n, method="Hoeffding–Bentkus")


def hoeffding_bentkus_p(mean: float, n: int, risk: float) -> float:
    """A p-value against "the mean loss is at least `risk`", for one look at n losses in [0, 1].

    The smaller one of exp(−n·h(min(mean, risk), risk)), h being the divergence of two coins, and e times the chance of
    no more than ⌈n·mean⌉ errors in n cases at an error rate of `risk` (Bates, Angelopoulos, Lei, Malik & Jordan 2021,
    "Distribution-free, risk-controlling prediction sets", J. ACM 68(6); Angelopoulos, Bates, Candès, Jordan & Lei 2025,
    "Learn then Test", Ann. Appl. Stat. 19(2)).

    Parameters
    ----------
    mean : float
        Of n losses, in [0, 1].
    n : int
    risk : float
        In (0, 1).

    >>> round(hoeffding_bentkus_p(0.02, 200, 0.05), 4)
    0.0719
    """
    low = min(mean, risk)
    divergence = float(special.rel_entr(low, risk) + special.rel_entr(1 - low, 1 - risk))
    errors = ceil(round(n * mean, 9))  # a sum of thirds may come out a hair above a whole number
    return min(1.0, exp(-n * divergence), e * float(stats.binom.cdf(errors, n, risk)))
