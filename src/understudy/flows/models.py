"""What is registered: versions and their reports."""

from __future__ import annotations

from pathlib import Path

import msgspec

from understudy.core.nouns import Override
from understudy.evaluation.report import Report
from understudy.flows.override import read_overrides
from understudy.flows.workspace import Workspace, open_workspace
from understudy.store.erasure import read_snapshots
from understudy.store.registry import VersionRecord, current, find_version, list_versions
from understudy.store.tasks import task_number


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A task's versions, the newest first, with its champion and level.

    `purged` names the versions whose snapshot was erased since: they were trained on rows that are gone. `overrides`
    are the failed checks that somebody has overridden.
    """

    task: str
    level: str
    champion: str
    versions: tuple[VersionRecord, ...]
    purged: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()


def list_models(task: str, *, workspace: str | Path = ".") -> Listing:
    """The versions of a task."""
    work = open_workspace(workspace)
    with work.store.reading() as connection:
        number = task_number(connection, task)
        deployed = current(connection, number)
        versions = tuple(list_versions(connection, number))
        overrides = read_overrides(connection, number)
        purged = {snapshot.digest for snapshot in read_snapshots(connection, number) if snapshot.purged_at}
    return Listing(
        task=task,
        level=deployed.level.value,
        champion=deployed.champion,
        versions=versions,
        purged=tuple(record.version for record in versions if record.snapshot in purged),
        overrides=overrides,
    )


def snapshot_purged(task: str, *, version: str = "latest", workspace: str | Path = ".") -> bool:
    """Whether the snapshot that a version was trained on was erased since."""
    with open_workspace(workspace).store.reading() as connection:
        number = task_number(connection, task)
        used = find_version(connection, number, version).snapshot
        return any(found.digest == used and found.purged_at for found in read_snapshots(connection, number))


def beside(work: Workspace, task: str, version: str, name: str) -> bytes:
    """A file that belongs to a version, such as its report."""
    with work.store.reading() as connection:
        record = find_version(connection, task_number(connection, task), version)
    return work.artifacts.get(record.beside[name])


def read_report(task: str, *, version: str = "latest", workspace: str | Path = ".") -> Report:
    """A version's report as a value."""
    return msgspec.json.decode(beside(open_workspace(workspace), task, version, "report.json"), type=Report)
