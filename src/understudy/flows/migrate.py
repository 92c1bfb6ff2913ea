"""Move a workspace's store from SQLite to PostgreSQL."""

from __future__ import annotations

import msgspec
from sqlalchemy.engine import make_url

from understudy.core.errors import ConflictError, InputError, StoreError
from understudy.flows.workspace import Workspace
from understudy.store.copies import continue_numbers, copy_rows, count_rows, require_empty
from understudy.store.database import open_store
from understudy.store.events import first_broken_event
from understudy.store.tasks import read_tasks


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied: the rows by table, where to, and the lines for `understudy.toml`, without a password."""

    rows: dict[str, int]
    to: str
    settings: str


def migrate_store(work: Workspace, to: str) -> Migrated:
    """Copy every row into an empty PostgreSQL store, in one transaction that ends only when all of it has arrived.

    Nobody can write to the old store meanwhile; afterwards it is unchanged. Stop the server first: it would go on
    writing there.

    Parameters
    ----------
    work : Workspace
        Its store is SQLite.
    to : str
        The URL of an empty database, `postgresql://USER@HOST/DATABASE`.

    Raises
    ------
    InputError
        `to` is no URL of PostgreSQL.
    ConflictError
        The workspace's store is PostgreSQL already, or the target is not empty.
    StoreError
        Not everything has arrived; the target is as it was.
    """
    if not to.startswith(("postgresql://", "postgresql+psycopg://")):
        raise InputError("The target must be PostgreSQL.", hint="Say --to postgresql://USER@HOST/DATABASE")
    if not work.store.single:
        raise ConflictError("The store of this workspace is PostgreSQL already.")
    target = open_store(to)
    try:
        with work.store.writing() as source, target.writing() as connection:
            require_empty(connection)
            copy_rows(source, connection)
            continue_numbers(source, connection)
            expected, arrived = count_rows(source), count_rows(connection)
            if arrived != expected:
                lost = [name for name in expected if arrived[name] != expected[name]]
                raise StoreError(f"Not all rows have arrived in: {', '.join(lost)}. Nothing was kept.")
            for task in read_tasks(connection):
                if first_broken_event(connection, task.number) != first_broken_event(source, task.number):
                    raise StoreError(f"The event log of {task.name} has not arrived whole. Nothing was kept.")
    finally:
        target.close()
    shown = make_url(to).render_as_string(hide_password=True)
    return Migrated(rows=arrived, to=shown, settings=f'[store]\nurl = "{shown}"')
