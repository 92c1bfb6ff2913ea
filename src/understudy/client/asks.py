"""What can be asked of a server: each question a value that says whether it may be asked twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec

from understudy.client.replies import (
    Decision,
    Failed,
    Page,
    read_cases,
    read_decision,
    read_next,
    read_outcome,
    read_outcomes,
    read_page,
    read_plain,
    read_tasks,
)
from understudy.core.errors import InputError
from understudy.core.ids import new_id

T = TypeVar("T")
Plain = dict[str, Any]
PAGE = 1000
"""How many events are asked for at a time."""

SAME_ID = "It may have been decided nevertheless: ask again with the id {id!r}, and it is decided once."
SAME_IDS = "Some may have been decided nevertheless: ask again with the same ids, and each is decided once."
NO_IDS = "Some may have been decided nevertheless. With ids of your own, {id: inputs}, asking again would be safe."
ONCE = "Whether it was done is not known: look before you ask again."


@dataclass(frozen=True)
class Ask(Generic[T]):
    """A request, and how its answer is read.

    Attributes
    ----------
    method, path : str
    read : callable
        Takes the body of the answer.
    body : bytes, optional
        The same bytes each time it is asked.
    again : bool
        Whether it may be asked again although it may have been done: twice is as good as once.
    lost : str
        What to tell whoever never got an answer.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    body: bytes | None = None
    again: bool = True
    lost: str = ""


def decide(task: str, inputs: Mapping[str, Any], id: str | None, explain: bool) -> Ask[Decision]:
    """One case, under the caller's id or a new one."""
    name = fresh() if id is None else id
    body = encode({"id": name, "inputs": checked(inputs)} | asked_why(explain))
    return Ask("POST", path(task, "decisions"), read_decision, body, lost=SAME_ID.format(id=name))


def decide_many(
    task: str, cases: Mapping[str, Mapping[str, Any]] | Iterable[Mapping[str, Any]], explain: bool
) -> Ask[list[Decision | Failed]]:
    """Several cases, each under the caller's id or a new one."""
    named = isinstance(cases, Mapping)
    pairs = cases.items() if isinstance(cases, Mapping) else ((fresh(), inputs) for inputs in cases)
    body = encode({"cases": [{"id": name, "inputs": checked(inputs)} for name, inputs in pairs]} | asked_why(explain))
    return Ask("POST", path(task, "decisions"), read_cases, body, lost=SAME_IDS if named else NO_IDS)


def asked_why(explain: bool) -> Plain:
    """The field that asks for the facts behind a decision."""
    return {"explain": True} if explain else {}


def case(task: str, id: str, explain: bool = False) -> Ask[Decision]:
    """A case as it stands."""
    return Ask("GET", path(task, "cases", id) + ("?explain=true" if explain else ""), read_decision)


def decided(task: str, id: str, decision: str | float, by: Literal["person", "rule"]) -> Ask[Decision]:
    """What the caller's own people or rules decided; the same again changes nothing."""
    return Ask("POST", path(task, "cases", id, "decision"), read_decision, encode({"decision": decision, "by": by}))


def outcome(task: str, id: str, outcome: str | float | bool, observed_at: datetime | None) -> Ask[Plain]:
    """What turned out to be right for a case; the same again changes nothing."""
    body = encode({"id": id, "outcome": outcome, "observed_at": observed_at})
    return Ask("POST", path(task, "outcomes"), read_outcome, body)


def outcomes(task: str, outcomes: Iterable[Mapping[str, Any]]) -> Ask[list[Plain]]:
    """What turned out to be right for several cases."""
    return Ask("POST", path(task, "outcomes"), read_outcomes, encode({"outcomes": [dict(one) for one in outcomes]}))


def next_review(task: str) -> Ask[Plain | None]:
    """The most urgent case; a reviewer who has one open gets that one again."""
    return Ask("GET", path(task, "reviews", "next"), read_next)


def review(task: str, id: str, decision: str | float, note: str | None) -> Ask[Plain]:
    """A reviewer's answer; the same again changes nothing."""
    return Ask("POST", path(task, "reviews"), read_plain, encode({"id": id, "decision": decision, "note": note}))


def skip(task: str, id: str) -> Ask[Plain]:
    """Leave a case to others. Each skip is one more to undo."""
    return Ask("POST", path(task, "reviews", "skip"), read_plain, encode({"id": id}), again=False, lost=ONCE)


def undo(task: str) -> Ask[Plain]:
    """Take back the last answer or skip; a second time, the one before."""
    return Ask("POST", path(task, "reviews", "undo"), read_plain, b"{}", again=False, lost=ONCE)


def task(task: str) -> Ask[Plain]:
    """How a task stands."""
    return Ask("GET", path(task), read_plain)


def tasks() -> Ask[list[Plain]]:
    """How every task stands that the token opens."""
    return Ask("GET", "/v1/tasks", read_tasks)


def set_level(task: str, level: str, why: str, override: bool, thresholds: Mapping[str, float] | None) -> Ask[Plain]:
    """Another level; a second time it would contradict the first, or stand in the event log twice."""
    body = encode({"level": level, "why": why, "override": override, "thresholds": dict(thresholds or {})})
    return Ask("POST", path(task, "level"), read_plain, body, again=False, lost=ONCE)


def pause(task: str, paused: bool, why: str) -> Ask[Plain]:
    """Stop automation, or let it go on; twice changes nothing."""
    return Ask("POST", path(task, "pause"), read_plain, encode({"paused": paused, "why": why}))


def rollback(task: str, version: str | None, why: str) -> Ask[Plain]:
    """Back to a champion; a second time it would go back further, or forth."""
    body = encode({"version": version, "why": why})
    return Ask("POST", path(task, "rollback"), read_plain, body, again=False, lost=ONCE)


def events(task: str, after: int) -> Ask[Page]:
    """A page of the event log."""
    return Ask("GET", f"{path(task, 'events')}?after={after}&limit={PAGE}", read_page)


def path(task: str, *parts: str) -> str:
    """The path of something of a task; what a name holds stays within its part.

    >>> path("late", "cases", "a/b?"), path("late", "cases", "..")
    ('/v1/tasks/late/cases/a%2Fb%3F', '/v1/tasks/late/cases/%2E%2E')
    """
    return "/v1/tasks/" + "/".join(quote(part, safe="").replace(".", "%2E") for part in (task, *parts))


def fresh() -> str:
    """An id for a case whose caller gives none, made before the first attempt, so that each attempt carries it."""
    return new_id(time.time_ns() // 1000)


def checked(inputs: Mapping[str, Any]) -> Plain:
    """The inputs of a case.

    Raises
    ------
    InputError
        They are no mapping.
    """
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"The inputs of a case are a {type(inputs).__name__}.", hint='Give a mapping: {"column": value}.'
        )
    return dict(inputs)


def encode(body: Plain) -> bytes:
    """A body as it is sent.

    Raises
    ------
    InputError
        It holds something that JSON has no form for.
    """
    try:
        return msgspec.json.encode(body, enc_hook=unwrap)
    except TypeError as error:
        raise InputError(
            f"This cannot be sent: {error}.", hint="Give text, numbers, truth values, times or None."
        ) from error


def unwrap(value: Any) -> Any:
    """The Python value in a scalar of numpy and its kin.

    Raises
    ------
    TypeError
        It holds none, or several.
    """
    try:
        return value.item()
    except (AttributeError, ValueError):
        raise TypeError(f"a {type(value).__name__} has no form in JSON") from None
