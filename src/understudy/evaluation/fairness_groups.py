"""Which group each case is in: by the values of a column, by ranges of a number, or by two columns at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from understudy.data.contract import without_missing
from understudy.data.values import as_numbers
from understudy.evaluation.slice_cuts import rounder_number
from understudy.evaluation.slice_facets import Measure, Predicate, literal, quoted
from understudy.evaluation.slice_ranges import as_floats, number_wording, range_predicate

MOST_GROUPS = 20
"""Of a column of more values, the rarest are one group."""

MOST_NUMBERS = 10
"""More different numbers than these are cut into ranges."""

DECADE, OLDEST, WIDEST_FIFTHS = 10, 120, 5


@dataclass(frozen=True)
class GroupColumn:
    """A column as groups.

    Attributes
    ----------
    name : str
    codes : ndarray of int64, shape (n,)
        The group of each row, as a place in `groups`.
    groups : tuple of Predicate
        No two of them share a row.
    """

    name: str
    codes: np.ndarray
    groups: tuple[Predicate, ...]


def group_column(values: pl.Series, least: int) -> GroupColumn:
    """The groups of one column; rows without a value are a group.

    Parameters
    ----------
    values : pl.Series
        As text or typed; numbers may stand as text.
    least : int
        Ranges at the ends that have fewer rows are joined with their neighbours.

    >>> found = group_column(pl.Series("age", [*range(18, 70), *range(20, 70), None]), 5)
    >>> [group.words for group in found.groups][:2], found.groups[-1].words
    (['age is under 30', 'age is from 30 to 39'], 'age is missing')
    >>> [group.condition for group in group_column(pl.Series("sex", ["f", "m", "f"]), 30).groups]
    ['"sex" = \\'f\\'', '"sex" = \\'m\\'']
    """
    present = without_missing(values)
    numbers = numbers_of(present)
    made = named_groups(present) if numbers is None else ranged_groups(numbers, least)
    return with_missing_group(made, present)


def numbers_of(values: pl.Series) -> pl.Series | None:
    """The column as numbers where it holds too many different ones to be groups by themselves; None otherwise."""
    if values.dtype == pl.String:
        read = as_numbers(values)
        if read.null_count() > values.null_count():
            return None
        whole = bool((read.drop_nulls() == read.drop_nulls().floor()).all())
        values = read.cast(pl.Int64, strict=False) if whole else read
    if not values.dtype.is_numeric() or values.drop_nulls().n_unique() <= MOST_NUMBERS:
        return None
    return values


def named_groups(values: pl.Series) -> GroupColumn:
    """The values themselves, the rarest of very many together."""
    name, words = values.name, texts(values)
    counts = words.drop_nulls().alias("level").value_counts().sort(["count", "level"], descending=[True, False])
    levels = counts["level"].to_list()
    kept = levels if len(levels) <= MOST_GROUPS else levels[: MOST_GROUPS - 1]
    kept = sorted(kept)
    groups = [Predicate(column=name, words=f"{name} is {one}", condition=level_condition(values, one)) for one in kept]
    if len(levels) > len(kept):
        beyond = ", ".join(literal(one) for one in kept)
        groups.append(
            Predicate(
                column=name,
                words=f"{name} is one of {len(levels) - len(kept)} rarer values",
                condition=f"{quoted(name)} NOT IN ({beyond})",
            )
        )
    codes = words.replace_strict(kept, list(range(len(kept))), default=len(kept), return_dtype=pl.Int64)
    return GroupColumn(name=name, codes=codes.to_numpy(), groups=tuple(groups))


def texts(values: pl.Series) -> pl.Series:
    """Values as words; of times the year."""
    if values.dtype in (pl.Date, pl.Datetime):
        return values.dt.year().cast(pl.String)
    if values.dtype.is_float() and bool((values.drop_nulls() == values.drop_nulls().floor()).all()):
        return values.cast(pl.Int64).cast(pl.String)
    return values.cast(pl.String)


def level_condition(values: pl.Series, level: str) -> str:
    """One value as a SQL condition over canonical types."""
    if values.dtype in (pl.Date, pl.Datetime):
        return f"EXTRACT(YEAR FROM {quoted(values.name)}) = {level}"
    if values.dtype == pl.Boolean:
        return f"{quoted(values.name)} = {level.upper()}"
    return f"{quoted(values.name)} = {level if values.dtype.is_numeric() else literal(level)}"


def ranged_groups(values: pl.Series, least: int) -> GroupColumn:
    """A number in ranges: ages by decades, anything else by fifths whose edges are round."""
    numbers = as_floats(values)
    finite = numbers[np.isfinite(numbers)]
    edges = decades(finite) if looks_like_age(values, finite) else fifths(finite)
    edges = joined_ends(finite, edges, least)
    name, last = values.name, len(edges)
    measure = Measure(name, name, quoted(name), lambda column: column)
    wording = number_wording(finite, whole=values.dtype.is_integer())
    at: list[float] = edges.tolist()
    if not last:
        groups = [Predicate(column=name, words=f"{name} is known", condition=f"{quoted(name)} IS NOT NULL")]
    else:
        ends = [None, *at, None]
        groups = [range_predicate(measure, wording, low, high) for low, high in pairwise(ends)]
    return GroupColumn(name=name, codes=np.searchsorted(edges, numbers, side="right"), groups=tuple(groups))


def looks_like_age(values: pl.Series, finite: np.ndarray) -> bool:
    """Whether decades say more than quantiles: whole numbers that people's ages could be."""
    if not values.dtype.is_integer() or finite.min() < 0 or finite.max() > OLDEST:
        return False
    return bool(np.ptp(finite) >= 3 * DECADE)


def decades(finite: np.ndarray) -> np.ndarray:
    """The round tens inside the range."""
    return np.arange(DECADE * (finite.min() // DECADE + 1), finite.max() + 1, DECADE, dtype=np.float64)


def fifths(finite: np.ndarray) -> np.ndarray:
    """Edges near the quantiles 0.2 to 0.8, at numbers as round as the share of rows between them allows."""
    shares = np.arange(1, WIDEST_FIFTHS) / WIDEST_FIFTHS
    slack = 1 / 32
    low, high = np.quantile(finite, [shares - slack, shares + slack])
    found = [rounder_number(a, b) if b > a else b for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    edges: np.ndarray = np.unique(np.array(found))
    inside: np.ndarray = edges[(edges > finite.min()) & (edges <= finite.max())]
    return inside


def joined_ends(finite: np.ndarray, edges: np.ndarray, least: int) -> np.ndarray:
    """The edges without those at either end that would part off fewer rows than `least`."""
    while len(edges) and np.sum(finite < edges[0]) < least:
        edges = edges[1:]
    while len(edges) and np.sum(finite >= edges[-1]) < least:
        edges = edges[:-1]
    return edges


def with_missing_group(made: GroupColumn, values: pl.Series) -> GroupColumn:
    """The groups with one more for rows without a value, where there are any."""
    absent = values.is_null().to_numpy()
    if not absent.any():
        return made
    name = made.name
    missing = Predicate(column=name, words=f"{name} is missing", condition=f"{quoted(name)} IS NULL")
    codes = np.where(absent, len(made.groups), made.codes)
    return GroupColumn(name=name, codes=codes, groups=(*made.groups, missing))


def crossed(one: GroupColumn, other: GroupColumn) -> tuple[np.ndarray, list[tuple[Predicate, ...]]]:
    """The intersections of two columns: a code for each row, and what each code stands for."""
    codes = one.codes * len(other.groups) + other.codes
    return codes, [(a, b) for a in one.groups for b in other.groups]
