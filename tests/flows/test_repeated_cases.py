"""Rows that name one case: they are never parted, and that is said."""

import numpy as np
import polars as pl
from msgspec.structs import replace

from conftest import claims
from understudy.core.task import Autonomy, Decision, Task
from understudy.flows.dataset import assemble

DECISION = Decision(
    name="claims",
    question="Pay?",
    target="pay",
    kind="classification",
    goal="roc_auc",
    id="claim_id",
    drop=("paid_amount", "day"),
)
TASK = Task(decision=DECISION, autonomy=Autonomy(max_error=0.05, confidence=0.95))
ONCE = claims(300)
TWICE = pl.concat([ONCE, claims(300, seed=1).with_columns(claim_id=ONCE["claim_id"])])
"""The second row of a case has other inputs, and maybe another answer."""


def parts_of(table: pl.DataFrame, task: Task = TASK) -> tuple[list[set[str]], tuple[str, ...]]:
    data = assemble(table, task, seed=0)
    split = data.split(0)
    ids = data.source["claim_id"].to_numpy()
    return [set(ids[rows]) for rows in (split.train, split.validation, split.test, split.history)], data.notes


def test_rows_of_one_case_stand_on_one_side_of_every_cut() -> None:
    parts, notes = parts_of(TWICE)
    assert sum(map(len, parts)) == 300
    assert notes[0] == (
        "In 300 of 600 rows claim_id names a case that another row names already: "
        "rows of one case are never parted between training and test."
    )


def test_without_the_id_they_would_be_parted() -> None:
    parts, _ = parts_of(TWICE, replace(TASK, decision=replace(DECISION, id=None, drop=(*DECISION.drop, "claim_id"))))
    assert sum(map(len, parts)) > 300


def test_where_ids_name_one_row_each_nothing_changes() -> None:
    data = assemble(ONCE, TASK, seed=0)
    assert data.groups is None
    assert not any("claim_id" in note for note in data.notes)


def test_a_missing_id_stands_alone() -> None:
    some = TWICE.with_columns(claim_id=pl.when(pl.int_range(pl.len()) < 550).then(pl.col("claim_id")))
    groups = assemble(some, TASK, seed=0).groups
    assert np.unique(groups, return_counts=True)[1].max() == 2
    assert len(np.unique(groups)) == 300 + 50


def test_a_group_that_is_named_too_holds_all_rows_of_its_cases() -> None:
    wide = TWICE.with_columns(household=pl.int_range(pl.len()) // 3)
    task = replace(TASK, decision=replace(DECISION, split_group="household"))
    data = assemble(wide, task, seed=0)
    parts, _ = parts_of(wide, task)
    assert sum(map(len, parts)) == 300
    split = data.split(0)
    houses = data.source["household"].to_numpy()
    assert not set(houses[split.train]) & set(houses[split.test])
