"""A figure of some rows: as a function of how much each row counts, and how far each row pulls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Statistic:
    """A metric of given rows, with whatever does not depend on weights, such as sorting, done once.

    Attributes
    ----------
    value : callable
        The metric where row i counts weights[i] times; NaN where it is not defined.
    pull : callable
        The influence of each row at equal weights, n·∂T/∂wᵢ, of shape (n,) and with a mean of 0. Its variance over n is
        that of the metric (the infinitesimal jackknife; Jaeckel 1972, Bell Labs MM 72-1215-11; Efron 1981, Biometrika
        68(3)); for ROC AUC this is the method of DeLong.
    """

    value: Callable[[np.ndarray], float]
    pull: Callable[[], np.ndarray]

    def __call__(self, weights: np.ndarray) -> float:
        """The metric of weighted rows."""
        return self.value(weights)


Prepared = Callable[[np.ndarray, np.ndarray], Statistic]
"""Takes truth and scores, and gives the statistic."""


def weighted_mean(values: np.ndarray) -> Statistic:
    """The mean of values.

    >>> weighted_mean(np.array([1.0, 4.0]))(np.array([2.0, 1.0]))
    2.0
    """
    values = np.asarray(values, dtype=np.float64)
    return Statistic(value=lambda weights: float(values @ weights / weights.sum()), pull=lambda: values - values.mean())
