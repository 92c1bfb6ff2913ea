"""How likely is it that so many of the cases come true, if each does with its own probability?"""

from __future__ import annotations

import numpy as np
from scipy import special, stats

STEPS = 60
FURTHEST = 40.0
NEAR = 1e-4
FEW = 30


def tails(observed: np.ndarray, sizes: np.ndarray, chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P(S ≤ observed) and P(S ≥ observed) of sums of independent cases, for many sums at once.

    Exact where few cases come true, or few do not. Else by a saddlepoint approximation with continuity correction, good
    to a few per cent far out in the tails, where the normal law is wrong by factors (Lugannani & Rice 1980, Adv. Appl.
    Prob. 12; Daniels 1987, "Tail probability approximations", Int. Stat. Rev. 55, second correction).

    Parameters
    ----------
    observed : ndarray of shape (m,)
        How many came true.
    sizes : ndarray of shape (m, c)
        How many cases of each kind there are.
    chances : ndarray of shape (c,) or (m, c)
        The probability of each kind, in [0, 1].

    >>> below, above = tails(np.array([3.0]), np.array([[100.0]]), np.array([0.1]))
    >>> round(float(below[0]), 4), round(float(above[0]), 4)
    (0.0078, 0.9981)
    """
    sizes, observed = np.asarray(sizes, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    chances = np.broadcast_to(np.clip(np.asarray(chances, dtype=np.float64), 0.0, 1.0), sizes.shape)
    below, above = 1 - at_least(observed + 1, sizes, chances), at_least(observed, sizes, chances)
    failed = sizes.sum(axis=1) - observed
    for row in np.flatnonzero(observed <= FEW):
        law = first_chances(int(observed[row]), sizes[row], chances[row])
        below[row], above[row] = law.sum(), 1 - law[:-1].sum()
    for row in np.flatnonzero((observed > FEW) & (failed <= FEW)):
        law = first_chances(int(failed[row]), sizes[row], 1 - chances[row])
        below[row], above[row] = 1 - law[:-1].sum(), law.sum()
    return np.clip(below, 0.0, 1.0), np.clip(above, 0.0, 1.0)


def first_chances(most: int, sizes: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """The probabilities that 0, 1, … up to so many come true, kind by kind."""
    law = np.eye(1, most + 1)[0]
    filled = sizes > 0
    each = np.asarray(stats.binom.pmf(np.arange(most + 1), sizes[filled, None], chances[filled, None]))
    for kind in each:
        law = np.convolve(law, kind)[: most + 1]
    return np.asarray(law)


def at_least(observed: np.ndarray, sizes: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """P(S ≥ observed)."""
    sure, never = chances >= 1.0, chances <= 0.0
    least, most = (sizes * sure).sum(axis=1), (sizes * ~never).sum(axis=1)
    found = np.where(observed <= least, 1.0, 0.0)
    open_ = (observed > least) & (observed <= most)
    if open_.any():
        middle = ~(sure | never)[open_]
        rest = np.where(middle, sizes[open_], 0.0)
        found[open_] = upper_tail((observed - least)[open_], rest, np.where(middle, chances[open_], 0.5))
    return np.clip(found, 0.0, 1.0)


def upper_tail(observed: np.ndarray, sizes: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """P(S ≥ observed) where that is neither certain nor impossible."""
    at, odds = observed - 0.5, special.logit(chances)
    low, high = np.full(len(at), -FURTHEST), np.full(len(at), FURTHEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        above = (sizes * special.expit(odds + middle[:, None])).sum(axis=1) > at
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    saddle = (low + high) / 2
    tilted = special.expit(odds + saddle[:, None])
    spread = (sizes * tilted * (1 - tilted)).sum(axis=1)
    # log of 1 − p + p·eˢ, by the difference of two logistic normalisers
    growth = (sizes * (np.logaddexp(0.0, odds + saddle[:, None]) - np.logaddexp(0.0, odds))).sum(axis=1)
    w = np.sign(saddle) * np.sqrt(np.maximum(2 * (saddle * at - growth), 0.0))
    u = 2 * np.sinh(saddle / 2) * np.sqrt(spread)
    near = (np.abs(w) < NEAR) | (np.abs(u) < NEAR)
    safe_w, safe_u = np.where(near, 1.0, w), np.where(near, 1.0, u)
    correction = np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi) * (1 / safe_w - 1 / safe_u)
    return np.asarray(np.where(near, 0.5, special.ndtr(-w) - correction))
