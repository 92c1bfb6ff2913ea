"""What is noticed on the way and needs somebody's eyes: unknown answers among outcomes, and outcomes that stay away."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from understudy.core.task import duration
from understudy.flows.head import Head
from understudy.store.events import append_event
from understudy.store.ledger import Key, State, keep_state, read_state
from understudy.store.schema import cases, events, outcomes

NEW_LABEL, NO_OUTCOMES = "alarm.new_label", "alarm.no_outcomes"
MOST_NEW_LABELS = 20
"""After so many unknown answers the feed is broken, which the first ones have told."""

SHOWN = 80


def raise_alarms(connection: sa.Connection, head: Head, *, actor: str, now: int) -> tuple[str, ...]:
    """Put alarms into the event log, each once, and say what they are."""
    found = [*new_labels(connection, head, actor, now), *no_outcomes(connection, head, actor, now)]
    return tuple(found)


def new_labels(connection: sa.Connection, head: Head, actor: str, now: int) -> Iterable[str]:
    """Outcomes that are none of the task's answers: once for each value."""
    if head.task.decision.kind != "classification":
        return
    key = Key(task=head.number, name="invalid")
    state = read_state(connection, key)
    after = 0 if state is None else state.n
    mine = (outcomes.c.task == head.number, outcomes.c.seq > after)
    newest = connection.execute(sa.select(sa.func.max(outcomes.c.seq)).where(*mine)).scalar_one()
    if newest is None:
        return
    counts = sa.select(outcomes.c.value, sa.func.count()).where(*mine, outcomes.c.result == "invalid")
    known = {body["value"] for body in told(connection, head.number, NEW_LABEL)}
    for value, count in connection.execute(counts.group_by(outcomes.c.value).order_by(outcomes.c.value)).all():
        shown = value[:SHOWN]
        if shown in known or len(known) >= MOST_NEW_LABELS:
            continue
        known.add(shown)
        body = {"value": shown, "count": count, "answers": head.labels}
        append_event(connection, head.number, at=now, actor=actor, kind=NEW_LABEL, body=body)
        yield f"{count:,} outcomes say {shown!r}, which is none of the answers."
    keep_state(connection, key, State(n=newest, body=b"{}"), at=now)


def no_outcomes(connection: sa.Connection, head: Head, actor: str, now: int) -> Iterable[str]:
    """Cases come, but no outcome for longer than it takes until one is overdue: once for each such stretch."""
    if head.task.truth.source != "outcome":
        return
    patience = duration(head.task.truth.mature_after)
    last = sa.select(outcomes.c.received_at).where(outcomes.c.task == head.number)
    since = connection.execute(last.order_by(outcomes.c.seq.desc()).limit(1)).scalar_one_or_none() or 0
    came = sa.select(sa.func.min(cases.c.received_at), sa.func.max(cases.c.received_at), sa.func.count())
    first, newest, count = connection.execute(
        came.where(cases.c.task == head.number, cases.c.received_at > since)
    ).one()
    if not count or first > now - patience or newest <= now - patience:
        return
    if any(body["since"] == since for body in told(connection, head.number, NO_OUTCOMES)):
        return
    body = {"since": since, "cases": count, "mature_after": head.task.truth.mature_after}
    append_event(connection, head.number, at=now, actor=actor, kind=NO_OUTCOMES, body=body)
    yield f"{count:,} cases have come since the last outcome, the first more than {body['mature_after']} ago."


def told(connection: sa.Connection, task: int, kind: str) -> list[dict[str, object]]:
    """What the alarms of a kind have said."""
    query = sa.select(events.c.body).where(events.c.task == task, events.c.kind == kind)
    return [msgspec.json.decode(body) for body in connection.execute(query).scalars()]
