"""`understudy compare`: two versions side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import MARKS, console, number, plain_table, show_json
from understudy.evaluation.comparison import NAMED, Comparison, conclusion, gain_words, headline
from understudy.evaluation.measures import METRICS
from understudy.flows.compare import compare as compare_flow
from understudy.flows.compare import write_comparison
from understudy.reports.compare import milliseconds, size

SHOWN = {"better": "[green]▲ better[/green]", "worse": "[red]▼ worse[/red]", "not shown": "not shown"}


def compare(
    first: Annotated[
        str,
        typer.Argument(
            help="A version: a digest or the beginning of it, `champion`, `latest`, or `previous` for the one before.",
            metavar="V1",
        ),
    ],
    second: Annotated[str, typer.Argument(help="The version that is compared with it, named alike.", metavar="V2")],
    task: Annotated[
        str | None,
        typer.Option(
            "--task", "-t", help="The task's name; needed where several tasks have such versions.", metavar="NAME"
        ),
    ] = None,
    workspace: Workspace = Path(),
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the comparison as a page, an .html file.", metavar="FILE")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what the second of two versions does better or worse, for whom, and whether that is shown.

    Both answer the same rows: those that the later one was judged on and neither has learned from.
    """
    found = compare_flow(first, second, task=task, workspace=workspace)
    place = None if html is None else write_comparison(found, html)
    if json:
        fields = {name: getattr(found, name) for name in Comparison.__struct_fields__}
        show_json({"headline": headline(found), "conclusion": conclusion(found), **fields})
        return
    show_comparison(found)
    if place is not None:
        console.print(f"\nPage → {place}", soft_wrap=True)


def show_comparison(found: Comparison) -> None:
    """The finding, the metrics, the groups, the checks and the figures of both."""
    named = f"{found.first.version[:NAMED]} → {found.second.version[:NAMED]}"
    console.print(f"\n[bold]{escape(headline(found))}[/bold]  {found.task}, {named}", soft_wrap=True)
    for sentence in conclusion(found):
        console.print(escape(sentence), soft_wrap=True)
    if found.compared is not None:
        console.print()
        show_metrics(found)
        show_groups(found)
    console.print()
    show_sides(found)
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/dim]", soft_wrap=True)


def show_metrics(found: Comparison) -> None:
    """Every metric of both."""
    names = [found.first.version[:NAMED], found.second.version[:NAMED]]
    table = plain_table("metric", *names, "better by", "95 % interval", "", right=(*names, "better by"))
    for one in found.compared.metrics if found.compared else ():
        interval = f"{number(one.gain.lower)} to {number(one.gain.upper)}"
        figures = (number(value.estimate) for value in (one.first, one.second, one.gain))
        table.add_row(METRICS[one.metric].title, *figures, interval, SHOWN[one.verdict])
    console.print(table)


def show_groups(found: Comparison) -> None:
    """The answers by truth and by group."""
    compared = found.compared
    if compared is None or not (compared.labels or compared.groups):
        return
    lines = [(f"truth is {one.of}", one) for one in compared.labels]
    lines += [(f"{column} is {one.of}", one) for column, each in compared.groups.items() for one in each]
    table = plain_table("cases", "now right", "now wrong", "net", "", right=("now right", "now wrong"))
    for name, one in lines:
        table.add_row(escape(name), f"{one.mended:,}", f"{one.broken:,}", gain_words(one), SHOWN[one.verdict])
    console.print()
    console.print(table)


def show_sides(found: Comparison) -> None:
    """What they are, and their checks."""
    sides = (found.first, found.second)
    table = plain_table("", *(one.version[:NAMED] for one in sides))
    table.add_row("recipe", *(escape(one.recipe) for one in sides))
    table.add_row("one answer takes", *(milliseconds(one) for one in sides))
    table.add_row("size", *(size(one.bytes) for one in sides))
    table.add_row("columns of its own", escape(", ".join(found.dropped)) or "–", escape(", ".join(found.added)) or "–")
    for pair in found.checks:
        marks = (MARKS[one.verdict] if one else "–" for one in (pair.first, pair.second))
        table.add_row(f"{pair.code} {escape(pair.name)}", *marks)
    console.print(table)
