"""`understudy lookback`: what was decided since the world may have changed, and a second look at it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from understudy.cli.history import utc
from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, plain_table, show_json
from understudy.flows.lookback import LookbackReport, read_lookback
from understudy.flows.rereview import review_again
from understudy.flows.workspace import open_workspace

AGAIN = {"no": "", "waits": "waits", "done": "confirmed"}


def lookback(
    task: TaskName,
    workspace: Workspace = Path(),
    after: Annotated[
        int, typer.Option("--after", help="Begin after the case of this number.", min=0, max=2**53, metavar="N")
    ] = 0,
    limit: Annotated[int, typer.Option("--limit", help="How many cases at most.", min=1, max=10**6, metavar="N")] = 20,
    review: Annotated[
        bool, typer.Option("--review", help="Put the cases before people once more, where nobody has looked.")
    ] = False,
    json: AsJson = False,
) -> None:
    """List what the machine decided since the change for which it was taken back, and what that cost.

    While it decides, the list goes up to now. A second look is blind, may correct decisions as an audit does, and never
    counts as evidence.
    """
    work = open_workspace(workspace)
    if review:
        found = review_again(work, task, actor=getpass.getuser())
        if json:
            show_json(found)
        else:
            console.print(
                f"{found.queued:,} cases were put back into the queue; {found.waiting:,} wait for a second look."
            )
        return
    report = read_lookback(work, task, after=after, most=limit)
    if json:
        show_json(report)
    else:
        show_report(report)


def show_report(report: LookbackReport) -> None:
    """A look-back in words, and a page of its cases."""
    console.print(Text(report.task, style="bold"))
    for line in report.text:
        console.print(Text(f"  {line}"), soft_wrap=True)
    if not report.cases:
        return
    table = plain_table("case", "decided", "answer", "confidence", "truth", "second look", right=("confidence",))
    for case in report.cases:
        truth = "" if case.truth is None else str(case.truth)
        again = "otherwise" if case.dissent else AGAIN[case.again]
        row = (case.id, utc(case.decided_at), str(case.decision), f"{case.confidence:.3f}", truth, again)
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    if report.next is not None:
        console.print(f"More: understudy lookback --task {report.task} --after {report.next}", soft_wrap=True)
