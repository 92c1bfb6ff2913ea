"""Erase what is held about a person or about single cases: inputs, notes, training rows, archives."""

from __future__ import annotations

import hmac
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl
import sqlalchemy as sa

from understudy.core.canonical import canonical
from understudy.core.errors import BusyError, InputError, NotFoundError, StoreError
from understudy.core.task import Task
from understudy.flows.golive import parquet
from understudy.flows.head import hash_subject
from understudy.flows.moves import read_body
from understudy.flows.verify import archive_folder
from understudy.flows.workspace import Workspace
from understudy.store.archives import Archived, ArchivedFile, note_archive, read_archives, read_file, write_file
from understudy.store.casebook import find_seqs
from understudy.store.database import lock_task
from understudy.store.erasure import (
    Erasure,
    Snapshot,
    empty_log,
    erase_cases,
    erase_notes,
    in_use,
    leave_queues,
    note_erasure,
    overwrite_deleted,
    purge_snapshot,
    read_erasures,
    read_snapshots,
    subject_seqs,
)
from understudy.store.registry import keep_snapshot
from understudy.store.tasks import TaskRecord, read_task


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased.

    Attributes
    ----------
    task : str
    found : int
        Cases that were asked for, erased earlier ones among them.
    cases, notes : int
        Cases whose inputs were erased now, and notes of reviewers.
    snapshots, rows : int
        Training snapshots that were written anew, and how many rows were left out.
    archives : int
        Archive files that were written anew.
    rejected : int
        Files of quarantined rows that were deleted.
    unknown : tuple of str
        Ids of which no case is known.
    unread : tuple of str
        Snapshots that are missing or damaged, and could not be looked into.
    shared : tuple of str
        Purged snapshots whose content another task still holds under the same hash: erase there, too.
    remains : bool
        Whether SQLite's log still holds old pages, because somebody was reading; erase again later.
    """

    task: str
    found: int = 0
    cases: int = 0
    notes: int = 0
    snapshots: int = 0
    rows: int = 0
    archives: int = 0
    rejected: int = 0
    unknown: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    remains: bool = False


@dataclass(frozen=True)
class Wanted:
    """What is to be erased, either by ids or by a person, and the task that it belongs to."""

    record: TaskRecord
    task: Task
    ids: tuple[str, ...]
    subject: str | None

    @property
    def key(self) -> bytes | None:
        """The keyed hash of the person."""
        return None if self.subject is None else hash_subject(self.record.secret, self.subject)

    @property
    def digest(self) -> str:
        """A keyed hash of what is asked for, which tells nobody what it was."""
        asked = canonical({"ids": sorted(self.ids), "subject": self.subject})
        return hmac.digest(self.record.secret, b"erased\0" + asked, "sha256").hex()

    @property
    def column(self) -> str | None:
        """The column of the training data that tells which rows are meant."""
        return self.task.decision.id if self.subject is None else self.task.decision.subject

    @property
    def values(self) -> tuple[str, ...]:
        """What stands there in those rows."""
        return self.ids if self.subject is None else (self.subject,)


@dataclass(frozen=True)
class Rewritten:
    """A snapshot without the rows that are to be erased."""

    old: Snapshot
    new: str
    rows: int
    gone: int


def erase(
    work: Workspace, task: str, *, ids: Sequence[str] = (), subject: str | None = None, actor: str = "owner"
) -> Erased:
    """Erase the inputs of cases for good, wherever they are held, and say where they were.

    The cases themselves stay, without inputs: what was decided, by whom, and what became of it still counts as
    evidence. Versions trained on the rows stay, and are shown with the words "snapshot purged".

    Parameters
    ----------
    work : Workspace
    task : str
    ids : sequence of str
        Which cases; or
    subject : str
        The person, as the task's subject column names him.
    actor : str

    Raises
    ------
    InputError
        Neither ids nor a subject are given, or both.
    NotFoundError
        Nothing is held about them.
    """
    if bool(ids) == bool(subject):
        raise InputError("Say what to erase: cases by --id, or a person by --subject.")
    with work.store.reading() as connection:
        record = read_task(connection, task)
        known = read_snapshots(connection, record.number)
    wanted = Wanted(record, read_body(record), tuple(dict.fromkeys(ids)), subject)
    rewritten, unread = rewrite_snapshots(work, wanted, [snapshot for snapshot in known if not snapshot.purged_at])
    with work.store.writing() as connection:
        overwrite_deleted(connection)
        done = erase_rows(work, connection, wanted, rewritten, known, actor=actor)
    shared = delete_purged(work, record.number)
    tidy_archives(work, record)
    return msgspec.structs.replace(
        done,
        rejected=delete_rejected(work, task),
        unread=unread,
        shared=shared,
        remains=not empty_log(work.store),
    )


def erase_rows(
    work: Workspace,
    connection: sa.Connection,
    wanted: Wanted,
    rewritten: Sequence[Rewritten],
    known: Sequence[Snapshot],
    *,
    actor: str,
) -> Erased:
    """Erase what the store holds, and write it into the event log, in one transaction."""
    number, now = wanted.record.number, work.clock.now()
    found = find_seqs(connection, number, wanted.ids)
    seqs = set(found.values()) | (subject_seqs(connection, number, wanted.key) if wanted.key else set())
    leave_queues(connection, seqs)  # before anything else: whoever is answering one of them finishes first
    lock_task(connection, number)
    if {one.digest for one in read_snapshots(connection, number)} != {one.digest for one in known}:
        raise BusyError("A version was registered meanwhile.", hint="Erase again.")
    away = archived_seqs(work, connection, wanted)
    names = found.keys() | away.values()
    if not seqs and not away and not rewritten:
        require_earlier(connection, wanted)
        return Erased(task=wanted.task.name)
    everywhere = seqs | away.keys()
    archived, files = erase_archives(work, connection, wanted.record, everywhere, actor=actor, at=now)
    done = Erased(
        task=wanted.task.name,
        found=len(everywhere),
        cases=erase_cases(connection, seqs, at=now) + archived,
        notes=erase_notes(connection, everywhere),
        snapshots=len(rewritten),
        rows=sum(one.gone for one in rewritten),
        archives=files,
        unknown=tuple(name for name in wanted.ids if name not in names),
    )
    for one in rewritten:
        purge_snapshot(connection, number, one.old.digest, at=now)
        keep_snapshot(connection, number, digest=one.new, source=one.old.source, rows=one.rows, at=now)
    if done.cases or done.notes or done.snapshots or done.archives:
        erasure = Erasure(cases=done.cases, snapshots=done.snapshots, archives=done.archives, ids_digest=wanted.digest)
        note_erasure(connection, number, erasure, actor=actor, at=now)
    return done


def require_earlier(connection: sa.Connection, wanted: Wanted) -> None:
    """Nothing is held now; that is fine where the same was erased before."""
    if any(earlier.ids_digest == wanted.digest for earlier in read_erasures(connection, wanted.record.number)):
        return
    what = "with these ids" if wanted.subject is None else "about this person"
    column = "id" if wanted.subject is None else "subject"
    hint = "" if wanted.column else f"The task file names no {column} column, so training data was not searched."
    raise NotFoundError(f"The task {wanted.task.name!r} holds nothing {what}.", hint=hint)


def rewrite_snapshots(
    work: Workspace, wanted: Wanted, snapshots: Iterable[Snapshot]
) -> tuple[list[Rewritten], tuple[str, ...]]:
    """The snapshots that hold such rows, kept once more without them; and those that could not be read."""
    rewritten: list[Rewritten] = []
    unread: list[str] = []
    for snapshot in snapshots if wanted.column else ():
        try:
            frame = pl.read_parquet(io.BytesIO(work.artifacts.get(snapshot.digest)))
        except (StoreError, pl.exceptions.PolarsError):
            unread.append(snapshot.digest)
            continue
        left = without(frame, wanted.column or "", wanted.values)
        if left.height < frame.height:
            new = work.artifacts.put(parquet(left))
            rewritten.append(Rewritten(snapshot, new, left.height, frame.height - left.height))
    return rewritten, tuple(unread)


def without(frame: pl.DataFrame, column: str, values: Collection[str]) -> pl.DataFrame:
    """A table without the rows in which a column has one of the values, whatever its type.

    >>> without(pl.DataFrame({"who": [7, 8, None]}), "who", ["7"]).height
    2
    """
    if column not in frame.columns:
        return frame
    text = pl.col(column).cast(pl.String, strict=False)
    return frame.filter(~text.is_in(list(values)).fill_null(value=False))


def archived_seqs(work: Workspace, connection: sa.Connection, wanted: Wanted) -> dict[int, str]:
    """The numbers and ids of the cases in the archive that are meant."""
    folder = archive_folder(work, wanted.record.name)
    found: dict[int, str] = {}
    for files in read_archives(connection, wanted.record.number).values():
        if "cases" not in files:
            continue
        for rows in read_file(folder / files["cases"].name, ["seq", "id", "subject"]):
            found |= {
                row["seq"]: row["id"]
                for row in rows
                if row["id"] in wanted.ids or (wanted.key and row["subject"] == wanted.key)
            }
    return found


def erase_archives(
    work: Workspace, connection: sa.Connection, record: TaskRecord, seqs: Collection[int], *, actor: str, at: int
) -> tuple[int, int]:
    """Write those archives anew that hold inputs or notes of the cases; how many cases, and how many files."""
    folder, cases, count = archive_folder(work, record.name), 0, 0
    for seal, files in read_archives(connection, record.number).items():
        anew: dict[str, ArchivedFile] = {}
        for name in files.keys() & {"inputs", "reviews"}:
            rows = [row for part in read_file(folder / files[name].name) for row in part]
            hit = [row for row in rows if BARE[name](row, seqs, at)]
            if hit:
                anew[name] = write_file(folder / f"{seal}-{name}-{at}.parquet", name, [rows])
                cases += len(hit) if name == "inputs" else 0
        if anew:
            note_archive(connection, record.number, Archived(seal=seal, files=anew), actor=actor, at=at)
        count += len(anew)
    return cases, count


def bare_inputs(row: dict[str, object], seqs: Collection[int], at: int) -> bool:
    """Empty the row of a case that is meant, and say whether there was something in it."""
    if row["seq"] not in seqs or (row["body"] is None and row["salt"] is None):
        return False
    row |= {"salt": None, "body": None, "erased_at": at}
    return True


def bare_review(row: dict[str, object], seqs: Collection[int], _: int) -> bool:
    """Take the note out of a review of a case that is meant, and say whether there was one."""
    if row["case_seq"] not in seqs or row["note"] is None:
        return False
    row["note"] = None
    return True


BARE = {"inputs": bare_inputs, "reviews": bare_review}


def delete_purged(work: Workspace, number: int) -> tuple[str, ...]:
    """Delete the content of purged snapshots, and return those that another task still holds."""
    with work.store.reading() as connection:
        purged = [one.digest for one in read_snapshots(connection, number) if one.purged_at]
        shared = tuple(digest for digest in purged if in_use(connection, digest))
    for digest in purged:
        if digest not in shared:
            work.artifacts.delete(digest)
    return shared


def tidy_archives(work: Workspace, record: TaskRecord) -> None:
    """Delete the files in a task's archive that no event names: replaced ones, and what a killed process left."""
    folder = archive_folder(work, record.name)
    if not folder.is_dir():
        return
    with work.store.writing() as connection:  # nobody archives meanwhile
        lock_task(connection, record.number)
        named = {file.name for files in read_archives(connection, record.number).values() for file in files.values()}
        for place in folder.iterdir():
            if place.name not in named:
                place.unlink()


def delete_rejected(work: Workspace, task: str) -> int:
    """Delete the files of quarantined rows, which hold values as they came, and count them."""
    folder: Path = work.root / ".understudy" / "rejected"
    mine = re.compile(re.escape(task) + r"-[0-9]+\.csv")
    found = [place for place in folder.glob("*.csv") if mine.fullmatch(place.name)]
    for place in found:
        place.unlink()
    return len(found)
