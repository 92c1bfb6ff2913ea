"""`understudy predict`: score a file of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from understudy.cli.options import AsJson, Data, Encoding, Separator, TaskName, VersionName, Workspace
from understudy.cli.show import console, errors, show_json
from understudy.flows.predict import Scoring, score_file
from understudy.sources.tables import CsvOptions


def predict(
    data: Data,
    task: TaskName,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write: a .csv or .parquet file.", metavar="OUT")],
    workspace: Workspace = Path(),
    version: VersionName = "latest",
    inputs: Annotated[bool, typer.Option("--inputs", help="Write the inputs beside the predictions.")] = False,
    skip_faulty: Annotated[
        bool, typer.Option("--skip-faulty", help="Set rows that break the contract aside instead of stopping.")
    ] = False,
    separator: Separator = None,
    encoding: Encoding = None,
    json: AsJson = False,
) -> None:
    """Score a file of any size.

    Writes `row`, `prediction`, `confidence`, `probability_LABEL` (or `lower` and `upper`) and `strangeness`.
    """
    scoring = Scoring(version, inputs, skip_faulty, CsvOptions(separator=separator, encoding=encoding))
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    ) as progress:
        line = progress.add_task("Reading")
        done = score_file(
            data,
            task,
            out,
            workspace=workspace,
            scoring=scoring,
            tell=lambda rows: progress.update(line, description=f"{rows:,} rows"),
        )
    if json:
        show_json(done)
        return
    console.print(f"{done.rows:,} rows scored by {done.version[:12]} → {done.out}")
    if done.rejected_file:
        console.print(f"{done.rejected:,} rows break the contract → {done.rejected_file}")
