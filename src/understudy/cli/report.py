"""`understudy report`: write a version's report to a file, in the form that is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from understudy.cli.options import AsJson, TaskName, VersionName, Workspace
from understudy.cli.show import console, show_json
from understudy.core.errors import InputError
from understudy.flows.models import snapshot_purged
from understudy.flows.report import SUFFIXES, Format, report_text, report_values, write_report

FORMATS = get_args(Format)
BY_SUFFIX: dict[str, Format] = {".html": "html", ".json": "json", ".md": "markdown"}

Form = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help=f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]} (a model card); by default from the file's name.",
        metavar="FORMAT",
    ),
]
Out = Annotated[
    str | None, typer.Option("--out", "-o", help="A file, or - for the terminal; by default NAME-report.html.")
]
Open = Annotated[bool, typer.Option("--open", help="Open it, once it is written.")]


def report(
    task: TaskName,
    workspace: Workspace = Path(),
    version: VersionName = "latest",
    form: Form = None,
    out: Out = None,
    open_it: Open = False,
    json: AsJson = False,
) -> None:
    """Write a version's report to a file: as a page, as JSON, as Markdown, or as a model card.

    The page is one file that needs no network. Markdown suits a pull request; the model card has the headings of
    Mitchell et al. (2019), as Markdown, or as a page where the file ends with .html.
    """
    if json:
        show_json(report_values(task, version=version, workspace=workspace))
        return
    chosen = chosen_format(form, out)
    if out == "-":
        sys.stdout.write(report_text(task, chosen, version=version, workspace=workspace))
        return
    name = f"{task}-{'card' if chosen == 'card' else 'report'}{SUFFIXES[chosen]}"
    place = write_report(task, Path(out or name), form=chosen, version=version, workspace=workspace)
    console.print(f"Report → {place}", soft_wrap=True, markup=False)
    if snapshot_purged(task, version=version, workspace=workspace):
        console.print("Rows that it was trained on were erased since: snapshot purged.")
    if open_it:
        typer.launch(str(place.resolve()))


def chosen_format(form: str | None, out: str | None) -> Format:
    """The form that was asked for, or the one that the file's name tells.

    >>> chosen_format(None, "r.md"), chosen_format(None, None), chosen_format("card", "card.html")
    ('markdown', 'html', 'card')
    """
    if form is None:
        return BY_SUFFIX.get(Path(out or "").suffix, "html")
    if form not in FORMATS:
        raise InputError(f"There is no format {form!r}.", hint=f"The formats are {', '.join(FORMATS)}.")
    return cast("Format", form)
