"""What the columns mean: kinds that a practitioner would name, and doubts that are said."""

from datetime import date, datetime, time
from decimal import Decimal

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.data.contract import Column, Contract, infer_contract
from understudy.data.reading import read_frame


def inferred(values: object, name: str = "x", **more: object) -> Column:
    series = values.alias(name) if isinstance(values, pl.Series) else pl.Series(name, values)
    return infer_contract(series.to_frame(), **more).columns[0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", " 2 ", "+3.0", "4e0"], "integer"),
        (["1", "2.5", "NA", ".5"], "number"),
        (["yes", "no", "Yes"], "boolean"),
        (["TRUE", "false", ""], "boolean"),
        (["0", "1", "1"], "integer"),
        (["red", "blue", "red"], "category"),
        (["none", "none", "unknown"], "category"),
        (["2024-01-31", "2024-02-01"], "datetime"),
        (["2024-01-31T10:00:00Z", "2024-02-01 11:30+02:00"], "datetime"),
        (["31/01/2024", "01/02/2024"], "datetime"),
        (["1949-01", "1949-02"], "datetime"),
        (["1,000", "2,000"], "category"),
        (["1.0", "1", "1.00"], "constant"),
        (["same", "same", "?"], "constant"),
        ([None, "", "NA"], "empty"),
        ([1.5, float("nan"), 2.0], "number"),
        ([1.0, 2.0, 5.0], "integer"),
        ([True, False, None], "boolean"),
        ([Decimal("1.5"), Decimal("2.0")], "number"),
        ([date(2024, 1, 1), date(2024, 1, 2)], "datetime"),
        ([datetime(2024, 1, 1), datetime(2024, 1, 2)], "datetime"),
        (pl.Series(["a", "b", "a"], dtype=pl.Categorical), "category"),
        (pl.Series([None, None]), "empty"),
    ],
)
def test_each_column_has_the_kind_that_a_practitioner_would_name(values: object, kind: str) -> None:
    assert inferred(values).kind == kind


def test_missing_words_make_a_column_nullable() -> None:
    assert inferred(["1", "2", "?"]).nullable
    assert not inferred(["1", "2", "none"]).nullable


def test_numbers_with_a_few_words_stay_numbers_and_say_so() -> None:
    column = inferred([*map(str, range(0, 995, 2)), *map(str, range(0, 995, 2)), "oops", "x", "y"])
    assert column.kind == "integer"
    assert column.note == "0.30% of the values are not numbers: they break the contract"


def test_words_with_many_numbers_stay_words_and_say_so() -> None:
    column = inferred([*"12345678", "B12", "C13"])
    assert column.kind == "category"
    assert "80.0% of the values are numbers" in column.note


def test_ranges_and_levels_are_learned() -> None:
    number, word, day = infer_contract(
        pl.DataFrame(
            {"n": ["2", "-1.5", "7"], "w": ["b", "a", "b"], "d": ["1970-01-02", "1970-01-01", "1970-01-01T00:00:01"]}
        )
    ).columns
    assert (number.low, number.high) == (-1.5, 7.0)
    assert word.levels == ("b", "a")
    assert (day.low, day.high) == (0.0, 86_400e6)


def test_integers_beyond_64_bits_are_numbers() -> None:
    assert inferred(["123456789012345678901234567890", "1"]).kind == "number"
    assert inferred(pl.Series([2**63, 1], dtype=pl.UInt64)).kind == "number"
    assert inferred(["9007199254740993", "1"]).kind == "integer"


def test_infinities_do_not_set_the_range_and_are_noted() -> None:
    column = inferred([1.5, float("inf"), 2.5, float("-inf")])
    assert (column.kind, column.low, column.high) == ("number", 1.5, 2.5)
    assert "50.00% of the values are infinite" in column.note
    assert not inferred([float("inf"), float("-inf")]).used


def test_day_and_month_that_could_change_places_are_noted() -> None:
    unsure = inferred(["01/02/2024", "03/04/2024"])
    assert (unsure.format, "other way round" in unsure.note) == ("%d/%m/%Y", True)
    assert (inferred(["12/31/2024", "01/02/2024"]).format, inferred(["12/31/2024", "01/02/2024"]).note) == (
        "%m/%d/%Y",
        "",
    )


def test_two_digit_years_are_of_this_century_or_the_last() -> None:
    column = inferred(["31/01/24", "15/02/99"])
    assert column.format == "%d/%m/%y"
    clean, rejected = read_frame(Contract(columns=(column,)), pl.DataFrame({"x": ["31/01/24", "15/02/99"]}))
    assert clean["x"].to_list() == [datetime(2024, 1, 31), datetime(1999, 2, 15)]
    assert rejected.is_empty()


