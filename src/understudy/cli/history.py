"""`understudy history`: the moves of a task, and why each was made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.text import Text

from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, show_json
from understudy.core.nouns import Event, Level, Move
from understudy.flows.status import history as history_flow
from understudy.flows.workspace import Workspace as OpenWorkspace
from understudy.flows.workspace import open_workspace

PREFIX = "moved."


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A move that was made: its number in the log, when, by whom, to what and why."""

    seq: int
    at: int
    actor: str
    kind: str
    level: Level
    champion: str
    reasons: tuple[str, ...]


def history(task: TaskName, workspace: Workspace = Path(), json: AsJson = False) -> None:
    """List the moves of a task with their reasons, the newest first."""
    log = whole_log(open_workspace(workspace), task)
    moves = [read_move(event) for event in log if event.kind.startswith(PREFIX)][::-1]
    if json:
        show_json({"task": task, "moves": moves})
        return
    if not moves:
        console.print("Nothing has been moved yet: people decide.")
    for move in moves:
        head = (utc(move.at), move.kind.replace("_", " "), move.level.value, move.champion[:12] or "no champion")
        console.print(Text("  ".join(head) + f"  by {move.actor}"), soft_wrap=True)
        for reason in move.reasons:
            console.print(Text(f"  {reason}"), soft_wrap=True)


def whole_log(work: OpenWorkspace, task: str) -> Iterator[Event]:
    """Every event of a task, the oldest first."""
    after = 0
    while page := history_flow(work, task, after=after):
        yield from page
        after = page[-1].seq


def read_move(event: Event) -> Moved:
    """The move that an event keeps."""
    kind = event.kind.removeprefix(PREFIX)
    move = msgspec.convert({"kind": kind, **event.body}, Move)
    return Moved(
        seq=event.seq,
        at=event.at,
        actor=event.actor,
        kind=kind,
        level=move.to.level,
        champion=move.to.champion,
        reasons=move.reasons,
    )


def utc(at: int) -> str:
    """A time in microseconds since 1970 UTC, as ISO 8601 to the second.

    >>> utc(1_700_000_000_123_456)
    '2023-11-14T22:13:20Z'
    """
    return f"{datetime.fromtimestamp(at // 1_000_000, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"
