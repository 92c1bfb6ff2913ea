"""`understudy migrate-store`: move from SQLite to PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.migrate import migrate_store as migrate_flow
from understudy.flows.workspace import open_workspace


def migrate_store(
    to: Annotated[str, typer.Option("--to", help="An empty database: postgresql://USER@HOST/NAME.", metavar="URL")],
    workspace: Workspace = Path(),
    json: AsJson = False,
) -> None:
    """Copy the store into an empty PostgreSQL database; the old store stays as it is.

    Stop the server first: it would go on writing to the old store.
    """
    done = migrate_flow(open_workspace(workspace), to)
    if json:
        show_json(done)
        return
    console.print(f"{sum(done.rows.values()):,} rows copied to {done.to}, and checked.", soft_wrap=True)
    console.print("Now write into understudy.toml, with the password where there is one:\n")
    console.print(done.settings, markup=False, soft_wrap=True)
