"""`understudy export`: write a version that answers without Understudy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, TaskName, VersionName, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.export import export as export_flow


class Format(StrEnum):
    """How a version can be written."""

    ONNX = "onnx"


def export(
    task: TaskName,
    workspace: Workspace = Path(),
    version: VersionName = "latest",
    format: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.ONNX,  # noqa: A002
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A .zip file.", metavar="OUT")] = None,
    json: AsJson = False,
) -> None:
    """Write a version that answers in a process that has only ONNX Runtime and numpy."""
    place = export_flow(task, out or Path(f"{task}-{format.value}.zip"), version=version, workspace=workspace)
    if json:
        show_json({"task": task, "file": str(place)})
        return
    console.print(f"Export → {place}", soft_wrap=True)
    console.print(f"Try it: echo '{{\"column\": value}}' | python {place}", soft_wrap=True)
