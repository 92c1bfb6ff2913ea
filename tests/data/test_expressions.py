"""Columns and expressions over columns, on text as it comes from CSV, and what is said when one cannot be computed."""

import polars as pl
import pytest

from understudy.core.errors import DataError
from understudy.data.expressions import columns_of, evaluate

FLIGHTS = pl.DataFrame(
    {
        "arr_delay": ["20", " 3 ", "NA", None],
        "carrier": ["UA", "AA", "UA", "B6"],
        "Arrival gate": ["1", "2", "3", "x"],
        "emp.var": ["1.5", "-1", "0", "2"],
        "day": ["2013-01-01", "2013-06-01", "2013-07-01", "2013-12-01"],
        "seats": [100, 200, 300, 400],
    }
)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("arr_delay > 15", [True, False, None, None]),
        ("arr_delay > 15 AND carrier = 'UA'", [True, False, None, False]),
        ('"Arrival gate" + seats', [101.0, 202.0, 303.0, None]),
        ('"emp.var" < 0', [False, True, False, False]),
        ("carrier IN ('UA', 'AA')", [True, True, True, False]),
        ("day < '2013-06-15'", [True, True, False, False]),
        ("CASE WHEN seats > 250 THEN 'big' ELSE 'small' END", ["small", "small", "big", "big"]),
    ],
)
def test_expressions_see_numbers_where_text_is_one(expression: str, values: list[object]) -> None:
    assert evaluate(FLIGHTS, expression, where="the target").to_list() == values


@pytest.mark.parametrize("name", ["carrier", "Arrival gate", "emp.var", "arr_delay"])
def test_a_bare_column_is_that_column_as_it_is(name: str) -> None:
    assert evaluate(FLIGHTS, name, where="the target").equals(FLIGHTS[name])
    assert columns_of(name, FLIGHTS.columns) == (name,)


def test_a_column_of_words_that_holds_some_digits_stays_words() -> None:
    frame = pl.DataFrame({"stock": ["A1", "22", "B2", "C3"]})
    assert evaluate(frame, "stock = '22'", where="a rule").to_list() == [False, True, False, False]


def test_the_columns_of_an_expression_are_named_once_and_in_order() -> None:
    assert columns_of("seats > 1 AND arr_delay > seats", FLIGHTS.columns) == ("seats", "arr_delay")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("arr_dealy > 15", "no column 'arr_dealy'.\nDid you mean 'arr_delay'?"),
        ("Carrier = 'UA'", "Did you mean 'carrier'?"),
        ("emp.var > 0", 'Inside an expression it needs double quotes: "emp.var"'),
        ("zzz > 15", "The columns are: arr_delay, carrier"),
        ("Arrival gate > 1", "neither a column nor a SQL expression"),
        ("arr_delay >", "neither a column nor a SQL expression"),
        ("", "neither a column nor a SQL expression"),
        ("arr_delay; DROP TABLE x", "neither a column nor a SQL expression"),
        ("SELECT arr_delay FROM x", "neither a column nor a SQL expression"),
        ("launch(carrier)", "launch"),
        ("1 = 1", "names no column"),
        ("carrier > 15", "words with words in single quotes"),
        ("SUM(seats)", "gives 1 value for 4 rows"),
    ],
)
def test_what_cannot_be_computed_is_explained(expression: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        evaluate(FLIGHTS, expression, where="the target")
    assert str(caught.value).startswith("the target: ")
    assert said in str(caught.value)


def test_an_empty_table_gives_an_empty_column() -> None:
    assert evaluate(FLIGHTS.clear(), "seats > 1", where="the target").to_list() == []
