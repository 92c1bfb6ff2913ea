"""`understudy learn`: one pass over what has come, for cron and the like."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from understudy.autonomy.challengers import Rival, lead_text
from understudy.cli.options import AsJson, Seed, Workspace
from understudy.cli.retrain import Seconds, Trials, budget_of
from understudy.cli.show import console, show_json
from understudy.core.nouns import Move
from understudy.flows.golive import RunResult
from understudy.flows.head import Library
from understudy.flows.learn import Learned
from understudy.flows.learn import learn as learn_flow
from understudy.flows.moves import known_tasks
from understudy.flows.retrain import retrain
from understudy.flows.workspace import open_workspace


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass over a task came to, and the version that was trained, if one was."""

    task: str
    settled: int
    made: Move | None
    proposed: Move | None
    challengers: tuple[Rival, ...]
    alarms: tuple[str, ...]
    due: str
    retrained: RunResult | None


def learn(
    workspace: Workspace = Path(),
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="The task's name; by default all.", metavar="NAME")
    ] = None,
    retraining: Annotated[
        bool,
        typer.Option(
            "--retrain",
            help="Train a new version where [retrain] asks for one, by time or by labels (not yet on drift).",
        ),
    ] = False,
    budget: Seconds = 60.0,
    trials: Trials = None,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Take in what has come: settle losses, fold evidence, make or propose moves.

    Doing it again changes nothing, so it can be called as often as one likes, beside a server or without one.
    """
    library = Library(open_workspace(workspace))
    found = []
    for name in [task] if task else known_tasks(library.work):
        learned = learn_flow(library, name)
        trained = None
        if retraining and learned.due:
            trained = retrain(library, name, actor=getpass.getuser(), budget=budget_of(budget, trials), seed=seed)
        found.append(passed(name, learned, trained))
    if json:
        show_json({"tasks": found})
        return
    for one in found:
        show_pass(one)


def passed(task: str, learned: Learned, trained: RunResult | None) -> Passed:
    """What a pass came to, as it is shown."""
    return Passed(
        task=task,
        settled=learned.settled,
        made=learned.made,
        proposed=learned.proposed,
        challengers=learned.rivals,
        alarms=learned.alarms,
        due=learned.due,
        retrained=trained,
    )


def show_pass(found: Passed) -> None:
    """What a pass came to, in words."""
    lines = [f"{found.settled:,} cases settled."]
    lines += [f"Alarm: {alarm}" for alarm in found.alarms]
    lines += [lead_text(rival) for rival in found.challengers]
    for said, move in (("Made", found.made), ("Waits for you", found.proposed)):
        if move is not None:
            lines += [f"{said}: {move.kind}, to {move.to.level.value}.", *(f"  {reason}" for reason in move.reasons)]
    if found.proposed is not None:
        lines.append(f"Confirm it with: understudy approve --task {found.task}")
    if found.retrained is not None:
        lines.append(f"Retrained: version {found.retrained.model.version[:12]}. {found.due}")
    elif found.due:
        lines.append(f"A new version is due. {found.due}")
    console.print(Text(found.task, style="bold"))
    for line in lines:
        console.print(Text(f"  {line}"), soft_wrap=True)
