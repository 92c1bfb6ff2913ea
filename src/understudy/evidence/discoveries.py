"""Which of many findings are real, if few of those that are called so may be false?

Both procedures take e-values: numbers that are at most 1 on average where there is nothing to find, such as an
e-process at any stopping time. The mean share of false ones among the discoveries (false discovery rate) stays at most
α however the e-values depend on each other. They are passed as logarithms, in nats.
"""

from __future__ import annotations

from math import log, pi

import msgspec
import numpy as np

from understudy.evidence.betting import refuse


def e_bh(log_e: np.ndarray, alpha: float) -> np.ndarray:
    """Discoveries among hypotheses that are tested at one time.

    The k largest of p e-values are discoveries for the largest k with the k-th largest e-value at least p/(kα). The
    false discovery rate is at most α times the share of hypotheses with nothing to find (Wang & Ramdas 2022, "False
    discovery rate control with e-values", J. R. Stat. Soc. B 84(3), Theorem 2).

    Parameters
    ----------
    log_e : ndarray of shape (p,)
        Log e-values, not NaN; p may be 0.
    alpha : float
        The false discovery rate, in (0, 1).

    Returns
    -------
    ndarray of bool, shape (p,)

    Raises
    ------
    ValueError
        `alpha` lies outside (0, 1), or `log_e` is not one row of numbers.

    >>> e_bh(np.log([90.0, 0.5, 25.0, 1.0]), alpha=0.1).tolist()
    [True, False, True, False]
    """
    check_alpha(alpha)
    check_log_e(log_e)
    ranked = np.sort(log_e)[::-1]
    rank = np.arange(1, len(ranked) + 1)
    enough = np.flatnonzero(ranked >= np.log(len(ranked) / (rank * alpha)))
    if not len(enough):
        return np.zeros(len(log_e), dtype=bool)
    discovered: np.ndarray = log_e >= ranked[enough[-1]]
    return discovered


class LondState(msgspec.Struct, frozen=True, kw_only=True):
    """How many hypotheses were tested one after the other, and how many of them are discoveries."""

    tested: int = 0
    found: int = 0


def lond_level(place: int, found: int, alpha: float) -> float:
    """The level of the hypothesis that was opened as the `place`-th: it is a discovery at an e-value of 1/level.

    The level is αγ_t(d + 1) with γ_t = 6/(πt)², where d counts all discoveries so far, also those opened later. When
    this one is made there are d + 1, so a null adds at most αγ_t to the false discovery rate wherever its e-process is
    stopped, and the γ_t add up to 1. So tests may overlap and end in any order, and the level may be looked up anew at
    each look (e-LOND; Xu & Ramdas 2024, "Online multiple testing with e-values", AISTATS, PMLR 238, Theorem 1, whose
    proof needs no more than that).

    Parameters
    ----------
    place : int
        t, counted from 1, in the order of opening.
    found : int
        d, the discoveries made so far.
    alpha : float
        The false discovery rate, in (0, 1).

    Raises
    ------
    ValueError
        A number lies outside its range.

    >>> [round(1 / lond_level(place, 0, alpha=0.1)) for place in (1, 2, 3, 10)]
    [16, 66, 148, 1645]
    >>> round(1 / lond_level(10, 3, alpha=0.1))
    411
    """
    check_alpha(alpha)
    if place < 1 or found < 0:
        raise ValueError(f"places are counted from 1 and discoveries from 0; got {place} and {found}")
    return alpha * 6 / (pi * place) ** 2 * (found + 1)


def e_lond(state: LondState, log_e: np.ndarray, alpha: float) -> tuple[LondState, np.ndarray]:
    """Discoveries among hypotheses that come one after the other; the same for any cutting into batches.

    Parameters
    ----------
    state : LondState
        Begun with `LondState()`.
    log_e : ndarray of shape (n,)
        Log e-values in the order in which the hypotheses were opened, not NaN.
    alpha : float
        The false discovery rate, in (0, 1), the same at every call.

    Returns
    -------
    (LondState, ndarray of bool, shape (n,))

    Raises
    ------
    ValueError
        `alpha` lies outside (0, 1), or `log_e` is not one row of numbers.

    >>> state, found = e_lond(LondState(), np.log([25.0, 5.0, 80.0]), alpha=0.1)
    >>> found.tolist(), state
    ([True, False, True], LondState(tested=3, found=2))
    """
    check_alpha(alpha)
    check_log_e(log_e)
    total, discovered = state.found, np.zeros(len(log_e), dtype=bool)
    for row, value in enumerate(log_e.tolist()):
        discovered[row] = value >= -log(lond_level(state.tested + row + 1, total, alpha))
        total += int(discovered[row])
    return LondState(tested=state.tested + len(log_e), found=total), discovered


def check_alpha(alpha: float) -> None:
    """A false discovery rate lies in (0, 1).

    Raises
    ------
    ValueError
        It does not.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha, the false discovery rate, lies between 0 and 1, not at {alpha}")


def check_log_e(log_e: np.ndarray) -> None:
    """Log e-values are one row of numbers; −∞ stands for an e-value of 0.

    Raises
    ------
    ValueError
        They are not.
    """
    if log_e.ndim != 1:
        raise ValueError(f"log e-values are one row, got {log_e.shape}")
    refuse(log_e, np.isnan(log_e), "log e-values are one row without NaN, 0 where nothing was tested")
