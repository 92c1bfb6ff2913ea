"""History as it would have come: which rows were known at the start, when each case came, and when its truth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars.selectors as cs
from msgspec.structs import replace

from understudy.core.errors import DataError, InputError
from understudy.core.nouns import Level
from understudy.core.task import UNTIMED, Task, duration
from understudy.data.answers import answer_texts, target_answers
from understudy.data.contract import Contract
from understudy.data.expressions import columns_of, evaluate
from understudy.data.judgements import judgement_columns, judgements, together
from understudy.data.split import shuffled_groups
from understudy.flows.baseline import rule_answers
from understudy.flows.dataset import FEWEST_ROWS, read_groups, read_order, read_text_times
from understudy.flows.propose import Told

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
    """The rows with an answer, or whose outcome was hidden by what was decided, n of them, in the order of time.

    Attributes
    ----------
    frame : pl.DataFrame
    truths : list of str or float
        None where what was decided hides the outcome.
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
    truths: Sequence[str | float | None]
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
    table, hidden = with_outcomes_hidden(table, task)
    answers = target_answers(table, task.decision.target)
    kept = answers.is_not_null() | hidden
    frame, answers = table.filter(kept), answers.filter(kept)
    path = in_time(frame, task.decision.when, task.decision.split_group, seed)
    notes = (*(() if task.decision.when else (NO_TIME,)), *left_out_notes(task, kept, hidden))
    frame, answers = frame[path], answers.gather(path)
    first = parted(frame, task, start)
    if not FEWEST_ROWS <= first < frame.height:
        raise DataError(
            f"Of {frame.height:,} rows with an answer, {first:,} would be known at the start.",
            hint=f"At least {FEWEST_ROWS} must be, and some must follow: change --start.",
        )
    moments = None if task.decision.when is None else read_moments(frame, task.decision.when)
    if moments is None:
        at = NO_CALENDAR + (np.arange(frame.height) * (days * DAY / frame.height)).astype(np.int64)
        notes = (*notes, f"The data has no calendar: its rows are spread evenly over {days:g} days.")
    else:
        at = moments
    truths = answer_texts(answers).to_list() if task.decision.kind == "classification" else numbers(answers)
    return History(frame, truths, at, moments is not None, first, notes)


def with_outcomes_hidden(table: pl.DataFrame, task: Task) -> tuple[pl.DataFrame, pl.Series]:
    """The table without outcomes that cannot have been seen, since what was decided hides them; and where that is.

    A table that has some in spite of this was filled in by somebody, for the task says that they never show. Where the
    data does not tell what was decided, the outcomes that are missing were hidden.
    """
    hiding = hiding_answers(task)
    if not hiding:
        return table, pl.repeat(value=False, n=table.height, eager=True)
    stood = decided(table, task)
    if stood is None:
        return table, target_answers(table, task.decision.target).is_null()
    hidden = stood.is_in(hiding).fill_null(value=False)
    seen = pl.when(~hidden)
    columns = columns_of(task.decision.target, table.columns)
    return table.with_columns(seen.then(pl.col(name)).alias(name) for name in columns), hidden


def hiding_answers(task: Task) -> tuple[str, ...]:
    """The answers after which the outcome never shows; none where the truth is what reviewers say."""
    return task.truth.hides_outcome if task.truth.source == "outcome" else ()


def left_out_notes(task: Task, kept: pl.Series, hidden: pl.Series) -> tuple[str, ...]:
    """How many rows have no outcome, and why."""
    notes = []
    if not kept.all():
        notes.append(f"{int((~kept).sum()):,} rows have no outcome, and are left out.")
    if hidden.any():
        why = words_or(hiding_answers(task))
        share = f"{int(hidden.sum()):,} of {int(kept.sum()):,} cases"
        notes.append(
            f"In {share} people decided {why}, after which the outcome never shows. So history proves nothing about"
            f" {why}: in the rehearsal only people give that answer. Where the model gives another one, it counts as a"
            " mistake."
        )
    return tuple(notes)


def words_or(answers: Sequence[str]) -> str:
    """Answers in words.

    >>> words_or(["refuse", "delay"])
    "'refuse' or 'delay'"
    """
    return " or ".join(repr(answer) for answer in answers)


def as_rehearsed(task: Task, table: pl.DataFrame) -> Task:
    """The task as it can be rehearsed: where past decisions hid outcomes, the machine may not give those answers.

    Live, blind looks would be held against them; history has none.
    """
    _, hidden = with_outcomes_hidden(table, task)
    if not hidden.any():
        return task
    hiding = hiding_answers(task)
    known = answer_texts(target_answers(table, task.decision.target).drop_nulls()).unique().to_list()
    allowed = task.mandate.allow or sorted({*known, *hiding})
    left = tuple(answer for answer in allowed if answer not in hiding)
    if left:
        return replace(task, mandate=replace(task.mandate, allow=left))
    level = min(task.autonomy.max_level, Level.ASSIST, key=lambda level: level.height)
    return replace(task, autonomy=replace(task.autonomy, max_level=level))


def decided(frame: pl.DataFrame, task: Task) -> pl.Series | None:
    """What stood in each case: what a rule said, else people, else nothing; None where neither is in the data."""
    today, stood = task.today, None
    if today.column is not None or today.columns:
        stood = together(judgements(frame, today, task.decision.kind), task.decision.positive)
    if not today.rules:
        return stood
    ruled = rule_answers(frame, today.rules)
    return ruled if stood is None else ruled.zip_with(ruled.is_not_null(), stood.cast(pl.String))


def in_time(frame: pl.DataFrame, time: str | None, group: str | None, seed: int) -> np.ndarray:
    """The rows' places in the order of time; in a random one where there is none, with each group in one piece."""
    if time is not None:
        return np.argsort(read_order(frame, time), kind="stable")
    if group is not None:
        return np.argsort(shuffled_groups(read_groups(frame, group), seed), kind="stable")
    return np.random.default_rng(seed).permutation(frame.height)


def parted(frame: pl.DataFrame, task: Task, start: float) -> int:
    """How many rows are known at the start; where rows have no time, no group is parted."""
    first, group = round(start * frame.height), task.decision.split_group
    if task.decision.when is not None or group is None:
        return first
    codes = read_groups(frame, group)
    while 0 < first < frame.height and codes[first] == codes[first - 1]:
        first += 1
    return first


def first_rows(table: pl.DataFrame, target: str, told: Told, *, start: float, seed: int) -> pl.DataFrame:
    """The rows that are known at the start: all that a proposal of a task may look at."""
    frame = table.filter(target_answers(table, target).is_not_null())
    path = in_time(frame, None if told.get("time") == UNTIMED else told.get("time"), told.get("split_group"), seed)
    return frame[path].head(max(1, round(start * frame.height)))


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
    people = judgement_columns(task.today, frame.columns)
    unknown = {*columns_of(task.decision.target, frame.columns), *task.decision.after, *people}
    names = [column.name for column in contract.columns if column.name in frame.columns and column.name not in unknown]
    plain = frame.select(names).select(~cs.nested())
    return plain.with_columns(
        cs.temporal().dt.to_string("iso"),
        cs.decimal().cast(pl.Float64),
        cs.float().fill_nan(None),
        cs.categorical().cast(pl.String),
    )
