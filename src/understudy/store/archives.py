"""Archives: the rows of a seal as Parquet files outside the database, named by an event with their hashes."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from understudy.core.errors import StoreError
from understudy.store.database import of_task
from understudy.store.events import append_event
from understudy.store.schema import cases, events, inbox, inputs, losses, outcomes, predictions, queue, reviews
from understudy.store.seals import TABLES, Range, Seal, leaf_columns, range_of

ARCHIVED = "archived"
BELOW: dict[str, sa.Table] = {"inputs": inputs, "predictions": predictions}
"""What belongs to cases, and goes with them."""

EVERY = TABLES | BELOW
KINDS = {"review": reviews, "outcome": outcomes}
BATCH = 2_000


class ArchivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an archive: its name, its SHA-256 and its rows."""

    name: str
    sha256: str
    rows: int


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What the event of an archive says: the number of the seal's event, and its files by table."""

    seal: int
    files: dict[str, ArchivedFile]


def read_archives(connection: sa.Connection, task: int) -> dict[int, dict[str, ArchivedFile]]:
    """The archived seals of a task with the files that hold now; an erasure has written some of them anew."""
    query = sa.select(events.c.seq, events.c.body).where(events.c.task == task, events.c.kind == ARCHIVED)
    found: dict[int, dict[str, ArchivedFile]] = {}
    for row in connection.execute(query.order_by(events.c.seq)):
        try:
            body = msgspec.json.decode(row.body, type=Archived)
        except msgspec.MsgspecError as error:
            raise StoreError(f"Event {row.seq} names no archive that can be read: {error}.") from error
        found[body.seal] = found.get(body.seal, {}) | body.files
    return found


def note_archive(connection: sa.Connection, task: int, archived: Archived, *, actor: str, at: int) -> None:
    """Name the files of an archive in the event log."""
    append_event(connection, task, at=at, actor=actor, kind=ARCHIVED, body=msgspec.to_builtins(archived))


def may_leave(connection: sa.Connection, task: int, seal: Seal, cutoff: int) -> bool:
    """Whether every row of a seal is older than a time, and nobody needs it any more.

    A row stays while something newer was said of its case, while its case waits for a person, and until it is in the
    ledger: a case that a version has predicted has a loss there, and what was said of it has been taken in.
    """
    times = {"cases": cases.c.received_at, "reviews": reviews.c.at, "outcomes": outcomes.c.received_at}
    young = [within(TABLES[name], task, seal, name) & (times[name] >= cutoff) for name in seal.ranges]
    doubts = [sa.exists().where(condition) for condition in young]
    doubts += [
        not_taken_in(kind, within(table, task, seal, table.name))
        for kind, table in KINDS.items()
        if table.name in seal.ranges
    ]
    if "cases" in seal.ranges:
        mine = sa.select(cases.c.seq).where(within(cases, task, seal, "cases"))
        folded = sa.exists().where(losses.c.task == task, losses.c.case_seq == predictions.c.seq)
        doubts += [
            sa.exists().where(queue.c.case_seq.in_(mine)),
            sa.exists().where(predictions.c.seq.in_(mine), ~folded),
            *(not_taken_in(kind, (table.c.task == task) & table.c.case_seq.in_(mine)) for kind, table in KINDS.items()),
            sa.exists().where(reviews.c.task == task, reviews.c.at >= cutoff, reviews.c.case_seq.in_(mine)),
            sa.exists().where(outcomes.c.task == task, outcomes.c.received_at >= cutoff, outcomes.c.case_seq.in_(mine)),
        ]
    return not connection.execute(sa.select(sa.or_(sa.false(), *doubts))).scalar_one()


def not_taken_in(kind: str, condition: sa.ColumnElement[bool]) -> sa.Exists:
    """Whether some reviews or outcomes still wait in the inbox."""
    return sa.exists().where(inbox.c.kind == kind, inbox.c.seq == KINDS[kind].c.seq, condition)


def within(table: sa.Table, task: int, seal: Seal, name: str) -> sa.ColumnElement[bool]:
    """The rows of a table that a seal covers."""
    return of_task(table.c.task, task) & (table.c.seq > seal.after[name]) & (table.c.seq <= seal.ranges[name].last)


