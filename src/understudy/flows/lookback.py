"""What the machine decided since the world may have changed: told after every step down, and looked at once more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
import numpy as np
import sqlalchemy as sa
from msgspec.structs import asdict, replace

from understudy.autonomy.lookback import SINCE, Lookback, look_back, lookback_text
from understudy.autonomy.truth import Truth, loss
from understudy.autonomy.verdict import LOOK_BACK
from understudy.core.nouns import Decider, Deployment, Level, Move
from understudy.core.task import Task
from understudy.flows.answers import as_value
from understudy.flows.moves import read_body
from understudy.flows.settle import read_settled
from understudy.flows.stretch import (
    OPENED,
    Stretch,
    begin_stretch,
    find_stretch,
    first_of_account,
    holds,
    last_automation,
    read_opened,
)
from understudy.flows.workspace import Workspace
from understudy.store.casebook import CASES, CaseRecord
from understudy.store.events import append_event
from understudy.store.ledger import Entry, of_cases, with_reviews
from understudy.store.schema import cases, losses, queue, reviews
from understudy.store.tasks import read_task


class LookedBack(msgspec.Struct, frozen=True, kw_only=True):
    """A case that the machine decided by itself.

    Attributes
    ----------
    id : str
    decided_at : int
        In microseconds since 1970 UTC.
    decision : str or float
    confidence : float
    truth : str or float, optional
        What is known to be right, where somebody looked.
    loss : float, optional
        What the decision cost, in [0, 1]; None where that is not known.
    again : {"no", "waits", "done"}
        Whether people look at it once more.
    dissent : bool
        Whether somebody who looked once more says otherwise.
    """

    id: str
    decided_at: int
    decision: str | float
    confidence: float
    truth: str | float | None
    loss: float | None
    again: Literal["no", "waits", "done"]
    dissent: bool


class LookbackReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch of automation has cost, and a page of its cases.

    Attributes
    ----------
    task : str
    text : tuple of str
        In words.
    why : str
        Where the beginning comes from: budget, alarm, suspicion or estimate; empty where the machine never decided.
    began_at : int, optional
        When the first case of the stretch came, in microseconds since 1970 UTC; None where there is none.
    figures : Lookback, optional
    waiting, again, dissent : int
        Of the cases those that wait for a second look, those that had one, and those where it came out otherwise.
    cases : tuple of LookedBack
        In the order in which they were decided.
    next : int, optional
        The `after` of the next page; None at the end.
    """

    task: str
    text: tuple[str, ...]
    why: str = ""
    began_at: int | None = None
    figures: Lookback | None = None
    waiting: int = 0
    again: int = 0
    dissent: int = 0
    cases: tuple[LookedBack, ...] = ()
    next: int | None = None


def read_lookback(work: Workspace, name: str, *, after: int = 0, most: int = 100) -> LookbackReport:
    """The look-back of the last step down, or up to now while the machine decides.

    Parameters
    ----------
    work : Workspace
    name : str
    after : int
        The cases after this number.
    most : int
        How many cases at most.

    Raises
    ------
    NotFoundError
        The store knows no such task.
    """
    with work.store.reading() as connection:
        record = read_task(connection, name)
        task, stretch = read_body(record), find_stretch(connection, record.number)
        if stretch is None:
            return LookbackReport(task=name, text=("It has never decided anything by itself.",))
        figures = measure(connection, task, record.number, stretch)
        looks = second_looks(connection, task, record.number, stretch)
        waits = waiting_again(connection, record.number, stretch)
        found = read_cases(connection, record.number, stretch, after=after, most=most)
        lines = [
            line(task, case, entry, looks, waits) for case, entry in with_entries(connection, record.number, found)
        ]
        began = connection.execute(sa.select(sa.func.min(cases.c.received_at)).where(*mine(record.number, stretch)))
        began_at = began.scalar_one()
    text = (since_text(stretch, began_at), *lookback_text(task, figures), *again_text(looks, waits))
    return LookbackReport(
        task=name,
        text=text,
        why=stretch.why,
        began_at=began_at,
        figures=figures,
        waiting=len(waits),
        again=len(looks),
        dissent=sum(looks.values()),
        cases=tuple(lines),
        next=found[-1].seq if len(found) == most else None,
    )


def since_text(stretch: Stretch, began_at: int | None) -> str:
    """Since when, and by what."""
    when = "after the last case that it decided" if began_at is None else f"on {utc(began_at)}"
    return f"{SINCE[stretch.why]} {when}."


def utc(at: int) -> str:
    """A time to the minute.

    >>> utc(1_700_000_000_000_000)
    '2023-11-14 22:13 UTC'
    """
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d %H:%M} UTC"


def again_text(looks: Mapping[int, bool], waits: Collection[int]) -> tuple[str, ...]:
    """How far the second look has come."""
    if not looks and not waits:
        return ()
    return (
        f"{len(looks):,} were looked at once more, {sum(looks.values()):,} came out otherwise; {len(waits):,} wait.",
    )


