"""Weights that a penalty keeps small, or at exactly 0, and whose signs may be given.

The objective is the weighted mean loss + l1·‖w‖₁ + l2/2·‖w‖², for the logistic loss or half the squared error; the
intercepts go free. Under an L1 penalty each weight is parted into w = p − n with p, n ≥ 0, which makes the penalty
smooth and a sign a bound. It is solved by L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995), at whose bounds weights are exactly
0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax

ITERATIONS = 1000
TOLERANCE = 1e-10


class Penalty(NamedTuple):
    """How much the L1 norm of the weights counts, and how much their L2 norm."""

    l1: float
    l2: float


class Solved(NamedTuple):
    """Weights of shape (k, d), intercepts of shape (k,), and whether they had settled when the search ended."""

    weights: np.ndarray
    intercept: np.ndarray
    settled: bool


def fit_weights(
    X: np.ndarray,
    target: np.ndarray,
    each: np.ndarray,
    penalty: Penalty,
    *,
    logistic: bool,
    signs: np.ndarray | None = None,
) -> Solved:
    """Penalised weights.

    Parameters
    ----------
    X : ndarray of float64, shape (n, d)
    target : ndarray of shape (n, k)
        Ones and zeros by class (for two classes one column, that of the second), or numbers (one column).
    each : ndarray of shape (n,)
        How much each row counts; they sum to one.
    penalty : Penalty
    logistic : bool
        Whether the loss is logistic (multinomial for k > 1), or squared.
    signs : ndarray of int64, shape (d,), optional
        1 for weights that may not be negative, −1 for those that may not be positive; for k = 1 only.

    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> fit_weights(X, y, np.full(3, 1 / 3), Penalty(0, 0), logistic=False).weights.round(4).tolist()
    [[2.0]]
    """
    d, k = X.shape[1], target.shape[1]
    sides = 2 if penalty.l1 else 1
    penalised = sides * k * d

    def parted(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = theta[:penalised].reshape(sides, k, d)
        return (parts[0] - parts[1] if penalty.l1 else parts[0]), theta[penalised:]

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercept = parted(theta)
        value, error = losses(X @ weights.T + intercept, target, each, logistic=logistic)
        value += penalty.l1 * float(theta[:penalised].sum()) + penalty.l2 / 2 * float(np.sum(weights**2))
        slope = error.T @ X + penalty.l2 * weights
        slopes = [penalty.l1 + slope, penalty.l1 - slope] if penalty.l1 else [slope]
        return value, np.concatenate([*(one.ravel() for one in slopes), error.sum(axis=0)])

    solved = minimize(
        objective,
        np.zeros(penalised + k),
        jac=True,
        method="L-BFGS-B",
        bounds=[*weight_bounds(np.zeros(d) if signs is None else signs, k, sides), *[(None, None)] * k],
        options={"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": TOLERANCE, "gtol": 1e-7, "maxcor": 20},
    )
    return Solved(*parted(solved.x), settled=solved.status != 1)


def weight_bounds(signs: np.ndarray, k: int, sides: int) -> list[tuple[float | None, float | None]]:
    """The bounds of the weights, or of their positive and then their negative sides, class by class."""
    if sides == 1:
        return [(0.0 if sign > 0 else None, 0.0 if sign < 0 else None) for sign in signs] * k
    positive = [(0.0, 0.0 if sign < 0 else None) for sign in signs] * k
    negative = [(0.0, 0.0 if sign > 0 else None) for sign in signs] * k
    return [*positive, *negative]


def losses(z: np.ndarray, target: np.ndarray, each: np.ndarray, *, logistic: bool) -> tuple[float, np.ndarray]:
    """The mean loss at scores of shape (n, k), and its derivative by each of them."""
    if not logistic:
        error = z - target
        return float(each @ (error**2).sum(axis=1)) / 2, each[:, None] * error
    if z.shape[1] == 1:
        value = float(each @ (np.logaddexp(0, z) - target * z)[:, 0])
        return value, each[:, None] * (expit(z) - target)
    logs = log_softmax(z, axis=1)
    return -float(each @ (target * logs).sum(axis=1)), each[:, None] * (np.exp(logs) - target)


def largest_penalty(X: np.ndarray, target: np.ndarray, each: np.ndarray) -> float:
    """The L1 penalty from which on every weight is 0: the steepest slope where all of them are."""
    middle = each @ target
    return float(np.abs((each[:, None] * (target - middle)).T @ X).max())
