"""`understudy override`: let a version watch although a go-live check failed."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.override import Overriding, override_check, withdraw_override
from understudy.flows.workspace import open_workspace

Which = Annotated[
    str, typer.Argument(help="A digest or the beginning of it, `latest` or `champion`.", metavar="VERSION")
]
CheckName = Annotated[str, typer.Option("--check", help="The failed check's code.", metavar="CODE")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; the event log keeps it.", metavar="TEXT")]
Actor = Annotated[str | None, typer.Option("--actor", help="Who decides it; by default you.", metavar="NAME")]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="Take the override back; the version leaves.")]


def override(
    version: Which,
    task: TaskName,
    check: CheckName,
    reason: Reason = None,
    actor: Actor = None,
    withdraw: Withdraw = False,
    workspace: Workspace = Path(),
    json: AsJson = False,
) -> None:
    """Override a failed go-live check of a version, by name and with a reason, so that it may watch."""
    change = withdraw_override if withdraw else override_check
    who = getpass.getuser() if actor is None else actor
    found = change(open_workspace(workspace), task, version, check, actor=who, reason=reason or "")
    if json:
        show_json(found)
        return
    show_overriding(found)


def show_overriding(found: Overriding) -> None:
    """What is overridden now, and what has become of the version."""
    for made in found.overrides:
        console.print(Text(made.words), soft_wrap=True)
    console.print(Text(f"Version {found.version[:12]} of {found.task}: {found.role}."), soft_wrap=True)
