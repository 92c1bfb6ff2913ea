"""`understudy export`: write a version that answers without Understudy."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, TaskName, VersionName, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.export import export as export_flow
from understudy.flows.export import package_name


class Format(StrEnum):
    """How a version can be written."""

    ONNX = "onnx"
    PYTHON = "python"
    MLFLOW = "mlflow"


def export(
    task: TaskName,
    workspace: Workspace = Path(),
    version: VersionName = "latest",
    format: Annotated[  # noqa: A002
        Format, typer.Option("--format", help="One zip file to run, a Python package in a folder, or an MLflow model.")
    ] = Format.ONNX,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .zip file, or a folder that is not there yet.", metavar="OUT")
    ] = None,
    json: AsJson = False,
) -> None:
    """Write a version that answers in a process that has only ONNX Runtime and numpy."""
    place = out or Path(f"{task}-{format.value}{'.zip' if format is Format.ONNX else ''}")
    export_flow(task, place, format=format.value, version=version, workspace=workspace)
    if json:
        show_json({"task": task, "file": str(place)})
        return
    console.print(f"Export → {place}", soft_wrap=True)
    console.print(f"Try it: {example(format, place, task)}", soft_wrap=True, markup=False)


def example(format: Format, place: Path, task: str) -> str:  # noqa: A002
    """How an export is tried out."""
    case = '{"column": value}'
    where, package = shlex.quote(str(place)), package_name(task)
    if format is Format.ONNX:
        return f"echo '{case}' | python {where}"
    if format is Format.PYTHON:
        return f"echo '{case}' | PYTHONPATH={where} python -m {package}"
    return f"mlflow models predict --env-manager local -m {where} -i CASES.csv -t csv"
