"""What a search may expect of what it chose, once the luck of having been the best of many is taken off."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.intervals import independent, interval
from understudy.evaluation.measures import METRICS

DRAWS = 200
Choose = Callable[[np.ndarray], np.ndarray]


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What the search expected of its choice, beside what came.

    Attributes
    ----------
    metric : str
    searched : float
        On the rows out of fold that it was chosen by: flattered.
    corrected : Evidence, optional
        The same without the luck of having been chosen; None where rows are so many that it hardly matters.
    held_out : Evidence
        On the test part, which the search never used.
    candidates : int
        Of how many it was chosen.
    """

    metric: str
    searched: float
    corrected: Evidence | None
    held_out: Evidence
    candidates: int

    @property
    def words(self) -> str:
        """The figures in a sentence."""
        title = METRICS[self.metric].title
        said = f"{title} {self.held_out.estimate:.4g} on hold-out rows, never used in the search "
        said += f"({self.held_out.lower:.4g} to {self.held_out.upper:.4g}); the search itself saw {self.searched:.4g}"
        if self.corrected is not None:
            said += f", or {self.corrected.estimate:.4g} corrected for having chosen among {self.candidates}"
        return said


def bias_corrected(
    y: np.ndarray,
    stack: np.ndarray,
    name: str,
    choose: Choose,
    *,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Evidence:
    """How good the choice among candidates is that a search makes, judged on rows that the choice did not see.

    Rows are drawn with replacement; on those the choice is made again, and it is judged on the rows that were not
    drawn; the mean over the draws is free of the luck of being chosen, and rather too cautious, since each choice sees
    fewer rows (BBC-CV; Tsamardinos, Greasidou & Borboudakis 2018, "Bootstrapping the out-of-sample predictions for
    efficient and accurate cross-validation", Machine Learning 107, algorithm 2). The predictions themselves must be
    made out of fold. The interval holds the middle share of the draws; it assumes that rows, or groups, are
    independent.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class indices or numbers.
    stack : ndarray of shape (m, n, k) or (m, n, 1)
        Each candidate's predictions out of fold, without NaN.
    name : str
        A key of `METRICS`.
    choose : callable
        From how often each row was drawn, of shape (n,), the weight of each candidate in the answer, of shape (m,).
    confidence : float
    draws : int
    seed : int
    groups : ndarray of shape (n,), optional
        Rows of one group are drawn together.

    Raises
    ------
    ValueError
        There is no candidate or no row, or a prediction is NaN.

    >>> rng = np.random.default_rng(0)
    >>> y, noise = rng.integers(0, 2, 150), rng.random((40, 150))
    >>> stack = np.stack([1 - noise, noise], axis=2)
    >>> found = bias_corrected(y, stack, "log_loss", best_of(y, stack, "log_loss"))
    >>> best = min(METRICS["log_loss"].function(y, one, np.ones(150)) for one in stack)
    >>> best < found.estimate
    True
    """
    if stack.ndim != 3 or not stack.size or stack.shape[1] != len(y) or not np.isfinite(stack).all():
        raise ValueError(f"predictions are of shape (m, {len(y)}, k), without NaN; got {stack.shape}")
    metric = METRICS[name]
    generator = np.random.default_rng(seed)
    units = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    size = int(units.max()) + 1
    values = []
    for _ in range(draws):
        drawn = np.bincount(generator.integers(0, size, size), minlength=size)[units].astype(np.float64)
        if not drawn.all():
            left = drawn == 0
            weights = choose(drawn)
            answer = np.tensordot(weights, stack[:, left], axes=1)
            values.append(metric.function(y[left], answer, np.ones(int(left.sum()))))
    defined = [value for value in values if np.isfinite(value)]
    return interval(
        float(np.mean(defined)) if defined else float("nan"),
        values,
        confidence=confidence,
        n=independent(len(y), groups),
        method=f"bootstrap bias corrected cross-validation, {draws:,} draws",
    )


def best_of(y: np.ndarray, stack: np.ndarray, name: str) -> Choose:
    """The choice of the one candidate that is best on the rows drawn, by a metric."""
    metric = METRICS[name]
    prepared = [metric.prepare(y, scores) for scores in stack]
    sign = 1 if metric.greater_is_better else -1

    def choose(drawn: np.ndarray) -> np.ndarray:
        values = np.array([sign * statistic(drawn) for statistic in prepared])
        weights = np.zeros(len(prepared))
        weights[int(np.nanargmax(values)) if np.isfinite(values).any() else 0] = 1.0
        return weights

    return choose
