"""The second half of every way to a version: evaluate, examine, check, report, register, and go to shadow."""

from __future__ import annotations

import io
import os
import platform
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa

from understudy.autonomy.groups import group_of
from understudy.core.canonical import canonical, digest
from understudy.core.errors import ModelError
from understudy.core.evidence import Evidence
from understudy.core.nouns import Check, Deployment, Kind
from understudy.core.task import Task
from understudy.data.answers import answer_texts
from understudy.data.dirty import dirty_rows
from understudy.data.profile import profile
from understudy.data.rows import RowReader
from understudy.data.split import Split
from understudy.evaluation.checks import Agreement, go_live_checks, passed
from understudy.evaluation.findings import Findings
from understudy.evaluation.optimism import Expectation
from understudy.evaluation.part import TestPart
from understudy.evaluation.proposals import actions_of, checks_of
from understudy.evaluation.report import Evaluation, Report, evaluate
from understudy.evaluation.worklist import Worklist, rank
from understudy.evidence.fixed import clopper_pearson
from understudy.flows.baseline import today_scores
from understudy.flows.dataset import Dataset
from understudy.flows.entering import is_live, let_watch
from understudy.flows.examine import Examiner
from understudy.flows.expected import Expected
from understudy.flows.moves import hold_to
from understudy.flows.override import read_overrides, still_blocking, watch_reasons
from understudy.flows.release import release_facts
from understudy.flows.version import INTERVAL_CONFIDENCE, Manifest, Scorer, Served, Version
from understudy.flows.workspace import Workspace
from understudy.models.calibrate import Head, intervals
from understudy.models.steady import STEADY
from understudy.monitoring.strangeness import Strangeness
from understudy.reports.chapters.every import chapters_of
from understudy.reports.html import render
from understudy.store.registry import VersionRecord, current, keep_snapshot, register
from understudy.store.tasks import read_task, save_task

