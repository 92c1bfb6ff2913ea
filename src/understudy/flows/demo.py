"""The demonstration: a year of flights, learned from its first two months and rehearsed over the rest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from understudy.core.errors import DataError
from understudy.data.answers import target_answers
from understudy.evaluation.rehearsal import Backtest
from understudy.flows.backtest import Rehearsal, backtest
from understudy.flows.golive import RunResult, Tell
from understudy.flows.head import Library, load_head
from understudy.flows.play import Scene
from understudy.flows.propose import Told
from understudy.flows.rehearsal_data import as_history, live_inputs
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


@contextmanager
def winter_only(source: Path) -> Iterator[Path]:
    """A file with the flights of January and February only, for as long as the block lasts."""
    frame = read_table(source).frame
    with tempfile.TemporaryDirectory(prefix="understudy-demo-") as place:
        file = Path(place) / "flights-january-february.csv"
        frame.filter(pl.col("month").cast(pl.Int64) <= 2).write_csv(file)
        yield file


def read_scenes(library: Library, source: Path) -> list[Scene]:
    """The flights from March on, in the order in which they left, as the champion's callers know them.

    Raises
    ------
    DataError
        There is no champion that could answer.
    """
    head = load_head(library, NAME)
    if head.reader is None:
        raise DataError(f"{NAME} has no version that can answer.", hint="Train one with: understudy run")
    history = as_history(read_table(source).frame, head.task, start=winter_share(source), days=365.0, seed=0)
    frame = history.frame[history.first :]
    truths = history.truths[history.first :]
    rows = live_inputs(frame, head.task, head.reader.contract).iter_rows(named=True)
    return [
        Scene(id=f"flight-{place}", month=str(month), inputs=row, truth=truth)
        for place, (month, row, truth) in enumerate(zip(frame["month"], rows, truths, strict=True), start=1)
        if truth is not None
    ]


def make_version(source: Path, workspace: Path, budget: Budget, seed: int, tell: Tell) -> RunResult:
    """A version from all flights of a file, so that there is something to serve."""
    return run(source, name=NAME, target=TARGET, workspace=workspace, budget=budget, seed=seed, tell=tell, **ASKED)


def rehearse_year(source: Path, workspace: Path, budget: Budget, seed: int, tell: Tell, progress: Progress) -> Backtest:
    """The rehearsal: what is known at the start are January and February."""
    plan = Rehearsal(start=winter_share(source), budget=budget, seed=seed)
    return backtest(
        source, name=NAME, target=TARGET, workspace=workspace, plan=plan, tell=tell, progress=progress, **ASKED
    )
