"""Which labels does a model that has not seen them contradict with confidence? Confident learning.

A class has a threshold: the mean probability that it gets where it is the label. A row whose probability of another
class reaches that one's threshold is counted as that class; rows by label and by counted class are the confident joint
(Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", J. Artif. Intell. Res.
70, equations 1 to 3). It takes honest doubt for wrong labels as well; `label_chance` parts the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np
from scipy import special, stats

from understudy.core.evidence import Evidence

Cut = Literal["confident", "noise rate"]
SLACK = 1e-6
"""By how much a probability may miss a threshold that is the mean of others like it."""

FEWEST = 2
"""Of a class with fewer labels none is suspected: a new model would not know it at all."""


@dataclass(frozen=True)
class ConfidentJoint:
    """The confident joint of n rows and k classes.

    Attributes
    ----------
    thresholds : ndarray of shape (k,)
        Infinite for a class that is nobody's label.
    guess : ndarray of int64, shape (n,)
        The class that a row is counted as; −1 where no class reaches its threshold.
    counts : ndarray of int64, shape (k, k)
        Rows by label (first place) and counted class.
    joint : ndarray of float64, shape (k, k)
        The same, stretched so that each label's counts add up to its rows.
    """

    thresholds: np.ndarray
    guess: np.ndarray
    counts: np.ndarray
    joint: np.ndarray

    @property
    def noise(self) -> np.ndarray:
        """With which probability a row of a class (second place) was given a label (first place); shape (k, k)."""
        total = self.joint.sum(axis=0)
        return np.where(total > 0, self.joint / np.where(total > 0, total, 1.0), np.eye(len(total)))


def confident_joint(y: np.ndarray, probabilities: np.ndarray) -> ConfidentJoint:
    """Rows by their label and by the class that they are confidently counted as.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        The labels' classes.
    probabilities : ndarray of shape (n, k)
        From models that have not seen the row.

    >>> said = np.array([0, 0, 0, 1, 1, 1])
    >>> sure = np.array([0.9, 0.8, 0.1, 0.2, 0.1, 0.1])
    >>> confident_joint(said, np.stack([sure, 1 - sure], axis=1)).counts.tolist()
    [[2, 1], [0, 2]]
    """
    n, k = probabilities.shape
    rows = np.bincount(y, minlength=k)
    own = np.bincount(y, probabilities[np.arange(n), y], minlength=k)
    thresholds = np.where(rows > 0, own / np.maximum(rows, 1), np.inf)
    reached = np.where(probabilities >= thresholds - SLACK, probabilities, -1.0)
    guess = np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)
    sure = guess >= 0
    counts = np.bincount(y[sure] * k + guess[sure], minlength=k * k).reshape(k, k)
    filled = counts + np.diag(np.where(np.diagonal(counts) == 0, 1, 0))
    joint = filled * (rows / filled.sum(axis=1))[:, None]
    return ConfidentJoint(thresholds=thresholds, guess=guess, counts=counts, joint=joint)


def quality(y: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How well each label fits, two ways: its probability, and its lead over the best other class from 0 to 1.

    Both are low where a label is suspect.

    >>> [score.round(2).tolist() for score in quality(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))]
    [[0.9, 0.4], [0.9, 0.4]]
    """
    rows = np.arange(len(y))
    own: np.ndarray = probabilities[rows, y]
    others = probabilities.copy()
    others[rows, y] = -np.inf
    lead: np.ndarray = (own - others.max(axis=1) + 1) / 2
    return own, lead


def suspects(y: np.ndarray, probabilities: np.ndarray, found: ConfidentJoint, cut: Cut = "confident") -> np.ndarray:
    """Which labels are suspected, as a mask of shape (n,).

    Parameters
    ----------
    y, probabilities
        As for `confident_joint`.
    found : ConfidentJoint
    cut : {"confident", "noise rate"}
        Rows that are confidently counted as another class; or of each pair of label and class as many as the joint
        says, those that lead the most. Never rows whose label is also the likeliest class.

    Raises
    ------
    ValueError
        There is no such cut.
    """
    if cut not in ("confident", "noise rate"):
        raise ValueError(f"suspects are cut by 'confident' or by 'noise rate', not by {cut!r}")
    contradicted: np.ndarray = probabilities.argmax(axis=1) != y
    if cut == "confident":
        contradicted &= (found.guess >= 0) & (found.guess != y)
    else:
        contradicted &= most_led(y, probabilities, found.joint)
    return contradicted


def most_led(y: np.ndarray, probabilities: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """Of each pair of label and other class as many rows as the joint counts, by how far the other class leads."""
    chosen = np.zeros(len(y), dtype=bool)
    for label, counts in enumerate(joint):
        rows = np.flatnonzero(y == label)
        if len(rows) < FEWEST:
            continue
        for other in np.flatnonzero(counts >= 0.5):
            if other != label:
                lead = probabilities[rows, label] - probabilities[rows, other]
                most = min(round(float(counts[other])), len(rows) - 1)
                chosen[rows[np.argsort(lead, kind="stable")[:most]]] = True
    return chosen


def confident_share(
    y: np.ndarray, found: ConfidentJoint, *, alpha: float = 0.05, groups: np.ndarray | None = None
) -> Evidence:
    """The share of labels off the joint's diagonal, with bounds from how much each row moves it.

    The bounds (infinitesimal jackknife on the log odds; Efron 1982) tell how sure the count is, not that the labels are
    wrong: honest doubt is in it.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
    found : ConfidentJoint
    alpha : float
    groups : ndarray of shape (n,), optional
        Rows of one group count as one observation.
    """
    n, k = len(y), len(found.thresholds)
    rows, sure = np.bincount(y, minlength=k), found.guess >= 0
    off = sure & (found.guess != y)
    total = np.bincount(y[sure], minlength=k)
    rate = np.bincount(y[off], minlength=k) / np.maximum(total, 1)
    share = float(rate @ rows / n)
    moves = rate[y] - share + sure * (rows / np.maximum(total, 1))[y] * (off - rate[y])
    members = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    spread = float(np.sqrt(np.sum(np.bincount(members, moves) ** 2))) / n
    units = int(members.max()) + 1
    lower, upper = odds_bounds(share, spread, units, alpha)
    method = "confident joint, infinitesimal jackknife"
    return Evidence(estimate=share, lower=lower, upper=upper, confidence=1 - alpha, n=units, method=method)


def odds_bounds(share: float, spread: float, units: int, alpha: float) -> tuple[float, float]:
    """Bounds of a share from its standard error, on the scale of log odds; exact ones where it is 0 or 1."""
    if not np.isfinite(share):
        return nan, nan
    if share <= 0 or share >= 1:
        reach = 1 - (alpha / 2) ** (1 / units)
        return (0.0, reach) if share <= 0 else (1 - reach, 1.0)
    middle = float(special.logit(share))
    reach = float(stats.t.isf(alpha / 2, max(units - 1, 1))) * spread / (share * (1 - share))
    return float(special.expit(middle - reach)), float(special.expit(middle + reach))
