"""What comes back: decisions, plain values, and errors of the same classes that the server raised."""

from __future__ import annotations

from typing import Any, Literal

import httpx
import msgspec

from understudy.core import errors
from understudy.core.errors import (
    BusyError,
    ConflictError,
    DeniedError,
    ErasedError,
    Fault,
    FaultyInputError,
    InputError,
    NotFoundError,
    UnderstudyError,
)
from understudy.core.nouns import Decider, Level


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What one column had to do with an answer.

    Attributes
    ----------
    column : str
    value, usual : str
        The case's value and what is usual there, as people read them.
    contribution : float
        What it adds to the log odds of the answer, or to the number.
    direction : {"for", "against", "up", "down"}
    words : str
        All of it as a sentence without a full stop.
    """

    column: str
    value: str
    usual: str
    contribution: float
    direction: Literal["for", "against", "up", "down"]
    words: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A case as its caller sees it.

    Attributes
    ----------
    id : str
    status : {"decided", "pending"}
    decision : str or float, optional
        None until the case is decided.
    decided_by : {"model", "person", "rule"}, optional
    confidence, probabilities, strangeness, model : optional
        What the model said, where the model decided.
    level : Level
        The level under which the case came in.
    reasons : tuple of str
        Codes that say why it went the way it did.
    facts : tuple of Fact
        With `explain`, the three facts that moved the model most, where it decided.
    """

    id: str
    status: Literal["decided", "pending"]
    decision: str | float | None = None
    decided_by: Decider | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    strangeness: float | None = None
    level: Level
    model: str | None = None
    reasons: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A case of several that was not decided, and why."""

    id: str | None
    error: UnderstudyError
    status: Literal["failed"] = "failed"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the event log; `next` is the `after` of the next page, or None at the end."""

    events: list[dict[str, Any]]
    next: int | None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a server tells it."""

    kind: str
    message: str
    hint: str = ""
    faults: tuple[Fault, ...] = ()


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The one shape of every error."""

    error: Problem


class FailedBody(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="failed"):
    """A failed case as it comes."""

    id: str | None
    error: Problem


class CasesBody(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to several cases as they come."""

    cases: list[msgspec.Raw]


class StatusBody(msgspec.Struct, frozen=True, kw_only=True):
    """What tells a decision from a failure."""

    status: str


class OutcomesBody(msgspec.Struct, frozen=True, kw_only=True):
    """What became of outcomes."""

    outcomes: list[dict[str, Any]]


class NextBody(msgspec.Struct, frozen=True, kw_only=True):
    """The next case to review."""

    case: dict[str, Any] | None


class TasksBody(msgspec.Struct, frozen=True, kw_only=True):
    """How tasks stand."""

    tasks: list[dict[str, Any]]


KINDS: dict[str, type[UnderstudyError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, UnderstudyError) and kind is not UnderstudyError
}
"""Every error by its name."""

STATUS: dict[int, type[UnderstudyError]] = {
    400: InputError,
    401: DeniedError,
    403: DeniedError,
    404: NotFoundError,
    405: InputError,
    409: ConflictError,
    410: ErasedError,
    413: InputError,
    415: InputError,
    421: DeniedError,
    422: InputError,
    429: BusyError,
    502: BusyError,
    503: BusyError,
    504: BusyError,
}
"""The error that a status stands for, where its body names none of ours."""

SHOWN = 200
STRANGER = "Is this the address of an Understudy server?"

read_decision = msgspec.json.Decoder(Decision).decode
read_plain = msgspec.json.Decoder(dict[str, Any]).decode
read_page = msgspec.json.Decoder(Page).decode


def read_cases(body: bytes) -> list[Decision | Failed]:
    """The answers to several cases, in their order."""
    return [read_case(raw) for raw in msgspec.json.decode(body, type=CasesBody).cases]


def read_case(raw: msgspec.Raw) -> Decision | Failed:
    """The answer to one of several cases."""
    if msgspec.json.decode(raw, type=StatusBody).status != "failed":
        return read_decision(raw)
    failed = msgspec.json.decode(raw, type=FailedBody)
    return Failed(id=failed.id, error=error_of(failed.error, UnderstudyError))


def read_outcomes(body: bytes) -> list[dict[str, Any]]:
    """What became of each outcome, in their order."""
    return msgspec.json.decode(body, type=OutcomesBody).outcomes


def read_outcome(body: bytes) -> dict[str, Any]:
    """What became of the one outcome."""
    return read_outcomes(body)[0]


def read_next(body: bytes) -> dict[str, Any] | None:
    """The next case to review, or None."""
    return msgspec.json.decode(body, type=NextBody).case


def read_tasks(body: bytes) -> list[dict[str, Any]]:
    """How each task stands."""
    return msgspec.json.decode(body, type=TasksBody).tasks


def error_of(problem: Problem, otherwise: type[UnderstudyError]) -> UnderstudyError:
    """The error that a server tells of, in its own class.

    >>> error_of(Problem(kind="ConflictError", message="It was decided otherwise."), UnderstudyError)
    ConflictError('It was decided otherwise.')
    """
    kind = KINDS.get(problem.kind, otherwise)
    if issubclass(kind, FaultyInputError):
        lines = "".join(f"\n  {fault}" for fault in problem.faults)  # which the class adds to its message by itself
        return kind(problem.message.removesuffix(lines), problem.faults, hint=problem.hint)
    return kind(problem.message, hint=problem.hint)


def refusal(response: httpx.Response) -> UnderstudyError:
    """The error for an answer that is no success."""
    otherwise = STATUS.get(response.status_code, UnderstudyError)
    try:
        problem = msgspec.json.decode(response.content, type=Envelope).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return otherwise(f"{origin(response.request)} answered {told(response)}.", hint=STRANGER)
    return error_of(problem, otherwise)


def silence(failure: httpx.RequestError) -> BusyError:
    """The error for a request that got no answer."""
    reason = f"{type(failure).__name__}: {failure}".removesuffix(": ")
    return BusyError(f"{origin(failure.request)} does not answer ({reason}).", hint="Is the server running?")


def riddle(response: httpx.Response, reason: Exception) -> UnderstudyError:
    """The error for a success that cannot be read."""
    return UnderstudyError(
        f"{origin(response.request)} answered {told(response)}, not as agreed: {reason}.", hint=STRANGER
    )


def told(response: httpx.Response) -> str:
    """The status of an answer and the beginning of its text."""
    return f"{response.status_code} {response.reason_phrase} {response.text[:SHOWN]!r}"


def origin(request: httpx.Request) -> str:
    """The address of the server that was asked."""
    return f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
