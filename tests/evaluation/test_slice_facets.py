"""Columns are cut into cells and predicates, told in words and as conditions that mean the same rows."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.data.conditions import compile_conditions
from understudy.evaluation.slice_cuts import MOST_VALUES, cuts, possible_cuts, rounder_number, rounder_time, tree_cuts
from understudy.evaluation.slice_facets import Facet
from understudy.evaluation.slice_rows import column_facets

N = 400


def facets(values: pl.Series, *, prose: bool = False, least: int = 5, excess: np.ndarray | None = None) -> list[Facet]:
    return column_facets(values, np.zeros(len(values)) if excess is None else excess, prose=prose, least=least)


def words(values: pl.Series, **given: object) -> list[str]:
    return [one.words for facet in facets(values, **given) for one in facet.predicates]  # type: ignore[arg-type]


def columns() -> dict[str, pl.Series]:
    rng = np.random.default_rng(0)
    times = [datetime(2023, 1, 1) + timedelta(hours=int(hour)) for hour in rng.integers(0, 8760, N)]
    texts = [" ".join(rng.choice(["Free", "prize", "it's", "card", "über", "freedom"], 3)) for _ in range(N)]
    return {
        "number": pl.Series('Net "pay", €', rng.normal(0, 1e-3, N)),
        "large": pl.Series("large", rng.lognormal(30, 3, N)),
        "infinite": pl.Series("infinite", rng.choice([-np.inf, -2.0, 0.0, 3.5, np.inf], N)),
        "whole": pl.Series("age", rng.integers(-5, 60, N)),
        "word": pl.Series("it's", rng.choice(["O'Brien", '"', "a b", "", "Ünal", "%_"], N)),
        "many": pl.Series("city", [f"city {one}" for one in rng.zipf(1.3, N) % 500]),
        "truth": pl.Series("vip", rng.random(N) < 0.3),
        "rare truth": pl.Series("vip", rng.random(N) < 0.005),
        "time": pl.Series("at", times).cast(pl.Datetime("us")),
        "day": pl.Series("day", [date(2020, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 900, N)]),
        "text": pl.Series("text", texts),
    }


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("kind", columns())
def test_a_condition_holds_for_exactly_the_rows_of_its_predicate(kind: str, missing: bool) -> None:
    values = columns()[kind]
    if missing:
        values = values.set(pl.Series(np.arange(N) % 7 == 0), None)
    excess = np.random.default_rng(1).random(N)
    checked = 0
    for facet in facets(values, prose=kind == "text", excess=excess):
        cells = facet.read(values)
        conditions = compile_conditions([one.condition for one in facet.predicates], {values.name: values.dtype})
        held = np.array(conditions.hold([{values.name: value} for value in values.to_list()]))
        for place, predicate in enumerate(facet.predicates):
            expected = facet.holds[place][cells]
            assert ((held[:, place] == True) == expected).all(), predicate  # noqa: E712
            checked += 1
    assert checked


def test_predicates_are_told_in_plain_words() -> None:
    whole = pl.Series("age", [18, 19, 20, 1200, 1201] * 8)
    assert {"age is under 20", "age is 1,201 or more", "age is 19", "age is from 20 to 1,200"} <= {*words(whole)}
    year = pl.Series("year", [1999, 2005, 2020] * 8)
    assert "year is 2000 or more" in words(year)
    share = pl.Series("share", [0.0, 0.25, 1500.0] * 8)
    assert {"share is from 0.2 to under 1,000", "share is under 0.2"} <= {*words(share)}
    assert {"job is cook", "job is empty"} <= {*words(pl.Series("job", ["cook", "", "nurse"] * 8))}
    assert {"vip is true", "vip is false"} <= {*words(pl.Series("vip", [True, False, None] * 8))}
    assert {"vip is missing", "vip is known"} <= {*words(pl.Series("vip", [True, False, None] * 8))}
    at = pl.Series("at", [datetime(2024, 3, 4, 7), datetime(2024, 5, 5, 22), None] * 8)
    assert {"month of at is March", "weekday of at is Sunday", "hour of at is under 20"} <= {*words(at)}
    assert "at is 2024-05-01 or later" in words(at)
    text = pl.Series("text", ["Free prize", "a refund"] * 8)
    assert "text contains “free”" in words(text, prose=True, excess=np.tile([1.0, 0.0], 8))


def test_rare_levels_are_pooled_and_told_by_what_they_are_not() -> None:
    jobs = pl.Series("job", ["cook"] * 30 + ["nurse"] * 30 + [f"job {one}" for one in range(30)])
    (facet,) = facets(jobs)
    pooled = next(place for place, one in enumerate(facet.predicates) if "none of" in one.words)
    assert facet.predicates[pooled].condition == "\"job\" NOT IN ('cook', 'nurse')"
    assert facet.holds[pooled][facet.read(jobs)].sum() == 30


def test_of_very_many_levels_the_ones_that_tell_most_are_kept() -> None:
    codes = np.arange(20_000) % 1000
    city = pl.Series("city", [f"c{code}" for code in codes])
    said = words(city, excess=np.where(codes == 717, 1.0, -0.001))
    assert "city is c717" in said
    assert len(said) < 40


def test_a_level_that_was_not_met_before_falls_among_the_others() -> None:
    (facet,) = facets(pl.Series("job", ["cook"] * 10 + ["nurse"] * 10))
    cells = facet.read(pl.Series("job", ["pilot", None, "cook"]))
    assert [one.words for place, one in enumerate(facet.predicates) if facet.holds[place][cells[0]]] == [
        "job is none of its 2 common values",
        "job is known",
    ]
    assert facet.predicates[int(np.flatnonzero(facet.holds[:, cells[1]])[0])].words == "job is missing"


@pytest.mark.parametrize(
    "values",
    [
        pl.Series("x", [None] * 20, dtype=pl.String),
        pl.Series("x", [None] * 20, dtype=pl.Null),
        pl.Series("x", [5.0] * 20),
        pl.Series("x", [np.inf] * 20),
        pl.Series("x", [[1, 2]] * 20),
        pl.Series("x", [f"id {one}" for one in range(20)]),
        pl.Series("x", [], dtype=pl.Float64),
        pl.Series("x", [], dtype=pl.String),
        pl.Series("x", [], dtype=pl.Datetime("us")),
    ],
    ids=lambda values: f"{values.dtype}",
)
def test_a_column_that_parts_nothing_has_no_facet(values: pl.Series) -> None:
    assert facets(values) == []


def test_text_is_read_by_its_words_whatever_their_capitals() -> None:
    text = pl.Series("text", ["Win a PRIZE now", "prizes", "no prize!", None] * 6)
    found = facets(text, prose=True, excess=np.tile([1.0, -1.0, 1.0, 0.0], 6))
    prize = next(facet for facet in found if facet.predicates[0].words == "text contains “prize”")
    assert prize.read(text)[:4].tolist() == [1, 0, 1, 0]


def test_a_cut_lies_where_the_loss_changes() -> None:
    rng = np.random.default_rng(0)
    amount = rng.lognormal(7, 1, 5000)
    edges = cuts(amount, (amount >= 1200) * 1.0, least=30, rounder=rounder_number)
    assert 1200.0 in edges
    assert len(edges) <= 8


def test_cuts_part_as_the_values_of_a_sample_do_in_a_long_column() -> None:
    n = 3 * MOST_VALUES
    edges = cuts(np.arange(n, dtype=float), (np.arange(n) >= n // 3) * 1.0, least=30, rounder=rounder_number)
    assert np.min(np.abs(edges - n // 3)) <= n / 200


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=60))
def test_each_cut_has_values_on_both_sides(values: list[int]) -> None:
    numbers = np.array(values, dtype=float)
    for edge in cuts(numbers, np.cos(numbers), least=1, rounder=rounder_number):
        assert (numbers < edge).any()
        assert (numbers >= edge).any()


def test_a_tree_cuts_a_step_where_an_exhaustive_search_does() -> None:
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=200))
    starts, path = np.arange(1, 200), np.concatenate([[0], np.cumsum(values)])
    losses = [np.var(values[:at]) * at + np.var(values[at:]) * (200 - at) for at in starts]
    assert tree_cuts(starts, path, least=1)[0] == starts[int(np.argmin(losses))]


def test_possible_cuts_stand_between_different_values_only() -> None:
    ordered = np.sort(np.random.default_rng(0).integers(0, 700, 5000)).astype(float)
    places = possible_cuts(ordered)
    assert len(places) <= 256
    assert (ordered[places] > ordered[places - 1]).all()


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e6))
def test_a_rounder_number_stays_inside_its_bounds(high: float, span: float) -> None:
    low = high - span
    if low < high:
        assert low < rounder_number(low, high) <= high


@pytest.mark.parametrize(
    ("low", "high", "round_"),
    [
        (datetime(2023, 11, 1), datetime(2024, 2, 3, 4), datetime(2024, 1, 1)),
        (datetime(2024, 2, 1, 1), datetime(2024, 2, 3, 4), datetime(2024, 2, 3)),
        (datetime(2024, 2, 3, 1), datetime(2024, 2, 3, 4, 30), datetime(2024, 2, 3, 4)),
        (datetime(2024, 2, 3, 4, 10), datetime(2024, 2, 3, 4, 30), datetime(2024, 2, 3, 4, 30)),
        (datetime(1950, 6, 1), datetime(1952, 6, 1), datetime(1952, 1, 1)),
    ],
)
def test_a_rounder_time_begins_a_year_a_month_a_day_or_an_hour(low: datetime, high: datetime, round_: datetime) -> None:
    low_, high_, expected = (moment.replace(tzinfo=UTC).timestamp() * 1e6 for moment in (low, high, round_))
    assert rounder_time(low_, high_) == expected
