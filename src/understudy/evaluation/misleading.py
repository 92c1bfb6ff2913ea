"""Which figures mislead on this data, and what to look at instead: each in one sentence."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.core.nouns import Kind
from understudy.evaluation.intervals import independent
from understudy.evaluation.measures import METRICS
from understudy.evaluation.words import bounds, estimate

DOMINANT = 0.9
"""A constant that is right so often makes accuracy say little."""
RARE = 0.05
MAJORITY = 0.6
FEW_ROWS = 200
FEW_OF_CLASS = 30
FEW_NUMBERS = 100
TAIL = 0.01
HEAVY = 0.5
"""So much of a sum on the largest hundredth of rows is a heavy tail."""
CERTAIN = 1e-3
WIDE = 0.2


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that misleads.

    Attributes
    ----------
    metric : str
        A key of `METRICS`; empty where it is the test part as a whole.
    words : str
        Why, in one sentence.
    instead : tuple of str
        Keys of `METRICS` to look at.
    """

    metric: str
    words: str
    instead: tuple[str, ...] = ()


def misleading(
    y: np.ndarray,
    scores: np.ndarray,
    *,
    kind: Kind,
    metrics: Mapping[str, Evidence],
    labels: tuple[str, ...] = (),
    groups: np.ndarray | None = None,
) -> tuple[Flag, ...]:
    """The figures that mislead on these rows.

    Parameters
    ----------
    y : ndarray of shape (n,)
    scores : ndarray of shape (n, k) or (n, 1)
    kind : Kind
    metrics : mapping of Evidence
        As from `estimates`.
    labels : tuple of str
        The classes.
    groups : ndarray of shape (n,), optional
        Rows of one group count as one observation.

    >>> y = np.repeat([0, 1], [990, 10])
    >>> scores = np.column_stack([np.full(1000, 0.99), np.full(1000, 0.01)])
    >>> sure = Evidence(estimate=0.99, lower=0.98, upper=0.995, confidence=0.95, n=1000, method="Clopper–Pearson")
    >>> for flag in misleading(y, scores, kind="classification", metrics={"accuracy": sure}, labels=("no", "yes")):
    ...     print(flag.words)
    Only 10 of 1,000 test cases are yes: every figure about them rests on those.
    Always answering no is right in 99.0% of cases, so an accuracy of 0.990 says little.
    """
    n = independent(len(y), groups)
    if kind == "classification":
        names = labels or tuple(str(label) for label in range(scores.shape[1]))
        found = [*few_cases(y, n, names, groups), *imbalance(y, metrics, names), *few_certain(y, scores, metrics)]
    else:
        found = [*few_cases(None, n, (), groups), *heavy_tails(y, scores[:, 0], n, metrics)]
    return (*found, *too_wide(metrics))


def few_cases(y: np.ndarray | None, n: int, labels: tuple[str, ...], groups: np.ndarray | None) -> list[Flag]:
    """The test part, or a class of it, is small."""
    found = []
    if n < FEW_ROWS:
        what = "rows" if groups is None else "groups of rows"
        found.append(Flag(metric="", words=f"The test part has only {n:,} independent {what}: all intervals are wide."))
    if y is None:
        return found
    counts = np.bincount(y, minlength=len(labels))
    for label in np.flatnonzero(counts < FEW_OF_CLASS).tolist()[:3]:
        were = f"Only {counts[label]:,} of {len(y):,} test cases are" if counts[label] else "No test case is"
        about = "every figure about them rests on those" if counts[label] else "nothing is known about them"
        found.append(Flag(metric="", words=f"{were} {labels[label]}: {about}."))
    return found


