"""How results look in a terminal, and as JSON."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from understudy.core.nouns import Check
from understudy.evaluation.worklist import wins_words
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


USUAL = ("roc_auc", "pr_auc", "accuracy", "f1", "log_loss", "brier", "rmse", "mae", "r2")
"""The metrics that are shown; the report and --json have all."""

FIRST = 3
WORST = ("pass", "warn", "fail")
MARKS = {"pass": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "fail": "[red]✕[/red]"}


def number(value: float) -> str:
    """A number with four significant digits.

    >>> number(0.92345), number(46123.7)
    ('0.9234', '46,124')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def show_checks(checks: tuple[Check, ...]) -> None:
    """The checks that did not pass, each with what was found, and how many did."""
    good = sum(check.verdict == "pass" for check in checks)
    console.print(f"{MARKS['pass']} {good} of {len(checks)} checks passed", soft_wrap=True)
    for check in sorted(checks, key=lambda check: -WORST.index(check.verdict)):
        if check.verdict != "pass":
            said = Text.from_markup(MARKS[check.verdict]).append(f" {check.code} {check.name}: {check.detail}")
            console.print(said, soft_wrap=True)


def show_first(result: RunResult) -> None:
    """The first rows of the worklist."""
    if result.worklist is None or not result.worklist.items:
        return
    console.print("\n[bold]What to do next[/bold]  [dim](understudy next shows all, and why)[/dim]")
    for item in result.worklist.items[:FIRST]:
        wins, about = wins_words(item)
        gain = f"  wins {wins} of 1,000 cases ({about})" if wins and about else ""
        console.print(Text(f"{item.rank} {item.action.what}").append(gain, style="dim"), soft_wrap=True)


def show_result(result: RunResult, workspace: Path) -> None:
    """What a run or an adoption came to, and the next command to type."""
    how = "compiled" if result.model.compiled else f"served natively: {result.model.reason}"
    console.print(f"\n[bold]{result.task}[/bold]  {result.model.title}, {how}, version {result.model.version[:12]}")
    table = plain_table("on untouched rows", "estimate", "95 % interval", result.baseline["name"], right=("estimate",))
    for name in (name for name in USUAL if name in result.metrics):
        evidence, today = result.metrics[name], result.baseline["metrics"].get(name)
        interval = f"{number(evidence.lower)} to {number(evidence.upper)}"
        table.add_row(name, number(evidence.estimate), interval, number(today.estimate) if today else "")
    console.print(table)
    console.print()
    show_checks(result.checks)
    show_first(result)
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
