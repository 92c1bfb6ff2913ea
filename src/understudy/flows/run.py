"""The main job: from a table to a checked, compiled, registered model that goes to shadow."""

from __future__ import annotations

import getpass
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import msgspec
import polars as pl

from understudy.core.canonical import digest
from understudy.core.errors import InputError
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.core.task_text import task_toml
from understudy.data.split import Split
from understudy.flows.arrangement import with_notes
from understudy.flows.dataset import Dataset, assemble
from understudy.flows.golive import Occasion, RunResult, Step, Tell, go_live, libraries, parquet
from understudy.flows.models import beside
from understudy.flows.propose import Told, propose_task
from understudy.flows.runs import Plan, Record, Wanted, open_run, read_record
from understudy.flows.tracking import tracked
from understudy.flows.train import Trained, as_candidate, blend_step, find_model
from understudy.flows.workspace import Workspace, open_workspace
from understudy.models.recipes import RECIPES, Effort
from understudy.models.schemes import Chosen
from understudy.models.search import NO_JOURNAL, Budget, Found, Journal, Race, Standing, Strategy, Trial
from understudy.sources.quarantine import write_rejected
from understudy.sources.tables import CsvOptions, Table, read_table

DEFAULT_BUDGET = Budget(seconds=60.0)
MOST_DIAGNOSED = 60.0
ISOLATED_FROM = 20.0
"""A budget of fewer seconds has none to spare for processes of their own."""


def ignore(_: object) -> None:
    """Tell nobody."""


def run(
    source: str | Path,
    *,
    target: str | None = None,
    name: str | None = None,
    workspace: str | Path = ".",
    budget: Budget | float = DEFAULT_BUDGET,
    seed: int = 0,
    recipes: Sequence[str] = (),
    strategy: Strategy = "portfolio+tpe",
    single: bool = False,
    max_latency: float | None = None,
    max_size: int | None = None,
    fresh: bool = False,
    replay: str | Path | None = None,
    diagnose: float | None = None,
    csv: CsvOptions = CsvOptions(),  # noqa: B008  frozen
    tell: Tell = ignore,
    tell_trial: Callable[[Trial], None] = ignore,
    show: Callable[[Standing], None] | None = None,
    **told: Unpack[Told],
) -> RunResult:
    """Learn a decision from a table.

    Reads it, infers what the columns mean, searches for a model within the budget, calibrates it, judges it on rows
    that it never saw, checks it, compiles it, registers it as a version, and lets it watch (`shadow`) if its checks
    pass. A run that was stopped goes on when it is asked for again with the same data, task, seed and settings.

    Parameters
    ----------
    source : str or Path
        A CSV, Parquet, Arrow or JSON Lines file, or a glob.
    target : str, optional
        The column with the answer, or a SQL expression over columns; needed where the task has no file yet.
    name : str, optional
        The task's name; by default from the file's name.
    workspace : str or Path
        A directory; it is made where it is not there.
    budget : Budget or float
        How long it may take until the model is calibrated, in seconds; or `Budget(trials=n)` for runs that can be
        repeated exactly. Judging the model and writing its report come on top.
    seed : int
        The seed of everything random.
    recipes : sequence of str
        The recipes that take part in the search; by default those that are raced (`understudy recipes`).
    strategy : {"portfolio+tpe", "grid", "random"}
        Strong settings first and then Optuna's estimator, or settings from a grid, or at random.
    single : bool
        One member rather than a blend: to be read, or to be fast.
    max_latency : float, optional
        How many milliseconds one answer may take.
    max_size : int, optional
        How many bytes the compiled model may have.
    fresh : bool
        Whether to start anew where an earlier run was stopped.
    replay : str or Path, optional
        A version of the task, or the file `plan.json` that is kept beside it: the run that made it is done once more as
        it went, whatever its budget was, and makes the same version.
    diagnose : float, optional
        For how many seconds the model may be fitted again afterwards, to find out what holds it back: too few rows, too
        simple or too large a model, columns that it could do without. By default half the budget and at most 60; none
        where the budget is in trials.
    csv : CsvOptions
        How a CSV file is written, where that cannot be detected.
    tell, tell_trial : callable
        Are told of every step, and of every trial of the search when its end is known.
    show : callable, optional
        Is shown how the search stands, whenever that has changed.
    **told
        Keys of `[task]` for a task that has no file yet: `kind`, `time`, `drop`, `after`, `positive`, `goal` and so on.

    Returns
    -------
    RunResult

    Raises
    ------
    InputError
        The data or the task file cannot be used; the message says why, and the way out.
    ConflictError
        The same run is under way in another process.
    ModelError
        No model could be trained.

    Examples
    --------
    >>> import understudy
    >>> result = understudy.run("claims.csv", target="paid", budget=30)  # doctest: +SKIP
    >>> result.metrics["roc_auc"].estimate  # doctest: +SKIP
    0.93
    """
    work = open_workspace(workspace)
    limit = budget if isinstance(budget, Budget) else Budget(seconds=float(budget))
    wanted = Wanted(
        seconds=limit.seconds,
        trials=limit.trials,
        seed=seed,
        strategy=strategy,
        recipes=tuple(recipes),
        single=single,
        max_latency=max_latency,
        max_size=max_size,
    )
    started = work.clock.elapsed()
    with ExitStack() as kept, ExitStack() as hired:
        crew = hired.enter_context(work.engine.crew(isolated=is_isolated(limit)))
        table = read_table(source, csv)
        tell(Step(title="read", detail=f"{table.frame.height:,} rows × {table.frame.width} columns ({table.note})"))
        task = settle_task(work, table, name=name, target=target, told=told)
        record = None if replay is None else find_record(work, task.name, replay)
        wanted = wanted if record is None else record.plan.wanted
        data = with_notes(assemble(table.frame, task, seed=wanted.seed), task)
        tell(contract_step(data))
        if data.notes:
            tell(Step(title="arranged", detail="; ".join(data.notes)))
        occasion = Occasion(
            source=Path(source).name,
            snapshot=work.artifacts.put(parquet(data.source)),
            rows_read=table.frame.height,
            rejected=quarantine(work, task, data),
            started=started,
            seed=wanted.seed,
            actor=getpass.getuser(),
            tell=tell,
            diagnosed=diagnosed_for(wanted.seconds) if diagnose is None else diagnose,
        )
        parts = data.split(wanted.seed)
        tell(split_step(parts))
        plan = make_plan(work, task, occasion.snapshot, wanted)
        files = kept.enter_context(journal_of(work, plan, record, fresh=fresh))
        race = Race(
            budget=wanted.budget,
            effort=Effort(wanted.seed, work.engine.threads),
            elapsed=work.clock.elapsed,
            tell=kept.enter_context(tracked(task.name, wanted, tell_trial, tell=tell)),
            recipes=wanted.recipes,
            map=work.engine.map,
            started=started,
            crew=crew,
            strategy=wanted.strategy,
            single=wanted.single,
            max_latency=wanted.max_latency,
            max_size=wanted.max_size,
            show=show,
            journal=files,
            replay=None if record is None else record.replay,
        )
        trained = find_model(data, task, parts, race)
        hired.close()
        for step in trained_steps(trained):
            tell(step)
        candidate = as_candidate(trained, data, parts)
        record = Record(plan=plan, trials=trained.found.trials, weights=trained.settled.weights)
        candidate = replace(candidate, record=msgspec.json.encode(record))
        tell(Step(title="compiled" if candidate.served == "onnx" else "served natively", detail=candidate.reason))
        result = go_live(work, task, data, parts, candidate, occasion)
    return msgspec.structs.replace(result, reused=reused(trained.found))


