"""The rows that a version learned from and was judged on, found again from its snapshot."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from understudy.core.errors import ConflictError, DataError, StoreError
from understudy.core.task import Task
from understudy.data.answers import read_answers, target_answers
from understudy.data.expressions import columns_of, evaluate
from understudy.data.reading import read_frame
from understudy.data.split import Split
from understudy.data.values import as_numbers, as_texts
from understudy.evaluation.measures import METRICS, measure
from understudy.evaluation.report import Report
from understudy.flows.dataset import Dataset, belonging, read_order, with_copies
from understudy.flows.head import Head
from understudy.flows.labels import LabelledCase, labelled_cases
from understudy.flows.models import beside
from understudy.flows.retrain import CASE, LABEL, WEIGHT, Lived, as_answers, join, live_rows
from understudy.flows.version import Version
from understudy.store.erasure import read_snapshots

ALIKE = 1e-6
"""How far a figure may lie from the reported one, relative to it: rows that were found again give the very same."""


@dataclass(frozen=True)
class Judged:
    """A version with its rows.

    Attributes
    ----------
    version : Version
    data : Dataset
    parts : Split
    cases : ndarray of int64, shape (n,)
        The number of each live case; -1 where a row was none.
    """

    version: Version
    data: Dataset
    parts: Split
    cases: np.ndarray

    @property
    def learned(self) -> np.ndarray:
        """The rows that it learned from, or chose its settings by."""
        return np.concatenate([self.parts.train, self.parts.validation])


def find_judged(head: Head, version: Version) -> Judged:
    """The rows of a version, parted as they were when it was made.

    That they are the same is proven by its figures: on the rows found again it must do as its report says.

    Parameters
    ----------
    head : Head
        Of the version's task.
    version : Version

    Raises
    ------
    ConflictError
        Its snapshot was erased, or the rows cannot be found again, since the task's file or the log have changed.
    """
    table = read_snapshot(head, version)
    try:
        if CASE in table.columns:
            data, cases = from_log(head, version, table)
        else:
            data, cases = from_table(head.task, version, table), np.full(table.height, -1)
        judged = Judged(version, data, data.split(version.manifest.seed), cases)
    except DataError as error:
        raise changed(version, str(error)) from error
    check_same(head, judged)
    return judged


def read_snapshot(head: Head, version: Version) -> pl.DataFrame:
    """The table that a version was made from."""
    work, digest = head.library.work, version.manifest.snapshot
    with work.store.reading() as connection:
        purged = {found.digest for found in read_snapshots(connection, head.number) if found.purged_at}
    lost = f"The rows that version {version.digest[:12]} learned from were erased since"
    if digest in purged:
        raise ConflictError(f"{lost}: what it learned from cannot be told from what it has never seen.")
    try:
        return pl.read_parquet(io.BytesIO(work.artifacts.get(digest)))
    except StoreError as error:
        raise ConflictError(f"{lost}, or are not in the store: {error.message}") from error


def from_table(task: Task, version: Version, table: pl.DataFrame) -> Dataset:
    """The rows of a version that was made from a file."""
    decision = task.decision
    frame, rejected = read_frame(version.contract, table)
    answers = target_answers(table, decision.target)
    if rejected.height or answers.null_count():
        raise DataError("rows that were sound then no longer are")
    data = Dataset(
        frame=frame,
        source=table,
        answers=read_answers(answers, kind=decision.kind, positive=decision.positive, target=decision.target),
        contract=version.contract,
        order=None if decision.when is None else read_order(table, decision.when),
        groups=belonging(table, task),
        rejected=rejected,
        leaks=(),
        without_answer=0,
    )
    return with_copies(data)


def from_log(head: Head, version: Version, table: pl.DataFrame) -> tuple[Dataset, np.ndarray]:
    """The rows of a version that was made from the log, and the number of each live case."""
    named = table.filter(pl.col(CASE).is_not_null()).select(CASE, LABEL, WEIGHT)
    with head.library.work.store.reading() as connection:
        inputs = {case.seq: case.inputs for case in labelled_cases(connection, head.number)}
    cases = [LabelledCase(seq, inputs[seq], label, weight) for seq, label, weight in named.iter_rows() if seq in inputs]
    if len(cases) < named.height:
        raise DataError(f"{named.height - len(cases):,} live cases were erased")
    live = live_rows(head, version, cases)
    if live.frame.height < len(cases):
        raise DataError("live cases that could be read then no longer can")
    source = table.filter(pl.col(CASE).is_null()).drop(CASE, LABEL, WEIGHT)
    frame, _ = read_frame(version.contract, source)
    answers = as_answers(target_answers(source, head.task.decision.target), head.task.decision.kind)
    old = Lived(source, frame, answers, np.ones(source.height))
    numbers = np.concatenate([np.full(source.height, -1), np.array([case.seq for case in cases], dtype=np.int64)])
    return join(head, version.contract, old, live), numbers


def check_same(head: Head, judged: Judged) -> None:
    """The version does on these rows as its report says.

    Raises
    ------
    ConflictError
        It does not.
    """
    version, test = judged.version, judged.parts.test
    report = report_of(head, version)
    told = {name: found.estimate for name, found in report.evaluation.metrics.items() if name in METRICS}
    y, scores = judged.data.answers.y[test], version.scorer.frame(judged.data.frame[test])
    same = report.rows["test"] == len(test) and version.manifest.labels == judged.data.answers.labels
    if same:
        same = all(
            math.isclose(measure(name, y, scores), value, rel_tol=ALIKE, abs_tol=ALIKE) for name, value in told.items()
        )
    if not same:
        raise changed(version, "on the rows that would be its test part now it does not do as its report says")


def report_of(head: Head, version: Version) -> Report:
    """A version's report."""
    return msgspec.json.decode(beside(head.library.work, head.task.name, version.digest, "report.json"), type=Report)