@pytest.mark.parametrize(
    ("name", "values", "identifier"),
    [
        ("row", [str(i) for i in range(100)], True),
        ("shuffled", [str(i * 37 % 101) for i in range(1, 101)], True),
        ("customer_id", [str(i * 7919 % 100_003) for i in range(1, 101)], True),
        ("PassengerId", [str(i * 7919 % 100_003) for i in range(1, 101)], True),
        ("price", [str(i * 7919 % 100_003) for i in range(1, 101)], False),
        ("paid", [str(i * 7919 % 100_003) for i in range(1, 101)], False),
        ("measured", [str(i + 0.5) for i in range(100)], False),
        ("code", [f"X{i}" for i in range(100)], True),
        ("few", [f"X{i}" for i in range(20)], False),
        ("repeated", [f"X{i // 2}" for i in range(100)], False),
    ],
)
def test_identifiers_are_told_from_numbers_that_rarely_repeat(name: str, values: list[str], identifier: bool) -> None:
    column = inferred(values, name)
    assert (column.kind == "identifier") == identifier
    assert column.used != identifier
    assert bool(column.note) == identifier


def test_a_column_that_is_kept_is_used_although_it_looks_like_an_identifier() -> None:
    assert inferred([str(i) for i in range(100)], "row", kept=("row",)).kind == "integer"
    assert inferred([f"X{i}" for i in range(100)], "code", kept=("code",)).kind == "category"


def test_digits_with_leading_zeros_are_a_code_and_no_number() -> None:
    postcodes = inferred(["02139", "10115", "02139", "80331"])
    assert (postcodes.kind, postcodes.levels[0]) == ("category", "02139")
    assert "leading zeros" in postcodes.note
    assert inferred(["01", "02", "12"]).kind == "integer"


def test_prose_is_text_and_names_of_things_are_categories() -> None:
    prose = [f"the parcel number {i} came late" for i in range(100)]
    assert inferred(prose).kind == "text"
    assert inferred(["New York City Hall", "Old Town Hall Square"] * 50).kind == "category"


def test_columns_that_are_left_out_keep_their_reason() -> None:
    frame = pl.DataFrame({"a": ["1", "2", ""], "b": ["x", "y", "x"]})
    contract = infer_contract(frame, left_out={"a": "known only afterwards"})
    assert [column.name for column in contract.used] == ["b"]
    assert (contract.columns[0].kind, contract.columns[0].note) == ("integer", "known only afterwards")
    assert contract.columns[0].nullable


@pytest.mark.parametrize(
    "values", [[[1], [2]], [{"a": 1}, {"a": 2}], [b"x", b"y"], [time(1), time(2)], pl.Series([object(), object()])]
)
def test_types_without_single_values_are_left_out_with_the_reason(values: object) -> None:
    column = inferred(values)
    assert not column.used
    assert "not supported" in column.note


def test_one_row_has_only_constants() -> None:
    contract = infer_contract(pl.DataFrame({"a": ["1"], "b": ["x"]}))
    assert [column.kind for column in contract.columns] == ["constant", "constant"]
    assert contract.used == ()


def test_two_thousand_columns_are_inferred() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"c{i}": rng.integers(0, 9, 60).astype(str) for i in range(2000)})
    assert {column.kind for column in infer_contract(frame).columns} == {"integer"}


def test_a_contract_survives_being_stored() -> None:
    contract = infer_contract(pl.DataFrame({"a": ["1", "2.5"], "b": ["x", "y"], "c": ["2024-01-01", "2024-01-02"]}))
    assert msgspec.json.decode(msgspec.json.encode(contract), type=Contract) == contract


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.none()
        | st.text("0123456789.-+eE ,/:TZ", max_size=12)
        | st.sampled_from(["yes", "no", "NA", "2024-01-01", "é"]),
        max_size=60,
    )
)
def test_whatever_the_values_almost_all_of_them_keep_the_contract_inferred_from_them(values: list[str | None]) -> None:
    frame = pl.DataFrame({"x": values}, schema={"x": pl.String})
    contract = infer_contract(frame)
    clean, rejected = read_frame(contract, frame)
    assert rejected.height <= 0.01 * len(values)
    if contract.used:
        assert clean.height + rejected["row"].n_unique() == len(values)


def test_words_that_are_answers_are_levels() -> None:
    assert set(inferred(["none", "unknown", "?", "a"]).levels) == {"none", "unknown", "a"}


def test_a_column_may_be_called_count() -> None:
    assert inferred(["a", "b", "a"], "count").levels == ("a", "b")
