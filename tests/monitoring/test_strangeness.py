"""Strangeness keeps its promise on ordinary cases, and sees the alien ones."""

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from understudy.core.errors import DataError
from understudy.data.contract import Column, Contract
from understudy.monitoring.bins import Bins
from understudy.monitoring.strangeness import (
    MOST_KEPT,
    Strangeness,
    beyond_ranges,
    contributions,
    fit_strangeness,
    kept,
    scores,
    strangeness,
)

KINDS = {pl.Float64: "number", pl.Int64: "integer", pl.String: "category", pl.Boolean: "boolean"}


def contract_of(frame: pl.DataFrame, **kinds: str) -> Contract:
    return Contract(
        columns=tuple(
            Column(name=name, kind=kinds.get(name, KINDS.get(dtype, "datetime")), nullable=True)
            for name, dtype in frame.schema.items()
        )
    )


def ordinary(n: int, rng: np.random.Generator) -> pl.DataFrame:
    """Fifty columns: 44 continuous ones, 4 of counts, 2 of levels."""
    columns: dict[str, np.ndarray] = {f"x{i}": rng.normal(size=n) for i in range(44)}
    columns |= {f"n{i}": rng.poisson(3, n) for i in range(4)}
    columns |= {f"c{i}": rng.choice(list("abcd"), n, p=(0.6, 0.25, 0.1, 0.05)) for i in range(2)}
    return pl.DataFrame(columns)


@pytest.fixture(scope="module")
def fifty() -> tuple[Strangeness, pl.DataFrame]:
    rng = np.random.default_rng(0)
    reference = ordinary(4000, rng)
    return fit_strangeness(reference, ordinary(3000, rng), contract_of(reference)), ordinary(300, rng)


def altered(frame: pl.DataFrame, name: str, value: object) -> pl.DataFrame:
    return frame.with_columns(pl.lit(value, dtype=frame.schema[name]).alias(name))


@pytest.mark.parametrize(
    ("name", "value"),
    [("c0", "zebra"), ("x7", 500.0), ("x7", -500.0), ("x7", 1.7e308), ("n1", 10_000), ("n1", -(2**62))],
)
def test_one_alien_value_among_fifty_ordinary_ones_shows(
    fifty: tuple[Strangeness, pl.DataFrame], name: str, value: object
) -> None:
    model, frame = fifty
    assert strangeness(model, altered(frame, name, value)).min() > 0.999


@pytest.mark.parametrize("name", ["c1", "x3", "n2"])
def test_a_missing_value_where_none_was_missing_shows(fifty: tuple[Strangeness, pl.DataFrame], name: str) -> None:
    model, frame = fifty
    assert strangeness(model, altered(frame, name, None)).min() > 0.999


def test_many_slightly_odd_values_show_too(fifty: tuple[Strangeness, pl.DataFrame]) -> None:
    model, frame = fifty
    tilted = frame.with_columns(pl.col("^x.*$").sign() * 1.8)
    assert np.median(strangeness(model, frame)) < 0.7
    assert strangeness(model, tilted).min() > 0.999


def test_a_number_a_little_beyond_the_range_is_less_strange_than_one_far_beyond() -> None:
    rng = np.random.default_rng(3)
    reference, calibration = (pl.DataFrame({"x": rng.normal(size=2000)}) for _ in range(2))
    model = fit_strangeness(reference, calibration, contract_of(reference))
    distances = pl.DataFrame({"x": [model.bins[0].high + step for step in (1e-9, 0.1, 1.0, 10.0, 1e3, 1e9, 1e300)]})
    assert (np.diff(scores(model, distances)) > 0).all()
    assert (np.diff(strangeness(model, distances)) >= 0).all()


def serials(n: int, rng: np.random.Generator) -> pl.DataFrame:
    """A column in which about 5 % of the levels are new, and 20 ordinary ones."""
    new = rng.random(n) < 0.05
    tails = np.where(new, rng.integers(10**6, 10**9, n), rng.integers(0, 200, n))
    return pl.DataFrame(
        {"tail": [f"N{tail}" for tail in tails], "port": rng.choice(list("abc"), n)}
        | {f"x{i}": rng.normal(size=n) for i in range(20)}
    )


