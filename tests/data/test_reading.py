"""Rows in the contract's types, and every fault of those that do not fit."""

from datetime import date, datetime

import polars as pl
import pytest

from understudy.core.errors import ContractError
from understudy.data.contract import Column, Contract
from understudy.data.reading import check_frame, read_frame

CONTRACT = Contract(
    columns=(
        Column(name="amount", kind="number"),
        Column(name="count", kind="integer", nullable=True),
        Column(name="region", kind="category", nullable=True, levels=("north", "south")),
        Column(name="id", kind="identifier", used=False),
    )
)


def test_rows_that_break_the_contract_are_set_aside_with_their_reason() -> None:
    frame = pl.DataFrame(
        {
            "amount": ["1.5", "much", "", "2"],
            "count": ["3", "4.5", "5", "?"],
            "region": ["north", "never seen", None, "south"],
        }
    )
    clean, rejected = read_frame(CONTRACT, frame)
    assert clean.rows() == [(1.5, 3, "north"), (2.0, None, "south")]
    assert rejected.rows() == [
        (1, "amount", "much", "a finite number"),
        (1, "count", "4.5", "a whole number"),
        (2, "amount", "nothing", "a value"),
    ]


def test_unseen_levels_and_numbers_out_of_range_are_no_faults() -> None:
    column = Column(name="x", kind="number", low=0, high=1)
    level = Column(name="y", kind="category", levels=("a",))
    clean, rejected = read_frame(Contract(columns=(column, level)), pl.DataFrame({"x": [1e30], "y": ["zebra"]}))
    assert rejected.is_empty()
    assert clean.rows() == [(1e30, "zebra")]


def test_check_frame_lists_every_fault_by_row_column_value_and_expectation() -> None:
    frame = pl.DataFrame({"amount": ["x", "1"], "count": ["1", "y"], "region": ["a", "b"]})
    with pytest.raises(ContractError, match="2 of 2 rows break the contract") as caught:
        check_frame(CONTRACT, frame)
    assert [str(fault) for fault in caught.value.faults] == [
        "row 1, amount: expected a finite number, got x",
        "row 2, count: expected a whole number, got y",
    ]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ContractError, match="count: expected a column of kind integer, got no such column"):
        read_frame(CONTRACT, pl.DataFrame({"amount": ["1"], "region": ["a"]}))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("number", [1.0, float("nan"), float("inf")], [1.0, None, None]),
        ("integer", [1.0, 2.5, 1e30], [1, None, None]),
        ("boolean", [1, 0, 2], [True, False, None]),
        ("category", [1.0, 2.5, None], ["1", "2.5", None]),
        ("datetime", [date(2024, 1, 1), None, None], [datetime(2024, 1, 1), None, None]),
        ("number", [True, False, None], [None, None, None]),
    ],
)
def test_typed_columns_are_read_too(kind: str, values: list, expected: list) -> None:
    contract = Contract(columns=(Column(name="x", kind=kind, nullable=True),))
    clean, rejected = read_frame(contract, pl.DataFrame({"x": pl.Series(values, strict=False)}))
    broken = set(rejected["row"])
    assert clean["x"].to_list() == [value for row, value in enumerate(expected) if row not in broken]
    assert broken == {
        row for row, (v, e) in enumerate(zip(values, expected, strict=True)) if e is None and v == v and v is not None
    }


def test_time_zones_become_utc() -> None:
    contract = Contract(columns=(Column(name="x", kind="datetime"),))
    moments = pl.Series([datetime(2024, 1, 1, 12)]).dt.replace_time_zone("Europe/Berlin")
    assert read_frame(contract, pl.DataFrame({"x": moments}))[0]["x"].to_list() == [datetime(2024, 1, 1, 11)]
