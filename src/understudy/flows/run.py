"""The main job: from a table to a checked, compiled, registered model that goes to shadow."""

from __future__ import annotations

import getpass
import re
from pathlib import Path
from typing import Unpack

import polars as pl

from understudy.core.errors import InputError
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.core.task_text import task_toml
from understudy.flows.dataset import Dataset, assemble
from understudy.flows.golive import Occasion, RunResult, Step, Tell, go_live, parquet
from understudy.flows.propose import Told, propose_task
from understudy.flows.train import as_candidate, find_model
from understudy.flows.workspace import Workspace, open_workspace
from understudy.models.recipes import RECIPES, Effort
from understudy.models.search import Budget, Race, Trial
from understudy.sources.quarantine import write_rejected
from understudy.sources.tables import CsvOptions, Table, read_table

DEFAULT_BUDGET = Budget(seconds=60.0)


def ignore(_: Step | Trial) -> None:
    """Tell nobody."""


def run(
    source: str | Path,
    *,
    target: str | None = None,
    name: str | None = None,
    workspace: str | Path = ".",
    budget: Budget | float = DEFAULT_BUDGET,
    seed: int = 0,
    csv: CsvOptions = CsvOptions(),  # noqa: B008  frozen
    tell: Tell = ignore,
    tell_trial: object = ignore,
    **told: Unpack[Told],
) -> RunResult:
    """Learn a decision from a table.

    Reads it, infers what the columns mean, searches for a model within the budget, calibrates it, judges it on rows
    that it never saw, checks it, compiles it, registers it as a version, and lets it watch (`shadow`) if its checks
    pass.

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
        How long to search: seconds, or `Budget(trials=n)` for runs that can be repeated exactly.
    seed : int
        The seed of everything random.
    csv : CsvOptions
        How a CSV file is written, where that cannot be detected.
    tell : callable
        Is told of every step.
    tell_trial : callable
        Is told of every trial of the search.
    **told
        Keys of `[task]` for a task that has no file yet: `kind`, `time`, `drop`, `after`, `positive`, `goal` and so on.

    Returns
    -------
    RunResult

    Raises
    ------
    InputError
        The data or the task file cannot be used; the message says why, and the way out.
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
    started = work.clock.elapsed()
    table = read_table(source, csv)
    tell(Step(title="read", detail=f"{table.frame.height:,} rows × {table.frame.width} columns ({table.note})"))
    task = settle_task(work, table, name=name, target=target, told=told)
    data = assemble(table.frame, task, seed=seed)
    tell(contract_step(data))
    occasion = Occasion(
        source=Path(source).name,
        snapshot=work.artifacts.put(parquet(data.source)),
        rows_read=table.frame.height,
        rejected=quarantine(work, task, data),
        started=started,
        seed=seed,
        actor=getpass.getuser(),
        tell=tell,
    )
    parts = data.split(seed)
    sizes = ", ".join(f"{len(getattr(parts, part)):,} {part}" for part in ("train", "validation", "test", "history"))
    tell(Step(title="split", detail=f"{sizes}, by {parts.scheme}", why=WHY_SPLIT[parts.scheme]))
    race = Race(
        budget=budget if isinstance(budget, Budget) else Budget(seconds=float(budget)),
        effort=Effort(seed, work.engine.threads),
        elapsed=work.clock.elapsed,
        map=work.engine.map,
        tell=tell_trial,  # type: ignore[arg-type]
    )
    trained = find_model(data, task, parts, race)
    tell(search_step(trained.found.best, len(trained.found.trials)))
    candidate = as_candidate(trained, data, parts)
    tell(Step(title="compiled" if candidate.served == "onnx" else "served natively", detail=candidate.reason))
    return go_live(work, task, data, parts, candidate, occasion)


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


def search_step(best: Trial, trials: int) -> Step:
    """What the search found."""
    return Step(
        title="searched",
        detail=f"{trials} trials; best: {RECIPES[best.recipe].title}",
        why=f"lowest cross-validated loss, {best.score:.5g}, with {best.params}",
    )
