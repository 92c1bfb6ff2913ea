"""SQL conditions over the inputs of live cases: the limits of a mandate, and the rules of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from understudy.data.expressions import columns_of, parse


@dataclass(frozen=True)
class Conditions:
    """Conditions that are evaluated together.

    Attributes
    ----------
    expressions : tuple of pl.Expr
    schema : dict
        The columns that they read; the type is None where the contract does not know the column.
    """

    expressions: tuple[pl.Expr, ...]
    schema: dict[str, Any]

    def hold(self, rows: Sequence[Mapping[str, object]]) -> list[tuple[bool | None, ...]]:
        """For each row whether each condition holds; None where that cannot be told.

        A value is missing, a column is not there, or text is compared with a number: whoever asks must treat None as
        the answer that grants less.

        >>> conditions = compile_conditions(["amount < 500"], {"amount": pl.Float64})
        >>> conditions.hold([{"amount": 10.0}, {"amount": 900.0}, {}])
        [(True,), (False,), (None,)]
        """
        if not self.expressions or not rows:
            return [()] * len(rows)
        columns = {
            name: pl.Series(name, [row.get(name) for row in rows], dtype=dtype, strict=False)
            for name, dtype in self.schema.items()
        }
        frame = pl.DataFrame(columns)
        return list(zip(*(truths(frame, expression, len(rows)) for expression in self.expressions), strict=True))


def compile_conditions(texts: Sequence[str], schema: Mapping[str, Any]) -> Conditions:
    """Conditions that are ready to be evaluated.

    Parameters
    ----------
    texts : sequence of str
        SQL conditions.
    schema : mapping
        The canonical types of the columns that are known.

    Raises
    ------
    DataError
        One is no SQL expression.
    """
    names = dict.fromkeys(name for text in texts for name in columns_of(text, ()))
    return Conditions(
        expressions=tuple(parse(text, where="the condition") for text in texts),
        schema={name: schema.get(name) for name in names},
    )


def truths(frame: pl.DataFrame, expression: pl.Expr, height: int) -> list[bool | None]:
    """One condition for every row; None everywhere where it cannot be computed."""
    try:
        values = frame.select(value=expression)["value"]
    except pl.exceptions.PolarsError:
        return [None] * height
    if values.dtype != pl.Boolean:
        return [None] * height
    return values.to_list() * height if values.len() == 1 and height > 1 else values.to_list()
