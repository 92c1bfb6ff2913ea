"""Rows that judge a model and that it learned from as well: which they are, and how they flatter it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl

from understudy.core.evidence import Evidence
from understudy.evaluation.estimates import MANY, from_pulls, pulls_name
from understudy.evaluation.intervals import bootstrap_weights, draws_for, independent, interval, method_name
from understudy.evaluation.measures import METRICS


class Repeats(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that judge a model and whose inputs it learned from as well.

    Attributes
    ----------
    judged : int
        How many rows judge it.
    repeated : int
        How many of these have exactly the inputs of a row that it learned from.
    parted : int
        How many are known copies, which should not have been parted.
    metric : str
        The metric in which the effect is told; empty where it cannot be told.
    whole, without : float, optional
        The metric on all rows that judge it, and without those that repeat.
    flattered : Evidence, optional
        By how much the repeated rows make it look better; positive means better, whatever the metric.
    """

    judged: int
    repeated: int
    parted: int
    metric: str = ""
    whole: float | None = None
    without: float | None = None
    flattered: Evidence | None = None


def find_repeats(
    frame: pl.DataFrame,
    fit: np.ndarray,
    test: np.ndarray,
    *,
    copies: np.ndarray | None,
    y: np.ndarray,
    predict: Callable[[pl.DataFrame], np.ndarray],
    metric: str,
    seed: int = 0,
    groups: np.ndarray | None = None,
    many: int = MANY,
) -> Repeats:
    """Which of the rows that judge a model have inputs that it learned from, and how much better they make it look.

    Parameters
    ----------
    frame : pl.DataFrame
        The used columns, of n rows.
    fit, test : ndarray of int
        Rows that the model learned from, and rows that judge it.
    copies : ndarray of int, shape (n,), optional
        A code for each row, which its copies share.
    y : ndarray of shape (n,)
        Class indices or numbers.
    predict : callable
        From rows to scores of shape (m, k); asked only where rows repeat.
    metric : str
        A key of `METRICS`.
    seed : int
        Of the bootstrap.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    many : int
        Up to so many rows that judge it the bootstrap is affordable.
    """
    hashes = frame.hash_rows().to_numpy()
    again = np.isin(hashes[test], hashes[fit])
    parted = 0 if copies is None else int(np.isin(copies[test], copies[fit]).sum())
    found = Repeats(judged=len(test), repeated=int(again.sum()), parted=parted)
    if not again.any() or again.all():
        return found
    mine = None if groups is None else groups[test]
    told = flattery(again, y[test], predict(frame[test]), metric=metric, seed=seed, groups=mine, many=many)
    if told is None:
        return found
    whole, without, flattered = told
    return msgspec.structs.replace(found, metric=metric, whole=whole, without=without, flattered=flattered)


def flattery(
    again: np.ndarray,
    y: np.ndarray,
    scores: np.ndarray,
    *,
    metric: str,
    seed: int = 0,
    groups: np.ndarray | None = None,
    many: int = MANY,
) -> tuple[float, float, Evidence] | None:
    """A metric on all rows, without those that are there again, and by how much these make it look better.

    None where the metric is not defined on one of the two. The bounds are those of the paired bootstrap; beyond `many`
    rows of the normal law with the variance of the rows' pulls.
    """
    statistic, ones = METRICS[metric].prepare(y, scores), np.ones(len(y))
    sign = 1 if METRICS[metric].greater_is_better else -1

    def better(weights: np.ndarray) -> float:
        return sign * (statistic(weights) - statistic(np.where(again, 0.0, weights)))

    with np.errstate(invalid="ignore", divide="ignore"):  # a draw may hold no row that is not there again
        whole, without = statistic(ones), statistic(np.where(again, 0.0, ones))
        if not np.isfinite(whole) or not np.isfinite(without):
            return None
        if len(y) > many:
            pulls = np.zeros(len(y))
            rest = METRICS[metric].prepare(y[~again], scores[~again])
            pulls[~again] = rest.pull() * (len(y) / np.sum(~again))
            pulls, method = sign * (statistic.pull() - pulls), f"paired {pulls_name(metric)}"
            return whole, without, from_pulls(better(ones), pulls, confidence=0.95, groups=groups, method=method)
        draws = draws_for(len(y))
        drawn = [better(weights) for weights in bootstrap_weights(len(y), draws, seed, groups)]
    method, units = method_name(draws, groups, "paired "), independent(len(y), groups)
    return whole, without, interval(better(ones), drawn, confidence=0.95, n=units, method=method)
