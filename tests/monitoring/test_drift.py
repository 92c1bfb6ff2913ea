"""Drift is told by column, in words that hold the figures, and never for mere chance or what does not matter."""

import re
from datetime import datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from evidence.promises import batches, cuts
from understudy.data.contract import Column, Contract
from understudy.evidence.shift import level_of_batch
from understudy.monitoring.bins import count
from understudy.monitoring.drift import MOST_REASONS, STRANGE, Batch, Drift, add_cases, judge_drift, open_batch
from understudy.monitoring.strangeness import Strangeness, fit_strangeness, strangeness

KINDS = {"amount": "number", "age": "integer", "job": "category", "at": "datetime", "note": "text"}
CONTRACT = Contract(columns=tuple(Column(name=name, kind=kind, nullable=True) for name, kind in KINDS.items()))
JOBS = [f"job {place}" for place in range(40)]
WORDS = np.array(["red", "green", "blue", "grey", "white", "black", "door", "roof", "wall", "lamp", "glass", "wheel"])
WEEK = level_of_batch(1.0, 7)


def world(n: int, seed: int) -> pl.DataFrame:
    """Ordinary cases."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, 41)
    hours = rng.integers(0, 24 * 700, n)
    return pl.DataFrame(
        {
            "amount": rng.lognormal(6, 0.7, n),
            "age": [None if rng.random() < 0.05 else int(age) for age in rng.integers(18, 80, n)],
            "job": rng.choice(JOBS, n, p=weight / weight.sum()),
            "at": [datetime(2023, 1, 2) + timedelta(hours=int(hour)) for hour in hours],
            "note": [" ".join(rng.choice(WORDS, 5)) for _ in range(n)],
        },
        schema_overrides={"age": pl.Int64},
    )


@pytest.fixture(scope="module")
def model() -> Strangeness:
    return fit_strangeness(world(4000, 0), world(1500, 1), CONTRACT, held_out=world(3000, 2))


def judged(model: Strangeness, frame: pl.DataFrame, level: float = WEEK, **how: float) -> Drift:
    return judge_drift(model, counted(model, frame), level=level, **how)


def counted(model: Strangeness, frame: pl.DataFrame) -> Batch:
    return add_cases(open_batch(model, 0.99), model, frame, strangeness(model, frame))


def changed(**columns: pl.Expr) -> pl.DataFrame:
    """A thousand cases that were ordinary before their columns were changed."""
    return world(1000, 3).with_columns(**columns)


def some(share: float, value: object, otherwise: pl.Expr) -> pl.Expr:
    """The value in a share of rows."""
    chosen = pl.Series(np.random.default_rng(4).random(1000) < share)
    return pl.when(chosen).then(value).otherwise(otherwise)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"amount": pl.col("amount") * 2}, r"amount has drifted: \d\d % from [\d.]+ on, was \d\d % \(PSI 0\.\d\d\)\."),
        ({"amount": pl.col("amount") / 2}, r"amount has drifted: \d\d % below [\d.]+, was \d\d % \(PSI"),
        ({"age": some(0.4, None, pl.col("age"))}, r"age has drifted: 4\d % missing, was 5\.\d % \(PSI"),
        ({"age": pl.col("age") + 40}, r"age has drifted: 59 % outside 18 to 79, was 0\.0 % \(PSI"),
        ({"job": some(0.2, pl.lit("job 7"), pl.col("job"))}, r"job has drifted: 2\d % 'job 7', was \d\.\d % \(PSI"),
        ({"job": some(0.1, pl.lit("pilot"), pl.col("job"))}, r"job has drifted: (10|9.\d|11) % never seen before, was"),
        ({"at": pl.col("at").dt.offset_by("1y")}, r"at has drifted: 5\d % outside 2023-01-02T.* to 2024-1.*T.*, was"),
        ({"at": pl.col("at").dt.truncate("1w")}, r"hour of at has drifted: 100 % below 1, was 3\.\d %"),
        ({"at": pl.col("at").dt.truncate("1w")}, r"weekday of at has drifted: 100 % below Tuesday, was 1\d %"),
        ({"note": pl.col("note") + " again and again"}, r"length of note has drifted: \d+ % "),
        ({"note": some(0.5, pl.lit("une porte grise"), pl.col("note"))}, r"new words in note has drifted: \d\d % from"),
    ],
)
def test_what_has_drifted_and_how_far_is_told_in_words(model: Strangeness, columns: dict, words: str) -> None:
    drift = judged(model, changed(**columns))
    assert any(re.match(words, reason) for reason in drift.reasons), drift.reasons
    assert {finding.column for finding in drift.drifted} <= {*columns, ""}


def test_the_largest_change_comes_first_and_the_figures_stand_beside_it(model: Strangeness) -> None:
    drift = judged(model, changed(amount=pl.col("amount") * 1.6, age=some(0.9, None, pl.col("age"))))
    first, second = drift.drifted[:2]
    assert (first.column, first.test, second.column, second.test) == ("age", "gaps", "amount", "values")
    assert first.psi > second.psi > 0.1
    assert first.share == pytest.approx(0.9, abs=0.03)
    assert (first.p < 1e-12, first.e) == (True, pytest.approx(len(drift.findings) / WEEK))
    assert (drift.cases, drift.reference, drift.level) == (1000, 3000, WEEK)
    assert [finding.drifted for finding in drift.findings] == sorted([f.drifted for f in drift.findings], reverse=True)


def test_the_same_inputs_raise_nothing(model: Strangeness) -> None:
    for seed in range(10, 30):
        assert judged(model, world(600, seed)).reasons == ()


def test_a_change_that_is_certain_but_small_is_no_alarm(model: Strangeness) -> None:
    frame = world(30_000, 5).with_columns(amount=pl.col("amount") * 1.15)
    found = next(one for one in judged(model, frame).findings if (one.name, one.test) == ("amount", "values"))
    assert (found.p < 1e-9, found.e > 0, found.drifted) == (True, True, False)
    assert 0.01 < found.psi < 0.1
    assert judged(model, frame, floor=0.02).drifted[0].name == "amount"


def test_a_change_that_is_large_but_may_be_chance_is_no_alarm(model: Strangeness) -> None:
    frame = world(12, 8).with_columns(amount=pl.col("amount") * 1.5)
    found = next(one for one in judged(model, frame).findings if (one.name, one.test) == ("amount", "values"))
    assert (found.psi > 0.1, found.drifted) == (True, False)


def test_many_strange_cases_are_an_alarm_where_no_single_column_is() -> None:
    rng = np.random.default_rng(6)
    contract = Contract(columns=tuple(Column(name=f"x{place}", kind="number") for place in range(20)))

    def rows(n: int) -> pl.DataFrame:
        return pl.DataFrame({f"x{place}": rng.normal(size=n) for place in range(20)})

    model = fit_strangeness(rows(3000), rows(2000), contract)
    odd = rows(1000).with_columns(pl.when(pl.int_range(1000) < 45).then(pl.all() * 1.6).otherwise(pl.all()))
    drift = judged(model, odd)
    assert [finding.name for finding in drift.drifted] == [STRANGE]
    assert drift.reasons[0].endswith("of the cases are strange, 1.0 % are expected.")
    assert judged(model, rows(1000)).reasons == ()


@settings(max_examples=20)
@given(cut=cuts(200))
def test_batches_of_the_same_cases_add_up_to_the_same(model: Strangeness, cut: list[int]) -> None:
    frame = world(200, 7)
    strange = strangeness(model, frame)
    batch = open_batch(model, 0.99)
    for part in batches(cut, 200):
        batch = add_cases(batch, model, frame[part], strange[part])
        batch = msgspec.json.decode(msgspec.json.encode(batch), type=Batch)
    assert batch == counted(model, frame)


def test_live_cases_are_compared_with_other_rows_than_those_of_the_bins() -> None:
    train, calibration, rest = world(400, 0), world(100, 1), world(250, 2)
    model = fit_strangeness(train, calibration, CONTRACT)
    assert model.held_out == count(model.bins, calibration).counts
    model = fit_strangeness(train, calibration, CONTRACT, held_out=rest)
    assert model.held_out == count(model.bins, rest).counts


def test_an_empty_batch_says_nothing(model: Strangeness) -> None:
    assert judge_drift(model, open_batch(model, 0.99), level=WEEK).reasons == ()


def test_many_reasons_are_cut_short_and_the_same_words_stand_once() -> None:
    names = [f"x{place}" for place in range(9)]
    contract = Contract(columns=tuple(Column(name=name, kind="text", nullable=True) for name in names))
    frame = pl.DataFrame({name: world(600, place)["note"] for place, name in enumerate(names)})
    model = fit_strangeness(frame[:300], frame[300:], contract)
    gone = frame[:200].with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in names)
    drift = judged(model, gone)
    assert len(drift.drifted) >= 18  # two measures of each column miss the same values
    assert len(drift.reasons) == MOST_REASONS + 1
    others = len({finding.words for finding in drift.drifted}) - MOST_REASONS
    assert drift.reasons[-1] == f"{others} more measures have drifted."
    assert others < len(drift.drifted) - 10


def alarms(reference: str, weeks: int = 26) -> float:
    """The mean number of false alarms among so many batches against one reference, over ten references."""
    contract = Contract(columns=(Column(name="zip", kind="category"), Column(name="amount", kind="number")))
    total = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)

        def rows(n: int, rng: np.random.Generator = rng) -> pl.DataFrame:
            return pl.DataFrame({"zip": rng.integers(0, 1500, n).astype(str), "amount": rng.exponential(1.0, n)})

        model = fit_strangeness(rows(1000), rows(500), contract, held_out=rows(1000))
        if reference == "its own rows":
            model = msgspec.structs.replace(model, held_out=model.reference)
        found = (judged(model, rows(500), level_of_batch(2.0, 14), floor=-np.inf) for _ in range(weeks))
        total += sum(bool(drift.drifted) for drift in found)
    return total / 10


def test_a_year_of_batches_has_no_more_false_alarms_than_it_may_have() -> None:
    assert alarms("held-out rows") <= 2.0


def test_the_rows_that_the_bins_were_frozen_on_would_raise_many_more() -> None:
    assert alarms("its own rows") > 20.0
