"""What the evaluation and the report of a version cost, once its model is trained: seconds and memory by rows.

The table is invented: 20 columns of numbers and 10 of words, 10 % of the answers wrong everywhere and 30 % in a planted
slice. LightGBM learns it in one trial, in a process of its own that is not timed; another process loads the version and
its rows, and does the rest, step by step.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

import understudy
from bench.slices import MEGABYTE, invented, peak_kilobytes
from understudy.core.canonical import canonical
from understudy.evaluation.actions import Action
from understudy.evaluation.slices import find_slices
from understudy.evaluation.worklist import rank
from understudy.flows.dataset import assemble
from understudy.flows.golive import judge
from understudy.flows.models import read_report
from understudy.flows.version import load_version
from understudy.flows.workspace import open_workspace
from understudy.reports.html import render
from understudy.sources.tables import read_table

ROWS = (100_000, 1_000_000)
TASK = "claims"
SECONDS, GIGABYTES, MEGABYTES_PAGE = 60, 4, 3
"""What a million rows may cost."""


def write_table(path: Path, n: int) -> None:
    """A table whose answer follows one number, with errors."""
    frame, wrong = invented(n, seed=1)
    late = (pl.col("number_0") > 150).cast(pl.Int8)
    frame.with_columns(answer=(late + pl.Series(wrong).cast(pl.Int8)) % 2).write_parquet(path)


def train(folder: Path) -> dict[str, Any]:
    """Learn the table, and register a version."""
    result = understudy.run(
        folder / f"{TASK}.parquet",
        target="answer",
        workspace=folder,
        budget=understudy.Budget(trials=1),
        recipes=("lightgbm",),
        kind="classification",
        time="none",
    )
    return {"seconds": result.seconds}


def measure(folder: Path) -> dict[str, Any]:
    """Evaluate and report the version in this process, and say what each step took."""
    work = open_workspace(folder)
    task = work.read_task(TASK)
    data = assemble(read_table(folder / f"{TASK}.parquet").frame, task, seed=0)
    parts = data.split(0)
    version = load_version(work, TASK, "latest")
    report = read_report(TASK, workspace=folder)
    before, steps, busy = peak_kilobytes(), {}, time.process_time()

    def timed(name: str, step: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        found = step()
        steps[name] = time.perf_counter() - began
        return found

    evaluation = timed("judge", lambda: judge(version, task, data, parts, seed=0))
    scores = timed("predict", lambda: version.predict_clean(data.frame[parts.test]).scores)
    wrong = (scores.argmax(axis=1) != data.answers.y[parts.test]) * 1.0
    slices = timed("slices", lambda: find_slices(data.frame[parts.test], wrong))
    actions = [
        Action(kind="collect data", subject=one.words, what="Look at it", why="", gain=one.recoverable, share=one.share)
        for one in slices.found
    ]
    worklist = timed("worklist", lambda: rank(actions, wrong=float(wrong.mean())))
    judged = msgspec.structs.replace(report, evaluation=evaluation)
    page = timed("page", lambda: render(judged, (), worklist))
    kept = timed("stored", lambda: canonical(judged) + canonical(worklist))
    return {
        "steps": steps,
        "busy": time.process_time() - busy,
        "before": before,
        "peak": peak_kilobytes(),
        "tested": len(parts.test),
        "page": len(page.encode()),
        "kept": len(kept),
    }


def in_process(what: str, folder: Path) -> dict[str, Any]:
    """What a process of its own prints last, as JSON."""
    command = [sys.executable, "-m", "bench.report", what, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def line(n: int, found: dict[str, Any]) -> str:
    """A row of the table."""
    steps = found["steps"]
    each = ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items())
    sizes = f"{found['peak'] / MEGABYTE:,.0f} | {found['before'] / MEGABYTE:,.0f} | {found['page'] / 1e6:.2f}"
    seconds = f"{sum(steps.values()):.1f} | {found['busy']:.1f}"
    return f"| {n:,} | {found['tested']:,} | {seconds} | {sizes} | {each} |"


def within(found: dict[str, Any]) -> bool:
    """Whether a million rows stay within what they may cost."""
    seconds, peak = float(sum(found["steps"].values())), float(found["peak"])
    return seconds < SECONDS and peak / MEGABYTE < GIGABYTES * 1024 and int(found["page"]) < MEGABYTES_PAGE * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", nargs="?", choices=["train", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, nargs="*", default=list(ROWS))
    parser.add_argument("--keep", type=Path, help="a directory for the trained versions, which are then used again")
    given = parser.parse_args()
    if given.step:
        print(json.dumps(measure(given.folder) if given.step == "measure" else train(given.folder)))
        return
    print("| rows | of these judged | seconds | of processors | peak MB | of it before | page MB | seconds by step |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as passing:
        for n in given.rows:
            folder = (given.keep or Path(passing)) / str(n)
            if not (folder / "reports").exists():
                folder.mkdir(parents=True, exist_ok=True)
                write_table(folder / f"{TASK}.parquet", n)
                in_process("train", folder)
            found = in_process("measure", folder)
            print(line(n, found), flush=True)
            if n == max(ROWS) and not within(found):
                print(f"More than {SECONDS} s, {GIGABYTES} GB or a page of {MEGABYTES_PAGE} MB.")
                raise SystemExit(1)


if __name__ == "__main__":
    main()
