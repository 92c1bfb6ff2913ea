"""What callers send and get, route by route."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from understudy.core.nouns import Event, Level
from understudy.core.task import CheckCode
from understudy.flows.outcomes import Outcome, Settled
from understudy.flows.review import ReviewTask
from understudy.flows.status import TaskStatus
from understudy.server.web import Problem

CaseId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Text = Annotated[str, Meta(max_length=2000, pattern=r"^[^\x00]*$")]
Moment = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"})]
MOST_CASES = 1000
MOST_EXPLAINED = 20


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a caller sends; unknown fields are refused."""


class CaseBody(Message, frozen=True, kw_only=True):
    """One case: its inputs by column, and an id of the caller's, under which asking again is safe."""

    inputs: dict[str, Any]
    id: CaseId | None = None


class DecisionRequest(Message, frozen=True, kw_only=True):
    """One case, or `cases` for several; with `explain`, at most 20, each with the facts that moved the model."""

    inputs: dict[str, Any] | None = None
    id: CaseId | None = None
    cases: Annotated[tuple[CaseBody, ...], Meta(min_length=1, max_length=MOST_CASES)] | None = None
    explain: bool = False


class CaseQuery(Message, frozen=True, kw_only=True):
    """With `explain=true`, the facts that moved the model, where it decided."""

    explain: Literal["true", "false"] = "false"


class FailedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case of several that was not decided, and why."""

    id: str | None
    status: Literal["failed"] = "failed"
    error: Problem


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to several cases, in their order."""

    cases: tuple[dict[str, Any], ...]


class CaseDecision(Message, frozen=True, kw_only=True):
    """What the caller's own people or rules decided."""

    decision: Text | float
    by: Literal["person", "rule"] = "person"


class OutcomesRequest(Message, frozen=True, kw_only=True):
    """One outcome, or `outcomes` for several."""

    id: CaseId | None = None
    outcome: Text | float | bool | None = None
    observed_at: Moment | None = None
    outcomes: Annotated[tuple[OutcomeBody, ...], Meta(min_length=1, max_length=MOST_CASES)] | None = None


class OutcomeBody(Message, frozen=True, kw_only=True):
    """What turned out to be right for a case."""

    id: CaseId
    outcome: Text | float | bool
    observed_at: Moment | None = None

    def plain(self) -> Outcome:
        """The same for the flow."""
        return Outcome(id=self.id, outcome=self.outcome, observed_at=self.observed_at)


class OutcomesReply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each outcome, in order."""

    outcomes: tuple[Settled, ...]


class ReviewRequest(Message, frozen=True, kw_only=True):
    """A reviewer's answer to a case."""

    id: CaseId
    decision: Text | float
    note: Text | None = None


class SkipRequest(Message, frozen=True, kw_only=True):
    """The case that a reviewer leaves to others."""

    id: CaseId


class UndoRequest(Message, frozen=True, kw_only=True):
    """Nothing needs to be said to undo the last answer."""


class NextReview(msgspec.Struct, frozen=True, kw_only=True):
    """The next case for this reviewer, or null where none waits."""

    case: ReviewTask | None


class LevelRequest(Message, frozen=True, kw_only=True):
    """A level to go to; above the present one only with proof, or with `override` and a reason."""

    level: Level
    why: Text = ""
    override: bool = False
    thresholds: dict[str, Annotated[float, Meta(ge=0, le=1)]] = {}


class PauseRequest(Message, frozen=True, kw_only=True):
    """Stop automation, or with `paused: false` let it go on."""

    paused: bool = True
    why: Text = ""


class RollbackRequest(Message, frozen=True, kw_only=True):
    """The version to go back to; without one, the champion before this."""

    version: Annotated[str, Meta(pattern="^[0-9a-f]{4,64}$")] | None = None
    why: Text = ""


class OverrideRequest(Message, frozen=True, kw_only=True):
    """The failed check of a version that is overridden, and why; with `withdraw`, the override ends."""

    version: Annotated[str, Meta(pattern="^(latest|champion|[0-9a-f]{4,64})$")]
    check: CheckCode
    reason: Text = ""
    withdraw: bool = False


class EventsQuery(Message, frozen=True, kw_only=True):
    """Events after a number, and how many at most."""

    after: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the event log; `next` is the `after` of the next page, or null at the end."""

    events: tuple[Event, ...]
    next: int | None


class LookbackQuery(Message, frozen=True, kw_only=True):
    """Cases after a number, and how many at most."""

    after: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class RereviewRequest(Message, frozen=True, kw_only=True):
    """Nothing needs to be said to look once more."""


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """Every task that the caller may see."""

    tasks: tuple[TaskStatus, ...]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the process lives, or can answer; `trouble` says what is wrong by task."""

    status: Literal["live", "ready", "degraded"]
    trouble: dict[str, str] = {}