def diagnosed_for(budget: float | None) -> float:
    """How many seconds a diagnosis takes after a search of so many."""
    return 0.0 if budget is None else min(MOST_DIAGNOSED, budget / 2)


def is_isolated(budget: Budget) -> bool:
    """Whether fits have processes of their own: where there is time enough to start them, and to be held up.

    They start while the data is read. With a budget in trials nothing is given up for want of time.
    """
    return budget.seconds is not None and budget.seconds >= ISOLATED_FROM


def make_plan(work: Workspace, task: Task, snapshot: str, wanted: Wanted) -> Plan:
    """What this run was asked for."""
    body = work.task_file(task.name).read_bytes()
    return Plan(task=digest(body), name=task.name, snapshot=snapshot, wanted=wanted, libraries=libraries())


def journal_of(work: Workspace, plan: Plan, record: Record | None, *, fresh: bool) -> AbstractContextManager[Journal]:
    """Where the search keeps what it does; nowhere where it is replayed.

    Raises
    ------
    InputError
        What is to be replayed was run on other data.
    """
    if record is None:
        return open_run(work.root / ".understudy" / "runs", plan, fresh=fresh)
    if record.plan.snapshot != plan.snapshot:
        raise InputError(
            f"The run that is to be replayed had other data: {record.plan.snapshot[:12]}, not {plan.snapshot[:12]}.",
            hint="Name the file that it had then; its columns, rows and contract must be the same.",
        )
    return nullcontext(NO_JOURNAL)


def find_record(work: Workspace, task: str, named: str | Path) -> Record:
    """The record of a run, from its file, or from a version of the task."""
    file = Path(named)
    if file.is_file():
        return read_record(file.read_bytes(), source=str(file))
    return read_record(beside(work, task, str(named), "plan.json"), source=f"Version {named}")


def reused(found: Found) -> str:
    """What was taken over from an earlier run; empty where nothing was."""
    if not found.reused:
        return ""
    return f"reused {found.reused} trials of an earlier run that was stopped after {found.stopped_after:.0f} s"


def trained_steps(trained: Trained) -> Iterator[Step]:
    """What the training came to."""
    if trained.chosen.losses:
        yield scheme_step(trained.chosen)
    yield search_step(trained.found)
    yield blend_step(trained)


