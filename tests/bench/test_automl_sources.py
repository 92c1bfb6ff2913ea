"""Every contender sees the same rows, and none of those that judge."""

import numpy as np
import polars as pl
import pytest
from bench.automl.sources import SOURCES, Source, judging_rows, labels_of, part, truth


@pytest.fixture
def folder(tmp_path):
    rows = 200
    pl.DataFrame(
        {
            "place": range(rows),
            "delay": [-5 if row % 4 else 30 for row in range(rows)],
            "landing": range(rows),
        }
    ).write_csv(tmp_path / "flights.csv")
    return tmp_path


def test_the_last_rows_judge_where_there_is_an_order() -> None:
    assert judging_rows(np.zeros(50), ordered=True, strata=True, seed=3).tolist() == list(range(40, 50))


def test_else_a_fifth_of_each_class_is_drawn() -> None:
    answers = np.array(["yes"] * 20 + ["no"] * 80)
    drawn = judging_rows(answers, ordered=False, strata=True, seed=0)
    assert (answers[drawn] == "yes").sum() == 4
    assert len(drawn) == 20
    assert not np.array_equal(drawn, judging_rows(answers, ordered=False, strata=True, seed=1))
    assert np.array_equal(drawn, judging_rows(answers, ordered=False, strata=True, seed=0))


@pytest.mark.parametrize("time", ["", "place"])
def test_parts_do_not_overlap_and_nothing_is_lost_but_what_is_dropped(folder, tmp_path, time: str) -> None:
    source = Source("flights.csv", "delay", positive="yes", drop=("landing",), time=time, above=15)
    parts = part(source, folder, tmp_path / "parts", seed=0)
    train, test = pl.read_csv(parts.train), pl.read_csv(parts.test)
    assert train.columns == ["place", "delay"]
    assert test["place"].to_list() == parts.rows.tolist()
    assert sorted([*train["place"], *test["place"]]) == list(range(200))
    if time:
        assert train["place"].max() < test["place"].min()
    labels = labels_of(source, parts.train)
    assert labels == ["no", "yes"]
    assert truth(source, parts.test, labels).tolist() == [int(answer == "yes") for answer in test["delay"]]
    assert part(source, folder, tmp_path / "again", seed=0).digest == parts.digest


def test_numbers_have_no_labels(folder, tmp_path) -> None:
    source = Source("flights.csv", "delay", metric="rmse")
    parts = part(source, folder, tmp_path / "parts", seed=0)
    assert labels_of(source, parts.train) == []
    assert set(truth(source, parts.test, [])) == {-5.0, 30.0}


def test_leaks_are_dropped_from_the_public_tables() -> None:
    assert {"casual", "registered"} <= set(SOURCES["bike"].drop)
    assert "duration" in SOURCES["bank"].drop
    assert {"twf", "hdf", "pwf", "osf", "rnf"} <= set(SOURCES["failures"].drop)
    assert {"arr_time", "air_time"} <= set(SOURCES["flights"].drop)
    kinds = [source.kind for source in SOURCES.values()]
    assert kinds.count("classification") >= 6
    assert kinds.count("regression") >= 3
