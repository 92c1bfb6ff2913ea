"""Rejected rows as a file that people can open in a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import polars as pl

FORMULA = r"^[=+\-@\t\r]"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def safe_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table, where no text can start a formula in a spreadsheet: such cells get a leading apostrophe.

    >>> safe_cells(pl.DataFrame({"a": ["=1+1", "-3.5", "fine"]}))["a"].to_list()
    ["'=1+1", '-3.5', 'fine']
    """
    text = pl.col(pl.String)
    risky = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    return frame.with_columns(pl.when(risky).then(pl.lit("'") + text).otherwise(text).name.keep())


def write_rejected(path: Path, rejected: pl.DataFrame) -> None:
    """Write faults to a CSV file: the row's number from 1, the column, the value and what was expected.

    Parameters
    ----------
    path : Path
        Its directory is made where it is not there.
    rejected : pl.DataFrame
        As `read_frame` gives it, with rows from 0.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    safe_cells(rejected.with_columns(pl.col("row") + 1)).write_csv(path)
