"""Counters over frozen bins: a whole is the sum of its parts."""

import os
import subprocess
import sys
from datetime import datetime
from functools import reduce
from itertools import pairwise
from operator import add

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.data.contract import Column, Contract
from understudy.monitoring import bins as bins_module
from understudy.monitoring.bins import Bins, Counters, cells, count, freeze_bins, measured, newcomers, without_itself

KINDS = {"number": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean, "category": pl.String, "text": pl.String}


def one_column(kind: str, values: list[object]) -> tuple[Contract, pl.DataFrame]:
    contract = Contract(columns=(Column(name="x", kind=kind, nullable=True),))
    return contract, pl.DataFrame({"x": pl.Series(values, dtype=KINDS.get(kind, pl.Datetime("us")))})


def frozen(kind: str, values: list[object], **more: str) -> tuple[Bins, ...]:
    contract, frame = one_column(kind, values)
    return freeze_bins(frame, contract, **more)


def mixed(n: int, seed: int) -> tuple[Contract, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "amount": [None if rng.random() < 0.1 else value for value in rng.normal(0, 10, n).tolist()],
            "job": rng.choice(["cook", "nurse", "pilot", None], n).tolist(),
            "note": [" ".join(rng.choice(["red", "green", "blue", "odd"], 3)) for _ in range(n)],
        },
        schema={"amount": pl.Float64, "job": pl.String, "note": pl.String},
    )
    kinds = {"amount": "number", "job": "category", "note": "text"}
    return Contract(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items())), frame


COUNTERS = st.lists(st.integers(0, 10**15), min_size=4, max_size=4).map(
    lambda cells: Counters(counts=(tuple(cells[:1]), tuple(cells[1:])))
)


@given(COUNTERS, COUNTERS, COUNTERS)
def test_counters_add_up_in_any_order_and_grouping(a: Counters, b: Counters, c: Counters) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 120), max_size=5), seed=st.integers(0, 20))
def test_counting_the_whole_is_adding_up_the_counts_of_its_parts(cuts: list[int], seed: int) -> None:
    contract, reference = mixed(200, 0)
    bins = freeze_bins(reference, contract)
    frame = mixed(120, seed + 1)[1]
    ends = [0, *sorted(cuts), 120]
    parts = [frame[start:end] for start, end in pairwise(ends)]
    assert reduce(add, (count(bins, part) for part in parts)) == count(bins, frame)


def test_counters_of_different_bins_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="argument"):
        Counters(counts=((1, 2),)) + Counters(counts=((1, 2, 3),))


def test_every_row_is_in_exactly_one_cell_of_each_measure() -> None:
    contract, frame = mixed(300, 3)
    bins = freeze_bins(frame, contract)
    counters = count(bins, frame)
    assert [sum(counts) for counts in counters.counts] == [300] * len(bins)
    assert [len(counts) for counts in counters.counts] == [one.cells for one in bins]


def test_numbers_fall_into_at_most_32_about_equal_bins() -> None:
    contract, frame = one_column("number", np.random.default_rng(0).normal(size=6400).tolist())
    (bins,) = freeze_bins(frame, contract)
    (counts,) = count((bins,), frame).counts
    assert len(counts) == 32 + 2
    assert max(counts[:-2]) - min(counts[:-2]) <= 2
    assert counts[-2:] == (0, 0)


def test_an_edge_belongs_to_the_bin_above_it_and_the_ends_to_the_range() -> None:
    (bins,) = frozen("integer", [1, 2, 3, 4] * 10)
    assert bins.edges == (2.0, 3.0, 4.0)
    places = cells(bins, pl.Series([1, 2, 4, 0, 5, None], dtype=pl.Int64))
    assert places.tolist() == [0, 1, 3, 4, 4, 5]


def test_levels_are_counted_the_most_frequent_first_and_the_rest_together() -> None:
    (bins,) = frozen("category", ["b", "a", "b", "c", None])
    assert bins.levels == ("b", "a", "c")
    assert cells(bins, pl.Series(["c", "zebra", None, "b"])).tolist() == [2, 3, 4, 0]


def test_at_most_254_levels_have_a_cell_of_their_own() -> None:
    contract, frame = one_column("category", [f"level {i}" for i in range(400)])
    (bins,) = freeze_bins(frame, contract)
    assert len(bins.levels) == 254
    assert count((bins,), frame).counts[0][-2:] == (146, 0)


