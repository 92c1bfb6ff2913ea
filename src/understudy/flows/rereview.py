"""Cases of a look-back are put before people once more: blindly, and never as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.autonomy.verdict import LOOK_BACK, standing
from understudy.core.errors import ConflictError
from understudy.core.task import Task, duration
from understudy.flows.lookback import read_cases, waiting_again, with_entries
from understudy.flows.moves import read_body
from understudy.flows.stretch import find_stretch
from understudy.flows.workspace import Workspace
from understudy.store.casebook import CaseRecord
from understudy.store.database import insert_many, lock_task
from understudy.store.events import append_event
from understudy.store.outcomes import current_outcomes
from understudy.store.queue import LOOK_BACK_PRIORITY
from understudy.store.schema import queue
from understudy.store.tasks import read_task

QUEUED = "lookback.queued"
PAGE = 500  # as many as one query names


class Rereview(msgspec.Struct, frozen=True, kw_only=True):
    """How many cases were put back into the queue, and how many of the look-back wait there now."""

    queued: int
    waiting: int


def review_again(work: Workspace, name: str, *, actor: str) -> Rereview:
    """Put the cases of the look-back back into the queue, for a blind look; again, it adds only what is new.

    Left out are cases of which the truth is known, at which somebody has looked or will, and those that were erased.
    What people say of the others never counts as evidence: somebody chose to look.

    Raises
    ------
    NotFoundError
        The store knows no such task.
    ConflictError
        The machine has never decided anything by itself.
    """
    now, after, added = work.clock.now(), 0, 0
    with work.store.reading() as connection:
        record = read_task(connection, name)
        task, stretch = read_body(record), find_stretch(connection, record.number)
    if stretch is None:
        raise ConflictError(f"There is nothing to look back on: {name} has never decided anything by itself.")
    while True:
        with work.store.writing() as connection:
            lock_task(connection, record.number)  # of two who ask at once, one finds nothing more to do
            page = read_cases(connection, record.number, stretch, after=after, most=PAGE)
            open_again = unknown(connection, task, record.number, page)
            if open_again:
                insert_many(connection, queue, [queue_row(task, record.number, seq, now) for seq in open_again])
        added += len(open_again)
        if len(page) < PAGE:
            break
        after = page[-1].seq
    with work.store.writing() as connection:
        if added:
            body = {"first": stretch.first, "upto": stretch.upto, "cases": added}
            append_event(connection, record.number, at=now, actor=actor, kind=QUEUED, body=body)
        return Rereview(queued=added, waiting=len(waiting_again(connection, record.number, stretch)))


def unknown(connection: sa.Connection, task: Task, number: int, page: Sequence[CaseRecord]) -> list[int]:
    """The numbers of those cases that somebody should look at."""
    waits = sa.select(queue.c.case_seq).where(queue.c.case_seq.in_([case.seq for case in page]))
    known = set(connection.execute(waits).scalars())
    known |= {case.seq for case in page if case.body is None or standing(case.reviews)}
    known |= {case.seq for case, entry in with_entries(connection, number, page) if entry and entry.loss is not None}
    if task.truth.source == "outcome":
        came = current_outcomes(connection, number, [case.id for case in page])
        known |= {case.seq for case in page if case.id in came}
    return [case.seq for case in page if case.seq not in known]


def queue_row(task: Task, number: int, seq: int, now: int) -> dict[str, Any]:
    """A case's place in the queue."""
    return {
        "case_seq": seq,
        "task": number,
        "kind": LOOK_BACK,
        "priority": LOOK_BACK_PRIORITY,
        "due_at": now + duration(task.review.answer_within),
        "wanted": task.review.wanted,
        "given": 0,
    }
