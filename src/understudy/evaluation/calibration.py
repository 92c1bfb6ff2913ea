"""Whether a confidence of 90 % is right nine times in ten."""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.evaluation.intervals import share

BINS = 15


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


def calibration_error(
    confidence: np.ndarray, right: np.ndarray, bins: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """The debiased calibration error: √max(0, Σ_b (n_b/n)[(p̄ − ȳ)² − ȳ(1 − ȳ)/(n_b − 1)]).

    Its square is an unbiased estimate up to the order of the bins, so a perfectly calibrated model is near 0 whatever
    its number of rows, while the usual error is not (Kumar, Liang & Ma 2019, "Verified uncertainty calibration").

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
    promised = np.bincount(bins, weights=weights * confidence)[filled] / n[filled]
    observed = np.bincount(bins, weights=weights * right)[filled] / n[filled]
    noise = observed * (1 - observed) / (n[filled] - 1)
    square = np.sum(n[filled] / n.sum() * ((promised - observed) ** 2 - noise))
    return float(np.sqrt(max(0.0, square)))


def reliability(confidence: np.ndarray, right: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """The table behind a reliability diagram."""
    bins = equal_bins(confidence)
    table = []
    for index in np.unique(bins):
        inside = bins == index
        observed = share(int(right[inside].sum()), int(inside.sum()))
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
