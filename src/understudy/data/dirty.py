"""Rows with one dirty value each: what a compiled model must answer exactly like the original."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

from understudy.data.contract import Column, Contract

NUMBERS: tuple[object, ...] = (0, -1, 1e30, -1e30, 1e-30, 2**24 + 1, " 7 ", "1e3", float("nan"))
WHOLE: tuple[object, ...] = (0, -1, 2**24 + 1, 2**53 + 1, -(2**62), " 7 ", "7.0", 7.0)
WORDS: tuple[object, ...] = ("never seen before", "ÄÖÜ ß 漢字 🙂", "'; DROP TABLE cases; --", 12, 1.5, True, "x" * 300)
TEXTS: tuple[object, ...] = ("a", "???", "word " * 500, "ÄÖÜ ß 漢字 🙂", "UPPER lower", 12)
TIMES: tuple[object, ...] = (
    "1900-01-01",
    "2099-12-31T23:59:59.999999",
    "2024-02-29T12:00:00+05:30",
    datetime(1970, 1, 1),
)
TRUTHS: tuple[object, ...] = ("YES", "f", 1, 0.0, False)


def dirty_rows(contract: Contract, frame: pl.DataFrame, most: int = 2000) -> list[dict[str, Any]]:
    """Rows that keep the contract and yet strain it: each is a clean row with one value made dirty.

    Missing values, NaN, huge and tiny numbers, 2^24 + 1, blanks, unseen levels, the wrong case, foreign letters, very
    long and very short texts, far dates: each column in turn.

    Parameters
    ----------
    contract : Contract
    frame : pl.DataFrame
        At least one clean row in canonical types.
    most : int
        Of more rows so many, spread over all columns.
    """
    clean = frame.head(8).to_dicts()
    strains = [(column.name, value) for column in contract.used for value in dirty_values(column)]
    if len(strains) > most:
        strains = [strains[place * len(strains) // most] for place in range(most)]
    return [{**clean[place % len(clean)], name: value} for place, (name, value) in enumerate(strains)]


def dirty_values(column: Column) -> Iterator[object]:
    """Values that strain one column and still keep its contract."""
    if column.nullable:
        yield None
        yield ""
    if column.kind == "number":
        yield from (value for value in NUMBERS if column.nullable or value == value)
    elif column.kind == "category":
        yield from WORDS
        yield from (level.swapcase() for level in column.levels[:3] if level.swapcase().strip())
    else:
        yield from {"integer": WHOLE, "boolean": TRUTHS, "text": TEXTS, "datetime": TIMES}.get(column.kind, ())
