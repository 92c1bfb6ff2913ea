"""What people decided of each case: in one column, in a column for each of them, or in several rows of one case."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import polars as pl
from msgspec.structs import replace

from understudy.core.errors import DataError
from understudy.core.nouns import Kind
from understudy.core.task import Task, Today
from understudy.data.answers import answer_texts, target_answers
from understudy.data.expressions import columns_of
from understudy.data.values import as_numbers


def judgement_columns(today: Today, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold people's decisions, with every pattern filled in.

    Raises
    ------
    DataError
        No column has such a name.

    >>> judgement_columns(Today(columns=("clerk", "judge_*")), ["age", "judge_a", "judge_b", "clerk"])
    ('clerk', 'judge_a', 'judge_b')
    """
    found: dict[str, None] = {}
    for name in (*((today.column,) if today.column is not None else ()), *today.columns):
        fitting = [name] if name in columns else [column for column in columns if fnmatchcase(column, name)]
        if not fitting:
            raise DataError(
                f"The task names the column {name!r} (today's decision), which is not in the data.",
                hint=f"The columns are: {', '.join(columns[:30])}.",
            )
        found |= dict.fromkeys(fitting)
    return tuple(found)


def judgements(table: pl.DataFrame, today: Today, kind: Kind) -> pl.DataFrame:
    """What each person said of each row, null where he said nothing: words, or numbers."""
    columns = [said(table, name, kind) for name in judgement_columns(today, table.columns)]
    return pl.DataFrame(columns)


def said(table: pl.DataFrame, column: str, kind: Kind) -> pl.Series:
    """One column of decisions as words, or as numbers."""
    answers = target_answers(table, column)
    if kind == "classification":
        return answer_texts(answers).alias(column)
    numbers = as_numbers(answers) if answers.dtype == pl.String else answers.cast(pl.Float64, strict=False)
    return numbers.alias(column)


def one_each(given: pl.DataFrame) -> pl.Series:
    """One of the decisions on each row: its people take turns, so that none of them stands for all.

    >>> one_each(pl.DataFrame({"a": ["x", "x", None], "b": ["y", "y", "y"]})).to_list()
    ['x', 'y', 'y']
    """
    if given.width == 1:
        return given.to_series(0).alias("decided")
    turns = [[value for value in row if value is not None] for row in given.iter_rows()]
    chosen = [row[place % len(row)] if row else None for place, row in enumerate(turns)]
    return pl.Series("decided", chosen, dtype=given.dtypes[0])


def together(given: pl.DataFrame, positive: str | None = None) -> pl.Series:
    """What people say together: the most frequent word, or the median of numbers; null where nobody said anything.

    In a tie it is the first word by alphabet, the positive one last: of two, that one needs more than half.

    >>> together(pl.DataFrame({"a": ["no", "no"], "b": ["yes", "no"], "c": [None, "yes"]})).to_list()
    ['no', 'no']
    """
    if given.width == 1:
        return given.to_series(0).alias("decided")
    if given.dtypes[0].is_numeric():
        return given.select(decided=pl.concat_list(pl.all()).list.drop_nulls().list.median()).to_series()
    words = sorted(
        {word for column in given for word in column.drop_nulls().unique().to_list()},
        key=lambda word: (word == positive, word),
    )
    if not words:
        return given.to_series(0).alias("decided")
    votes = np.array([given.select(pl.sum_horizontal(pl.all() == word)).to_series().to_numpy() for word in words])
    most = [words[place] for place in votes.argmax(axis=0)]
    return pl.Series("decided", most).set(pl.Series(votes.max(axis=0) == 0), None)


def one_row_per_case(table: pl.DataFrame, task: Task) -> tuple[pl.DataFrame, Task, tuple[str, ...]]:
    """A table with a row for each decision as one with a row for each case, and a column for each decision on it.

    Rows of one case have the same `[task] id`. Without that, the same case would be learned from and judged on. What
    differs between the rows of a case tells of who decided, and is left out, unless the task names it.

    Returns
    -------
    table : pl.DataFrame
    task : Task
        The task, its `[today] columns` naming the new columns. Both stay as they are where no id occurs twice.
    notes : tuple of str
        What was done.

    Raises
    ------
    DataError
        Rows of one case have different outcomes, scores or groups, or no id.

    >>> from understudy.core.task import Autonomy, Decision
    >>> decision = Decision(name="t", question="?", target="y", kind="classification", goal="accuracy", id="case")
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.1, confidence=0.95), today=Today(column="says"))
    >>> rows = pl.DataFrame({"case": [1, 1, 2], "says": ["a", "b", "a"], "who": [7, 8, 9], "y": ["a", "a", "b"]})
    >>> one_row_per_case(rows, task)[0].rows()
    [(1, 'a', 'a', 'b'), (2, 'b', 'a', None)]
    """
    key, column = task.decision.id, task.today.column
    if key is None or column is None or key not in table.columns or column not in table.columns:
        return table, task, ()
    most = int(table[key].drop_nulls().unique_counts().max() or 0)  # type: ignore[arg-type]
    if most < 2:
        return table, task, ()
    if table[key].null_count():
        raise DataError(
            f"{table[key].null_count():,} rows have no {key}, while others share one: which decisions belong together"
            " is not told.",
            hint="Fill it, or drop these rows.",
        )
    differing = varying(table, key, besides=column)
    fixed = {*columns_of(task.decision.target, table.columns), task.today.score, task.decision.split_group}
    for name in differing:
        if name in fixed:
            raise DataError(
                f"Rows of one case ({key}) differ in {name!r}, which must be the same for all decisions on it.",
                hint="Check the task's id: rows that share it must be about one case.",
            )
    dropped = [name for name in differing if name not in named(task, table.columns)]
    first = table.group_by(key, maintain_order=True).agg(pl.exclude(column, *dropped).first(), pl.col(column))
    titles = [f"{column} {place}" for place in range(1, most + 1)]
    spread = first[column].list.to_struct(fields=titles).struct.unnest()
    notes = [f"{table.height:,} decisions on {first.height:,} cases: rows with the same {key} are one case."]
    if dropped:
        notes.append(f"{', '.join(dropped)}: not the same in all rows of a case, so no model sees them.")
    wide = first.drop(column).hstack(spread)
    today = replace(task.today, column=None, columns=tuple(titles))
    return wide, replace(task, today=today), tuple(notes)


def varying(table: pl.DataFrame, key: str, *, besides: str) -> list[str]:
    """The columns that are not the same in all rows of a case."""
    counts = table.group_by(key).agg(pl.exclude(besides).n_unique()).drop(key).max()
    return [name for name, most in counts.row(0, named=True).items() if most > 1]


def named(task: Task, columns: Sequence[str]) -> set[str]:
    """The columns that a task names: without them it could not be read."""
    decision = task.decision
    plain = {decision.subject, decision.split_group, task.today.score, *decision.after, *decision.drop, *decision.use}
    found = {name for name in plain if name is not None} | set(columns_of(decision.target, columns))
    if decision.when is not None and decision.when != "row order":
        found |= set(columns_of(decision.when, columns))
    for rule in task.today.rules:
        found |= set(columns_of(rule.when, columns))
    return found
