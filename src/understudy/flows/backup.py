"""A workspace as one file, and a workspace from one file."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import msgspec

from understudy.core.errors import ConflictError, DataError, StoreError
from understudy.flows.gc import named_files
from understudy.flows.verify import Verified, archive_folder, verify
from understudy.flows.workspace import Workspace, open_workspace, read_settings
from understudy.store.archives import read_archives
from understudy.store.database import open_store
from understudy.store.tasks import read_tasks
from understudy.store.upkeep import copy_to_file

STORE, SETTINGS, ASIDE = "store.db", "understudy.toml", "understudy.toml.from-backup"
KNOWN = re.compile(
    r"store\.db|understudy\.toml|tasks/[a-z0-9][a-z0-9_-]{0,63}\.toml|objects/[0-9a-f]{64}"
    r"|tasks/[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.csv"
    r"|archive/[a-z0-9][a-z0-9_-]{0,63}/[0-9]+-[a-z]+(-[0-9]+)?\.parquet"
)
"""What a backup may hold."""


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """A backup: where it stands, its size in bytes, and how many artifacts, tasks and archive files it holds."""

    file: str
    size: int
    artifacts: int
    tasks: int
    archives: int


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A restored workspace, and what verifying it found; `aside` is where settings were put that need a look."""

    workspace: str
    tasks: tuple[Verified, ...]
    aside: str


def backup(work: Workspace, out: Path) -> BackedUp:
    """Write everything that a workspace is made of to a tar file, as it stands at one moment; others may write on.

    The file appears when it is complete. It holds secrets and inputs: only its owner may read it.

    Raises
    ------
    ConflictError
        The store is PostgreSQL, or the file is there already.
    StoreError
        An artifact or an archive is missing or damaged.
    """
    if not out.parent.is_dir():
        raise DataError(f"There is no directory {out.parent} to write {out.name} to.")
    if out.exists():
        raise ConflictError(f"The file {out} is there already.", hint="Name another.")
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        copy, partial = Path(folder, STORE), Path(folder, "backup.tar")
        copy_to_file(work.store, copy)
        counts = write_tar(work, copy, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.chmod(0o600)
        partial.replace(out)
    return BackedUp(file=str(out), size=out.stat().st_size, artifacts=counts[0], tasks=counts[1], archives=counts[2])


def write_tar(work: Workspace, copy: Path, out: Path) -> tuple[int, int, int]:
    """Write a copy of the store and all that it names; how many artifacts, task files and archive files."""
    store = open_store(f"sqlite:///{copy}")
    with store.reading() as connection:
        names = named_files(work.artifacts, connection)
        archives = [
            archive_folder(work, task.name) / file.name
            for task in read_tasks(connection)
            for files in read_archives(connection, task.number).values()
            for file in files.values()
        ]
    store.close()
    tasks = sorted((work.root / "tasks").glob("*.toml"))
    with tarfile.open(out, "w") as tar:
        tar.add(copy, STORE)
        if (work.root / SETTINGS).is_file():
            tar.add(work.root / SETTINGS, SETTINGS)
        for place in (*tasks, *sorted((work.root / "tasks").glob("*.csv"))):
            if KNOWN.fullmatch(f"tasks/{place.name}"):
                tar.add(place, f"tasks/{place.name}")
        for name in sorted(names):
            data = work.artifacts.get(name)
            member = tarfile.TarInfo(f"objects/{name}")
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
        for place in archives:
            if not place.is_file():
                raise StoreError(f"The archive {place} is missing.", hint="Back up again, or see: understudy verify")
            tar.add(place, f"archive/{place.parent.name}/{place.name}")
    return len(names), len(tasks), len(archives)


def restore(file: Path, root: Path) -> Restored:
    """Make a workspace from a backup, and verify it.

    Raises
    ------
    DataError
        The file is no backup.
    ConflictError
        The directory holds a workspace already.
    """
    root = root.resolve()
    for name in (".understudy", "tasks", SETTINGS):
        if (root / name).exists():
            raise ConflictError(f"{root} holds a workspace already ({name}).", hint="Restore to an empty directory.")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore.", dir=root) as staging, reading(file):
        unpack(file, Path(staging))
        aside = put_in_place(Path(staging), root)
    return Restored(workspace=str(root), tasks=tuple(verify(open_workspace(root))), aside=aside)


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """What goes wrong with the file, in words."""
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise DataError(f"{file} is no backup that can be read: {error}.") from error
    except FileNotFoundError as error:
        raise DataError(f"There is no file {error.filename}.") from error


def unpack(file: Path, folder: Path) -> None:
    """Unpack a backup, which may hold plain files with known names only."""
    with tarfile.open(file, "r:") as tar:
        members = tar.getmembers()
        for member in members:
            if not member.isreg() or not KNOWN.fullmatch(member.name):
                raise DataError(f"{file} is no backup of a workspace: it holds {member.name[:80]!r}.")
        if STORE not in {member.name for member in members}:
            raise DataError(f"{file} is no backup of a workspace: it holds no {STORE}.")
        tar.extractall(folder, members, filter="data")


def put_in_place(staging: Path, root: Path) -> str:
    """Move what was unpacked to where it belongs, the store last; the settings' new name where they need a look."""
    aside = ""
    if (staging / SETTINGS).exists():
        settings = read_settings(staging).store
        aside = ASIDE if settings.url or settings.artifacts else ""
        (staging / SETTINGS).replace(root / (aside or SETTINGS))
    inner = root / ".understudy"
    inner.mkdir()
    if (staging / "tasks").is_dir():
        (staging / "tasks").replace(root / "tasks")
    if (staging / "archive").is_dir():
        (staging / "archive").replace(inner / "archive")
    for place in (staging / "objects").glob("*"):
        target = inner / "objects" / place.name[:2] / place.name[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(place, target)
    (staging / STORE).replace(inner / STORE)
    return aside and str(root / aside)
