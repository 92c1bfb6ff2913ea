"""One contender after the other on every table: each job alone on the machine, each answer kept."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.automl.contenders import CONTENDERS, ROOT, Contender, python_of, state_of
from bench.automl.judge import as_asked, figures
from bench.automl.sources import SOURCES, Parts, labels_of, part, truth
from bench.automl.watch import Watched, watch
from bench.automl.workers.job import Job

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes
    ----------
    folder, peers, out : Path
        The tables, the environments, and where results go.
    contenders, sources : list of str
    budgets : list of float
        Seconds.
    seeds : int
    threads : int
    told : bool
        Whether contenders are told that rows are in order, where they are.
    fresh, retry : bool
        Whether what has been done is done again: all of it, or what failed.
    most_mb : float
        Of memory.
    """

    folder: Path
    peers: Path
    out: Path
    contenders: list[str]
    sources: list[str]
    budgets: list[float]
    seeds: int
    threads: int = 2
    told: bool = False
    fresh: bool = False
    retry: bool = False
    most_mb: float = 12_000

    @property
    def results(self) -> Path:
        """A line for each job that was done."""
        return self.out / "results.jsonl"


@dataclass(frozen=True)
class Entry:
    """One job of one contender in one state of its code; `seconds` is 0 where it takes no budget."""

    contender: str
    source: str
    seed: int
    seconds: float
    told: bool
    threads: int
    state: str
    data: str

    @property
    def name(self) -> str:
        """A name for its files."""
        told = "-told" if self.told else ""
        words = f"{self.source}-{self.contender}-{self.seconds:g}s-seed{self.seed}{told}-{self.state[:8]}"
        return words.replace(" ", "_")


def read_results(path: Path) -> list[dict[str, Any]]:
    """All lines, in the order in which they were written; none where there is no file yet."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def done_already(results: Iterable[dict[str, Any]], plan: Plan) -> set[tuple[Any, ...]]:
    """What need not be done again."""
    return {
        tuple(result[name] for name in Entry.__dataclass_fields__)
        for result in results
        if not plan.fresh and not (plan.retry and result["failed"])
    }


def run(plan: Plan) -> Iterator[dict[str, Any]]:
    """Do what has not been done yet, and give each result as it is written."""
    plan.out.mkdir(parents=True, exist_ok=True)
    states = {name: state_of(name, plan.peers) for name in plan.contenders}
    done = done_already(read_results(plan.results), plan)
    with tempfile.TemporaryDirectory(prefix="understudy-automl-") as place:
        for budget in plan.budgets:
            for seed in range(plan.seeds):
                for name in plan.sources:
                    parts = part(SOURCES[name], plan.folder, Path(place) / "data", seed)
                    for contender, state in states.items():
                        entry = enter(plan, contender, name, seed=seed, budget=budget, state=state, parts=parts)
                        if tuple(asdict(entry).values()) in done:
                            continue
                        result = do(entry, plan, parts, Path(place) / "job")
                        done.add(tuple(asdict(entry).values()))
                        with plan.results.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(result) + "\n")
                        yield result


def enter(plan: Plan, contender: str, source: str, *, seed: int, budget: float, state: str, parts: Parts) -> Entry:
    """The entry of a job; nobody can be told of an order that is not there."""
    return Entry(
        contender=contender,
        source=source,
        seed=seed,
        seconds=budget if CONTENDERS[contender].timed else 0,
        told=plan.told and bool(SOURCES[source].time),
        threads=plan.threads,
        state=state,
        data=parts.digest,
    )


def do(entry: Entry, plan: Plan, parts: Parts, place: Path) -> dict[str, Any]:
    """Let a contender do its job in an empty folder, and judge its answers."""
    source, contender = SOURCES[entry.source], CONTENDERS[entry.contender]
    shutil.rmtree(place, ignore_errors=True)
    work, out = place / "work", place / "out"
    work.mkdir(parents=True)
    out.mkdir()
    job = Job(
        train=str(parts.train),
        test=str(parts.test),
        target=source.target,
        kind=source.kind,
        metric=source.metric,
        time=source.time if entry.told else "",
        seconds=entry.seconds,
        seed=entry.seed,
        threads=entry.threads,
        place=str(work),
        out=str(out),
        preset=contender.preset,
    )
    file = place / "job.json"
    file.write_text(json.dumps(asdict(job)), encoding="utf-8")
    log = plan.out / "logs" / f"{entry.name}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    watched = watch(
        [*command_of(contender, plan.peers), str(file)],
        place=work,
        log=log,
        settings=dict.fromkeys(THREADS, str(entry.threads)) | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        most_seconds=3 * entry.seconds + 600,
        most_mb=plan.most_mb,
    )
    result = {**asdict(entry), "cores": len(os.sched_getaffinity(0)), **judged(entry, plan, parts, out, watched, log)}
    shutil.rmtree(place, ignore_errors=True)
    return result


def command_of(contender: Contender, peers: Path) -> list[str]:
    """A contender's worker, run by the Python of its own environment."""
    return [str(python_of(contender, peers)), "-m", f"bench.automl.workers.{contender.worker}"]


def judged(entry: Entry, plan: Plan, parts: Parts, out: Path, watched: Watched, log: Path) -> dict[str, Any]:
    """What came of a job: its figures, or why there are none."""
    about = {"wall_seconds": watched.seconds, "peak_mb": watched.peak_mb}
    if watched.code != 0 or not (out / "found.json").is_file():
        return {**about, "failed": watched.why or last_words(log)}
    source = SOURCES[entry.source]
    labels = labels_of(source, parts.train)
    with np.load(out / "predictions.npz") as file:
        try:
            scores = as_asked(file["scores"], file["labels"].tolist(), labels)
        except ValueError as error:
            return {**about, "failed": str(error)}
    y = truth(source, parts.test, labels)
    kept = plan.out / "predictions" / f"{entry.name}.npz"
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(kept, scores=scores.astype(np.float32 if labels else np.float64), y=y, rows=parts.rows)
    found: dict[str, Any] = json.loads((out / "found.json").read_text(encoding="utf-8"))
    return {
        **about,
        "failed": "",
        "metric": source.metric,
        "predictions": kept.name,
        "test_rows": len(y),
        **figures(y, scores),
        **found,
    }


def last_words(log: Path) -> str:
    """The last line that a program wrote, as the reason why it failed."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it ended without a word"
