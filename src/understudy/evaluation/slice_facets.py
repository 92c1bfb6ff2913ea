"""Facets: a measure of a column that puts each row into one of a few cells.

A predicate is a set of cells, told in plain words and as a SQL condition. Facets are made on some rows, and then cut
any others in the same way.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

MOST_LEVELS = 24
MOST_TERMS = 24
MOST_TEXTS = 20_000
"""Words are chosen by so many texts at most; which texts hold them is counted on all rows."""
WORD = r"\w{2,}"


class Predicate(msgspec.Struct, frozen=True, kw_only=True):
    """What the cases of a slice have in common in one measure of one column.

    Attributes
    ----------
    column : str
    words : str
        In plain words, as "amount is 1,200 or more".
    condition : str
        As a SQL condition over canonical types, fit for a mandate's `limit` and `never`.
    """

    column: str
    words: str
    condition: str


@dataclass(frozen=True)
class Facet:
    """One measure of one column.

    Attributes
    ----------
    column : str
    read : callable
        The cell of each value of the column, as uint8 of shape (n,).
    predicates : tuple of Predicate
    holds : ndarray of bool, shape (predicates, cells)
        Which cells each predicate takes in.
    """

    column: str
    read: Callable[[pl.Series], np.ndarray]
    predicates: tuple[Predicate, ...]
    holds: np.ndarray


@dataclass(frozen=True)
class Measure:
    """What is measured of a column: its name in words and in SQL, and how it is taken; null where it is missing."""

    column: str
    subject: str
    sql: str
    take: Callable[[pl.Series], pl.Series]


@dataclass(frozen=True)
class Names:
    """How a measure's levels are named: each in words and as SQL."""

    say: Callable[[str], str]
    write: Callable[[str], str]


def level_facet(measure: Measure, names: Names, values: pl.Series, excess: np.ndarray, least: int) -> Facet | None:
    """The levels of a category that have enough rows; of very many, those with the most telling excess.

    Where all of them are kept, whatever is none of them can be told as well. None if no level has enough rows.
    """
    taken = measure.take(values).alias("level")
    groups = pl.DataFrame({"level": taken, "excess": excess}).drop_nulls("level").group_by("level")
    levels = groups.agg(n=pl.len(), telling=pl.col("excess").sum() / pl.len().cast(pl.Float64).sqrt())
    levels = levels.filter(pl.col("n") >= least).sort(["telling", "level"], descending=[True, False])
    kept = levels["level"].head(MOST_LEVELS).sort().to_list()
    if not kept:
        return None
    told = [
        Predicate(
            column=measure.column,
            words=f"{measure.subject} is {names.say(level)}",
            condition=f"{measure.sql} = {names.write(level)}",
        )
        for level in kept
    ]
    holds = np.eye(len(kept), len(kept) + 1, dtype=bool)
    if levels.height <= MOST_LEVELS:
        told.append(beyond_predicate(measure, names, kept))
        holds = np.eye(len(kept) + 1, dtype=bool)
    return with_missing(measure.column, told, holds, level_reader(measure, kept))


def beyond_predicate(measure: Measure, names: Names, kept: list[str]) -> Predicate:
    """What is none of the common levels."""
    listed = f"none of its {len(kept)} common values" if len(kept) > 1 else f"not {names.say(kept[0])}"
    condition = f"{measure.sql} NOT IN ({', '.join(names.write(level) for level in kept)})"
    return Predicate(column=measure.column, words=f"{measure.subject} is {listed}", condition=condition)


def level_reader(measure: Measure, kept: list[str]) -> Callable[[pl.Series], np.ndarray]:
    """The cells of levels: theirs, one for all others, one for missing values."""
    beyond, missing = len(kept), np.uint8(len(kept) + 1)

    def read(column: pl.Series) -> np.ndarray:
        taken = measure.take(column)
        codes = taken.replace_strict(kept, list(range(beyond)), default=beyond, return_dtype=pl.UInt8)
        return np.where(taken.is_null().to_numpy(), missing, codes.to_numpy())

    return read


