"""Which recipes fit some data, and why; and whether it takes a model at all. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Unpack

import msgspec
import numpy as np

from understudy.core.errors import InputError, ModelError
from understudy.core.evidence import Evidence
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.data.prepare import fit_encoding
from understudy.data.split import Scheme
from understudy.flows.dataset import Dataset, assemble
from understudy.flows.folding import clock_column, rows_of
from understudy.flows.propose import Told, propose_task
from understudy.flows.run import task_name
from understudy.flows.tryout import Tryout, compare, more_rows, prepare
from understudy.models.advice import Verdict, Wishes, judge
from understudy.models.describe import describe
from understudy.models.probes import Enough, Facts, Probe, best_of, what_is_enough
from understudy.models.recipes import RECIPES, Effort
from understudy.sources.tables import CsvOptions, Table, read_table


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What fits some data.

    Attributes
    ----------
    task, target, goal : str
        What is learned, and the metric to be good at.
    facts : Facts
        What the data is like.
    scheme : str
        How it was parted into folds.
    enough : {"nothing", "today", "rules", "model"}
        What it takes: nothing helps; what decides today, or a list of rules, is as good; or a model pays.
    because : str
    probes : tuple of Probe
        What was tried on folds. Their intervals hold together, with a confidence of 95 %, if rows are independent.
    recipes : tuple of Verdict
        How each recipe fits, the best first.
    more_rows : Evidence, optional
        What the best one gains by learning from all of the rows that were tried, over half of them.
    rules : str
        A list of rules, learned from the rows that were tried.
    """

    task: str
    target: str
    goal: str
    facts: Facts
    scheme: Scheme
    enough: Enough
    because: str
    probes: tuple[Probe, ...]
    recipes: tuple[Verdict, ...]
    more_rows: Evidence | None = None
    rules: str = ""


def advise(
    source: str | Path,
    *,
    target: str | None = None,
    name: str | None = None,
    workspace: str | Path = ".",
    wishes: Wishes = Wishes(),  # noqa: B008  frozen
    seed: int = 0,
    csv: CsvOptions = CsvOptions(),  # noqa: B008  frozen
    tell: Callable[[str], None] = lambda _: None,
    **told: Unpack[Told],
) -> Advice:
    """Say which recipes fit some data and why, and whether it takes a model at all.

    One recipe of each family is tried with quick settings on folds of at most 4,000 rows, parted as `run` would part
    them, and compared in pairs with the best one and with knowing nothing of the case, or with what decides today.
    What the data and the wishes say of each recipe is held against what the catalogue declares. Intervals are those of
    cross-validation, by the bootstrap, which takes the folds' models as they are (Bayle et al. 2020): a first look, not
    a test.

    Parameters
    ----------
    source : str or Path
        A CSV, Parquet, Arrow or JSON Lines file, or a glob.
    target : str, optional
        The column with the answer, or a SQL expression; needed where the task has no file.
    name : str, optional
        The task's name; by default from the file's name.
    workspace : str or Path
        Where a task file is looked for. Nothing is written.
    wishes : Wishes
        What is asked of a model beside being right.
    seed : int
    csv : CsvOptions
    tell : callable
        Is told of every recipe that is tried.
    **told
        As in `run`.

    Raises
    ------
    InputError
        The data or the task cannot be used; the message says why, and the way out.

    Examples
    --------
    >>> import understudy
    >>> advice = understudy.advise("claims.csv", target="paid")  # doctest: +SKIP
    >>> advice.enough, advice.recipes[0].recipe  # doctest: +SKIP
    ('model', 'logistic')
    """
    table = read_table(source, csv)
    task = settled(table, Path(workspace), name or task_name(table.name), target, told)
    whole = replace(assemble(table.frame, task, seed=seed), monotone={})  # each family is tried, also those that cannot
    tryout = prepare(whole, task, seed)
    probes, scores = compare(tryout, task, tell)
    best = best_of(probes)
    facts = facts_of(whole, task, tryout)
    enough, because = what_is_enough(probes, facts)
    installed = [recipe.extra for recipe in RECIPES.values() if recipe.extra and find_spec(recipe.extra)]
    return Advice(
        task=task.name,
        target=task.decision.target,
        goal=tryout.goal,
        facts=facts,
        scheme=tryout.scheme,
        enough=enough,
        because=because,
        probes=probes,
        recipes=judge(facts, probes, wishes, installed),
        more_rows=None if best is None else more_rows(tryout, best, scores[best.name]),
        rules=drawn_rules(tryout, task),
    )


def settled(table: Table, workspace: Path, name: str, target: str | None, told: Told) -> Task:
    """The task as its file describes it, or as it is proposed; no file is written."""
    file = workspace / "tasks" / f"{name}.toml"
    if file.is_file():
        return parse_task(file.read_text(encoding="utf-8"), file=str(file))
    if target is None:
        raise InputError(
            f"There is no task file {file}, and no target is named.",
            hint=f"Say --target COLUMN. The columns are: {', '.join(table.frame.columns[:30])}.",
        )
    return propose_task(table.frame, name=name, target=target, told=told)[0]


def drawn_rules(tryout: Tryout, task: Task) -> str:
    """A list of rules learned from all of the rows that were tried; empty where there is none."""
    data = tryout.data
    encoding = fit_encoding(data.frame, data.contract, clock_column=clock_column(task, data.frame))
    rows = rows_of(data, encoding, np.arange(data.frame.height))
    recipe = RECIPES["rules"]
    try:
        fitted = recipe.fit(recipe.portfolio[0], rows, Effort(seed=tryout.seed, threads=1))
    except ModelError:
        return ""
    return describe(fitted, encoding, data.answers.labels)


def facts_of(whole: Dataset, task: Task, tryout: Tryout) -> Facts:
    """What the data is like."""
    y, labels = whole.answers.y, whole.answers.labels
    return Facts(
        kind=task.decision.kind,
        rows=whole.frame.height,
        columns=len(whole.contract.used),
        features=tryout.scored[0].shape[1],
        texts=sum(column.kind == "text" for column in whole.contract.used),
        classes=len(labels),
        rarest=int(np.bincount(y, minlength=len(labels)).min()) if labels else 0,
        measured=tryout.data.frame.height,
    )
