"""Rows in buckets that people can name: by prediction, by each input, and by what training knew of its values.

How rows are cut depends on the inputs and on the predictions only, never on what came true: so what is tested in a
bucket was not chosen to look bad.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from understudy.evaluation.calibration import equal_bins
from understudy.evaluation.slice_facets import Facet
from understudy.evaluation.slice_rows import column_facets
from understudy.evaluation.words import figure

BucketKind = Literal["all", "prediction", "value", "missing", "unseen", "rare", "period"]
DECILES = 10
SHARE_PLACES = (1, 2, 3, 4)
RARE = 30
"""A value with fewer rows in training is rare."""
TEXTS = (pl.String, pl.Categorical, pl.Enum)


@dataclass(frozen=True)
class Named:
    """A bucket: of what kind it is, which column cuts it, and how it is called in words and in SQL."""

    kind: BucketKind
    column: str
    words: str
    condition: str = ""


@dataclass(frozen=True)
class Cut:
    """Rows in buckets by one measure.

    Attributes
    ----------
    buckets : tuple of Named
    codes : ndarray of int16, shape (n,)
        The bucket of each row, −1 where it is in none.
    read : callable, optional
        The codes of the same measure of another table.
    """

    buckets: tuple[Named, ...]
    codes: np.ndarray
    read: Callable[[pl.DataFrame], np.ndarray] | None = None


def whole(n: int) -> Cut:
    """All rows in one bucket."""
    return Cut((Named("all", "", "any"),), np.zeros(n, dtype=np.int16), lambda frame: np.zeros(frame.height, np.int16))


def by_prediction(predicted: np.ndarray, *, shares: bool) -> Cut:
    """Tenths of the rows by prediction; equal predictions share one."""
    labels, codes = np.unique(equal_bins(predicted, DECILES), return_inverse=True)
    named = []
    for label in range(len(labels)):
        inside = predicted[codes == label]
        low, high = float(inside.min()), float(inside.max())
        span = share_span(low, high) if shares else f"{figure(low)} to {figure(high)}"
        named.append(Named("prediction", "", f"the prediction is {span}"))
    return Cut(tuple(named), codes.astype(np.int16))


def share_span(low: float, high: float) -> str:
    """From one share to another, with as many decimals as it takes to tell them apart.

    >>> share_span(0.694, 0.85), share_span(0.00004, 0.0003), share_span(0.25, 0.25)
    ('69.4% to 85.0%', '0.00% to 0.03%', '25.0%')
    """
    for places in SHARE_PLACES:
        ends = f"{low:.{places}%}", f"{high:.{places}%}"
        if ends[0] != ends[1]:
            return " to ".join(ends)
    return f"{low:.{SHARE_PLACES[0]}%}"


def by_inputs(
    frame: pl.DataFrame, *, least: int, prose: Collection[str] = (), train: pl.DataFrame | None = None
) -> Iterator[Cut]:
    """Each input's values: levels, ranges, words, missing ones, and those that training hardly knew.

    Parameters
    ----------
    frame : pl.DataFrame
        In canonical types.
    least : int
        Levels with fewer rows get no bucket of their own.
    prose : collection of str
        Columns of text that are read by their words.
    train : pl.DataFrame, optional
        The rows that the model learned from.
    """
    for name in frame.columns:
        if train is not None and name in train.columns and frame[name].dtype in TEXTS and name not in prose:
            yield by_knowledge(frame[name], train[name])
        yield from by_column(frame[name], least=least, prose=name in prose)


def by_time(time: pl.Series, *, least: int) -> Iterator[Cut]:
    """Periods of the time when cases happened."""
    for cut in by_column(time, least=least, prose=False):
        named = tuple(Named("period", one.column, one.words, one.condition) for one in cut.buckets)
        yield Cut(named, cut.codes)


def by_column(values: pl.Series, *, least: int, prose: bool) -> Iterator[Cut]:
    """The cells of each measure of a column."""
    values = values.fill_nan(None) if values.dtype.is_float() else values
    often = np.full(len(values), 1.0 if values.dtype in TEXTS else 0.0)  # the most frequent levels, and plain quantiles
    for facet in column_facets(values, often, prose=prose, least=least):
        cells, places = disjoint(facet)
        if not cells:
            continue
        named = tuple(
            Named("missing" if one.condition.endswith(" IS NULL") else "value", one.column, one.words, one.condition)
            for one in cells
        )

        def read(frame: pl.DataFrame, facet: Facet = facet, places: np.ndarray = places) -> np.ndarray:
            column = frame[facet.column]
            return np.asarray(places[facet.read(column.fill_nan(None) if column.dtype.is_float() else column)])

        yield Cut(named, read(values.to_frame()), read)


def disjoint(facet: Facet) -> tuple[list[Named], np.ndarray]:
    """The cells of a facet that have a name of their own, and the place of each cell among them, −1 where none has."""
    places = np.full(256, -1, dtype=np.int16)
    cells: list[Named] = []
    for predicate, holds in zip(facet.predicates, facet.holds, strict=True):
        taken = np.flatnonzero(holds)
        if len(taken) == 1 and places[taken[0]] < 0:
            places[taken[0]] = len(cells)
            cells.append(Named("value", predicate.column, predicate.words, predicate.condition))
    return cells, places


def by_knowledge(values: pl.Series, train: pl.Series) -> Cut:
    """Values that training never saw, and those that it hardly saw."""
    name = values.name
    counts = train.cast(pl.String).drop_nulls().value_counts()
    known = dict(zip(counts[name].to_list(), counts["count"].to_list(), strict=True))

    def read(frame: pl.DataFrame) -> np.ndarray:
        column = frame[name].cast(pl.String)
        rows = column.replace_strict(list(known), list(known.values()), default=0, return_dtype=pl.Int64).to_numpy()
        codes = np.where(rows == 0, 0, np.where(rows < RARE, 1, -1))
        return np.where(column.is_null().to_numpy(), -1, codes).astype(np.int16)

    named = (
        Named("unseen", name, f"{name} is a value that was not in the training rows"),
        Named("rare", name, f"{name} is a value with fewer than {RARE} training rows"),
    )
    return Cut(named, read(values.to_frame()), read)
