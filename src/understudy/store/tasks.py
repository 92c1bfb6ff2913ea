"""Tasks as the store knows them: each text that a task file ever had is a revision."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from understudy.core.canonical import digest
from understudy.core.errors import NotFoundError
from understudy.store.database import lock_task
from understudy.store.events import append_event
from understudy.store.schema import heads, task_revisions, tasks


def save_task(
    connection: sa.Connection, name: str, body: bytes, *, secret: bytes, actor: str, at: int
) -> tuple[int, int]:
    """Make a task known, or add a revision where its text differs from the last one; its number and its revision.

    Parameters
    ----------
    connection : sa.Connection
        A writing transaction.
    name : str
    body : bytes
        The task file.
    secret : bytes
        32 random bytes for the keyed draws of a new task; a known task keeps its own.
    actor : str
    at : int
        Microseconds since 1970 UTC.
    """
    lock_task(connection, 0)  # there is no task 0: savers wait for each other
    known = connection.execute(sa.select(tasks).where(tasks.c.name == name)).one_or_none()
    if known is None:
        insert = tasks.insert().values(name=name, revision=0, secret=secret).returning(tasks.c.task)
        task, revision = int(connection.execute(insert).scalar_one()), 0
        connection.execute(heads.insert().values(task=task, revision=0, event_seq=0, event_hash=""))
    else:
        task, revision = int(known.task), int(known.revision)
        lock_task(connection, task)  # as moves do, before the head of the log
        last = sa.select(task_revisions.c.digest).where(
            task_revisions.c.task == task, task_revisions.c.revision == revision
        )
        if connection.execute(last).scalar_one() == digest(body):
            return task, revision
    connection.execute(
        task_revisions.insert().values(
            task=task, revision=revision + 1, body=body, digest=digest(body), by=actor, at=at
        )
    )
    connection.execute(tasks.update().where(tasks.c.task == task).values(revision=revision + 1))
    change = {"revision": revision + 1, "digest": digest(body)}
    append_event(connection, task, at=at, actor=actor, kind="task.saved", body=change)
    return task, revision + 1


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A task as the store knows it: its number, its secret for keyed draws, and the revision and text that hold."""

    number: int
    name: str
    secret: bytes
    revision: int
    body: bytes


def read_tasks(connection: sa.Connection) -> list[TaskRecord]:
    """All tasks that the store knows, by name."""
    same = (task_revisions.c.task == tasks.c.task) & (task_revisions.c.revision == tasks.c.revision)
    query = sa.select(tasks, task_revisions.c.body).join(task_revisions, same).order_by(tasks.c.name)
    return [
        TaskRecord(number=row.task, name=row.name, secret=row.secret, revision=row.revision, body=row.body)
        for row in connection.execute(query)
    ]


def read_task(connection: sa.Connection, name: str) -> TaskRecord:
    """A task by its name.

    Raises
    ------
    NotFoundError
        The store does not know the task.
    """
    known = read_tasks(connection)
    for record in known:
        if record.name == name:
            return record
    names = ", ".join(record.name for record in known)
    raise NotFoundError(f"The store knows no task {name!r} (tasks: {names or 'none yet'}).")


def task_number(connection: sa.Connection, name: str) -> int:
    """A task's number.

    Raises
    ------
    NotFoundError
        The store does not know the task.
    """
    return read_task(connection, name).number