def imbalance(y: np.ndarray, metrics: Mapping[str, Evidence], labels: tuple[str, ...]) -> list[Flag]:
    """One class is so frequent, or so rare, that a figure looks good by itself."""
    found, counts = [], np.bincount(y, minlength=len(labels))
    shares = counts / counts.sum()
    most = int(shares.argmax())
    if shares[most] >= DOMINANT and "accuracy" in metrics:
        found.append(
            Flag(
                metric="accuracy",
                words=f"Always answering {labels[most]} is right in {shares[most]:.1%} of cases, so an accuracy of "
                f"{metrics['accuracy'].estimate:.3f} says little.",
                instead=("pr_auc", "mcc", "balanced_accuracy"),
            )
        )
    if len(labels) != 2:
        return found
    positive = float(shares[1])
    if min(positive, 1 - positive) < RARE and "roc_auc" in metrics and 0 < positive < 1:
        rare = labels[1] if positive < RARE else labels[0]
        found.append(
            Flag(
                metric="roc_auc",
                words=f"Only {min(positive, 1 - positive):.1%} of cases are {rare}: ROC AUC stays high while most "
                f"answers of {rare} may be wrong.",
                instead=("pr_auc", "precision"),
            )
        )
    if positive >= MAJORITY:
        constant = 2 * positive / (1 + positive)
        for name, of_constant in (("f1", constant), ("pr_auc", positive)):
            if name in metrics:
                found.append(
                    Flag(
                        metric=name,
                        words=f"{labels[1]} is the answer of {positive:.0%} of cases, so whoever always says so has "
                        f"{METRICS[name].title} {of_constant:.3f} already.",
                        instead=("mcc", "balanced_accuracy"),
                    )
                )
    return found


def few_certain(y: np.ndarray, scores: np.ndarray, metrics: Mapping[str, Evidence]) -> list[Flag]:
    """A few answers that were certain and wrong make up most of the log loss."""
    if "log_loss" not in metrics:
        return []
    right = np.clip(scores[np.arange(len(y)), y], 1e-15, 1.0)
    certain, total = right < CERTAIN, float(-np.log(right).sum())
    share = float(-np.log(right[certain]).sum()) / total if total else 0.0
    if share < HEAVY or certain.mean() > TAIL:
        return []
    words = f"{share:.0%} of the log loss comes from {int(certain.sum()):,} answers that were certain and wrong."
    return [Flag(metric="log_loss", words=words, instead=("brier",))]


def heavy_tails(y: np.ndarray, predicted: np.ndarray, n: int, metrics: Mapping[str, Evidence]) -> list[Flag]:
    """A few rows make up most of what a squared metric sums."""
    found = []
    spread, errors = top_share((y - y.mean()) ** 2), top_share((y - predicted) ** 2)
    if "r2" in metrics and n < FEW_NUMBERS:
        words = f"R² of {n:,} independent rows depends on which ones they are: it may lie in {bounds(metrics['r2'])}."
        found.append(Flag(metric="r2", words=words, instead=("mae",)))
    if "r2" in metrics and spread >= HEAVY:
        words = f"{spread:.0%} of the target's variance lies in {TAIL:.0%} of the rows: R² tells of those alone."
        found.append(Flag(metric="r2", words=words, instead=("mae",)))
    if "rmse" in metrics and errors >= HEAVY:
        words = f"{errors:.0%} of the squared error lies in {TAIL:.0%} of the rows: RMSE tells of those alone."
        found.append(Flag(metric="rmse", words=words, instead=("mae",)))
    return found


def top_share(values: np.ndarray) -> float:
    """How much of a sum the largest hundredth of values holds; 0 of less than a hundred values.

    >>> top_share(np.array([99.0] + [1.0] * 99))
    0.5
    """
    most = int(len(values) * TAIL)
    total = float(values.sum())
    return float(np.partition(values, -most)[-most:].sum()) / total if most and total > 0 else 0.0


def too_wide(metrics: Mapping[str, Evidence]) -> list[Flag]:
    """An interval that tells next to nothing."""
    found = []
    for name, one in metrics.items():
        metric = METRICS[name]
        width = one.upper - one.lower
        if metric.highest == 1 and width > WIDE * (metric.highest - max(metric.lowest, -1.0)):
            words = f"{metric.title} {estimate(one)} is known only to lie in {bounds(one)}: too wide to tell much."
            found.append(Flag(metric=name, words=words))
    return found
