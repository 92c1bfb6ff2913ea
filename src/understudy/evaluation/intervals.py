"""How sure a metric is: bootstrap intervals, alone and in pairs, and exact intervals of shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evaluation.measures import METRICS

DRAWS = 500
WORK = 30_000_000


def draws_for(n: int) -> int:
    """How many bootstrap draws are affordable: 500, fewer for very many rows, whose intervals need fewer."""
    return int(np.clip(WORK // max(n, 1), 100, DRAWS))


def bootstrap_weights(n: int, draws: int, seed: int) -> list[np.ndarray]:
    """For each draw how often each row is in it, drawn from a Poisson law with mean 1 (Chamandy et al. 2012)."""
    generator = np.random.default_rng(seed)
    return [generator.poisson(1.0, n).astype(np.float64) for _ in range(draws)]


def interval(estimate: float, drawn: list[float], *, confidence: float, n: int, method: str) -> Evidence:
    """The middle share of the draws as bounds; draws in which a metric is not defined are left out."""
    values = np.array([value for value in drawn if np.isfinite(value)])
    alpha = (1 - confidence) / 2
    lower, upper = np.quantile(values, [alpha, 1 - alpha]) if len(values) else (np.nan, np.nan)
    return Evidence(
        estimate=estimate, lower=float(lower), upper=float(upper), confidence=confidence, n=n, method=method
    )


def bootstrap(
    y: np.ndarray, scores: np.ndarray, names: list[str], *, confidence: float = 0.95, seed: int = 0
) -> dict[str, Evidence]:
    """Metrics with percentile bootstrap intervals (Efron & Tibshirani 1993), all from the same draws.

    Parameters
    ----------
    y : ndarray of shape (n,)
    scores : ndarray of shape (n, k) or (n, 1)
    names : list of str
        Keys of `METRICS`.
    confidence : float
    seed : int
    """
    draws = draws_for(len(y))
    weights = bootstrap_weights(len(y), draws, seed)
    ones = np.ones(len(y))
    return {
        name: interval(
            METRICS[name].function(y, scores, ones),
            [METRICS[name].function(y, scores, draw) for draw in weights],
            confidence=confidence,
            n=len(y),
            method=f"bootstrap, {draws} draws",
        )
        for name in names
    }


def paired_bootstrap(
    y: np.ndarray, scores: Mapping[str, np.ndarray], name: str, *, confidence: float = 0.95, seed: int = 0
) -> Evidence:
    """How much better `model` is than `baseline` on the same rows; positive means better, whatever the metric.

    Parameters
    ----------
    y : ndarray of shape (n,)
    scores : mapping with the keys `model` and `baseline`
        Scores of shape (n, k) or (n, 1).
    name : str
        A key of `METRICS`.
    confidence : float
    seed : int
    """
    metric = METRICS[name]
    sign = 1 if metric.greater_is_better else -1
    draws = draws_for(len(y))

    def gain(weights: np.ndarray) -> float:
        model = metric.function(y, scores["model"], weights)
        return sign * (model - metric.function(y, scores["baseline"], weights))

    drawn = [gain(draw) for draw in bootstrap_weights(len(y), draws, seed)]
    method = f"paired bootstrap, {draws} draws"
    return interval(gain(np.ones(len(y))), drawn, confidence=confidence, n=len(y), method=method)


def bootstrap_statistic(
    statistic: Callable[[np.ndarray], float], n: int, *, confidence: float = 0.95, seed: int = 0
) -> Evidence:
    """Any statistic of row weights with a percentile bootstrap interval."""
    draws = draws_for(n)
    drawn = [statistic(draw) for draw in bootstrap_weights(n, draws, seed)]
    return interval(statistic(np.ones(n)), drawn, confidence=confidence, n=n, method=f"bootstrap, {draws} draws")


def share(hits: int, n: int, *, confidence: float = 0.95) -> Evidence:
    """A share with its exact interval (Clopper & Pearson 1934).

    >>> evidence = share(0, 100)
    >>> round(evidence.upper, 3)
    0.036
    """
    alpha = (1 - confidence) / 2
    lower = float(stats.beta.ppf(alpha, hits, n - hits + 1)) if hits else 0.0
    upper = float(stats.beta.ppf(1 - alpha, hits + 1, n - hits)) if hits < n else 1.0
    return Evidence(
        estimate=hits / n if n else float("nan"),
        lower=lower,
        upper=upper,
        confidence=confidence,
        n=n,
        method="Clopper–Pearson",
    )
