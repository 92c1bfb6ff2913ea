"""`understudy retrain`: a new version from the log's own cases."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import AsJson, Seed, TaskName, Workspace
from understudy.cli.run import Watcher
from understudy.cli.show import show_json, show_result
from understudy.flows.head import Library
from understudy.flows.retrain import retrain as retrain_flow
from understudy.flows.workspace import open_workspace
from understudy.models.search import Budget

Seconds = Annotated[float, typer.Option("--budget", help="Seconds to search for a model.", min=1)]
Trials = Annotated[
    int | None, typer.Option("--trials", help="Search for so many trials instead: exactly repeatable.", min=1)
]


def retrain(
    task: TaskName,
    workspace: Workspace = Path(),
    budget: Seconds = 60.0,
    trials: Trials = None,
    seed: Seed = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Say at each step what was done and why.")] = False,
    json: AsJson = False,
) -> None:
    """Train a new version on the log's own labelled cases.

    It learns from what the champion learned from and from the live cases whose answer is known, and is compared with
    the champion before anything changes.
    """
    wanted = budget_of(budget, trials)
    with Watcher(wanted, explain=explain, quiet=json) as watcher:
        result = retrain_flow(
            Library(open_workspace(workspace)),
            task,
            actor=getpass.getuser(),
            budget=wanted,
            seed=seed,
            tell=watcher.step,
            tell_trial=watcher.trial,
            show=watcher.show,
        )
    if json:
        show_json(result)
        return
    show_result(result, workspace)


def budget_of(seconds: float, trials: int | None) -> Budget:
    """A budget in trials where one is given, else in seconds."""
    return Budget(seconds=seconds) if trials is None else Budget(trials=trials)
