"""The truth arrives: late, twice, corrected, out of order, or for cases that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from understudy.core.errors import InputError
from understudy.flows.head import Head
from understudy.flows.review import check_answer
from understudy.store.casebook import find_seqs
from understudy.store.database import lock_outcomes
from understudy.store.outcomes import NewOutcome, append_outcomes, current_outcomes

Result = Literal["applied", "duplicate", "corrected", "superseded", "unknown", "invalid"]
LONGEST_VALUE = 200


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What turned out to be right.

    Attributes
    ----------
    id : str
        The case.
    outcome : str, float or bool
        The answer that would have been right; true and false mean the answers "true" and "false".
    observed_at : datetime, optional
        When it was observed; without an offset, UTC.
    """

    id: str
    outcome: str | float | bool
    observed_at: datetime | None = None


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an outcome.

    `applied`: it is the case's first. `duplicate`: it was known. `corrected`: it replaces another. `superseded`: a
    later observation is known already. `unknown`: no such case yet; it is kept. `invalid`: none of this task's answers;
    it is kept, and `hint` says why.
    """

    id: str
    result: Result
    hint: str = ""


def give_outcomes(head: Head, actor: str, outcomes: Sequence[Outcome]) -> list[Settled]:
    """Record outcomes, in one transaction, and say for each what became of it."""
    work = head.library.work
    now = work.clock.now()
    new: list[NewOutcome] = []
    settled: list[Settled] = []
    ids = [outcome.id for outcome in outcomes]
    with work.store.writing() as connection:
        lock_outcomes(connection, head.number)
        seqs = find_seqs(connection, head.number, ids)
        known = current_outcomes(connection, head.number, ids)
        for outcome in outcomes:
            value, hint = text_of(head, outcome)
            observed = None if outcome.observed_at is None else microseconds(outcome.observed_at)
            earlier = known.get(outcome.id)
            result: Result = "invalid" if hint else judge(value, observed, earlier, known=outcome.id in seqs)
            settled.append(Settled(id=outcome.id, result=result, hint=hint))
            if result == "duplicate":
                continue
            record = NewOutcome(
                id=outcome.id,
                case_seq=seqs.get(outcome.id),
                value=value,
                observed_at=observed,
                received_at=now,
                by=actor,
                result=result,
                replaces=earlier if result == "corrected" else None,
            )
            new.append(record)
            if result in ("applied", "corrected", "unknown"):
                known[outcome.id] = record
        append_outcomes(connection, head.number, new)
    return settled


def text_of(head: Head, outcome: Outcome) -> tuple[str, str]:
    """The value as it is stored, and why it is none of the task's answers; empty where it is one."""
    value = outcome.outcome
    if isinstance(value, bool) and head.task.decision.kind == "classification":
        value = "true" if value else "false"
    try:
        return check_answer(head, value), ""
    except InputError as error:
        return str(value)[:LONGEST_VALUE], f"{error.message} {error.hint}"


def judge(value: str, observed: int | None, earlier: NewOutcome | None, *, known: bool) -> Result:
    """What a valid outcome does to what is known of the case."""
    if earlier is None:
        return "applied" if known else "unknown"
    if earlier.value == value:
        return "duplicate"
    if observed is not None and earlier.observed_at is not None and observed < earlier.observed_at:
        return "superseded"
    return "corrected"


def microseconds(moment: datetime) -> int:
    """A time in microseconds since 1970 UTC; a time without an offset is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e6)
