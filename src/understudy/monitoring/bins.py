"""Bins frozen on a reference, and counters over them that merge by addition.

A window, a process and a partition of a large table are the same thing: counters that are added up.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import polars as pl

from understudy.data.contract import Column, Contract
from understudy.monitoring.strange_rows import WORD, new_words

MOST_BINS = 32
MOST_LEVELS = 254
VOCABULARY = 20_000
SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75)


class Bins(msgspec.Struct, frozen=True, kw_only=True):
    """The frozen bins of one measure of one column.

    Attributes
    ----------
    name : str
        What is measured, such as "age" or "words in text".
    column : str
    measure : {"number", "level", "length", "new words", "elapsed", "hour", "weekday"}
    edges : tuple of float
        For numbers the inner edges; bin i holds edges[i − 1] ≤ x < edges[i].
    low, high : float
        For numbers the range of the reference.
    levels : tuple of str
        For levels those of the reference, the most frequent first.
    vocabulary : tuple of str
        For new words those of the reference, at most 20,000, in the most texts first.
    repeated : int
        How many of them, from the first, stand in more than one text of the reference.

    The cells of a counter are: one for each bin or level, then one for other levels or values beyond the range, then
    one for missing values.
    """

    name: str
    column: str
    measure: str
    edges: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    levels: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    repeated: int = 0

    @property
    def cells(self) -> int:
        """How many cells a counter over these bins has."""
        return (len(self.levels) if self.measure == "level" else len(self.edges) + 1) + 2


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """How often each cell of each measure was met.

    >>> Counters(counts=((1, 0), (2, 2))) + Counters(counts=((3, 1), (0, 5)))
    Counters(counts=((4, 1), (2, 7)))
    """

    counts: tuple[tuple[int, ...], ...]

    def __add__(self, other: Counters) -> Counters:
        """The counts of both together."""
        pairs = zip(self.counts, other.counts, strict=True)
        return Counters(counts=tuple(tuple(a + b for a, b in zip(x, y, strict=True)) for x, y in pairs))


def freeze_bins(frame: pl.DataFrame, contract: Contract, *, clock_column: str | None = None) -> tuple[Bins, ...]:
    """Bins for every used column, from reference rows.

    Parameters
    ----------
    frame : pl.DataFrame
        Reference rows in canonical types.
    contract : Contract
    clock_column : str, optional
        The column that says when a case happened; only its hour and weekday are measured, since it always grows.

    Returns
    -------
    tuple of Bins
        One or more for each used column, in the contract's order.

    >>> contract = Contract(columns=(Column(name="job", kind="category"),))
    >>> freeze_bins(pl.DataFrame({"job": ["cook", "nurse", "cook"]}), contract)[0].levels
    ('cook', 'nurse')
    """
    made: list[Bins] = []
    for column in contract.used:
        made += column_bins(column, frame[column.name], clock=column.name == clock_column)
    return tuple(made)


def column_bins(column: Column, values: pl.Series, *, clock: bool) -> list[Bins]:
    """The measures of one column."""
    name = column.name
    if column.kind in ("category", "boolean", "identifier"):
        levels = ordered_counts(values).head(MOST_LEVELS)["level"].to_list()
        return [Bins(name=name, column=name, measure="level", levels=tuple(levels))]
    if column.kind == "text":
        words, repeated = reference_words(values)
        length = number_bins(f"length of {name}", name, "length", values.str.len_chars())
        share = Bins(
            name=f"new words in {name}",
            column=name,
            measure="new words",
            edges=SHARES[1:],
            high=1.0,
            vocabulary=words,
            repeated=repeated,
        )
        return [length, share]
    if column.kind == "datetime":
        parts = [
            number_bins(f"hour of {name}", name, "hour", values.dt.hour()),
            number_bins(f"weekday of {name}", name, "weekday", values.dt.weekday()),
        ]
        return parts if clock else [number_bins(name, name, "elapsed", values.to_physical()), *parts]
    return [number_bins(name, name, "number", values)]


def ordered_counts(values: pl.Series) -> pl.DataFrame:
    """Each `level` of a column and its `count`, the most frequent first; equal counts in the order of the level."""
    counts = values.drop_nulls().cast(pl.String).alias("level").value_counts()
    return counts.sort(["count", "level"], descending=[True, False])


def reference_words(values: pl.Series) -> tuple[tuple[str, ...], int]:
    """The words in the most texts first, equal ones by the alphabet, and how many of them are in more than one."""
    texts: Counter[str] = Counter()
    for text in values.drop_nulls().to_list():
        texts.update(set(WORD.findall(text.lower())))
    # A set's order changes from process to process: the cut must not depend on it.
    known = sorted(texts, key=lambda word: (-texts[word], word))[:VOCABULARY]
    return tuple(known), sum(texts[word] > 1 for word in known)


def number_bins(name: str, column: str, measure: str, values: pl.Series) -> Bins:
    """At most 32 bins with about as many reference values in each."""
    numbers = values.drop_nulls().cast(pl.Float64).to_numpy()
    if not len(numbers):
        return Bins(name=name, column=column, measure=measure)
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, MOST_BINS + 1)[1:-1], method="inverted_cdf"))
    edges = edges[edges > numbers.min()]
    return Bins(
        name=name,
        column=column,
        measure=measure,
        edges=tuple(edges.tolist()),
        low=float(numbers.min()),
        high=float(numbers.max()),
    )


def without_itself(bins: Bins) -> Bins:
    """The bins for the reference's own texts, where a word that only one text has counts as new.

    It would be new to the other texts. Without this no text of the reference would have a new word, and any later one
    with a single new word would look as odd as one in another language.
    """
    return msgspec.structs.replace(bins, vocabulary=bins.vocabulary[: bins.repeated])


def newcomers(bins: Bins, values: pl.Series) -> int:
    """How many reference rows lie outside all that the other reference rows show.

    Their share estimates how often the unseen comes (Good 1953, "The population frequencies of species and the
    estimation of population parameters", Biometrika): a level that one row has, the one lowest and highest number.
    For numbers at least one, since a range is always a little too narrow: as many as 2 in n + 1 pass that of n others.
    """
    if bins.measure == "level":
        return int((ordered_counts(values)["count"] == 1).sum())
    numbers = measured(bins, values)
    return max(1, sum(int((numbers == end).sum() == 1) for end in {bins.low, bins.high}))


def measured(bins: Bins, values: pl.Series) -> np.ndarray:
    """What a numeric measure says of each value, as float64; NaN where the value is missing."""
    if bins.measure == "new words":
        vocabulary = frozenset(bins.vocabulary)
        return np.array([np.nan if text is None else new_words(text, vocabulary) for text in values.to_list()])
    if bins.measure == "length":
        numbers = values.str.len_chars()
    elif bins.measure in ("hour", "weekday"):
        numbers = values.dt.hour() if bins.measure == "hour" else values.dt.weekday()
    else:
        numbers = values.to_physical()
    return numbers.cast(pl.Float64).fill_null(np.nan).to_numpy()


def cells(bins: Bins, values: pl.Series) -> np.ndarray:
    """The cell of each value, as int64."""
    beyond, missing = bins.cells - 2, bins.cells - 1
    if bins.measure == "level":
        old, new = list(bins.levels), list(range(len(bins.levels)))
        codes = values.cast(pl.String).replace_strict(old, new, default=beyond, return_dtype=pl.Int64)
        return np.where(values.is_null().to_numpy(), missing, codes.to_numpy())
    numbers = measured(bins, values)
    places = np.searchsorted(np.array(bins.edges), numbers, side="right")
    outside = (numbers < bins.low) | (numbers > bins.high)
    return np.where(np.isnan(numbers), missing, np.where(outside, beyond, places))


def count(bins: tuple[Bins, ...], frame: pl.DataFrame) -> Counters:
    """How often each cell is met in some rows.

    Parameters
    ----------
    bins : tuple of Bins
    frame : pl.DataFrame
        Rows in canonical types.
    """
    counted = (np.bincount(cells(one, frame[one.column]), minlength=one.cells) for one in bins)
    return Counters(counts=tuple(tuple(counts.tolist()) for counts in counted))
