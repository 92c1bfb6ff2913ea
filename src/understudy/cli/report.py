"""`understudy report`: write a version's report to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, TaskName, VersionName, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.models import read_report, write_report


def report(
    task: TaskName,
    workspace: Workspace = Path(),
    version: VersionName = "latest",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="An .html file.", metavar="OUT")] = None,
    json: AsJson = False,
) -> None:
    """Write a version's report to a file, or print it as JSON."""
    if json:
        show_json(read_report(task, version=version, workspace=workspace))
        return
    place = write_report(task, out or Path(f"{task}-report.html"), version=version, workspace=workspace)
    console.print(f"Report → {place}", soft_wrap=True)
