"""Usual values: as often as the reference has them, and no row of it."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from understudy.data.contract import Column, Contract, infer_contract
from understudy.data.reading import read_frame
from understudy.monitoring.strangeness import Strangeness, fit_strangeness
from understudy.monitoring.usual import usual_rows, usual_values

N = 4000


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    start = datetime(2024, 1, 1)
    return pl.DataFrame(
        {
            "amount": rng.lognormal(5, 1, N),
            "gain": np.where(rng.random(N) < 0.9, 0.0, rng.uniform(2000, 9000, N)),
            "age": [None if rng.random() < 0.25 else int(rng.integers(18, 80)) for _ in range(N)],
            "job": rng.choice(["cook", "nurse", "smith"], N, p=(0.7, 0.25, 0.05)),
            "member": rng.random(N) < 0.3,
            "day": [start + timedelta(days=int(rng.integers(0, 90)), hours=int(rng.integers(8, 12))) for _ in range(N)],
            "report": [f"the bag was {'lost' if rng.random() < 0.5 else 'found'} at the gate {i}" for i in range(N)],
        }
    )


@pytest.fixture(scope="module")
def fitted(table: pl.DataFrame) -> tuple[Contract, Strangeness, pl.DataFrame]:
    contract = infer_contract(table)
    frame, _ = read_frame(contract, table)
    return contract, fit_strangeness(frame, frame, contract), frame


def test_each_value_comes_as_often_as_in_the_reference(fitted: tuple[Contract, Strangeness, pl.DataFrame]) -> None:
    contract, reference, frame = fitted
    rows = usual_rows(reference, contract, 400)
    assert rows.schema == frame.schema
    assert rows["job"].value_counts(sort=True)["count"].to_list() == pytest.approx([280, 100, 20], abs=12)
    assert rows["member"].mean() == pytest.approx(0.3, abs=0.03)
    assert rows["age"].null_count() == pytest.approx(100, abs=12)
    assert (rows["gain"] == 0).mean() == pytest.approx(0.9, abs=0.04)
    for name in ("amount", "age"):
        ranks = (0.1, 0.25, 0.5, 0.75, 0.9)
        found, expected = ([values[name].quantile(rank) for rank in ranks] for values in (rows, frame))
        assert found == pytest.approx(expected, rel=0.15)
    assert set(rows["day"].dt.hour()) <= {8, 9, 10, 11}
    assert rows["day"].dt.date().is_between(datetime(2023, 12, 25), datetime(2024, 4, 7)).all()
    assert set(" ".join(rows["report"].to_list()).split()) <= set(" ".join(frame["report"].to_list()).split())


def test_no_row_is_one_of_the_reference(fitted: tuple[Contract, Strangeness, pl.DataFrame]) -> None:
    contract, reference, frame = fitted
    rows = usual_rows(reference, contract, 64)
    assert rows.join(frame, on=frame.columns, how="inner", nulls_equal=True).is_empty()
    assert not set(rows["report"]) & set(frame["report"])


def test_rows_are_the_same_each_time_and_columns_go_separate_ways(
    fitted: tuple[Contract, Strangeness, pl.DataFrame],
) -> None:
    contract, reference, _ = fitted
    rows = usual_rows(reference, contract, 64)
    assert rows.equals(usual_rows(reference, contract, 64))
    assert abs(np.corrcoef(rows["amount"].to_numpy(), rows["gain"].to_numpy())[0, 1]) < 0.4


def test_usual_is_what_most_have(fitted: tuple[Contract, Strangeness, pl.DataFrame]) -> None:
    contract, reference, frame = fitted
    found = {one.column: one for one in usual_values(reference, contract)}
    low, high = frame["amount"].quantile(0.1), frame["amount"].quantile(0.9)
    assert (found["amount"].low, found["amount"].high) == pytest.approx((low, high), rel=0.1)
    assert [name for name, _ in found["job"].levels] == ["cook", "nurse"]
    assert found["age"].missing == pytest.approx(0.25, abs=0.03)
    assert found["report"].measure == "length"
    assert found["day"].measure == "elapsed"


def test_a_lowest_value_far_out_does_not_stand_for_its_bin() -> None:
    contract = Contract(columns=(Column(name="x", kind="number"),))
    frame = pl.DataFrame({"x": [-1e9, *np.linspace(0, 1, 999)]})
    rows = usual_rows(fit_strangeness(frame, frame, contract), contract, 64)
    assert rows["x"].min() >= 0  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["number", "integer", "category", "boolean", "datetime", "text"])
def test_a_column_without_a_value_is_missing_everywhere(kind: str) -> None:
    contract = Contract(columns=(Column(name="x", kind=kind, nullable=True),))  # type: ignore[arg-type]
    frame, _ = read_frame(contract, pl.DataFrame({"x": pl.Series([None] * 50, dtype=pl.String)}))
    reference = fit_strangeness(frame, frame, contract)
    assert usual_rows(reference, contract, 8)["x"].null_count() == 8
    assert usual_values(reference, contract)[0].missing == 1.0
