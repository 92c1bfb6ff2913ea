"""The target as classes or numbers."""

import polars as pl
import pytest

from understudy.core.errors import DataError
from understudy.data.answers import read_answers, target_answers


def test_the_positive_answer_comes_last() -> None:
    answers = read_answers(pl.Series(["no", "yes", "no"]), kind="classification", positive="no", target="y")
    assert answers.labels == ("yes", "no")
    assert answers.y.tolist() == [1, 0, 1]


def test_numbers_as_classes_are_sorted_by_value_and_written_without_a_point() -> None:
    answers = read_answers(pl.Series([10.0, 2.0, 10.0]), kind="classification", positive=None, target="y")
    assert answers.labels == ("2", "10")


def test_words_for_no_value_are_no_answers() -> None:
    assert target_answers(pl.DataFrame({"y": ["a", "?", " ", "b "]}), "y").to_list() == ["a", None, None, "b"]


@pytest.mark.parametrize(
    ("values", "kind", "positive", "message"),
    [
        (["a", "a"], "classification", None, "always 'a': there is nothing to learn"),
        (["a", "b"], "classification", "c", "'c' does not occur in 'y'; there are a, b"),
        (["1", "x"], "regression", None, "is 'x' in 1 rows, where a finite number is expected"),
        ([1.0, float("inf")], "regression", None, "is inf in 1 rows"),
        ([2.0, 2.0], "regression", None, "always 2.0"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(
    values: list, kind: str, positive: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_answers(pl.Series(values), kind=kind, positive=positive, target="y")
