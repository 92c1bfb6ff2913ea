"""`understudy erase`: erase what is held about a person or a case."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, show_json
from understudy.flows.erase import Erased
from understudy.flows.erase import erase as erase_flow
from understudy.flows.workspace import open_workspace

Ids = Annotated[list[str] | None, typer.Option("--id", help="The id of a case; may be repeated.", metavar="ID")]
Subject = Annotated[
    str | None,
    typer.Option("--subject", help="The person, as the task's subject column names him.", metavar="VALUE"),
]


def erase(
    task: TaskName, workspace: Workspace = Path(), ids: Ids = None, subject: Subject = None, json: AsJson = False
) -> None:
    """Erase the inputs of cases for good: in the store, in snapshots, in archives.

    What was decided stays as evidence, without inputs. Files of quarantined rows are deleted.
    """
    done = erase_flow(open_workspace(workspace), task, ids=ids or (), subject=subject, actor=getpass.getuser())
    if json:
        show_json(done)
    else:
        show_erased(done)


def show_erased(done: Erased) -> None:
    """What was erased, and what could not be."""
    console.print(f"Inputs erased: {done.cases:,} of {done.found:,} cases found; {done.notes:,} notes of reviewers.")
    console.print(f"Snapshots written anew: {done.snapshots:,}, without {done.rows:,} rows.")
    console.print(
        f"Archive files written anew: {done.archives:,}. Files of quarantined rows deleted: {done.rejected:,}."
    )
    for name in done.unknown:
        console.print(f"No case has the id {name!r}.", markup=False, soft_wrap=True)
    for digest in done.unread:
        console.print(f"The snapshot {digest[:12]} is missing or damaged, and was not searched.", soft_wrap=True)
    for digest in done.shared:
        console.print(f"Another task holds the snapshot {digest[:12]} too: erase there as well.", soft_wrap=True)
    if done.remains:
        console.print("Somebody was reading: old pages remain in the store's log. Erase again later.", soft_wrap=True)
