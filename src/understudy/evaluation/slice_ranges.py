"""Numbers and times as facets: every range between a few cuts, in plain words and as a SQL condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from understudy.evaluation.slice_cuts import EPOCH, cuts, rounder_number, rounder_time
from understudy.evaluation.slice_facets import Facet, Measure, Predicate, quoted, with_missing

YEARS = (1500, 2500)
EXACT = 1e15
"""Below this every whole number is one as a float, and is said without an exponent."""


@dataclass(frozen=True)
class Wording:
    """How the edges of ranges are named.

    Attributes
    ----------
    say, write : callable
        An edge in words, and as SQL.
    below, above : str
        What all under an edge is called, and all from it on.
    between : callable
        What lies from one edge to under another one.
    """

    say: Callable[[float], str]
    write: Callable[[float], str]
    below: str
    above: str
    between: Callable[[float, float], str]


def number_facet(measure: Measure, values: pl.Series, excess: np.ndarray, least: int) -> Facet | None:
    """A number, cut at quantiles and where the loss changes most; None if it has one value and is never missing."""
    taken = measure.take(values)
    numbers = as_floats(taken)
    edges = cuts(numbers, excess, least=least, rounder=rounder_number)
    if not len(edges) and not np.isnan(numbers).any():
        return None
    wording = number_wording(numbers[np.isfinite(numbers)], whole=taken.dtype.is_integer())
    return range_facet(measure, edges, wording, lambda column: as_floats(measure.take(column)))


def time_facet(values: pl.Series, excess: np.ndarray, least: int) -> Facet | None:
    """A time, as before or since when it was."""
    measure = Measure(values.name, values.name, quoted(values.name), microseconds)
    numbers = as_floats(microseconds(values))
    edges = cuts(numbers, excess, least=least, rounder=rounder_time)
    if not len(edges) and not np.isnan(numbers).any():
        return None
    return range_facet(measure, edges, TIMES, lambda column: as_floats(microseconds(column)))


def microseconds(values: pl.Series) -> pl.Series:
    """Times as numbers since 1970 UTC."""
    return values.cast(pl.Datetime("us")).to_physical()


def number_wording(finite: np.ndarray, *, whole: bool) -> Wording:
    """How a column's numbers are named; whole numbers that look like years have no thousands parted."""
    years = whole and len(finite) > 0 and finite.min() >= YEARS[0] and finite.max() <= YEARS[1]
    mark = "" if years else ","

    def say(edge: float) -> str:
        return f"{edge:{mark}.0f}" if is_whole(edge) else f"{edge:{mark}.15g}"

    def write(edge: float) -> str:
        return f"{edge:.0f}" if is_whole(edge) else repr(edge)

    def between(low: float, high: float) -> str:
        if not whole:
            return f"from {say(low)} to under {say(high)}"
        return say(low) if high - low == 1 else f"from {say(low)} to {say(high - 1)}"

    return Wording(say=say, write=write, below="under {}", above="{} or more", between=between)


def is_whole(edge: float) -> bool:
    """Whether a number is said without decimals and exponent."""
    return edge == round(edge) and abs(edge) < EXACT


def moment(edge: float) -> str:
    """A time in microseconds as text, a date where it begins a day."""
    text = (EPOCH + timedelta(microseconds=edge)).replace(tzinfo=None).isoformat(sep=" ")
    return text.removesuffix(" 00:00:00")


def full_moment(edge: float) -> str:
    """A time in microseconds as SQL."""
    text = (EPOCH + timedelta(microseconds=edge)).replace(tzinfo=None).isoformat(sep=" ")
    return f"TIMESTAMP '{text}'"


TIMES = Wording(
    say=moment,
    write=full_moment,
    below="before {}",
    above="{} or later",
    between=lambda low, high: f"from {moment(low)} to before {moment(high)}",
)


def range_facet(
    measure: Measure, edges: np.ndarray, wording: Wording, take: Callable[[pl.Series], np.ndarray]
) -> Facet:
    """Every range of neighbouring cells but the whole; cell i holds edges[i − 1] ≤ x < edges[i]."""
    last = len(edges)
    ranges = [(a, b) for a in range(last + 1) for b in range(a, last + 1) if (a, b) != (0, last)]
    cells = np.arange(last + 1)
    holds = np.array([(a <= cells) & (cells <= b) for a, b in ranges], dtype=bool).reshape(-1, last + 1)
    at: list[float] = edges.tolist()
    told = [range_predicate(measure, wording, at[a - 1] if a else None, at[b] if b < last else None) for a, b in ranges]

    def read(column: pl.Series) -> np.ndarray:
        numbers = take(column)
        places = np.searchsorted(edges, numbers, side="right")
        return np.where(np.isnan(numbers), last + 1, places).astype(np.uint8)

    return with_missing(measure.column, told, holds, read)


def range_predicate(measure: Measure, wording: Wording, low: float | None, high: float | None) -> Predicate:
    """One range; None stands for no edge, and one of both is there."""
    above = "" if low is None else f"{measure.sql} >= {wording.write(low)}"
    below = "" if high is None else f"{measure.sql} < {wording.write(high)}"
    if low is None or high is None:
        words = wording.below.format(wording.say(high)) if high is not None else ""
        words = wording.above.format(wording.say(low)) if low is not None else words
        condition = above or below
    else:
        words, condition = wording.between(low, high), f"({above} AND {below})"
    return Predicate(column=measure.column, words=f"{measure.subject} is {words}", condition=condition)


def as_floats(values: pl.Series) -> np.ndarray:
    """Numbers as float64; NaN where they are missing."""
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()
