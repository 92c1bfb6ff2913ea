"""`understudy backtest`: rehearse the whole loop over history before anyone goes live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from understudy.cli.options import (
    After,
    AsJson,
    Data,
    Drop,
    Encoding,
    Kind,
    Positive,
    Question,
    Seed,
    Separator,
    Target,
    Time,
    Workspace,
    split_names,
)
from understudy.cli.run import Watcher, told_of
from understudy.cli.show import console, errors, number, plain_table, show_json
from understudy.core.nouns import Level
from understudy.evaluation.rehearsal import Backtest, conclusion, distance_text, folded_moves, per_hundred
from understudy.evaluation.retrospect import VERDICTS, Retrospect, aside_text, headers, rows
from understudy.flows.backtest import Rehearsal
from understudy.flows.backtest import backtest as backtest_flow
from understudy.models.search import Budget
from understudy.sources.tables import CsvOptions

TaskOrName = Annotated[
    str | None,
    typer.Option("--task", "-t", "--name", help="The task's name; by default from the data.", metavar="NAME"),
]


def backtest(
    data: Data,
    target: Target = None,
    workspace: Workspace = Path(),
    name: TaskOrName = None,
    start: Annotated[
        float, typer.Option("--start", help="The share of the rows that is known at the start.", min=0.0, max=1.0)
    ] = 0.3,
    delay: Annotated[
        str,
        typer.Option(
            "--delay",
            help="When the truth is known: a number of further cases, a duration such as 14d, or a column of dates.",
            metavar="N|DURATION|COLUMN",
        ),
    ] = "1d",
    reviewers: Annotated[
        int | None,
        typer.Option("--reviewers", help="People, each with 200 cases a day; by default as the task file says.", min=0),
    ] = None,
    reviewer_error: Annotated[
        float, typer.Option("--reviewer-error", help="The share of their answers that is wrong.", min=0.0, max=0.99)
    ] = 0.0,
    days: Annotated[
        float, typer.Option("--days", help="What the rows are spread over if the data has no calendar.", min=1.0)
    ] = 365.0,
    minutes: Annotated[float, typer.Option("--minutes", help="What a review takes, in minutes.", min=0.0)] = 2.0,
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
    """Rehearse the whole loop over history before anyone goes live.

    Trains on the first part of DATA and lets the rest come case by case, through what serves live, on a workspace of
    its own: who would have decided what, how often it would have been wrong, and what people would have been spared.
    """
    told = told_of(
        kind=kind, positive=positive, time=time, question=question, drop=split_names(drop), after=split_names(after)
    )
    limit = Budget(seconds=budget) if trials is None else Budget(trials=trials)
    plan = Rehearsal(start, delay, reviewers, reviewer_error, days, minutes, limit, seed)
    with Watcher(limit, explain=explain, quiet=json) as watcher, Curtain(quiet=json) as curtain:
        result = backtest_flow(
            data,
            target=target,
            name=name,
            workspace=workspace,
            plan=plan,
            csv=CsvOptions(separator=separator, encoding=encoding),
            tell=watcher.step,
            tell_trial=watcher.trial,
            progress=curtain.show,
            **told,
        )
    if json:
        show_json(result)
    else:
        show_backtest(result)


class Curtain:
    """A bar for the cases that come; it appears with the first of them."""

    def __init__(self, *, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} cases"),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=quiet or not errors.is_terminal,
        )

    def __enter__(self) -> Curtain:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, done: int, total: int, level: Level) -> None:
        """Show how far it is."""
        if not self._progress.tasks:
            self._progress.add_task("Rehearsing", total=total)
            self._progress.start()
        self._progress.update(self._progress.tasks[0].id, completed=done, description=f"Rehearsing, {level.value}")


def show_backtest(result: Backtest) -> None:
    """The timeline, the months, and what an owner should know."""
    console.print(
        f"\n[bold]{result.task}[/bold]  {result.model}, trained on the first {result.trained_on:,} of "
        f"{result.rows:,} rows; {result.cases:,} cases came",
        soft_wrap=True,
    )
    if result.refused or result.strange:
        odd = f"{result.strange:,} were too unlike what it had learned from to be decided by it"
        console.print(f"{odd}, {result.refused:,} broke the contract", soft_wrap=True)
    for note in result.notes:
        console.print(f"[dim]{escape(note)}[/dim]", soft_wrap=True)
    console.print()
    show_moves(result)
    console.print()
    show_months(result)
    console.print()
    for side, threshold in result.certified.items():
        console.print(f"{escape(repr(side))} is certified from a confidence of {number(threshold)} on.")
    for side, far in result.uncertified.items():
        console.print(f"{escape(repr(side))} is not certified: {distance_text(far)}.", soft_wrap=True)
    for down in result.step_downs:
        before = f"{down.before.wrong:,} of {down.before.cases:,} answers were wrong since the step up"
        console.print(f"It stepped down on {down.when}: {before}; the promise allows {number(down.allowed)}.")
    console.print(f"\n{escape(conclusion(result))}", soft_wrap=True)
    if result.retrospect is not None:
        show_retrospect(result.retrospect)
    took = f"{result.seconds['training']:,.0f} s to train, {result.seconds['rehearsal']:,.0f} s to rehearse"
    console.print(f"\nReport → {result.report}  ({took})", soft_wrap=True)


def show_moves(result: Backtest) -> None:
    """The moves, each with its reason beneath; changes of thresholds in a row are one."""
    for line in folded_moves(result.moves):
        move = line.last
        when = line.first.when if line.times == 1 else f"{line.first.when} to {move.when}"
        kind = move.kind if line.times == 1 else f"{move.kind} ×{line.times}"
        levels = ", ".join(f"{side} ≥ {value:.3f}" for side, value in move.thresholds.items())
        head = f"{when:<12} {move.case:>9,} cases  {kind:<14} [bold]{move.level.value}[/bold]"
        console.print(f"{head}  {escape(levels)}", soft_wrap=True)
        for reason in ("Its checks passed.",) if move.kind == "shadow" else move.reasons:
            console.print(f"[dim]{'':14}{escape(reason)}[/dim]", soft_wrap=True)


def show_months(result: Backtest) -> None:
    """What the model decided month by month, and how often it was wrong."""
    headers = ("cases", "by itself", "share", "wrong", "of 100")
    table = plain_table("month", *headers, right=headers)
    for month in result.months:
        given = month.automated
        error = "" if given.error is None else per_hundred(given.error)
        table.add_row(
            month.label, f"{month.cases:,}", f"{given.cases:,}", f"{month.share:.1%}", f"{given.wrong:,}", error
        )
    console.print(table)


def show_retrospect(found: Retrospect) -> None:
    """What decided then beside the model, and what that justifies."""
    cases = f"{found.cases:,} cases that came after those it learned from"
    console.print(f"\n[bold]From history, not live[/bold]  {cases}", soft_wrap=True)
    if aside := aside_text(found):
        console.print(f"[dim]{aside}[/dim]", soft_wrap=True)
    titles = headers(found)
    table = plain_table(*titles, right=titles[1:])
    for row in rows(found):
        table.add_row(escape(row.name), row.achieved, row.interval, row.lead)
    console.print(table)
    for side in found.sides:
        if side.error is None:
            unsaid = f"would have been its answer in {side.cases:,} cases: nothing is said of them"
            console.print(f"{escape(repr(side.answer))} {unsaid}.", soft_wrap=True)
    console.print(f"\n[bold]{VERDICTS[found.level]}[/bold]", soft_wrap=True)
    for reason in (*found.reasons, found.never, *found.notes):
        console.print(escape(reason), soft_wrap=True)
