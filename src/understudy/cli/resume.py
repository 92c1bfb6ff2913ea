"""`understudy resume`: let automation go on."""

from __future__ import annotations

import getpass
from pathlib import Path

from understudy.cli.level import Why, show_deployment
from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.flows.moves import set_paused
from understudy.flows.workspace import open_workspace


def resume(task: TaskName, workspace: Workspace = Path(), why: Why = None, json: AsJson = False) -> None:
    """Let automation go on where it was stopped."""
    work = open_workspace(workspace)
    show_deployment(task, set_paused(work, task, False, actor=getpass.getuser(), why=why or ""), json=json)
