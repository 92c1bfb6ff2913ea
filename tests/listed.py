"""A workspace whose newest version was registered with a worklist and chapters."""

import shutil
from pathlib import Path

import msgspec

from understudy.core.canonical import canonical
from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action
from understudy.evaluation.worklist import rank
from understudy.flows.workspace import Workspace, open_workspace
from understudy.reports.chapter import Chapter, Text
from understudy.store.registry import VersionRecord, find_version, register
from understudy.store.schema import models

CHAPTERS = (
    Chapter(anchor="slices", title="Slices", lede="Claims from the north.", parts=(Text(text="Two of them."),)),
)


def gain(estimate: float) -> Evidence:
    return Evidence(
        estimate=estimate, lower=estimate / 2, upper=estimate * 2, confidence=0.95, n=90, method="paired bootstrap"
    )


def actions() -> tuple[Action, ...]:
    return (
        Action(kind="collect data", subject="region = north", what="Collect more from the north", why="Often wrong.",
               gain=gain(0.02), share=0.4, effort="days", chapter="slices"),
        Action(kind="split off", subject="region = north", what="Hand the north to people", why="Often wrong.",
               gain=gain(0.001), share=0.4, effort="weeks", chapter="slices"),
        Action(kind="clean labels", subject="pay", what="Look at 12 labels", why="They contradict.",
               gain=gain(0.005), effort="hours"),
    )  # fmt: skip


def keep_worklist(work: Workspace, found: tuple[Action, ...] | None = None, version: str = "latest") -> None:
    """Put a worklist and chapters beside a version."""
    ranked = rank(actions() if found is None else found, wrong=0.1)
    files = {
        "worklist.json": work.artifacts.put(msgspec.json.encode(ranked)),
        "chapters.json": work.artifacts.put(msgspec.json.encode(CHAPTERS)),
    }
    with work.store.writing() as connection:
        record = find_version(connection, 1, version)
        changed = models.update().where(models.c.version == record.version)
        connection.execute(changed.values(beside=canonical({**record.beside, **files})))


def later_version(work: Workspace, found: tuple[Action, ...]) -> str:
    """Register the newest version once more under another name, with a worklist of its own."""
    with work.store.writing() as connection:
        record = find_version(connection, 1, "latest")
        later: VersionRecord = msgspec.structs.replace(record, version="ee" * 32, at=record.at + 1)
        register(connection, 1, later, actor="ada")
    keep_worklist(work, found, later.version)
    return later.version


def copied(ran: Path, to: Path) -> Workspace:
    """A workspace of its own, with a worklist."""
    shutil.copytree(ran, to)
    work = open_workspace(to)
    keep_worklist(work)
    return work


def without_worklist(work: Workspace) -> None:
    """Make of every version one that was registered before worklists were kept."""
    with work.store.writing() as connection:
        record = find_version(connection, 1, "latest")
        older = {
            name: digest for name, digest in record.beside.items() if name not in ("worklist.json", "chapters.json")
        }
        connection.execute(models.update().values(beside=canonical(older)))
