"""The rehearsal: the whole loop over history, before anyone goes live.

What was known at the start trains the first version; the rest comes case by case, through the same flows as live, on a
workspace of its own that is removed in the end.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import msgspec

from understudy.core.errors import InputError
from understudy.core.nouns import Level
from understudy.core.task import Task
from understudy.core.task_text import task_toml
from understudy.data.judgements import judgement_columns, judgements, one_row_per_case
from understudy.evaluation.rehearsal import Backtest, Errors, Work, step_downs, thinned, worst_month
from understudy.evaluation.retrospect import Retrospect
from understudy.flows.dataset import assemble
from understudy.flows.golive import Occasion, RunResult, Step, Tell, go_live, parquet
from understudy.flows.head import Library
from understudy.flows.propose import Told
from understudy.flows.rehearsal_data import (
    History,
    as_history,
    as_rehearsed,
    due_times,
    first_rows,
    hiding_answers,
)
from understudy.flows.rehearsal_people import A_DAY, People
from understudy.flows.rehearsal_stage import (
    REHEARSAL,
    DataClock,
    Progress,
    Stage,
    as_record,
    case_ids,
    count_strange,
    price,
    rehearse,
    set_stage,
)
from understudy.flows.retrospect import look_back
from understudy.flows.run import contract_step, ignore, is_isolated, search_step, settle_task, task_name
from understudy.flows.train import as_candidate, blend_step, find_model
from understudy.flows.workspace import Workspace, open_workspace, read_settings
from understudy.models.recipes import Effort
from understudy.models.search import Budget, Race
from understudy.reports.timeline import render_timeline
from understudy.sources.tables import CsvOptions, Table, read_table
from understudy.store.tasks import save_task


@dataclass(frozen=True)
class Rehearsal:
    """How a rehearsal goes.

    Attributes
    ----------
    start : float
        The share of the rows that is known at the start.
    delay : str
        When the truth is known: after so many further cases, after a duration, or as a column of dates says.
    reviewers : int, optional
        People, each with 200 cases a day; without it, `[review] per_day` holds.
    reviewer_error : float
        The share of their answers that is wrong.
    days : float
        What the rows are spread over if the data has no calendar.
    minutes : float
        What a review takes.
    budget : Budget
        Of the search.
    seed : int
        Of everything random.
    """

    start: float = 0.3
    delay: str = "1d"
    reviewers: int | None = None
    reviewer_error: float = 0.0
    days: float = 365.0
    minutes: float = 2.0
    budget: Budget = Budget(seconds=60.0)  # noqa: RUF009  frozen
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.start < 1:
            raise InputError(f"The start is a share between 0 and 1, not {self.start}.")
        if not 0 <= self.reviewer_error < 1:
            raise InputError(f"The reviewers' error is a share of at least 0 and below 1, not {self.reviewer_error}.")


def quiet(done: int, total: int, level: Level) -> None:
    """Tell nobody how far it is."""


def backtest(
    source: str | Path,
    *,
    target: str | None = None,
    name: str | None = None,
    workspace: str | Path = ".",
    plan: Rehearsal = Rehearsal(),
    csv: CsvOptions = CsvOptions(),  # noqa: B008  frozen
    tell: Tell = ignore,
    tell_trial: object = ignore,
    progress: Progress = quiet,
    **told: Unpack[Told],
) -> Backtest:
    """Rehearse the whole loop over history: train on its beginning, and let the rest come as cases.

    The task file of the workspace is used if there is one; otherwise a task is proposed from the rows known at the
    start, and not written. Nothing of the workspace changes but `reports/NAME-backtest.html`.

    Parameters
    ----------
    source : str or Path
        As for `run`.
    target, name, csv, tell, tell_trial, **told
        As for `run`.
    workspace : str or Path
        Where the task file may stand.
    plan : Rehearsal
    progress : callable
        Is told how many cases have come, of how many, and the level.

    Raises
    ------
    InputError
        The data, the task file or the plan cannot be used.
    ModelError
        No model could be trained.
    """
    table = read_table(source, csv)
    name = name or task_name(table.name)
    clock = DataClock()
    with private_workspace(Path(workspace), name, clock) as work:
        task, history = settle(work, table, name, target, plan, told)
        played = play_through(work, clock, task, history, plan, tell=tell, tell_trial=tell_trial, progress=progress)
        result = sum_up(played, plan)
    place = Path(workspace).resolve() / "reports" / f"{name}-backtest.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(render_timeline(result), encoding="utf-8")
    return msgspec.structs.replace(result, report=os.fspath(place))


@dataclass(frozen=True)
class Played:
    """A rehearsal after its last case.

    Attributes
    ----------
    task : Task
        As it was rehearsed.
    history : History
    trained : RunResult
        The first version.
    retrospect : Retrospect, optional
        What history says of it; None where the task does not say what decided then.
    stage : Stage
    seconds : dict of float
        For `training` and for the `rehearsal`.
    """

    task: Task
    history: History
    trained: RunResult
    retrospect: Retrospect | None
    stage: Stage
    seconds: dict[str, float]


def play_through(
    work: Workspace,
    clock: DataClock,
    task: Task,
    history: History,
    plan: Rehearsal,
    *,
    tell: Tell = ignore,
    tell_trial: object = ignore,
    progress: Progress = quiet,
) -> Played:
    """Train the first version, hold it against what decided then, and let the cases come."""
    began, clock.at = clock.elapsed(), int(history.at[history.first])
    due = due_times(history, plan.delay)
    trained = train(work, task, history, plan, tell=tell, tell_trial=tell_trial)
    ready = clock.elapsed()
    retrospect = look_back(work, task, history, trained)
    people = make_people(task, history, plan)
    stage = set_stage(Library(work), task.name, clock, people, history, due, budget=plan.budget, seed=plan.seed)
    rehearse(stage, plan.delay, progress)
    seconds = {"training": round(ready - began, 2), "rehearsal": round(clock.elapsed() - ready, 2)}
    return Played(task, history, trained, retrospect, stage, seconds)


@contextmanager
def private_workspace(real: Path, name: str, clock: DataClock) -> Iterator[Workspace]:
    """A workspace of its own with a copy of the task file and what stands beside it; removed in the end."""
    place = Path(tempfile.mkdtemp(prefix="understudy-rehearsal-"))
    try:
        file = real / "tasks" / f"{name}.toml"
        if file.is_file():
            (place / "tasks").mkdir()
            for found in (file, *file.parent.glob("*.csv")):
                shutil.copyfile(found, place / "tasks" / found.name)
        threads = read_settings(real).engine.threads
        if threads:
            (place / "understudy.toml").write_text(f"[engine]\nthreads = {threads}\n")
        work = replace(open_workspace(place), clock=clock)
        try:
            yield work
        finally:
            work.store.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def settle(
    work: Workspace, table: Table, name: str, target: str | None, plan: Rehearsal, told: Told
) -> tuple[Task, History]:
    """The task of the copied file, or one that is proposed, and the rows in the order in which they happened.

    The private store knows the task as it can be rehearsed, its draws fixed by the seed.
    """
    proposal = table
    if target is not None and not work.task_file(name).is_file():
        known = first_rows(table.frame, target, told, start=plan.start, seed=plan.seed)
        proposal = replace(table, frame=known)
    asked = settle_task(work, proposal, name=name, target=target, told=told)
    frame, task, notes = one_row_per_case(table.frame, asked)
    task = as_rehearsed(task, frame)
    if task != asked:
        work.task_file(name).write_text(task_toml(task), encoding="utf-8")
    secret = hashlib.sha256(f"rehearsal {plan.seed}".encode()).digest()
    with work.store.writing() as connection:
        save_task(
            connection, name, work.task_file(name).read_bytes(), secret=secret, actor=REHEARSAL, at=work.clock.now()
        )
    history = as_history(frame, task, start=plan.start, days=plan.days, seed=plan.seed)
    return task, replace(history, notes=(*notes, *history.notes))


def train(
    work: Workspace, task: Task, history: History, plan: Rehearsal, *, tell: Tell, tell_trial: object
) -> RunResult:
    """The first version, as `run` makes it, from the rows that are known at the start."""
    frame = history.frame.head(history.first)
    started = work.clock.elapsed()
    tell(Step(title="start", detail=f"{frame.height:,} of {history.frame.height:,} rows are known at the start"))
    data = assemble(frame, task, seed=plan.seed)
    tell(contract_step(data))
    parts = data.split(plan.seed)
    effort = Effort(plan.seed, work.engine.threads)
    with work.engine.crew(isolated=is_isolated(plan.budget)) as crew:
        race = Race(
            budget=plan.budget,
            effort=effort,
            elapsed=work.clock.elapsed,
            map=work.engine.map,
            tell=tell_trial,  # type: ignore[arg-type]
            started=started,
            crew=crew,
        )
        trained = find_model(data, task, parts, race)
    tell(search_step(trained.found))
    tell(blend_step(trained))
    occasion = Occasion(
        source="the rows known at the start",
        snapshot=work.artifacts.put(parquet(data.source)),
        rows_read=frame.height,
        rejected="",
        started=started,
        seed=plan.seed,
        actor=REHEARSAL,
        tell=tell,
        full=False,
    )
    return go_live(work, task, data, parts, as_candidate(trained, data, parts), occasion)


def make_people(task: Task, history: History, plan: Rehearsal) -> People:
    """Who reviews, how much, and what they say: what is right, or what people decided at the time."""
    per_day = task.review.per_day if plan.reviewers is None else plan.reviewers * A_DAY
    names, rest = case_ids(history), history.frame[history.first :]
    if not judgement_columns(task.today, rest.columns):
        told = zip(names, history.truths[history.first :], strict=True)
        hiding = hiding_answers(task)
        hidden = hiding if len(hiding) == 1 else ()
        found = {name: hidden if truth is None else (truth,) for name, truth in told}
        return People(per_day=per_day, error=plan.reviewer_error, answers=found)
    given = judgements(rest, task.today, task.decision.kind)
    rows = ([said for said in row if said is not None] for row in given.iter_rows())
    return People(per_day=per_day, error=0.0, answers=dict(zip(names, in_turn(rows), strict=True)))


def in_turn(rows: Iterable[Sequence[str | float]]) -> Iterator[Sequence[str | float]]:
    """What people said of each case, another one of them first each time, so that every reviewer is all of them.

    >>> list(in_turn([["a", "b"], ["a", "b"]]))
    [['a', 'b'], ['b', 'a']]
    """
    for place, row in enumerate(rows):
        start = place % len(row) if row else 0
        yield [*row[start:], *row[:start]]


def sum_up(played: Played, plan: Rehearsal) -> Backtest:
    """What it came to."""
    task, history, trained, stage = played.task, played.history, played.trained, played.stage
    record = as_record(stage, task)
    months, overall = record.months(), record.tally(record.automated)
    standing, people, settings = stage.standing, stage.people, task.autonomy
    saved = overall.cases - people.audits
    certified = {} if standing is None else standing.certified
    distances = {} if standing is None else standing.distances
    return Backtest(
        task=task.name,
        question=task.decision.question,
        target=task.decision.target,
        kind=task.decision.kind,
        rows=history.frame.height,
        trained_on=history.first,
        version=trained.model.version,
        model=trained.model.title,
        failed=tuple(check.code for check in trained.checks if check.verdict == "fail"),
        cases=len(stage.ids),
        refused=len(stage.refused),
        strange=count_strange(stage),
        automated=overall.cases,
        share=overall.cases / len(stage.ids),
        notes=(*history.notes, *assumptions(task, people, plan), *((stage.tired,) if stage.tired else ())),
        truth=TRUTHS[task.truth.source].format(task.decision.target),
        months=months,
        moves=tuple(stage.moves),
        errors=Errors(
            overall=overall,
            sides=record.sides(),
            worst_month=worst_month(months),
            max_error=settings.max_error,
            confidence=settings.confidence,
            kept=None if overall.error is None else overall.error <= settings.max_error,
        ),
        work=Work(
            reviews=people.reviews,
            audits=people.audits,
            saved=saved,
            waiting=stage.course[-1].waiting,
            per_day=people.per_day,
            minutes=plan.minutes,
            hours_saved=saved * plan.minutes / 60,
        ),
        cost=price(task, stage),
        step_downs=step_downs(stage.moves, record, settings.max_error),
        level=stage.course[-1].level,
        certified=certified,
        uncertified={side: far for side, far in distances.items() if side not in certified},
        course=thinned(stage.course),
        owner=task.mandate.owner,
        retrospect=played.retrospect,
        seconds=played.seconds,
    )


TRUTHS = {
    "outcome": "the outcome of {!r}",
    "review": "what reviewers say; the figures are measured against {!r}",
    "blind_review": "what blind reviewers say; the figures are measured against {!r}",
}


def assumptions(task: Task, people: People, plan: Rehearsal) -> list[str]:
    """What was assumed of people, of the truth, and of approval."""
    past = task.today.column is not None or bool(task.today.columns)
    say = "as people decided then" if past else f"wrong in {100 * people.error:g} of 100"
    found = [f"People could answer {people.per_day:,} cases a day, {say}."]
    if task.truth.source == "outcome":
        unit = " further cases" if plan.delay.isdecimal() else ""
        found.append(f"The truth of a case was known after {plan.delay}{unit}.")
    if task.autonomy.step_up == "ask":
        found.append("Every step up was approved at once.")
    return found
