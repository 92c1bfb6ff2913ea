"""`understudy init`: look at the data and propose a task file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import (
    After,
    AsJson,
    Data,
    Drop,
    Encoding,
    Kind,
    Name,
    Positive,
    Question,
    Separator,
    Time,
    Workspace,
    split_names,
)
from understudy.cli.run import told_of
from understudy.cli.show import console, show_json
from understudy.flows.run import init as init_flow
from understudy.sources.tables import CsvOptions


def init(
    data: Data,
    target: Annotated[str, typer.Option("--target", help="The column to predict, or an expression.", metavar="TARGET")],
    workspace: Workspace = Path(),
    name: Name = None,
    time: Time = None,
    drop: Drop = None,
    after: After = None,
    kind: Kind = None,
    positive: Positive = None,
    question: Question = None,
    separator: Separator = None,
    encoding: Encoding = None,
    json: AsJson = False,
) -> None:
    """Look at the data and propose a task file.

    Every key of the file is commented and can be edited; what is proposed from the data says why.
    """
    told = told_of(
        kind=kind,
        positive=positive,
        time=time,
        question=question,
        drop=split_names(drop),
        after=split_names(after),
    )
    options = CsvOptions(separator=separator, encoding=encoding)
    file = init_flow(data, target=target, name=name, workspace=workspace, csv=options, **told)
    if json:
        show_json({"task": file.stem, "file": str(file)})
        return
    console.print(f"Task file → {file}", soft_wrap=True)
    console.print(f"Edit it, then: understudy run {data} --name {file.stem}", soft_wrap=True)
