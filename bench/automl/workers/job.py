"""What every contender does with a job, whatever it is: fit, answer, be timed, be weighed.

Runs in each contender's own environment, so numpy is all that it needs.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

SINGLES, FEWEST_SINGLES, SECONDS_FOR_SINGLES = 200, 20, 20.0
MANY = 20_000


@dataclass(frozen=True)
class Job:
    """What is asked of a contender.

    Attributes
    ----------
    train, test : str
        CSV files; the answers of the second are not looked at.
    target, kind, metric : str
    time : str
        What Understudy may be told of the order of the rows, which are in it; empty where nobody is told.
    seconds : float
        To fit in.
    seed, threads : int
    place : str
        An empty folder for whatever it writes.
    out : str
        A folder for the predictions and the measurements.
    preset : str
        The contender's own word for how hard it tries.
    """

    train: str
    test: str
    target: str
    kind: str
    metric: str
    time: str
    seconds: float
    seed: int
    threads: int
    place: str
    out: str
    preset: str = ""

    @property
    def classes(self) -> bool:
        """Whether an answer is chosen, not a number estimated."""
        return self.kind == "classification"


@dataclass(frozen=True)
class Promise:
    """What a contender itself says of its score in the job's metric, and where it has that from."""

    score: float | None = None
    lower: float | None = None
    upper: float | None = None
    where: str = ""


@dataclass
class Model(ABC):
    """A contender that has been fitted.

    Attributes
    ----------
    labels : list of str
        The classes in the order of its probabilities; empty for numbers.
    promise : Promise
    notes : dict
        What else is worth knowing.
    """

    libraries: ClassVar[tuple[str, ...]] = ()
    labels: list[str]
    promise: Promise
    notes: dict[str, Any] = field(default_factory=dict)

    @abstractmethod
    def read(self, path: str) -> Any:
        """A table as it takes it."""

    @abstractmethod
    def predict(self, table: Any) -> np.ndarray:
        """Probabilities of shape (n, k), or numbers of shape (n, 1)."""

    @abstractmethod
    def singles(self, table: Any, count: int) -> list[Any]:
        """Some rows, each as it takes a single one."""

    @abstractmethod
    def one(self, row: Any) -> Any:
        """What it says of a single row."""

    @abstractmethod
    def repeat(self, table: Any, rows: int) -> Any:
        """The table over and over, until it has so many rows."""

    @abstractmethod
    def save(self) -> Path:
        """A file or a folder with all that answering takes."""

    def ready(self) -> None:  # noqa: B027  most need nothing
        """Get ready to answer single rows, where the contender has a way to."""


def perform(fit: Callable[[Job], Model]) -> None:
    """Do the job that the command line names, and write what it came to."""
    job = Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    began = time.perf_counter()
    model = fit(job)
    fitted = time.perf_counter() - began
    table = model.read(job.test)
    scores = np.asarray(model.predict(table), dtype=np.float64)
    np.savez_compressed(Path(job.out) / "predictions.npz", scores=scores, labels=np.array(model.labels, dtype=str))
    found = {
        "fit_seconds": round(fitted, 2),
        "promise": vars(model.promise),
        "batch_rows_per_second": round(rows_per_second(model, table)),
        "artifact_mb": round(size(model.save()) / 1e6, 3),
        **one_row(model, table),
        "versions": {name: metadata.version(name) for name in model.libraries},
        "notes": model.notes,
    }
    (Path(job.out) / "found.json").write_text(json.dumps(found, default=float), encoding="utf-8")


def rows_per_second(model: Model, table: Any) -> float:
    """Over at least 20,000 rows at once; the first answer was before."""
    many = model.repeat(table, MANY)
    began = time.perf_counter()
    model.predict(many)
    return MANY / (time.perf_counter() - began)


def one_row(model: Model, table: Any) -> dict[str, Any]:
    """The median time of 200 single answers, of fewer where they take more than 20 seconds."""
    model.ready()
    rows = model.singles(table, SINGLES)
    for row in rows[:3]:
        model.one(row)
    times: list[float] = []
    while len(times) < SINGLES and (len(times) < FEWEST_SINGLES or sum(times) < SECONDS_FOR_SINGLES):
        row = rows[len(times) % len(rows)]
        began = time.perf_counter()
        model.one(row)
        times.append(time.perf_counter() - began)
    return {"one_row_ms": round(statistics.median(times) * 1e3, 4), "singles": len(times)}


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


def as_scores(values: Any) -> np.ndarray:
    """Probabilities as they are, numbers as a column."""
    scores = np.asarray(values, dtype=np.float64)
    return scores if scores.ndim == 2 else scores.reshape(-1, 1)
