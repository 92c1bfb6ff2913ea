"""The demonstration: a year of flights, learned from its first two months and rehearsed over the rest."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from understudy.core.errors import DataError
from understudy.data.answers import target_answers
from understudy.evaluation.rehearsal import Backtest
from understudy.flows.backtest import Rehearsal, backtest
from understudy.flows.golive import RunResult, Tell
from understudy.flows.propose import Told
from understudy.flows.rehearsal_stage import Progress
from understudy.flows.run import run
from understudy.models.search import Budget
from understudy.sources.tables import read_table

FLIGHTS = Path("examples") / "flights" / "flights.csv.gz"
NAME = "flights"
TARGET = "arr_delay > 15"
ASKED: Told = {
    "question": "Will this flight arrive more than 15 minutes late?",
    "time": "month * 1000000 + day * 10000 + hour * 100 + minute",
    "after": ("arr_time", "air_time"),
    "drop": ("month",),
}
"""A flight is asked about when it leaves the gate: its departure's delay is known, its landing is not.

In a single year every month is new when it comes, so it tells nothing.
"""


def find_flights() -> Path:
    """The flights, from the current directory upwards, or in the repository that this file stands in.

    Raises
    ------
    DataError
        They are not there: they are not part of the installed package.
    """
    here = Path.cwd()
    for place in (here, *here.parents, *Path(__file__).resolve().parents):
        if (place / FLIGHTS).is_file():
            return place / FLIGHTS
    raise DataError(
        f"The flights of the demonstration, {FLIGHTS}, are not here.",
        hint="They are part of the repository, not of the installed package: call it from a clone.",
    )


def winter_share(source: Path) -> float:
    """The share of January and February among the flights that landed."""
    frame = read_table(source).frame
    landed = frame.filter(target_answers(frame, TARGET).is_not_null())
    return float((landed["month"].cast(pl.Int64) <= 2).mean() or 0.0)  # type: ignore[arg-type]


def make_version(source: Path, workspace: Path, budget: Budget, seed: int, tell: Tell) -> RunResult:
    """A version from the whole year, so that there is something to serve."""
    return run(source, name=NAME, target=TARGET, workspace=workspace, budget=budget, seed=seed, tell=tell, **ASKED)


def rehearse_year(source: Path, workspace: Path, budget: Budget, seed: int, tell: Tell, progress: Progress) -> Backtest:
    """The rehearsal: what is known at the start are January and February."""
    plan = Rehearsal(start=winter_share(source), budget=budget, seed=seed)
    return backtest(
        source, name=NAME, target=TARGET, workspace=workspace, plan=plan, tell=tell, progress=progress, **ASKED
    )
