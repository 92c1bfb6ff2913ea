"""The decision route's engine: requests that arrive while the writer is busy are decided and recorded together.

There is no timer, and a lone request goes at once. Where models answer from memory and the store is a local file, what
comes within one turn of the event loop is decided and recorded right there: handing it to a thread costs more than the
work. Where anything would make the loop wait (another writer, a moved deployment, a full batch, an endpoint,
PostgreSQL), the task's own thread takes it: while it decides one batch, the next gathers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from understudy.core.errors import BusyError, UnderstudyError
from understudy.flows.decide import Asked, Result, decide_batch, decide_once
from understudy.flows.head import Head

MOST_TOGETHER = 256
MOST_WAITING = 8192
PATIENCE = 5.0
"""Seconds for which a batch is tried again while the store is away, before its callers are told to come back."""

PAUSE = 0.05
STILL = 30
"""Turns of the loop, of microseconds each, in which nothing more came, after which nobody else is waited for."""

FADE = 0.9
"""How much of what usually comes together is remembered from one batch to the next."""

log = logging.getLogger("understudy")


class Job(msgspec.Struct, frozen=True):
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
        self._turn: list[Job] = []
        self._usual = 1.0
        self._mine = threading.Lock()
        """Held by whoever decides with `head`: the thread, or a turn of the loop."""
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
        if self.head.quick and not self._jobs and len(asked) <= MOST_TOGETHER:
            self._turn.append(job)
            if len(self._turn) == 1:
                loop.call_soon(self._here, 0, 0)
        else:
            self._to_thread([job])
        try:
            return await job.answers
        finally:
            self._waiting -= len(asked)

    def stop(self) -> None:
        """Decide what has been accepted, then end the thread."""
        self._stopped = True
        self._wake.set()
        self._thread.join(timeout=PATIENCE * 2)

    def _to_thread(self, jobs: Sequence[Job]) -> None:
        self._jobs.extend(jobs)
        self._wake.set()

    def _here(self, seen: int, still: int) -> None:
        """Decide what has come, unless that would make the loop wait.

        Callers who were answered together usually come back together: a few turns of the loop are cheaper than a commit
        more. A lone caller waits for nobody.
        """
        still = 0 if len(self._turn) > seen else still + 1
        if still < STILL and len(self._turn) < self._usual:
            self._turn[0].loop.call_soon(self._here, len(self._turn), still)
            return
        jobs, self._turn = self._turn, []
        self._usual = min(max(len(jobs), self._usual * FADE), MOST_TOGETHER)
        asked = [case for job in jobs for case in job.asked]
        results: list[Result] | None = None
        if len(asked) <= MOST_TOGETHER and self._mine.acquire(blocking=False):
            try:
                results = decide_once(self.head, asked, patient=False)
            except Exception:  # whatever it is, the thread meets it again, patiently and case by case
                jobs = [replace(job, asked=[replace(case, named=True) for case in job.asked]) for job in jobs]
            finally:
                self._mine.release()
        if results is None:
            self._to_thread(jobs)
        else:
            deliver(shared_out(jobs, results))

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
        with self._mine:
            results = self._decide([case for job in jobs for case in job.asked])
        jobs[0].loop.call_soon_threadsafe(deliver, shared_out(jobs, results))

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


def shared_out(jobs: Sequence[Job], results: list[Result]) -> list[tuple[asyncio.Future[list[Result]], list[Result]]]:
    """For each request its own answers."""
    start = 0
    shares = []
    for job in jobs:
        shares.append((job.answers, results[start : start + len(job.asked)]))
        start += len(job.asked)
    return shares


def deliver(answered: list[tuple[asyncio.Future[list[Result]], list[Result]]]) -> None:
    """Hand each request its answers; whoever hung up meanwhile gets none, and the cases stay recorded."""
    for future, results in answered:
        if not future.done():
            future.set_result(results)
