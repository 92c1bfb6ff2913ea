"""What the columns mean, what is allowed in them, and what inference is unsure of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
import polars as pl

from understudy.data.values import DATE_FORMATS, as_dates, as_numbers, as_texts, boolean_words, iso_dates

ColumnKind = Literal["number", "integer", "boolean", "category", "datetime", "text", "identifier", "constant", "empty"]

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?", "#N/A")
"""Words that mean "no value". "none" and "unknown" are answers, and stay."""

MOSTLY = 0.99
"""The share of values that must fit a type for the rest to count as broken."""

MOST_LEVELS = 10_000
FEWEST_ROWS = 50
"""From this many rows on, values that never repeat are an identifier."""

ID_WORD = r"id|uuid|guid|key|index|instant|udi|nr|no|number|rownum"
ID_NAME = re.compile(
    rf"(?i:(^|[_\W])({ID_WORD})$|^(id|uuid|guid)([_\W]|$))|[a-z0-9](Id|ID|Uuid|UUID|Key|Index|Nr|No|Number)$"
)
CROWDED = 1.5
"""Whole numbers that never repeat, in a range of at most so many per row, count the rows (some rows may be gone)."""

DATE_LIKE = r"^([0-9]|[A-Za-z]{3} )[^@]*[0-9]$"
CODE = r"^[0-9]{5,}$"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """What one input column means and allows.

    Attributes
    ----------
    name : str
        Its name in the source.
    kind : str
        Its logical type.
    nullable : bool
        Whether it may be missing.
    low, high : float, optional
        The range seen in training; for datetimes in microseconds since 1970 UTC.
    levels : tuple of str
        For a category the levels seen in training, the most frequent first.
    format : str, optional
        For a datetime given as text its strptime format, where it is not ISO 8601.
    used : bool
        Whether models see it.
    note : str
        Why it is left out, or what inference is unsure of.
    """

    name: str
    kind: ColumnKind
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    format: str | None = None
    used: bool = True
    note: str = ""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """The schema of a task's inputs, in the source's column order; the target's own columns are never used."""

    columns: tuple[Column, ...]
    missing: tuple[str, ...] = MISSING

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that models see."""
        return tuple(column for column in self.columns if column.used)


def infer_contract(
    frame: pl.DataFrame, *, left_out: Mapping[str, str] | None = None, kept: tuple[str, ...] = ()
) -> Contract:
    """Read the meaning of each column off training data.

    Parameters
    ----------
    frame : pl.DataFrame
        Training rows; columns may be text, as from CSV, or typed.
    left_out : mapping of str to str, optional
        Columns that models may not see, and why.
    kept : tuple of str
        Columns to use although they look like identifiers.

    >>> contract = infer_contract(pl.DataFrame({"age": ["31", "?", "47"], "job": ["cook", "cook", "nurse"]}))
    >>> [(column.name, column.kind, column.nullable) for column in contract.columns]
    [('age', 'integer', True), ('job', 'category', False)]
    """
    reasons = dict(left_out or {})
    return Contract(columns=tuple(infer_column(frame[name], reasons.get(name), name in kept) for name in frame.columns))


def infer_column(series: pl.Series, left_out: str | None, kept: bool) -> Column:
    """The meaning of one column."""
    values = without_missing(series)
    column = typed_column(values.drop_nulls()) if supported(series.dtype) else unsupported(series)
    nullable = values.null_count() > 0
    if left_out is not None:
        return msgspec.structs.replace(column, nullable=nullable, used=False, note=left_out)
    if column.kind == "identifier" and kept:
        kind: ColumnKind = "integer" if column.low is not None else "category"
        column = msgspec.structs.replace(column, kind=kind, used=True, note="kept although it looks like an identifier")
    return msgspec.structs.replace(column, nullable=nullable)


def supported(dtype: pl.DataType) -> bool:
    """Whether columns of a type hold single values that a model could learn from."""
    words = dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)
    return words or dtype.is_numeric() or dtype in (pl.Date, pl.Datetime)


def unsupported(series: pl.Series) -> Column:
    """The meaning of a column that is left out because of its type."""
    kind: ColumnKind = "empty" if series.null_count() == len(series) else "text"
    return Column(name=series.name, kind=kind, used=False, note=f"values of type {series.dtype} are not supported")


def without_missing(series: pl.Series) -> pl.Series:
    """The column with null for every way of saying "no value"; text without the blanks around it."""
    if series.dtype.is_float():
        return series.fill_nan(None)
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.dtype != pl.String:
        return series
    text = as_texts(series)
    return text.set(text.is_in(MISSING), None)


def typed_column(values: pl.Series) -> Column:
    """The kind and range of a column's values, none of them missing."""
    name = values.name
    if values.is_empty():
        return Column(name=name, kind="empty", used=False, note="no value in any row")
    if values.n_unique() == 1:
        return constant_column(values)
    if values.dtype == pl.Boolean:
        return Column(name=name, kind="boolean")
    if values.dtype.is_temporal():
        return datetime_column(values.cast(pl.Datetime("us")), None)
    if values.dtype.is_numeric():
        return number_column(values, "")
    return text_column(values)


