"""`understudy describe`: what a version does, where a person can read it."""

from __future__ import annotations

from pathlib import Path

from understudy.cli.options import AsJson, TaskName, VersionName, Workspace
from understudy.cli.show import console, number, plain_table, show_json
from understudy.flows.describe import Description
from understudy.flows.describe import describe as describe_flow

MOST = 40


def describe(
    task: TaskName, workspace: Workspace = Path(), version: VersionName = "latest", json: AsJson = False
) -> None:
    """Say what a version does: its rules, its tree, or its weights with odds ratios.

    For a linear model with the effects of its columns, estimated without its penalty: an interval of 95 % for each by
    itself, on rows that did not choose the columns. An effect says what goes together, not what causes it.
    """
    found = describe_flow(task, version=version, workspace=workspace)
    if json:
        show_json(found)
        return
    console.print(f"[bold]{found.task}[/bold]  {found.recipe}, version {found.version[:12]}\n")
    console.print(found.text, markup=False, soft_wrap=True)
    if found.note:
        console.print(f"\nNo effects: {found.note}", markup=False, soft_wrap=True)
    if found.effects:
        show_effects(found)


def show_effects(found: Description) -> None:
    """The effects in a table, the surest first."""
    what = "adds" if found.kind == "regression" else "multiplies the odds by"
    console.print(f"\nWithout the penalty, on {found.rows:,} rows:")
    table = plain_table("one more of this", what, "95 % interval", right=(what,))
    estimated = [one for one in found.effects if one.effect is not None]
    for one in sorted(estimated, key=lambda one: -abs(one.weight))[:MOST]:
        if one.effect is not None:
            bounds = f"{number(one.effect.lower)} to {number(one.effect.upper)}"
            table.add_row(one.name, number(one.effect.estimate), bounds)
    console.print(table)
    others = [one.name for one in found.effects if one.state == "reference"]
    if others:
        console.print(f"Compared with: {', '.join(others)}", markup=False, soft_wrap=True)
    curves = [one.name for one in found.effects if one.state == "curve"]
    if curves:
        console.print(f"As curves, told above: {', '.join(curves)}", markup=False, soft_wrap=True)
    if len(estimated) > MOST:
        console.print(f"and {len(estimated) - MOST:,} with smaller weights (--json lists all)")
