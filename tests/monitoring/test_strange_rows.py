"""The row path of strangeness against the column path: the same bits, from the standard library alone."""

import ast
import json
import sys
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from understudy.data.contract import Column, Contract
from understudy.monitoring import strange_rows
from understudy.monitoring.bins import Bins
from understudy.monitoring.strange_rows import RowStrangeness, beyond_range, new_words, outranked
from understudy.monitoring.strangeness import Strangeness, beyond_ranges, fit_strangeness, strangeness
from understudy.monitoring.strangeness import outranked as outranked_columns

SCHEMA = {
    "x": pl.Float64,
    "n": pl.Int64,
    "b": pl.Boolean,
    "c": pl.String,
    "t": pl.String,
    "d": pl.Datetime("us"),
    "clock": pl.Datetime("us"),
}
KINDS = ("number", "integer", "boolean", "category", "text", "datetime", "datetime")
CONTRACT = Contract(
    columns=(
        Column(name="skipped", kind="constant", used=False),
        *(Column(name=name, kind=kind, nullable=True) for name, kind in zip(SCHEMA, KINDS, strict=True)),
    )
)


def world(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)

    def holes(values: list[object]) -> list[object]:
        return [None if rng.random() < 0.05 else value for value in values]

    moments = [datetime(2024, 1 + int(m), 1 + int(d), int(h), 7) for m, d, h in rng.integers(0, (12, 28, 24), (n, 3))]
    words = ["red", "green", "blue", "ÄRGER", "naïve", *(f"rare{i}" for i in range(80))]
    return pl.DataFrame(
        {
            "x": holes(rng.lognormal(0, 2, n).tolist()),
            "n": holes(rng.poisson(4, n).tolist()),
            "b": holes((rng.random(n) < 0.3).tolist()),
            "c": holes([f"level {level}" for level in rng.zipf(1.6, n)]),
            "t": holes([" ".join(rng.choice(words, rng.integers(0, 6))) for _ in range(n)]),
            "d": holes(list(moments)),
            "clock": holes(list(moments)),
        },
        schema=SCHEMA,
    )


def fitted() -> Strangeness:
    return fit_strangeness(world(600, 0), world(300, 1), CONTRACT, clock_column="clock")


MODEL = fitted()
ROW = RowStrangeness(msgspec.to_builtins(MODEL))

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))
VALUES = {
    "x": st.one_of(FINITE, st.floats(-5, 500), st.just(-0.0), st.sampled_from(MODEL.bins[0].edges)),
    "n": st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-2, 20)),
    "b": st.booleans(),
    "c": st.one_of(TEXT, st.integers(0, 300).map(lambda level: f"level {level}"), st.just("true")),
    "t": st.one_of(TEXT, st.lists(st.sampled_from(["red", "Blue", "ärger", "zebra", "rare1"])).map(" ".join)),
    "d": st.one_of(MOMENTS, st.datetimes(datetime(2023, 12, 30), datetime(2025, 1, 2))),
    "clock": MOMENTS,
}
ROWS = st.lists(st.tuples(*(st.none() | values for values in VALUES.values())), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(ROWS)
@example([(None,) * 7])
@example([(1.7e308, 2**63 - 1, True, "", "", datetime(9999, 12, 31), datetime(1, 1, 1))])
def test_a_row_is_as_strange_as_its_column_says_to_the_last_bit(rows: list[tuple[object, ...]]) -> None:
    columns = strangeness(MODEL, pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    assert [ROW.score(row) for row in rows] == columns.tolist()


def test_ordinary_rows_are_as_strange_as_their_columns_say() -> None:
    frame = world(2000, 2)
    assert [ROW.score(row) for row in frame.iter_rows()] == strangeness(MODEL, frame).tolist()


def test_scores_are_the_same_with_thinned_tables_and_after_plain_json() -> None:
    model = fit_strangeness(world(3001, 3), world(2503, 4), CONTRACT)
    row = RowStrangeness(json.loads(msgspec.json.encode(model)))
    frame = world(300, 5)
    assert [row.score(values) for values in frame.iter_rows()] == strangeness(model, frame).tolist()


@pytest.mark.parametrize("name", list(SCHEMA))
def test_columns_without_a_value_in_the_reference_are_scored_alike(name: str) -> None:
    reference = world(50, 6).with_columns(pl.lit(None, dtype=SCHEMA[name]).alias(name))
    model = fit_strangeness(reference, world(50, 7), CONTRACT)
    row, frame = RowStrangeness(msgspec.to_builtins(model)), world(50, 8)
    assert [row.score(values) for values in frame.iter_rows()] == strangeness(model, frame).tolist()


@given(low=FINITE, high=FINITE, number=FINITE)
def test_beyond_the_range_row_and_column_agree(low: float, high: float, number: float) -> None:
    low, high = sorted((low, high))
    if not low <= number <= high:
        bins = Bins(name="x", column="x", measure="number", low=low, high=high)
        assert beyond_range(number, low, high, 2.5) == beyond_ranges(np.array([number]), bins, 2.5).item()


@given(a=st.floats(10, 1e12), b=st.floats(10, 1e12))
def test_surprise_grows_with_the_distance(a: float, b: float) -> None:
    near, far = sorted((a, b))
    assert beyond_range(near, 0.0, 10.0, 2.0) <= beyond_range(far, 0.0, 10.0, 2.0)
    assert beyond_range(-near, 0.0, 10.0, 2.0) <= beyond_range(-far, 0.0, 10.0, 2.0)


def test_each_doubling_of_the_distance_adds_the_same() -> None:
    steps = [beyond_range(10.0 * 2**power, 0.0, 10.0, 0.0) for power in range(5)]
    assert steps == pytest.approx([power * np.log(2) for power in range(5)])


SCORES = st.floats(0, 1e6)


@given(ordered=st.lists(SCORES, min_size=1, max_size=20).map(sorted), a=SCORES, b=SCORES)
def test_a_higher_score_outranks_no_fewer_and_row_and_column_agree(ordered: list[float], a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert outranked(ordered, low) <= outranked(ordered, high)
    assert outranked_columns(tuple(ordered), np.array([a, b])).tolist() == [
        outranked(ordered, a),
        outranked(ordered, b),
    ]


def test_beyond_the_last_score_the_rank_goes_on_growing() -> None:
    assert [outranked([1.0, 2.0], score) for score in (0.5, 1.0, 1.5, 2.0, 2.5, 4.0)] == [0, 0, 1, 1, 2.5, 4]


def test_a_text_without_words_has_no_new_ones() -> None:
    assert new_words("a , 1 _", frozenset()) == 0.0
    assert new_words("", frozenset()) == 0.0


def test_a_truth_value_is_a_level() -> None:
    frame = pl.DataFrame({"b": [True] * 90 + [False] * 10})
    contract = Contract(columns=(Column(name="b", kind="boolean"),))
    row = RowStrangeness(msgspec.to_builtins(fit_strangeness(frame, frame, contract)))
    assert row.score([True]) == 0.0
    assert row.score([False]) == pytest.approx(1 - 11 / 101)


def test_the_exported_file_needs_the_standard_library_only() -> None:
    tree = ast.parse(Path(strange_rows.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_no_logarithm_is_taken_when_a_row_is_scored() -> None:
    called = {
        node.attr
        for node in ast.walk(ast.parse(Path(strange_rows.__file__).read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not called & {"log", "log1p", "log2", "exp", "pow"}
