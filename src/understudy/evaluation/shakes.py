"""Ways to shake inputs as the world does: noise, lost columns and cells, typos, unseen words, other case, blanks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from understudy.data.contract import Column, Contract

Way = Literal["noise", "lost column", "lost cells", "typo", "unseen", "case", "blanks"]

UNSEEN = "never seen before"
NOISES = (0.01, 0.05, 0.2)
"""In units of a column's spread; the first is what counts as tiny."""
LOST = (0.05, 0.2)
NORMAL_QUARTILES = 1.349
"""How far the quartiles of a normal law lie apart, in standard deviations."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Shake:
    """One way to shake.

    Attributes
    ----------
    way : Way
    subject : str
        The column, or what is shaken of all of them.
    strength : float
        The noise in units of spread, or the share of cells.
    columns : tuple of Column
        Those that it changes.
    apply : callable
        From canonical rows and a generator to shaken rows, as they would come.
    """

    way: Way
    subject: str
    strength: float
    columns: tuple[Column, ...]
    apply: Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]


def shakes(contract: Contract, frame: pl.DataFrame, single: Sequence[Column]) -> Iterator[Shake]:
    """Every way to shake these columns.

    Cells are lost at random only where a column may be empty: elsewhere each loss is refused, and "lost column" tells.

    Parameters
    ----------
    contract : Contract
    frame : pl.DataFrame
        Rows in canonical types, whose spread is the unit of noise.
    single : sequence of Column
        The columns that are shaken one at a time.
    """
    numbers = [column for column in contract.used if column.kind in ("number", "integer")]
    words = tuple(column for column in contract.used if column.kind in ("category", "text"))
    texts = [column.name for column in words]
    spreads = {column.name: spread(frame[column.name]) for column in numbers}
    noisy = tuple(column for column in numbers if spreads[column.name].scale > 0)
    for strength in NOISES if noisy else ():
        yield Shake("noise", "all numbers", strength, noisy, noise(noisy, spreads, strength))
    for column in single:
        yield Shake("lost column", column.name, 1.0, (column,), emptied(column.name))
    able = tuple(column for column in contract.used if column.nullable)
    for share in LOST if able else ():
        yield Shake("lost cells", "cells that may be empty", share, able, lost(able, share))
    for column in single:
        if column.kind == "category":
            yield Shake("unseen", column.name, 1.0, (column,), replaced(column.name))
    if words:
        yield Shake("typo", "one text or category", 1.0, words, typo_in_one(texts))
        yield Shake("case", "all texts and categories", 1.0, words, every(texts, lambda text: text.str.to_uppercase()))
        yield Shake("blanks", "all texts and categories", 1.0, words, every(texts, lambda text: "  " + text + " "))


@dataclass(frozen=True)
class Spread:
    """How a number varies: its scale, and the one value that half of the rows or more share (as a gain of 0)."""

    scale: float
    spike: float | None = None


def spread(values: pl.Series) -> Spread:
    """The standard deviation as the quartiles tell it, or as it is where they are equal; 0 for a constant.

    >>> spread(pl.Series([1.0, 2.0, 3.0, 4.0, 5.0])).scale, spread(pl.Series([0.0] * 4 + [8.0])).spike
    (1.4825796886582654, 0.0)
    """
    known = values.drop_nulls().cast(pl.Float64).to_numpy()
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return Spread(0.0)
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75]).tolist()
    spike = middle if low == high else None
    if spike is not None:
        known = known[known != spike]
        low, high = np.quantile(known, [0.25, 0.75]).tolist() if len(known) else (0.0, 0.0)
    scale = (high - low) / NORMAL_QUARTILES if high > low else float(known.std()) if len(known) else 0.0
    return Spread(scale, spike)


def noise(
    columns: Sequence[Column], spreads: dict[str, Spread], strength: float
) -> Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]:
    """Normal noise on numbers, kept in the range seen in training; whole numbers stay whole.

    Whole numbers are rounded at random, so that noise smaller than one step moves a few of them by a step. A value that
    half of the rows share stays what it is.
    """

    def apply(frame: pl.DataFrame, generator: np.random.Generator) -> pl.DataFrame:
        made = []
        for column in columns:
            found = spreads[column.name]
            values = frame[column.name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            moved = values + generator.normal(0.0, strength * found.scale, len(values))
            if column.kind == "integer":
                moved = np.floor(moved + generator.random(len(values)))
            low = -np.inf if column.low is None else np.minimum(column.low, values)
            high = np.inf if column.high is None else np.maximum(column.high, values)
            moved = np.where(values == found.spike, values, np.clip(moved, low, high))
            kept = pl.Series(column.name, moved).fill_nan(None)
            made.append(kept.cast(pl.Int64) if column.kind == "integer" else kept)
        return frame.with_columns(made)

    return apply


def emptied(name: str) -> Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]:
    """A column that no longer comes."""
    return lambda frame, _: frame.with_columns(pl.lit(None).cast(frame.schema[name]).alias(name))


def lost(columns: Sequence[Column], share: float) -> Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]:
    """Cells that are lost at random."""
    names = [column.name for column in columns]

    def apply(frame: pl.DataFrame, generator: np.random.Generator) -> pl.DataFrame:
        kept = {name: pl.Series(generator.random(frame.height) >= share) for name in names}
        return frame.with_columns(pl.when(kept[name]).then(pl.col(name)).alias(name) for name in names)

    return apply


def replaced(name: str) -> Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]:
    """A category whose value nobody has seen in training."""
    return lambda frame, _: frame.with_columns(pl.lit(UNSEEN).alias(name))


def every(
    names: list[str], change: Callable[[pl.Expr], pl.Expr]
) -> Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]:
    """All words changed in one way."""
    return lambda frame, _: frame.with_columns([change(pl.col(name)).alias(name) for name in names])


def typo_in_one(names: list[str]) -> Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]:
    """One typo in each row, in one of its words' columns."""

    def apply(frame: pl.DataFrame, generator: np.random.Generator) -> pl.DataFrame:
        where = generator.integers(len(names), size=frame.height)
        made = []
        for place, name in enumerate(names):
            texts = frame[name].to_list()
            for row in np.flatnonzero(where == place).tolist():
                texts[row] = None if texts[row] is None else mistyped(texts[row], generator)
            made.append(pl.Series(name, texts, dtype=pl.String))
        return frame.with_columns(made)

    return apply


def mistyped(text: str, generator: np.random.Generator) -> str:
    """A text with two neighbouring letters swapped, one left out, or one that is another (Damerau 1964, CACM 7).

    >>> mistyped("married", np.random.default_rng(0))
    'marrind'
    """
    at, kind = int(generator.integers(max(1, len(text)))), int(generator.integers(4))
    letter = LETTERS[int(generator.integers(len(LETTERS)))]
    if kind == 0 and at + 1 < len(text):
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1 and len(text) > 1:
        return text[:at] + text[at + 1 :]
    return text[:at] + letter + text[at + (kind == 2) :]
