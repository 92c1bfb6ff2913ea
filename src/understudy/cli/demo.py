"""`understudy demo`: a year of flights, learned, rehearsed, and ready to be served."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.backtest import Curtain, show_backtest
from understudy.cli.options import AsJson, Seed, Workspace
from understudy.cli.run import Watcher
from understudy.cli.show import console, show_json
from understudy.flows.demo import find_flights, make_version, rehearse_year
from understudy.models.search import Budget


def demo(
    workspace: Workspace = Path("demo"),
    trials: Annotated[int, typer.Option("--trials", help="How many trials each search has.", min=1)] = 4,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Learn from a year of flights, and rehearse it.

    Will this flight arrive more than 15 minutes late? Trains a version that can be served, then rehearses the year: a
    first version knows January and February, and the other months come case by case.
    """
    source, budget = find_flights(), Budget(trials=trials)
    with Watcher(budget, explain=False, quiet=json) as watcher:
        made = make_version(source, workspace, budget, seed, watcher.step)
    with Watcher(budget, explain=False, quiet=json) as watcher, Curtain(quiet=json) as curtain:
        result = rehearse_year(source, workspace, budget, seed, watcher.step, curtain.show)
    if json:
        show_json(result)
        return
    show_backtest(result)
    console.print(f"\nA version that learned from the whole year stands at level [bold]{made.level}[/bold]. Serve it:")
    console.print(f"  understudy serve --workspace {shlex.quote(str(workspace))}", soft_wrap=True)
