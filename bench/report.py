"""What the evaluation and the report of a version cost, once its model is trained: seconds and memory by rows.

Tables are invented: 20 columns of numbers and 10 of words, 10 % of the answers wrong everywhere and 30 % in a planted
slice. LightGBM learns each in one trial of few rounds, in a process of its own that is not timed. Another process lets
the candidate go live, as a run does from there on, and tells how long each step takes; no model is fitted again for a
diagnosis. The first table has a row for each table, the second one for each step.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import msgspec
import polars as pl

from bench.slices import MEGABYTE, invented, peak_kilobytes
from understudy.core.task import Task
from understudy.flows import golive
from understudy.flows.dataset import Dataset, assemble
from understudy.flows.examine import Examiner
from understudy.flows.golive import Candidate, Occasion, Step, assemble_version, go_live, parquet
from understudy.flows.models import beside
from understudy.flows.propose import Told
from understudy.flows.run import settle_task
from understudy.flows.train import as_candidate, find_model
from understudy.flows.version import open_scorer
from understudy.flows.workspace import Workspace, open_workspace
from understudy.models.recipes import Effort
from understudy.models.search import Budget, Race
from understudy.sources.tables import read_table

ROWS = (100_000, 1_000_000)
TASK = "claims"
SECONDS, GIGABYTES, MEGABYTES_PAGE = 60, 4, 3
"""What a million rows may cost."""

STEPS = (
    "judged_part",
    "evaluate",
    "release_facts",
    "agreement",
    "go_live_checks",
    "make_report",
    "chapters_of",
    "worklist_of",
    "render",
    "history_table",
    "register_version",
)
"""What `go_live` calls, besides the examiner."""

FEW_ROUNDS = {"n_estimators": 40, "learning_rate": 0.2, "num_leaves": 15, "min_data_in_leaf": 20, "steps": "plain"}
CANDIDATE = "candidate.pickle"

WORLDS: dict[str, Told] = {
    "yes-no": {"kind": "classification", "time": "none"},
    "numbers": {"kind": "regression", "time": "none", "tolerance": 20.0},
    "groups": {"kind": "classification", "time": "day", "split_group": "customer", "drop": ("clerk",)},
}
"""Two answers; a number; five answers of customers in time, with prices, clerks' decisions and groups to be fair to."""


