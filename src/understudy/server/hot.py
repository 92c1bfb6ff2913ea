"""The decision route's engine: requests that arrive while the writer is busy are decided and recorded together.

There is no timer. While a task's thread decides one batch, the next gathers; a lone request goes at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from understudy.core.errors import BusyError, UnderstudyError
from understudy.flows.decide import Asked, Result, decide_batch
from understudy.flows.head import Head

MOST_TOGETHER = 256
MOST_WAITING = 8192
PATIENCE = 5.0
"""Seconds for which a batch is tried again while the store is away, before its callers are told to come back."""

PAUSE = 0.05

log = logging.getLogger("understudy")


@dataclass(frozen=True)
class Job:
    """The cases of one request, and where its answers are awaited."""

    asked: Sequence[Asked]
    loop: asyncio.AbstractEventLoop
    answers: asyncio.Future[list[Result]]


class Batcher:
    """Decides the cases of one task, batch by batch, in a thread of its own.

    Parameters
    ----------
    head : Head
        The task as it stands; the thread follows its moves from here on.
    """

    def __init__(self, head: Head) -> None:
        self.head = head
        self._jobs: deque[Job] = deque()
        self._waiting = 0
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"decide {head.name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many cases wait to be decided."""
        return self._waiting

    async def decide(self, asked: Sequence[Asked]) -> list[Result]:
        """The answers to some cases, once they are recorded.

        Raises
        ------
        BusyError
            Too many cases wait already, or the server stops.
        """
        if self._stopped or self._waiting + len(asked) > MOST_WAITING:
            raise BusyError("Too many cases wait to be decided.", hint="Try again in a second, with the same ids.")
        loop = asyncio.get_running_loop()
        job = Job(asked, loop, loop.create_future())
        self._waiting += len(asked)
        self._jobs.append(job)
        self._wake.set()
        try:
            return await job.answers
        finally:
            self._waiting -= len(asked)

    def stop(self) -> None:
        """Decide what has been accepted, then end the thread."""
        self._stopped = True
        self._wake.set()
        self._thread.join(timeout=PATIENCE * 2)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._jobs:
                self._answer(self._gather())
            if self._stopped:
                return

    def _gather(self) -> list[Job]:
        jobs = [self._jobs.popleft()]
        cases = len(jobs[0].asked)
        while self._jobs and cases + len(self._jobs[0].asked) <= MOST_TOGETHER:
            jobs.append(self._jobs.popleft())
            cases += len(jobs[-1].asked)
        return jobs

    def _answer(self, jobs: list[Job]) -> None:
        results = self._decide([case for job in jobs for case in job.asked])
        start = 0
        answered: list[tuple[asyncio.Future[list[Result]], list[Result]]] = []
        for job in jobs:
            answered.append((job.answers, results[start : start + len(job.asked)]))
            start += len(job.asked)
        jobs[0].loop.call_soon_threadsafe(deliver, answered)

    def _decide(self, asked: list[Asked]) -> list[Result]:
        """Decide a batch, patiently while the store is away; cases of a batch that fails are tried one by one."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                results, self.head = decide_batch(self.head, asked)
            except BusyError as error:
                if time.monotonic() > until or self._stopped:
                    return [error] * len(asked)
                asked = [replace(case, named=True) for case in asked]
                time.sleep(PAUSE)
            except Exception as error:
                if len(asked) > 1:
                    return [self._decide([case])[0] for case in asked]
                log.exception("A case could not be decided")
                return [error if isinstance(error, UnderstudyError) else UnderstudyError("It could not be decided.")]
            else:
                return results


def deliver(answered: list[tuple[asyncio.Future[list[Result]], list[Result]]]) -> None:
    """Hand each request its answers; whoever hung up meanwhile gets none, and the cases stay recorded."""
    for future, results in answered:
        if not future.done():
            future.set_result(results)
