"""A year that is played against a server: cases come in batches, a reviewer answers some, and the truth follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from understudy.client.replies import Decision, Failed
from understudy.core.errors import ConflictError
from understudy.core.nouns import Decider, Level, Move
from understudy.flows.learn import Learned

BATCH = 100
LOOKS = 5
"""How many waiting cases the reviewer answers between two batches."""


class Caller(Protocol):
    """A client with a token of the role `service`."""

    def decide_many(self, task: str, cases: Mapping[str, Mapping[str, Any]], /) -> list[Decision | Failed]:
        """Decide cases, given as inputs by id."""
        ...

    def outcomes(self, task: str, outcomes: Iterable[Mapping[str, Any]], /) -> Sequence[object]:
        """Tell outcomes."""
        ...


class Looker(Protocol):
    """A client with a token of the role `reviewer`."""

    def next_review(self, task: str, /) -> dict[str, Any] | None:
        """The most urgent case, or None."""
        ...

    def review(self, task: str, case: str, decision: str | float, /) -> object:
        """Answer a case."""
        ...


class Owner(Protocol):
    """Who takes in what has come, and confirms what is proposed."""

    def learn(self) -> Learned:
        """One pass over what has come."""
        ...

    def approve(self) -> object:
        """Make the move that waits for a person."""
        ...


@dataclass(frozen=True)
class Scene:
    """A case to come: its month in words, what a caller knows of it, and what turns out to be right."""

    id: str
    month: str
    inputs: Mapping[str, Any]
    truth: str | float


@dataclass(frozen=True)
class Played:
    """What became of the cases of a month, or of its part that was played; the level is that of its last case."""

    month: str
    cases: int
    level: Level
    automated: int
    wrong: int


@dataclass(frozen=True)
class Asked:
    """A move that waits for a person; it is confirmed as soon as it is told."""

    move: Move


@dataclass(frozen=True)
class Made:
    """A move that needed nobody."""

    move: Move


Tell = Callable[[Played | Asked | Made], None]


def play(task: str, scenes: Sequence[Scene], caller: Caller, looker: Looker, owner: Owner, tell: Tell) -> None:
    """Let all cases come, batch by batch within a month, and everything that follows from them."""
    truths = {scene.id: scene.truth for scene in scenes}
    before: Sequence[Scene] = ()
    for month in months(scenes):
        answers: list[Decision | Failed] = []
        for first in range(0, len(month), BATCH):
            batch = month[first : first + BATCH]
            answers += caller.decide_many(task, {scene.id: scene.inputs for scene in batch})
            look(task, looker, truths)
            follow(task, before, caller, owner, tell)
            before = batch
        tell(sum_up(month, answers))
    follow(task, before, caller, owner, tell)


def months(scenes: Sequence[Scene]) -> Iterator[Sequence[Scene]]:
    """The cases month by month, as long as the month stays the same."""
    first = 0
    for place in range(1, len(scenes) + 1):
        if place == len(scenes) or scenes[place].month != scenes[first].month:
            yield scenes[first:place]
            first = place


def look(task: str, looker: Looker, truths: Mapping[str, str | float]) -> None:
    """Let the reviewer answer a few waiting cases with what is right."""
    for _ in range(LOOKS):
        case = looker.next_review(task)
        if case is None or case["id"] not in truths:
            return
        with suppress(ConflictError):  # somebody else was faster
            looker.review(task, case["id"], truths[case["id"]])


def follow(task: str, batch: Sequence[Scene], caller: Caller, owner: Owner, tell: Tell) -> None:
    """Report the truth of a batch, take it in, and confirm what is proposed."""
    if batch:
        caller.outcomes(task, [{"id": scene.id, "outcome": scene.truth} for scene in batch])
    learned = owner.learn()
    if learned.made is not None:
        tell(Made(learned.made))
    if learned.proposed is not None:
        tell(Asked(learned.proposed))
        with suppress(ConflictError):  # somebody who signed in was faster
            owner.approve()


def sum_up(month: Sequence[Scene], answers: Sequence[Decision | Failed]) -> Played:
    """What became of a month's cases."""
    known = [(scene, answer) for scene, answer in zip(month, answers, strict=True) if isinstance(answer, Decision)]
    own = [answer.decision == scene.truth for scene, answer in known if answer.decided_by is Decider.MODEL]
    level = known[-1][1].level if known else Level.HUMAN
    return Played(month=month[0].month, cases=len(month), level=level, automated=len(own), wrong=own.count(False))
