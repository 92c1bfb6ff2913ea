"""Whether a confidence of 90 % is right nine times in ten."""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.intervals import bootstrap_weights, draws_for, independent, method_name
from understudy.evidence.fixed import clopper_pearson

BINS = 15
FINE = 20
MANY = 20_000


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Cases of about the same confidence: how many, how confident, how often right, with bounds."""

    n: int
    confidence: float
    right: float
    lower: float
    upper: float


def equal_bins(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """A bin for each case, with about as many cases in each; equal confidences share one."""
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))
    return np.searchsorted(edges, confidence, side="left")


def squared_error(
    confidence: np.ndarray, right: np.ndarray, bins: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """The debiased squared calibration error, Σ_b (n_b/n)[(p̄ − ȳ)² − ȳ(1 − ȳ)/(n_b − 1)]; below 0 by chance.

    An unbiased estimate up to the width of the bins, so that a perfectly calibrated model is near 0 whatever its number
    of rows, while the usual error is not (Kumar, Liang & Ma 2019, "Verified uncertainty calibration").

    Parameters
    ----------
    confidence : ndarray of shape (n,)
        What was promised, in [0, 1].
    right : ndarray of shape (n,)
        1 where it was right.
    bins : ndarray of int64, shape (n,)
        As from `equal_bins`.
    weights : ndarray of shape (n,), optional
        How often each case counts.
    """
    weights = np.ones(len(confidence)) if weights is None else weights
    n = np.bincount(bins, weights=weights)
    filled = n > 1
    if not filled.any():
        return 0.0
    promised = np.bincount(bins, weights=weights * confidence)[filled] / n[filled]
    observed = np.bincount(bins, weights=weights * right)[filled] / n[filled]
    noise = observed * (1 - observed) / (n[filled] - 1)
    return float(np.sum(n[filled] / n[filled].sum() * ((promised - observed) ** 2 - noise)))


def calibration_error(
    confidence: np.ndarray,
    right: np.ndarray,
    *,
    level: float = 0.95,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Evidence:
    """How far confidence lies from the truth: the root of the debiased squared error, with bootstrap bounds.

    The bootstrap resamples a sample whose bins are already off by chance, so its draws centre on the error with that
    chance in it. They are moved back by their mean before the quantiles are taken: without that, perfectly calibrated
    models of a few hundred rows look certainly miscalibrated.

    Parameters
    ----------
    confidence, right : ndarray of shape (n,)
    level : float
        The confidence of the bounds.
    seed : int
    groups : ndarray of shape (n,), optional
        Rows of one group are drawn together.
    """
    bins, n = equal_bins(confidence), len(confidence)
    draws = draws_for(n)
    estimate = squared_error(confidence, right, bins)
    drawn = (
        drawn_errors(confidence, right, bins, draws, seed)
        if groups is None and n > MANY
        else np.array(
            [squared_error(confidence, right, bins, one) for one in bootstrap_weights(n, draws, seed, groups)]
        )
    )
    alpha = (1 - level) / 2
    lower, upper = estimate + np.quantile(drawn, [alpha, 1 - alpha]) - drawn.mean()
    root = [float(np.sqrt(max(0.0, square))) for square in (estimate, lower, upper)]
    return Evidence(
        estimate=root[0],
        lower=root[1],
        upper=root[2],
        confidence=level,
        n=independent(n, groups),
        method=f"recentred {method_name(draws, groups)}",
    )


def drawn_errors(confidence: np.ndarray, right: np.ndarray, bins: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Squared errors of bootstrap draws of very many rows: rows of about one confidence are drawn as a count.

    Poisson weights of the rows of a cell add up to a Poisson variable with their number as its mean.
    """
    cells = (bins * (FINE * BINS) + equal_bins(confidence, FINE * BINS)) * 2 + right.astype(np.int64)
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    means = [np.bincount(cell, weights=one) / sizes for one in (confidence, right, bins)]
    of_bin, generator = np.round(means[2]).astype(np.int64), np.random.default_rng(seed)
    drawn = generator.poisson(sizes, (draws, len(sizes))).astype(np.float64)
    return np.array([squared_error(means[0], means[1], of_bin, weights) for weights in drawn])


def reliability(confidence: np.ndarray, right: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """The table behind a reliability diagram."""
    bins = equal_bins(confidence)
    table = []
    for index in np.unique(bins):
        inside = bins == index
        observed = clopper_pearson(int(right[inside].sum()), int(inside.sum()))
        table.append(
            ReliabilityBin(
                n=observed.n,
                confidence=float(confidence[inside].mean()),
                right=observed.estimate,
                lower=observed.lower,
                upper=observed.upper,
            )
        )
    return tuple(table)
