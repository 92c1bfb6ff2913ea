"""What to do next about a version, and what its owner says of that: how long it takes, what it is, what is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import sqlalchemy as sa

from understudy.core.errors import NotFoundError
from understudy.evaluation.worklist import State, Worklist, key, ranked_again
from understudy.flows.workspace import Workspace, open_workspace
from understudy.store.events import append_event, read_events
from understudy.store.registry import VersionRecord, find_version, list_versions
from understudy.store.tasks import task_number

NOTED = "worklist.noted"
"""The event that keeps what is said of a row."""

WORKLIST = "worklist.json"
NAMED = 5


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner says of one row.

    Attributes
    ----------
    hours : float, optional
    tags : tuple of str
    done : str
        The version under which it was set done; empty where it was not.
    """

    hours: float | None = None
    tags: tuple[str, ...] = ()
    done: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be noted, by the names of rows; None takes an effort back, no tags take them away."""

    efforts: dict[str, float | None] = {}
    tags: dict[str, tuple[str, ...]] = {}
    done: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()


class NextSteps(msgspec.Struct, frozen=True, kw_only=True):
    """The worklist of a version as it stands.

    `settled` names the rows that were set done under an earlier version and that this one does not show any more.
    """

    task: str
    version: str
    recipe: str
    worklist: Worklist
    settled: tuple[str, ...] = ()


def next_steps(task: str, *, version: str = "latest", workspace: str | Path = ".") -> NextSteps:
    """What to do next, the first things first.

    Parameters
    ----------
    task : str
    version : str
        A digest, the beginning of it, `latest` or `champion`.
    workspace : path

    Raises
    ------
    NotFoundError
        There is no such task or version, or the version was registered before worklists were kept.
    """
    work = open_workspace(workspace)
    with work.store.reading() as connection:
        return listed(work, connection, task_number(connection, task), task, version)


def note(task: str, said: Said, *, actor: str, version: str = "latest", workspace: str | Path = ".") -> NextSteps:
    """Note what the owner says of some rows, in the event log, and return the worklist as it stands then.

    A row is named by its number, by its subject, by "kind: subject", or by any part of that which no other row has.
    A subject that several rows have means all of them. What is done is done until a later version shows it again.

    Raises
    ------
    NotFoundError
        There is no such row, or several; nothing is noted.
    ValueError
        Hours are negative or not finite; nothing is noted.
    """
    work = open_workspace(workspace)
    with work.store.writing() as connection:
        number = task_number(connection, task)
        before = listed(work, connection, number, task, version)
        for name, body in changes(said, before.worklist):
            append_event(
                connection,
                number,
                at=work.clock.now(),
                actor=actor,
                kind=NOTED,
                body={"row": name, "version": before.version, **body},
            )
        return listed(work, connection, number, task, version)


def listed(work: Workspace, connection: sa.Connection, number: int, task: str, version: str) -> NextSteps:
    """The worklist of a version with the notes of its task."""
    record = find_version(connection, number, version)
    kept = kept_worklist(work, record)
    if kept is None:
        raise NotFoundError(
            f"Version {record.version[:12]} has no worklist: it was registered before worklists were kept.",
            hint="Train a new version with: understudy run",
        )
    worklist, settled = noted(connection, number, record, kept)
    return NextSteps(task=task, version=record.version, recipe=record.recipe, worklist=worklist, settled=settled)


def kept_worklist(work: Workspace, record: VersionRecord) -> Worklist | None:
    """The worklist that was registered with a version, if it has one."""
    if WORKLIST not in record.beside:
        return None
    return msgspec.json.decode(work.artifacts.get(record.beside[WORKLIST]), type=Worklist)


def noted(
    connection: sa.Connection, number: int, record: VersionRecord, worklist: Worklist
) -> tuple[Worklist, tuple[str, ...]]:
    """A worklist with the notes of its task, and what was done under earlier versions and does not show any more."""
    notes = read_notes(connection, number)
    ages = {found.version: age for age, found in enumerate(list_versions(connection, number))}
    states = {name: state(one.done, record.version, ages) for name, one in notes.items() if one.done}
    ranked = ranked_again(
        worklist,
        efforts={name: one.hours for name, one in notes.items() if one.hours is not None},
        tags={name: one.tags for name, one in notes.items() if one.tags},
        states=states,
    )
    shown = set(rows(worklist))
    return ranked, tuple(sorted(name for name in states if states[name] == "again" and name not in shown))


def state(done: str, version: str, ages: Mapping[str, int]) -> State:
    """How a row stands under a version that was set done under another, given how many are newer than each.

    >>> state("a", "a", {"a": 0}), state("a", "b", {"b": 0, "a": 1}), state("b", "a", {"b": 0, "a": 1})
    ('done', 'again', 'done')
    """
    return "done" if done == version or (done in ages and ages[done] < ages[version]) else "again"


def read_notes(connection: sa.Connection, number: int) -> dict[str, Note]:
    """What the event log says of each row of a task's worklists; the last word counts."""
    notes: dict[str, Note] = {}
    for event in read_events(connection, number, kinds=(NOTED,)):
        name, body = str(event.body["row"]), event.body
        said: dict[str, object] = {field: body[field] for field in ("hours", "tags") if field in body}
        if "done" in body:
            said["done"] = body["version"] if body["done"] else ""
        known = msgspec.to_builtins(notes.get(name, Note()))
        notes[name] = msgspec.convert({**known, **said}, Note)
    return notes


def changes(said: Said, worklist: Worklist) -> list[tuple[str, dict[str, object]]]:
    """What is to be noted, row by row, once it is known that each row is there and each figure can be."""
    made: list[tuple[str, dict[str, object]]] = []
    for name, hours in said.efforts.items():
        made += [(row, {"hours": hours}) for row in named(name, worklist)]
    for name, tags in said.tags.items():
        made += [(row, {"tags": tags}) for row in named(name, worklist)]
    for name in said.done:
        made += [(row, {"done": True}) for row in named(name, worklist)]
    for name in said.undo:
        made += [(row, {"done": False}) for row in named(name, worklist)]
    efforts = {row: float(str(body["hours"])) for row, body in made if body.get("hours") is not None}
    ranked_again(worklist, efforts=efforts, tags={}, states={})
    return made


def rows(worklist: Worklist) -> list[str]:
    """The names of all rows, those that are not shown too."""
    return [*(item.key for item in worklist.items), *(key(action) for action in worklist.others)]


def named(name: str, worklist: Worklist) -> list[str]:
    """The rows that a name means."""
    wanted, every = name.strip(), rows(worklist)
    if wanted.isdecimal() and 0 < int(wanted) <= len(worklist.items):
        return [worklist.items[int(wanted) - 1].key]
    for found in (
        [row for row in every if row == wanted],
        [row for row in every if row.partition(": ")[2] == wanted],
        [row for row in every if wanted and wanted.lower() in row.lower()][:2],
    ):
        if len(found) == 1 or (found and found[0].partition(": ")[2] == wanted):
            return found
    raise NotFoundError(f"No one row of the worklist is called {name!r}.", hint=f"There are: {some(every)}.")


def some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    every = [repr(name) for name in names]
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return (", ".join(every[:NAMED]) or "none") + more
