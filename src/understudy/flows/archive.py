"""Move old rows out of the store into files, whole seals at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import sqlalchemy as sa

from understudy.core.errors import InputError, StoreError
from understudy.core.task import duration
from understudy.flows.erase import tidy_archives
from understudy.flows.moves import read_body
from understudy.flows.verify import archive_folder
from understudy.flows.workspace import Workspace
from understudy.store.archives import (
    Archived,
    delete_rows,
    file_range,
    leaving_rows,
    leaving_tables,
    may_leave,
    note_archive,
    read_archives,
    write_file,
)
from understudy.store.database import lock_task
from understudy.store.seals import Seal, read_seals
from understudy.store.tasks import read_task


class ArchivedRows(msgspec.Struct, frozen=True, kw_only=True):
    """What was moved: how many seals, the rows by table, and the folder of the files."""

    task: str
    seals: int
    rows: dict[str, int]
    folder: str


def archive(work: Workspace, task: str, *, actor: str = "owner") -> ArchivedRows:
    """Move the rows of whole seals into files, the oldest first, once they are older than the task's `keep`.

    Stops at the first seal with a newer row, with a case that waits, or with a case of which something newer was said.
    `verify` goes on checking the files. An id in the archive is forgotten: a case that comes with it again is new.

    Raises
    ------
    InputError
        The task file names no `keep`.
    StoreError
        Rows are not as they were sealed; they stay where they are.
    """
    with work.store.reading() as connection:
        record = read_task(connection, task)
    keep = read_body(record).decision.keep
    if keep is None:
        raise InputError(
            f"The task {task!r} does not say how long cases are kept.",
            hint='Write keep = "730d" under [task] in its file, then: understudy apply',
        )
    tidy_archives(work, record)
    cutoff, folder = work.clock.now() - duration(keep), archive_folder(work, task)
    moved: Counter[str] = Counter()
    seals = 0
    while (rows := archive_next(work, record.number, folder, cutoff, actor=actor)) is not None:
        moved.update(rows)
        seals += 1
    return ArchivedRows(task=task, seals=seals, rows=dict(moved), folder=str(folder))


def archive_next(work: Workspace, number: int, folder: Path, cutoff: int, *, actor: str) -> dict[str, int] | None:
    """Move the oldest seal that is still in the tables, in one transaction; None where it must stay."""
    with work.store.writing() as connection:
        lock_task(connection, number)
        done = read_archives(connection, number)
        seal = next((seal for seal in read_seals(connection, number) if seal.seq not in done), None)
        if seal is None or not may_leave(connection, number, seal, cutoff):
            return None
        archived = write_archive(connection, number, seal, folder)
        gone = delete_rows(connection, number, seal)
        if gone != {name: file.rows for name, file in archived.files.items()}:
            raise StoreError(f"The rows of the seal {seal.seq} changed while they were archived. They stay.")
        note_archive(connection, number, archived, actor=actor, at=work.clock.now())
        return gone


def write_archive(connection: sa.Connection, number: int, seal: Seal, folder: Path) -> Archived:
    """Write the rows of a seal to files, and read them back: they must be what was sealed."""
    files = {
        name: write_file(folder / f"{seal.seq}-{name}.parquet", name, leaving_rows(connection, number, seal, name))
        for name in leaving_tables(seal)
    }
    for name, expected in seal.ranges.items():
        if file_range(folder / files[name].name, name) != expected:
            raise StoreError(
                f"The rows {expected.first} to {expected.last} of {name} are not as event {seal.seq} has sealed them.",
                hint="They stay in the store. See: understudy verify",
            )
    return Archived(seal=seal.seq, files=files)
