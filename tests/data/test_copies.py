"""Which rows are the same case twice."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.data.contract import infer_contract
from understudy.data.copies import Copies, find_copies, joined
from understudy.data.split import folds, split


def parts(n: int = 300, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {"length": rng.normal(size=n), "width": rng.normal(size=n), "maker": rng.choice(["a", "b", "c"], n)}
    )


def copies_in(table: pl.DataFrame) -> Copies | None:
    return find_copies(table, infer_contract(table))


def test_a_table_without_copies_has_none() -> None:
    assert copies_in(parts()) is None


def test_copied_rows_share_a_code_and_are_counted() -> None:
    found = copies_in(pl.concat([parts(), parts()[:20], parts()[:5]]))
    assert found is not None
    assert (found.exact, found.near, found.sets) == (25, 0, 20)
    assert found.codes[0] == found.codes[300] == found.codes[320]
    assert len(np.unique(found.codes)) == 300


def test_rows_that_differ_by_a_hair_are_nearly_copies() -> None:
    again = parts()[:20].with_columns(pl.col("length") + 1e-9)
    found = copies_in(pl.concat([parts(), again]))
    assert found is not None
    assert (found.exact, found.near) == (0, 20)


def test_texts_that_differ_in_digits_and_signs_are_nearly_copies() -> None:
    texts = [f"message {name} of the day for nobody in particular" for name in "abcdefghijklmnopqrstuvwxyz" * 3]
    texts = [f"{text} {k} {chr(97 + k % 26) * (k // 26 + 1)}" for k, text in enumerate(texts)]
    found = copies_in(pl.DataFrame({"text": [*texts, "Message B of the day; for nobody, in particular 99 b!"]}))
    assert found is not None
    assert (found.exact, found.near, found.sets) == (0, 1, 1)


def test_few_levels_repeat_by_chance_and_are_no_copies() -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({f"c{k}": rng.choice(list("abcd"), 2000) for k in range(5)})
    assert table.n_unique() < 1100
    assert copies_in(table) is None


def test_columns_that_go_together_do_not_make_chance_look_like_copying() -> None:
    rng = np.random.default_rng(1)
    town, age = rng.integers(0, 40, 3000), rng.integers(20, 60, 3000)
    table = pl.DataFrame(
        {"town": town, "region": town // 5, "age": age, "old": age // 10, "sex": rng.integers(0, 2, 3000)}
    )
    assert table.n_unique() < 2200
    assert copies_in(table) is None


def test_copies_of_rows_of_words_are_found_where_chance_would_bring_none() -> None:
    rng = np.random.default_rng(2)
    table = pl.DataFrame({f"c{k}": rng.choice(list("abcde"), 500) for k in range(20)})
    found = copies_in(pl.concat([table, table[:30]]))
    assert found is not None
    assert found.exact == 30


def test_a_case_that_is_met_all_the_time_is_no_copy() -> None:
    table = pl.concat([parts(), *[parts()[:1]] * 100, parts()[5:10]])
    found = copies_in(table)
    assert found is not None
    assert found.exact == 5


def test_groups_and_copies_are_joined_through_each_other() -> None:
    groups, copies = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1, 2, 2])
    assert joined(groups, copies).tolist() == [0, 0, 0, 1, 1]
    assert joined(groups, None) is groups


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scheme=st.sampled_from(["time", "group", "stratified", "random"]),
    repeated=st.integers(1, 20),
)
def test_copies_never_stand_on_both_sides(seed: int, scheme: str, repeated: int) -> None:
    rng, n = np.random.default_rng(seed), 200
    copies = np.arange(n)
    copies[rng.permutation(n)[:repeated]] = rng.integers(0, n, repeated)
    order = rng.integers(0, 1000, n) if scheme == "time" else None
    groups = np.arange(n) // 2 if scheme == "group" else None
    strata = rng.integers(0, 3, n) if scheme == "stratified" else None
    made = split(n, order=order, groups=groups, strata=strata, copies=copies, seed=seed)
    assert made.scheme == scheme
    sides = [set(copies[part]) for part in (made.train, made.validation, made.test, made.history)]
    assert sum(len(side) for side in sides) == len(np.unique(copies))
    for fold in folds(scheme, n=n, k=4, order=order, groups=groups, strata=strata, copies=copies, seed=seed):
        assert not set(copies[fold.fit]) & set(copies[fold.score])