def write_table(path: Path, n: int, world: str) -> None:
    """A table whose answer follows one number, with errors."""
    frame, wrong = invented(n, seed=1)
    late, error = pl.col("number_0") > 150, pl.Series(wrong).cast(pl.Int8)
    if world == "yes-no":
        frame = frame.with_columns(answer=(late.cast(pl.Int8) + error) % 2)
    elif world == "numbers":
        frame = frame.with_columns(answer=pl.col("number_0").log() * 100 + pl.Series(wrong) * 50)
    else:
        row = pl.int_range(n)
        grade = pl.col("number_0").log().clip(3, 7.9).cast(pl.Int8) - 3
        frame = frame.with_columns(
            answer=((grade + error) % 5).cast(pl.String),
            clerk=((grade + (row % 7 == 0).cast(pl.Int8)) % 5).cast(pl.String),
            customer=(row // 3) * 7919 % n,
            day=pl.datetime(2025, 1, 1) + pl.duration(seconds=row),
        )
    frame.write_parquet(path)


def read_data(folder: Path) -> tuple[Workspace, Task, Dataset]:
    """The workspace, the task and its rows."""
    work, world = open_workspace(folder), folder.parent.name
    table = read_table(folder / f"{TASK}.parquet")
    task = settle_task(work, table, name=TASK, target="answer", told=WORLDS[world])
    if world == "groups":
        task = msgspec.structs.replace(
            task,
            decision=msgspec.structs.replace(task.decision, groups=("word_0", "word_5")),
            today=msgspec.structs.replace(task.today, column="clerk"),
            cost=msgspec.structs.replace(task.cost, mistakes={"0 -> 4": 10.0, "4 -> 0": 5.0}),
        )
    return work, task, assemble(table.frame, task, seed=0)


def train(folder: Path) -> None:
    """Learn the table, and keep the candidate but for its scorer, which is opened from its files."""
    work, task, data = read_data(folder)
    race = Race(
        budget=Budget(trials=1),
        effort=Effort(0, work.engine.threads),
        elapsed=work.clock.elapsed,
        recipes=("lightgbm",),
        map=work.engine.map,
        first=(("lightgbm", FEW_ROUNDS),),
    )
    parts = data.split(0)
    candidate = as_candidate(find_model(data, task, parts, race), data, parts)
    (folder / CANDIDATE).write_bytes(pickle.dumps(replace(candidate, scorer=cast("Any", None))))


@dataclass
class Stopwatch:
    """How long steps take: seconds, seconds of processors, and the most memory held until their end."""

    steps: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    name: str = ""
    began: tuple[float, float] = (0.0, 0.0)

    def start(self, name: str) -> None:
        """End the step that is under way, and begin another; none where its name is empty."""
        now = time.perf_counter(), time.process_time()
        if self.name:
            wall, busy, _ = self.steps.get(self.name, (0.0, 0.0, 0))
            spent = wall + now[0] - self.began[0], busy + now[1] - self.began[1]
            self.steps[self.name] = (*spent, peak_kilobytes())
        self.name, self.began = name, now

    def timed(self, step: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The same function, timed; what calls it goes on with its own step afterwards."""

        def run(*args: Any, **kwargs: Any) -> Any:
            before = self.name
            self.start(name)
            try:
                return step(*args, **kwargs)
            finally:
                self.start(before)

        return run

    def tell(self, step: Step) -> None:
        """Each chapter that the examiner begins is a step."""
        if step.title == "examining":
            self.start(f"examine: {step.detail}")


@contextmanager
def watched(watch: Stopwatch) -> Iterator[None]:
    """Time what `go_live` calls."""
    with ExitStack() as patches:
        for name in STEPS:
            patches.enter_context(patch.object(golive, name, watch.timed(getattr(golive, name), name)))
        patches.enter_context(patch.object(Examiner, "examine", watch.timed(Examiner.examine, "examine")))
        yield


def measure(folder: Path) -> dict[str, Any]:
    """Let the candidate go live in this process, and say what each step took."""
    work, task, data = read_data(folder)
    parts, watch = data.split(0), Stopwatch()
    occasion = Occasion(
        source=f"{TASK}.parquet",
        snapshot=work.artifacts.put(parquet(data.source)),
        rows_read=data.source.height,
        rejected="",
        started=work.clock.elapsed(),
        seed=0,
        actor="bench",
        tell=watch.tell,
    )
    candidate = opened(folder, task, data, occasion)
    before = peak_kilobytes()
    forget_peak()
    with watched(watch):
        watch.start("rest")
        result = go_live(work, task, data, parts, candidate, occasion)
        watch.start("")
    stored = msgspec.json.decode(beside(work, TASK, "latest", "report.json"))
    return {
        "world": folder.parent.name,
        "rows": data.source.height,
        "tested": len(parts.test),
        "seconds": sum(wall for wall, _, _ in watch.steps.values()),
        "busy": sum(busy for _, busy, _ in watch.steps.values()),
        "peak": peak_kilobytes() / MEGABYTE,
        "before": before / MEGABYTE,
        "page": Path(result.report).stat().st_size / 1e6,
        "left_out": stored["findings"]["left_out"],
        "steps": watch.steps,
    }


def forget_peak() -> None:
    """Let the most memory held count anew from here on, so that what is read before does not hide what comes after."""
    Path("/proc/self/clear_refs").write_text("5")


def opened(folder: Path, task: Task, data: Dataset, occasion: Occasion) -> Candidate:
    """The candidate that was kept, with its scorer."""
    kept: Candidate = pickle.loads((folder / CANDIDATE).read_bytes())
    version, files = assemble_version(task, data, kept, occasion)
    return replace(kept, scorer=open_scorer(version.manifest, version.contract, files, version.head))


def in_process(what: str, folder: Path) -> str:
    """What a process of its own prints last."""
    command = [sys.executable, "-m", "bench.report", what, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return (done.stdout.strip().splitlines() or [""])[-1]


def totals(found: dict[str, Any]) -> str:
    """A row of the first table."""
    return (
        f"| {found['world']} | {found['rows']:,} | {found['tested']:,} | {found['seconds']:.1f} | "
        f"{found['busy']:.1f} | {found['peak']:,.0f} | {found['before']:,.0f} | {found['page']:.2f} |"
    )


def by_step(every: list[dict[str, Any]]) -> Iterator[str]:
    """The second table: for each step seconds, those of processors, and the most memory held until its end."""
    yield (
        "| step | "
        + " | ".join(f"{found['world']}, {found['rows']:,} rows: s, of processors, peak MB" for found in every)
        + " |"
    )
    yield "|---|" + "---|" * len(every)
    for name in every[0]["steps"]:
        cells = (found["steps"].get(name, (0.0, 0.0, 0)) for found in every)
        yield f"| {name} | " + " | ".join(f"{w:.1f}, {b:.1f}, {p / MEGABYTE:,.0f}" for w, b, p in cells) + " |"


def within(found: dict[str, Any]) -> bool:
    """Whether a million rows stay within what they may cost."""
    most = max(found["peak"], found["before"])
    return bool(found["seconds"] < SECONDS and most < GIGABYTES * 1024 and found["page"] < MEGABYTES_PAGE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", nargs="?", choices=["train", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, nargs="*", default=list(ROWS))
    parser.add_argument("--worlds", nargs="*", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--keep", type=Path, help="a directory for the trained candidates, which are then used again")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each number of rows, no tables")
    given = parser.parse_args()
    if given.step == "train":
        train(given.folder)
        return
    if given.step == "measure":
        print(json.dumps(measure(given.folder)))
        return
    if not given.json:
        print("| world | rows | of these judged | seconds | of processors | peak MB | peak MB before | page MB |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
    every = []
    with tempfile.TemporaryDirectory() as passing:
        for world, n in product(given.worlds, given.rows):
            folder = (given.keep or Path(passing)) / world / str(n)
            if not (folder / CANDIDATE).exists():
                folder.mkdir(parents=True, exist_ok=True)
                write_table(folder / f"{TASK}.parquet", n, world)
                in_process("train", folder)
            every.append(json.loads(in_process("measure", folder)))
            print(json.dumps(every[-1]) if given.json else totals(every[-1]), flush=True)
    if not given.json:
        print("", *by_step(every), sep="\n")
    if missing := {chapter: why for found in every for chapter, why in found["left_out"].items()}:
        raise SystemExit(f"The report lacks chapters, so its figures say too little: {missing}")
    if not all(within(found) for found in every if found["rows"] == max(ROWS)):
        print(f"More than {SECONDS} s, {GIGABYTES} GB or a page of {MEGABYTES_PAGE} MB.", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
