"""Metrics of losses: of probabilities, and of numbers."""

from __future__ import annotations

import numpy as np

from understudy.evaluation.statistic import Statistic, weighted_mean

LOWEST = 1e-15


def log_loss(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Minus the mean log probability of the truth, in nats, probabilities clipped at 1e-15."""
    right = np.asarray(scores[np.arange(len(y)), y], dtype=np.float64)
    return weighted_mean(-np.log(np.clip(right, LOWEST, 1.0)))


def brier(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Mean squared error of the probabilities (Brier 1950); for two classes that of the positive one."""
    if scores.shape[1] == 2:
        return weighted_mean((scores[:, 1] - y) ** 2)
    squares = np.einsum("ij,ij->i", scores, scores, dtype=np.float64)
    return weighted_mean(squares + 1 - 2 * scores[np.arange(len(y)), y])


def mse(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Mean squared error."""
    return weighted_mean((scores[:, 0] - y) ** 2)


def rmse(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Root of the mean squared error, in the target's unit."""
    squared = mse(y, scores)

    def pull() -> np.ndarray:
        root = np.sqrt(squared(np.ones(len(y))))
        return np.asarray(squared.pull() / (2 * root)) if root else np.zeros(len(y))

    return Statistic(value=lambda weights: float(np.sqrt(squared(weights))), pull=pull)


def mae(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """Mean absolute error, in the target's unit."""
    return weighted_mean(np.abs(scores[:, 0] - y))


def r2(y: np.ndarray, scores: np.ndarray) -> Statistic:
    """The share of the target's variance that is explained."""
    squared = mse(y, scores)

    def spread(weights: np.ndarray) -> float:
        mean = y @ weights / weights.sum()
        return float((y - mean) ** 2 @ weights / weights.sum())

    def explained(weights: np.ndarray) -> float:
        total = spread(weights)
        return 1 - squared(weights) / total if total else float("nan")

    def pull() -> np.ndarray:
        ones = np.ones(len(y))
        total = spread(ones)
        return np.asarray(-squared.pull() / total + squared(ones) / total**2 * ((y - y.mean()) ** 2 - total))

    return Statistic(value=explained, pull=pull)


def pinball(y: np.ndarray, bound: np.ndarray, quantile: float) -> Statistic:
    """The mean loss of a bound that should lie above so large a share of truths (Koenker & Bassett 1978).

    Each unit that the truth lies above the bound costs `quantile`, each unit below it the rest to 1, in the target's
    unit.

    Parameters
    ----------
    y, bound : ndarray of shape (n,)
    quantile : float
        In (0, 1).

    >>> pinball(np.array([1.0, 5.0]), np.array([3.0, 3.0]), 0.95)(np.ones(2))
    1.0
    """
    return weighted_mean(pinball_losses(y, bound, quantile))


def pinball_losses(y: np.ndarray, bound: np.ndarray, quantile: float) -> np.ndarray:
    """The same of each row."""
    off = np.asarray(y, dtype=np.float64) - bound
    return np.asarray(np.maximum(quantile * off, (quantile - 1) * off))
