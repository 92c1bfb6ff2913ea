"""`understudy gc`: remove artifacts that nothing names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.gc import gc as gc_flow
from understudy.flows.workspace import open_workspace


def gc(
    workspace: Workspace = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json: AsJson = False,
) -> None:
    """Remove artifacts that nothing names and that are older than a day.

    The artifact store must belong to this workspace alone.
    """
    done = gc_flow(open_workspace(workspace), dry_run=dry_run)
    if json:
        show_json(done)
        return
    verb = "removed" if done.removed else "would be removed"
    console.print(f"{done.artifacts:,} artifacts {verb}, {done.bytes / 1e6:,.1f} MB.")
