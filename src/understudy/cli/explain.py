"""`understudy explain`: why a version answers one case as it does."""

from __future__ import annotations

import json as plain
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, plain_table, show_json
from understudy.core.errors import InputError
from understudy.flows.explain_case import Explained, explain_case
from understudy.flows.reasons import Fact

WIDTH = 18
WIDEST = (18, 12, 17)
MOST = 12

Case = Annotated[
    str,
    typer.Option("--case", help="The id of a recorded case, or the inputs of one as a JSON object.", metavar="CASE"),
]
OfVersion = Annotated[
    str | None,
    typer.Option(
        "--version",
        help="A digest, `latest` or `champion`; by default who answered the case, else the champion.",
        metavar="VERSION",
    ),
]


def explain(
    task: TaskName, case: Case, workspace: Workspace = Path(), version: OfVersion = None, json: AsJson = False
) -> None:
    """Say which of a case's columns moved the model, and which way.

    What a column adds is measured against usual values, by the model itself: in log odds of its answer, or in the
    number's own unit. It says what this model does, not what causes what. A case that somebody is still to judge
    blindly is not explained.
    """
    found = explain_case(task, read_case(case), version=version, workspace=workspace)
    if json:
        show_json(found)
        return
    console.print(f"[bold]{found.task}[/bold]  version {found.reasons.version[:12]}")
    console.print(answer_line(found), markup=False, soft_wrap=True)
    for fact in found.reasons.moved:
        console.print(f"  {fact.words}", markup=False, soft_wrap=True)
    console.print()
    console.print(bar_table(found))
    rest = len(found.reasons.facts) - MOST
    if rest > 0:
        console.print(f"and {rest:,} columns that moved it less (--json lists all)")


def read_case(text: str) -> str | dict[str, Any]:
    """An id, or inputs.

    Raises
    ------
    InputError
        It begins like a JSON object and is none.

    >>> read_case("C1"), read_case('{"age": 31}')
    ('C1', {'age': 31})
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        found: dict[str, Any] = plain.loads(text)
    except ValueError as error:
        raise InputError(f"The case is no JSON object: {error}.", hint='Write {"column": value}.') from error
    return found


def answer_line(found: Explained) -> str:
    """What it answers, beside what it says of usual values."""
    reasons = found.reasons
    if found.kind == "regression":
        return f"It says {reasons.score:,.4g}; of usual values {reasons.base:,.4g} on average. What moved it:"
    return f"It answers {reasons.answer}, with confidence {found.confidence:.1%}. What moved it:"


def bar_table(found: Explained) -> Any:
    """Each column with its value, what is usual, and a bar: to the right for the answer, to the left against it."""
    reasons = found.reasons
    number = found.kind == "regression"
    way = "lowers it│raises it" if number else "  against│for"
    table = plain_table("column", "value", "usual", way, "adds" if number else "log odds")
    for column, widest in zip(table.columns, WIDEST, strict=False):
        column.no_wrap, column.overflow, column.max_width = True, "ellipsis", widest
    for column, least in zip(table.columns[len(WIDEST) :], (WIDTH + 1, 8), strict=True):
        column.no_wrap, column.min_width = True, least
    largest = max((abs(fact.contribution) for fact in reasons.facts), default=0.0)
    for fact in reasons.facts[:MOST]:
        table.add_row(Text(fact.column), Text(fact.value), Text(fact.usual), bar(fact, largest), adds(fact, number))
    return table


def bar(fact: Fact, largest: float) -> Text:
    """A bar from the middle to one side."""
    half = WIDTH // 2
    size = round(half * abs(fact.contribution) / largest) if largest else 0
    mine = "█" * size
    left, right = (mine, "") if fact.contribution < 0 else ("", mine)
    return Text(f"{left:>{half}}│{right:<{half}}")


def adds(fact: Fact, number: bool) -> Text:
    """The figure beside the bar."""
    return Text(f"{fact.contribution:+,.4g}" if number else f"{fact.contribution:+.2f}")