def mine(task: int, stretch: Stretch) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition on cases of a stretch."""
    decided = cases.c.decided_by == Decider.MODEL.value
    return cases.c.task == task, cases.c.seq >= stretch.first, cases.c.revision <= stretch.upto, decided


def measure(connection: sa.Connection, task: Task, number: int, stretch: Stretch) -> Lookback:
    """What a stretch has cost by everything that the ledger holds."""
    automated = (losses.c.task == number, losses.c.automated)
    own = (*automated, losses.c.case_seq >= stretch.first, losses.c.revision <= stretch.upto, holds())
    rows = connection.execute(sa.select(losses.c.loss, losses.c.propensity).where(*own).order_by(losses.c.place)).all()
    since = first_of_account(connection, number, stretch.first)
    earlier = (losses.c.case_seq >= since, losses.c.case_seq < stretch.first, losses.c.loss.is_not(None))
    before = sa.select(sa.func.count()).where(*automated, *earlier, holds())
    late = (*mine(number, stretch), cases.c.seq > read_settled(connection, number))
    return look_back(
        task,
        np.array([row.loss for row in rows], dtype=np.float64),
        np.array([row.propensity for row in rows], dtype=np.float64),
        before=int(connection.execute(before).scalar_one()),
        unsettled=int(connection.execute(sa.select(sa.func.count()).where(*late)).scalar_one()),
    )


def second_looks(connection: sa.Connection, task: Task, number: int, stretch: Stretch) -> dict[int, bool]:
    """By the number of a case that was looked at once more, whether somebody said otherwise."""
    later = reviews.alias("later")
    undone = sa.exists().where(later.c.case_seq == reviews.c.case_seq, later.c.supersedes == reviews.c.seq)
    query = sa.select(reviews.c.case_seq, reviews.c.value, cases.c.decision).join(
        cases, cases.c.seq == reviews.c.case_seq
    )
    given = (reviews.c.kind == LOOK_BACK, reviews.c.action == "decide", ~undone)
    found: dict[int, bool] = {}
    for seq, said, decided in connection.execute(query.where(*mine(number, stretch), *given)):
        truth = Truth(source="review", label=said, propensity=1.0)
        found[seq] = found.get(seq, False) or bool(loss(task, decided, truth))
    return found


def waiting_again(connection: sa.Connection, number: int, stretch: Stretch) -> frozenset[int]:
    """The numbers of the cases that wait for a second look."""
    query = sa.select(queue.c.case_seq).join(cases, cases.c.seq == queue.c.case_seq)
    return frozenset(connection.execute(query.where(*mine(number, stretch), queue.c.kind == LOOK_BACK)).scalars())


def read_cases(connection: sa.Connection, number: int, stretch: Stretch, *, after: int, most: int) -> list[CaseRecord]:
    """Some cases of a stretch after a number, with their reviews."""
    query = CASES.where(*mine(number, stretch), cases.c.seq > after).order_by(cases.c.seq).limit(most)
    return with_reviews(connection, connection.execute(query).all())


def with_entries(
    connection: sa.Connection, number: int, found: Sequence[CaseRecord]
) -> Iterator[tuple[CaseRecord, Entry | None]]:
    """Cases with what the ledger holds of the answer that was given; None where they are not settled."""
    known = of_cases(connection, number, [case.seq for case in found])
    return ((case, known.get((case.seq, case.version or ""))) for case in found)


def line(
    task: Task, case: CaseRecord, entry: Entry | None, looks: Mapping[int, bool], waits: Collection[int]
) -> LookedBack:
    """A case as it is listed."""
    kind = task.decision.kind
    truth = None if entry is None else entry.label
    return LookedBack(
        id=case.id,
        decided_at=case.received_at,
        decision=as_value(case.decision or "", kind),
        confidence=case.confidence or 0.0,
        truth=None if truth is None else as_value(truth, kind),
        loss=None if entry is None else entry.loss,
        again="done" if case.seq in looks else "waits" if case.seq in waits else "no",
        dissent=looks.get(case.seq, False),
    )


def told_lookback(connection: sa.Connection, task: Task, number: int, deployed: Deployment, move: Move) -> Move:
    """A move that ends automation, with the look-back among its reasons; any other as it is."""
    if not ends(deployed, move.to):
        return move
    stretch = find_stretch(connection, number)
    text = () if stretch is None else lookback_text(task, measure(connection, task, number, stretch))
    return replace(move, reasons=(*move.reasons, *text))


def ends(before: Deployment, after: Deployment) -> bool:
    """Whether the machine decides by itself before a move, and not after it."""
    return before.level.height >= Level.PARTIAL.height > after.level.height


def open_lookback(connection: sa.Connection, task: Task, number: int, *, actor: str, now: int) -> Stretch | None:
    """Put the look-back of the last step down into the event log, once: by whomever, and however, it was made."""
    history, moved = last_automation(connection, number)
    if moved is None or read_opened(connection, number, moved) is not None:
        return None
    stretch = begin_stretch(connection, number, history, moved)
    figures = measure(connection, task, number, stretch)
    body = {**asdict(stretch), "text": lookback_text(task, figures), "figures": figures}
    append_event(connection, number, at=now, actor=actor, kind=OPENED, body=body)
    return stretch
