"""The main job once more, with the log as its data: what the champion learned from, and what has become known since."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import polars as pl

from understudy.core.errors import ConflictError, DataError, StoreError
from understudy.core.task import Task, Today
from understudy.data.answers import answer_texts, read_answers, target_answers
from understudy.data.contract import Column, Contract
from understudy.data.expressions import columns_of
from understudy.data.reading import REJECTED, canonical_schema, read_frame
from understudy.flows.dataset import FEWEST_ROWS, Dataset, read_groups, read_order
from understudy.flows.golive import Occasion, RunResult, Step, Tell, go_live, parquet
from understudy.flows.head import Head, Library, load_head
from understudy.flows.labels import LabelledCase, labelled_cases
from understudy.flows.run import is_isolated
from understudy.flows.train import as_candidate, blend_step, find_model
from understudy.flows.version import Version
from understudy.models.recipes import Effort
from understudy.models.search import Budget, Race, Standing, Trial
from understudy.store.erasure import read_snapshots
from understudy.store.registry import find_version

DEFAULT_BUDGET = Budget(seconds=60.0)
CASE, LABEL, WEIGHT = "understudy_case", "understudy_label", "understudy_weight"
"""Columns of a snapshot that names live cases by their numbers: their inputs stay where they can be erased."""


def ignore(_: Step | Trial) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Lived:
    """Rows to learn from: as they were read, in canonical types, their answers and weights.

    The source of live cases are their inputs in canonical form.
    """

    source: pl.DataFrame
    frame: pl.DataFrame
    answers: pl.Series
    weights: np.ndarray


def retrain(
    library: Library,
    name: str,
    *,
    actor: str,
    budget: Budget = DEFAULT_BUDGET,
    seed: int = 0,
    full: bool = True,
    tell: Tell = ignore,
    tell_trial: object = ignore,
    show: Callable[[Standing], None] | None = None,
) -> RunResult:
    """Train a new version on what the champion learned from and on the live cases whose answer is known.

    It takes the columns that the champion takes. While evidence rests on the champion, the new version enters as its
    challenger. The task stays as it is.

    Parameters
    ----------
    library : Library
    name : str
    actor : str
        Who asked for it.
    budget : Budget
    seed : int
    full : bool
        Whether its report looks at everything, or only at what its checks rest on.
    tell, tell_trial : callable
        Are told of every step, and of every trial of the search.
    show : callable, optional
        Is shown how the search stands, whenever that has changed.

    Raises
    ------
    ConflictError
        There is no champion that can be read, or no live case has a label.
    DataError
        Too few rows are left.
    ModelError
        No model could be trained.
    """
    head, work = load_head(library, name), library.work
    if head.champion is None:
        why = head.trouble or "no version has passed its checks yet"
        raise ConflictError(f"{name} has no champion to start from: {why}.", hint="Train one with: understudy run")
    started = work.clock.elapsed()
    with work.store.reading() as connection:
        cases = list(labelled_cases(connection, head.number))
    if not cases:
        raise ConflictError(f"No live case of {name} has a label yet.", hint="Run understudy learn once outcomes come.")
    old, live = original_rows(head), live_rows(head, head.champion, cases)
    data = join(head, head.champion.contract, old, live)
    weighty = int((live.weights > 1).sum())
    tell(
        Step(
            title="gathered",
            detail=f"{old.frame.height:,} original rows and {live.frame.height:,} live cases",
            why=f"{weighty:,} audited cases stand for others that were not drawn" if weighty else "",
        )
    )
    occasion = Occasion(
        source=f"the log of {name}",
        snapshot=work.artifacts.put(parquet(snapshot(old, cases))),
        rows_read=data.frame.height,
        rejected="",
        started=started,
        seed=seed,
        actor=actor,
        tell=tell,
        applies=False,
        full=full,
    )
    parts = data.split(seed)
    with work.engine.crew(isolated=is_isolated(budget)) as crew:
        race = Race(
            budget=budget,
            effort=Effort(seed, work.engine.threads),
            elapsed=work.clock.elapsed,
            map=work.engine.map,
            tell=tell_trial,  # type: ignore[arg-type]
            first=head.champion.manifest.settings,
            started=started,
            crew=crew,
            show=show,
        )
        trained = find_model(data, head.task, parts, race)
    best = trained.found.best
    tell(Step(title="searched", detail=f"{len(trained.found.trials)} trials; best: {best.recipe}"))
    tell(blend_step(trained))
    candidate = as_candidate(trained, data, parts)
    return go_live(work, as_comparable(head.task, live.source.columns), data, parts, candidate, occasion)


def original_rows(head: Head) -> Lived:
    """The rows of the champion's snapshot that were no live cases, in the order of time; none where it was purged."""
    source = read_original(head)
    if source is None or head.champion is None:
        return nothing(head)
    decision = head.task.decision
    if decision.when is not None:
        source = source[np.argsort(read_order(source, decision.when), kind="stable")]
    frame, rejected = read_frame(head.champion.contract, source)
    source = source.filter(~pl.int_range(source.height, eager=True).is_in(rejected["row"].implode()))
    answers = as_answers(target_answers(source, decision.target), decision.kind)
    return Lived(source, frame, answers, np.ones(source.height))


def read_original(head: Head) -> pl.DataFrame | None:
    """The rows of the champion's snapshot that were no live cases, or None where they are gone."""
    work = head.library.work
    with work.store.reading() as connection:
        digest = find_version(connection, head.number, head.deployed.champion).snapshot
        purged = {found.digest for found in read_snapshots(connection, head.number) if found.purged_at}
    if digest in purged:
        return None
    try:
        table = pl.read_parquet(io.BytesIO(work.artifacts.get(digest)))
    except StoreError:
        return None
    if CASE in table.columns:
        table = table.filter(pl.col(CASE).is_null()).drop(CASE, LABEL, WEIGHT)
    return table if table.height else None


