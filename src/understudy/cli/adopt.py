"""`understudy adopt`: put a model that you already have on the ladder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import (
    AsJson,
    Drop,
    Encoding,
    Kind,
    Positive,
    Seed,
    Separator,
    Target,
    TaskName,
    Time,
    Workspace,
    split_names,
)
from understudy.cli.run import told_of
from understudy.cli.show import console, show_json, show_result
from understudy.flows.adopt import Origin
from understudy.flows.adopt import adopt as adopt_flow
from understudy.sources.endpoint import Endpoint
from understudy.sources.tables import CsvOptions


class Shape(StrEnum):
    """What an endpoint is sent."""

    RECORDS = "records"
    INSTANCES = "instances"


def adopt(
    source: Annotated[
        str,
        typer.Argument(
            help="An .onnx or .skops file, an http address, or a column of scores in DATA.", metavar="SOURCE"
        ),
    ],
    task: TaskName,
    data: Annotated[str, typer.Option("--data", help="Rows with answers that the model has not seen.", metavar="DATA")],
    target: Target = None,
    workspace: Workspace = Path(),
    inputs: Annotated[
        list[str] | None,
        typer.Option("--inputs", help="The columns that it takes, in its order.", metavar="COLUMNS"),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--classes", help="Its answers in the order of its probabilities.", metavar="ANSWERS"),
    ] = None,
    shape: Annotated[
        Shape, typer.Option("--shape", help="Ask an endpoint as MLflow (records) or KServe (instances).")
    ] = Shape.RECORDS,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for an endpoint.", min=0.1)] = 10.0,
    seed: Seed = 0,
    time: Time = None,
    drop: Drop = None,
    kind: Kind = None,
    positive: Positive = None,
    separator: Separator = None,
    encoding: Encoding = None,
    json: AsJson = False,
) -> None:
    """Put a model that you already have on the ladder.

    Everything after it is as in `run`: its confidence is calibrated, it is judged on rows that did not calibrate it, it
    is checked and registered, and it may watch if its checks pass. A bearer token for an endpoint is taken from the
    environment variable UNDERSTUDY_ENDPOINT_TOKEN.
    """
    endpoint = Endpoint(url=source, shape=shape.value, timeout=timeout) if source.startswith("http") else None
    result = adopt_flow(
        Origin(source, split_names(inputs), split_names(classes), endpoint),
        data,
        task=task,
        target=target,
        workspace=workspace,
        seed=seed,
        csv=CsvOptions(separator=separator, encoding=encoding),
        **told_of(kind=kind, positive=positive, time=time, drop=split_names(drop)),
    )
    if json:
        show_json(result)
    else:
        console.print(f"Adopted {source}.")
        show_result(result, workspace)
