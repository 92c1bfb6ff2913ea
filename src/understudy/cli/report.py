"""`understudy report`: write a version's report to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from understudy.cli.options import AsJson, TaskName, VersionName, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.models import read_report, snapshot_purged, write_report


def report(
    task: TaskName,
    workspace: Workspace = Path(),
    version: VersionName = "latest",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="An .html file.", metavar="OUT")] = None,
    json: AsJson = False,
) -> None:
    """Write a version's report to a file, or print it as JSON."""
    if json:
        purged = snapshot_purged(task, version=version, workspace=workspace)
        show_json(
            {**msgspec.to_builtins(read_report(task, version=version, workspace=workspace)), "snapshot_purged": purged}
        )
        return
    place = write_report(task, out or Path(f"{task}-report.html"), version=version, workspace=workspace)
    console.print(f"Report → {place}", soft_wrap=True)
    if snapshot_purged(task, version=version, workspace=workspace):
        console.print("Rows that it was trained on were erased since: snapshot purged.")
