"""Rows against a contract: typed where they fit, and every fault where they do not."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
import pytest

from understudy.core.errors import ContractError
from understudy.data.contract import Column, Contract
from understudy.data.reading import canonical_schema, check_frame, read_frame
from understudy.data.rows import RowReader


def contract(*columns: Column) -> Contract:
    return Contract(columns=columns)


def one(kind: str, values: object, **more: object) -> tuple[list[object], list[tuple[int, str, str]]]:
    series = values.alias("x") if isinstance(values, pl.Series) else pl.Series("x", values)
    described = contract(Column(name="x", kind=kind, nullable=True, **more))
    clean, rejected = read_frame(described, series.to_frame())
    assert dict(clean.schema) == canonical_schema(described)
    return clean["x"].to_list(), rejected.select("row", "value", "expected").rows()


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1.0), (" +1.50\t", 1.5), ("-.5", -0.5), ("5.", 5.0), ("1E-3", 0.001), ("00012", 12.0), ("NA", None)],
)
def test_numbers_in_text_are_read(text: str, number: float | None) -> None:
    assert one("number", [text]) == ([number], [])


@pytest.mark.parametrize(
    "text", ["1,5", "1_000", "0x10", "inf", "-Infinity", "1e999", "٣", "1 2", "e5", ".", "--1", "5%"]
)
def test_what_is_no_finite_number_is_a_fault(text: str) -> None:
    assert one("number", [text, "1"]) == ([1.0], [(0, text, "a finite number")])


def test_infinities_are_faults_and_nan_is_missing() -> None:
    clean, faults = one("number", [1.5, float("inf"), float("nan"), float("-inf")])
    assert clean == [1.5, None]
    assert faults == [(1, "inf", "a finite number"), (3, "-inf", "a finite number")]


def test_whole_numbers_meet_in_one_form() -> None:
    assert one("integer", ["1", "1.0", "+1", "1e2", "9007199254740993"]) == ([1, 1, 1, 100, 9007199254740993], [])
    assert one("integer", [1.0, 2.0]) == ([1, 2], [])
    assert one("integer", [Decimal("3.0"), Decimal("4.0")]) == ([3, 4], [])


@pytest.mark.parametrize("text", ["1.5", "9223372036854775808", "-9223372036854775808", "1e19", "one"])
def test_what_is_no_whole_number_of_64_bits_is_a_fault(text: str) -> None:
    assert one("integer", [text, "9223372036854775807"]) == ([2**63 - 1], [(0, text, "a whole number")])


def test_truth_values_are_no_numbers_but_numbers_may_be_truth_values() -> None:
    assert one("number", [True])[1] == [(0, "True", "a finite number")]
    assert one("integer", [True])[1] == [(0, "True", "a whole number")]
    assert one("boolean", [1, 0, 2]) == ([True, False], [(2, "2", "true or false")])
    assert one("boolean", ["YES", "f", "T", "0", "maybe"]) == (
        [True, False, True, False],
        [(4, "maybe", "true or false")],
    )


def test_categories_are_words_whatever_their_type() -> None:
    assert one("category", [1.0, 2.5, 1e300]) == (["1", "2.5", "1e+300"], [])
    assert one("category", [True, False]) == (["true", "false"], [])
    assert one("category", [" a ", "1.0"]) == (["a", "1.0"], [])
    assert one("category", pl.Series(["a"], dtype=pl.Categorical)) == (["a"], [])


@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}], [b"\xff"], [date(2024, 1, 1)]])
def test_values_that_are_not_single_are_faults(values: list[object]) -> None:
    clean, faults = one("text", values)
    assert clean == []
    assert {expected for _, _, expected in faults} == {"a single value"}


def test_times_are_utc_without_a_zone() -> None:
    berlin = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    noon = datetime(2024, 7, 1, 10)
    assert one("datetime", [berlin]) == ([noon], [])
    assert one("datetime", [noon.replace(tzinfo=UTC)]) == ([noon], [])
    assert one("datetime", ["2024-07-01T12:00+02:00", "2024-07-01 10:00:00Z", "2024-07-01 10:00"]) == ([noon] * 3, [])
    assert one("datetime", [date(2024, 7, 1)]) == ([datetime(2024, 7, 1)], [])


@pytest.mark.parametrize("text", ["2024-13-01", "2023-02-29", "2024-1-1", "20240101", "yesterday", "2024-01-01T25:00"])
def test_what_is_no_iso_date_is_a_fault(text: str) -> None:
    assert one("datetime", [text])[1] == [(0, text, "an ISO 8601 date or time")]


def test_dates_of_another_format_are_read_strictly() -> None:
    clean, faults = one("datetime", ["1/2/2024", "01/02/24", "31/02/2024", "2024-01-01"], format="%d/%m/%Y")
    assert clean == [datetime(2024, 2, 1)]
    assert [fault[0] for fault in faults] == [1, 2, 3]
    assert faults[0][2] == "a date like %d/%m/%Y"


def test_a_missing_value_is_a_fault_only_where_one_is_needed() -> None:
    needed = contract(Column(name="x", kind="number"))
    clean, rejected = read_frame(needed, pl.DataFrame({"x": ["1", "", None, "?"]}))
    assert clean["x"].to_list() == [1.0]
    assert rejected.rows() == [
        (1, "x", "nothing", "a value"),
        (2, "x", "nothing", "a value"),
        (3, "x", "nothing", "a value"),
    ]


def test_unseen_levels_and_numbers_out_of_range_are_no_faults() -> None:
    described = contract(
        Column(name="n", kind="number", low=0.0, high=1.0), Column(name="w", kind="category", levels=("a", "b"))
    )
    clean, rejected = read_frame(described, pl.DataFrame({"n": ["1e30"], "w": ["new"]}))
    assert clean.rows() == [(1e30, "new")]
    assert rejected.is_empty()


def test_every_fault_of_a_row_is_listed_and_the_row_is_gone_once() -> None:
    described = contract(Column(name="n", kind="number"), Column(name="b", kind="boolean"))
    frame = pl.DataFrame({"b": ["maybe", "yes", "no"], "n": ["x", "1", "y"], "more": [1, 2, 3]})
    clean, rejected = read_frame(described, frame)
    assert clean.columns == ["n", "b"]
    assert clean.rows() == [(1.0, True)]
    assert rejected.select("row", "column").rows() == [(0, "n"), (0, "b"), (2, "n")]


def test_left_out_columns_need_not_be_there_and_used_ones_must() -> None:
    described = contract(
        Column(name="id", kind="identifier", used=False), Column(name="a", kind="number"), Column(name="b", kind="text")
    )
    with pytest.raises(ContractError) as caught:
        read_frame(described, pl.DataFrame({"other": [1]}))
    assert [(fault.where, fault.expected) for fault in caught.value.faults] == [
        ("a", "a column of kind number"),
        ("b", "a column of kind text"),
    ]


def test_checking_lists_the_first_faults_and_counts_the_rest() -> None:
    described = contract(Column(name="n", kind="number"))
    with pytest.raises(ContractError, match=r"30 of 31 rows break the contract .the first 20 of 30 faults") as caught:
        check_frame(described, pl.DataFrame({"n": ["1", *["bad"] * 30]}))
    assert len(caught.value.faults) == 20
    assert str(caught.value.faults[0]) == "row 2, n: expected a finite number, got bad"
    assert check_frame(described, pl.DataFrame({"n": ["1"]})).rows() == [(1.0,)]


def test_long_values_are_shortened_in_the_faults() -> None:
    assert len(one("number", ["x" * 1000])[1][0][1]) == 80


def test_no_rows_give_an_empty_frame_of_the_right_types() -> None:
    assert one("number", pl.Series([], dtype=pl.String)) == ([], [])
    assert one("datetime", pl.Series([], dtype=pl.String)) == ([], [])


@pytest.mark.parametrize(
    ("format_", "texts"),
    [
        ("%d/%m/%Y", ["1/2/2024", " 01/02/2024 ", "01/02/24", "1/ 2/2024", "31/04/2024", "01/02/0000", "x"]),
        ("%d %b %Y", ["01 jan 2024", "01  Jan 2024", "01Jan2024", "01\tJan 2024", "01 January 2024"]),
        ("%d/%m/%y", ["01/02/68", "01/02/69", "31/12/69", "01/02/70", "01/02/99", "01/02/2024"]),
        ("%Y-%m", ["2024-1", "2024-13", "2024-02", "24-02"]),
        ("%d/%m/%Y %H:%M:%S", ["01/02/2024 10:00:60", "01/02/2024 24:00:00", "1/2/2024 1:2:3", "01/02/2024"]),
    ],
)
def test_dates_of_another_format_are_read_alike_by_row_and_by_column(format_: str, texts: list[str]) -> None:
    described = contract(Column(name="x", kind="datetime", format=format_))
    read = [RowReader(msgspec.to_builtins(described)).read({"x": text}) for text in texts]
    clean, rejected = read_frame(described, pl.DataFrame({"x": texts}))
    assert clean["x"].to_list() == [value for (value,), faults in read if not faults]
    assert rejected["row"].to_list() == [row for row, (_, faults) in enumerate(read) if faults]
