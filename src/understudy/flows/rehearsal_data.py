"""History as it would have come: which rows were known at the start, when each case came, and when its truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars.selectors as cs

from understudy.core.errors import DataError, InputError
from understudy.core.task import Task, duration
from understudy.data.answers import answer_texts, target_answers
from understudy.data.contract import Contract
from understudy.data.expressions import columns_of, evaluate
from understudy.flows.dataset import FEWEST_ROWS, read_order, read_text_times

DAY = 86_400_000_000
NO_CALENDAR = 946_684_800_000_000
"""Where the clock begins if the data has no calendar: 2000-01-01 UTC."""

NEVER = np.iinfo(np.int64).max
DURATION = re.compile(r"[0-9]+(m|h|d|w)")
MOST_STEPS = 2000
"""A long history with a short delay goes in longer steps, so that it ends."""

NO_TIME = "The task names no time: its rows come in a random order, so that nothing changes while they do."


@dataclass(frozen=True)
class History:
    """The rows with an answer, n of them, in the order in which they happened.

    Attributes
    ----------
    frame : pl.DataFrame
    truths : list of str or float
    at : ndarray of int64
        When each happened, on the rehearsal's clock: microseconds since 1970 UTC.
    calendar : bool
        Whether these are the times of the data.
    first : int
        How many rows are known at the start.
    notes : tuple of str
        What was assumed.
    """

    frame: pl.DataFrame
    truths: list[str] | list[float]
    at: np.ndarray
    calendar: bool
    first: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """Cases from one place up to another come, and then it is `now`."""

    first: int
    last: int
    now: int


def as_history(table: pl.DataFrame, task: Task, *, start: float, days: float, seed: int) -> History:
    """The rows of a table in the order in which they happened.

    Raises
    ------
    DataError
        Too few rows would be known at the start, or none would follow.
    """
    answers = target_answers(table, task.decision.target)
    known = answers.is_not_null()
    frame, answers = table.filter(known), answers.filter(known)
    path = in_time(frame, task.decision.time, seed)
    notes = () if task.decision.time else (NO_TIME,)
    frame, answers = frame[path], answers.gather(path)
    first = round(start * frame.height)
    if not FEWEST_ROWS <= first < frame.height:
        raise DataError(
            f"Of {frame.height:,} rows with an answer, {first:,} would be known at the start.",
            hint=f"At least {FEWEST_ROWS} must be, and some must follow: change --start.",
        )
    moments = None if task.decision.time is None else read_moments(frame, task.decision.time)
    if moments is None:
        at = NO_CALENDAR + (np.arange(frame.height) * (days * DAY / frame.height)).astype(np.int64)
        notes = (*notes, f"The data has no calendar: its rows are spread evenly over {days:g} days.")
    else:
        at = moments
    truths = answer_texts(answers).to_list() if task.decision.kind == "classification" else numbers(answers)
    return History(frame, truths, at, moments is not None, first, notes)


def in_time(frame: pl.DataFrame, time: str | None, seed: int) -> np.ndarray:
    """The rows' places in the order of time; in a random one where there is none."""
    if time is None:
        return np.random.default_rng(seed).permutation(frame.height)
    return np.argsort(read_order(frame, time), kind="stable")


def first_rows(table: pl.DataFrame, target: str, time: str | None, *, start: float, seed: int) -> pl.DataFrame:
    """The rows that are known at the start: all that a proposal of a task may look at."""
    frame = table.filter(target_answers(table, target).is_not_null())
    return frame[in_time(frame, time, seed)].head(max(1, round(start * frame.height)))


def numbers(answers: pl.Series) -> list[float]:
    """Answers as numbers."""
    return answers.cast(pl.Float64, strict=False).to_list()


def read_moments(frame: pl.DataFrame, time: str) -> np.ndarray | None:
    """The times of a column or an expression in microseconds since 1970 UTC; None where they are no dates."""
    if time == "row order":
        return None
    values = evaluate(frame, time, where="the time")
    if values.dtype == pl.String:
        values = read_text_times(values, time)
    if values.dtype not in (pl.Date, pl.Datetime):
        return None
    zone = getattr(values.dtype, "time_zone", None)
    moments: np.ndarray = values.cast(pl.Datetime("us", zone)).to_physical().to_numpy()
    return moments


def due_times(history: History, delay: str) -> np.ndarray:
    """When the truth of each row is known: after so many further rows, after a duration, or as a column says.

    Raises
    ------
    InputError
        It is none of these.
    """
    at = history.at
    if delay.isdecimal():
        return after_rows(at, int(delay))
    if DURATION.fullmatch(delay):
        return at + duration(delay)
    if delay not in history.frame.columns:
        raise InputError(
            f"The delay {delay!r} is neither a number of cases, a duration nor a column.",
            hint="Say for example --delay 500, --delay 14d, or the column that says when the truth was known.",
        )
    column = history.frame[delay]
    moments = read_moments(history.frame.filter(column.is_not_null()), delay) if history.calendar else None
    if moments is None:
        raise InputError(
            f"The column {delay!r} says when the truth was known only if it and the task's time are dates.",
            hint="Say --delay as a number of cases or as a duration such as 14d.",
        )
    due = np.full(len(at), NEVER)
    due[column.is_not_null().to_numpy()] = moments
    known: np.ndarray = np.maximum(due, at)
    return known


def after_rows(at: np.ndarray, count: int) -> np.ndarray:
    """The times so many rows later; beyond the last row time goes on at its mean pace."""
    pace = max(1, int(at[-1] - at[0]) // max(1, len(at) - 1))
    beyond = at[-1] + pace * np.arange(1, count + 1)
    return np.concatenate([at, beyond])[count:]


def steps(at: np.ndarray, due: np.ndarray, delay: str) -> Iterator[Step]:
    """Time in steps of at most a day and at most the delay; after the last case, until its truth is known."""
    width = min(DAY, duration(delay)) if DURATION.fullmatch(delay) else DAY
    width = max(width, int(at[-1] - at[0]) // MOST_STEPS, 1)
    most = max(1, int(delay)) if delay.isdecimal() else len(at)
    first, now = 0, int(at[0])
    while first < len(at):
        end = int(at[first]) + width
        last = min(int(np.searchsorted(at, end, side="left")), first + most)
        last = max(last, first + 1)
        now = min(end, int(at[last])) if last < len(at) else end
        yield Step(first, last, now)
        first = last
    for moment in np.unique(due[(due > now) & (due < NEVER)]).tolist():
        if moment > now:
            now = max(moment, now + width)
            yield Step(len(at), len(at), now)


def live_inputs(frame: pl.DataFrame, task: Task, contract: Contract) -> pl.DataFrame:
    """What a caller would know of each case: the contract's columns, without those that only the future knows."""
    unknown = {*columns_of(task.decision.target, frame.columns), *task.decision.after, task.today.column}
    names = [column.name for column in contract.columns if column.name in frame.columns and column.name not in unknown]
    plain = frame.select(names).select(~cs.nested())
    return plain.with_columns(
        cs.temporal().dt.to_string("iso"),
        cs.decimal().cast(pl.Float64),
        cs.float().fill_nan(None),
        cs.categorical().cast(pl.String),
    )
