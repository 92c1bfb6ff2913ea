"""What the columns mean, what is allowed in them, and what inference is unsure of."""

from __future__ import annotations

from typing import Literal

import msgspec

ColumnKind = Literal["number", "integer", "boolean", "category", "datetime", "text", "identifier", "constant", "empty"]

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?", "#N/A")
"""Words that mean "no value". "none" and "unknown" are answers, and stay."""


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
    """The schema of a task's inputs, in the source's column order; the target is not part of it."""

    columns: tuple[Column, ...]
    missing: tuple[str, ...] = MISSING

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that models see."""
        return tuple(column for column in self.columns if column.used)