def leaving_rows(connection: sa.Connection, task: int, seal: Seal, name: str) -> Iterator[list[dict[str, Any]]]:
    """All columns of the rows of a table that leave with a seal, in chunks."""
    if name in TABLES:
        query = sa.select(TABLES[name]).where(within(TABLES[name], task, seal, name))
    else:
        query = sa.select(BELOW[name]).join(cases, cases.c.seq == BELOW[name].c.seq)
        query = query.where(within(cases, task, seal, "cases"))
    table = EVERY[name]
    rows = connection.execute(query.order_by(*table.primary_key), execution_options={"yield_per": BATCH})
    for chunk in rows.mappings().partitions(BATCH):
        yield [{str(key): value for key, value in row.items()} for row in chunk]


def leaving_tables(seal: Seal) -> tuple[str, ...]:
    """The tables of which a seal's archive holds rows."""
    return (*seal.ranges, *(BELOW if "cases" in seal.ranges else ()))


def delete_rows(connection: sa.Connection, task: int, seal: Seal) -> dict[str, int]:
    """Delete the rows of a seal with what belongs to them, and say how many of each table."""
    gone: dict[str, int] = {}
    if "cases" in seal.ranges:
        mine = sa.select(cases.c.seq).where(within(cases, task, seal, "cases"))
        for name, table in BELOW.items():
            gone[name] = connection.execute(table.delete().where(table.c.seq.in_(mine))).rowcount
    for kind, table in KINDS.items():
        if table.name in seal.ranges:
            told = sa.select(table.c.seq).where(within(table, task, seal, table.name))
            connection.execute(inbox.delete().where(inbox.c.kind == kind, inbox.c.seq.in_(told)))
    for name in seal.ranges:
        gone[name] = connection.execute(TABLES[name].delete().where(within(TABLES[name], task, seal, name))).rowcount
    return gone


ARROW: Sequence[tuple[type[sa.types.TypeEngine[Any]], Any]] = (
    (sa.Boolean, pa.bool_()),
    (sa.Float, pa.float64()),
    (sa.Integer, pa.int64()),
    (sa.LargeBinary, pa.binary()),
    (sa.String, pa.string()),
)


def arrow_schema(name: str) -> Any:
    """The Arrow schema of a table."""
    return pa.schema(
        [
            (column.name, next(arrow for kind, arrow in ARROW if isinstance(column.type, kind)))
            for column in EVERY[name].c
        ]
    )


def write_file(place: Path, name: str, chunks: Iterable[Sequence[Mapping[str, Any]]]) -> ArchivedFile:
    """Write rows of a table to a Parquet file that appears when it is complete, and outlasts a power cut."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f"{place.name}.{uuid.uuid4().hex}.partial")
    schema, count = arrow_schema(name), 0
    try:
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            for rows in chunks:
                writer.write_table(pa.Table.from_pylist(list(rows), schema=schema))
                count += len(rows)
        for path in (partial, place.parent):
            keep_on_disk(path)
        partial.replace(place)
        keep_on_disk(place.parent)
    finally:
        partial.unlink(missing_ok=True)
    return ArchivedFile(name=place.name, sha256=file_hash(place), rows=count)


def keep_on_disk(path: Path) -> None:
    """Wait until a file or directory is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_hash(place: Path) -> str:
    """The SHA-256 of a file."""
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_file(place: Path, columns: Sequence[str] | None = None) -> Iterator[list[dict[str, Any]]]:
    """The rows of an archive's file, in chunks.

    Raises
    ------
    StoreError
        It is missing or damaged.
    """
    try:
        with pq.ParquetFile(place) as file:
            for batch in file.iter_batches(BATCH, columns=columns):
                yield batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"The archive {place.name} cannot be read: {error}.") from error


def file_range(place: Path, name: str) -> Range | None:
    """The range that the rows of an archive's file make."""
    columns = leaf_columns(TABLES[name])
    return range_of([[row[column] for column in columns] for row in rows] for rows in read_file(place))


def check_file(place: Path, file: ArchivedFile) -> str:
    """What is wrong with an archive's file; empty where nothing is."""
    if not place.is_file():
        return "is missing"
    return "" if file_hash(place) == file.sha256 else "has another content than the log says"