def test_unseen_levels_are_not_strange_where_they_are_common() -> None:
    rng = np.random.default_rng(1)
    reference = serials(4000, rng)
    model = fit_strangeness(reference, serials(3000, rng), contract_of(reference))
    frame = serials(400, rng)
    assert np.mean(strangeness(model, altered(frame, "tail", "N-unheard-of")) > 0.99) < 0.05


def test_common_unseen_levels_of_one_column_do_not_hide_rare_ones_of_another() -> None:
    rng = np.random.default_rng(1)
    reference = serials(4000, rng)
    model = fit_strangeness(reference, serials(3000, rng), contract_of(reference))
    assert strangeness(model, altered(serials(400, rng), "port", "zebra")).min() > 0.999


def test_unseen_levels_are_ordinary_where_every_level_is_new() -> None:
    rng = np.random.default_rng(2)
    reference, calibration, fresh = (
        pl.DataFrame({"serial": [f"{part}{i}" for i in range(2000)], "x": rng.normal(size=2000)}) for part in "abc"
    )
    model = fit_strangeness(reference, calibration, contract_of(reference))
    assert np.mean(strangeness(model, fresh) > 0.95) < 0.08


WORDS = [f"word{i}" for i in range(2000)]


def letters(n: int, rng: np.random.Generator) -> list[str]:
    share = 1 / np.arange(1, len(WORDS) + 1)
    return [" ".join(rng.choice(WORDS, 12, p=share / share.sum())) for _ in range(n)]


def test_a_text_in_another_language_is_stranger_than_one_with_a_new_word() -> None:
    rng = np.random.default_rng(4)
    reference, calibration = (pl.DataFrame({"text": letters(1500, rng)}) for _ in range(2))
    model = fit_strangeness(reference, calibration, contract_of(reference, text="text"))
    common = " ".join(f"word{i}" for i in range(100, 111))
    foreign = "lorem ipsum dolores sit amet consectetur adipiscing elit sed tempora magna quis"
    none, one, every = strangeness(model, pl.DataFrame({"text": [f"{common} word111", f"{common} novelty", foreign]}))
    assert none < 0.95
    assert one < 0.95
    assert every > 0.999


def test_a_later_date_is_strange_unless_it_is_the_clock() -> None:
    dates = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 12, 31), "3h", eager=True).alias("at")
    frame = pl.DataFrame({"at": dates.cast(pl.Datetime("us"))})
    frame = frame.sample(fraction=1, shuffle=True, seed=5)
    reference, calibration = frame[::2], frame[1::2]
    later = frame[:50].with_columns(pl.col("at").dt.offset_by("10y"))
    odd = fit_strangeness(reference, calibration, contract_of(frame))
    clock = fit_strangeness(reference, calibration, contract_of(frame), clock_column="at")
    assert strangeness(odd, later).min() > 0.999
    assert np.median(strangeness(clock, later)) < 0.9


