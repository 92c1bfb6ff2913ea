"""`understudy labelstudio`: let people review in Label Studio."""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, show_json
from understudy.core.errors import DataError, InputError
from understudy.flows.head import Head, Library, load_head
from understudy.flows.labelstudio_annotations import read_file
from understudy.flows.labelstudio_config import labelling_config
from understudy.flows.labelstudio_export import export_tasks
from understudy.flows.labelstudio_reviews import Entered, Imported, import_annotations
from understudy.flows.workspace import open_workspace

LONGEST_NAME = 100
QUIET = ("recorded", "skipped", "corrected", "duplicate")
"""Results of which nothing more needs to be said."""


class Action(StrEnum):
    """What can be done."""

    CONFIG = "config"
    EXPORT = "export"
    IMPORT = "import"


def labelstudio(
    action: Annotated[Action, typer.Argument(help="config, export or import.", metavar="ACTION")],
    task: TaskName,
    file: Annotated[
        Path | None, typer.Argument(help="For import: a project's JSON export.", metavar="FILE", show_default=False)
    ] = None,
    workspace: Workspace = Path(),
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where config and export write; by default in this folder.", metavar="OUT"),
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="Export only cases that wait, the first due first.")] = False,
    annotations: Annotated[
        bool, typer.Option("--annotations", help="Export what people have decided too, where nobody judges any more.")
    ] = False,
    name: Annotated[
        str, typer.Option("--as", help="Which Label Studio it is; as its token is named.", metavar="NAME")
    ] = "label-studio",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what an import would do, and keep nothing.")] = False,
    json: AsJson = False,
) -> None:
    """Let people review in Label Studio: its labelling configuration, tasks for it, and annotations from it.

    Cases that are judged blindly never carry a prediction. An annotation counts as blind only where the log knows that
    its case went out so.
    """
    check(action, file, out, queue=queue or annotations, dry_run=dry_run)
    head = load_head(Library(open_workspace(workspace)), task)
    if action is Action.CONFIG:
        write_config(head, out, json=json)
    elif action is Action.EXPORT:
        place = out or Path(f"{task}-tasks.json")
        done = export_tasks(head, place, actor=getpass.getuser(), queued=queue, decided=annotations)
        if json:
            show_json({"file": str(place), "exported": done})
            return
        console.print(f"Tasks → {place}", soft_wrap=True)
        console.print(f"{done.tasks:,} tasks: {done.shown:,} with a suggestion, {done.blind:,} without, on purpose.")
        if annotations:
            console.print(f"Annotations: {done.annotations:,}.")
    else:
        by = checked(name)
        imported = import_annotations(head, read_tasks(file or Path()), by=by, actor=getpass.getuser(), dry_run=dry_run)
        show_json(imported) if json else show_imported(imported)


def check(action: Action, file: Path | None, out: Path | None, *, queue: bool, dry_run: bool) -> None:
    """Whether the options fit the action.

    Raises
    ------
    InputError
        They do not.
    """
    if (action is Action.IMPORT) != (file is not None):
        raise InputError("import needs a FILE, and only import takes one.", hint="understudy labelstudio import FILE")
    if action is Action.IMPORT and out is not None:
        raise InputError("--out is for config and export.")
    if action is not Action.EXPORT and queue:
        raise InputError("--queue and --annotations are for export only.")
    if action is not Action.IMPORT and dry_run:
        raise InputError("--dry-run is for import only.")


def checked(name: str) -> str:
    """The name of a Label Studio.

    Raises
    ------
    InputError
        It is empty, too long or not printable.
    """
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InputError(f"A name has 1 to {LONGEST_NAME} printable characters, got {len(name)}.")
    return name


def read_tasks(file: Path) -> list[dict[str, object]]:
    """The tasks in a file.

    Raises
    ------
    DataError
        It cannot be read.
    """
    try:
        return read_file(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error


def write_config(head: Head, out: Path | None, *, json: bool) -> None:
    """Write the labelling configuration to a file, or print it.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    config = labelling_config(head)
    if out is not None:
        try:
            out.write_text(config, encoding="utf-8")
        except OSError as error:
            raise DataError(f"{out} cannot be written: {error.strerror}.") from error
    if json:
        show_json({"config": config})
    elif out is None:
        typer.echo(config, nl=False)
    else:
        console.print(f"Labelling configuration → {out}", soft_wrap=True)


def show_imported(done: Imported) -> None:
    """How many annotations had which result, and what is to be said of single ones."""
    for result, count in done.counts.items():
        console.print(f"{count:>7,} {result}")
    if not done.counts:
        console.print("The file holds no annotations.")
    for entered in done.annotations:
        for line in told(entered):
            console.print(Text(line), soft_wrap=True)
    if done.dry_run:
        console.print("This was a dry run: nothing was kept.")


def told(entered: Entered) -> list[str]:
    """What is to be said of one annotation."""
    if entered.result in QUIET and not entered.hint:
        return []
    case = f" of case {entered.case}" if entered.case else ""
    faults = [f"  {fault}" for fault in entered.faults]
    return [f"annotation {entered.annotation}{case}: {entered.result}. {entered.hint}".rstrip(), *faults]
