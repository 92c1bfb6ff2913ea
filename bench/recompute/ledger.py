"""What was compared with what a report says, chapter by chapter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

CLOSE = 1e-9
"""How far two ways to the same figure may lie apart, relative to it: the rounding of sums taken in another order."""


@dataclass
class Compared:
    """The figures of one chapter.

    Attributes
    ----------
    exact : int
        Figures that must be the same.
    largest : float
        The largest difference of those, relative to the figure where it is above 1.
    drawn : int
        Figures that rest on draws, and were drawn anew.
    farthest : float
        The largest difference of those, in units of what chance allows.
    wrong : list of str
        What differs by more.
    """

    exact: int = 0
    largest: float = 0.0
    drawn: int = 0
    farthest: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Ledger:
    """Compares, and remembers."""

    def __init__(self) -> None:
        self.chapters: dict[str, Compared] = {}
        self._open = Compared()

    def chapter(self, name: str) -> None:
        """What follows belongs to this chapter."""
        self._open = self.chapters.setdefault(name, Compared())

    def same(self, what: str, told: float | None, own: float | None, within: float = CLOSE) -> None:
        """A figure of the report and the same figure by another route."""
        self._open.exact += 1
        if told is None or own is None:
            if told is not own:
                self._open.wrong.append(f"{what}: told {told}, recomputed {own}")
            return
        if told == own or (math.isnan(told) and math.isnan(own)):
            return
        apart = abs(told - own) / max(1.0, abs(own))
        self._open.largest = max(self._open.largest, apart)
        if not apart <= within:
            self._open.wrong.append(f"{what}: told {told!r}, recomputed {own!r}")

    def each(self, what: str, told: Iterable[float], own: Iterable[float], within: float = CLOSE) -> None:
        """The same of several figures in order."""
        ours, theirs = list(own), list(told)
        self.holds(f"{what}: {len(theirs)} figures told, {len(ours)} recomputed", len(ours) == len(theirs))
        for place, (one, other) in enumerate(zip(theirs, ours, strict=False)):
            self.same(f"{what} [{place}]", float(one), float(other), within)

    def near(self, what: str, told: float, own: float, chance: float) -> None:
        """A figure that rests on draws, beside other draws: apart by no more than chance allows."""
        self._open.drawn += 1
        apart = abs(told - own) / chance if chance > 0 else (0.0 if abs(told - own) <= CLOSE else math.inf)
        self._open.farthest = max(self._open.farthest, apart)
        if not apart <= 1:
            self._open.wrong.append(f"{what}: told {told!r}, drawn anew {own!r}, chance allows {chance:.3g}")

    def holds(self, what: str, held: bool) -> None:
        """Something that must be so."""
        self._open.exact += 1
        if not held:
            self._open.wrong.append(what)

    @property
    def wrong(self) -> list[str]:
        """All that differs."""
        return [f"{name}: {line}" for name, one in self.chapters.items() for line in one.wrong]
