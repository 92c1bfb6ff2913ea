"""The queue of cases that wait for people, and who has one open."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from understudy.core.nouns import Review
from understudy.store.casebook import REVIEW_COLUMNS
from understudy.store.schema import claims, queue, reviews

LOOK_BACK_PRIORITY = -10
"""Behind cases that wait for a decision, and behind audits: these have a day by which they count as mistakes."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A case's place in the queue: `given` of the `wanted` answers are there."""

    case_seq: int
    kind: str
    priority: int
    due_at: int
    wanted: int
    given: int


PLACE = sa.select(queue.c.case_seq, queue.c.kind, queue.c.priority, queue.c.due_at, queue.c.wanted, queue.c.given)


def read_place(connection: sa.Connection, case_seq: int) -> Place | None:
    """A case's place, locked until the transaction ends, or None where it waits no more."""
    row = connection.execute(PLACE.where(queue.c.case_seq == case_seq).with_for_update()).one_or_none()
    return None if row is None else Place(**row._mapping)


def claim_next(connection: sa.Connection, task: int, user: str, *, now: int, until: int) -> Place | None:
    """Claim the most urgent case that this user may see: his open one first, none that he has answered or skipped.

    A claim that would end later than a new one stems from a clock that has been set back; it counts no more.
    """
    mine = sa.exists().where(claims.c.case_seq == queue.c.case_seq, claims.c.user == user)
    live = (
        sa.select(sa.func.count())
        .where(
            claims.c.case_seq == queue.c.case_seq,
            claims.c.user != user,
            claims.c.expires_at > now,
            claims.c.expires_at <= until,
        )
        .scalar_subquery()
    )
    later = reviews.alias("later")
    undone = sa.exists().where(later.c.case_seq == reviews.c.case_seq, later.c.supersedes == reviews.c.seq)
    seen = sa.exists().where(
        reviews.c.case_seq == queue.c.case_seq,
        reviews.c.user == user,
        reviews.c.action != "undo",
        ~undone,
    )
    query = (
        PLACE.where(queue.c.task == task, ~seen, live < queue.c.wanted - queue.c.given)
        .order_by(mine.desc(), queue.c.priority.desc(), queue.c.due_at, queue.c.case_seq)
        .limit(1)
        .with_for_update(skip_locked=True, of=queue)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    open_claim(connection, row.case_seq, user, now=now, until=until)
    return Place(**row._mapping)


def open_claim(connection: sa.Connection, case_seq: int, user: str, *, now: int, until: int) -> None:
    """Keep a case for a user; an open one is prolonged, and stays opened when it was."""
    mine = (claims.c.case_seq == case_seq) & (claims.c.user == user)
    if connection.execute(claims.update().where(mine).values(expires_at=until)).rowcount == 0:
        connection.execute(claims.insert().values(case_seq=case_seq, user=user, opened_at=now, expires_at=until))


def close_claim(connection: sa.Connection, case_seq: int, user: str) -> int | None:
    """Let a case go, and say when the user had opened it."""
    mine = (claims.c.case_seq == case_seq) & (claims.c.user == user)
    opened: int | None = connection.execute(sa.select(claims.c.opened_at).where(mine)).scalar_one_or_none()
    connection.execute(claims.delete().where(mine))
    return opened


def keep_place(connection: sa.Connection, place: Place) -> None:
    """Write a place that has changed."""
    changed = {"wanted": place.wanted, "given": place.given, "priority": place.priority}
    connection.execute(queue.update().where(queue.c.case_seq == place.case_seq).values(**changed))


def add_place(connection: sa.Connection, task: int, place: Place) -> None:
    """Put a case back into the queue."""
    connection.execute(queue.insert().values(task=task, **{name: getattr(place, name) for name in FIELDS}))


FIELDS = Place.__struct_fields__


def waiting(connection: sa.Connection, task: int) -> int:
    """How many cases wait."""
    return int(connection.execute(sa.select(sa.func.count()).where(queue.c.task == task)).scalar_one())


def overdue(connection: sa.Connection, task: int, now: int, *, below: int, most: int) -> list[Place]:
    """Cases to decide whose answer is overdue and whose priority is below the given one, the oldest first."""
    late = (queue.c.task == task, queue.c.kind == "decide", queue.c.due_at < now, queue.c.priority < below)
    rows = connection.execute(PLACE.where(*late).order_by(queue.c.due_at).limit(most))
    return [Place(**row._mapping) for row in rows]


def last_review(connection: sa.Connection, task: int, user: str) -> Review | None:
    """The last thing that a user did with a case and has not undone."""
    later = reviews.alias("later")
    undone = sa.exists().where(later.c.case_seq == reviews.c.case_seq, later.c.supersedes == reviews.c.seq)
    query = (
        sa.select(*REVIEW_COLUMNS)
        .where(reviews.c.task == task, reviews.c.user == user, reviews.c.action != "undo", ~undone)
        .order_by(reviews.c.at.desc(), reviews.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Review(**row._mapping)
