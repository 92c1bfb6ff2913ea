"""`understudy status`: who decides, what waits, and what was done today."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import console, number, plain_table, show_json
from understudy.flows.status import TaskStatus, all_status, task_status
from understudy.flows.webhooks import read_webhooks
from understudy.flows.workspace import Workspace as OpenWorkspace
from understudy.flows.workspace import open_workspace

OneTask = Annotated[
    str | None, typer.Option("--task", "-t", help="The task's name; by default all tasks.", metavar="NAME")
]


def status(task: OneTask = None, workspace: Workspace = Path(), json: AsJson = False) -> None:
    """Say who decides, what waits, and what was done in the last 24 hours."""
    work = open_workspace(workspace)
    if task is not None:
        one = task_status(work, task)
        if json:
            show_json(one)
        else:
            show_task(one)
        return
    every = all_status(work)
    if json:
        show_json({"tasks": every})
    elif every:
        show_tasks(every)
        show_stuck(work)
    else:
        console.print("There is no task yet. Begin with: understudy init DATA --target COLUMN")


def show_tasks(every: list[TaskStatus]) -> None:
    """All tasks, a line for each; the last four columns count the last 24 hours."""
    figures = ("waiting", "overdue", "audits", "24 h:\ncases", "by\nmodel", "reviews", "outcomes")
    table = plain_table("task", "", "paused", *figures, right=figures)
    table.collapse_padding = True
    for column in table.columns[2:]:
        column.no_wrap = True
    for one in every:
        counts = one.counts
        standing = (counts.waiting, counts.overdue, counts.audits)
        today = (counts.cases, counts.by_model, counts.reviews, counts.outcomes)
        paused = "[yellow]paused[/yellow]" if one.paused else ""
        table.add_row(one.task, one.on_screen, paused, *(f"{count:,}" for count in (*standing, *today)))
    console.print(table)


def show_stuck(work: OpenWorkspace) -> None:
    """A line for each webhook that needs somebody's eyes."""
    for one in read_webhooks(work):
        if one.stuck:
            console.print(Text(f"webhook {one.name}: {one.stuck}; see: understudy webhooks"), soft_wrap=True)


def show_task(one: TaskStatus) -> None:
    """All that is known of how one task stands."""
    counts = one.counts
    paused = "; [yellow]paused[/yellow]: it decides nothing" if one.paused else ""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("question", Text(one.question))
    table.add_row("level", f"{one.level.value}: {one.on_screen}{paused}")
    for place, told in enumerate(one.sentence):
        table.add_row("" if place else "in short", Text(told))
    table.add_row("champion", one.champion[:12] or "none")
    table.add_row("thresholds", Text(threshold_words(one.thresholds)))
    if one.raised_from:
        table.add_row("", Text(f"raised by a suspicion; before: {threshold_words(one.raised_from)}"))
    table.add_row("promise", promise_words(one.max_error, one.confidence))
    for place, missing in enumerate(one.far_off):
        table.add_row("" if place else "missing", Text(missing))
    for place, suspicion in enumerate(one.suspicions):
        table.add_row("" if place else "suspected", Text(suspicion))
    for place, told in enumerate(one.overridden):
        table.add_row("" if place else "overridden", Text(told))
    for place, known in enumerate(one.people):
        table.add_row("" if place else "reviewers", Text(known))
    for place, told in enumerate(one.trial):
        table.add_row("" if place else "compared", Text(told))
    for place, told in enumerate(one.noticing):
        table.add_row("" if place else "notices", Text(told))
    table.add_row("owner", Text(one.owner or "none named"))
    table.add_row("waits", f"{counts.waiting:,} cases ({counts.overdue:,} overdue), {counts.audits:,} audits")
    deciders = f"{counts.by_model:,} by the model and {counts.by_rule:,} by rules"
    table.add_row("last 24 h", f"{counts.cases:,} cases, {deciders} at once")
    table.add_row("", f"{counts.reviews:,} reviews, {counts.outcomes:,} outcomes")
    console.print(f"[bold]{one.task}[/bold]")
    console.print(table)


def threshold_words(thresholds: Mapping[str, float]) -> str:
    """From which confidence the model may give which answer by itself.

    >>> threshold_words({"yes": 0.95, "no": 0.9}), threshold_words({"*": 0.95}), threshold_words({})
    ('yes from 0.95, no from 0.9', 'any answer from 0.95', 'none')
    """
    each = (f"{'any answer' if answer == '*' else answer} from {least:g}" for answer, least in thresholds.items())
    return ", ".join(each) or "none"


def promise_words(max_error: float, confidence: float) -> str:
    """The promise of a task, as one says it.

    >>> promise_words(0.05, 0.95)
    'at most 5 of 100 wrong with 95 % confidence'
    """
    return f"at most {number(100 * max_error)} of 100 wrong with {number(100 * confidence)} % confidence"
