"""The one encoding: from a contract's columns to a float32 matrix, by parameters that are frozen when it is fitted.

Training, serving, backtest and export use the same parameters. `encode` works on columns; `rows.py` does the same for
one row with nothing but the standard library, and gives the same bits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from understudy.data.contract import Column, Contract
from understudy.data.rows import CYCLES, LIMIT, WORD, text_features

View = Literal["number", "flag", "code", "level", "word"]
MOST_CODES = 254
MOST_HOT = 32
MOST_WORDS = 1000
BUCKETS = 32
RARE_ROWS = 5
RARE_SHARE = 0.0005
DATE_NUMBERS = ("year", "month", "day", "weekday", "hour", "elapsed")
ABSOLUTE = ("year", "elapsed")


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of the matrix: its name, the column that it comes from, and what it shows.

    Views: "number" (a scaled number), "flag" (1 where missing), "code" (a whole number for a level), "level" (1 for one
    level), "word" (the weight of a word).
    """

    name: str
    column: str
    view: View


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """What is subtracted, and what is divided by."""

    center: float
    scale: float


class NumberPart(msgspec.Struct, frozen=True, kw_only=True, tag="number"):
    """How a number is encoded: (value − center) / scale, with `fill` where it is missing."""

    column: str
    center: float
    scale: float
    fill: float
    flag: bool


class BooleanPart(msgspec.Struct, frozen=True, kw_only=True, tag="boolean"):
    """How a truth value is encoded."""

    column: str
    fill: float
    flag: bool


class CategoryPart(msgspec.Struct, frozen=True, kw_only=True, tag="category"):
    """How a level is encoded: code 0 for rare and unseen ones, 1 for none, 2 and up for `levels`.

    `counts` is the scaled logarithm of each code's frequency, used where `counted`; `hot` are the codes that have a
    feature of their own.
    """

    column: str
    levels: tuple[str, ...]
    counts: tuple[float, ...]
    counted: bool
    hot: tuple[int, ...]


class DatetimePart(msgspec.Struct, frozen=True, kw_only=True, tag="datetime"):
    """How a time is encoded: the parts that vary, scaled, and its place in the day and the year."""

    column: str
    numbers: dict[str, Scale]
    cycles: tuple[str, ...]
    fill: int
    flag: bool


