"""The one encoding."""

from datetime import datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from understudy.data.contract import Column, Contract, infer_contract
from understudy.data.prepare import Encoding, encode, fit_encoding
from understudy.data.reading import read_frame


def encoded(frame: pl.DataFrame, contract: Contract | None = None) -> tuple[Encoding, np.ndarray]:
    contract = contract or infer_contract(frame)
    clean, _ = read_frame(contract, frame)
    encoding = fit_encoding(clean, contract)
    return encoding, encode(encoding, clean)


def names(encoding: Encoding, view: str) -> list[str]:
    return [feature.name for feature in encoding.features if feature.view == view]


def test_a_missing_number_gets_the_median_and_a_flag() -> None:
    encoding, X = encoded(pl.DataFrame({"a": [1.0, 2.0, 6.0, None]}))
    assert [feature.name for feature in encoding.features] == ["a", "a is missing"]
    assert X[3, 0] == X[1, 0]
    assert X[:, 1].tolist() == [0, 0, 0, 1]
    assert abs(X[:3, 0].mean()) < 1e-6


def test_neighbouring_huge_integers_stay_apart() -> None:
    _, X = encoded(pl.DataFrame({"a": [2**24, 2**24 + 1, 2**24 + 2]}))
    assert len(np.unique(X[:, 0])) == 3


def test_rare_and_unseen_levels_become_other() -> None:
    frame = pl.DataFrame({"c": ["a"] * 20 + ["b"] * 10 + ["rare"]})
    contract = infer_contract(frame)
    encoding, X = encoded(frame, contract)
    unseen = encode(encoding, pl.DataFrame({"c": ["zebra"]}))
    assert (unseen == X[-1]).all()
    assert unseen[0, 0] == 0
    assert names(encoding, "level") == ["c = other", "c = a", "c = b"]


def test_many_levels_keep_codes_frequencies_and_the_top_ones() -> None:
    levels = [f"l{i:03d}" for i in range(100) for _ in range(6 + i)]
    encoding, X = encoded(pl.DataFrame({"c": levels}))
    assert X[:, 0].max() == 101
    assert names(encoding, "number") == ["frequency of c"]
    assert len(names(encoding, "level")) == 33


def test_words_have_the_weights_of_tf_idf() -> None:
    texts = ["fire and water in town", "fire and more water there", "no rain today they said", "more rain and fire now"]
    contract = Contract(columns=(Column(name="t", kind="text"),))
    encoding, X = encoded(pl.DataFrame({"t": texts}), contract)
    vocabulary = encoding.parts[0].vocabulary
    assert vocabulary == ("and", "fire", "more", "rain", "water")
    weights = np.log((1 + 4) / (1 + np.array([3, 3, 2, 2, 2]))) + 1
    first = np.array([1, 1, 0, 0, 1]) * weights
    np.testing.assert_allclose(X[0, :5], first / np.linalg.norm(first), rtol=1e-6)


def test_dates_become_parts_and_a_clock_keeps_no_absolute_time() -> None:
    moments = [datetime(2023, 1, 1) + timedelta(hours=31 * i) for i in range(400)]
    frame = pl.DataFrame({"at": moments})
    contract = infer_contract(frame)
    free = fit_encoding(frame.cast(pl.Datetime("us")), contract)
    clock = fit_encoding(frame.cast(pl.Datetime("us")), contract, clock_column="at")
    gone = {feature.name for feature in free.features} - {feature.name for feature in clock.features}
    assert gone == {"year of at", "elapsed of at"}


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [None, None], dtype=pl.Float64),
        pl.Series("x", [3.0], dtype=pl.Float64),
        pl.Series("x", [1e308, -1e308, 1e308], dtype=pl.Float64),
        pl.Series("x", [None], dtype=pl.String),
        pl.Series("x", [], dtype=pl.String),
        pl.Series("x", [None], dtype=pl.Datetime("us")),
        pl.Series("x", [None, True], dtype=pl.Boolean),
    ],
)
def test_degenerate_columns_give_finite_features(column: pl.Series) -> None:
    kind = {pl.Float64: "number", pl.String: "category", pl.Boolean: "boolean"}.get(column.dtype, "datetime")
    contract = Contract(columns=(Column(name="x", kind=kind, nullable=True),))
    encoding = fit_encoding(column.to_frame(), contract)
    X = encode(encoding, column.to_frame())
    assert X.shape == (len(column), len(encoding.features))
    assert np.isfinite(X).all()


def test_an_encoding_survives_json() -> None:
    frame = pl.DataFrame({"a": [1.0, None], "c": ["x", "y"], "d": [datetime(2024, 1, 1), datetime(2024, 5, 5)]})
    encoding, _ = encoded(frame)
    assert msgspec.json.decode(msgspec.json.encode(encoding), type=Encoding) == encoding
