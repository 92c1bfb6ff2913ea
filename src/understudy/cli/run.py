"""`understudy run`: from data to a checked, compiled model that goes to shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from understudy.cli.options import (
    After,
    AsJson,
    Data,
    Drop,
    Encoding,
    Kind,
    Name,
    Positive,
    Question,
    Seed,
    Separator,
    Target,
    Time,
    Workspace,
    split_names,
)
from understudy.cli.show import errors, show_json, show_result
from understudy.flows.golive import Step
from understudy.flows.propose import Told
from understudy.flows.run import run as run_flow
from understudy.models.recipes import RECIPES
from understudy.models.search import Budget, Trial
from understudy.sources.tables import CsvOptions


def run(
    data: Data,
    target: Target = None,
    workspace: Workspace = Path(),
    name: Name = None,
    budget: Annotated[float, typer.Option("--budget", help="Seconds to search for a model.", min=1)] = 60.0,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Search for so many trials instead: exactly repeatable.", min=1)
    ] = None,
    seed: Seed = 0,
    time: Time = None,
    drop: Drop = None,
    after: After = None,
    kind: Kind = None,
    positive: Positive = None,
    question: Question = None,
    separator: Separator = None,
    encoding: Encoding = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say at each step what was done and why.")] = False,
    json: AsJson = False,
) -> None:
    """From data to a checked, compiled model that goes to shadow.

    Reads DATA, infers what its columns mean, searches for a model, calibrates it, judges it on rows that it never saw,
    checks it, compiles it, registers it as a version, and lets it watch if its checks pass.
    """
    told = told_of(
        kind=kind, positive=positive, time=time, question=question, drop=split_names(drop), after=split_names(after)
    )
    limit = Budget(seconds=budget) if trials is None else Budget(trials=trials)
    with Watcher(limit, explain=explain, quiet=json) as watcher:
        result = run_flow(
            data,
            target=target,
            name=name,
            workspace=workspace,
            budget=limit,
            seed=seed,
            csv=CsvOptions(separator=separator, encoding=encoding),
            tell=watcher.step,
            tell_trial=watcher.trial,
            **told,
        )
    if json:
        show_json(result)
    else:
        show_result(result, workspace)


def told_of(**options: Any) -> Told:
    """What the user said, without the options that were not given."""
    given: Told = {key: value for key, value in options.items() if value}  # type: ignore[assignment]
    return given


class Watcher:
    """Shows what a flow does while it does it: a bar in a terminal, lines where it is explained."""

    def __init__(self, budget: Budget, *, explain: bool, quiet: bool) -> None:
        self._explain = explain
        self._budget = budget
        self._best = float("inf")
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=quiet or not errors.is_terminal,
        )
        self._bar = self._progress.add_task("Reading", total=budget.seconds or budget.trials)

    def __enter__(self) -> Watcher:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, step: Step) -> None:
        """Show a step that is done."""
        self._progress.update(self._bar, description=step.title.capitalize())
        if self._explain:
            errors.print(f"[bold]{step.title}[/bold]: {step.detail}" if step.detail else f"[bold]{step.title}[/bold]")
            if step.why:
                errors.print(f"  [dim]because: {step.why}[/dim]", soft_wrap=True)

    def trial(self, trial: Trial) -> None:
        """Show a trial that is done."""
        if trial.state == "complete" and trial.score is not None:
            self._best = min(self._best, trial.score)
        advance = trial.seconds if self._budget.seconds else 1
        said = f"Searching, best loss {self._best:.5g}"
        self._progress.update(self._bar, advance=advance, description=said)
        if self._explain:
            score = "" if trial.score is None else f" loss {trial.score:.5g}"
            errors.print(f"  {RECIPES[trial.recipe].title}, {trial.state}{score}, {trial.seconds:.1f} s {trial.error}")
