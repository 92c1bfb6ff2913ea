"""Whether rows belong to somebody who comes again."""

import numpy as np
import polars as pl
import pytest

from understudy.data.contract import infer_contract
from understudy.data.groups import find_group

Y = np.arange(300) % 2


def group_of(**columns: list) -> str | None:
    table = pl.DataFrame(columns)
    found = find_group(table, infer_contract(table), Y)
    return None if found is None else found.column


@pytest.mark.parametrize("name", ["customer_id", "patient", "deviceId", "unit"])
def test_somebody_who_comes_again_is_a_group(name: str) -> None:
    assert group_of(**{name: [f"P{k % 90}" for k in range(300)], "x": list(range(0, 3000, 10))}) == name


@pytest.mark.parametrize("name", ["product_id", "zip_id", "households", "colour"])
def test_things_counts_and_other_words_are_none(name: str) -> None:
    assert group_of(**{name: [f"P{k % 90}" for k in range(300)]}) is None


def test_ids_that_do_not_come_again_and_few_kinds_are_no_groups() -> None:
    assert group_of(case_id=[f"C{k}" for k in range(300)]) is None
    assert group_of(user_id=[k % 5 for k in range(300)]) is None


def test_of_several_it_is_the_one_whose_answers_are_most_alike() -> None:
    rng = np.random.default_rng(0)
    asked, asker = rng.integers(0, 60, 300), rng.integers(0, 60, 300)
    table = pl.DataFrame({"asker_id": asker, "user_id": asked})
    found = find_group(table, infer_contract(table), asked % 2)
    assert found is not None
    assert found.column == "user_id"
    numbers = find_group(table, infer_contract(table), asked + rng.normal(0, 0.1, 300))
    assert numbers is not None
    assert numbers.column == "user_id"


def test_missing_values_do_not_stop_it() -> None:
    assert group_of(user_id=[None if k % 7 == 0 else f"u{k % 80}" for k in range(300)]) == "user_id"
