"""What the checks of a release rest on: the version is asked, timed, and looked up where it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from understudy.core.errors import DataError, StoreError
from understudy.core.task import Checks, MustPass, Task, duration, latency
from understudy.data.split import Split
from understudy.evaluation.release import Age, Lineage, Pace, Release, Required, overlap_in_time
from understudy.evaluation.repeats import find_repeats
from understudy.flows.dataset import Dataset, read_moments
from understudy.flows.version import Version
from understudy.flows.workspace import Workspace
from understudy.sources.tables import read_table

ANSWER, WHY, TOLERANCE = "answer", "why", "tolerance"
"""What columns of a file of must-pass cases say; all others are inputs."""

TIMED, FAR_TIMED = 100, 20
"""How many rows are timed, and how many where each is a call to another machine."""

WARM, ROUNDS, LONGEST = 5, 3, 1.5
DAY = 86_400_000_000
ADOPTED = "adopted-"


def release_facts(
    work: Workspace,
    task: Task,
    version: Version,
    data: Dataset,
    parts: Split,
    *,
    read_from: str,
    planned: bool,
    scores: np.ndarray | None = None,
) -> Release:
    """What the checks of a version's release rest on.

    Parameters
    ----------
    work : Workspace
    task : Task
    version : Version
        As it will be served.
    data : Dataset
        Where it learned from.
    parts : Split
        Which of the rows train and which judge it.
    read_from : str
        The name of the file, or of what else the data was read from.
    planned : bool
        Whether the plan and the trials of its search are recorded.
    scores : ndarray of shape (len(parts.test), k), optional
        What it says of the rows that judge it; asked for where it is needed and not given.
    """
    fit = np.concatenate([parts.train, parts.validation])
    together = data.together
    judged = parts.test if together is None else np.unique(together[parts.test])
    return Release(
        overlap=None if data.order is None else overlap_in_time(data.order, fit, parts.test, together),
        repeats=find_repeats(
            data.frame,
            fit,
            parts.test,
            copies=data.copy_codes,
            y=data.answers.y,
            predict=version.scorer.frame if scores is None else lambda _: scores,
            metric=task.decision.goal,
            seed=parts.seed,
            groups=together,
        ),
        required=required_answers(work, task, version),
        pace=measure_pace(work, task.checks, version, data.frame[parts.test[:TIMED]]),
        lineage=lineage(work, task, version, read_from=read_from, planned=planned),
        age=age_of(data.source, task, work.clock.now()),
        units=len(judged),
        max_error=task.autonomy.max_error,
        confidence=task.autonomy.confidence,
    )


def required_answers(work: Workspace, task: Task, version: Version) -> tuple[Required, ...]:
    """What the version says of the cases that must get one answer; a file that cannot be read is one that fails."""
    asked = tuple(ask(version, case, task) for case in task.checks.must_pass)
    file = task.checks.must_pass_file
    if file is None:
        return asked
    try:
        return (*asked, *(ask(version, case, task) for case in read_must_pass(work, file, task)))
    except DataError as error:
        said = f"none that can be read: {error.message.rstrip('.')}"
        return (*asked, Required(why=file, expected="a table of cases", answered=said, kept=False))


def read_must_pass(work: Workspace, name: str, task: Task) -> tuple[MustPass, ...]:
    """The cases of a file: inputs by column, the `answer` (or the target's own column), and `why` if there is one.

    It stands beside the task file.

    Raises
    ------
    DataError
        It is not there, is no table, or has no answers.
    """
    table = read_table(work.task_file(task.name).with_name(name)).frame
    answer = next((column for column in (ANSWER, task.decision.target) if column in table.columns), None)
    if answer is None:
        raise DataError(f"{name} has no column {ANSWER}.", hint=f"Its columns are: {', '.join(table.columns[:30])}.")
    return tuple(as_case(row, place, answer, name) for place, row in enumerate(table.iter_rows(named=True), start=1))


def as_case(row: dict[str, Any], place: int, answer: str, name: str) -> MustPass:
    """A row of a file of cases; empty fields are missing values."""
    told = {column: value for column, value in row.items() if value is not None and value != ""}
    if answer not in told:
        raise DataError(f"{name} has no answer in row {place}.")
    try:
        tolerance = None if TOLERANCE not in told else float(told[TOLERANCE])
    except ValueError as error:
        raise DataError(f"The tolerance in row {place} of {name} is {told[TOLERANCE]!r}, and no number.") from error
    said = {answer, WHY, TOLERANCE}
    return MustPass(
        inputs={column: value for column, value in told.items() if column not in said},
        answer=told[answer],
        why=str(told.get(WHY, f"{name}, row {place}")),
        tolerance=tolerance,
    )


def ask(version: Version, case: MustPass, task: Task) -> Required:
    """What the version answers in one case that must get one answer, on the path by which live cases are answered."""
    labels = version.manifest.labels
    expected = answer_word(case.answer) if labels else number_word(case, task)
    values, faults = version.read(case.inputs)
    if faults:
        said, kept = f"not readable: {'; '.join(str(fault) for fault in faults)}", False
    elif labels:
        said = str(version.predict_values([values])[0].prediction)
        kept = said == expected
        said += "" if expected in labels else f" (the answers are {', '.join(labels)})"
    else:
        number = float(version.predict_values([values])[0].prediction)
        kept = abs(number - as_number(case.answer)) <= tolerance_of(case, task)
        said = f"{number:,.6g}"
    return Required(why=case.why, expected=expected, answered=said, kept=kept)


def answer_word(answer: str | float | bool) -> str:
    """An answer as the word by which the task knows it.

    >>> answer_word(True), answer_word(1.0), answer_word(" yes ")
    ('true', '1', 'yes')
    """
    if isinstance(answer, bool):
        return "true" if answer else "false"
    if isinstance(answer, float) and answer.is_integer():
        return str(int(answer))
    return str(answer).strip()


def number_word(case: MustPass, task: Task) -> str:
    """A number that must be answered, with how far it may be off."""
    wanted = as_number(case.answer)
    if np.isnan(wanted):
        return f"a number (it says {case.answer!r})"
    return f"{wanted:,.6g} ± {tolerance_of(case, task):,.6g}"


def as_number(answer: str | float | bool) -> float:
    """An answer as a number; NaN where it is none, which no answer is near to."""
    try:
        return float(answer)
    except ValueError:
        return float("nan")


def tolerance_of(case: MustPass, task: Task) -> float:
    """How far the number may be off in a case."""
    return (task.decision.tolerance or 0.0) if case.tolerance is None else case.tolerance


def measure_pace(work: Workspace, checks: Checks, version: Version, frame: pl.DataFrame) -> Pace:
    """How long one answer takes on this machine, from a row's values to the answer.

    Each row is timed several times, and its best time counts: what else the machine does only adds to it. A slow model
    is not timed for longer than a second or two.
    """
    elapsed = work.clock.elapsed
    rows = frame.head(FAR_TIMED if version.manifest.recipe == f"{ADOPTED}endpoint" else TIMED).to_dicts()

    def once(row: dict[str, Any]) -> float:
        began = elapsed()
        version.predict_values([version.read(row)[0]])
        return elapsed() - began

    for row in rows[:WARM]:
        once(row)
    started, times = elapsed(), np.full(len(rows), np.inf)
    for _ in range(ROUNDS):
        for place, row in enumerate(rows):
            if elapsed() - started < LONGEST:
                times[place] = min(times[place], once(row))
    timed = times[np.isfinite(times)]
    p50, p95 = np.quantile(timed, [0.5, 0.95]).tolist()
    limit = None if checks.max_latency is None else latency(checks.max_latency)
    return Pace(p50=p50, p95=p95, rows=len(timed), limit=limit)


def lineage(work: Workspace, task: Task, version: Version, *, read_from: str, planned: bool) -> Lineage:
    """Where a version comes from."""
    made = version.manifest
    return Lineage(
        snapshot=made.snapshot,
        kept=is_kept(work, made.snapshot),
        seed=made.seed,
        libraries=len(made.libraries),
        planned=planned,
        adopted=made.recipe.startswith(ADOPTED),
        read_from=read_from,
        source=task.data.source,
        licence=task.data.licence,
    )


def is_kept(work: Workspace, digest: str) -> bool:
    """Whether an artifact is there, and is what its name says."""
    try:
        work.artifacts.get(digest)
    except StoreError:
        return False
    return True


def age_of(source: pl.DataFrame, task: Task, now: int) -> Age:
    """How old the newest row is, by the task's time; not told where that is no date."""
    limit = None if task.checks.max_age is None else duration(task.checks.max_age) / DAY
    newest = newest_moment(source, task.decision.when)
    return Age(newest=None if newest is None else (now - newest) / DAY, limit=limit)


def newest_moment(source: pl.DataFrame, when: str | None) -> int | None:
    """When the newest row happened, in microseconds since 1970 UTC; None where the time is no date.

    >>> newest_moment(pl.DataFrame({"day": ["1970-01-01", "1970-01-03"]}), "day")
    172800000000
    """
    times = read_moments(source, when)
    if times is None or times.null_count() == len(times):
        return None
    newest = times.dt.epoch("us").max()
    return newest if isinstance(newest, int) else None
