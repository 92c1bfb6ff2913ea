"""Targets, times and rules as expressions."""

import polars as pl
import pytest

from understudy.core.errors import DataError
from understudy.data.expressions import columns_of, evaluate

FRAME = pl.DataFrame(
    {"delay": ["20", "3", "", "-1.5"], "carrier": ["UA", "AA", "UA", "UA"], "Odd name": ["1", "2", "3", "4"]}
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("delay > 15", [True, False, None, False]),
        ("carrier = 'UA' AND delay > 0", [True, False, None, False]),
        ('"Odd name" * 2', [2, 4, 6, 8]),
        ("Odd name", ["1", "2", "3", "4"]),
        ("carrier", ["UA", "AA", "UA", "UA"]),
    ],
)
def test_an_expression_is_computed_row_by_row(expression: str, expected: list) -> None:
    assert evaluate(FRAME, expression, where="the target").to_list() == expected


def test_an_unknown_column_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"the target: there is no column 'dely'\.\nDid you mean 'delay'\?"):
        evaluate(FRAME, "dely > 15", where="the target")


@pytest.mark.parametrize("expression", ["delay >", "SELECT 1", "1 + 1", "delay > 'x' + carrier"])
def test_nonsense_is_refused_in_words(expression: str) -> None:
    with pytest.raises(DataError, match="the target"):
        evaluate(FRAME, expression, where="the target")


def test_it_knows_which_columns_it_reads() -> None:
    assert columns_of("delay > 15 OR carrier = 'UA'", FRAME.columns) == ("delay", "carrier")
    assert columns_of("Odd name", FRAME.columns) == ("Odd name",)
