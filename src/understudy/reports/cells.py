"""Cells of a chapter's tables as people read them."""

from __future__ import annotations

import math

import msgspec

from understudy.core.evidence import Evidence
from understudy.evaluation.words import bounds, estimate
from understudy.reports.chapter import Cell, Column, Part

NONE = "–"
NUMBERS = ("number", "percent", "count")
PERCENT = 100


def shown(cell: Cell, form: str) -> str:
    """A cell in its column's form, without the bounds of an `Evidence`.

    >>> shown(0.4137, "percent"), shown(32735, "count"), shown(0.92345, "number"), shown(None, "text")
    ('41.4 %', '32,735', '0.9234', '–')
    """
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return NONE
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Evidence):
        return estimate(scaled(cell, form)) + (" %" if form == "percent" else "")
    if form == "percent":
        return f"{cell * PERCENT:.1f} %"
    if isinstance(cell, int) or form == "count":
        return f"{cell:,.0f}"
    return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"


def shown_bounds(cell: Cell, form: str) -> str:
    """The bounds of an `Evidence`, in its column's form; empty for what has none.

    >>> shown_bounds(Evidence(estimate=0.1, lower=0.08, upper=0.12, confidence=0.95, n=9, method="exact"), "percent")
    '8.0 to 12.0 %'
    """
    if not isinstance(cell, Evidence) or cell.lower == cell.upper:  # nothing is uncertain, as of a constant's ROC AUC
        return ""
    return bounds(scaled(cell, form)) + (" %" if form == "percent" else "")


def scaled(cell: Evidence, form: str) -> Evidence:
    """A statement in the unit of its column."""
    if form != "percent":
        return cell
    times = {name: getattr(cell, name) * PERCENT for name in ("estimate", "lower", "upper")}
    return msgspec.structs.replace(cell, **times)


def is_number(column: Column) -> bool:
    """Whether a column holds numbers, which stand to the right."""
    return column.form in NUMBERS


def grouped(parts: tuple[Part, ...]) -> list[tuple[str, tuple[Part, ...]]]:
    """The parts of a chapter by their kind, neighbouring figures together and everything else by itself."""
    groups: list[tuple[str, tuple[Part, ...]]] = []
    for part in parts:
        kind = str(part.__struct_config__.tag)
        if kind == "figure" and groups and groups[-1][0] == kind:
            groups[-1] = kind, (*groups[-1][1], part)
        else:
            groups.append((kind, (part,)))
    return groups
