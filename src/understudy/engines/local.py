"""Work on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from joblib import Parallel, delayed

from understudy.core.ports import Crew
from understudy.engines.processes import CAN_FORK, ProcessCrew
from understudy.engines.threads import ThreadCrew

T = TypeVar("T")
R = TypeVar("R")


class LocalEngine:
    """Runs work in threads of this process, or, where it is to be isolated, in processes of its own.

    >>> LocalEngine(threads=2).map(abs, [-1, 2])
    [1, 2]
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @property
    def threads(self) -> int:
        """How many processor threads one piece of work may use."""
        return self._threads

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """`work` of each item, in the items' order."""
        return list(Parallel(n_jobs=self._threads, prefer="threads")(delayed(work)(item) for item in items))

    @contextmanager
    def crew(self, *, isolated: bool) -> Iterator[Crew]:
        """Workers for as long as they are needed, one for each thread.

        Isolated, each item is worked on in a process that is killed when it overruns its time; where the system cannot
        fork a process, threads serve instead.
        """
        if not (isolated and CAN_FORK):
            yield ThreadCrew(self._threads)
            return
        crew = ProcessCrew(self._threads)
        try:
            yield crew
        finally:
            crew.close()
