"""How sure a metric is: bootstrap intervals, alone and in pairs, and exact intervals of shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.measures import METRICS

DRAWS = 1000
FEWEST_DRAWS = 200
WORK = 10_000_000


def draws_for(n: int) -> int:
    """How many bootstrap draws are affordable: 1,000, fewer for very many rows, whose intervals are narrow anyway.

    >>> draws_for(2_000), draws_for(50_000), draws_for(1_000_000)
    (1000, 200, 200)
    """
    return int(np.clip(WORK // max(n, 1), FEWEST_DRAWS, DRAWS))


def bootstrap_weights(n: int, draws: int, seed: int, groups: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """For each draw how often each row is in it, drawn from a Poisson law with mean 1 (Chamandy et al. 2012).

    Rows of one group are drawn together, since they are not independent (the cluster bootstrap; Field & Welsh 2007). A
    draw is never empty.
    """
    generator = np.random.default_rng(seed)
    units, member = (n, None) if groups is None else group_codes(groups)
    for _ in range(draws):
        weights = generator.poisson(1.0, units).astype(np.float64)
        if not weights.any():
            weights[generator.integers(units)] = 1.0
        yield weights if member is None else weights[member]


def group_codes(groups: np.ndarray) -> tuple[int, np.ndarray]:
    """How many groups there are, and the group of each row as a number from 0."""
    distinct, member = np.unique(groups, return_inverse=True)
    return len(distinct), member


def interval(estimate: float, drawn: list[float], *, confidence: float, n: int, method: str) -> Evidence:
    """The middle share of the draws as bounds; draws in which a metric is not defined are left out."""
    values = np.array([value for value in drawn if np.isfinite(value)])
    alpha = (1 - confidence) / 2
    lower, upper = np.quantile(values, [alpha, 1 - alpha]) if len(values) else (np.nan, np.nan)
    return Evidence(
        estimate=estimate, lower=float(lower), upper=float(upper), confidence=confidence, n=n, method=method
    )


def method_name(draws: int, groups: np.ndarray | None, kind: str = "") -> str:
    """How an interval was made, in words."""
    return f"{kind}{'' if groups is None else 'cluster '}bootstrap, {draws:,} draws"


def independent(n: int, groups: np.ndarray | None) -> int:
    """How many independent observations there are: rows, or groups of them."""
    return n if groups is None else group_codes(groups)[0]


def bootstrap(
    y: np.ndarray,
    scores: np.ndarray,
    names: list[str],
    *,
    confidence: float = 0.95,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, Evidence]:
    """Metrics with percentile bootstrap intervals (Efron & Tibshirani 1993), all from the same draws.

    A metric that is not defined on these rows, as ROC AUC where there is one class only, is left out.

    Parameters
    ----------
    y : ndarray of shape (n,)
    scores : ndarray of shape (n, k) or (n, 1)
    names : list of str
        Keys of `METRICS`.
    confidence : float
    seed : int
    groups : ndarray of shape (n,), optional
        Rows of one group are drawn together.
    """
    n, ones = len(y), np.ones(len(y))
    prepared = {name: METRICS[name].prepare(y, scores) for name in names}
    estimates = {name: statistic(ones) for name, statistic in prepared.items()}
    defined = [name for name in names if np.isfinite(estimates[name])]
    drawn: dict[str, list[float]] = {name: [] for name in defined}
    draws = draws_for(n)
    for weights in bootstrap_weights(n, draws, seed, groups):
        for name in defined:
            drawn[name].append(prepared[name](weights))
    return {
        name: interval(
            estimates[name],
            drawn[name],
            confidence=confidence,
            n=independent(n, groups),
            method=method_name(draws, groups),
        )
        for name in defined
    }


def paired_bootstrap(
    y: np.ndarray,
    scores: Mapping[str, np.ndarray],
    name: str,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    groups: np.ndarray | None = None,
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
    groups : ndarray of shape (n,), optional
        Rows of one group are drawn together.
    """
    metric = METRICS[name]
    sign = 1 if metric.greater_is_better else -1
    model, baseline = metric.prepare(y, scores["model"]), metric.prepare(y, scores["baseline"])
    n, draws = len(y), draws_for(len(y))

    def gain(weights: np.ndarray) -> float:
        return sign * (model(weights) - baseline(weights))

    drawn = [gain(weights) for weights in bootstrap_weights(n, draws, seed, groups)]
    return interval(
        gain(np.ones(n)),
        drawn,
        confidence=confidence,
        n=independent(n, groups),
        method=method_name(draws, groups, "paired "),
    )
