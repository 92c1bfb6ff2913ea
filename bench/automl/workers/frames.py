"""What contenders that take pandas data frames share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.automl.workers.job import Job, Model

LAST = 0.2
"""The share of the rows to learn from that are kept for early stopping and for a contender's own score."""


@dataclass
class FrameModel(Model):
    """A model that takes data frames and says what scikit-learn's models say.

    Attributes
    ----------
    model : object
    job : Job
    dates : list of str
        Columns that are read as dates.
    """

    model: Any = None
    job: Job = field(default=None)  # type: ignore[assignment]
    dates: list[str] = field(default_factory=list)

    def read(self, path: str) -> Any:
        """The inputs of a CSV file."""
        return self.prepared(with_dates(pd.read_csv(path), self.dates).drop(columns=self.job.target))

    def prepared(self, frame: Any) -> Any:
        """The inputs as the model takes them."""
        return frame

    def predict(self, table: Any) -> np.ndarray:
        """Probabilities of shape (n, k), or numbers of shape (n, 1)."""
        said = self.model.predict_proba(table) if self.job.classes else self.model.predict(table)
        return np.asarray(said, dtype=np.float64).reshape(len(table), -1)

    def singles(self, table: Any, count: int) -> list[Any]:
        """Some rows, each as a frame."""
        return [table.iloc[[place]] for place in range(min(count, len(table)))]

    def one(self, row: Any) -> Any:
        """What it says of a frame of one row."""
        return self.model.predict_proba(row) if self.job.classes else self.model.predict(row)

    def repeat(self, table: Any, rows: int) -> Any:
        """The table over and over, until it has so many rows."""
        return table.iloc[np.arange(rows) % len(table)].reset_index(drop=True)

    def save(self) -> Path:
        """A file or a folder with all that answering takes."""
        raise NotImplementedError


def read_train(job: Job) -> tuple[Any, list[str]]:
    """The rows to learn from, and the columns that hold dates."""
    frame = pd.read_csv(job.train)
    dates = [name for name in frame.select_dtypes("object") if name != job.target and holds_dates(frame[name])]
    return with_dates(frame, dates), dates


def holds_dates(column: Any) -> bool:
    """Whether all that is there reads as a date, as in 2012-01-31 or 2011-12-31T13:00:00Z."""
    there = column.dropna()
    return len(there) > 0 and bool(pd.to_datetime(there, format="ISO8601", errors="coerce").notna().all())


def with_dates(frame: Any, dates: list[str]) -> Any:
    """The frame with dates as dates, of no time zone."""
    return frame.assign(
        **{name: pd.to_datetime(frame[name], format="ISO8601", utc=True).dt.tz_localize(None) for name in dates}
    )


def date_parts(frame: Any, dates: list[str]) -> Any:
    """The frame with each date as numbers: when it was, and its year, month, day, weekday and hour."""
    for name in dates:
        at = frame[name].dt
        parts = {"year": at.year, "month": at.month, "day": at.day, "weekday": at.weekday, "hour": at.hour}
        days = (frame[name] - pd.Timestamp(0)) / pd.Timedelta(days=1)
        frame = frame.drop(columns=name).assign(
            **{name: days}, **{f"{name} {part}": value for part, value in parts.items()}
        )
    return frame


def held_out(job: Job, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Places to fit on, and a fifth to stop on: the last one if the order was told, else at random."""
    places = np.arange(len(y))
    if not job.time:
        places = np.random.default_rng(job.seed).permutation(len(y))
    cut = round(len(y) * (1 - LAST))
    return np.sort(places[:cut]), np.sort(places[cut:])