def with_missing(
    column: str, told: list[Predicate], holds: np.ndarray, read: Callable[[pl.Series], np.ndarray]
) -> Facet:
    """A facet with one more cell, for missing values, and predicates that ask for it and for all others."""
    rows, cells = holds.shape
    full = np.zeros((rows + 2, cells + 1), dtype=bool)
    full[:rows, :cells], full[rows, cells], full[rows + 1, :cells] = holds, True, True
    missing = Predicate(column=column, words=f"{column} is missing", condition=f"{quoted(column)} IS NULL")
    known = Predicate(column=column, words=f"{column} is known", condition=f"{quoted(column)} IS NOT NULL")
    return Facet(column=column, read=read, predicates=(*told, missing, known), holds=full)


def word_levels(values: pl.Series, excess: np.ndarray, least: int) -> Facet | None:
    """The levels of a category."""
    name = values.name
    measure = Measure(name, name, quoted(name), lambda column: column.cast(pl.String))
    names = Names(say=lambda level: level or "empty", write=literal)
    return level_facet(measure, names, values, excess, least)


def truth_levels(values: pl.Series, excess: np.ndarray, least: int) -> Facet | None:
    """True and false."""
    name = values.name
    measure = Measure(name, name, quoted(name), lambda column: column.cast(pl.String))
    return level_facet(measure, Names(say=str, write=str.upper), values, excess, least)


def calendar_levels(values: pl.Series, excess: np.ndarray, least: int) -> list[Facet | None]:
    """The months and the days of the week of a time."""
    name = values.name
    month = Measure(name, f"month of {name}", f"EXTRACT(MONTH FROM {quoted(name)})", month_numbers)
    weekday = Measure(name, f"weekday of {name}", f"EXTRACT(ISODOW FROM {quoted(name)})", weekday_numbers)
    months = Names(say=lambda level: calendar.month_name[int(level)], write=str)
    days = Names(say=lambda level: calendar.day_name[int(level) - 1], write=str)
    return [level_facet(month, months, values, excess, least), level_facet(weekday, days, values, excess, least)]


def month_numbers(values: pl.Series) -> pl.Series:
    """1 to 12, as levels."""
    return values.dt.month().cast(pl.String)


def weekday_numbers(values: pl.Series) -> pl.Series:
    """1 for Monday to 7, as levels."""
    return values.dt.weekday().cast(pl.String)


def term_facets(values: pl.Series, excess: np.ndarray, least: int) -> list[Facet]:
    """The words whose texts have the most telling excess of loss, one facet each."""
    every = -(-len(values) // MOST_TEXTS) or 1
    sample = values.gather_every(every)
    words = sample.str.to_lowercase().str.extract_all(WORD).list.unique()
    table = pl.DataFrame({"word": words, "excess": excess[::every]}).explode("word").drop_nulls("word")
    terms = table.group_by("word").agg(n=pl.len(), telling=pl.col("excess").sum() / pl.len().cast(pl.Float64).sqrt())
    terms = terms.filter(pl.col("n") * every >= least, pl.col("telling") > 0)
    chosen = terms.sort(["telling", "word"], descending=[True, False])["word"].head(MOST_TERMS).to_list()
    return [term_facet(values.name, word) for word in chosen]


def term_facet(column: str, word: str) -> Facet:
    """Whether a text holds a word, in capitals or not."""
    pattern = rf"(?i)\b{word}\b"
    predicate = Predicate(
        column=column,
        words=f"{column} contains “{word}”",
        condition=f"REGEXP_LIKE({quoted(column)}, {literal(pattern)})",
    )

    def read(values: pl.Series) -> np.ndarray:
        return values.str.contains(pattern).fill_null(value=False).to_numpy().astype(np.uint8)

    return Facet(column=column, read=read, predicates=(predicate,), holds=np.array([[False, True]]))


def quoted(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
