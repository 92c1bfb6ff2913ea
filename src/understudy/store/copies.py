"""Every row of a SQLite store into an empty PostgreSQL store, within the callers' transactions."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.exc import DataError as ValueRefused

from understudy.core.errors import ConflictError, StoreError
from understudy.store.database import insert_many, lock_task
from understudy.store.schema import metadata, numbers, tasks

BATCH = 10_000
TABLES = [table for table in metadata.sorted_tables if table is not numbers]


def count_rows(connection: sa.Connection) -> dict[str, int]:
    """How many rows each table has; those that only hand out numbers aside."""
    return {
        table.name: int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        for table in TABLES
    }


def require_empty(target: sa.Connection) -> None:
    """Let nobody else fill a store, and refuse one that holds anything.

    Raises
    ------
    ConflictError
        It is not empty.
    """
    lock_task(target, 0)
    filled = [name for name, count in count_rows(target).items() if count]
    if filled:
        raise ConflictError(
            f"The target store is not empty: it has rows in {', '.join(filled)}.", hint="Name an empty database."
        )


def copy_rows(source: sa.Connection, target: sa.Connection) -> None:
    """Copy every row of every table.

    Raises
    ------
    StoreError
        A value cannot be kept by the target.
    """
    for table in TABLES:
        query = sa.select(table).order_by(*table.primary_key)
        try:
            for rows in batches(source, query):
                insert_many(target, table, rows)
        except ValueRefused as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise StoreError(f"A value in {table.name} cannot be kept by PostgreSQL: {reason}.") from error


def batches(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> Iterator[list[dict[str, object]]]:
    """The rows of a query, some at a time."""
    rows = connection.execute(query, execution_options={"yield_per": BATCH})
    for some in rows.mappings().partitions(BATCH):
        yield [{str(name): value for name, value in row.items()} for row in some]


def continue_numbers(source: sa.Connection, target: sa.Connection) -> None:
    """Let the target's sequences go on where the source's numbers end."""
    ends = {f"{row.name}_seq": int(row.last) for row in source.execute(sa.select(numbers))}
    highest = int(source.execute(sa.select(sa.func.max(tasks.c.task))).scalar_one() or 0)
    ends[str(target.execute(sa.text("SELECT pg_get_serial_sequence('tasks', 'task')")).scalar_one())] = highest
    for name, last in ends.items():
        if last:
            target.execute(sa.text("SELECT setval(CAST(:name AS regclass), :last)"), {"name": name, "last": last})
