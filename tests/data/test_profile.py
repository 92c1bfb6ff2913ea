"""Profiles, and columns that give the answer away: found when they do, left alone when they are merely good."""

import numpy as np
import polars as pl
import pytest

from understudy.core.nouns import Kind
from understudy.data.contract import infer_contract
from understudy.data.profile import SCORED_ROWS, Leak, enough_rows, profile, suspected_leaks
from understudy.data.reading import read_frame

RNG = np.random.default_rng(7)
N = 2000
SIGNAL = RNG.normal(size=N)
FAILS = (SIGNAL + RNG.normal(scale=0.8, size=N) > 1).astype(np.int64)
THREE = np.digitize(SIGNAL + RNG.normal(scale=0.3, size=N), [-0.5, 0.5])
PRICE = np.exp(SIGNAL + RNG.normal(scale=0.3, size=N))


def leaks(y: np.ndarray, kind: Kind = "classification", **columns: object) -> tuple[Leak, ...]:
    frame = pl.DataFrame(columns)
    contract = infer_contract(frame)
    clean, _ = read_frame(contract, frame)
    return suspected_leaks(clean, contract, y, kind=kind, seed=0)


@pytest.mark.parametrize(
    "column",
    [
        FAILS,
        np.where(FAILS == 1, "broken", "fine"),
        FAILS * 7.5 - 3,
        FAILS + RNG.uniform(0, 0.4, N),
        -FAILS + RNG.uniform(0, 0.4, N),
        [None if fails else "inspected" if i % 2 else "new" for i, fails in enumerate(FAILS)],
        np.where(RNG.random(N) < 0.0002, 1 - FAILS, FAILS),
    ],
    ids=["copy", "recoded", "scaled", "separated", "reversed", "missing when it fails", "almost a copy"],
)
def test_a_column_that_knows_the_answer_is_suspected(column: object) -> None:
    (leak,) = leaks(FAILS, honest=SIGNAL, told=column)
    assert leak.column == "told"
    assert leak.score >= 0.995
    assert leak.reason


@pytest.mark.parametrize(
    "column",
    [
        SIGNAL,
        SIGNAL + 0.5 * FAILS,
        np.where(RNG.random(N) < 0.04, 1 - FAILS, FAILS),
        RNG.choice(["a", "b", "c"], N),
        [f"unit {i // 2}" for i in range(N)],
        np.isin(np.arange(N), np.flatnonzero(FAILS)[:3]),
    ],
    ids=["its cause", "a strong column", "96 % right", "noise", "many levels", "a flag set three times"],
)
def test_an_honest_column_is_not_suspected(column: object) -> None:
    assert leaks(FAILS, honest=column) == ()


def test_rare_answers_do_not_hide_a_leak_in_a_wide_bin() -> None:
    rare = np.zeros(N, dtype=np.int64)
    rare[:8] = 1
    days = RNG.uniform(0, 100, N) + 200 * rare
    assert [leak.column for leak in leaks(rare, days=days, other=SIGNAL)] == ["days"]


def test_several_answers_can_be_renamed_or_grouped() -> None:
    names = np.array(["low", "middle", "high"])[THREE]
    edge = np.where(THREE == 1, "inner", "outer")
    assert {leak.column for leak in leaks(THREE, names=names, edge=edge, honest=SIGNAL)} == {"names", "edge"}


@pytest.mark.parametrize(
    "column",
    [PRICE, PRICE * 1.19 + 3, -PRICE, np.log(PRICE), PRICE > 1, np.digitize(PRICE, [0.5, 1, 2])],
    ids=["copy", "with tax", "turned round", "logarithm", "above 1", "price band"],
)
def test_a_number_to_estimate_is_known_again_in_another_form(column: np.ndarray) -> None:
    found = leaks(PRICE, "regression", told=column, honest=SIGNAL)
    assert [leak.column for leak in found] == ["told"]


@pytest.mark.parametrize("column", [SIGNAL, PRICE + RNG.normal(scale=0.2, size=N), PRICE > 50], ids=str)
def test_a_strong_predictor_of_a_number_is_not_suspected(column: np.ndarray) -> None:
    assert leaks(PRICE, "regression", honest=column, other=RNG.normal(size=N)) == ()


def test_few_rows_are_enough_to_know_a_copy_and_not_to_suspect_a_good_column() -> None:
    fails = FAILS[:60]
    found = leaks(fails, copy=np.where(fails, "x", "y"), good=fails + RNG.normal(scale=0.05, size=60))
    assert [leak.column for leak in found] == ["copy"]


def test_the_same_seed_gives_the_same_scores_the_worst_first() -> None:
    columns = {"almost": np.where(np.arange(N) == 5, 1 - FAILS, FAILS), "copy": FAILS}
    first = leaks(FAILS, **columns)
    assert first == leaks(FAILS, **columns)
    assert [leak.column for leak in first] == ["copy", "almost"]


def test_a_profile_has_a_line_for_every_column_used_or_not() -> None:
    frame = pl.DataFrame(
        {
            "amount": ["1", "3", "", "4"],
            "kind": ["a", "b", "a", "a"],
            "day": ["2024-01-01", "2024-01-03", "2024-01-02", "2024-01-02"],
            "same": ["x"] * 4,
            "late": ["yes", "no", "no", "no"],
        }
    )
    contract = infer_contract(frame, left_out={"late": "the target"})
    clean, _ = read_frame(contract, frame)
    lines = {line.name: line for line in profile(frame, clean, contract)}
    assert list(lines) == frame.columns
    assert (lines["amount"].missing, lines["amount"].distinct) == (0.25, 4)
    assert lines["amount"].summary == "1 to 4, mean 2.66667"
    assert lines["kind"].summary == "a 75%, b 25%"
    assert lines["day"].summary == "2024-01-01 00:00:00 to 2024-01-03 00:00:00"
    assert (lines["same"].used, lines["same"].note, lines["same"].summary) == (False, "always 'x'", "")
    assert (lines["late"].used, lines["late"].note) == (False, "the target")


def test_a_number_that_differs_in_every_row_cannot_leak() -> None:
    assert leaks(FAILS, code=RNG.permutation(N * 3)[:N], other=SIGNAL) == ()


def test_of_very_many_rows_some_are_enough_to_suspect_a_leak_unless_an_answer_is_rare():
    rng = np.random.default_rng(0)
    n = 120_000
    assert len(enough_rows(rng.integers(0, 2, n), "classification", rng)) == SCORED_ROWS
    rare = (np.arange(n) < 40).astype(np.int64)
    assert len(enough_rows(rare, "classification", rng)) == n
    near = np.where(rng.random(n) < 0.999, rare, 1 - rare) + rng.normal(0, 0.01, n)
    answers = rng.integers(0, 2, n)
    source = pl.DataFrame({"a": near, "b": answers + rng.normal(0, 0.1, n), "c": rng.normal(size=n)})
    contract = infer_contract(source)
    found = suspected_leaks(source, contract, answers, kind="classification", seed=0)
    assert [leak.column for leak in found] == ["b"]
