"""Raw columns as canonical values: the column path of what `rows.py` does value by value."""

from __future__ import annotations

import re

import polars as pl

BLANKS = " \t\r\n"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
WHOLE = r"^[+-]?[0-9]+$"
TRUE_WORDS = ("true", "yes", "y", "t", "1")
FALSE_WORDS = ("false", "no", "n", "f", "0")
ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
ISO_TIME = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?$"
DAY_FORMATS = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d %b %Y", "%b %d, %Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y"),
)
DATE_FORMATS = (*(day + time for day in DAY_FORMATS for time in ("", " %H:%M", " %H:%M:%S")), "%Y-%m")
PARTS = {
    **dict.fromkeys(("%d", "%m", "%H", "%M"), "[0-9]{1,2}"),
    "%S": "[0-5]?[0-9]",
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%b": "[A-Za-z]{3}",
}
"""What each part of a date format may look like. Without it strptime would read 24 as the year 24."""


def as_texts(series: pl.Series) -> pl.Series:
    """Text without the blanks around it."""
    return series.str.strip_chars(BLANKS)


def as_numbers(text: pl.Series) -> pl.Series:
    """Text as Float64; null where it is not a finite number in ASCII digits."""
    numbers = text.set(~text.str.contains(NUMBER).fill_null(value=False), None).cast(pl.Float64, strict=False)
    return numbers.set(numbers.is_infinite().fill_null(value=False), None)


def as_integers(text: pl.Series) -> pl.Series:
    """Text as Int64, exactly; null where it is not a whole number below 2^63."""
    plain = text.str.contains(WHOLE).fill_null(value=False)
    exact = text.str.strip_prefix("+").set(~plain, None).cast(pl.Int64, strict=False)
    exact = exact.set((exact == -(2**63)).fill_null(value=False), None)
    other = whole_floats(as_numbers(text.set(plain, None)))
    return exact.fill_null(other)


def whole_floats(numbers: pl.Series) -> pl.Series:
    """Floats as Int64; null where they are not whole or not below 2^63."""
    fine = ((numbers == numbers.floor()) & (numbers.abs() < 2.0**63)).fill_null(value=False)
    return numbers.set(~fine, None).cast(pl.Int64, strict=False)


def as_booleans(text: pl.Series) -> pl.Series:
    """Words as truth values; null where they are neither."""
    low = text.str.to_lowercase()
    return (
        pl.select(
            pl.when(low.is_in(TRUE_WORDS)).then(statement=True).when(low.is_in(FALSE_WORDS)).then(statement=False)
        )
        .to_series()
        .alias(text.name)
    )


def boolean_words(text: pl.Series) -> bool:
    """Whether a column of text holds one word for true and one for false, and nothing else."""
    words = set(text.unique().str.to_lowercase().to_list())
    pairs = list(zip(TRUE_WORDS[:4], FALSE_WORDS[:4], strict=True))
    return any(words == set(pair) for pair in pairs)


def iso_dates(text: pl.Series) -> pl.Series:
    """ISO 8601 dates and times as Datetime in microseconds, UTC; null where they are not."""
    name = text.name
    frame = text.alias("text").to_frame()
    parts = pl.col("text").str.extract_groups(ISO_TIME)
    full = pl.concat_str(
        parts.struct.field("1"),
        pl.lit("T"),
        parts.struct.field("2"),
        parts.struct.field("3").fill_null(":00"),
        parts.struct.field("4").fill_null(""),
    )
    offset = parts.struct.field("5").fill_null("Z")
    sign = pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)
    minutes = offset.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + offset.str.slice(4, 2).cast(
        pl.Int64, strict=False
    )
    shift = pl.when(offset == "Z").then(0).otherwise(sign * minutes)
    local = full.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    day_text = pl.when(pl.col("text").str.contains(ISO_DATE)).then(pl.col("text"))
    day = day_text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    moved = local - pl.duration(minutes=shift, time_unit="us")
    return in_calendar(frame.select(pl.coalesce(day, moved)).to_series().alias(name))


def in_calendar(moments: pl.Series) -> pl.Series:
    """Times in the years 1 to 9999, which is what a row's datetime can hold; null for others."""
    inside = moments.dt.year().is_between(1, 9999).fill_null(value=False)
    return moments.set(~inside, None)


def date_pattern(format_: str) -> str:
    """The regular expression of the texts that a strptime format may read.

    >>> date_pattern("%Y/%m")
    '^[0-9]{4}/[0-9]{1,2}$'
    """
    parts = re.split("(%[a-zA-Z])", format_)
    return "^" + "".join(PARTS.get(part, re.escape(part)) for part in parts) + "$"


def as_dates(text: pl.Series, format_: str | None) -> pl.Series:
    """Text as Datetime in microseconds, by a strptime format, or as ISO 8601 where there is none."""
    if format_ is None:
        return iso_dates(text)
    text = text.str.replace_all(r"\s+", " ")
    text = text.set(~text.str.contains(date_pattern(format_)).fill_null(value=False), None)
    if "%d" not in format_:
        text, format_ = text + "-01", format_ + "-%d"
    if "%H" not in format_:
        moments = text.str.to_date(format_, strict=False).cast(pl.Datetime("us"))
    else:
        moments = text.str.to_datetime(format_, time_unit="us", strict=False)
    return in_calendar(in_posix_century(moments) if "%y" in format_ else moments)


def in_posix_century(moments: pl.Series) -> pl.Series:
    """Times of two-digit years from 1969 to 2068, as POSIX and a row's strptime have them; Polars takes 69 for 2069."""
    late = (moments.dt.year() == 2069).fill_null(value=False)
    return moments.zip_with(~late, moments.dt.offset_by("-100y"))
