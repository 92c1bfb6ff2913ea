"""From a table and a task to clean rows, their answers, and what was set aside on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import polars as pl

from understudy.core.errors import DataError
from understudy.core.task import Direction, Task
from understudy.data.answers import Answers, read_answers, target_answers
from understudy.data.contract import Contract, infer_contract
from understudy.data.copies import Copies, find_copies, joined
from understudy.data.expressions import columns_of, evaluate
from understudy.data.judgements import judgement_columns
from understudy.data.profile import Leak, suspected_leaks
from understudy.data.reading import read_frame
from understudy.data.split import Split, split

FEWEST_ROWS = 40
FALLING = 0.001
"""The share of steps along time by which a clock may fall."""


@dataclass(frozen=True)
class Dataset:
    """Rows that a task can be learned from.

    Attributes
    ----------
    frame : pl.DataFrame
        The used columns in canonical types, one row for each row with an answer that keeps the contract.
    source : pl.DataFrame
        The same rows as they were read.
    answers : Answers
        What was decided.
    contract : Contract
        What the columns mean.
    order, groups : ndarray of int64, optional
        When each row happened, and which rows belong together.
    rejected : pl.DataFrame
        The faults of the rows that break the contract.
    leaks : tuple of Leak
        Columns that give the answer away; they are left out unless the task insists on them.
    without_answer : int
        How many rows have no answer.
    weights : ndarray of float64, optional
        How many cases each row stands for; by default itself.
    copies : Copies, optional
        Which rows repeat each other.
    notes : tuple of str
        What a reader should know of how the rows are parted.
    monotone : mapping of str to {"rises", "falls"}
        The columns with which the answer may only rise, or only fall.
    """

    frame: pl.DataFrame
    source: pl.DataFrame
    answers: Answers
    contract: Contract
    order: np.ndarray | None
    groups: np.ndarray | None
    rejected: pl.DataFrame
    leaks: tuple[Leak, ...]
    without_answer: int
    weights: np.ndarray | None = None
    copies: Copies | None = None
    notes: tuple[str, ...] = ()
    monotone: Mapping[str, Direction] = field(default_factory=dict)

    def weights_of(self, rows: np.ndarray) -> np.ndarray | None:
        """The weights of some rows; None where all count alike."""
        return None if self.weights is None else self.weights[rows]

    @property
    def quarantined(self) -> int:
        """How many rows break the contract."""
        return self.rejected["row"].n_unique()

    def split(self, seed: int) -> Split:
        """Train, validation, test and history, by time, by group, or at random."""
        strata = self.answers.y if self.answers.labels else None
        return split(
            self.frame.height, strata=strata, order=self.order, groups=self.groups, copies=self.copy_codes, seed=seed
        )

    @property
    def copy_codes(self) -> np.ndarray | None:
        """A code for each row, which its copies share; None where no row repeats another."""
        return None if self.copies is None else self.copies.codes

    @property
    def together(self) -> np.ndarray | None:
        """Codes of rows that are not independent: those of one group, and copies; None where all are."""
        return self.copy_codes if self.groups is None else joined(self.groups, self.copy_codes)

    def take(self, rows: np.ndarray) -> Dataset:
        """Some of the rows, in the order in which they are named."""

        def some(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[rows]

        return replace(
            self,
            frame=self.frame[rows],
            source=self.source[rows],
            answers=replace(self.answers, y=self.answers.y[rows]),
            order=some(self.order),
            groups=some(self.groups),
            weights=some(self.weights),
            copies=None if self.copies is None else replace(self.copies, codes=self.copies.codes[rows]),
        )


def assemble(table: pl.DataFrame, task: Task, *, seed: int) -> Dataset:
    """Read a task's rows from a table.

    Rows without an answer are set aside and counted; rows that break the contract are quarantined with the reason.

    Raises
    ------
    DataError
        The target, the time or the group cannot be read, or too few rows are left.
    """
    answers = target_answers(table, task.decision.target)
    known = answers.is_not_null()
    numbered = table.filter(known)
    contract = infer_contract(numbered, left_out=left_out(task, table.columns), kept=task.decision.use)
    frame, rejected = read_frame(contract, numbered)
    rejected = rejected.with_columns(row=pl.Series(np.flatnonzero(known.to_numpy()))[rejected["row"]])
    kept = ~pl.int_range(table.height, eager=True).is_in(rejected["row"].implode()) & known
    source = table.filter(kept)
    if source.height < FEWEST_ROWS:
        raise DataError(
            f"Only {source.height} of {table.height} rows have an answer and keep the contract; "
            f"{FEWEST_ROWS} are needed.",
            hint=first_faults(rejected),
        )
    data = Dataset(
        frame=frame,
        source=source,
        answers=read_answers(
            answers.filter(kept), kind=task.decision.kind, positive=task.decision.positive, target=task.decision.target
        ),
        contract=contract,
        order=None if task.decision.when is None else read_order(source, task.decision.when),
        groups=belonging(source, task),
        rejected=rejected,
        leaks=(),
        without_answer=int((~known).sum()),
        monotone=task.model.monotone,
        notes=repeated_cases(source, task),
    )
    return with_copies(without_leaks(without_clocks(data, task, seed=seed), task, seed=seed))


def with_copies(data: Dataset) -> Dataset:
    """The same rows, and which of them repeat each other by the columns that models see."""
    copies = find_copies(data.frame, data.contract)
    return data if copies is None else replace(data, copies=copies, notes=(*data.notes, copies.words))


def left_out(task: Task, columns: list[str]) -> dict[str, str]:
    """Which columns a model may not see, and why."""
    reasons = dict.fromkeys(columns_of(task.decision.target, columns), "the target is computed from it")
    named = [
        (task.decision.after, "known only afterwards"),
        (task.decision.drop, "dropped in the task file"),
        ((task.decision.id,), "the case's id"),
        ((task.decision.split_group,), "the group that must not be split"),
        ((task.decision.subject,), "the person whom the case is about"),
        (task.model.truths, "the truth of a stage, known only afterwards"),
        (judgement_columns(task.today, columns), "today's decision"),
        ((task.today.score,), "today's score"),
    ]
    for names, reason in named:
        for name in names:
            if name is None:
                continue
            if name not in columns:
                raise DataError(f"The task names the column {name!r} ({reason}), which is not in the data.")
            if name not in task.decision.use:
                reasons.setdefault(name, reason)
    return reasons


def without_clocks(data: Dataset, task: Task, *, seed: int) -> Dataset:
    """The same rows without columns that only grow with time, such as the month of a single year.

    What comes later has values that training never saw: they predict nothing, and would make every later case strange.
    A column that the time is computed from is one where it grows; others are where they have gone beyond training.
    The column of the time itself stays: its parts come again.
    """
    time = task.decision.when
    if data.order is None or time is None:
        return data
    path = np.argsort(data.order, kind="stable")
    first = data.split(seed).train
    named = () if time == "row order" else columns_of(time, data.source.columns)
    clocks = []
    for column in data.contract.used:
        if column.kind not in ("number", "integer") or column.name in (time, *task.decision.use):
            continue
        values = data.frame[column.name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        beyond = bool(np.nanmax(values) > np.nanmax(values[first], initial=-np.inf))
        if (column.name in named or beyond) and only_grows(values[path]):
            clocks.append(column.name)
    return leave_out(data, dict.fromkeys(clocks, "only grows with time: later values were never seen"))


def only_grows(values: np.ndarray) -> bool:
    """Whether numbers, in the order of time, never fall and end higher than they began.

    >>> only_grows(np.array([1, 1, 2, 2, 3, 3, 4, 4.0])), only_grows(np.array([1, 2, 1, 2, 1, 2.0]))
    (True, False)
    """
    known = values[~np.isnan(values)]
    return len(known) > 1 and bool(known[-1] > known[0] and np.mean(np.diff(known) < 0) < FALLING)


def leave_out(data: Dataset, reasons: dict[str, str]) -> Dataset:
    """The same rows without some columns, and why they are left out."""
    columns = tuple(
        msgspec.structs.replace(column, used=False, note=reasons[column.name]) if column.name in reasons else column
        for column in data.contract.columns
    )
    contract = msgspec.structs.replace(data.contract, columns=columns)
    if not contract.used:
        raise DataError(
            "No column is left to learn from.",
            hint="; ".join(f"{column.name}: {column.note or column.kind}" for column in columns[:10]),
        )
    return replace(data, contract=contract, frame=data.frame.drop(reasons))


def without_leaks(data: Dataset, task: Task, *, seed: int) -> Dataset:
    """The same rows without the columns that give the answer away, unless the task insists on them."""
    leaks = suspected_leaks(data.frame, data.contract, data.answers.y, kind=task.decision.kind, seed=seed)
    reasons = {leak.column: f"suspected leak: {leak.reason}" for leak in leaks if leak.column not in task.decision.use}
    return replace(leave_out(data, reasons), leaks=leaks)


def read_moments(source: pl.DataFrame, when: str | None) -> pl.Series | None:
    """When each row happened, null where that is unknown; None where the time is no date."""
    if when is None or when == "row order":
        return None
    try:
        times = evaluate(source, when, where="the time")
        if times.dtype == pl.String:
            times = read_text_times(times, when)
    except DataError:
        return None
    return times if times.dtype in (pl.Date, pl.Datetime) else None


def read_order(source: pl.DataFrame, time: str) -> np.ndarray:
    """When each row happened, as numbers that sort by time."""
    if time == "row order":
        return np.arange(source.height)
    times = evaluate(source, time, where="the time")
    if times.dtype == pl.String:
        times = read_text_times(times, time)
    if times.null_count():
        row = int(times.is_null().arg_max() or 0)
        raise DataError(
            f"The time {time!r} is missing in {times.null_count():,} rows, first in row {row + 1}.",
            hint="Fill it, drop these rows, or choose another time.",
        )
    physical = times.to_physical()
    return physical.rank("dense").cast(pl.Int64).to_numpy()


def read_text_times(times: pl.Series, time: str) -> pl.Series:
    """Times that were given as text."""
    column = infer_contract(times.to_frame(time)).columns[0]
    if column.kind not in ("datetime", "number", "integer"):
        raise DataError(
            f"The time {time!r} is neither a date nor a number, but text such as {times[0]!r}.",
            hint="Name a column of dates (ISO 8601), an expression that gives a number, or 'row order'.",
        )
    contract = Contract(columns=(msgspec.structs.replace(column, used=True, nullable=True),))
    clean, rejected = read_frame(contract, times.to_frame(time))
    if rejected.height:
        raise DataError(f"The time {time!r} cannot be read in row {rejected['row'][0] + 1}: {rejected['value'][0]!r}.")
    return clean[time]


def read_groups(source: pl.DataFrame, group: str) -> np.ndarray:
    """Which rows belong together, as whole numbers; a missing group stands alone."""
    groups = evaluate(source, group, where="the group")
    codes = groups.rank("dense").cast(pl.Int64)
    alone = pl.int_range(source.height, eager=True) + source.height
    return codes.fill_null(alone).to_numpy()


def belonging(source: pl.DataFrame, task: Task) -> np.ndarray | None:
    """Which rows belong together: those of one `split_group`, and those of one case where its id comes again."""
    case, group = task.decision.id, task.decision.split_group
    groups = None if group is None else read_groups(source, group)
    if case is None or not repeated_cases(source, task):
        return groups
    cases = read_groups(source, case)
    return cases if groups is None else joined(groups, cases)


def repeated_cases(source: pl.DataFrame, task: Task) -> tuple[str, ...]:
    """That ids come again, and what becomes of their rows, in a sentence; nothing where each names one row."""
    case = task.decision.id
    if case is None:
        return ()
    ids = source[case].drop_nulls()
    again = len(ids) - ids.n_unique()
    if not again:
        return ()
    rows = f"In {again:,} of {source.height:,} rows {case} names a case that another row names already"
    return (f"{rows}: rows of one case are never parted between training and test.",)


def first_faults(rejected: pl.DataFrame) -> str:
    """The first few faults in words, for a message."""
    rows = rejected.head(3).iter_rows(named=True)
    return "; ".join(
        f"row {row['row'] + 1}, {row['column']}: {row['value']!r} is not {row['expected']}" for row in rows
    )