def split_step(parts: Split) -> Step:
    """How the rows were parted."""
    sizes = ", ".join(f"{len(getattr(parts, part)):,} {part}" for part in ("train", "validation", "test", "history"))
    return Step(title="split", detail=f"{sizes}, by {parts.scheme}", why=WHY_SPLIT[parts.scheme])


WHY_SPLIT = {
    "time": "the model is judged on rows that came after those it learned from, as it will be used",
    "group": "rows of one group are never both learned from and judged on",
    "stratified": "no time and no group is named, so rows are drawn at random with the answers in proportion",
    "random": "no time and no group is named, so rows are drawn at random",
}


def settle_task(work: Workspace, table: Table, *, name: str | None, target: str | None, told: Told) -> Task:
    """The task as its file describes it; where there is none yet, as it is proposed, and written for people to edit."""
    name = name or task_name(table.name)
    file = work.task_file(name)
    if file.is_file():
        task = work.read_task(name)
        said = {"target": target, **told}
        differs = {key: value for key, value in said.items() if value and value != getattr(task.decision, key)}
        if differs:
            key, value = next(iter(differs.items()))
            raise InputError(
                f"The task file {file} says {key} = {getattr(task.decision, key)!r}, but you said {value!r}.",
                hint="Edit the file, or give the new task another --name.",
            )
        return task
    if target is None:
        known = ", ".join(work.task_names()) or "none yet"
        raise InputError(
            f"There is no task {name!r} yet (tasks: {known}), and no target is named.",
            hint=f"Say --target COLUMN. The columns are: {', '.join(table.frame.columns[:30])}.",
        )
    return write_task(work, table.frame, name=name, target=target, told=told)


def write_task(work: Workspace, frame: pl.DataFrame, *, name: str, target: str, told: Told) -> Task:
    """Propose a task and write its file."""
    task, why = propose_task(frame, name=name, target=target, told=told)
    file = work.task_file(name)
    text = task_toml(task, why)
    task = parse_task(text, file=str(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return task


def init(
    source: str | Path,
    *,
    target: str,
    name: str | None = None,
    workspace: str | Path = ".",
    csv: CsvOptions = CsvOptions(),  # noqa: B008  frozen
    **told: Unpack[Told],
) -> Path:
    """Look at the data, propose a task, write its file, and return where it stands.

    Raises
    ------
    InputError
        The data cannot be used, or the task has a file already.
    """
    work = open_workspace(workspace)
    table = read_table(source, csv)
    name = name or task_name(table.name)
    file = work.task_file(name)
    if file.exists():
        raise InputError(f"The task {name!r} has a file already: {file}.", hint="Edit it, or say another --name.")
    task = write_task(work, table.frame, name=name, target=target, told=told)
    assemble(table.frame, task, seed=0)
    return file


def task_name(text: str) -> str:
    """A task's name from a file's name.

    >>> task_name("Claims 2024 (new)")
    'claims_2024_new'
    """
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:64]
    return slug or "task"


def quarantine(work: Workspace, task: Task, data: Dataset) -> str:
    """Write the rows that break the contract to a file, and return its place; empty where there are none."""
    if not data.rejected.height:
        return ""
    place = work.root / ".understudy" / "rejected" / f"{task.name}-{work.clock.now()}.csv"
    write_rejected(place, data.rejected)
    return str(place)


def contract_step(data: Dataset) -> Step:
    """What the columns were taken for."""
    left = [f"{column.name} ({column.note})" for column in data.contract.columns if not column.used]
    unsure = [f"{column.name}: {column.note}" for column in data.contract.used if column.note]
    parts = [f"{len(data.contract.used)} columns used, {len(left)} left out"]
    if data.without_answer:
        parts.append(f"{data.without_answer:,} rows without an answer set aside")
    if data.quarantined:
        parts.append(f"{data.quarantined:,} rows quarantined")
    why = "; ".join([*(f"left out {column}" for column in left), *unsure])
    return Step(title="contract", detail=", ".join(parts), why=why)


def scheme_step(chosen: Chosen) -> Step:
    """How the model learned from rows in time, and what the other ways came to."""
    tried = ", ".join(f"{name} {loss:.4g}" for name, loss in chosen.losses.items())
    return Step(title="learned in time", detail=chosen.words, why=f"losses of a small model on later windows: {tried}")


def search_step(found: Found) -> Step:
    """What the search found."""
    best, folds = found.best, len(found.best.fold_scores)
    counts = Counter(trial.state for trial in found.trials)
    told = [f"{len(found.trials)} trials"]
    told += [f"{counts['complete']} on all {folds} folds"] * (counts["complete"] < len(found.trials))
    told += [f"{counts['failed']} failed"] * (counts["failed"] > 0)
    told += [text] if (text := reused(found)) else []
    return Step(
        title="searched",
        detail=f"{', '.join(told)}; best: {RECIPES[best.recipe].title}",
        why=f"lowest cross-validated loss, {best.score:.5g}, with {best.params}",
    )
