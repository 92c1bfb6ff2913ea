"""`understudy rollback`: bring an earlier champion back."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.level import Why, show_deployment
from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.flows.moves import roll_back
from understudy.flows.workspace import open_workspace


def rollback(
    task: TaskName,
    workspace: Workspace = Path(),
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            help="A digest or the beginning of it; by default the champion before this one.",
            metavar="VERSION",
        ),
    ] = None,
    why: Why = None,
    json: AsJson = False,
) -> None:
    """Bring an earlier champion back, at level assist at most."""
    work = open_workspace(workspace)
    deployed = roll_back(work, task, actor=getpass.getuser(), version=version or "", why=why or "")
    show_deployment(task, deployed, json=json)
