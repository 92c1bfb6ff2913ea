"""`understudy doctor`: check that everything is as it should be."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.text import Text

from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import MARKS, console, show_json
from understudy.flows.doctor import doctor as doctor_flow


def doctor(workspace: Workspace = Path(), json: AsJson = False) -> None:
    """Check that everything is as it should be, and say the way out where it is not.

    The exit status is 1 where a check fails. For every sealed row and input, use verify.
    """
    found = doctor_flow(workspace)
    sound = all(one.state != "fail" for one in found)
    if json:
        show_json({"sound": sound, "checks": found})
    else:
        for one in found:
            line = Text.from_markup(MARKS[one.state]).append(f" {one.name}: {one.detail}")
            console.print(line.append(f"\n  {one.way_out}") if one.way_out else line, soft_wrap=True)
    if not sound:
        raise typer.Exit(1)
