"""Would a calibrated model look like this? Observed shares beside those that its own probabilities would show.

A model that is right about its probabilities does not lie on the diagonal either: chance moves each bin. The band says
by how much (Bröcker & Smith 2007, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22): it
is drawn from the probabilities themselves, so a point outside of it speaks against them.
"""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.evaluation.calibration import equal_bins
from understudy.evaluation.poisson_binomial import tails

DRAWS = 1000
CONFIDENCE = 0.95
FINE = 12


class ConsistencyBin(msgspec.Struct, frozen=True, kw_only=True):
    """Cases of about the same probability.

    Attributes
    ----------
    n : int
    predicted, observed : float
        The mean probability, and the share that came true.
    lower, upper : float
        Between them lies the observed share in 95 % of draws from the probabilities.
    outside : bool
        Whether it lies outside of what such draws show when all bins are looked at together.
    """

    n: int
    predicted: float
    observed: float
    lower: float
    upper: float
    outside: bool


def consistency(predicted: np.ndarray, outcome: np.ndarray, *, seed: int = 0) -> tuple[ConsistencyBin, ...]:
    """The reliability diagram with a consistency band; cases are taken as independent.

    Parameters
    ----------
    predicted : ndarray of shape (n,)
        Probabilities.
    outcome : ndarray of shape (n,)
        1 where it came true, else 0.
    seed : int

    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(3000)
    >>> found = consistency(p, rng.random(3000) < p**2)
    >>> any(one.outside for one in found), found[0].n
    (True, 200)
    """
    bins, generator = equal_bins(predicted), np.random.default_rng(seed)
    table, alpha = [], 1 - CONFIDENCE
    labels = np.unique(bins)
    for label in labels:
        inside = bins == label
        probabilities, observed = predicted[inside], float(np.mean(outcome[inside]))
        sizes, means = kinds(probabilities)
        drawn = generator.binomial(sizes, means, (DRAWS, len(sizes))).sum(axis=1) / len(probabilities)
        came = np.array([float(np.sum(outcome[inside]))])
        rarest = 2 * float(np.min(tails(came, sizes[None], means)))
        lower, upper = np.quantile(drawn, [alpha / 2, 1 - alpha / 2]).tolist()
        table.append(
            ConsistencyBin(
                n=int(inside.sum()),
                predicted=float(probabilities.mean()),
                observed=observed,
                lower=lower,
                upper=upper,
                outside=rarest <= alpha / len(labels),
            )
        )
    return tuple(table)


def kinds(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many cases have which probability; neighbours of very many are taken as one kind."""
    ordered = np.sort(np.clip(probabilities, 0.0, 1.0))
    parts = np.array_split(ordered, min(len(ordered), FINE))
    sizes = np.array([len(part) for part in parts])
    return sizes, np.array([part.mean() for part in parts])
