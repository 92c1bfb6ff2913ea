"""How far each webhook has been told of the logs, and the messages that it has not taken.

The logs themselves are what is still to be sent: nothing is written when a case is decided, and no message is stored.
A mark is the number of the last row of a task's log that was told; a letter names a row whose message was not taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
import sqlalchemy as sa

from understudy.store.database import Store, lock_reviews, lock_task, of_task
from understudy.store.schema import (
    cases,
    events,
    heads,
    numbers,
    reviews,
    webhook_letters,
    webhook_marks,
    webhooks,
)

Source = Literal["events", "cases", "reviews"]
SOURCES: tuple[Source, ...] = ("events", "cases", "reviews")
Marks = dict[tuple[int, Source], int]
"""By task and log, the number of the last row that was told."""


class WebhookState(msgspec.Struct, frozen=True, kw_only=True):
    """How a webhook stands.

    Attributes
    ----------
    name : str
    since : int
        From when on it is told, in microseconds since 1970 UTC.
    sent : int
        How many messages it has taken.
    sent_at, error_at : int, optional
        When it last took one, and when it last did not.
    error : str
        Why not; empty where it took the last one.
    disabled_at : int, optional
        Since when nothing is sent, because it answered that it is gone.
    """

    name: str
    since: int
    sent: int = 0
    sent_at: int | None = None
    error: str = ""
    error_at: int | None = None
    disabled_at: int | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The row of a task's log that a message is about."""

    task: int
    source: Source
    seq: int


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was not taken: how often it was tried, and when it is next, or since when it is no more."""

    place: Place
    attempts: int
    first_at: int
    next_at: int
    dead_at: int | None
    error: str


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """Row numbers up to which the logs of all tasks are finished; events by task."""

    cases: int
    reviews: int
    events: dict[int, int]

    def of(self, task: int, source: Source) -> int:
        """The end of one log."""
        if source == "events":
            return self.events.get(task, 0)
        return self.cases if source == "cases" else self.reviews


def read_ends(connection: sa.Connection) -> Ends:
    """The highest row numbers that were given out; rows below may still be under way on PostgreSQL.

    The reviews' comes first: a review below it is about a case below the other.
    """
    rows = connection.execute(sa.select(heads.c.task, heads.c.event_seq))
    found = {row.task: int(row.event_seq) for row in rows}
    return Ends(reviews=last_number(connection, "reviews"), cases=last_number(connection, "cases"), events=found)


def last_number(connection: sa.Connection, name: Literal["cases", "reviews"]) -> int:
    """The last row number of a table that was given out."""
    if connection.dialect.name == "postgresql":
        last = f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {name}_seq"  # noqa: S608
        return int(connection.execute(sa.text(last)).scalar_one())
    return int(connection.execute(sa.select(numbers.c.last).where(numbers.c.name == name)).scalar_one())


def wait_for_rows(store: Store, task: int) -> None:
    """Wait until every transaction that has taken a row number of a task has ended; later ones wait for a moment.

    On PostgreSQL a later number may be committed first. SQLite gives numbers out in the order of commits.
    """
    if store.single:
        return
    with store.writing() as connection:
        lock_task(connection, task)
        lock_reviews(connection, task)


def open_webhook(connection: sa.Connection, name: str, *, at: int) -> WebhookState:
    """How a webhook stands; one that is new is told what comes from now on.

    Parameters
    ----------
    connection : sa.Connection
        A writing transaction.
    name : str
    at : int
        Microseconds since 1970 UTC.
    """
    known = connection.execute(sa.select(webhooks).where(webhooks.c.name == name)).one_or_none()
    if known is not None:
        return WebhookState(**known._mapping)
    connection.execute(webhooks.insert().values(name=name, since=at, sent=0, error=""))
    ends = read_ends(connection)
    keep_marks(connection, name, {(task, source): ends.of(task, source) for task in ends.events for source in SOURCES})
    return WebhookState(name=name, since=at)


def read_states(connection: sa.Connection) -> dict[str, WebhookState]:
    """How every webhook stands that was ever served, by name."""
    rows = connection.execute(sa.select(webhooks).order_by(webhooks.c.name))
    return {row.name: WebhookState(**row._mapping) for row in rows}


def read_marks(connection: sa.Connection, name: str) -> Marks:
    """How far a webhook has been told."""
    rows = connection.execute(sa.select(webhook_marks).where(webhook_marks.c.webhook == name))
    return {(row.task, row.source): int(row.seq) for row in rows}


def keep_marks(connection: sa.Connection, name: str, marks: Mapping[tuple[int, Source], int]) -> None:
    """Note how far a webhook has been told."""
    for (task, source), seq in marks.items():
        mine = (webhook_marks.c.webhook == name, webhook_marks.c.task == task, webhook_marks.c.source == source)
        if connection.execute(webhook_marks.update().where(*mine).values(seq=seq)).rowcount == 0:
            connection.execute(webhook_marks.insert().values(webhook=name, task=task, source=source, seq=seq))


def note_sent(connection: sa.Connection, name: str, count: int, *, at: int) -> None:
    """Note that a webhook took messages."""
    taken = {"sent": webhooks.c.sent + count, "sent_at": at, "error": ""}
    connection.execute(webhooks.update().where(webhooks.c.name == name).values(taken))


def note_error(connection: sa.Connection, name: str, error: str, *, at: int, gone: bool = False) -> None:
    """Note that a webhook did not take a message, or that it is gone for good."""
    changed: dict[str, object] = {"error": error, "error_at": at}
    if gone:
        changed["disabled_at"] = at
    connection.execute(webhooks.update().where(webhooks.c.name == name).values(changed))


def note_ready(connection: sa.Connection, name: str) -> None:
    """Forget why nothing could be sent, where no message is tried again."""
    waits = sa.exists().where(webhook_letters.c.webhook == name, webhook_letters.c.dead_at.is_(None))
    connection.execute(webhooks.update().where(webhooks.c.name == name, ~waits).values(error=""))


def read_letters(connection: sa.Connection, name: str, *, dead: bool | None = None) -> list[Letter]:
    """The messages that a webhook has not taken, the oldest first: all, or those that are dead or are not."""
    query = sa.select(webhook_letters).where(webhook_letters.c.webhook == name)
    if dead is not None:
        query = query.where(webhook_letters.c.dead_at.is_not(None) if dead else webhook_letters.c.dead_at.is_(None))
    order = (webhook_letters.c.first_at, webhook_letters.c.task, webhook_letters.c.source, webhook_letters.c.seq)
    return [as_letter(row) for row in connection.execute(query.order_by(*order))]


def as_letter(row: sa.Row[tuple[object, ...]]) -> Letter:
    """A row of the table as a letter."""
    plain = {str(key): value for key, value in row._mapping.items() if key != "webhook"}
    place = {key: plain.pop(key) for key in Place.__struct_fields__}
    return msgspec.convert({**plain, "place": place}, Letter)


def keep_letter(connection: sa.Connection, name: str, letter: Letter) -> None:
    """Keep a message that was not taken, or what has changed about it."""
    drop_letter(connection, name, letter.place)
    plain = {key: getattr(letter, key) for key in Letter.__struct_fields__ if key != "place"}
    connection.execute(webhook_letters.insert().values(webhook=name, **msgspec.structs.asdict(letter.place), **plain))


def drop_letter(connection: sa.Connection, name: str, place: Place) -> None:
    """Forget a message that was taken, or of which nothing is left to tell."""
    connection.execute(webhook_letters.delete().where(*of_letter(name, place)))


def of_letter(name: str, place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition on one letter."""
    mine = webhook_letters.c
    return mine.webhook == name, mine.task == place.task, mine.source == place.source, mine.seq == place.seq


