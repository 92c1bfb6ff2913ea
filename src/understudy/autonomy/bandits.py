"""How much of the traffic each version gets, and which one a case is given to: probabilities first, then the draw."""

from __future__ import annotations

import numpy as np
from scipy import special

POINTS = 256
"""At how many quantiles of each version the probability of being the best is integrated."""

SHIFT = 1e-9
"""How near to 0 and 1 the quantiles go."""


def thompson(successes: np.ndarray, failures: np.ndarray, *, floor: float) -> np.ndarray:
    """The shares of Thompson sampling: for each arm the probability that it is the best, but at least the floor.

    Each success rate has a Beta posterior that began as uniform, so an arm that nobody has seen may be the best; equal
    arms get equal shares. Rewards may come late and in any order: only the counts matter. (Thompson 1933, Biometrika
    25; Russo et al. 2018, "A tutorial on Thompson sampling"; the floor keeps every propensity away from 0.) Nothing is
    drawn: what sampling would do in the long run is integrated, so that the same counts give the same shares.

    Parameters
    ----------
    successes, failures : ndarray of shape (k,)
        At least 0; parts of a success count too.
    floor : float
        The least share of an arm, in [0, 1]; above 1/k all are equal.

    Returns
    -------
    ndarray of shape (k,)
        Of 1 in all.

    Raises
    ------
    ValueError
        A count is negative or none, or there is no arm.

    >>> thompson(np.array([90, 80]), np.array([10, 20]), floor=0.05).round(2).tolist()
    [0.93, 0.07]
    >>> thompson(np.array([0, 0]), np.array([0, 0]), floor=0.05).tolist()
    [0.5, 0.5]
    """
    counts = np.array([successes, failures], dtype=np.float64)
    if counts.ndim != 2 or not counts.size or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"each arm needs two counts of at least 0, got {successes} and {failures}")
    won, lost = 1 + counts
    steps = np.linspace(SHIFT, 1 - SHIFT, POINTS)
    places = np.unique(special.betaincinv(won[:, None], lost[:, None], steps))
    below = special.betainc(won[:, None], lost[:, None], np.concatenate([[0.0], places, [1.0]]))
    best = [np.diff(own) @ middles(np.prod(np.delete(below, arm, axis=0), axis=0)) for arm, own in enumerate(below)]
    return with_floor(np.array(best) / np.sum(best), np.full(len(best), True), floor)


def middles(values: np.ndarray) -> np.ndarray:
    """The means of neighbours."""
    means: np.ndarray = (values[1:] + values[:-1]) / 2
    return means


def with_floor(shares: np.ndarray, able: np.ndarray, floor: float) -> np.ndarray:
    """Shares of 1 in all, mixed with equal ones among the arms that can answer, down to the floor; shape (..., k)."""
    many = able.sum(axis=-1, keepdims=True)
    part = np.minimum(floor, 1 / many)
    mixed: np.ndarray = np.where(able, part + (1 - many * part) * shares, 0.0)
    return mixed


def inverse_gap_weights(losses: np.ndarray, gamma: float, *, floor: float) -> np.ndarray:
    """For each case the probability of each arm: the smaller, the more it is expected to lose above the best one.

    Arm a gets 1/(K + γ·gap), the best one what is left (Abe & Long 1999, "Associative reinforcement learning using
    linear probabilistic concepts", ICML; Foster & Rakhlin 2020, "Beyond UCB: optimal and efficient contextual bandits
    with regression oracles", ICML, algorithm 1, SquareCB), mixed with equal shares up to the floor.

    Parameters
    ----------
    losses : ndarray of shape (n, k)
        The predicted losses, NaN where an arm cannot answer the case; one of each case is known.
    gamma : float
        How strongly the gaps count, at least 0; at 0 all are equal. It grows like √(K·n) with what is known.
    floor : float
        The least probability of an arm that can answer.

    Returns
    -------
    ndarray of shape (n, k)
        Rows of 1 in all; 0 where an arm cannot answer.

    Raises
    ------
    ValueError
        A case has no arm, or γ is negative or none.

    >>> inverse_gap_weights(np.array([[0.1, 0.3], [0.2, np.nan]]), 10.0, floor=0.0).tolist()
    [[0.75, 0.25], [1.0, 0.0]]
    """
    known = ~np.isnan(losses)
    if losses.ndim != 2 or not known.any(axis=1).all() or not 0 <= gamma < np.inf:
        raise ValueError(f"each case needs an arm that can answer, and gamma is at least 0, not {gamma}")
    filled = np.where(known, losses, np.inf)
    best = filled.argmin(axis=1)
    gaps = np.where(known, losses - filled.min(axis=1, keepdims=True), 0.0)
    shares = np.where(known, 1 / (known.sum(axis=1, keepdims=True) + gamma * gaps), 0.0)
    rows = np.arange(len(shares))
    shares[rows, best] = 0.0
    shares[rows, best] = 1 - shares.sum(axis=1)
    return with_floor(shares, known, floor)


def race(shares: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Which arm each case is given to, with the probabilities `shares`: the one whose clock rings first.

    The clock of arm a rings after −ln(1 − u)/share, an exponential time, where u is a draw that belongs to the case, or
    to the unit that it shares with others, and to the arm. So the same unit keeps its arm while no other arm gains on
    it in proportion; arms that come or go move no unit between the others. When shares change from p to q, a unit moves
    with a probability of at most 2d/(1 + d), d their total variation distance, the least that is possible where only
    the present shares are known (Schindelhauer & Schomaker 2005, "Weighted distributed hash tables", SPAA; Moulton &
    Jiang 2018, "Maximally consistent sampling and the Jaccard index of probability distributions", ICDM).

    Parameters
    ----------
    shares : ndarray of shape (n, k)
        At least 0, one of each row positive.
    draws : ndarray of shape (n, k)
        In [0, 1).

    Returns
    -------
    ndarray of int, shape (n,)

    >>> race(np.array([[0.9, 0.1], [0.9, 0.1], [0.0, 1.0]]), np.array([[0.5, 0.5], [0.99, 0.01], [0.0, 0.5]])).tolist()
    [0, 1, 1]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rings = np.where(shares > 0, -np.log1p(-draws) / shares, np.inf)
    first: np.ndarray = rings.argmin(axis=1)
    return first
