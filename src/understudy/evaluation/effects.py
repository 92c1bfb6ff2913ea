"""How a model's answer moves along one column: accumulated local effects of numbers, effects of levels.

Accumulated local effects (Apley & Zhu 2020, "Visualizing the effects of predictor variables in black box supervised
learning models") only compare a row with itself, moved to the ends of its own bin. So, unlike partial dependence, they
never ask the model about a value that is far from anything that such rows have.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl

from understudy.evaluation.intervals import bootstrap_weights

Predict = Callable[[pl.DataFrame], np.ndarray]
BINS = 20
TAIL = 0.01
"""The share of values at either end that is drawn no curve: a few far ones would take all the room."""

MOST_ROWS = 3000
MOST_LEVEL_ROWS = 1000
MOST_LEVELS = 8
DRAWS = 200


class EffectPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The effect at one value.

    Attributes
    ----------
    at : float, optional
        A number, or microseconds since 1970; None for a level.
    level : str
        A level; empty for numbers.
    effect, lower, upper : float
        How far above its mean the answer lies there, with a band that holds for all points of the column at once.
    share : float
        The share of rows up to there since the point before; for a level, of the rows that have it.
    """

    at: float | None
    level: str
    effect: float
    lower: float
    upper: float
    share: float


class ColumnEffect(msgspec.Struct, frozen=True, kw_only=True):
    """How the answer moves along one column.

    Attributes
    ----------
    column : str
    form : {"number", "datetime", "level"}
    answer : str
        The class whose probability is told: of two the positive one, of more the one that moves most; empty for
        numbers.
    points : tuple of EffectPoint
    """

    column: str
    form: str
    answer: str
    points: tuple[EffectPoint, ...]

    @property
    def reach(self) -> float:
        """From the lowest to the highest effect."""
        effects = [point.effect for point in self.points]
        return max(effects) - min(effects)


