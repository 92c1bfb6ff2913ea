"""`understudy next`: what to do next about a version, the first things first."""

from __future__ import annotations

import getpass
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from understudy.cli.options import AsJson, TaskName, VersionName, Workspace
from understudy.cli.show import console, plain_table, show_json
from understudy.core.errors import InputError
from understudy.evaluation.worklist import HOURS, Item, wins_words
from understudy.flows.next import NextSteps, Said, next_steps, note
from understudy.flows.report import write_report

UNITS = {"m": 1 / 60, "h": 1.0, "d": 8.0, "w": 40.0}
"""Hours of work."""

HINT = (
    "What blocks comes first, then what a day of work can be expected to win; gains overlap and do not add up. "
    "Say what you know: --effort 1=2d, --tag 1=words, --done 1"
)
ROWS = "A row is its number, its subject, or any part of that which no other has."

Efforts = Annotated[
    list[str] | None,
    typer.Option("--effort", help=f"ROW=hours, such as 3=6 or 3=2d; ROW= takes it back. {ROWS}", metavar="ROW=HOURS"),
]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", help="ROW=words, parted by commas: your own categories; ROW= takes them away.", metavar="ROW=TAGS"
    ),
]
Done = Annotated[
    list[str] | None,
    typer.Option("--done", help="Set a row done, until a later version shows it again.", metavar="ROW"),
]
Undo = Annotated[list[str] | None, typer.Option("--undo", help="A row is not done after all.", metavar="ROW")]
Page = Annotated[
    Path | None,
    typer.Option("--html", help="Write the report with the list as it stands to an .html file.", metavar="FILE"),
]


def next_(
    task: TaskName,
    workspace: Workspace = Path(),
    version: VersionName = "latest",
    effort: Efforts = None,
    tag: Tags = None,
    done: Done = None,
    undo: Undo = None,
    html: Page = None,
    json: AsJson = False,
) -> None:
    """Say what to do next: a ranked list of all that the evaluation found worth doing.

    What blocks a version comes first, then what a day of work can be expected to win. What you say of a row is kept in
    the event log, and holds for later versions too.
    """
    said = Said(
        efforts={name: hours(text) for name, text in map(parted, effort or ())},
        tags={name: words(text) for name, text in map(parted, tag or ())},
        done=tuple(done or ()),
        undo=tuple(undo or ()),
    )
    if said == Said():
        found = next_steps(task, version=version, workspace=workspace)
    else:
        found = note(task, said, actor=getpass.getuser(), version=version, workspace=workspace)
    place = write_report(task, html, version=found.version, workspace=workspace) if html else None
    if json:
        show_json(found)
        return
    show_steps(found)
    if place:
        console.print(f"Report → {place}", soft_wrap=True, markup=False)


def parted(text: str) -> tuple[str, str]:
    """A row and what is said of it; the row may hold `=` itself.

    >>> parted("carrier = EV=2d")
    ('carrier = EV', '2d')
    """
    name, equals, value = text.rpartition("=")
    if not equals or not name.strip():
        raise InputError(f"{text!r} does not say which row.", hint="Write ROW=VALUE, such as 3=6.")
    return name.strip(), value.strip()


def hours(text: str) -> float | None:
    """Hours of work: a number, a number with m, h, d or w, or one of the usual efforts; None for nothing.

    >>> hours("6"), hours("2d"), hours("weeks"), hours("")
    (6.0, 16.0, 80.0, None)
    """
    if not text:
        return None
    if text in HOURS:
        return HOURS[text]
    number, unit = (text[:-1], UNITS[text[-1]]) if text[-1] in UNITS else (text, 1.0)
    try:
        value = float(number) * unit
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(
            f"{text!r} is no effort.", hint=f"Write hours, such as 6, 30m, 2d or 1w, or {', '.join(HOURS)}."
        )
    return value


def words(text: str) -> tuple[str, ...]:
    """Words parted by commas, each once.

    >>> words("noise, season,, noise")
    ('noise', 'season')
    """
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def show_steps(found: NextSteps) -> None:
    """The list as a table."""
    worklist = found.worklist
    console.print(f"[bold]{found.task}[/bold]  what to do next, by version {found.version[:12]}")
    console.print(Text(worklist.headline), soft_wrap=True)
    if worklist.items:
        console.print()
        console.print(steps_table(worklist.items))
        console.print(Text(HINT, style="dim"), soft_wrap=True)
    else:
        console.print("Nothing was found that would be worth doing.")
    if worklist.others:
        console.print(f"[dim]{len(worklist.others):,} more are not shown (--json has all).[/dim]")
    for name in found.settled:
        console.print(Text(f"✓ {name}: was set done, and does not show any more", style="green"), soft_wrap=True)


def steps_table(items: tuple[Item, ...]) -> Table:
    """The rows, each with its reason beneath."""
    figures = ("wins per\n1,000 cases", "of all\ncases", "behind\npeople")
    table = plain_table("", "what to do", *figures, "effort", right=("", *figures))
    for column in (table.columns[0], *table.columns[2:]):
        column.no_wrap = True
    for item in items:
        wins, about = wins_words(item)
        shares = ("" if value is None else f"{value:.1%}" for value in (item.action.share, item.action.gap))
        gain = Text(wins or "not known", style="" if wins else "dim").append(f"\n{about}" if about else "", style="dim")
        table.add_row(str(item.rank), what(item), gain, *shares, item.effort)
    return table


def what(item: Item) -> Text:
    """What to do, its marks, and why."""
    action = item.action
    said = Text(action.what, style="dim" if item.state == "done" else "bold")
    if action.blocking:
        said.append("  ✕ blocks", style="red")
    if item.state == "done":
        said.append("  ✓ done", style="green")
    if item.state == "again":
        said.append("  ! was set done, shows again", style="yellow")
    for tag in item.tags:
        said.append(f"  [{tag}]", style="cyan")
    why = "" if item.state == "done" else f"\n{action.why}"
    return said.append(f"{why}\n{item.key}\n", style="not bold dim")
