"""`understudy models`: list the versions of a task."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, plain_table, show_json
from understudy.flows.models import list_models


def models(task: TaskName, workspace: Workspace = Path(), json: AsJson = False) -> None:
    """List the versions of a task, the newest first."""
    listing = list_models(task, workspace=workspace)
    if json:
        show_json(listing)
        return
    table = plain_table("version", "recipe", "served", "checks", "registered", "")
    for record in listing.versions:
        at = datetime.fromtimestamp(record.at / 1_000_000, tz=UTC)
        role = f"champion, {listing.level}" if record.version == listing.champion else ""
        role += (", " if role else "") + "snapshot purged" if record.version in listing.purged else ""
        verdict = "passed" if record.passed else "failed"
        by = [f"{made.check.code} by {made.actor}" for made in listing.overrides if made.version == record.version]
        verdict += f", overridden: {', '.join(by)}" if by else ""
        table.add_row(record.version[:12], record.recipe, record.served, verdict, f"{at:%Y-%m-%d %H:%M} UTC", role)
    console.print(table)
