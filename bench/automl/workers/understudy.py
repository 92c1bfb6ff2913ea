"""Understudy, through its public names, in a workspace of its own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

import understudy
from bench.automl.workers.job import Job, Model, Promise, perform

NAME = "bench"


@dataclass
class Understudy(Model):
    """A registered version."""

    libraries: ClassVar[tuple[str, ...]] = ("understudy", "lightgbm", "scikit-learn", "onnxruntime")
    version: Any = None
    place: Path = Path()

    def read(self, path: str) -> Any:
        """The inputs of a CSV file, as text."""
        return pl.read_csv(path, infer_schema=False)

    def predict(self, table: Any) -> np.ndarray:
        """Probabilities of shape (n, k), or numbers of shape (n, 1)."""
        scores: np.ndarray = self.version.predict(table).scores
        return scores

    def singles(self, table: Any, count: int) -> list[Any]:
        """Some rows, each as a mapping."""
        rows = table.head(count).to_dicts()
        return [{name: row[name] for name in self.version.inputs} for row in rows]

    def one(self, row: Any) -> Any:
        """What it says of a case: its contract, strangeness and interval are in the time."""
        return self.version.predict_row(row)

    def repeat(self, table: Any, rows: int) -> Any:
        """The table over and over, until it has so many rows."""
        return table[np.arange(rows) % table.height]

    def save(self) -> Path:
        """The files that its manifest names, side by side."""
        wanted = set(self.version.manifest.files.values())
        folder = self.place / "version"
        folder.mkdir()
        for file in (self.place / ".understudy" / "objects").glob("*/*"):
            if f"{file.parent.name}{file.name}" in wanted:
                (folder / file.name).hardlink_to(file)
        return folder


def fit(job: Job) -> Understudy:
    """Search, calibrate, judge, check, compile and register; the budget is the search's."""
    place = Path(job.place)
    (place / "understudy.toml").write_text(f"[engine]\nthreads = {job.threads}\n", encoding="utf-8")
    told: Any = {"goal": job.metric, "kind": job.kind} | ({"time": job.time} if job.time else {})
    result = understudy.run(
        job.train,
        target=job.target,
        name=NAME,
        workspace=place,
        budget=job.seconds,
        seed=job.seed,
        **told,
    )
    version = understudy.load(NAME, workspace=place)
    found = result.metrics[job.metric]
    notes = {
        "model": result.model.recipe,
        "training_seconds": result.training_seconds,
        "arranged": list(result.notes),
        "compiled": result.model.compiled,
        "reason": result.model.reason,
        "level": result.level,
        "failed_checks": [check.code for check in result.checks if check.verdict == "fail"],
        "extras": extras(),
    }
    return Understudy(
        labels=list(version.manifest.labels),
        promise=Promise(found.estimate, found.lower, found.upper, "the report's figure, on rows kept for it"),
        notes=notes,
        version=version,
        place=place,
    )


def extras() -> dict[str, str]:
    """The optional learners that are installed, and their versions."""
    there = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    return {name: there[name] for name in ("catboost", "xgboost-cpu", "xgboost") if name in there}


if __name__ == "__main__":
    perform(fit)
