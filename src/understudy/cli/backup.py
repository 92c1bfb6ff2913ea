"""`understudy backup`: write the whole workspace to one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.backup import backup as backup_flow
from understudy.flows.workspace import open_workspace


def backup(
    out: Annotated[Path, typer.Argument(help="A .tar file that is not there yet.", metavar="OUT")],
    workspace: Workspace = Path(),
    json: AsJson = False,
) -> None:
    """Write the whole workspace to one file, while it serves.

    The file holds the store with its secrets and inputs, artifacts, task files, settings and archives.
    """
    done = backup_flow(open_workspace(workspace), out)
    if json:
        show_json(done)
        return
    told = f"{done.tasks:,} task files, {done.artifacts:,} artifacts, {done.archives:,} archive files"
    console.print(f"Backup → {done.file}", soft_wrap=True)
    console.print(f"The store, {told}; {done.size / 1e6:,.1f} MB. It holds secrets and inputs: keep it safe.")
