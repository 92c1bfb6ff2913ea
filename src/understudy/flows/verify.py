"""Whether what is recorded is what was recorded: chains, seals, inputs, artifacts and archives. Changes nothing."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import sqlalchemy as sa

from understudy.core.errors import InputError, StoreError
from understudy.flows.version import Manifest
from understudy.flows.workspace import Workspace
from understudy.store.archives import ArchivedFile, check_file, file_range, read_archives, read_file
from understudy.store.erasure import erased_in_log
from understudy.store.events import first_broken_event
from understudy.store.seals import (
    LOWEST,
    TABLES,
    Range,
    Seal,
    count_between,
    range_of,
    read_inputs,
    read_seals,
    rows_between,
)
from understudy.store.tasks import TaskRecord, read_task, read_tasks
from understudy.store.upkeep import freeze, has_event, named_artifacts, read_log_head

MOST_NAMED = 10
"""How many cases one line names."""
HASH_DIGITS = 64


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a task.

    Attributes
    ----------
    task : str
    head : str
        The hash of its last event. Keep it elsewhere: a chain alone shows neither a tail that was cut off nor a log
        that was rewritten as a whole.
    events, seals : int
    sealed, unsealed, archived : dict of int
        Rows by table: under a seal, not yet under one, and under a seal in the archive.
    erased : int
        Cases whose inputs were erased.
    faults : tuple of str
        What is wrong, a sentence each.
    """

    task: str
    head: str
    events: int
    seals: int
    sealed: dict[str, int]
    unsealed: dict[str, int]
    archived: dict[str, int]
    erased: int
    faults: tuple[str, ...]


@dataclass
class Tally:
    """What is counted on the way: seals and rows by table, up to where they go, and erased cases."""

    seals: int = 0
    sealed: Counter[str] = field(default_factory=Counter)
    archived: Counter[str] = field(default_factory=Counter)
    through: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, LOWEST))
    erased: int = 0


def verify(work: Workspace, *, task: str | None = None, head: str | None = None) -> list[Verified]:
    """Check everything that can be checked of one task, or of all.

    A chain shows what was changed within it, but neither a tail that was cut off nor a log that was rewritten as a
    whole with its hashes. `head` compares with a hash that was kept elsewhere.

    Parameters
    ----------
    work : Workspace
    task : str, optional
    head : str, optional
        The hash of an event of this task, as an earlier call gave it.

    Raises
    ------
    InputError
        `head` is no hash, or no task is named with it.
    NotFoundError
        There is no such task.
    """
    if head is not None and (task is None or len(head) != HASH_DIGITS):
        raise InputError(
            f"A head is the hash of {HASH_DIGITS} digits that verify has printed, and belongs to one task.",
            hint="Say --task NAME --head HASH.",
        )
    with work.store.reading() as connection:
        freeze(connection)
        records = read_tasks(connection) if task is None else [read_task(connection, task)]
        return [verify_task(work, connection, record, head) for record in records]


def archive_folder(work: Workspace, task: str) -> Path:
    """Where the archives of a task stand."""
    return work.root / ".understudy" / "archive" / task


def verify_task(work: Workspace, connection: sa.Connection, record: TaskRecord, head: str | None) -> Verified:
    """What is found of one task."""
    number, folder, tally = record.number, archive_folder(work, record.name), Tally()
    faults = list(log_faults(connection, number, head))
    faults += seal_faults(connection, number, folder, tally)
    faults += input_faults(connection, number, tally)
    faults += erasure_faults(connection, number, tally)
    faults += artifact_faults(work, connection, number)
    last = read_log_head(connection, number)
    return Verified(
        task=record.name,
        head=last.hash,
        events=last.seq,
        seals=tally.seals,
        sealed={name: tally.sealed[name] for name in TABLES},
        unsealed={
            name: count_between(connection, table, number, tally.through[name]) for name, table in TABLES.items()
        },
        archived={name: tally.archived[name] for name in TABLES},
        erased=tally.erased,
        faults=tuple(faults),
    )


def log_faults(connection: sa.Connection, number: int, head: str | None) -> Iterator[str]:
    """What is wrong with the event log."""
    broken = first_broken_event(connection, number)
    if broken is not None:
        yield f"The event log is broken at event {broken}: it was changed, added or removed."
    if head is not None and not has_event(connection, number, head.lower()):
        yield f"No event has the hash {head[:12]}…: the log was cut or written anew since that head was kept."


def seal_faults(connection: sa.Connection, number: int, folder: Path, tally: Tally) -> Iterator[str]:
    """What is wrong with sealed rows, in the tables and in the archive."""
    try:
        archives = read_archives(connection, number)
        for seal in read_seals(connection, number):
            tally.seals += 1
            tally.through |= {name: found.last for name, found in seal.ranges.items()}
            files = archives.pop(seal.seq, None)
            if files is None:
                yield from table_faults(connection, number, seal, tally)
            else:
                yield from archive_faults(connection, number, seal, folder, files, tally)
        yield from (f"An archive names event {seq}, which is no seal." for seq in archives)
    except StoreError as error:
        yield error.message


