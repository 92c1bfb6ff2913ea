"""`understudy approve`: make the move that waits for a person."""

from __future__ import annotations

import getpass
from pathlib import Path

from understudy.cli.level import Why, show_deployment
from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.flows.learn import approve as approve_flow
from understudy.flows.workspace import open_workspace


def approve(task: TaskName, workspace: Workspace = Path(), why: Why = None, json: AsJson = False) -> None:
    """Make the move that the evidence asks for and that waits for a person."""
    deployed = approve_flow(open_workspace(workspace), task, actor=getpass.getuser(), why=why or "")
    show_deployment(task, deployed, json=json)
