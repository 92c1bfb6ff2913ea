"""A program and all that it starts: how much memory they take at most, and their end when they take too long."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.5
"""Seconds between two looks; one takes about 10 ms of a core."""
TOKEN = "UNDERSTUDY_BENCH"
PROC = Path("/proc")


@dataclass(frozen=True)
class Watched:
    """How a program ended.

    Attributes
    ----------
    code : int, optional
        What it exited with; None where it was stopped.
    seconds : float
        From its start.
    peak_mb : float
        The most memory that it and its children held at once, in 10^6 bytes. What several share counts once (the
        proportional set size).
    why : str
        Why it was stopped; empty where it was not.
    """

    code: int | None
    seconds: float
    peak_mb: float
    why: str


def watch(
    command: Sequence[str],
    *,
    place: Path,
    log: Path,
    settings: Mapping[str, str],
    most_seconds: float,
    most_mb: float,
) -> Watched:
    """Run a program until it ends by itself, or is stopped with all that it started.

    Linux only: it reads /proc.

    Parameters
    ----------
    command : sequence of str
    place, log : Path
        Where it runs, and where its output goes.
    settings : mapping
        Added to the environment.
    most_seconds, most_mb : float
        When it is stopped.
    """
    mark = uuid.uuid4().hex
    environment = {**os.environ, **settings, TOKEN: mark}
    began, peak, why, known = time.monotonic(), 0.0, "", dict[int, str]()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=place, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            while process.poll() is None:
                known = family(process.pid, mark, known)
                peak = max(peak, sum(memory(pid) for pid in known) / 1e6)
                if time.monotonic() - began > most_seconds:
                    why = f"stopped after {most_seconds:,.0f} s"
                elif peak > most_mb:
                    why = f"stopped at {peak:,.0f} MB of memory"
                if why:
                    break
                time.sleep(EVERY)
            seconds = time.monotonic() - began
        finally:
            end(family(process.pid, mark, known))
            process.wait()
    return Watched(None if why else process.returncode, round(seconds, 2), round(peak, 1), why)


def family(first: int, mark: str, known: Mapping[int, str]) -> dict[int, str]:
    """The processes that a program has started, and when each of them began.

    A child of theirs is one of them, whoever its parent is by now: it carries the mark in its environment, has been
    seen before, or its parent belongs to them. Some rewrite their environment when they name themselves.
    """
    marked = f"{TOKEN}={mark}".encode()
    found: dict[int, str] = {}
    for pid, (parent, began) in sorted(processes().items(), key=lambda one: one[1][1].zfill(20)):
        if pid == first or parent in found or known.get(pid) == began or marked in environ(pid):
            found[pid] = began
    return found


def processes() -> dict[int, tuple[int, str]]:
    """The parent of each process, and when it began in ticks since the machine did."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                found[int(entry.name)] = (int(fields[1]), fields[19])
    return found


def environ(pid: int) -> bytes:
    """What a process was started with; nothing where that is not ours to read."""
    try:
        return (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""


def memory(pid: int) -> float:
    """Bytes that a process holds, its part of what it shares with others."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0.0)


def end(those: Mapping[int, str]) -> None:
    """Stop processes, unless another has taken the number by now."""
    there = processes()
    for pid, began in those.items():
        if pid in there and there[pid][1] == began:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