def constant_column(values: pl.Series) -> Column:
    """A column that says the same wherever it says anything."""
    return Column(name=values.name, kind="constant", used=False, note=f"always {str(values[0])[:40]!r}")


def text_column(values: pl.Series) -> Column:
    """The meaning of a column of text: numbers, truth values, dates, categories, identifiers or prose."""
    numbers = as_numbers(values)
    share = 1 - numbers.null_count() / len(values)
    if is_code(values):
        return word_column(values, "codes with leading zeros, not numbers")
    if share >= MOSTLY:
        return number_column(numbers.drop_nulls(), broken_note(numbers.null_count(), len(values), "numbers"))
    if boolean_words(values):
        return Column(name=values.name, kind="boolean")
    dated = date_format(values)
    if dated is not None:
        format_, note = dated
        return datetime_column(as_dates(values, format_).drop_nulls(), format_, note)
    note = f"{share:.1%} of the values are numbers: taken as words" if share > 0.5 else ""
    return word_column(values, note)


def is_code(values: pl.Series) -> bool:
    """Whether digits are a code, as a postcode is: of one length, five or more, and some with leading zeros."""
    if not values.str.starts_with("0").any() or values.str.len_bytes().n_unique() > 1:
        return False
    return bool(values.str.contains(CODE).all())


def number_column(values: pl.Series, note: str) -> Column:
    """A column of numbers; whole numbers that merely count the rows are an identifier."""
    if values.dtype.is_float():
        finite = values.filter(values.is_finite())
        if finite.is_empty():
            return Column(name=values.name, kind="number", used=False, note="no finite number in any row")
        if len(finite) < len(values):
            note = f"{1 - len(finite) / len(values):.2%} of the values are infinite: they break the contract"
        values = finite
    if values.n_unique() == 1:
        return constant_column(values)
    whole = values.dtype.is_integer() or bool((values == values.floor()).all())
    largest = values.cast(pl.Float64).abs().max()
    kind: ColumnKind = "integer" if whole and isinstance(largest, float) and largest < 2**63 else "number"
    column = Column(name=values.name, kind=kind, low=lowest(values), high=highest(values), note=note)
    if whole and len(values) >= FEWEST_ROWS and values.n_unique() == len(values):
        counts = highest(values) - lowest(values) < CROWDED * len(values)
        if counts or ID_NAME.search(values.name):
            reason = "counts the rows" if counts else "different in every row"
            return msgspec.structs.replace(column, kind="identifier", used=False, note=reason)
    return column


def lowest(values: pl.Series) -> float:
    """The smallest value as a float."""
    return float(values.cast(pl.Float64).min())  # type: ignore[arg-type]


def highest(values: pl.Series) -> float:
    """The largest value as a float."""
    return float(values.cast(pl.Float64).max())  # type: ignore[arg-type]


def datetime_column(values: pl.Series, format_: str | None, note: str = "") -> Column:
    """A column of dates or times, with its range in microseconds."""
    micros = values.to_physical()
    return Column(
        name=values.name, kind="datetime", low=lowest(micros), high=highest(micros), format=format_, note=note
    )


def date_format(values: pl.Series) -> tuple[str | None, str] | None:
    """The format of a column of dates given as text (None for ISO 8601) and a doubt about it, or None for no dates."""
    sample = values.head(1000)
    if iso_dates(sample).null_count() <= (1 - MOSTLY) * len(sample):
        unread_iso = iso_dates(values).null_count()
        if unread_iso <= (1 - MOSTLY) * len(values):
            return None, broken_note(unread_iso, len(values), "dates")
    if sample.str.contains(DATE_LIKE).mean() < MOSTLY:  # type: ignore[operator]  # it is not empty
        return None
    able = [format_ for format_ in DATE_FORMATS if as_dates(sample, format_).null_count() <= (1 - MOSTLY) * len(sample)]
    unread = {format_: as_dates(values, format_).null_count() for format_ in able}
    able = [format_ for format_ in able if unread[format_] <= (1 - MOSTLY) * len(values)]
    if not able:
        return None
    best = min(able, key=lambda format_: unread[format_])
    doubt = sum(unread[format_] == unread[best] for format_ in able) > 1
    return best, f"day and month could be the other way round: read as {best}" if doubt else broken_note(
        unread[best], len(values), "dates"
    )


def broken_note(broken: int, n: int, what: str) -> str:
    """What inference is unsure of where some of n values do not fit."""
    return f"{broken / n:.2%} of the values are not {what}: they break the contract" if broken else ""


def word_column(values: pl.Series, note: str) -> Column:
    """A column of words: an identifier, prose, or a category."""
    distinct = values.n_unique()
    spaces = float(values.str.count_matches(r"\s+").mean() or 0.0)  # type: ignore[arg-type]
    many = distinct > 0.5 * len(values) or distinct > 1000
    if len(values) >= FEWEST_ROWS and distinct >= 0.999 * len(values) and spaces < 0.5:
        return Column(name=values.name, kind="identifier", used=False, note="different in every row")
    if many and spaces >= 2:
        return Column(name=values.name, kind="text", note=note)
    counts = values.alias("level").value_counts().sort(["count", "level"], descending=[True, False])
    levels = tuple(counts["level"].head(MOST_LEVELS).to_list())
    return Column(name=values.name, kind="category", levels=levels, note=note)
