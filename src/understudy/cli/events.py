"""`understudy events`: the event log of a task, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.history import utc
from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import show_json
from understudy.core.canonical import canonical
from understudy.core.nouns import Event
from understudy.flows.status import history
from understudy.flows.workspace import open_workspace


def events(
    task: TaskName,
    workspace: Workspace = Path(),
    after: Annotated[
        int, typer.Option("--after", help="Begin after the line of this number.", min=0, max=2**53, metavar="N")
    ] = 0,
    limit: Annotated[int, typer.Option("--limit", help="How many lines at most.", min=1, max=10**6, metavar="N")] = 100,
    json: AsJson = False,
) -> None:
    """Print the event log of a task, the oldest line first.

    Each has its number, time, actor, kind, body, and the first digits of the hash that chains it to the one before.
    """
    found = history(open_workspace(workspace), task, after=after, most=limit)
    if json:
        show_json({"task": task, "events": found, "next": found[-1].seq if len(found) == limit else None})
        return
    for event in found:
        typer.echo(log_line(event))


def log_line(event: Event) -> str:
    """An event on one line."""
    body = canonical(event.body).decode()
    return "  ".join((str(event.seq), utc(event.at), event.actor, event.kind, body, event.hash[:12]))
