"""Columns and SQL expressions over columns: targets, times, rules and limits."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import polars as pl

from understudy.core.errors import DataError
from understudy.data.values import BLANKS, NUMBER

PLAIN_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
MOST_WORDS = 20
"""A text column with more different words than this beside its numbers is no column of numbers."""


def parse(expression: str, *, where: str) -> pl.Expr:
    """A SQL expression as a Polars expression.

    Raises
    ------
    DataError
        It is not one SQL expression.
    """
    try:
        return pl.sql_expr(expression)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise DataError(
            f"{where}: {expression!r} is neither a column nor a SQL expression: {error}",
            hint='Write, for example, arr_delay > 15, or quote odd column names: "Arrival delay" > 15.',
        ) from error


def columns_of(expression: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Which of the columns an expression reads.

    >>> columns_of("delay > 15 AND carrier = 'UA'", ["carrier", "delay", "origin"])
    ('delay', 'carrier')
    """
    if expression in columns:
        return (expression,)
    return tuple(dict.fromkeys(parse(expression, where="expression").meta.root_names()))


def evaluate(frame: pl.DataFrame, expression: str, *, where: str) -> pl.Series:
    """A column, or the value of a SQL expression, for every row.

    Text that is a number counts as one inside an expression; a bare column stays as it is.

    Parameters
    ----------
    frame : pl.DataFrame
    expression : str
        The name of a column, or a SQL expression over columns.
    where : str
        What is being evaluated, for error messages.

    Raises
    ------
    DataError
        A column is not there, or the expression fails.

    >>> evaluate(pl.DataFrame({"delay": ["20", "3"]}), "delay > 15", where="the target").to_list()
    [True, False]
    """
    if expression in frame.columns:
        return frame[expression]
    parsed = parse(expression, where=where)
    names = list(dict.fromkeys(parsed.meta.root_names()))
    for name in names:
        if name not in frame.columns:
            raise missing_column(name, frame.columns, where=where)
    if not names:
        raise DataError(f"{where}: {expression!r} names no column.")
    try:
        values = frame.select(*(numbers_where_possible(frame[name]) for name in names)).select(value=parsed)
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"{where}: {expression!r} cannot be computed: {reason}.",
            hint="Compare numbers with numbers (flight = 15) and words with words in single quotes (job = 'cook').",
        ) from error
    if values.height != frame.height:
        raise DataError(
            f"{where}: {expression!r} gives {values.height} value for {frame.height:,} rows.",
            hint="Write an expression that has a value in every row.",
        )
    return values.to_series()


def missing_column(name: str, columns: Sequence[str], *, where: str) -> DataError:
    """The error for a column that is not there, with the nearest that is."""
    folded = {column.casefold(): column for column in columns}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    if near:
        column = folded[near[0]]
        hint = f"Did you mean {column!r}?"
        hint += "" if PLAIN_NAME.match(column) else f' Inside an expression it needs double quotes: "{column}".'
    else:
        hint = f"The columns are: {', '.join(columns[:30])}."
    return DataError(f"{where}: there is no column {name!r}.", hint=hint)


def numbers_where_possible(column: pl.Series) -> pl.Series:
    """A text column as numbers, where every value that is one cannot be anything else; otherwise as it is."""
    if column.dtype != pl.String:
        return column
    text = column.str.strip_chars(BLANKS)
    numeric = text.str.contains(NUMBER)
    if not numeric.any():
        return column
    words = text.filter(~numeric.fill_null(value=True)).unique()
    if words.len() > MOST_WORDS or (~numeric.fill_null(value=True)).sum() > numeric.sum():
        return column
    return text.set(~numeric.fill_null(value=False), None).cast(pl.Float64, strict=False)
