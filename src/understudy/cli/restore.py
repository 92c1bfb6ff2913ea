"""`understudy restore`: make a workspace from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import console, show_json
from understudy.cli.verify import show_verified
from understudy.flows.backup import restore as restore_flow


def restore(
    file: Annotated[Path, typer.Argument(help="A file that backup has written.", metavar="FILE")],
    workspace: Workspace = Path(),
    json: AsJson = False,
) -> None:
    """Make a workspace from a backup in a directory that holds none, and verify it.

    The exit status is 1 where verifying finds something wrong.
    """
    done = restore_flow(file, workspace)
    if json:
        show_json(done)
    else:
        console.print(f"Restored → {done.workspace}", soft_wrap=True)
        for one in done.tasks:
            show_verified(one)
        if done.aside:
            console.print(
                f"The settings name another store, and stand aside: {done.aside}. Check them, then rename the file.",
                soft_wrap=True,
            )
    if any(one.faults for one in done.tasks):
        raise typer.Exit(1)
