"""A crew of threads: quick to start, and for fits that can be trusted."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from understudy.core.ports import Ended, Lost


@dataclass(eq=False)
class _Job:
    item: Any
    seconds: float | None
    began: float

    def left(self, now: float) -> float | None:
        return None if self.seconds is None else self.began + self.seconds - now


class ThreadCrew:
    """Works on items in threads of this process; the libraries that train release the interpreter lock.

    A thread cannot be stopped: what overruns its time is left behind, its result is thrown away, and it ends with the
    process at the latest.

    >>> crew = ThreadCrew(workers=2)
    >>> crew.take(abs)
    >>> crew.start(-3)
    >>> crew.wait().value
    3
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._work: Callable[[Any], Any] = lambda item: item
        self._running: list[_Job] = []
        self._ended: queue.SimpleQueue[tuple[_Job, Any, BaseException | None, float]] = queue.SimpleQueue()

    def take(self, work: Callable[[Any], Any]) -> None:
        """Learn what is to be done with every item."""
        self._work = work

    def start(self, item: Any, seconds: float | None = None) -> None:
        """Begin with an item, to be given up after so many seconds."""
        job = _Job(item, seconds, time.monotonic())
        self._running.append(job)
        threading.Thread(target=self._do, args=(job,), daemon=True).start()

    def _do(self, job: _Job) -> None:
        value, failure = None, None
        try:
            value = self._work(job.item)
        except BaseException as error:
            failure = error
        self._ended.put((job, value, failure, time.monotonic() - job.began))

    def wait(self) -> Ended:
        """The next item that ends, or that has overrun its time. What `work` raises is raised here."""
        while True:
            now = time.monotonic()
            lefts = [left for job in self._running if (left := job.left(now)) is not None]
            try:
                job, value, failure, seconds = self._ended.get(timeout=max(min(lefts), 0.0) if lefts else None)
            except queue.Empty:
                return self._given_up()
            if job not in self._running:
                continue
            self._running.remove(job)
            if failure is not None:
                raise failure
            return Ended(job.item, value, seconds)

    def _given_up(self) -> Ended:
        now = time.monotonic()
        limited = [job for job in self._running if job.seconds is not None]
        job = min(limited, key=lambda one: one.began + (one.seconds or 0.0))
        self._running.remove(job)
        return Ended(job.item, Lost(f"it took longer than {job.seconds:.1f} s", late=True), now - job.began)
