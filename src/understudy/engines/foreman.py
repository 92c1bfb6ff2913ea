"""The process that forks a worker for each item, and kills it when it overruns its time or its memory.

`understudy.engines.processes` starts it as `python -m understudy.engines.foreman MODULE ...`: it imports these modules
once, so that a new worker costs milliseconds, and has no thread of its own, so that forking is safe. It reads requests
from its standard input and writes answers to its standard output, each a length and a pickle, and ends, with all its
workers, when the input ends: also when the process that started it was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import select
import shutil
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import joblib

from understudy.core.ports import Lost
from understudy.engines.memory import available_bytes, data_bytes, held_bytes

try:
    import resource
except ImportError:  # not there on every system
    resource = None  # type: ignore[assignment]

LENGTH = struct.Struct("<Q")
MEMORY_SHARE = 0.9
"""The workers together may take this share of the memory that is there when the first of them begins."""

PR_SET_PDEATHSIG = 1
NEARLY_ALL = 0.7
"""A worker that died holding this much of its share of memory died of that."""


@dataclass
class Worker:
    """A forked process, the bytes that it was born with, and what it has said so far."""

    pid: int
    key: int
    began: float
    seconds: float | None
    held: int
    body: bytearray = field(default_factory=bytearray)


class Foreman:
    """Holds the work, forks workers, and answers when they end.

    Parameters
    ----------
    answers : binary file
    share : int
        How many workers share the memory.
    most : int, optional
        How many bytes each may take; by default its share of what there is.
    """

    def __init__(self, answers: IO[bytes], share: int, most: int | None) -> None:
        self._answers = answers
        self._share = share
        self._most = most
        self._work: Callable[[Any], Any] = lambda item: item
        self._folder: Path | None = None
        self._workers: dict[int, Worker] = {}

    def serve(self, requests: IO[bytes]) -> None:
        """Do as asked until there are no more requests."""
        while True:
            ready, _, _ = select.select([requests.fileno(), *self._workers], [], [], self._patience())
            for pipe in ready:
                if pipe != requests.fileno():
                    self._read(pipe)
            self._kill_late()
            if requests.fileno() in ready:
                request = read_message(requests)
                if request is None:
                    return
                self._obey(request)

    def close(self) -> None:
        """Kill every worker, and remove the work's file: nobody else may be left to do it."""
        for worker in self._workers.values():
            os.kill(worker.pid, signal.SIGKILL)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _obey(self, request: tuple[Any, ...]) -> None:
        match request:
            case ("place", folder):
                self._folder = Path(folder)
            case ("work", place):
                self._work = joblib.load(place, mmap_mode="r")
                if self._most is None:
                    there = available_bytes()
                    self._most = None if there is None else int(there * MEMORY_SHARE / self._share)
            case ("item", key, seconds, body):
                self._fork(key, seconds, body)

    def _fork(self, key: int, seconds: float | None, body: bytes) -> None:
        reads, writes = os.pipe()
        foreman = os.getpid()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                die_with(foreman)
                os.close(reads)
                os.close(self._answers.fileno())  # so that they end with the foreman, whoever is still at work
                code = work_on(self._work, body, writes, self._most)
            finally:
                os._exit(code)
        os.close(writes)
        self._workers[reads] = Worker(pid, key, time.monotonic(), seconds, held_bytes())

    def _patience(self) -> float | None:
        now = time.monotonic()
        ends = [worker.began + worker.seconds - now for worker in self._workers.values() if worker.seconds is not None]
        return max(min(ends), 0.0) if ends else None

    def _read(self, pipe: int) -> None:
        """Take what a worker says; at the end answer."""
        chunk = os.read(pipe, 1 << 20)
        if chunk:
            self._workers[pipe].body += chunk
            return
        worker = self._workers.pop(pipe)
        os.close(pipe)
        _, status, used = os.wait4(worker.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0 and worker.body:
            self._answer(worker, bytes(worker.body))
        else:
            self._answer(worker, pickle.dumps((Lost(self._cause(code, used.ru_maxrss * 1024 - worker.held)), None)))

    def _cause(self, code: int, taken: int) -> str:
        """Why a worker has died without an answer, having taken so many bytes beyond what it was born with."""
        starved = self._most is not None and taken > NEARLY_ALL * self._most
        if code == -signal.SIGKILL or starved:
            return "it needed more memory than there is: its process was killed"
        if code < 0:
            return f"its process died ({signal.Signals(-code).name})"
        return f"its process ended by itself, with code {code}"

    def _kill_late(self) -> None:
        now = time.monotonic()
        for pipe, worker in list(self._workers.items()):
            if worker.seconds is not None and worker.began + worker.seconds <= now:
                os.kill(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
                os.close(pipe)
                del self._workers[pipe]
                lost = Lost(f"it took longer than {worker.seconds:.1f} s", late=True)
                self._answer(worker, pickle.dumps((lost, None)))

    def _answer(self, worker: Worker, body: bytes) -> None:
        write_message(self._answers, (worker.key, time.monotonic() - worker.began, body))


def work_on(work: Callable[[Any], Any], body: bytes, writes: int, most: int | None) -> int:
    """In a worker: do the work within its memory, write what came of it, and return the exit code."""
    limit_memory(most)
    try:
        said: tuple[Any, BaseException | None] = (work(pickle.loads(body)), None)  # noqa: S301  our own parent's
    except MemoryError:
        said = (Lost("it needed more memory than there is"), None)
    except Exception as error:
        said = (None, error)
    with os.fdopen(writes, "wb") as answers:
        answers.write(as_pickle(said))
    return 0


def as_pickle(said: tuple[Any, BaseException | None]) -> bytes:
    """What came of the work as bytes; an error that cannot be pickled is told by its text."""
    try:
        body = pickle.dumps(said, protocol=pickle.HIGHEST_PROTOCOL)
        if said[1] is not None:
            pickle.loads(body)  # noqa: S301  some errors can be written and not be read
    except Exception as error:
        return pickle.dumps((None, RuntimeError(repr(said[1] or error))))
    return body


def die_with(foreman: int) -> None:
    """Have the system kill this process when the foreman is gone, where it can; it may be gone already."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != foreman:
        os._exit(1)


def limit_memory(most: int | None) -> None:
    """Let this process take so many bytes more than it has, and be the first to go when the machine has no more."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if resource is not None and most is not None:
        limit = data_bytes() + most
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def write_message(file: IO[bytes], message: object) -> None:
    """Write a length and a pickle."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    file.write(LENGTH.pack(len(body)) + body)
    file.flush()


def read_message(file: IO[bytes]) -> Any:
    """The next message; None where the file has ended."""
    header = read_exactly(file, LENGTH.size)
    if header is None:
        return None
    (length,) = LENGTH.unpack(header)
    body = read_exactly(file, length)
    return None if body is None else pickle.loads(body)  # noqa: S301  between our own processes


def read_exactly(file: IO[bytes], length: int) -> bytes | None:
    """So many bytes, however few come at a time; None where the file ends before."""
    body = bytearray()
    while len(body) < length:
        chunk = file.read(length - len(body))
        if not chunk:
            return None
        body += chunk
    return bytes(body)


def main() -> None:
    """Serve on standard input and output; what libraries print goes nowhere."""
    share, most, *modules = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    requests = os.fdopen(0, "rb", buffering=0)
    for module in modules:
        importlib.import_module(module)
    foreman = Foreman(answers, int(share), int(most) if most != "-" else None)
    try:
        foreman.serve(requests)
    except BrokenPipeError:
        pass  # nobody listens any more
    finally:
        foreman.close()


if __name__ == "__main__":
    main()