def nothing(head: Head) -> Lived:
    """No rows."""
    schema = canonical_schema(head.champion.contract) if head.champion else {}
    empty = pl.DataFrame(schema=schema)
    return Lived(empty, empty, as_answers(pl.Series([], dtype=pl.String), head.task.decision.kind), np.empty(0))


def live_rows(head: Head, champion: Version, cases: Sequence[LabelledCase]) -> Lived:
    """The live cases that the champion can read."""
    formats = {column.name for column in champion.contract.used if column.kind == "datetime"}
    read = [champion.read(timed(case.inputs, formats)) for case in cases]
    sound = [place for place, (_, faults) in enumerate(read) if not faults]
    schema = canonical_schema(champion.contract)
    frame = pl.DataFrame([read[place][0] for place in sound], schema=schema, orient="row")
    beside = pl.DataFrame([texts(cases[place].inputs) for place in sound], infer_schema_length=None)
    labels = pl.Series([cases[place].label for place in sound], dtype=pl.String)
    weights = np.array([cases[place].weight for place in sound], dtype=np.float64)
    source = beside.with_columns(frame) if beside.height else frame
    return Lived(source, frame, as_answers(labels, head.task.decision.kind), weights)


def timed(inputs: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Recorded inputs with their times as times, whatever the format in which they came."""
    return inputs | {name: datetime.fromisoformat(inputs[name]) for name in names & inputs.keys()}


def texts(inputs: dict[str, Any]) -> dict[str, str | None]:
    """Inputs as text, as from a CSV file."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in inputs.items()}


def as_answers(answers: pl.Series, kind: str) -> pl.Series:
    """Answers from any source, alike: words, or numbers."""
    return answers.cast(pl.Float64, strict=False) if kind == "regression" else answer_texts(answers)


def join(head: Head, contract: Contract, old: Lived, live: Lived) -> Dataset:
    """Both, one after the other, as rows that a task can be learned from.

    Raises
    ------
    DataError
        Too few rows are left, or all have the same answer.
    """
    decision = head.task.decision
    frame = pl.concat([old.frame, live.frame])
    if frame.height < FEWEST_ROWS:
        raise DataError(f"Only {frame.height} rows have a label and keep the contract; {FEWEST_ROWS} are needed.")
    source = with_columns(pl.concat([as_text(old.source), as_text(live.source)], how="diagonal"), contract)
    weights = np.concatenate([old.weights, live.weights])
    group = decision.split_group
    grouped = group is not None and set(columns_of(group, source.columns)) <= set(source.columns)
    answers = pl.concat([old.answers.alias("answer"), live.answers.alias("answer")])
    return Dataset(
        frame=frame,
        source=source,
        answers=read_answers(answers, kind=decision.kind, positive=decision.positive, target=decision.target),
        contract=refreshed(contract, frame),
        order=None if decision.when is None else np.arange(frame.height),
        groups=read_groups(source, group) if group is not None and grouped else None,
        rejected=pl.DataFrame(schema=REJECTED),
        leaks=(),
        without_answer=0,
        weights=weights if (weights != 1).any() else None,
        monotone=head.task.model.monotone,
    )


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """A table as text, whatever its types: rows of a file and live cases side by side."""
    return frame.select(pl.all().cast(pl.String, strict=False))


def with_columns(source: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The table with every column of the contract; those that live cases and purged rows lack are empty."""
    absent = [column.name for column in contract.columns if column.name not in source.columns]
    return source.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)


def refreshed(contract: Contract, frame: pl.DataFrame) -> Contract:
    """The contract with the ranges and levels of these rows; what the columns mean stays as it is."""
    columns = (seen(column, frame[column.name]) if column.used else column for column in contract.columns)
    return msgspec.structs.replace(contract, columns=tuple(columns))


def seen(column: Column, values: pl.Series) -> Column:
    """A column with the range or the levels that it has in some rows."""
    known = values.drop_nulls()
    if known.is_empty():
        return column
    if column.low is not None:
        numbers = known.to_physical().cast(pl.Float64)
        return msgspec.structs.replace(column, low=float(numbers.min()), high=float(numbers.max()))  # type: ignore[arg-type]
    if column.levels:
        counts = known.alias("level").value_counts().sort(["count", "level"], descending=[True, False])
        return msgspec.structs.replace(column, levels=tuple(counts["level"].to_list()))
    return column


def snapshot(old: Lived, cases: Sequence[LabelledCase]) -> pl.DataFrame:
    """What the version is computed from: the original rows, and live cases by number, label and weight.

    Their inputs stay in the log, where erasing a case reaches them.
    """
    named = pl.DataFrame(
        {
            CASE: pl.Series([case.seq for case in cases], dtype=pl.Int64),
            LABEL: pl.Series([case.label for case in cases], dtype=pl.String),
            WEIGHT: pl.Series([case.weight for case in cases], dtype=pl.Float64),
        }
    )
    return pl.concat([old.source, named], how="diagonal") if old.frame.height else named


def as_comparable(task: Task, told: Sequence[str]) -> Task:
    """The task without what decides today where live cases do not tell it: a column, a score, or rules over others."""
    today = task.today
    needed = {name for name in (today.column, *today.columns, today.score) if name is not None}
    needed.update(name for rule in today.rules for name in columns_of(rule.when, told))
    return task if needed <= set(told) else msgspec.structs.replace(task, today=Today())