class TextPart(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """How a text is encoded: TF-IDF over a vocabulary, other words hashed into buckets, and two lengths."""

    column: str
    vocabulary: tuple[str, ...]
    idf: tuple[float, ...]
    buckets: int
    chars: Scale
    words: Scale


Part = NumberPart | BooleanPart | CategoryPart | DatetimePart | TextPart


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted encoding: one part per column, and the features in the order of the matrix."""

    parts: tuple[Part, ...]
    features: tuple[Feature, ...]


def fit_encoding(frame: pl.DataFrame, contract: Contract, *, clock_column: str | None = None) -> Encoding:
    """Freeze the parameters of the encoding on training rows.

    Parameters
    ----------
    frame : pl.DataFrame
        Training rows in canonical types, as `read_frame` gives them.
    contract : Contract
    clock_column : str, optional
        The column that says when a case happened. Its absolute value only grows, so only its parts are kept.
    """
    parts: list[Part] = []
    for column in contract.used:
        values = frame[column.name]
        if column.kind == "datetime":
            parts.append(fit_datetime(values, column, absolute=column.name != clock_column))
        else:
            parts.append(FITTERS[column.kind](values, column))
    return Encoding(parts=tuple(parts), features=tuple(feature for part in parts for feature in features_of(part)))


def spread(values: np.ndarray) -> Scale:
    """The mean and standard deviation; a constant is only shifted."""
    if not len(values):
        return Scale(center=0.0, scale=1.0)
    center, scale = float(np.mean(values)), float(np.std(values))
    if not (math.isfinite(center) and math.isfinite(scale)):
        largest = float(np.max(np.abs(values)))
        return Scale(center=0.0, scale=largest)
    return Scale(center=center, scale=scale if scale > 0 else 1.0)


def fit_number(values: pl.Series, column: Column) -> NumberPart:
    """Mean, spread and median of a number."""
    numbers = values.drop_nulls().cast(pl.Float64).to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        scale = spread(numbers)
    fill = float(np.median(numbers)) if len(numbers) else scale.center
    return NumberPart(column=column.name, center=scale.center, scale=scale.scale, fill=fill, flag=column.nullable)


def fit_boolean(values: pl.Series, column: Column) -> BooleanPart:
    """The more frequent truth value."""
    fill = float((values.mean() or 0.0) >= 0.5)  # type: ignore[operator]
    return BooleanPart(column=column.name, fill=fill, flag=column.nullable)


def fit_category(values: pl.Series, column: Column) -> CategoryPart:
    """Which levels are frequent enough to stand alone."""
    counts = values.alias("level").drop_nulls().value_counts().sort(["count", "level"], descending=[True, False])
    fewest = max(RARE_ROWS, RARE_SHARE * len(values))
    kept = counts.filter(pl.col("count") >= fewest).head(MOST_CODES)
    levels = tuple(kept["level"].to_list())
    missing = values.null_count()
    rare = len(values) - missing - int(kept["count"].sum())
    rare_levels = max(1, counts.height - kept.height)
    sizes = np.log1p(np.array([rare / rare_levels, missing, *kept["count"].to_list()], dtype=np.float64))
    scale = spread(sizes)
    hot = [0, *([1] if column.nullable else []), *range(2, 2 + min(len(levels), MOST_HOT))]
    return CategoryPart(
        column=column.name,
        levels=levels,
        counts=tuple(float(size) for size in (sizes - scale.center) / scale.scale),
        counted=counts.height > MOST_HOT,
        hot=tuple(hot),
    )


def fit_datetime(values: pl.Series, column: Column, *, absolute: bool) -> DatetimePart:
    """Which parts of a time vary, and how."""
    known = values.drop_nulls()
    numbers = date_numbers(known)
    varying = {
        name: spread(numbers[name])
        for name in DATE_NUMBERS
        if len(np.unique(numbers[name])) > 1 and (absolute or name not in ABSOLUTE)
    }
    cycles = tuple(name for name in CYCLES if len(np.unique(numbers[name])) > 1)
    middle = known.to_physical().median()
    return DatetimePart(
        column=column.name,
        numbers=varying,
        cycles=cycles,
        fill=int(middle) if isinstance(middle, int | float) else 0,
        flag=column.nullable,
    )


def fit_text(values: pl.Series, column: Column) -> TextPart:
    """The most widespread words and their inverse document frequencies (smoothed, as in scikit-learn)."""
    documents: Counter[str] = Counter()
    chars, words = [], []
    for text in values.fill_null("").to_list():
        found = WORD.findall(text.lower())
        documents.update(set(found))
        chars.append(math.log1p(len(text)))
        words.append(math.log1p(len(found)))
    ranked = sorted(documents.items(), key=lambda item: (-item[1], item[0]))
    kept = sorted(word for word, count in ranked[:MOST_WORDS] if count >= 2)
    n = len(values)
    return TextPart(
        column=column.name,
        vocabulary=tuple(kept),
        idf=tuple(math.log((1 + n) / (1 + documents[word])) + 1 for word in kept),
        buckets=BUCKETS,
        chars=spread(np.array(chars)),
        words=spread(np.array(words)),
    )


FITTERS: Mapping[str, Callable[[pl.Series, Column], Part]] = {
    "number": fit_number,
    "integer": fit_number,
    "boolean": fit_boolean,
    "category": fit_category,
    "text": fit_text,
}


def features_of(part: Part) -> list[Feature]:
    """The features that a part makes, in order."""
    column = part.column
    flag = [Feature(name=f"{column} is missing", column=column, view="flag")]
    if isinstance(part, NumberPart | BooleanPart):
        return [Feature(name=column, column=column, view="number"), *(flag if part.flag else [])]
    if isinstance(part, CategoryPart):
        names = ["other", "missing", *part.levels]
        counted = [Feature(name=f"frequency of {column}", column=column, view="number")] if part.counted else []
        hot = [Feature(name=f"{column} = {names[code]}", column=column, view="level") for code in part.hot]
        return [Feature(name=column, column=column, view="code"), *counted, *hot]
    if isinstance(part, DatetimePart):
        names = [*part.numbers, *(f"{side} of {cycle}" for cycle in part.cycles for side in ("sine", "cosine"))]
        numbers = [Feature(name=f"{name} of {column}", column=column, view="number") for name in names]
        return [*numbers, *(flag if part.flag else [])]
    words = [Feature(name=f"{column}: {word}", column=column, view="word") for word in part.vocabulary]
    hashed = [Feature(name=f"{column}: other words {i}", column=column, view="word") for i in range(part.buckets)]
    lengths = [Feature(name=f"{what} in {column}", column=column, view="number") for what in ("characters", "words")]
    return [*words, *hashed, *lengths]


def encode(encoding: Encoding, frame: pl.DataFrame) -> np.ndarray:
    """The encoded matrix.

    Parameters
    ----------
    encoding : Encoding
    frame : pl.DataFrame
        Rows in canonical types, with the encoding's columns.

    Returns
    -------
    ndarray of float32, shape (n, d), C order
        Always finite.
    """
    matrix = np.empty((frame.height, len(encoding.features)), dtype=np.float32)
    start = 0
    for part in encoding.parts:
        width = len(features_of(part))
        fill_part(part, frame[part.column], matrix[:, start : start + width])
        start += width
    return matrix


def fill_part(part: Part, values: pl.Series, out: np.ndarray) -> None:
    """Write a column's features into its place in the matrix."""
    if isinstance(part, CategoryPart):
        fill_category(part, values, out)
    elif isinstance(part, TextPart):
        fill_text(part, values, out)
    elif isinstance(part, DatetimePart):
        fill_datetime(part, values, out)
    else:
        numbers = values.cast(pl.Float64).fill_null(part.fill).to_numpy()
        out[:, 0] = scaled(numbers, part) if isinstance(part, NumberPart) else numbers
        if part.flag:
            out[:, 1] = values.is_null().to_numpy()


def scaled(numbers: np.ndarray, scale: Scale | NumberPart) -> np.ndarray:
    """Numbers in units of their spread in training, between −1e6 and 1e6."""
    with np.errstate(over="ignore"):
        return np.clip((numbers - scale.center) / scale.scale, -LIMIT, LIMIT)


def fill_category(part: CategoryPart, values: pl.Series, out: np.ndarray) -> None:
    """Codes, frequencies and ones."""
    old, new = list(part.levels), list(range(2, 2 + len(part.levels)))
    codes = values.replace_strict(old, new, default=0, return_dtype=pl.Int64).to_numpy().copy()
    codes[values.is_null().to_numpy()] = 1
    out[:, 0] = codes
    place = 1
    if part.counted:
        out[:, 1] = np.array(part.counts)[codes]
        place = 2
    out[:, place:] = codes[:, None] == np.array(part.hot)


def fill_text(part: TextPart, values: pl.Series, out: np.ndarray) -> None:
    """Word weights, by the very function that encodes one row."""
    plain = msgspec.to_builtins(part)
    vocabulary = {word: index for index, word in enumerate(part.vocabulary)}
    for row, text in enumerate(values.fill_null("").to_list()):
        out[row] = text_features(text, plain, vocabulary)


def date_numbers(moments: pl.Series) -> dict[str, np.ndarray]:
    """The parts of times as float64 arrays."""
    hour, minute = moments.dt.hour().cast(pl.Int64), moments.dt.minute().cast(pl.Int64)
    seconds = moments.to_physical() // 1_000_000
    parts = {
        "year": moments.dt.year(),
        "month": moments.dt.month(),
        "day": moments.dt.day(),
        "weekday": moments.dt.weekday(),
        "hour": hour,
        "yearday": moments.dt.ordinal_day(),
        "minute": hour * 60 + minute,
    }
    numbers = {name: values.cast(pl.Float64).to_numpy() for name, values in parts.items()}
    return numbers | {"elapsed": seconds.cast(pl.Float64).to_numpy() / 86400}


def fill_datetime(part: DatetimePart, values: pl.Series, out: np.ndarray) -> None:
    """The parts of a time that vary, and its place in the day and the year."""
    fill = pl.Series([part.fill], dtype=pl.Int64).cast(pl.Datetime("us"))[0]
    numbers = date_numbers(values.fill_null(fill))
    place = 0
    for name, scale in part.numbers.items():
        out[:, place] = scaled(numbers[name], scale)
        place += 1
    for name in part.cycles:
        out[:, place : place + 2] = np.array(CYCLES[name])[numbers[name].astype(np.int64)]
        place += 2
    if part.flag:
        out[:, place] = values.is_null().to_numpy()
