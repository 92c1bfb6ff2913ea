"""`understudy pause`: stop automation at once."""

from __future__ import annotations

import getpass
from pathlib import Path

from understudy.cli.level import Why, show_deployment
from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.flows.moves import set_paused
from understudy.flows.workspace import open_workspace


def pause(task: TaskName, workspace: Workspace = Path(), why: Why = None, json: AsJson = False) -> None:
    """Stop automation at once; cases go to people until it is resumed."""
    work = open_workspace(workspace)
    show_deployment(task, set_paused(work, task, True, actor=getpass.getuser(), why=why or ""), json=json)
