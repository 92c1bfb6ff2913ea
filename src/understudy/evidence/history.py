"""How much may rows that were there before the first live case count?

What history says against "the risk is at least r" is made an e-value of at most κ: its mean is at most 1 where history
was like today, so the live e-process may begin with it, and the promise is δ. Where history was unlike today it
multiplies by κ at most, so the promise is κδ, whatever history was.

For losses of 0 or 1 it is min(κ, c/p), p the exact binomial p-value (Vovk & Wang 2021, Ann. Statist. 49(3), section 2:
a decreasing function of p with integral 1). Since history is all there at once, this is worth far more than the wealth
of a gambler who goes through it row by row.
"""

from __future__ import annotations

from math import e

import numpy as np
from scipy import special, stats

FROM_WEALTH = 0.8
"""The part of the start that follows what a gambler earned on costs; the rest stays 1."""


def calibrated(p: np.ndarray, cap: float) -> np.ndarray:
    """The e-values min(κ, c/p) of p-values, c such that their mean is 1 for p uniform in (0, 1).

    Parameters
    ----------
    p : ndarray
    cap : float
        κ, above 1.

    >>> calibrated(np.array([1e-9, 0.058, 0.2, 1.0]), 4.47).round(2).tolist()
    [4.47, 4.47, 1.3, 0.26]
    """
    # c (1 + ln(κ/c)) = 1, solved by the lower branch of Lambert's function.
    c = -1 / float(special.lambertw(-1 / (e * cap), -1).real)
    found: np.ndarray = np.minimum(cap, c / np.maximum(p, 1e-300))
    return found


def start_by_errors(errors: np.ndarray, n: np.ndarray, risk: float, cap: float) -> np.ndarray:
    """What the live e-process begins with, where each of `n` rows was right or wrong.

    Losses between 0 and 1 may be counted as errors: that is never too bold.

    >>> start_by_errors(np.array([0, 2, 10]), np.array([0, 200, 200]), 0.05, 4.47).round(2).tolist()
    [1.0, 4.47, 0.45]
    """
    return np.where(n > 0, calibrated(stats.binom.cdf(errors, np.maximum(n, 1), risk), cap), 1.0)


def start_by_wealth(log_wealth: np.ndarray, cap: float) -> np.ndarray:
    """What the live e-process begins with, where losses are costs: 0.8·min(W, κ) + 0.2.

    >>> start_by_wealth(np.log([0.01, 1.0, 50.0]), 4.47).round(2).tolist()
    [0.21, 1.0, 3.78]
    """
    start: np.ndarray = FROM_WEALTH * np.exp(np.minimum(log_wealth, np.log(cap))) + (1 - FROM_WEALTH)
    return start
