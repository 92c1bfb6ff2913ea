"""Which of several hypotheses are refuted, in any order, where each has an e-process.

A hypothesis is refuted once every set of hypotheses that contains it is (closed testing; Marcus, Peritz & Gabriel 1976,
Biometrika 63(3)). The bet against a set, "all of its members are true", is a weighted mean of their e-processes, with
weights that are fixed beforehand: it is an e-process where they are all true (Vovk & Wang 2021, "E-values: calibration,
combination and applications", Ann. Statist. 49(3)). So the set of all true ones is ever refuted, and with it any true
one, with probability at most δ.

The hypotheses stand in an order, each with a share of 1. In a set the share of one that is absent goes to the next that
is present, or to the last one (as in the fallback procedure; Wiens & Dmitrienko 2005, J. Biopharm. Stat. 15(6)). If
the first had everything, this would be testing in a fixed sequence, which ends at the first that is not refuted. Here
a hypothesis far down the order is refuted as soon as its own e-process outweighs its share.
"""

from __future__ import annotations

import numpy as np

IN_ORDER = 0.9
"""The part of 1 that falls along the order, as 1/k² for the k-th; the rest is spread evenly.

With most of it in front, what is true of the front is proven nearly as soon as by testing in a fixed sequence; with the
rest, a hypothesis anywhere else needs no more than 10·n/δ.
"""

WIDEST = 500.0
"""Logs beyond ±500 are cut, so that no sum overflows."""


def order_shares(n: int) -> np.ndarray:
    """The shares of `n` hypotheses in their order.

    >>> order_shares(4).round(3).tolist()
    [0.657, 0.183, 0.095, 0.065]
    """
    falling = np.arange(1, n + 1) ** -2.0
    shares: np.ndarray = IN_ORDER * falling / falling.sum() + (1 - IN_ORDER) / n
    return shares


def levels(wealth: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """For each hypothesis the least that any set with it owns.

    The set is built along the order: a member's share ends at `ends`, and begins where that of the member before it
    ended. So the least over all sets that end, or begin, with a member follows from those of the members before, or
    after, it.

    Parameters
    ----------
    wealth : ndarray of shape (m, n)
        What m hypotheses own at n moments.
    ends : ndarray of shape (m,)
        Sums of shares up to each hypothesis and with it, increasing, at most 1.

    Returns
    -------
    ndarray of shape (m, n)

    >>> levels(np.array([[10.0], [30.0]]), np.array([0.5, 1.0])).ravel().tolist()
    [10.0, 20.0]
    """
    before, after = np.empty_like(wealth), np.empty_like(wealth)
    for j in range(len(wealth)):
        shared = before[:j] + (ends[j] - ends[:j])[:, None] * wealth[j]
        before[j] = np.minimum(ends[j] * wealth[j], shared.min(axis=0, initial=np.inf))
    for j in reversed(range(len(wealth))):
        shared = after[j + 1 :] + (ends[j + 1 :] - ends[j])[:, None] * wealth[j + 1 :]
        after[j] = np.minimum((1 - ends[j]) * wealth[j], shared.min(axis=0, initial=np.inf))
    least: np.ndarray = before + after
    return least


def log_levels(logs: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The log of the least that any set owns, for the hypotheses that are left.

    Parameters
    ----------
    logs : ndarray of shape (n, t)
        Log e-processes of t hypotheses in their order, at n moments.
    among : ndarray of bool, shape (t,)
        Those that are left.

    Returns
    -------
    ndarray of shape (n, number that are left)
    """
    ends = np.minimum(np.cumsum(order_shares(logs.shape[1])), 1.0)[among]
    wealth = np.exp(np.clip(logs[:, among], -WIDEST, WIDEST))
    found: np.ndarray = np.log(levels(wealth.T, ends).T)
    return found


def refute(logs: np.ndarray, peak: np.ndarray, goal: float) -> np.ndarray:
    """How close each hypothesis came to being refuted; it is where its peak reaches the goal.

    Those that were refuted leave: no set with them needs to be refuted any more.

    Parameters
    ----------
    logs : ndarray of shape (n, t)
        Log e-processes at n moments, one after the other.
    peak : ndarray of shape (t,)
        The highest log levels before.
    goal : float
        ln(1/δ).

    Returns
    -------
    ndarray of shape (t,)

    >>> logs = np.log([[1.0, 1.0], [1.0, 900.0], [8.0, 900.0], [25.0, 900.0]])
    >>> [np.exp(refute(logs[:n], np.zeros(2), np.log(20))).round(1).tolist() for n in (1, 2, 3, 4)]
    [[1.0, 1.0], [1.0, 207.8], [8.0, 207.8], [25.0, 207.8]]
    """
    peak = peak.copy()
    row = 0
    while row < len(logs):
        left = peak < goal
        if not left.any():
            break
        found = log_levels(logs[row:], left)
        wins = np.flatnonzero((found >= goal).any(axis=1))
        last = int(wins[0]) if len(wins) else len(found) - 1
        peak[left] = np.maximum(peak[left], found[: last + 1].max(axis=0))
        row += last if len(wins) else len(found)
    return peak
