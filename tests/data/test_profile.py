"""Columns that give the answer away, and honest ones that do not."""

import numpy as np
import polars as pl

from understudy.data.contract import infer_contract
from understudy.data.profile import profile, suspected_leaks
from understudy.data.reading import read_frame

RNG = np.random.default_rng(0)
N = 2000


def leaks(columns: dict, y: np.ndarray, kind: str) -> dict[str, float]:
    frame = pl.DataFrame(columns)
    contract = infer_contract(frame)
    clean, _ = read_frame(contract, frame)
    return {leak.column: leak.score for leak in suspected_leaks(clean, contract, y, kind=kind, seed=0)}


def test_copies_and_recodings_of_a_class_are_found_and_strong_columns_are_not() -> None:
    y = (RNG.random(N) < 0.3).astype(int)
    strong = y + RNG.normal(0, 0.5, N)
    columns = {
        "copy": np.where(y == 1, "bad", "good"),
        "shifted": y * 3.0 + RNG.normal(0, 0.01, N),
        "strong": strong,
        "noise": RNG.normal(size=N),
        "city": RNG.choice([f"city {i}" for i in range(400)], N),
    }
    assert set(leaks(columns, y, "classification")) == {"copy", "shifted"}


def test_a_number_that_is_the_target_in_another_unit_is_found() -> None:
    y = RNG.lognormal(3, 1, N)
    columns = {"cents": y * 100 + 3, "related": y + RNG.normal(0, y.std(), N), "noise": RNG.normal(size=N)}
    assert set(leaks(columns, y, "regression")) == {"cents"}


def test_a_column_that_differs_in_every_row_cannot_leak() -> None:
    y = (RNG.random(N) < 0.5).astype(int)
    assert leaks({"code": RNG.permutation(N * 3)[:N], "n": RNG.normal(size=N)}, y, "classification") == {}


def test_several_classes_are_handled() -> None:
    y = RNG.integers(0, 4, N)
    assert set(leaks({"copy": y.astype(str), "noise": RNG.normal(size=N)}, y, "classification")) == {"copy"}


def test_the_profile_counts_what_is_there() -> None:
    frame = pl.DataFrame({"n": ["1", "", "3", "5"], "c": ["a", "a", "b", "a"], "k": ["x"] * 4})
    contract = infer_contract(frame)
    clean, _ = read_frame(contract, frame)
    number, category, constant = profile(frame, clean, contract)
    assert (number.missing, number.distinct, number.summary) == (0.25, 4, "1 to 5, mean 3")
    assert category.summary == "a 75%, b 25%"
    assert (constant.used, constant.note) == (False, "always 'x'")
