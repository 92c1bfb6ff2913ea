"""How the rows of a table are arranged, in time or by whom they are about: found, proposed, and told."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import polars as pl

from understudy.core.nouns import Kind
from understudy.core.task import UNTIMED, Task
from understudy.data.answers import answer_texts, target_answers
from understudy.data.contract import Contract, infer_contract
from understudy.data.groups import Group, find_group
from understudy.data.order import Order, find_order
from understudy.data.reading import read_frame
from understudy.flows.dataset import Dataset, left_out

STRETCHES, STRETCH = 10, 5_000
"""Of larger tables so many stretches of so many rows are looked at."""


def propose_arrangement(table: pl.DataFrame, task: Task) -> tuple[Task, dict[str, str]]:
    """The task with the `time` or the `split_group` that its rows show, and why; as it is where it names one of them.

    A time goes first: where cases come in time, those of a known customer come again, as they will when it is used.
    """
    decision = task.decision
    if decision.time is not None or decision.split_group is not None:
        return task, {}
    order, group = look(some_rows(table), task)
    if order.time is not None:
        proposal, why = {"time": order.time}, {"time": f'{order.words}; time = "{UNTIMED}" switches it off'}
    elif group is not None and group.column not in (decision.id, *decision.use):
        proposal, why = {"split_group": group.column}, {"split_group": group.words}
    else:
        return task, {}
    return msgspec.structs.replace(task, decision=msgspec.structs.replace(decision, **proposal)), why


def look(table: pl.DataFrame, task: Task) -> tuple[Order, Group | None]:
    """What the rows of a table show of their order and of whom they are about."""
    decision = task.decision
    answers = target_answers(table, decision.target)
    known = table.filter(answers.is_not_null())
    contract = infer_contract(known, left_out=left_out(task, table.columns), kept=decision.use)
    frame, rejected = read_frame(contract, known)
    kept = ~pl.int_range(known.height, eager=True).is_in(rejected["row"].implode())
    return shown(known.filter(kept), frame, contract, as_codes(answers.drop_nulls().filter(kept), decision.kind), task)


def as_codes(answers: pl.Series, kind: Kind) -> np.ndarray:
    """Answers as class indices or numbers, whatever is wrong with them."""
    if kind == "regression":
        return answers.cast(pl.Float64, strict=False).fill_null(0.0).fill_nan(0.0).to_numpy()
    return answer_texts(answers).rank("dense").cast(pl.Int64).to_numpy() - 1


def shown(
    source: pl.DataFrame, frame: pl.DataFrame, contract: Contract, y: np.ndarray, task: Task
) -> tuple[Order, Group | None]:
    """The order that rows show, and the column that says whom they are about."""
    return find_order(source, frame, contract, y, kind=task.decision.kind), find_group(source, contract, y)


def some_rows(table: pl.DataFrame) -> pl.DataFrame:
    """The table, or evenly spaced stretches of a large one: what follows what can be seen within them."""
    if table.height <= STRETCHES * STRETCH:
        return table
    starts = np.linspace(0, table.height - STRETCH, STRETCHES).astype(np.int64)
    return table[(starts[:, None] + np.arange(STRETCH)[None, :]).ravel()]


def with_notes(data: Dataset, task: Task) -> Dataset:
    """The rows, with what a reader should know of how they are arranged: by what the task says, or what it does not."""
    decision = task.decision
    if decision.when is not None:
        return noted(data, f"judged on rows that came after those it learned from (time = {decision.when!r})")
    if decision.split_group is not None:
        return noted(data, f"rows of one {decision.split_group!r} are on one side of every split")
    if decision.time == UNTIMED:
        return data
    rows = np.arange(data.frame.height)
    if len(rows) > STRETCHES * STRETCH:
        rows = some_rows(pl.DataFrame({"row": rows}))["row"].to_numpy()
    part = data.take(rows)
    order, group = shown(part.source, part.frame, part.contract, part.answers.y, task)
    if order.time is not None:
        data = noted(data, f'{order.words}: rows seem to be in the order of time, so say time = "{order.time}"')
    elif order.signs:
        data = noted(data, f"{order.words}: {WAY_OUT}")
    if group is not None and group.column not in (decision.id, *decision.use):
        data = noted(data, f'{group.words}: if these are cases of one subject, say split_group = "{group.column}"')
    return data


WAY_OUT = (
    'if rows are in the order of time say time = "row order", if they are sorted by place or by subject name that '
    f'column as split_group, and if their order means nothing say time = "{UNTIMED}"'
)


def noted(data: Dataset, note: str) -> Dataset:
    """The rows with one more note."""
    return replace(data, notes=(*data.notes, note))
