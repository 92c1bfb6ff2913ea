"""A chapter of the report: sentences, tables and pictures, which become HTML, Markdown or a notebook's cell."""

from __future__ import annotations

import msgspec

from understudy.core.evidence import Evidence

Cell = str | int | float | Evidence | None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table.

    Attributes
    ----------
    title : str
    form : {"text", "number", "percent", "count", "code"}
        How its numbers are written; an `Evidence` is written as its estimate with its bounds.
    """

    title: str
    form: str = "text"


class Table(msgspec.Struct, frozen=True, kw_only=True, tag="table"):
    """A table; `caption` says what it shows, `rows` hold one cell for each column."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Figure(msgspec.Struct, frozen=True, kw_only=True, tag="figure"):
    """A picture: `svg` is drawn by `understudy.reports.charts.drawn` and holds its own text alternative.

    `title` says what it is, `caption` how to read it, `text` what it shows, for those who do not see it.
    """

    title: str
    caption: str
    svg: str
    text: str
    wide: bool = False


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """A paragraph of plain text; `soft` sets it back."""

    text: str
    soft: bool = False


Part = Text | Table | Figure


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter.

    Attributes
    ----------
    anchor : str
        Lower-case letters and `-`; actions of the worklist point to it.
    title : str
    lede : str
        The chapter in one or two sentences: the finding, not what a reader will see.
    parts : tuple of Part
        Neighbouring figures stand side by side unless they are wide.
    """

    anchor: str
    title: str
    lede: str
    parts: tuple[Part, ...] = ()