def table_faults(connection: sa.Connection, number: int, seal: Seal, tally: Tally) -> Iterator[str]:
    """What is wrong with the rows of a seal that stand in the tables."""
    for name, expected in seal.ranges.items():
        tally.sealed[name] += expected.count
        rows = rows_between(connection, TABLES[name], number, seal.after[name], expected.last)
        yield from differences(name, seal, expected, range_of(rows))


def differences(name: str, seal: Seal, expected: Range, found: Range | None) -> Iterator[str]:
    """In which way rows differ from their seal."""
    if found == expected:
        return
    more = (found.count if found else 0) - expected.count
    words = "edited" if not more else f"{abs(more):,} {'added' if more > 0 else 'missing'}"
    where = f"{expected.first} to {expected.last} of {name}"
    yield f"The rows {where} are not as event {seal.seq} has sealed them: {words}."


def archive_faults(
    connection: sa.Connection, number: int, seal: Seal, folder: Path, files: dict[str, ArchivedFile], tally: Tally
) -> Iterator[str]:
    """What is wrong with the rows of a seal that stand in the archive."""
    sound = {name: file for name, file in files.items() if not check_file(folder / file.name, file)}
    for name in files.keys() - sound.keys():
        yield f"The archive {folder.name}/{files[name].name} {check_file(folder / files[name].name, files[name])}."
    for name, expected in seal.ranges.items():
        tally.archived[name] += expected.count
        if name in sound:
            yield from differences(name, seal, expected, file_range(folder / sound[name].name, name))
        back = count_between(connection, TABLES[name], number, seal.after[name], expected.last)
        if back:
            yield f"{back:,} rows of {name} were added among {expected.first} to {expected.last}, which are archived."
    if "cases" in sound and "inputs" in sound:
        held = archived_inputs(folder / sound["cases"].name, folder / sound["inputs"].name)
        yield from digest_faults([held], tally)


Held = tuple[str, bytes, bytes | None, bytes | None, bool]
"""A case's id, its digest, the salt and the body of its inputs, and whether there is a row of inputs at all."""


def archived_inputs(cases_file: Path, inputs_file: Path) -> Iterator[Held]:
    """The inputs of archived cases beside their digests."""
    columns = ("seq", "id", "digest")
    known = {row["seq"]: (row["id"], row["digest"]) for rows in read_file(cases_file, columns) for row in rows}
    for rows in read_file(inputs_file):
        for row in rows:
            yield (*known.pop(row["seq"], ("?", b"")), row["salt"], row["body"], True)
    yield from ((*told, None, None, False) for told in known.values())


def input_faults(connection: sa.Connection, number: int, tally: Tally) -> Iterator[str]:
    """Cases in the tables whose inputs are not those that their digest was made of."""
    chunks = read_inputs(connection, number)
    held = ([(row.id, row.digest, row.salt, row.body, row.held is not None) for row in rows] for rows in chunks)
    return digest_faults(held, tally)


def digest_faults(chunks: Iterable[Iterable[Held]], tally: Tally) -> Iterator[str]:
    """Cases whose inputs differ from their digest, or are gone without having been erased."""
    wrong = []
    for rows in chunks:
        for name, digest, salt, body, there in rows:
            if there and salt is None and body is None:
                tally.erased += 1
            elif salt is None or body is None or not hmac.compare_digest(hmac.digest(salt, body, "sha256"), digest):
                wrong.append(name)
    if wrong:
        yield f"The inputs of {len(wrong):,} cases are not those that were recorded: {some(wrong)}."


def erasure_faults(connection: sa.Connection, number: int, tally: Tally) -> Iterator[str]:
    """Whether as many cases are erased as the event log says."""
    logged = erased_in_log(connection, number)
    if tally.erased != logged:
        yield f"The inputs of {tally.erased:,} cases are erased, but the event log says {logged:,}."


def some(names: Sequence[str]) -> str:
    """The first few names.

    >>> some(["a", "b"])
    "'a', 'b'"
    """
    more = ", …" if len(names) > MOST_NAMED else ""
    return ", ".join(repr(name[:80]) for name in names[:MOST_NAMED]) + more


def artifact_faults(work: Workspace, connection: sa.Connection, number: int) -> Iterator[str]:
    """What is wrong with the files of versions, the files beside them, and the snapshots."""
    named = named_artifacts(connection, number)
    wanted = dict.fromkeys(named.beside, "a file beside a version") | dict.fromkeys(named.snapshots, "a snapshot")
    for version in sorted(named.versions):
        try:
            manifest = msgspec.json.decode(work.artifacts.get(version), type=Manifest)
        except (StoreError, msgspec.MsgspecError) as error:
            yield f"Version {version[:12]}: {error.message if isinstance(error, StoreError) else error}"
            continue
        wanted |= {file: f"{name} of version {version[:12]}" for name, file in manifest.files.items()}
    for name, role in sorted(wanted.items()):
        try:
            work.artifacts.get(name)
        except StoreError as error:
            yield f"{error.message} It is {role}."
