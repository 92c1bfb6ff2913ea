"""The event log of a task: append-only, each line hashed together with the one before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import sqlalchemy as sa

from understudy.core.canonical import canonical, chain
from understudy.core.nouns import Event
from understudy.store.schema import events, heads


def append_event(
    connection: sa.Connection, task: int, *, at: int, actor: str, kind: str, body: Mapping[str, object]
) -> int:
    """Add a line to a task's log, within the caller's transaction, and return its number.

    Parameters
    ----------
    connection : sa.Connection
        A writing transaction.
    task : int
    at : int
        Microseconds since 1970 UTC.
    actor : str
        Who did it.
    kind : str
        What happened, such as `model.registered`.
    body : mapping
        What there is to know about it.
    """
    head = connection.execute(sa.select(heads).where(heads.c.task == task).with_for_update()).one()
    seq = int(head.event_seq) + 1
    data = canonical(dict(body))
    line = chain(head.event_hash, line_bytes(seq=seq, at=at, actor=actor, kind=kind, body=data))
    connection.execute(
        events.insert().values(
            task=task, seq=seq, at=at, actor=actor, kind=kind, body=data, previous=head.event_hash, hash=line
        )
    )
    connection.execute(heads.update().where(heads.c.task == task).values(event_seq=seq, event_hash=line))
    return seq


def line_bytes(*, seq: int, at: int, actor: str, kind: str, body: bytes) -> bytes:
    """What of a line is hashed."""
    return canonical({"seq": seq, "at": at, "actor": actor, "kind": kind, "body": msgspec.Raw(body)})


def read_events(
    connection: sa.Connection, task: int, *, after: int = 0, most: int | None = None, kinds: Collection[str] = ()
) -> list[Event]:
    """A task's log after a line, the oldest line first; where kinds are named, only lines of these."""
    query = sa.select(events).where(events.c.task == task, events.c.seq > after)
    if kinds:
        query = query.where(events.c.kind.in_(kinds))
    rows = connection.execute(query.order_by(events.c.seq).limit(most))
    return [
        Event(
            seq=row.seq,
            at=row.at,
            actor=row.actor,
            kind=row.kind,
            body=msgspec.json.decode(row.body),
            previous=row.previous,
            hash=row.hash,
        )
        for row in rows
    ]


def first_broken_event(connection: sa.Connection, task: int) -> int | None:
    """The number of the first line that was changed, added or removed, or None if the chain holds up to its head.

    A chain shows edits within it. Whoever can write to the database could rewrite the whole chain with its head; only a
    head that was kept elsewhere shows that.
    """
    expected, previous = 1, ""
    for row in connection.execute(sa.select(events).where(events.c.task == task).order_by(events.c.seq)):
        line = line_bytes(seq=row.seq, at=row.at, actor=row.actor, kind=row.kind, body=row.body)
        if (row.seq, row.previous, row.hash) != (expected, previous, chain(previous, line)):
            return expected
        expected, previous = expected + 1, row.hash
    head = connection.execute(sa.select(heads).where(heads.c.task == task)).one()
    return None if (head.event_seq, head.event_hash) == (expected - 1, previous) else expected
