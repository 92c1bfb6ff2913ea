"""By how much one way to answer does better than another on the same held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evaluation.intervals import bootstrap_weights, group_codes, independent, method_name
from understudy.evaluation.measures import METRICS
from understudy.evaluation.words import decimals, rounded
from understudy.evidence.fixed import clopper_pearson

CONFIDENCE = 0.95
DRAWS = 200


@dataclass(frozen=True)
class HeldOut:
    """Rows that judge, and what counts as a wrong decision.

    Attributes
    ----------
    y : ndarray of shape (n,)
        Class indices or numbers.
    metric : str
        The task's metric, a key of `METRICS`.
    tolerance : float, optional
        For numbers, how far an answer may be off.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    seed : int
        Of the bootstrap.
    """

    y: np.ndarray
    metric: str
    tolerance: float | None = None
    groups: np.ndarray | None = None
    seed: int = 0

    def wrong(self, scores: np.ndarray) -> np.ndarray:
        """1 where the answer is wrong (for numbers: beyond the tolerance), of shape (n,).

        >>> HeldOut(np.array([0, 1]), "accuracy").wrong(np.array([[0.9, 0.1], [0.6, 0.4]])).tolist()
        [0.0, 1.0]
        """
        return wrong(self.y, scores, self.tolerance)

    def measure(self, scores: np.ndarray) -> float:
        """The task's metric."""
        return METRICS[self.metric].function(self.y, scores, np.ones(len(self.y)))

    def error(self, scores: np.ndarray) -> Evidence:
        """How often the answers are wrong, with bounds."""
        return share(self.wrong(scores), self.groups)

    def gain(self, before: np.ndarray, after: np.ndarray, *, confidence: float = CONFIDENCE) -> Evidence:
        """How many wrong decisions per case the second scores avoid, paired by rows."""
        return mean_change(self.wrong(before) - self.wrong(after), self.groups, confidence=confidence)

    def metric_gains(
        self, before: np.ndarray, after: Sequence[np.ndarray], *, confidence: float = CONFIDENCE
    ) -> tuple[Evidence, ...]:
        """By how much each of several scores is better in the task's metric, paired by rows; positive means better.

        One bootstrap serves them all. Its standard error is taken, not its quantiles: of those far out, which many
        comparisons ask for, 200 draws tell nothing.
        """
        metric = METRICS[self.metric]
        sign = 1 if metric.greater_is_better else -1
        prepared = [metric.prepare(self.y, scores) for scores in (before, *after)]
        n = len(self.y)
        drawn = np.array([[one(w) for one in prepared] for w in bootstrap_weights(n, DRAWS, self.seed, self.groups)])
        gains = sign * (drawn[:, 1:] - drawn[:, :1])
        known = np.isfinite(gains).all(axis=1)
        errors = gains[known].std(axis=0, ddof=1) if known.sum() > 1 else np.full(len(after), np.nan)
        ones = np.ones(n)
        whole, far = prepared[0](ones), float(stats.norm.ppf((1 + confidence) / 2))
        made = []
        for one, error in zip(prepared[1:], errors.tolist(), strict=True):
            gain = float(sign * (one(ones) - whole))
            made.append(
                Evidence(
                    estimate=gain,
                    lower=gain - far * error,
                    upper=gain + far * error,
                    confidence=confidence,
                    n=independent(n, self.groups),
                    method=f"normal, {method_name(DRAWS, self.groups, 'paired ')}",
                )
            )
        return tuple(made)


def wrong(y: np.ndarray, scores: np.ndarray, tolerance: float | None) -> np.ndarray:
    """1 where the answer is wrong; for numbers, where it is off by more than the tolerance."""
    if tolerance is None:
        return np.asarray(scores.argmax(axis=1) != y, dtype=np.float64)
    return np.asarray(np.abs(scores[:, 0] - y) > tolerance, dtype=np.float64)


def share(wrong: np.ndarray, groups: np.ndarray | None = None, *, confidence: float = CONFIDENCE) -> Evidence:
    """How many of 0 and 1 are 1: exact bounds, or where rows of one group are not independent, those of a mean."""
    if groups is None:
        return clopper_pearson(int(wrong.sum()), len(wrong), alpha=1 - confidence)
    found = mean_change(wrong, groups, confidence=confidence, method="mean of groups")
    return msgspec.structs.replace(found, lower=max(0.0, found.lower))


def mean_change(
    values: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    confidence: float = CONFIDENCE,
    method: str = "paired differences, adjusted (Bonett & Price 2012)",
) -> Evidence:
    """The mean of values in [−1, 1], mostly 0, with bounds that stand up where few are not 0.

    Two rows are added, one for and one against (Bonett & Price 2012, "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data"): even where no row differs, the bounds have a width. Rows
    of one group are summed first.

    Parameters
    ----------
    values : ndarray of shape (n,)
    groups : ndarray of shape (n,), optional
    confidence : float
    method : str

    >>> nothing = mean_change(np.zeros(98))
    >>> nothing.estimate, round(nothing.upper, 3)
    (0.0, 0.028)
    """
    n = len(values)
    if not n:
        raise ValueError("there is no row to compare on")
    sums = np.asarray(values, dtype=np.float64)
    if groups is not None:
        units, member = group_codes(groups)
        sums = np.bincount(member, sums, minlength=units).astype(np.float64)
        sizes = np.bincount(member, minlength=units).astype(np.float64)
    else:
        sizes = np.ones(n, dtype=np.float64)
    middle = float(sums.sum()) / (n + 2)
    square = float(np.sum((sums - middle * sizes) ** 2)) + 2.0
    units = len(sums)
    far = float(stats.t.ppf((1 + confidence) / 2, max(1, units - 1)))
    half = far * float(np.sqrt(square)) / (n + 2)
    return Evidence(
        estimate=float(np.mean(values)),
        lower=max(-1.0, middle - half),
        upper=min(1.0, middle + half),
        confidence=confidence,
        n=independent(n, groups),
        method=method if groups is None else f"{method}, by groups",
    )


def percents(evidence: Evidence) -> str:
    """Bounds of a share in percent, with the decimals that their width supports.

    >>> percents(Evidence(estimate=0.02, lower=0.0101, upper=0.0302, confidence=0.95, n=900, method="bootstrap"))
    '1.0% to 3.0%'
    """
    made = msgspec.structs.replace(
        evidence, estimate=100 * evidence.estimate, lower=100 * evidence.lower, upper=100 * evidence.upper
    )
    places = min(2, decimals(made))
    return f"{rounded(made.lower, places)}% to {rounded(made.upper, places)}%"


def simultaneous(tried: int, confidence: float = CONFIDENCE) -> float:
    """The confidence of each of several intervals at which all of them hold together (Bonferroni).

    >>> simultaneous(5)
    0.99
    """
    return round(1 - (1 - confidence) / max(1, tried), 12)
