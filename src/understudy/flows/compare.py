"""Two versions side by side, on rows that neither has learned from."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from understudy.autonomy.groups import value_text
from understudy.core.errors import ConflictError, DataError, InputError
from understudy.core.task import Task
from understudy.data.reading import read_frame
from understudy.evaluation.compare import Pair
from understudy.evaluation.compare import compare as compare_scores
from understudy.evaluation.comparison import CheckPair, Comparison, Side
from understudy.flows.compare_names import find_task, named_version
from understudy.flows.head import Head, Library, load_head
from understudy.flows.judged import Judged, find_judged, report_of, untouched
from understudy.flows.version import Version, load_version
from understudy.flows.workspace import open_workspace
from understudy.reports.compare import render_comparison
from understudy.store.registry import VersionRecord, current

LATENCY_ROWS = 200
ASKED_ROWS = 5
"""Where each answer is asked of an address."""


def compare(first: str, second: str, *, task: str | None = None, workspace: str | Path = ".") -> Comparison:
    """Two versions side by side: what the second does better or worse than the first, and for whom.

    They answer the same rows: those that the version registered later was judged on and the other has not learned
    from.

    Parameters
    ----------
    first, second : str
        Versions of one task: a digest, the beginning of one, `champion`, `latest`, or `previous` for the newest but
        one.
    task : str, optional
        Needed where the workspace has several tasks that know such versions.
    workspace : str or Path

    Raises
    ------
    InputError
        There are no such versions, both are the same, or their answers are not.
    ConflictError
        The rows that one of them learned from cannot be found again.

    >>> from understudy.flows.compare import compare
    >>> compare("previous", "latest", task="claims").compared.all.gain.estimate  # doctest: +SKIP
    0.008
    """
    work = open_workspace(workspace)
    name = find_task(work, (first, second), task)
    head = load_head(Library(work), name)
    records = [named_version(work, name, one) for one in (first, second)]
    if records[0].version == records[1].version:
        raise InputError(
            f"{first!r} and {second!r} are the same version, {records[0].version[:12]}.",
            hint="List the versions with: understudy models --task " + name,
        )
    versions = [load_version(work, name, record.version) for record in records]
    check_answers(*versions)
    pair = [find_judged(head, version) for version in versions]
    order = [place for _, place in sorted((record.at, place) for place, record in enumerate(records))]
    later, earlier = pair[order[1]], pair[order[0]]
    rows = untouched(later, earlier, head.task)
    frames, rows, faulty = readable(later, rows, versions)
    compared = None
    if len(rows):
        compared = compare_scores(
            scored(head.task, later, rows, versions, frames),
            searched(later, rows, head.task),
            goal=head.task.decision.goal,
            prose=[column.name for column in later.version.contract.used if column.kind == "text"],
            seed=later.version.manifest.seed,
        )
    decision = head.task.decision
    sides = [side(head, record, one, frame) for record, one, frame in zip(records, pair, frames, strict=True)]
    return Comparison(
        task=name,
        question=decision.question,
        goal=decision.goal,
        kind=decision.kind,
        tolerance=decision.tolerance,
        first=sides[0],
        second=sides[1],
        compared=compared,
        rows=told_rows(later, earlier, len(rows), faulty),
        checks=check_pairs(head, versions),
        notes=told_notes(later, versions),
    )


def check_answers(first: Version, second: Version) -> None:
    """Both decide the same thing.

    Raises
    ------
    InputError
        They do not.
    """
    if set(first.manifest.labels) != set(second.manifest.labels):
        said = [", ".join(one.manifest.labels) or "numbers" for one in (first, second)]
        raise InputError(f"The two versions do not answer alike: {said[0]} against {said[1]}; they cannot be compared.")


def readable(later: Judged, rows: np.ndarray, versions: list[Version]) -> tuple[list[pl.DataFrame], np.ndarray, int]:
    """The rows in the types of each version, those rows, and how many were left out since one cannot read them.

    Raises
    ------
    ConflictError
        The rows lack a column that one of them takes.
    """
    source, sound = later.data.source[rows], np.ones(len(rows), dtype=bool)
    for version in versions:
        absent = [name for name in version.inputs if name not in source.columns]
        if absent:
            raise ConflictError(
                f"Version {version.digest[:12]} takes {', '.join(absent)}, which the rows of version "
                f"{later.version.digest[:12]} do not have.",
                hint="Train it again on data that has all columns: understudy run",
            )
        if version.digest != later.version.digest:
            _, rejected = read_frame(version.contract, as_read(later, version, rows))
            sound[rejected["row"].unique().to_numpy()] = False
    kept = rows[sound]
    return [clean(later, version, kept) for version in versions], kept, int((~sound).sum())


def as_read(later: Judged, version: Version, rows: np.ndarray) -> pl.DataFrame:
    """The rows as they came; columns of which both know the type in that type."""
    kinds = {column.name: column.kind for column in version.contract.used}
    known = [column.name for column in later.version.contract.used if kinds.get(column.name) == column.kind]
    return later.data.source[rows].with_columns(later.data.frame[rows].select(known))


def clean(later: Judged, version: Version, rows: np.ndarray) -> pl.DataFrame:
    """The rows in the types of a version."""
    if version.digest == later.version.digest:
        return later.data.frame[rows]
    return read_frame(version.contract, as_read(later, version, rows))[0]


def scored(task: Task, later: Judged, rows: np.ndarray, versions: list[Version], frames: list[pl.DataFrame]) -> Pair:
    """What both say of the rows, beside the truth."""
    labels = later.data.answers.labels
    scores = []
    for version, frame in zip(versions, frames, strict=True):
        raw = version.scorer.frame(frame)
        order = [version.manifest.labels.index(label) for label in labels]
        scores.append(raw[:, order] if labels else raw)
    together = later.data.together
    return Pair(
        y=later.data.answers.y[rows],
        first=scores[0],
        second=scores[1],
        kind=task.decision.kind,
        tolerance=task.decision.tolerance,
        labels=labels,
        groups=None if together is None else together[rows],
        by={name: group_names(values) for name, values in declared(later, rows, task).items()},
    )


def declared(later: Judged, rows: np.ndarray, task: Task) -> dict[str, pl.Series]:
    """The columns in `[task] groups` that the rows have."""
    tables = {
        name: later.data.frame if name in later.data.frame.columns else later.data.source
        for name in task.decision.groups
    }
    return {name: table[name][rows] for name, table in tables.items() if name in table.columns}


def group_names(values: pl.Series) -> np.ndarray:
    """The group of each row, in words."""
    return np.array(
        [value_text(value).removeprefix("= ").strip('"') for value in values.to_list()], dtype=object
    ).astype(str)


def searched(later: Judged, rows: np.ndarray, task: Task) -> pl.DataFrame:
    """The columns that slices are searched in: what the later version sees, and the groups."""
    frame = later.data.frame[rows]
    return frame.with_columns(
        values.alias(name) for name, values in declared(later, rows, task).items() if name not in frame.columns
    )


def side(head: Head, record: VersionRecord, one: Judged, frame: pl.DataFrame) -> Side:
    """What is known of one of them by itself."""
    work, version = head.library.work, one.version
    with work.store.reading() as connection:
        deployed = current(connection, head.number)
    role = "challenger" if version.digest in deployed.challengers else ""
    report = report_of(head, version)
    return Side(
        version=version.digest,
        recipe=report.recipe,
        served=version.manifest.served,
        role="champion" if version.digest == deployed.champion else role,
        at=record.at,
        source=report.source,
        snapshot=record.snapshot,
        learned=len(one.learned),
        bytes=sum(len(work.artifacts.get(body)) for body in version.manifest.files.values()),
        milliseconds=latency(version, frame, work.clock.elapsed),
        inputs=version.inputs,
        passed=record.passed,
    )


def latency(version: Version, frame: pl.DataFrame, elapsed: Callable[[], float]) -> float | None:
    """The median time that the answer to one case takes, in milliseconds."""
    most = ASKED_ROWS if version.manifest.recipe == "adopted-endpoint" else LATENCY_ROWS
    rows = [list(row) for row in frame.head(most).iter_rows()]
    if not rows:
        return None
    version.predict_values(rows[:1])  # the first call prepares what later ones use
    times = []
    for values in rows:
        started = elapsed()
        version.predict_values([values])
        times.append(elapsed() - started)
    return 1000 * statistics.median(times)


def check_pairs(head: Head, versions: list[Version]) -> tuple[CheckPair, ...]:
    """The go-live checks of both, by code."""
    checks = [{check.code: check for check in report_of(head, one).checks} for one in versions]
    codes = sorted({*checks[0], *checks[1]})
    return tuple(
        CheckPair(
            code=code,
            name=(checks[1].get(code) or checks[0][code]).name,
            first=checks[0].get(code),
            second=checks[1].get(code),
        )
        for code in codes
    )


def told_rows(later: Judged, earlier: Judged, kept: int, faulty: int) -> str:
    """Which rows the two are compared on."""
    names = later.version.digest[:12], earlier.version.digest[:12]
    judged = len(later.parts.test)
    learned = judged - kept - faulty
    unread = f" {faulty:,} more break the contract of one of them." if faulty else ""
    if not kept:
        why = f"of the {judged:,} rows that {names[0]} was judged on, {names[1]} had learned from {learned:,}"
        return f"There is no row that neither has learned from: {why}.{unread} Train both on rows parted alike."
    if not learned:
        return f"On the {kept:,} rows that {names[0]} was judged on; neither has learned from any of them.{unread}"
    return (
        f"On {kept:,} of the {judged:,} rows that {names[0]} was judged on; the other {learned:,} were left out, since "
        f"{names[1]} has learned from them.{unread}"
    )


def told_notes(later: Judged, versions: list[Version]) -> tuple[str, ...]:
    """What a reader should know besides."""
    notes = []
    if later.data.together is not None:
        notes.append("Some rows belong together: bounds count each group of them once, and there is no exact test.")
    adopted = [one.digest[:12] for one in versions if one.manifest.recipe.startswith("adopted-")]
    if adopted:
        notes.append(
            f"What {' and '.join(adopted)} learned from before adoption is not known: it may have met these rows."
        )
    return tuple(notes)


def write_comparison(found: Comparison, out: str | Path) -> Path:
    """Write a comparison as an HTML page, and return its place.

    Raises
    ------
    InputError
        The file does not end in `.html`.
    DataError
        There is no such directory.
    """
    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"A comparison is written as .html, not to {out.name}.")
    if not out.parent.is_dir():
        raise DataError(f"There is no directory {out.parent} to write {out.name} to.")
    out.write_text(render_comparison(found), encoding="utf-8")
    return out
