"""What Understudy asks of the outside world."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")
R = TypeVar("R")


class Clock(Protocol):
    """Tells the time; the only source of time in a flow."""

    def now(self) -> int:
        """The time in microseconds since 1970-01-01 UTC."""

    def elapsed(self) -> float:
        """Seconds on a clock that never jumps, from an arbitrary start."""


@dataclass(frozen=True)
class Lost:
    """Work that came to nothing, and why: it overran its time, which is `late`, or whoever did it died."""

    reason: str
    late: bool = False


@dataclass(frozen=True)
class Ended:
    """Work on an item that has come to its end.

    Attributes
    ----------
    item : object
        What was worked on.
    value : object
        What came of it, or `Lost`.
    seconds : float
        How long it took.
    """

    item: Any
    value: Any
    seconds: float


class Crew(Protocol):
    """Workers that stand ready for one kind of work on many items, side by side."""

    @property
    def workers(self) -> int:
        """How many items are worked on at a time."""

    def take(self, work: Callable[[Any], Any]) -> None:
        """Learn what is to be done with every item; large arrays in it are handed over once."""

    def start(self, item: Any, seconds: float | None = None) -> None:
        """Begin with an item, to be given up after so many seconds; at most `workers` may be under way."""

    def wait(self) -> Ended:
        """The next item that ends. What `work` raises is raised here."""


class Engine(Protocol):
    """Runs heavy work, somewhere."""

    @property
    def threads(self) -> int:
        """How many processor threads one piece of work may use."""

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """`work` of each item, in the items' order."""

    def crew(self, *, isolated: bool) -> AbstractContextManager[Crew]:
        """Workers for as long as they are needed; isolated, none of them can take this process down or hold it up."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is kept: its name, its size in bytes, and when it was written, in microseconds since 1970 UTC."""

    name: str
    size: int
    at: int


class Artifacts(Protocol):
    """Files by their content's SHA-256."""

    def put(self, data: bytes) -> str:
        """Keep some bytes for good and return their hash."""

    def get(self, name: str) -> bytes:
        """The bytes with this hash, checked. Raises StoreError when they are missing or damaged."""

    def delete(self, name: str) -> None:
        """Remove what is kept under a name; nothing happens where nothing is."""

    def stored(self) -> Iterable[Stored]:
        """Everything that is kept."""
