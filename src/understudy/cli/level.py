"""`understudy level`: change by hand how much the machine may decide."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, show_json
from understudy.cli.status import threshold_words
from understudy.core.errors import InputError
from understudy.core.nouns import Deployment, Level
from understudy.flows.moves import set_level
from understudy.flows.status import ON_SCREEN
from understudy.flows.workspace import open_workspace

Why = Annotated[str | None, typer.Option("--why", help="The reason, for the event log.", metavar="TEXT")]


def level(
    level: Annotated[str, typer.Argument(help="human, shadow, assist, partial or full.", metavar="LEVEL")],
    task: TaskName,
    workspace: Workspace = Path(),
    why: Why = None,
    override: Annotated[
        bool, typer.Option("--override", help="Step up without proof; the event log keeps it with the reason.")
    ] = False,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            help="With --override, from which confidence the model may give an answer; may be repeated.",
            metavar="ANSWER=CONFIDENCE",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Change a task's level: down at once, up with an override and a reason."""
    wanted = parse_level(level)
    thresholds = parse_thresholds(threshold or [])
    if thresholds and not override:
        raise InputError("A threshold by hand is an override.", hint="Give --override and --why with it.")
    deployed = set_level(
        open_workspace(workspace),
        task,
        wanted,
        actor=getpass.getuser(),
        why=why or "",
        thresholds=thresholds,
        overriding=override,
    )
    show_deployment(task, deployed, json=json)


def parse_level(text: str) -> Level:
    """The level of this name.

    >>> parse_level("assist").height
    2
    """
    if text not in list(Level):
        raise InputError(f"There is no level {text!r}.", hint=f"The levels are {', '.join(Level)}.")
    return Level(text)


def parse_thresholds(texts: list[str]) -> dict[str, float]:
    """Confidences by answer, from texts such as `yes=0.95`; an answer may hold equals signs.

    >>> parse_thresholds(["yes=0.95", "a=b=0.9"])
    {'yes': 0.95, 'a=b': 0.9}
    """
    thresholds = {}
    for text in texts:
        answer, _, said = text.rpartition("=")
        try:
            least = float(said)
        except ValueError:
            least = -1.0
        if not answer or not 0 <= least <= 1:
            raise InputError(
                f"The threshold {text!r} is not an answer with a confidence between 0 and 1.",
                hint="Write it as in --threshold yes=0.95",
            )
        thresholds[answer] = least
    return thresholds


def show_deployment(task: str, deployed: Deployment, *, json: bool) -> None:
    """What holds after a move."""
    if json:
        show_json(deployed)
        return
    paused = ", paused: it decides nothing" if deployed.paused else ""
    champion = f"champion {deployed.champion[:12]}" if deployed.champion else "no champion"
    console.print(f"[bold]{task}[/bold] is at level [bold]{deployed.level.value}[/bold]: ", end="")
    console.print(f"{ON_SCREEN[deployed.level]}{paused}; {champion}, deployment {deployed.revision}.", soft_wrap=True)
    if deployed.thresholds:
        console.print(Text(f"Thresholds: {threshold_words(deployed.thresholds)}"), soft_wrap=True)
