"""Erasing what a person may ask to have erased: inputs, notes, places in the queue, and snapshots."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec
import sqlalchemy as sa

from understudy.store.casebook import MOST_NAMES, leave_queue
from understudy.store.database import Store
from understudy.store.events import append_event
from understudy.store.schema import cases, events, inputs, reviews, snapshots

ERASED = "erased"
CHECKPOINT_MILLISECONDS = 2_000


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A training table that was kept; `purged_at` says when it was erased, if it was."""

    digest: str
    source: str
    rows: int
    purged_at: int | None


def read_snapshots(connection: sa.Connection, task: int) -> list[Snapshot]:
    """The snapshots of a task, purged ones among them."""
    columns = (snapshots.c.digest, snapshots.c.source, snapshots.c.rows, snapshots.c.purged_at)
    query = sa.select(*columns).where(snapshots.c.task == task).order_by(snapshots.c.at, snapshots.c.digest)
    return [Snapshot(**row._mapping) for row in connection.execute(query)]


def purge_snapshot(connection: sa.Connection, task: int, digest: str, *, at: int) -> None:
    """Note that a snapshot was erased."""
    mine = (snapshots.c.task == task) & (snapshots.c.digest == digest)
    connection.execute(snapshots.update().where(mine).values(purged_at=at))


def in_use(connection: sa.Connection, digest: str) -> bool:
    """Whether any task still names a snapshot that it has not purged."""
    query = sa.select(snapshots.c.task).where(snapshots.c.digest == digest, snapshots.c.purged_at.is_(None))
    return connection.execute(query.limit(1)).first() is not None


def subject_seqs(connection: sa.Connection, task: int, subject: bytes) -> set[int]:
    """The numbers of the cases about a person, given as a keyed hash."""
    query = sa.select(cases.c.seq).where(cases.c.task == task, cases.c.subject == subject)
    return set(connection.execute(query).scalars())


def erase_cases(connection: sa.Connection, seqs: Collection[int], *, at: int) -> int:
    """Erase the inputs of cases for good, and say of how many; those that were erased before are not counted."""
    done = 0
    for some in portions(sorted(seqs)):
        held = inputs.c.seq.in_(some) & (inputs.c.body.is_not(None) | inputs.c.salt.is_not(None))
        done += connection.execute(inputs.update().where(held).values(salt=None, body=None, erased_at=at)).rowcount
    return done


def erase_notes(connection: sa.Connection, seqs: Collection[int]) -> int:
    """Erase what reviewers wrote about cases, and say how many notes there were."""
    done = 0
    for some in portions(sorted(seqs)):
        noted = reviews.c.case_seq.in_(some) & reviews.c.note.is_not(None)
        done += connection.execute(reviews.update().where(noted).values(note=None)).rowcount
    return done


def leave_queues(connection: sa.Connection, seqs: Collection[int]) -> None:
    """Cases leave the queue; waits for the reviewers who are answering one of them."""
    for seq in sorted(seqs):
        leave_queue(connection, seq)


def portions(names: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many at a time as one query may name."""
    for start in range(0, len(names), MOST_NAMES):
        yield names[start : start + MOST_NAMES]


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What the event of an erasure says: how much was erased, and a keyed hash of what was asked for."""

    cases: int
    snapshots: int = 0
    archives: int = 0
    ids_digest: str = ""


def note_erasure(connection: sa.Connection, task: int, erasure: Erasure, *, actor: str, at: int) -> None:
    """Write into the event log that something was erased."""
    append_event(connection, task, at=at, actor=actor, kind=ERASED, body=msgspec.to_builtins(erasure))


def read_erasures(connection: sa.Connection, task: int) -> list[Erasure]:
    """What was erased so far, the oldest first."""
    query = sa.select(events.c.body).where(events.c.task == task, events.c.kind == ERASED).order_by(events.c.seq)
    return [msgspec.json.decode(body, type=Erasure) for body in connection.execute(query).scalars()]


def erased_in_log(connection: sa.Connection, task: int) -> int:
    """How many cases were erased, by the event log."""
    return sum(erasure.cases for erasure in read_erasures(connection, task))


def overwrite_deleted(connection: sa.Connection) -> None:
    """Let SQLite overwrite what is erased in this transaction; PostgreSQL does so when it vacuums."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def empty_log(store: Store) -> bool:
    """Bring SQLite's write-ahead log into the database and cut it, and say whether nothing old is left in it."""
    if not store.single:
        return True
    raw = store.engine.raw_connection()
    try:
        cursor = raw.cursor()
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout={CHECKPOINT_MILLISECONDS}")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout={before}")
        cursor.close()
    finally:
        raw.close()
    return not busy