def changed(version: Version, why: str) -> ConflictError:
    """The error of rows that cannot be found again."""
    return ConflictError(
        f"The rows that version {version.digest[:12]} was judged on cannot be found again: {why}.",
        hint="The task's file must say of target, time, id and split_group what it said when the version was made.",
    )


def untouched(later: Judged, earlier: Judged, task: Task) -> np.ndarray:
    """The test rows of the later version that the earlier one did not learn from.

    Of one snapshot rows are told by their place, else by their case, their values in all common columns, and their
    `id` and `split_group`.

    Returns
    -------
    ndarray of int64
        Places in the later version's rows.
    """
    test = later.parts.test
    if later.version.manifest.snapshot == earlier.version.manifest.snapshot:
        return test[~np.isin(test, earlier.learned)]
    cases = earlier.cases[earlier.learned]
    met = np.isin(later.cases[test], cases[cases >= 0])
    here, there = later.data.source[test], earlier.data.source[earlier.learned]
    met |= repeated(here, there, [name for name in here.columns if name in there.columns])
    for name in (task.decision.id, task.decision.split_group):
        if name is not None and told_by(name, here, there):
            met |= repeated(named(here, name), named(there, name), ["unit"], missing=False)
    return np.asarray(test[~met])


def told_by(expression: str, *tables: pl.DataFrame) -> bool:
    """Whether all tables have the columns of an expression."""
    return all(set(columns_of(expression, table.columns)) <= set(table.columns) for table in tables)


def named(table: pl.DataFrame, expression: str) -> pl.DataFrame:
    """The unit that each row belongs to."""
    return pl.DataFrame({"unit": evaluate(table, expression, where="the group")})


def repeated(here: pl.DataFrame, there: pl.DataFrame, columns: list[str], *, missing: bool = True) -> np.ndarray:
    """Which rows have the same values in all columns as some row of another table.

    Numbers are the same however they are written. `missing` says whether missing values are the same.
    """
    pairs = {name: comparable(here[name], there[name]) for name in columns}
    ours = pl.DataFrame({name: pair[0] for name, pair in pairs.items()}).with_row_index("place")
    theirs = pl.DataFrame({name: pair[1] for name, pair in pairs.items()}).unique()
    found = ours.join(theirs, on=columns, how="semi", nulls_equal=missing)["place"].to_numpy()
    return np.isin(np.arange(here.height), found)


def comparable(*columns: pl.Series) -> list[pl.Series]:
    """Columns of two tables as numbers where all their values are, else as text."""
    texts = [as_texts(values.cast(pl.String, strict=False)).str.to_lowercase() for values in columns]
    numbers = [as_numbers(text) for text in texts]
    same = all(found.null_count() == text.null_count() for found, text in zip(numbers, texts, strict=True))
    return numbers if same else texts
