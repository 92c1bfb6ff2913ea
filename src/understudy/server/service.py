"""What a serving process holds: the workspace, the loaded versions, a batcher for each task, and who is let in."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from understudy.flows.access import by_session, by_token
from understudy.flows.head import Head, Library, load_head
from understudy.flows.moves import known_tasks
from understudy.flows.workspace import Workspace
from understudy.server.hot import Batcher
from understudy.store.access import Access

REMEMBERED = 5.0
"""Seconds for which a token or session is believed without asking the store: how long a revoked one still works."""

MOST_REMEMBERED = 10_000


@dataclass
class Service:
    """One process that answers for a workspace."""

    work: Workspace
    library: Library
    batchers: dict[str, Batcher] = field(default_factory=dict)
    _known: dict[tuple[str, str], tuple[float, Access]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def batcher(self, task: str) -> Batcher:
        """The batcher of a task, started when it is first asked for.

        Raises
        ------
        NotFoundError
            There is no such task.
        """
        found = self.batchers.get(task)
        if found is not None:
            return found
        with self._lock:
            if task not in self.batchers:
                self.batchers[task] = Batcher(load_head(self.library, task))
            return self.batchers[task]

    def head(self, task: str) -> Head:
        """The task as it stands now."""
        return load_head(self.library, task)

    def tasks(self) -> list[str]:
        """The tasks that the store knows."""
        return known_tasks(self.work)

    def warm(self) -> None:
        """Load every task's models before the first request."""
        for task in self.tasks():
            self.batcher(task)

    def access(self, kind: str, secret: str) -> Access | None:
        """Who comes with this token or session, or None."""
        now = time.monotonic()
        key = (kind, secret)
        seen = self._known.get(key)
        if seen is not None and now - seen[0] < REMEMBERED:
            return seen[1]
        access = (by_token if kind == "token" else by_session)(self.work, secret)
        if access is None:
            self._known.pop(key, None)
        else:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = (now, access)
        return access

    def forget(self, secret: str) -> None:
        """Stop believing a session that has just ended."""
        self._known.pop(("session", secret), None)

    def stop(self) -> None:
        """Decide what has been accepted, and end."""
        for batcher in self.batchers.values():
            batcher.stop()


def open_service(work: Workspace) -> Service:
    """A service over a workspace; models are loaded when their task is first asked for."""
    return Service(work, Library(work))
