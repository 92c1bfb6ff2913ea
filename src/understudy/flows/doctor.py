"""A check-up of a workspace: a line for each thing that can be wrong, with the way out. Changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from understudy.core.errors import TaskFileError, UnderstudyError
from understudy.flows.golive import LIBRARIES
from understudy.flows.verify import artifact_faults, log_faults
from understudy.flows.webhooks import read_webhooks
from understudy.flows.workspace import Workspace, open_workspace, read_settings
from understudy.store.tasks import read_tasks
from understudy.store.upkeep import newest_row, schema_of, sqlite_state

OLDEST_PYTHON = (3, 11)
LEAST_SPACE = 10**9
FULL = 2
PATIENCE = 60_000_000
"""By how many microseconds another machine's clock may be ahead of ours."""

State = Literal["pass", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was checked: how it stands, in words, and the way out where it is not as it should be."""

    name: str
    state: State
    detail: str
    way_out: str = ""


def doctor(root: Path) -> list[Finding]:
    """Check a workspace and what it runs on.

    A store of an older Understudy is not upgraded, and what needs the store is left out then.

    Parameters
    ----------
    root : Path
        The workspace's directory.
    """
    root = root.resolve()
    found = [versions(), *(guarded(name, check, root) for name, check in BEFORE.items())]
    if any(one.state == "fail" for one in found if one.name in ("directory", "store")):
        return found
    try:
        work = open_workspace(root)
    except UnderstudyError as error:
        return [*found, failed("workspace", error)]
    return [*found, *(one for check in WITHIN for one in within(work, check))]


def guarded(name: str, check: Callable[[Path], Finding], root: Path) -> Finding:
    """A check whose error is its finding."""
    try:
        return check(root)
    except UnderstudyError as error:
        return failed(name, error)


def within(work: Workspace, check: Callable[[Workspace], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check that needs the store; its error is one, too."""
    try:
        yield from check(work)
    except UnderstudyError as error:
        yield failed(check.__name__.replace("_", " "), error)


def failed(name: str, error: UnderstudyError) -> Finding:
    """An error as a finding."""
    return Finding(name=name, state="fail", detail=error.message, way_out=error.hint)


def versions() -> Finding:
    """The versions of Python and of the libraries."""
    told = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    fine = sys.version_info >= OLDEST_PYTHON
    return Finding(
        name="versions",
        state="pass" if fine else "fail",
        detail=f"Python {platform.python_version()}, {told}",
        way_out="" if fine else f"Install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer.",
    )


def writable(root: Path) -> Finding:
    """Whether files can be made in the workspace."""
    places = [place for place in (root, root / ".understudy") if place.exists()]
    wrong = [place for place in places if not os.access(place, os.W_OK | os.X_OK)]
    if not root.is_dir():
        return Finding(name="directory", state="fail", detail=f"{root} is no directory", way_out="Say --workspace DIR.")
    return Finding(
        name="directory",
        state="fail" if wrong else "pass",
        detail=f"{wrong[0]} cannot be written" if wrong else f"{root} can be written",
        way_out="Let the user who runs Understudy own it." if wrong else "",
    )


def space(root: Path) -> Finding:
    """How much room is left on the disk."""
    free = shutil.disk_usage(next(place for place in (root, *root.parents) if place.exists())).free
    fine = free >= LEAST_SPACE
    way_out = "" if fine else "Make room: understudy gc, understudy archive, or a larger disk."
    return Finding(name="space", state="pass" if fine else "warn", detail=f"{free / 1e9:,.1f} GB free", way_out=way_out)


def settings(root: Path) -> Finding:
    """Whether the settings can be read, and by nobody else where they hold a password."""
    url = read_settings(root).store.url
    file = root / "understudy.toml"
    try:
        secret = url is not None and make_url(url).password is not None
    except ArgumentError:
        secret = False  # opening the store says what is wrong with it
    if secret and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding(
            name="settings",
            state="fail",
            detail=f"{file} holds a password that others can read",
            way_out=f"chmod 600 {file}",
        )
    return Finding(name="settings", state="pass", detail=f"{file} {'is in order' if file.exists() else 'is not there'}")


def store(root: Path) -> Finding:
    """Whether there is a store with the schema that this code needs."""
    url = read_settings(root).store.url or f"sqlite:///{root / '.understudy' / 'store.db'}"
    schema = schema_of(url)
    if schema.needed:
        return Finding(name="store", state="pass", detail=f"opens, with schema {schema.version}")
    if schema.version is None:
        hint = "Begin with: understudy run DATA --target COLUMN"
        return Finding(name="store", state="fail", detail="there is none yet", way_out=hint)
    hint = "Any other command upgrades it." if schema.known else "Upgrade: pip install --upgrade understudy"
    return Finding(name="store", state="fail", detail=f"has schema {schema.version}", way_out=hint)


BEFORE: dict[str, Callable[[Path], Finding]] = {
    "directory": writable,
    "space": space,
    "settings": settings,
    "store": store,
}


def durability(work: Workspace) -> Iterator[Finding]:
    """Whether SQLite loses nothing that it has acknowledged."""
    if not work.store.single:
        return
    with work.store.reading() as connection:
        mode, level = sqlite_state(connection)
    fine = mode == "wal" and level == FULL
    yield Finding(
        name="durability",
        state="pass" if fine else "fail",
        detail=f"SQLite's journal is {mode}, synchronous {level}",
        way_out="" if fine else "Put the workspace on a local disk: network drives cannot keep a write-ahead log.",
    )


def task_files(work: Workspace) -> Iterator[Finding]:
    """Whether every task file can be read."""
    wrong = False
    for name in work.task_names():
        try:
            work.read_task(name)
        except TaskFileError as error:
            wrong = True
            yield Finding(
                name="task files",
                state="fail",
                detail=f"{work.task_file(name)}: {error.faults[0]}",
                way_out="Mend the file.",
            )
    if not wrong:
        yield Finding(name="task files", state="pass", detail=f"{len(work.task_names())} can be read")


def event_logs(work: Workspace) -> Iterator[Finding]:
    """Whether the chains of the event logs hold."""
    with work.store.reading() as connection:
        tasks = read_tasks(connection)
        faults = [f"{task.name}: {fault}" for task in tasks for fault in log_faults(connection, task.number, None)]
    yield from judged("event logs", faults, f"the chains of {len(tasks)} tasks hold")


def artifacts(work: Workspace) -> Iterator[Finding]:
    """Whether every file that rows name is there and whole."""
    with work.store.reading() as connection:
        tasks = read_tasks(connection)
        faults = [fault for task in tasks for fault in artifact_faults(work, connection, task.number)]
    yield from judged("artifacts", faults, "all are there, with the hashes that they should have")


def clock(work: Workspace) -> Iterator[Finding]:
    """Whether the clock stands behind the newest record."""
    with work.store.reading() as connection:
        newest = newest_row(connection)
    behind = newest - work.clock.now()
    told = f"{datetime.fromtimestamp(newest / 1e6, UTC):%Y-%m-%d %H:%M} UTC" if newest else "none yet"
    yield Finding(
        name="clock",
        state="fail" if behind > PATIENCE else "pass",
        detail=f"{behind / 6e7:,.0f} minutes behind the newest record"
        if behind > PATIENCE
        else f"newest record: {told}",
        way_out="Set the machine's clock, best by NTP." if behind > PATIENCE else "",
    )


def webhooks(work: Workspace) -> Iterator[Finding]:
    """What of the webhooks needs somebody's eyes."""
    for one in read_webhooks(work):
        if one.stuck:
            way_out = f"Mend the receiver, then: understudy webhooks retry {one.name}"
            yield Finding(name="webhooks", state="warn", detail=f"{one.name}: {one.stuck}", way_out=way_out)


def judged(name: str, faults: list[str], fine: str) -> Iterator[Finding]:
    """The faults as findings, or that there are none."""
    for fault in faults:
        yield Finding(name=name, state="fail", detail=fault, way_out="See: understudy verify; restore from a backup.")
    if not faults:
        yield Finding(name=name, state="pass", detail=fine)


WITHIN = (durability, task_files, event_logs, artifacts, clock, webhooks)
