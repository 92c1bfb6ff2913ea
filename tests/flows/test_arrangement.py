"""How the rows of a table are arranged: found, proposed, told, and kept to."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from conftest import claims
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.core.task_text import task_toml
from understudy.flows.arrangement import propose_arrangement, with_notes
from understudy.flows.dataset import Dataset, assemble
from understudy.flows.folding import find_scheme, make_folds, weights_in_time
from understudy.flows.propose import Told, propose_task
from understudy.models.recipes import Effort
from understudy.models.schemes import USUAL, Scheme


def proposed(table: pl.DataFrame, target: str = "pay", **told: object) -> tuple[Task, dict[str, str]]:
    return propose_task(table, name="t", target=target, told=Told(**{"drop": (), **told}))  # type: ignore[typeddict-item]


def undated(n: int = 600) -> pl.DataFrame:
    return claims(n).drop("day", "claim_id", "paid_amount")


def data_of(table: pl.DataFrame, **told: object) -> tuple[Dataset, Task]:
    task, _ = proposed(table, **told)
    return assemble(table, task, seed=0), task


def test_a_date_that_rows_are_sorted_by_is_proposed_as_the_time_with_the_way_out() -> None:
    task, why = proposed(claims(), drop=("paid_amount",))
    assert task.decision.time == "day"
    assert why["time"].startswith("day is a date (the rows are sorted by it)")
    assert 'time = "none" switches it off' in why["time"]
    assert parse_task(task_toml(task, why)) == task


def test_what_the_user_says_goes_before_what_is_found() -> None:
    off, why = proposed(claims(), drop=("paid_amount",), time="none")
    assert (off.decision.time, off.decision.when, "time" in why) == ("none", None, False)
    assert assemble(claims(), off, seed=0).order is None
    grouped, _ = proposed(claims(), drop=("paid_amount",), split_group="region")
    assert grouped.decision.time is None


def test_somebody_who_comes_again_is_proposed_as_a_group_only_where_there_is_no_time() -> None:
    people = pl.Series("customer_id", [f"P{k % 150}" for k in range(600)])
    task, why = proposed(undated().with_columns(people))
    assert task.decision.split_group == "customer_id"
    assert why["split_group"] == "customer_id holds 150 different values in 600 rows"
    assert proposed(claims().with_columns(people), drop=("paid_amount",))[0].decision.split_group is None
    assert proposed(undated().with_columns(people), use=("customer_id",))[0].decision.split_group is None


def test_a_task_that_says_nothing_is_told_what_its_rows_show_and_one_that_says_none_is_not() -> None:
    table = claims()
    said, why = proposed(table, drop=("paid_amount",), time="none")
    silent = parse_task(task_toml(said, why).replace('time = "none"', '# time = "none"'))
    assert silent.decision.time is None
    assert 'say time = "day"' in with_notes(assemble(table, silent, seed=0), silent).notes[0]
    assert with_notes(assemble(table, said, seed=0), said).notes == ()
    timed, _ = proposed(table, drop=("paid_amount",))
    note = with_notes(assemble(table, timed, seed=0), timed).notes[0]
    assert note == "judged on rows that came after those it learned from (time = 'day')"


def test_neighbours_that_are_alike_are_told_with_all_ways_out() -> None:
    table = undated().with_columns(score=pl.Series(np.repeat(np.random.default_rng(0).normal(size=30), 20)))
    answers = (table["score"] + pl.Series(np.random.default_rng(1).normal(0, 0.3, 600)) > 0).cast(pl.String)
    data, task = data_of(table.with_columns(pay=answers))
    told = " ".join(with_notes(data, task).notes)
    assert task.decision.time is None
    assert "neighbouring rows are alike" in told
    for way in ('time = "row order"', "split_group", 'time = "none"'):
        assert way in told


def test_odd_tables_are_proposed_without_a_fault() -> None:
    empty = pl.DataFrame({"pay": ["yes", "no"] * 30, "x": [None] * 60, "y": list(range(60))})
    assert proposed(empty)[0].decision.time is None
    rare = undated().with_columns(pay=pl.Series(["no"] * 599 + ["yes"]))
    assert propose_arrangement(rare, proposed(rare, time="none")[0])[1] == {}


def test_copies_are_found_told_and_kept_on_one_side(claims_csv: Path) -> None:
    table = pl.read_csv(claims_csv, infer_schema=False).drop("claim_id", "paid_amount")
    data, _ = data_of(pl.concat([table, table[:60]]), time="none")
    assert data.copies is not None
    assert data.notes == ("60 rows repeat another: each is kept on one side of every split",)
    parts = data.split(0)
    codes = data.copies.codes
    sides = [set(codes[part]) for part in (parts.train, parts.validation, parts.test, parts.history)]
    assert sum(map(len, sides)) == len(set(codes))
    assert data.take(np.arange(100)).copies.codes.tolist() == codes[:100].tolist()  # type: ignore[union-attr]
    made = make_folds(data, parts, seed=0, clock=None)
    places = [set(codes[parts.train[fold.positions]]) for fold in made]
    assert sum(map(len, places)) == len(set.union(*places))


def counted(n: int = 400) -> Dataset:
    """Rows in time whose answer is when they came."""
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"when": np.arange(n) * 3, "x": rng.normal(size=n), "later": rng.normal(size=n)})
    table = table.with_columns(answer=pl.col("when") + 0.5)[rng.permutation(n).tolist()]
    return data_of(table, target="answer", kind="regression", time="when", use=("when",))[0]


@pytest.mark.parametrize("stopping", ["last", "random"])
def test_by_time_no_fold_stops_on_rows_that_come_after_those_it_scores(stopping: str) -> None:
    data = counted()
    parts = data.split(0)
    made = make_folds(data, parts, seed=0, clock="when", scheme=Scheme(stopping, "all"))  # type: ignore[arg-type]
    assert len(made) == 5
    for fold in made:
        stop = fold.rows.y_stop
        assert stop is not None
        assert max(stop.max(), fold.rows.y.max()) < fold.y.min()
        assert not set(stop) & set(fold.rows.y)
        assert (stop.min() > fold.rows.y.max()) == (stopping == "last")


def test_otherwise_folds_stop_on_the_validation_part() -> None:
    data, _ = data_of(undated(), time="none")
    parts = data.split(0)
    for fold in make_folds(data, parts, seed=0, clock=None):
        assert fold.rows.y_stop is not None
        assert fold.rows.y_stop.tolist() == data.answers.y[parts.validation].tolist()


def test_old_rows_count_less_by_their_age_whatever_their_place() -> None:
    data = counted()
    rows = np.arange(400)
    weights = weights_in_time(data, rows, Scheme("last", "fading"))
    assert weights is not None
    assert data.order is not None
    assert np.all(np.diff(weights[np.argsort(data.order)]) > 0)
    assert weights_in_time(data, rows, USUAL) is None


def test_a_scheme_is_looked_for_only_where_rows_come_in_time() -> None:
    data = counted(800)
    timed = find_scheme(data, data.split(0), effort=Effort(0, 1), clock="when")
    assert len(timed.losses) == 4
    mixed, _ = data_of(undated(), time="none")
    assert find_scheme(mixed, mixed.split(0), effort=Effort(0, 1), clock=None).losses == {}
