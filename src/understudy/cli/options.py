"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Workspace = Annotated[Path, typer.Option("--workspace", "-w", help="The workspace's directory.", metavar="DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
TaskName = Annotated[str, typer.Option("--task", "-t", help="The task's name.", metavar="NAME")]
VersionName = Annotated[
    str, typer.Option("--version", help="A digest or the beginning of it, `latest` or `champion`.", metavar="VERSION")
]
Data = Annotated[
    str, typer.Argument(help="A CSV, Parquet, Arrow or JSON Lines file, or a quoted glob.", metavar="DATA")
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target", help="The column to predict, or an expression such as 'arr_delay > 15'.", metavar="TARGET"
    ),
]
Name = Annotated[str | None, typer.Option("--name", help="The task's name; by default from the data.", metavar="NAME")]
Kind = Annotated[str | None, typer.Option("--kind", help="classification or regression.", metavar="KIND")]
Positive = Annotated[str | None, typer.Option("--positive", help="The positive answer of two.", metavar="ANSWER")]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        help="When a row happened: a column, an expression, 'row order', or 'none'; by default looked for.",
        metavar="TIME",
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option("--drop", help="Columns to leave out; repeat or separate by commas.", metavar="COLUMNS"),
]
After = Annotated[
    list[str] | None, typer.Option("--after", help="Columns known only afterwards; as --drop.", metavar="COLUMNS")
]
Question = Annotated[str | None, typer.Option("--question", help="What is asked, for people.")]
Seed = Annotated[int, typer.Option("--seed", help="The seed of everything random.")]
Separator = Annotated[str | None, typer.Option("--separator", help="The CSV separator; detected by default.")]
Encoding = Annotated[str | None, typer.Option("--encoding", help="The CSV encoding; detected by default.")]


def split_names(values: list[str] | None) -> tuple[str, ...]:
    """Names that were given one by one or separated by commas.

    >>> split_names(["a,b", "c"])
    ('a', 'b', 'c')
    """
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())