def continuous(n: int, rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame({"x": rng.normal(size=n), "y": rng.standard_cauchy(n), "c": rng.choice(list("abcde"), n)})


def discrete(n: int, rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame({"flag": rng.random(n) < 0.1, "n": rng.binomial(3, 0.3, n)})


def tailed(n: int, rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame({"serial": [f"s{value}" for value in rng.zipf(1.5, n)], "x": rng.normal(size=n)})


@pytest.mark.parametrize("world", [continuous, discrete, tailed])
def test_ordinary_cases_are_strange_at_most_as_often_as_promised(world: object) -> None:
    """P(strangeness ≥ 1 − ε) ≤ ε over reference, calibration and case: one case per seed keeps them independent."""
    seeds, found = 400, []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 17])
        reference, calibration, case = world(80, rng), world(99, rng), world(1, rng)
        found.append(strangeness(fit_strangeness(reference, calibration, contract_of(reference)), case).item())
    for share in (0.01, 0.05, 0.1, 0.3, 0.5):
        # 1 − p is rounded: 1 − 0.05 itself counts as reached.
        broken = int(np.sum(np.array(found) >= 1 - share - 1e-12))
        assert stats.binomtest(broken, seeds, share, alternative="greater").pvalue > 0.001, (share, broken)
    if world is continuous:  # and the promise is not kept by calling nothing strange
        assert stats.binomtest(int(np.sum(np.array(found) >= 0.9)), seeds, 0.1).pvalue > 0.001


def test_thinning_many_calibration_scores_only_lowers_strangeness() -> None:
    rng = np.random.default_rng(6)
    reference = continuous(500, rng)
    calibration = continuous(4_567, rng)
    model = fit_strangeness(reference, calibration, contract_of(reference))
    assert len(model.calibration) == MOST_KEPT
    frame = continuous(2000, rng)
    exact = np.sort(scores(model, calibration))
    above = len(exact) - np.searchsorted(exact, scores(model, frame), side="left")
    expected = 1 - (1 + above) / (len(exact) + 1)
    found = strangeness(model, frame)
    assert (found <= expected + 1e-12).all()
    assert (found >= expected - 2 / MOST_KEPT).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_few_scores_are_kept_as_they_are(values: list[float]) -> None:
    assert list(kept(np.array(values))) == sorted(values)


def test_strangeness_lies_between_0_and_1_and_never_reaches_1() -> None:
    rng = np.random.default_rng(7)
    reference = continuous(200, rng)
    model = fit_strangeness(reference, continuous(49, rng), contract_of(reference))
    found = strangeness(model, pl.concat([continuous(500, rng), altered(continuous(1, rng), "x", 1e300)]))
    assert found.dtype == np.float64
    assert found.min() >= 0.0
    assert found.max() == 1 - 1 / 50


def test_a_tie_counts_as_at_least_as_strange() -> None:
    same = pl.DataFrame({"c": ["a"] * 20})
    assert strangeness(fit_strangeness(same, same, contract_of(same)), same).tolist() == [0.0] * 20


def test_it_survives_storage_even_where_calibration_is_out_of_all_proportion() -> None:
    reference = pl.DataFrame({"x": [0.0, 1e-300], "c": ["a", "b"]})
    calibration = pl.DataFrame({"x": [1.7e308, None], "c": ["z", None]})
    model = fit_strangeness(reference, calibration, contract_of(reference))
    assert np.isfinite(model.calibration).all()
    assert msgspec.json.decode(msgspec.json.encode(model), type=Strangeness) == model


@given(low=st.floats(-1e308, 1e308), width=st.floats(0, 1e308), number=st.floats(allow_nan=False, allow_infinity=False))
def test_the_surprise_beyond_a_range_is_always_finite(low: float, width: float, number: float) -> None:
    bins = Bins(name="x", column="x", measure="number", low=low, high=min(low + width, 1.7e308))
    if not bins.low <= number <= bins.high:
        found = beyond_ranges(np.array([number]), bins, 3.0)
        assert np.isfinite(found).all()
        assert found.item() >= 3.0


@pytest.mark.parametrize("heights", [(0, 5), (5, 0)])
def test_without_rows_there_is_nothing_to_compare_with(heights: tuple[int, int]) -> None:
    frame = pl.DataFrame({"x": [1.0] * 5})
    with pytest.raises(DataError, match=f"{heights[0]} rows and calibrated on {heights[1]}"):
        fit_strangeness(frame[: heights[0]], frame[: heights[1]], contract_of(frame))


def test_no_rows_have_no_strangeness(fifty: tuple[Strangeness, pl.DataFrame]) -> None:
    model, frame = fifty
    assert strangeness(model, frame[:0]).shape == (0,)


def test_contributions_name_the_column_that_is_odd(fifty: tuple[Strangeness, pl.DataFrame]) -> None:
    model, frame = fifty
    nats = contributions(model, altered(frame, "x7", 500.0))
    assert nats.shape == (frame.height, 50)
    assert (nats.argmax(axis=1) == frame.columns.index("x7")).all()


def test_contributions_add_up_the_measures_of_a_column() -> None:
    rng = np.random.default_rng(8)
    reference = pl.DataFrame({"x": rng.normal(size=200), "text": letters(200, rng)})
    model = fit_strangeness(reference, reference, contract_of(reference, text="text"))
    nats = contributions(model, pl.DataFrame({"x": [0.0], "text": ["zz"]}))
    assert nats.shape == (1, 2)
    assert nats[0, 1] > nats[0, 0]
