"""Which cases went to Label Studio without a suggestion: what the log says, not what a file says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from understudy.flows.head import Head
from understudy.store.events import append_event, read_events

EXPORTED = "labelstudio.exported"
MOST_IN_EVENT = 5000


def note_exported(
    head: Head, blind: Sequence[int], shown: Sequence[int], *, actor: str, way: Literal["file", "predict"]
) -> None:
    """Keep in the log which cases went out, by number, those without a suggestion apart from those with one."""
    work = head.library.work
    cases = [("blind", seq) for seq in blind] + [("shown", seq) for seq in shown]
    with work.store.writing() as connection:
        for start in range(0, len(cases), MOST_IN_EVENT):
            some = cases[start : start + MOST_IN_EVENT]
            body = {kind: [seq for found, seq in some if found == kind] for kind in ("blind", "shown")}
            append_event(
                connection, head.number, at=work.clock.now(), actor=actor, kind=EXPORTED, body=body | {"way": way}
            )


def blind_since(connection: sa.Connection, task: int) -> dict[int, int]:
    """When each case that ever went out without a suggestion first did, by its number."""
    found: dict[int, int] = {}
    for event in read_events(connection, task, kinds=[EXPORTED]):
        seqs = event.body["blind"]
        for seq in seqs if isinstance(seqs, list) else ():
            found.setdefault(seq, event.at)
    return found
