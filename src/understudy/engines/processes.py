"""A crew of processes: each item in one of its own, which may hang, die or take too much memory."""

from __future__ import annotations

import itertools
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import joblib

from understudy.core.ports import Ended, Lost
from understudy.engines.foreman import read_message, write_message

CAN_FORK = hasattr(os, "fork")
ALONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LOADED = ("understudy.models.search",)
"""What the foreman imports while the caller still reads its data."""

PATIENCE = 1.0
"""The seconds that a foreman has to end."""


class ProcessCrew:
    """Works on items in processes that a foreman forks; see `understudy.engines.foreman`.

    joblib's own processes are not used here: one that must be killed takes the others' work with it, and each new one
    costs seconds of imports. Nor are the standard library's, which run the caller's script again.

    Parameters
    ----------
    workers : int
    memory : int, optional
        How many bytes each item may take; by default an even share of what there is.
    loaded : tuple of str
        Modules to import beforehand.
    """

    def __init__(self, workers: int, *, memory: int | None = None, loaded: tuple[str, ...] = LOADED) -> None:
        self.workers = workers
        self._memory = memory
        self._loaded = loaded
        self._keys = itertools.count()
        self._running: dict[int, Any] = {}
        self._place: Path | None = None
        self._lost: deque[Ended] = deque()
        self._requests, self._answers = self._hire()

    def take(self, work: Callable[[Any], Any]) -> None:
        """Learn what is to be done with every item; arrays in it are written once and mapped by all workers."""
        self._forget()
        self._place = Path(tempfile.mkdtemp(prefix="understudy-")) / "work"
        self._ask(("place", str(self._place.parent)))  # first, so that it goes also where this process is killed
        joblib.dump(work, self._place)
        self._ask(("work", str(self._place)))

    def start(self, item: Any, seconds: float | None = None) -> None:
        """Begin with an item, to be killed after so many seconds."""
        key = next(self._keys)
        self._running[key] = item
        self._ask(("item", key, seconds, pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL)))

    def wait(self) -> Ended:
        """The next item that ends, in whatever way. What `work` raises is raised here."""
        if not self._lost:
            message = read_message(self._answers)
            if message is not None:
                key, seconds, body = message
                item = self._running.pop(key)
                value, failure = pickle.loads(body)  # noqa: S301  from our own workers
                if failure is not None:
                    raise failure
                return Ended(item, value, seconds)
            self._replace_foreman()
        return self._lost.popleft()

    def close(self) -> None:
        """End the foreman and all that it has forked."""
        with suppress(BrokenPipeError):
            self._requests.close()
        try:
            self._foreman.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._foreman.kill()
            self._foreman.wait()
        self._answers.close()
        self._forget()

    def _hire(self) -> tuple[IO[bytes], IO[bytes]]:
        """Start a foreman, and return the files for requests and answers."""
        command = [sys.executable, "-P", "-m", "understudy.engines.foreman", str(self.workers)]
        self._foreman = subprocess.Popen(  # noqa: S603  this very interpreter, and words of our own
            [*command, "-" if self._memory is None else str(self._memory), *self._loaded],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ALONE, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # an interrupt is for the caller, who then closes the crew
        )
        if self._foreman.stdin is None or self._foreman.stdout is None:
            raise OSError("the foreman has no pipes")
        return self._foreman.stdin, self._foreman.stdout

    def _ask(self, request: tuple[Any, ...]) -> None:
        try:
            write_message(self._requests, request)
        except BrokenPipeError:
            return  # its death is noticed, and told, when it is waited for

    def _replace_foreman(self) -> None:
        """Without a foreman whatever was under way is lost; a new one carries on."""
        gone = Lost("its process has died, with the one that watches over it")
        self._lost.extend(Ended(item, gone, 0.0) for item in self._running.values())
        self._running.clear()
        self._foreman.wait()
        self._requests, self._answers = self._hire()
        if self._place is not None:
            self._ask(("place", str(self._place.parent)))
            self._ask(("work", str(self._place)))

    def _forget(self) -> None:
        if self._place is not None:
            shutil.rmtree(self._place.parent, ignore_errors=True)
            self._place = None
