"""`understudy archive`: move old, sealed rows out of the store into files."""

from __future__ import annotations

import getpass
from pathlib import Path

from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.archive import archive as archive_flow
from understudy.flows.workspace import open_workspace


def archive(task: TaskName, workspace: Workspace = Path(), json: AsJson = False) -> None:
    """Move rows that are older than the task's `keep` out of the store into files, whole seals at a time."""
    done = archive_flow(open_workspace(workspace), task, actor=getpass.getuser())
    if json:
        show_json(done)
        return
    if not done.seals:
        console.print("Nothing can be archived yet: rows are too young, not sealed, or their cases wait.")
        return
    told = ", ".join(f"{count:,} {table}" for table, count in done.rows.items())
    console.print(f"{done.seals:,} seals archived ({told}) → {done.folder}", soft_wrap=True)
