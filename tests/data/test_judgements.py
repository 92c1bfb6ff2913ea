"""People's decisions, in columns and in rows."""

import polars as pl
import pytest

from understudy.core.errors import DataError
from understudy.core.task import Today
from understudy.data.judgements import judgement_columns, judgements, one_each, together

GIVEN = pl.DataFrame({"a": ["no", "no", None, None], "b": ["yes", "no", "yes", None], "c": ["yes", "yes", None, None]})


def test_patterns_name_columns_once_and_names_with_odd_signs_are_names() -> None:
    columns = ["judge_a", "judge_b", "size[cm]", "age"]
    assert judgement_columns(Today(columns=("judge_b", "judge_*")), columns) == ("judge_b", "judge_a")
    assert judgement_columns(Today(columns=("size[cm]",)), columns) == ("size[cm]",)
    assert judgement_columns(Today(), columns) == ()


@pytest.mark.parametrize("today", [Today(column="clerk"), Today(columns=("judge_a", "clerk_*"))])
def test_a_column_that_is_not_there_is_named(today: Today) -> None:
    with pytest.raises(DataError, match="'clerk"):
        judgement_columns(today, ["judge_a"])


def test_the_majority_needs_more_than_half_for_the_positive_answer() -> None:
    assert together(GIVEN).to_list() == ["yes", "no", "yes", None]
    tie = GIVEN.select("a", "b")
    assert together(tie).to_list()[0] == "no"
    assert together(tie, positive="no").to_list()[0] == "yes"


def test_numbers_meet_in_their_median() -> None:
    assert together(pl.DataFrame({"a": [1.0, None], "b": [5.0, None], "c": [2.0, 4.0]})).to_list() == [2.0, 4.0]


def test_nobody_said_anything() -> None:
    empty = pl.DataFrame({"a": pl.Series([None, None], dtype=pl.String), "b": pl.Series([None, None], dtype=pl.String)})
    assert together(empty).to_list() == one_each(empty).to_list() == [None, None]


def test_people_take_turns() -> None:
    assert one_each(GIVEN).to_list() == ["no", "no", "yes", None]
    assert one_each(GIVEN.select("b")).to_list() == GIVEN["b"].to_list()


def test_decisions_are_read_like_the_target() -> None:
    table = pl.DataFrame({"a": [" yes", "", "NA"], "b": [1.0, 2.0, None], "c": ["1.5", "x", None]})
    assert judgements(table, Today(columns=("a", "b")), "classification").rows() == [
        ("yes", "1"),
        (None, "2"),
        (None, None),
    ]
    assert judgements(table, Today(column="c"), "regression")["c"].to_list() == [1.5, None, None]
