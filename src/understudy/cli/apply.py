"""`understudy apply`: make the task files the ones that hold."""

from __future__ import annotations

import getpass
from pathlib import Path

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import console, show_json
from understudy.cli.status import OneTask
from understudy.flows.moves import apply_all, apply_task
from understudy.flows.workspace import open_workspace


def apply(task: OneTask = None, workspace: Workspace = Path(), json: AsJson = False) -> None:
    """Make the task files the ones that hold.

    A file that has changed becomes a new revision, and what is deployed is put under it: never above its highest level.
    """
    work = open_workspace(workspace)
    actor = getpass.getuser()
    applied = apply_all(work, actor=actor) if task is None else [apply_task(work, task, actor=actor)]
    if json:
        show_json(applied[0] if task is not None else {"tasks": applied})
        return
    if not applied:
        console.print(f"There is no task file in {work.root / 'tasks'}.", soft_wrap=True)
    for one in applied:
        change = "now holds" if one.changed else "holds already"
        console.print(f"[bold]{one.task}[/bold]: revision {one.revision} {change}, level {one.level.value}")
