"""How results look in a terminal, and as JSON."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from understudy.flows.golive import RunResult

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def show_json(value: object) -> None:
    """Print one JSON object for machines."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def plain_table(*headers: str, right: tuple[str, ...] = ()) -> Table:
    """A table without a frame; the columns named in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold")
    return table


MARKS = {"pass": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "fail": "[red]✕[/red]"}


def number(value: float) -> str:
    """A number with four significant digits.

    >>> number(0.92345), number(46123.7)
    ('0.9234', '46,124')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def show_result(result: RunResult, workspace: Path) -> None:
    """What a run or an adoption came to, and the next command to type."""
    how = "compiled" if result.model.compiled else f"served natively: {result.model.reason}"
    console.print(f"\n[bold]{result.task}[/bold]  {result.model.title}, {how}, version {result.model.version[:12]}")
    table = plain_table("on untouched rows", "estimate", "95 % interval", result.baseline["name"], right=("estimate",))
    for name, evidence in result.metrics.items():
        today = result.baseline["metrics"].get(name)
        interval = f"{number(evidence.lower)} to {number(evidence.upper)}"
        table.add_row(name, number(evidence.estimate), interval, number(today.estimate) if today else "")
    console.print(table)
    console.print()
    for check in result.checks:
        console.print(f"{MARKS[check.verdict]} {check.code} {check.name}: {check.detail}", soft_wrap=True)
    console.print()
    if result.expectation is not None:
        console.print(f"[dim]{result.expectation.words}[/dim]", soft_wrap=True)
    for note in result.notes:
        console.print(f"[dim]{note}[/dim]", soft_wrap=True)
    if result.quarantined:
        console.print(f"{result.quarantined:,} rows break the contract and were set aside → {result.rejected}")
    console.print(f"Report → {result.report}", soft_wrap=True)
    place = "" if workspace == Path() else f" --workspace {shlex.quote(str(workspace))}"
    if result.level == "human":
        console.print("It does not go to shadow: a check failed. Mend what it names, and run again.")
    else:
        console.print(f"The task is at level [bold]{result.level}[/bold]. Next:")
        console.print(f"  understudy predict DATA --task {result.task} -o predictions.csv{place}", soft_wrap=True)
