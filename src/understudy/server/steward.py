"""Chores by the clock, in one process at a time: overdue cases, learning, and the seals of the log."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from functools import partial

from understudy.core.errors import UnderstudyError
from understudy.flows.learn import learn
from understudy.flows.sweep import seal_all, sweep
from understudy.server.service import Service
from understudy.store.leases import holds, take_lease

EVERY = 60.0
LEASE = "steward"
LASTING = 150
"""Seconds for which the lease lasts: another process takes over once two rounds were missed."""

log = logging.getLogger("understudy")


class Steward:
    """A thread that does the chores each minute, while it holds the lease.

    Parameters
    ----------
    service : Service
    every : float
        Seconds between two rounds.
    """

    def __init__(self, service: Service, every: float = EVERY) -> None:
        self._service = service
        self._every = every
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steward", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the chore under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._guarded(self._round)

    def _round(self) -> None:
        work = self._service.work
        with work.store.writing() as connection:
            fence = take_lease(connection, LEASE, self._name, seconds=LASTING)
        if fence is None:
            return
        for task in self._service.tasks():
            self._guarded(partial(self._sweep, task))
            self._guarded(partial(self._learn, task, fence))
            self._guarded(partial(seal_all, work, task))

    def _sweep(self, task: str) -> None:
        sweep(self._service.head(task))

    def _learn(self, task: str, fence: int) -> None:
        learned = learn(self._service.library, task, may=lambda connection: holds(connection, LEASE, self._name, fence))
        for move in (learned.made, learned.proposed):
            if move is not None:
                log.warning("%s: %s to %s: %s", task, move.kind, move.to.level.value, " ".join(move.reasons))
        for alarm in learned.alarms:
            log.warning("%s: %s", task, alarm)

    def _guarded(self, chore: Callable[[], object]) -> None:
        """Do a chore; what goes wrong is logged, and the next round tries again."""
        if self._stop.is_set():
            return
        try:
            chore()
        except UnderstudyError as error:
            log.warning("%s", error.message)
        except Exception:
            log.exception("A chore failed")
