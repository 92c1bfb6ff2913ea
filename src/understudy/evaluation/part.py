"""What happened on the test part: truth, scores, and what decides today."""

from __future__ import annotations

import msgspec
import numpy as np


class TestPart(msgspec.Struct, frozen=True, kw_only=True):
    """What happened on the test part.

    Attributes
    ----------
    y : ndarray of shape (n,)
        Class indices or numbers.
    scores : ndarray of shape (n, k) or (n, 1)
    confidence : ndarray of shape (n,)
        How sure the version is that its answer is right (for numbers: within the tolerance).
    baseline : ndarray of shape (n, k) or (n, 1)
        The scores of today's decisions, or of a constant.
    baseline_name : str
    hard : bool
        Whether the baseline only answers and gives no probabilities.
    tolerance : float, optional
    inside : ndarray of shape (n,), optional
        For numbers, whether the 90 % interval holds the truth.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent; intervals draw them together.
    labels : tuple of str
        The classes; empty for numbers, and where they have no names.
    costs : dict of float
        What mistakes cost, by "truth -> answer"; empty where they have no prices.
    lower, upper : ndarray of shape (n,), optional
        For numbers, the ends of the 90 % interval.
    """

    __test__ = False

    y: np.ndarray
    scores: np.ndarray
    confidence: np.ndarray
    baseline: np.ndarray
    baseline_name: str
    hard: bool
    tolerance: float | None = None
    inside: np.ndarray | None = None
    groups: np.ndarray | None = None
    labels: tuple[str, ...] = ()
    costs: dict[str, float] = {}
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None

    @property
    def right(self) -> np.ndarray:
        """1 where the answer is right (for numbers: within the tolerance)."""
        if self.tolerance is None:
            return np.asarray(self.scores.argmax(axis=1) == self.y, dtype=np.float64)
        return np.asarray(np.abs(self.scores[:, 0] - self.y) <= self.tolerance, dtype=np.float64)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, their numbers where they have none."""
        return self.labels or tuple(str(label) for label in range(self.scores.shape[1]))
