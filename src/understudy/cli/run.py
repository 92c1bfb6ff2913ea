"""`understudy run`: from data to a checked, compiled model that goes to shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from understudy.cli.leaderboard import leaderboard
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
from understudy.flows.golive import RunResult, Step
from understudy.flows.propose import Told
from understudy.flows.run import run as run_flow
from understudy.models.recipes import RECIPES
from understudy.models.search import Budget, Standing, Strategy, Trial
from understudy.sources.tables import CsvOptions

MEGABYTE = 1_000_000
MARGIN = 6
"""The lines of a terminal that the leaderboard leaves free."""


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
    recipes: Annotated[
        list[str] | None,
        typer.Option("--recipes", help="Recipes that take part; repeat or separate by commas.", metavar="NAMES"),
    ] = None,
    strategy: Annotated[
        str, typer.Option("--strategy", help="How settings are found: portfolio+tpe, grid or random.")
    ] = ("portfolio+tpe"),
    single: Annotated[
        bool, typer.Option("--single", help="One member, to be read or to be fast, not a blend.")
    ] = False,
    max_latency: Annotated[
        float | None, typer.Option("--max-latency", help="Milliseconds that one answer may take.", min=0.001)
    ] = None,
    max_size: Annotated[
        float | None, typer.Option("--max-size", help="Megabytes that the compiled model may have.", min=0.001)
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew where an earlier run was stopped.")] = False,
    diagnose: Annotated[
        float | None,
        typer.Option(
            "--diagnose",
            help="Seconds for finding out what holds the model back, after the budget; by default half of it.",
            min=0.0,
        ),
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay", help="Do the run of a version, or of its plan.json, once more as it went.", metavar="RUN"
        ),
    ] = None,
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
    checks it, compiles it, registers it as a version, and lets it watch if its checks pass. A run that was stopped goes
    on when it is asked for again with the same data and settings.
    """
    if strategy not in get_args(Strategy):
        raise typer.BadParameter(f"{strategy!r} is none of {', '.join(get_args(Strategy))}.", param_hint="--strategy")
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
            recipes=split_names(recipes),
            strategy=cast("Strategy", strategy),
            single=single,
            max_latency=max_latency,
            max_size=None if max_size is None else round(max_size * MEGABYTE),
            fresh=fresh,
            replay=replay,
            diagnose=diagnose,
            csv=CsvOptions(separator=separator, encoding=encoding),
            tell=watcher.step,
            tell_trial=watcher.trial,
            show=watcher.show,
            **told,
        )
    if json:
        show_json(result)
    else:
        show_result(result, workspace)
        errors.print(f"[dim]{times(result)}[/dim]")


def times(result: RunResult) -> str:
    """How long it took, and what did not have to be done again."""
    judging = result.seconds - result.training_seconds
    told = f"Trained in {result.training_seconds:.0f} s, judged in {judging:.0f} s"
    return f"{told}; {result.reused}" if result.reused else told


def told_of(**options: Any) -> Told:
    """What the user said, without the options that were not given."""
    given: Told = {key: value for key, value in options.items() if value}  # type: ignore[assignment]
    return given


class Watcher:
    """Shows what a flow does while it does it: a bar and a leaderboard in a terminal, lines where it is explained."""

    def __init__(self, budget: Budget, *, explain: bool, quiet: bool) -> None:
        self._explain = explain
        self._budget = budget
        self._best = float("inf")
        self._shown = not quiet and not explain and errors.is_terminal
        self._progress = Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=errors)
        self._bar = self._progress.add_task("Reading", total=budget.seconds or budget.trials)
        self._live = Live(self._progress, console=errors, transient=True, refresh_per_second=4)

    def __enter__(self) -> Watcher:
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

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

    def show(self, standing: Standing) -> None:
        """Show how the search stands."""
        if not self._shown:
            return
        total = self._budget.seconds or self._budget.trials or 0
        self._progress.update(self._bar, completed=total - max(standing.left, 0.0))
        self._live.update(Group(self._progress, leaderboard(standing, rows=max(3, errors.height - MARGIN))))