LIBRARIES = ("understudy", "numpy", "polars", "scikit-learn", "lightgbm", "onnx", "onnxruntime")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a flow has done, for whoever watches: what, with which figures, and why."""

    title: str
    detail: str = ""
    why: str = ""


Tell = Callable[[Step], None]


@dataclass(frozen=True)
class Candidate:
    """A model that is ready to be judged.

    Attributes
    ----------
    recipe, title : str
    params : dict
    served, reason : str
        How it answers, and why natively.
    head : Head
    reference : Strangeness
    scorer : Scorer
    files : dict of bytes
        What the scorer is opened from, by name.
    compiled : float, optional
        The largest difference between the trained and the compiled model; None where it is served natively.
    leaderboard : tuple of dict
    oof : pl.DataFrame, optional
        Out-of-fold predictions, for later analysis.
    stages : tuple of str
        The names of the model's stages.
    compared : int
        On how many held-out and how many dirty rows the ways of serving are compared.
    learning : dict of str
        From rows in time, where boosting stopped (`stopping`) and how much old rows counted (`memory`).
    expected : Expected, optional
        What the search expects of it; None where there was none.
    record : bytes
        What the run was asked for and what it tried, for a replay; empty where there is none.
    notes : tuple of str
        What a reader should know of how it was chosen.
    """

    recipe: str
    title: str
    params: dict[str, Any]
    served: Served
    reason: str
    head: Head
    reference: Strangeness
    scorer: Scorer
    files: dict[str, bytes]
    compiled: float | None
    leaderboard: tuple[dict[str, Any], ...]
    oof: pl.DataFrame | None
    stages: tuple[str, ...]
    compared: int = 300
    learning: dict[str, str] = field(default_factory=dict)
    expected: Expected | None = None
    record: bytes = b""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Occasion:
    """Where a candidate comes from.

    Attributes
    ----------
    source : str
        The name of the data.
    snapshot : str
        Its digest.
    rows_read : int
    rejected : str
        The file of the quarantined rows; empty where there are none.
    started : float
        When the flow began, on the clock's `elapsed`.
    seed : int
    actor : str
        Who asked for it.
    tell : callable
    applies : bool
        Whether the task's file is applied with the version; otherwise what holds goes on.
    diagnosed : float
        For how many seconds models may be fitted again, to find out what holds the version back.
    full : bool
        Whether everything is looked at, or only what the checks rest on.
    """

    source: str
    snapshot: str
    rows_read: int
    rejected: str
    started: float
    seed: int
    actor: str
    tell: Tell
    applies: bool = True
    diagnosed: float = 0.0
    full: bool = True


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Which model it became; `compiled` is false where it is served natively, for the `reason`."""

    version: str
    recipe: str
    title: str
    compiled: bool
    reason: str


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a run or an adoption came to.

    Attributes
    ----------
    task, kind : str
    rows, quarantined : int
        How many rows were read, and how many of them break the contract.
    model : ModelSummary
    metrics : dict of Evidence
        On the test part, with 95 % bootstrap intervals.
    baseline : dict
        What decides today: its `name`, `metrics`, and the paired `gain` over it.
    calibration_error : float
    checks : tuple of Check
    level : str
        The task's level afterwards.
    report, rejected : str
        The files of the report and of the quarantined rows; the second is empty where there are none.
    seconds : float
    notes : tuple of str
        What a reader should know of how the rows are arranged and parted, and of what was left out of the model.
    expectation : Expectation, optional
        What the search expected of the model, beside what it does on the test part, which the search never used.
    training_seconds : float
        How much of the seconds went by until the model was calibrated and compiled; the rest went to judging it.
    reused : str
        What was taken over from an earlier run that was stopped; empty where nothing was.
    leaderboard : tuple of dict
        Every trial of the search, with its weight in the answer.
    worklist : Worklist, optional
        What to do about the version, the first things first.
    """

    task: str
    kind: Kind
    rows: int
    quarantined: int
    model: ModelSummary
    metrics: dict[str, Evidence]
    baseline: dict[str, Any]
    calibration_error: float
    checks: tuple[Check, ...]
    level: str
    report: str
    rejected: str
    seconds: float
    notes: tuple[str, ...] = ()
    expectation: Expectation | None = None
    training_seconds: float = 0.0
    reused: str = ""
    leaderboard: tuple[dict[str, Any], ...] = ()
    worklist: Worklist | None = None


def libraries() -> dict[str, str]:
    """The versions of the libraries that a model depends on."""
    return {name: metadata.version(name) for name in LIBRARIES}


@STEADY  # sums over some thousands of rows are shared out for longer than they take, and would differ by machine
def go_live(
    work: Workspace, task: Task, data: Dataset, parts: Split, candidate: Candidate, occasion: Occasion
) -> RunResult:
    """Judge a candidate on the test part, register it as a version, and let it go to shadow if its checks pass."""
    trained_after = work.clock.elapsed() - occasion.started
    version, files = assemble_version(task, data, candidate, occasion)
    part = judged_part(version, task, data, parts)
    evaluation = evaluate(part, kind=task.decision.kind, goal=task.decision.goal, seed=occasion.seed)
    occasion.tell(
        Step(title="evaluated", detail=f"on {len(parts.test):,} untouched rows beside {evaluation.baseline.name}")
    )
    examiner = Examiner(version, task, data, parts, part, files=files, oof=candidate.oof, seed=occasion.seed)
    findings = examiner.examine(
        evaluation.coverage,
        clock=work.clock,
        seconds=occasion.diagnosed,
        full=occasion.full,
        tell=lambda what: occasion.tell(Step(title="examining", detail=what)),
    )
    checks = go_live_checks(
        evaluation,
        leaks=[leak.column for leak in data.leaks],
        used=[column.name for column in data.contract.used],
        agreement=agreement(version, data, parts, candidate),
        muted=task.checks.muted(work.clock.now()),
        release=release_facts(
            work,
            task,
            version,
            data,
            parts,
            read_from=occasion.source,
            planned=bool(candidate.record),
            scores=part.scores,
        ),
        extra=checks_of(findings, part),
    )
    failed = [check.code for check in checks if check.blocks]
    occasion.tell(Step(title="checked", detail=f"{', '.join(failed)} failed" if failed else "no check failed"))
    report = make_report(
        version,
        task,
        data,
        parts,
        candidate=candidate,
        occasion=occasion,
        judged=(evaluation, findings, checks),
        seconds=round(work.clock.elapsed() - occasion.started, 2),
    )
    chapters = chapters_of(report)
    worklist = worklist_of(report, part)
    page = render(report, chapters, worklist)
    deployed = register_version(
        work,
        task,
        version,
        candidate=candidate,
        occasion=occasion,
        files=files,
        report=report,
        beside={
            "report.html": page.encode(),
            "chapters.json": msgspec.json.encode(chapters),
            "worklist.json": msgspec.json.encode(worklist),
        },
        history=history_table(version, data, parts.history, task),
    )
    occasion.tell(registered_step(version, deployed))
    place = work.root / "reports" / f"{task.name}-{version.digest[:12]}.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(page, encoding="utf-8")
    return RunResult(
        task=task.name,
        kind=task.decision.kind,
        rows=occasion.rows_read,
        quarantined=data.quarantined,
        model=ModelSummary(
            version=version.digest,
            recipe=candidate.recipe,
            title=candidate.title,
            compiled=candidate.served == "onnx",
            reason=candidate.reason,
        ),
        metrics=evaluation.metrics,
        baseline={
            "name": evaluation.baseline.name,
            "metrics": evaluation.baseline.metrics,
            "gain": evaluation.baseline.gain,
        },
        calibration_error=evaluation.calibration_error.estimate,
        checks=checks,
        level=deployed.level.value,
        report=os.fspath(place),
        rejected=occasion.rejected,
        seconds=report.seconds,
        notes=(*data.notes, *candidate.notes),
        expectation=report.expectation,
        training_seconds=round(trained_after, 2),
        leaderboard=candidate.leaderboard,
        worklist=worklist,
    )


def registered_step(version: Version, deployed: Deployment) -> Step:
    """What became of a version once it was registered."""
    if version.digest == deployed.champion:
        role = "it is the champion"
    elif version.digest in deployed.challengers:
        role = "it is compared with the champion, as a challenger"
    else:
        role = "it is not deployed: a check failed, or it takes other columns than the champion"
    return Step(
        title="registered", detail=f"as {version.digest[:12]}; the task's level is {deployed.level.value}", why=role
    )


def assemble_version(
    task: Task, data: Dataset, candidate: Candidate, occasion: Occasion
) -> tuple[Version, dict[str, bytes]]:
    """The version that a candidate would be registered as, and its files; nothing is stored yet."""
    files = {
        **candidate.files,
        "contract.json": msgspec.json.encode(data.contract),
        "head.json": msgspec.json.encode(candidate.head),
        "reference.json": msgspec.json.encode(candidate.reference),
    }
    manifest = Manifest(
        task=task.name,
        kind=task.decision.kind,
        recipe=candidate.recipe,
        params=candidate.params,
        learning=candidate.learning,
        labels=data.answers.labels,
        tolerance=task.decision.tolerance,
        served=candidate.served,
        reason=candidate.reason,
        snapshot=occasion.snapshot,
        seed=occasion.seed,
        libraries=libraries(),
        files={name: digest(body) for name, body in sorted(files.items())},
    )
    version = Version(
        digest=manifest.digest,
        manifest=manifest,
        contract=data.contract,
        head=candidate.head,
        reference=candidate.reference,
        scorer=candidate.scorer,
    )
    return version, files


def judged_part(version: Version, task: Task, data: Dataset, parts: Split) -> TestPart:
    """What the version says of the test part, beside the truth and what decides today."""
    test = parts.test
    predictions = version.predict_clean(data.frame[test])
    today = today_scores(data, task, train=np.concatenate([parts.train, parts.validation]), rows=test)
    y = data.answers.y[test]
    lower = upper = inside = None
    if task.decision.kind == "regression":
        lower, upper = intervals(version.head, predictions.scores[:, 0], INTERVAL_CONFIDENCE)
        inside = (lower <= y) & (y <= upper)
    return TestPart(
        y=y,
        scores=np.asarray(predictions.scores, dtype=np.float64),  # ONNX gives float32, and sums of it are off
        confidence=np.asarray(predictions.confidence, dtype=np.float64),
        baseline=today.scores,
        baseline_name=today.name,
        hard=today.hard,
        tolerance=task.decision.tolerance,
        inside=inside,
        groups=None if data.together is None else data.together[test],
        labels=data.answers.labels,
        costs=task.cost.mistakes,
        lower=lower,
        upper=upper,
    )


def history_table(version: Version, data: Dataset, rows: np.ndarray, task: Task) -> pl.DataFrame:
    """What the version says of rows that served nothing else, beside their answers: the first evidence of its gate.

    Its columns are `prediction` and `label` as they are recorded of live cases, `confidence` and `strangeness`; `group`
    by the columns in `[task] groups`, and `decided`, what people decided then, where one column tells it.
    """
    predictions = version.predict_clean(data.frame[rows])
    y, labels = data.answers.y[rows], data.answers.labels
    if labels:
        names = np.array(labels, dtype=object)
        said, right = names[predictions.scores.argmax(axis=1)].tolist(), names[y].tolist()
    else:
        said, right = [repr(float(value)) for value in predictions.scores[:, 0]], [repr(float(value)) for value in y]
    return pl.DataFrame(
        {
            "prediction": pl.Series(said, dtype=pl.String),
            "label": pl.Series(right, dtype=pl.String),
            "confidence": predictions.confidence,
            "strangeness": predictions.strangeness,
            "group": pl.Series(past_groups(data, rows, task), dtype=pl.String),
            "decided": past_decisions(data, rows, task),
        }
    )


def past_groups(data: Dataset, rows: np.ndarray, task: Task) -> list[str] | list[None]:
    """The group of each row, whether the promise is made for groups already or not."""
    columns = task.decision.groups
    if not columns:
        return [None] * len(rows)
    each = msgspec.structs.replace(task, autonomy=msgspec.structs.replace(task.autonomy, groups="own"))
    tables = {name: data.frame if name in data.frame.columns else data.source for name in columns}
    values = {name: table[name][rows].to_list() for name, table in tables.items() if name in table.columns}
    return [group_of(each, {name: found[place] for name, found in values.items()}) for place in range(len(rows))]


def past_decisions(data: Dataset, rows: np.ndarray, task: Task) -> pl.Series:
    """What people decided of each row, where one column tells it."""
    column = task.today.column
    if column is None or column not in data.source.columns:
        return pl.Series([None] * len(rows), dtype=pl.String)
    return answer_texts(data.source[rows][column])


def agreement(version: Version, data: Dataset, parts: Split, candidate: Candidate) -> Agreement:
    """How far answering row by row lies from answering by columns, on held-out and on dirty rows."""
    reader = RowReader(msgspec.to_builtins(data.contract))
    held_out = data.frame[parts.test[: candidate.compared]]
    dirty = [reader.read(row)[0] for row in dirty_rows(data.contract, held_out, candidate.compared)]
    frame = pl.concat([held_out, pl.DataFrame(dirty, schema=held_out.schema, orient="row")])
    reason, paths = candidate.reason, float("inf")
    try:
        paths = paths_apart(version, frame, float(np.std(data.answers.y)))
    except ModelError as error:
        reason = error.message
    return Agreement(
        compiled=candidate.compiled, paths=paths, held_out=held_out.height, dirty=len(dirty), reason=reason
    )


def paths_apart(version: Version, frame: pl.DataFrame, spread: float) -> float:
    """The largest difference between the two ways to the same answers; numbers relative to their spread."""
    columns = version.predict_clean(frame)
    rows = [(version.scorer.rows([values])[0], version.row_strangeness.score(values)) for values in frame.iter_rows()]
    apart = np.abs(np.array([scores for scores, _ in rows]) - columns.scores)
    if not version.manifest.labels:
        apart /= np.maximum(spread, np.abs(columns.scores))
    strange = np.abs(np.array([score for _, score in rows]) - columns.strangeness)
    return float(max(apart.max(), strange.max()))


def make_report(  # one place that knows every figure
    version: Version,
    task: Task,
    data: Dataset,
    parts: Split,
    *,
    candidate: Candidate,
    occasion: Occasion,
    judged: tuple[Evaluation, Findings, tuple[Check, ...]],
    seconds: float,
) -> Report:
    """Everything that is known of the version."""
    evaluation, findings, checks = judged
    decision = task.decision
    return Report(
        task=task.name,
        question=decision.question,
        target=decision.target,
        kind=decision.kind,
        labels=data.answers.labels,
        goal=decision.goal,
        max_error=task.autonomy.max_error,
        confidence=task.autonomy.confidence,
        version=version.digest,
        recipe=candidate.title,
        params=candidate.params,
        served=candidate.served,
        reason=candidate.reason,
        rows={name: len(getattr(parts, name)) for name in ("train", "validation", "test", "history")},
        scheme=parts.scheme,
        without_answer=data.without_answer,
        quarantined=data.quarantined,
        seed=occasion.seed,
        snapshot=occasion.snapshot,
        source=occasion.source,
        evaluation=evaluation,
        checks=checks,
        findings=findings,
        leaderboard=candidate.leaderboard,
        expectation=against(candidate.expected, evaluation),
        columns=tuple(msgspec.to_builtins(column) for column in profile(data.source, data.frame, data.contract)),
        libraries=version.manifest.libraries,
        seconds=seconds,
    )


def worklist_of(report: Report, part: TestPart) -> Worklist:
    """What to do about the version, the first things first."""
    findings = report.findings or Findings()
    actions = actions_of(
        findings,
        checks=report.checks,
        measures=report.evaluation.measures,
        labels=report.labels,
        inputs=tuple(column["name"] for column in report.columns if column["used"]),
    )
    wrong = 1 - part.right
    if part.groups is None:
        return rank(actions, wrong=clopper_pearson(round(float(wrong.sum())), len(wrong)), human=findings.people)
    return rank(actions, wrong=float(wrong.mean()), human=findings.people)


def against(expected: Expected | None, evaluation: Evaluation) -> Expectation | None:
    """What the search expected, beside what came; None where there was no search."""
    if expected is None or expected.metric not in evaluation.metrics:
        return None
    return Expectation(
        metric=expected.metric,
        searched=expected.searched,
        corrected=expected.corrected,
        held_out=evaluation.metrics[expected.metric],
        candidates=expected.candidates,
    )


def register_version(
    work: Workspace,
    task: Task,
    version: Version,
    *,
    candidate: Candidate,
    occasion: Occasion,
    files: dict[str, bytes],
    report: Report,
    beside: Mapping[str, bytes],
    history: pl.DataFrame,
) -> Deployment:
    """Keep the version's files, then note it in one transaction, and return what is deployed afterwards.

    The first version that passes its checks becomes champion, in shadow. Once evidence rests on a champion, further
    ones are compared with it first, as challengers.

    A process that is killed before the transaction ends leaves files that nothing names, and no version.
    """
    for body in files.values():
        work.artifacts.put(body)
    work.artifacts.put(canonical(version.manifest))
    kept = {
        **beside,
        "report.json": msgspec.json.encode(report),
        "leaderboard.json": msgspec.json.encode(candidate.leaderboard),
        "stages.json": msgspec.json.encode(candidate.stages),
        "history.parquet": parquet(history),
    }
    if candidate.record:
        kept["plan.json"] = candidate.record
    if candidate.oof is not None:
        kept["oof.parquet"] = parquet(candidate.oof)
    fine = passed(report.checks)
    now = work.clock.now()
    record = VersionRecord(
        version=version.digest,
        recipe=candidate.recipe,
        snapshot=occasion.snapshot,
        served=candidate.served,
        seed=occasion.seed,
        passed=fine,
        environment={"python": platform.python_version(), **version.manifest.libraries},
        beside={name: work.artifacts.put(body) for name, body in kept.items()},
        at=now,
    )
    with work.store.writing() as connection:
        number, revision = known_task(connection, work, task, occasion, now)
        rows = sum(report.rows.values())
        keep_snapshot(connection, number, digest=occasion.snapshot, source=occasion.source, rows=rows, at=now)
        register(connection, number, record, actor=occasion.actor)
        overrides = read_overrides(connection, number, version.digest)
        kept_out = bool(still_blocking(report.checks, overrides))
        if kept_out or is_live(connection, number, current(connection, number)):
            hold_to(connection, number, task, revision, actor=occasion.actor, at=now)
        if kept_out:
            return current(connection, number)
        return let_watch(
            connection,
            work,
            number,
            task,
            revision,
            version=version.digest,
            contract=version.contract,
            reasons=watch_reasons(report.checks, overrides),
            actor=occasion.actor,
            at=now,
        )


def known_task(connection: sa.Connection, work: Workspace, task: Task, occasion: Occasion, now: int) -> tuple[int, int]:
    """The task's number and the revision of its file that is to hold."""
    if not occasion.applies:
        known = read_task(connection, task.name)
        return known.number, known.revision
    body = work.task_file(task.name).read_bytes()
    return save_task(connection, task.name, body, secret=secrets.token_bytes(32), actor=occasion.actor, at=now)


def parquet(frame: pl.DataFrame) -> bytes:
    """A table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
