"""Outcomes: every one is kept; the last that holds is the current one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from understudy.store.casebook import MOST_NAMES
from understudy.store.database import take_numbers
from understudy.store.schema import inbox, outcomes

HOLDING = ("applied", "corrected", "unknown")


class NewOutcome(msgspec.Struct, kw_only=True):
    """An outcome; `replaces` is the one that it corrects, and `seq` its number once it is recorded."""

    id: str
    case_seq: int | None
    value: str
    observed_at: int | None
    received_at: int
    by: str
    result: str
    replaces: NewOutcome | None = None
    seq: int | None = None


def current_outcomes(connection: sa.Connection, task: int, ids: Iterable[str]) -> dict[str, NewOutcome]:
    """The outcome that holds for each of the ids that have one."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, NewOutcome] = {}
    columns = [
        outcomes.c[name] for name in ("seq", "id", "case_seq", "value", "observed_at", "received_at", "by", "result")
    ]
    for start in range(0, len(wanted), MOST_NAMES):
        query = sa.select(*columns).where(
            outcomes.c.task == task,
            outcomes.c.id.in_(wanted[start : start + MOST_NAMES]),
            outcomes.c.result.in_(HOLDING),
        )
        for row in connection.execute(query.order_by(outcomes.c.seq)):
            found[row.id] = NewOutcome(**row._mapping)
    return found


def append_outcomes(connection: sa.Connection, task: int, new: Sequence[NewOutcome]) -> None:
    """Record outcomes, and wake the steward."""
    if not new:
        return
    for seq, outcome in zip(take_numbers(connection, "outcomes", len(new)), new, strict=True):
        outcome.seq = seq
    rows = [
        {
            "seq": outcome.seq,
            "task": task,
            "id": outcome.id,
            "case_seq": outcome.case_seq,
            "value": outcome.value,
            "observed_at": outcome.observed_at,
            "received_at": outcome.received_at,
            "by": outcome.by,
            "result": outcome.result,
            "supersedes": None if outcome.replaces is None else outcome.replaces.seq,
        }
        for outcome in new
    ]
    connection.execute(outcomes.insert(), rows)
    connection.execute(inbox.insert(), [{"kind": "outcome", "seq": row["seq"], "task": task} for row in rows])
