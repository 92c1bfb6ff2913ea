"""Searches in the making: what was asked and what is done stands in a directory, so that a killed run can go on."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO

import msgspec
import numpy as np

from understudy.core.canonical import canonical, digest
from understudy.core.errors import ConflictError, InputError
from understudy.models.search import Budget, Fitting, Line, Replay, Strategy, Trial

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # not there on every system
    fcntl = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a search.

    Attributes
    ----------
    seconds, trials : float or int, optional
        Its budget; one of them.
    seed : int
    strategy : {"portfolio+tpe", "grid", "random"}
    recipes : tuple of str
        Those that take part; by default all that are raced.
    single : bool
        Whether the answer is one member.
    max_latency : float, optional
        In milliseconds for one answer.
    max_size : int, optional
        In bytes.
    """

    seconds: float | None = None
    trials: int | None = None
    seed: int = 0
    strategy: Strategy = "portfolio+tpe"
    recipes: tuple[str, ...] = ()
    single: bool = False
    max_latency: float | None = None
    max_size: int | None = None

    @property
    def budget(self) -> Budget:
        """The budget as the search takes it."""
        return Budget(seconds=self.seconds, trials=self.trials)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked for; the same plan is the same run.

    Attributes
    ----------
    task : str
        The digest of the task's file.
    name, snapshot : str
        The task's name, and the digest of the data.
    wanted : Wanted
    libraries : dict of str
        The versions of the libraries that take part.
    """

    task: str
    name: str
    snapshot: str
    wanted: Wanted
    libraries: dict[str, str]

    @property
    def run(self) -> str:
        """The run's name."""
        return f"{self.name}-{digest(canonical(self))[:12]}"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and what came of it: kept beside the version, so that the run can be replayed.

    Attributes
    ----------
    plan : Plan
    trials : tuple of Trial
    weights : dict of float
        The share of each member that serves, by the number of its trial.
    """

    plan: Plan
    trials: tuple[Trial, ...]
    weights: dict[int, float]

    @property
    def replay(self) -> Replay:
        """The record as the search takes it."""
        return Replay(trials=self.trials, weights=self.weights)


class RunFiles:
    """The files of a search in the making: `plan.json`, `trials.jsonl`, and the predictions of every fit.

    A line is written once its predictions are, and stays when the process is killed right after.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._lines = place / "trials.jsonl"
        self._file: IO[bytes] | None = None

    def earlier(self) -> tuple[Line, ...]:
        """What an earlier run has written, in order; a last line that was cut off is passed over."""
        if not self._lines.is_file():
            return ()
        *whole, rest = self._lines.read_bytes().split(b"\n")
        if rest:
            os.truncate(self._lines, self._lines.stat().st_size - len(rest))
        return tuple(msgspec.json.decode(line, type=Line) for line in whole)

    def scores(self, number: int, fold: int) -> np.ndarray:
        """The predictions that belong to a fit."""
        with np.load(self._scores(number, fold)) as file:
            return np.asarray(file["scores"])

    def write(self, line: Line, scores: np.ndarray | None = None) -> None:
        """Keep a line for good, with its predictions."""
        if scores is not None and isinstance(line, Fitting):
            buffer = io.BytesIO()
            np.savez(buffer, scores=scores)
            durable(self._scores(line.number, line.fold), buffer.getvalue())
        if self._file is None:
            self._file = self._lines.open("ab")
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()

    def _scores(self, number: int, fold: int) -> Path:
        return self._place / f"{number}-{fold}.npz"


def durable(place: Path, body: bytes) -> None:
    """Write a file so that after a crash it is there as a whole or not at all."""
    partly = place.with_suffix(".part")
    with partly.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    partly.replace(place)


@contextlib.contextmanager
def open_run(runs: Path, plan: Plan, *, fresh: bool) -> Iterator[RunFiles]:
    """The files of the run with this plan, those of an earlier one that was stopped or new ones.

    They are removed when the block ends well, and stay when it does not.

    Raises
    ------
    ConflictError
        The same run is under way in another process.
    """
    place = runs / plan.run
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        hold(lock, plan.name)
        if fresh:
            for file in place.iterdir():
                if file.name != "lock":
                    file.unlink()
        durable(place / "plan.json", msgspec.json.encode(plan))
        files = RunFiles(place)
        try:
            yield files
        finally:
            files.close()
    shutil.rmtree(place, ignore_errors=True)


def hold(lock: IO[str], name: str) -> None:
    """Hold a lock for as long as its file is open."""
    if fcntl is None:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ConflictError(
            f"The same run of {name} is under way in another process.", hint="Wait for it, or choose another --seed."
        ) from error


def read_record(text: bytes, *, source: str) -> Record:
    """A run's record from its file.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        return msgspec.json.decode(text, type=Record)
    except msgspec.DecodeError as error:
        raise InputError(
            f"{source} is no record of a run: {error}", hint="Name a version, or the plan.json that is kept beside it."
        ) from error
