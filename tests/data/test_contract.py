"""What the columns are taken for."""

import numpy as np
import polars as pl
import pytest

from understudy.data.contract import Contract, infer_contract


def kinds(contract: Contract) -> dict[str, str]:
    return {column.name: column.kind for column in contract.columns}


def of(values: list, **options: object) -> object:
    return infer_contract(pl.DataFrame({"x": values}), **options).columns[0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", "3e2"], "number"),
        (["1", "2", "3"], "integer"),
        (["1.0", "2.0"], "integer"),
        (["yes", "No", "yes"], "boolean"),
        (["2024-01-01", "2024-01-02T10:00:00+02:00"], "datetime"),
        (["31/12/2023", "01/01/2024"], "datetime"),
        (["a", "b", "a"], "category"),
        (["7", "7", "7"], "constant"),
        (["", "NA", "?"], "empty"),
        ([1, 2, 3], "integer"),
        ([0.5, 1.5], "number"),
        ([True, False], "boolean"),
        (["99999999999999999999999", "1"], "number"),
        (["the bag was stolen in town", "a storm broke the window", "it rained into the cellar"], "text"),
    ],
)
def test_a_column_is_taken_for(values: list, kind: str) -> None:
    assert of(values).kind == kind


def test_words_for_no_value_make_a_column_nullable_but_none_and_unknown_are_answers() -> None:
    column = of(["none", "unknown", "?", "a"])
    assert column.nullable
    assert set(column.levels) == {"none", "unknown", "a"}


def test_a_few_words_among_numbers_break_the_contract_and_it_says_so() -> None:
    column = of([str(i % 50) for i in range(200)] + ["oops"])
    assert column.kind == "integer"
    assert "0.50% of the values are not numbers" in column.note


def test_many_words_among_numbers_make_a_category_and_it_says_so() -> None:
    column = of(["1", "2", "3", "low"] * 5)
    assert column.kind == "category"
    assert "75.0% of the values are numbers" in column.note


def test_ambiguous_dates_are_doubted() -> None:
    assert "day and month could be the other way round" in of(["01/02/2024", "03/04/2024"]).note


@pytest.mark.parametrize(
    ("name", "values", "left_out"),
    [
        ("claim_id", [f"C{i}" for i in range(60)], True),
        ("row_no", list(range(100, 2 * 60 + 100, 2)), True),
        ("anything", list(range(60)), True),
        ("price", [i * i for i in range(60)], False),
        ("measure", [i / 7 for i in range(60)], False),
    ],
)
def test_identifiers_are_left_out_and_prices_are_not(name: str, values: list, left_out: bool) -> None:
    column = infer_contract(pl.DataFrame({name: values})).columns[0]
    assert (not column.used) == left_out
    assert bool(column.note) == left_out


def test_an_identifier_can_be_kept() -> None:
    column = infer_contract(pl.DataFrame({"x_id": [f"C{i}" for i in range(60)]}), kept=("x_id",)).columns[0]
    assert (column.kind, column.used) == ("category", True)


def test_columns_are_left_out_for_a_given_reason() -> None:
    column = of([1, 2], left_out={"x": "known only afterwards"})
    assert (column.used, column.note) == (False, "known only afterwards")


def test_ranges_and_levels_are_learned() -> None:
    contract = infer_contract(pl.DataFrame({"n": [3, 1, 2], "c": ["b", "a", "b"]}))
    assert (contract.columns[0].low, contract.columns[0].high) == (1, 3)
    assert contract.columns[1].levels == ("b", "a")


def test_wide_tables_and_single_rows_work() -> None:
    wide = pl.DataFrame(np.random.default_rng(0).normal(size=(50, 2000)))
    assert set(kinds(infer_contract(wide)).values()) == {"number"}
    assert kinds(infer_contract(wide.head(1))) == dict.fromkeys(wide.columns, "constant")


def test_a_column_may_be_called_count() -> None:
    frame = pl.DataFrame({"count": ["a", "b", "a"] * 10})
    assert infer_contract(frame).columns[0].levels == ("a", "b")