def revive(connection: sa.Connection, name: str, *, at: int) -> int:
    """Let a webhook be tried again at once, with all its dead letters, and say how many messages wait to be."""
    connection.execute(webhooks.update().where(webhooks.c.name == name).values(disabled_at=None))
    mine = webhook_letters.c.webhook == name
    dead = mine & webhook_letters.c.dead_at.is_not(None)
    connection.execute(webhook_letters.update().where(dead).values(dead_at=None, attempts=0, first_at=at))
    return connection.execute(webhook_letters.update().where(mine).values(next_at=at)).rowcount


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a log, as far as it says what to tell: the case that it is about, and when it was written."""

    place: Place
    case_seq: int
    at: int


def rows_after(
    connection: sa.Connection, task: int, source: Literal["cases", "reviews"], after: int, upto: int, *, most: int
) -> list[Row]:
    """The next rows of a task's cases or reviews."""
    if source == "cases":
        query, table = sa.select(cases.c.seq, cases.c.seq.label("case_seq"), cases.c.received_at.label("at")), cases
    else:
        query, table = sa.select(reviews.c.seq, reviews.c.case_seq, reviews.c.at), reviews
    query = query.where(of_task(table.c.task, task), table.c.seq > after, table.c.seq <= upto)
    return [
        Row(place=Place(task=task, source=source, seq=row.seq), case_seq=row.case_seq, at=row.at)
        for row in connection.execute(query.order_by(table.c.seq).limit(most))
    ]


def row_at(connection: sa.Connection, place: Place) -> Row | None:
    """The row of a case or review that a message is about; None where it is an event, or was archived."""
    if place.source == "events":
        return None
    found = rows_after(connection, place.task, place.source, place.seq - 1, place.seq, most=1)
    return found[0] if found else None


LOGS: dict[Source, sa.Table] = {"events": events, "cases": cases, "reviews": reviews}


def count_behind(connection: sa.Connection, task: int, marks: Marks, source: Source, *, kinds: Iterable[str]) -> int:
    """How many rows of a task's log are not told yet; of events those whose kind begins like one of the given."""
    table = LOGS[source]
    query = sa.select(sa.func.count()).select_from(table).where(of_task(table.c.task, task))
    query = query.where(table.c.seq > marks.get((task, source), 0))
    if table is events:
        query = query.where(sa.or_(sa.false(), *(events.c.kind.startswith(kind) for kind in kinds)))
    return int(connection.execute(query).scalar_one())
