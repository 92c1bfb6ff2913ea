"""What a search for slices costs: seconds and memory by rows, beside the Python package `sliceline`.

Each search runs in a process of its own, on 20 columns of numbers and 10 of words with a planted slice of two
predicates. `sliceline` gets the same rows with numbers cut at their deciles, and needs a Python of its own
(`--peer PYTHON`, with the package sliceline); it searches all rows for cells only, without ranges and without a test.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from understudy.evaluation.slices import find_slices

ROWS = (50_000, 1_000_000)
NUMBERS, WORDS = 20, 10
PEER_ROWS = 50_000
TIMES = 3
MEGABYTE = 1024


def invented(n: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Numbers and words, and errors: 10 % everywhere, 30 % in the planted slice."""
    rng = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {f"number_{place}": rng.lognormal(5, 1, n).round(2) for place in range(NUMBERS)}
    levels = {f"word_{place}": rng.integers(0, 3 + 2 * place, n) for place in range(WORDS)}
    bad = (columns["number_3"] >= 300) & (levels["word_2"] == 1)
    words = [pl.Series(name, codes).cast(pl.String) for name, codes in levels.items()]
    return pl.DataFrame(columns).with_columns(words), (rng.random(n) < np.where(bad, 0.3, 0.1)) * 1.0


def peak_kilobytes() -> int:
    """The most memory that this process has held; getrusage would tell the most of its parent, if that is more."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


def search(path: Path) -> dict[str, object]:
    """One search of a stored table, in this process."""
    table = pl.read_parquet(path)
    loss = table["loss"].to_numpy()
    frame = table.drop("loss")
    before = peak_kilobytes()
    began = time.perf_counter()
    result = find_slices(frame, loss)
    seconds = time.perf_counter() - began
    first = result.found[0].words if result.found else ""
    return {"seconds": seconds, "peak": peak_kilobytes(), "before": before, "first": first, "compared": result.compared}


def peer_cells(frame: pl.DataFrame) -> np.ndarray:
    """Columns as whole numbers from 1: deciles and levels."""
    shares = np.arange(1, 10) / 10
    cells = [
        np.searchsorted(np.quantile(values.to_numpy(), shares), values.to_numpy(), side="right") + 1
        if values.dtype.is_numeric()
        else values.cast(pl.Int64).to_numpy() + 1
        for values in frame
    ]
    return np.stack(cells, axis=1)


def in_process(command: list[str]) -> dict[str, object]:
    """What a process prints as JSON."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def line(name: str, n: int, runs: list[dict[str, object]]) -> tuple[float, float]:
    """Print a row of the table, the median of some runs; seconds and megabytes."""
    seconds = float(np.median([float(str(run["seconds"])) for run in runs]))
    peak = max(float(str(run["peak"])) for run in runs) / MEGABYTE
    before = max(float(str(run["before"])) for run in runs) / MEGABYTE
    print(f"| {name} | {n:,} | {seconds:,.2f} | {peak:,.0f} | {before:,.0f} | {runs[0]['first']} |", flush=True)
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=list(ROWS))
    parser.add_argument("--peer", help="a Python with the package sliceline")
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.search:
        print(json.dumps(search(given.search)))
        return
    print("| search | rows | seconds | peak MB | of which before | found first |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        ours: dict[int, tuple[float, float]] = {}
        for n in given.rows:
            frame, loss = invented(n, seed=1)
            path = Path(folder) / f"{n}.parquet"
            frame.with_columns(loss=loss).write_parquet(path)
            command = [sys.executable, "-m", "bench.slices", "--search", str(path)]
            ours[n] = line("understudy", n, [in_process(command) for _ in range(TIMES)])
        if given.peer and PEER_ROWS in ours:
            frame, loss = invented(PEER_ROWS, seed=1)
            stored = Path(folder) / "peer.npz"
            np.savez(stored, codes=peer_cells(frame), loss=loss)
            script = Path(__file__).with_name("slices_peer.py")
            seconds, peak = line("sliceline", PEER_ROWS, [in_process([given.peer, str(script), str(stored)])])
            ratios = seconds / ours[PEER_ROWS][0], peak / ours[PEER_ROWS][1]
            print(
                f"\nAt {PEER_ROWS:,} rows sliceline: {ratios[0]:,.0f} times as long, {ratios[1]:,.0f} times the memory."
            )


if __name__ == "__main__":
    main()
