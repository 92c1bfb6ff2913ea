"""What Understudy asks of the outside world."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import msgspec

T = TypeVar("T")
R = TypeVar("R")


class Clock(Protocol):
    """Tells the time; the only source of time in a flow."""

    def now(self) -> int:
        """The time in microseconds since 1970-01-01 UTC."""

    def elapsed(self) -> float:
        """Seconds on a clock that never jumps, from an arbitrary start."""


class Engine(Protocol):
    """Runs heavy work, somewhere."""

    @property
    def threads(self) -> int:
        """How many processor threads one piece of work may use."""

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """`work` of each item, in the items' order."""


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
