"""Whether rows stand in the order of time, where nobody said so."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

from understudy.data import order
from understudy.data.contract import infer_contract
from understudy.data.order import Order, find_order, neighbours, steps_round

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def found(table: pl.DataFrame, y: np.ndarray, kind: str = "classification") -> Order:
    contract = infer_contract(table)
    frame = table.select(column.name for column in contract.used)
    return find_order(table, frame, contract, y, kind=kind)


def wandering(n: int, seed: int = 0) -> np.ndarray:
    """Answers that stay as they are for a while."""
    rng = np.random.default_rng(seed)
    level = np.cumsum(rng.normal(size=n)) / 5
    return (level + rng.normal(size=n) > np.median(level)).astype(np.int64)


def noise(n: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y", "z"], n), "c": rng.normal(size=n)})


def days(n: int) -> list[date]:
    return [date(2024, 1, 1) + timedelta(days=k) for k in range(n)]


def alarms(runs: int) -> int:
    """In how many shuffled tables an order is seen."""
    rng, count = np.random.default_rng(7), 0
    for run in range(runs):
        n = 120
        table = noise(n, seed=run).with_columns(d=pl.Series(np.sort(rng.normal(size=n))[rng.permutation(n)]))
        y = np.sort((rng.random(n) < 0.3).astype(np.int64))[rng.permutation(n)]
        count += bool(find_order(table, table, infer_contract(table), y, kind="classification", seed=run).signs)
    return count


def test_shuffled_tables_are_rarely_said_to_stand_in_an_order() -> None:
    assert alarms(200) <= stats.binom.ppf(0.999, 200, order.ALPHA)


def test_without_its_permutation_tests_it_would_see_orders_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "ALPHA", 1.0)
    assert alarms(60) > stats.binom.ppf(0.999, 60, 0.01)


def test_the_test_of_neighbours_is_exact_under_shuffling() -> None:
    rng = np.random.default_rng(3)
    p = [neighbours(rng.permutation(60) % 3, "classification", seed).p or 0.0 for seed in range(200)]
    assert sum(value <= 0.1 for value in p) <= stats.binom.ppf(0.999, 200, 0.1)
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_agreement_is_that_of_a_hand_count() -> None:
    classes = np.array([[0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]])
    lags = {lag: np.mean(classes[0, lag:] == classes[0, :-lag]) for lag in order.LAGS}
    assert order.agreement(classes) == pytest.approx((np.mean(list(lags.values())) - 0.5) / 0.5)


def test_rows_sorted_by_a_date_are_in_the_order_of_time_up_or_down() -> None:
    y = np.arange(300) % 2
    for when in (days(300), days(300)[::-1]):
        assert found(noise(300).with_columns(day=pl.Series(when)), y).time == "day"


def test_of_several_dates_the_one_that_rows_are_sorted_by_is_taken_and_of_unsorted_ones_none() -> None:
    rng, y = np.random.default_rng(0), np.arange(300) % 2
    mixed = [days(300)[k] for k in rng.permutation(300)]
    table = noise(300).with_columns(seen=pl.Series(mixed), sent=pl.Series(days(300)))
    assert found(table, y).time == "sent"
    other = [days(300)[k] for k in rng.permutation(300)]
    assert found(noise(300).with_columns(seen=pl.Series(mixed), sent=pl.Series(other)), y).time is None
    assert found(noise(300).with_columns(seen=pl.Series(mixed)), y).time == "seen"


@pytest.mark.parametrize("name", ["birth_date", "valid_until", "due", "member_since"])
def test_dates_of_something_else_are_no_time(name: str) -> None:
    assert found(noise(300).with_columns(pl.Series(name, days(300))), np.arange(300) % 2).time is None


def test_a_sorted_column_named_as_time_and_answers_that_last_are_the_order_of_time() -> None:
    week = pl.Series(np.arange(600) // 12)
    seen = found(noise(600).with_columns(week=week), wandering(600))
    assert seen.time == "row order"
    assert "sorted by week" in seen.words
    assert found(noise(600).with_columns(price=week), wandering(600)).time is None
    assert found(noise(600).with_columns(week=week), np.random.default_rng(0).integers(0, 2, 600)).time is None


def test_names_of_months_that_go_round_are_a_clock_even_where_some_are_missing() -> None:
    names = [name for _ in range(6) for name in MONTHS if name not in ("jan", "feb") for _ in range(10)]
    seen = found(noise(600).with_columns(month=pl.Series(names)), wandering(600))
    assert seen.time == "row order"
    assert "month goes round" in seen.words


def test_a_number_that_goes_round_is_a_clock_and_one_that_starts_anew_at_any_height_is_not() -> None:
    assert steps_round(np.tile(np.arange(24), 10), named=False) == 1.0
    lengths = np.random.default_rng(0).integers(20, 60, 30)
    assert steps_round(np.concatenate([np.arange(length) for length in lengths]), named=False) == 0.0


def test_rows_sorted_by_place_are_told_and_not_taken_for_time() -> None:
    place = np.linspace(0, 1, 800) + np.random.default_rng(0).normal(0, 0.3, 800)
    seen = found(noise(800).with_columns(longitude=pl.Series(place)), wandering(800))
    assert seen.time is None
    assert {sign.kind for sign in seen.signs} == {"neighbours", "drift"}


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_rows_sorted_by_their_answer_say_nothing_of_time(kind: str) -> None:
    y = np.sort(np.random.default_rng(0).integers(0, 3, 400)) if kind == "classification" else np.arange(400.0)
    seen = found(noise(400), y, kind)
    assert (seen.time, [sign.kind for sign in seen.signs]) == (None, ["answers"])


def test_few_rows_and_long_tables_are_looked_at_with_care() -> None:
    assert found(noise(50), np.arange(50) % 2).signs == ()
    long = np.tile(np.repeat([0, 1], 40), 500)
    assert neighbours(long, "classification", 0).value > 0.8