def test_a_column_may_be_called_count_or_level() -> None:
    names = ("count", "level")
    contract = Contract(columns=tuple(Column(name=name, kind="category") for name in names))
    frame = pl.DataFrame({name: ["a", "b", "a"] for name in names})
    assert count(freeze_bins(frame, contract), frame).counts == ((2, 1, 0, 0),) * 2


def test_text_is_measured_by_its_length_and_its_share_of_new_words() -> None:
    length, share = frozen("text", ["The red car", "a RED bus"])
    assert (length.measure, share.measure) == ("length", "new words")
    assert set(share.vocabulary) == {"the", "red", "car", "bus"}
    texts = pl.Series(["red Car", "blue car", "x y", None, "ünï_çode red"])
    np.testing.assert_array_equal(measured(share, texts), [0.0, 0.5, 0.0, np.nan, 2 / 3])
    np.testing.assert_array_equal(measured(length, texts), [7, 8, 3, np.nan, 12])


def test_a_reference_text_does_not_make_its_own_words_known() -> None:
    share = frozen("text", ["red car", "red bus"])[1]
    assert share.vocabulary == ("red", "bus", "car")
    np.testing.assert_array_equal(measured(without_itself(share), pl.Series(["red car", "red red"])), [0.5, 0.0])


def test_the_vocabulary_keeps_the_words_of_the_most_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bins_module, "VOCABULARY", 3)
    assert frozen("text", ["zz mm aa", "zz mm bb", "zz cc"])[1].vocabulary == ("zz", "mm", "aa")


def test_the_vocabulary_does_not_depend_on_the_process() -> None:
    program = (
        "import polars as pl; from understudy.monitoring import bins; bins.VOCABULARY = 20\n"
        "print(bins.reference_words(pl.Series([f'word{i} more{i}' for i in range(50)])))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_a_time_is_measured_by_date_hour_and_weekday() -> None:
    moments = [datetime(2024, 1, day, hour) for day in (1, 2, 3) for hour in (8, 12)]
    bins = frozen("datetime", moments)
    assert [one.measure for one in bins] == ["elapsed", "hour", "weekday"]
    later = pl.Series([datetime(2030, 1, 7, 8)], dtype=pl.Datetime("us"))
    assert [cells(one, later).item() == one.cells - 2 for one in bins] == [True, False, False]


def test_the_clock_is_measured_by_hour_and_weekday_only() -> None:
    assert [one.measure for one in frozen("datetime", [datetime(2024, 1, 1)], clock_column="x")] == ["hour", "weekday"]


@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "category", "text", "datetime"])
def test_a_column_without_any_value_can_be_counted(kind: str) -> None:
    contract, frame = one_column(kind, [None, None])
    bins = freeze_bins(frame, contract)
    assert all(counts[-1] == 2 and sum(counts) == 2 for counts in count(bins, frame).counts)


@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "category", "text", "datetime"])
def test_no_rows_count_nothing(kind: str) -> None:
    contract, frame = one_column(kind, [])
    bins = freeze_bins(frame, contract)
    assert all(sum(counts) == 0 for counts in count(bins, frame).counts)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("category", ["a", "a", "b", "c", None], 2),
        ("category", ["a", "a", "b", "b"], 0),
        ("integer", [1, 2, 2, 3], 2),
        ("integer", [1, 1, 2, 3], 1),
        ("integer", [1, 1, 3, 3, None], 1),
        ("integer", [7], 1),
        ("number", [None], 1),
    ],
)
def test_newcomers_are_the_rows_that_the_others_do_not_foresee(kind: str, values: list[object], expected: int) -> None:
    contract, frame = one_column(kind, values)
    (bins,) = freeze_bins(frame, contract)
    assert newcomers(bins, frame["x"]) == expected


def test_bins_and_counters_survive_storage() -> None:
    contract, frame = mixed(100, 5)
    bins = freeze_bins(frame, contract)
    counters = count(bins, frame)
    assert msgspec.json.decode(msgspec.json.encode(bins), type=tuple[Bins, ...]) == bins
    assert msgspec.json.decode(msgspec.json.encode(counters), type=Counters) == counters
