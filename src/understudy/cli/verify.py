"""`understudy verify`: whether what is recorded is what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import MARKS, console, show_json
from understudy.cli.status import OneTask
from understudy.flows.verify import Verified
from understudy.flows.verify import verify as verify_flow
from understudy.flows.workspace import open_workspace

Head = Annotated[
    str | None,
    typer.Option("--head", help="A hash that an earlier verify printed; needs --task.", metavar="HASH"),
]


def verify(task: OneTask = None, workspace: Workspace = Path(), head: Head = None, json: AsJson = False) -> None:
    """Check event logs, sealed rows, inputs, artifacts and archives; change nothing.

    The exit status is 1 where anything is wrong. A log alone shows neither a tail that was cut off nor a log that was
    rewritten as a whole: keep the head that is printed somewhere else, and compare later with --head.
    """
    found = verify_flow(open_workspace(workspace), task=task, head=head)
    sound = not any(one.faults for one in found)
    if json:
        show_json({"sound": sound, "tasks": found})
    else:
        for one in found:
            show_verified(one)
        if not found:
            console.print("There is no task yet.")
    if not sound:
        raise typer.Exit(1)


def show_verified(one: Verified) -> None:
    """What was found of a task."""
    mark = MARKS["fail" if one.faults else "pass"]
    console.print(f"{mark} [bold]{one.task}[/bold]: {one.events:,} events, {one.seals:,} seals")
    for what, rows in (("sealed", one.sealed), ("not yet sealed", one.unsealed), ("archived", one.archived)):
        told = ", ".join(f"{count:,} {table}" for table, count in rows.items() if count)
        if told:
            console.print(f"  {what}: {told}")
    if one.erased:
        console.print(f"  erased: the inputs of {one.erased:,} cases")
    console.print(f"  head: {one.head}", soft_wrap=True)
    for fault in one.faults:
        console.print(Text(f"  {fault}", style="red"), soft_wrap=True)