def column_effect(
    predict: Predict,
    frame: pl.DataFrame,
    column: str,
    *,
    labels: tuple[str, ...] = (),
    groups: np.ndarray | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> ColumnEffect | None:
    """How a model's answer moves along one column; None for free text and for what never varies.

    Parameters
    ----------
    predict : callable
        From rows in canonical types to scores of shape (n, k) or (n, 1).
    frame : pl.DataFrame
        The columns that the model takes; of many rows some are drawn.
    column : str
    labels : tuple of str
        The answers in the order of the scores; empty for numbers.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    confidence : float
        That the band holds the whole curve of this model and this population.
    seed : int
    """
    values = frame[column]
    if values.drop_nulls().n_unique() < 2:
        return None
    by_level = values.dtype in (pl.String, pl.Boolean)
    most = MOST_LEVEL_ROWS if by_level else MOST_ROWS
    rows = np.arange(frame.height)
    if frame.height > most:
        rows = np.sort(np.random.default_rng(seed).choice(frame.height, most, replace=False))
    some, own = frame[rows], None if groups is None else groups[rows]
    if by_level:
        if values.n_unique() > 0.5 * frame.height and frame.height > MOST_LEVELS:
            return None
        return level_effects(predict, some, values, labels, own, confidence, seed)
    return accumulated_effects(predict, some, column, labels, own, confidence, seed)


def accumulated_effects(
    predict: Predict,
    frame: pl.DataFrame,
    column: str,
    labels: tuple[str, ...],
    groups: np.ndarray | None,
    confidence: float,
    seed: int,
) -> ColumnEffect | None:
    """The accumulated local effects of a number, centred so that their mean over the rows is 0."""
    there = frame[column].is_not_null().to_numpy()
    frame, groups = frame.filter(there), None if groups is None else groups[there]
    values = frame[column]
    numbers = values.to_physical().cast(pl.Float64).to_numpy()
    edges = np.unique(np.quantile(numbers, np.linspace(TAIL, 1 - TAIL, BINS + 1), method="inverted_cdf"))
    if len(edges) < 2:
        return None
    bins = np.clip(np.searchsorted(edges, numbers, side="left") - 1, 0, len(edges) - 2)
    ends = [
        pl.Series(column, edges[place]).cast(values.to_physical().dtype).cast(values.dtype)
        for place in (bins, bins + 1)
    ]
    low, high = (np.asarray(predict(frame.with_columns(end)), dtype=np.float64) for end in ends)
    local = high - low
    k = len(edges) - 1
    within = np.clip((numbers - edges[bins]) / np.diff(edges)[bins], 0, 1)

    def curve(weights: np.ndarray) -> np.ndarray:
        counts = np.bincount(bins, weights, minlength=k)
        sums = np.column_stack([np.bincount(bins, weights * one, minlength=k) for one in local.T])
        steps = sums / np.maximum(counts, 1e-12)[:, None]
        risen = np.vstack([np.zeros(local.shape[1]), np.cumsum(steps, axis=0)])
        inner = np.bincount(bins, weights * within, minlength=k)
        return np.asarray(risen - (counts @ risen[:-1] + inner @ steps) / counts.sum())

    shares = np.concatenate([[0.0], np.bincount(bins, minlength=k) / len(bins)])
    found, place = with_band(curve, len(numbers), labels, groups, confidence, seed)
    form = "datetime" if values.dtype.is_temporal() else "number"
    points = tuple(
        EffectPoint(at=float(at), level="", effect=middle, lower=lower, upper=upper, share=share)
        for at, share, (middle, lower, upper) in zip(edges, shares.tolist(), found.tolist(), strict=True)
    )
    return ColumnEffect(column=column, form=form, answer=labels[place] if labels else "", points=points)


def level_effects(
    predict: Predict,
    frame: pl.DataFrame,
    values: pl.Series,
    labels: tuple[str, ...],
    groups: np.ndarray | None,
    confidence: float,
    seed: int,
) -> ColumnEffect:
    """What the model would answer if every row had a level, less what it answers: for the most frequent levels."""
    counts = values.drop_nulls().value_counts(sort=True).head(MOST_LEVELS)
    counts = counts.sort(["count", values.name], descending=[True, False])
    levels = counts[values.name].to_list()
    own = np.asarray(predict(frame), dtype=np.float64)
    each = np.stack(
        [
            np.asarray(predict(frame.with_columns(pl.lit(level, dtype=values.dtype).alias(values.name)))) - own
            for level in levels
        ]
    )

    def means(weights: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("lnk,n->lk", each, weights) / weights.sum())

    found, place = with_band(means, frame.height, labels, groups, confidence, seed)
    shares = (counts["count"] / len(values)).to_list()
    points = tuple(
        EffectPoint(at=None, level=level_name(level), effect=middle, lower=lower, upper=upper, share=share)
        for level, share, (middle, lower, upper) in zip(levels, shares, found.tolist(), strict=True)
    )
    return ColumnEffect(column=values.name, form="level", answer=labels[place] if labels else "", points=points)


def level_name(level: object) -> str:
    """A level as people read it."""
    return {True: "yes", False: "no"}[level] if isinstance(level, bool) else str(level)


def with_band(
    curve: Callable[[np.ndarray], np.ndarray],
    n: int,
    labels: tuple[str, ...],
    groups: np.ndarray | None,
    confidence: float,
    seed: int,
) -> tuple[np.ndarray, int]:
    """A curve with a band that holds all of it at once, of shape (points, 3), and the class that it is told of.

    The band is as wide, in standard errors of each point, as the widest deviation of a bootstrap draw usually is (the
    sup-t band; Montiel Olea & Plagborg-Møller 2019, "Simultaneous confidence bands").

    Parameters
    ----------
    curve : callable
        From row weights to the curves of all classes, of shape (points, k).
    n : int
    labels, groups, confidence, seed
        As for `column_effect`.
    """
    middle = curve(np.ones(n))
    place = 0 if not labels else 1 if len(labels) == 2 else int(np.ptp(middle, axis=0).argmax())
    drawn = np.array([curve(weights)[:, place] for weights in bootstrap_weights(n, DRAWS, seed, groups)])
    errors = drawn.std(axis=0, ddof=1)
    off = np.abs(drawn - middle[:, place]) / np.where(errors > 0, errors, np.inf)
    wide = float(np.quantile(off.max(axis=1), confidence)) * errors
    line = middle[:, place]
    return np.column_stack([line, line - wide, line + wide]), place
