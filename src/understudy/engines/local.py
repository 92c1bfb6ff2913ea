"""Work on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from joblib import Parallel, delayed

T = TypeVar("T")
R = TypeVar("R")


class LocalEngine:
    """Runs work in threads of this process; the libraries that train release the interpreter lock.

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
