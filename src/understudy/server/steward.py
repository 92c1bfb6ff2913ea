"""Chores by the clock, in one process at a time: overdue cases, and the seals of the log."""

from __future__ import annotations

import logging
import threading

from understudy.core.errors import UnderstudyError
from understudy.flows.sweep import sweep
from understudy.server.service import Service

EVERY = 60.0
log = logging.getLogger("understudy")


class Steward:
    """A thread that does the chores each minute."""

    def __init__(self, service: Service) -> None:
        self._service = service
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
        while not self._stop.wait(EVERY):
            for task in self._names():
                try:
                    sweep(self._service.head(task))
                except UnderstudyError as error:
                    log.warning("%s: %s", task, error.message)
                except Exception:
                    log.exception("A chore failed for %s", task)

    def _names(self) -> list[str]:
        try:
            return self._service.tasks()
        except UnderstudyError as error:
            log.warning("%s", error.message)
            return []
