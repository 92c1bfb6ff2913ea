"""What is known of the people who review: looked at anew as their answers add up, and kept for whoever asks."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from understudy.autonomy.reviewers import Looked, People, people_of, told_people
from understudy.autonomy.verdict import drawn
from understudy.core.nouns import Level
from understudy.core.task import Task
from understudy.flows.head import Head
from understudy.store.casebook import CaseRecord
from understudy.store.database import lock_task
from understudy.store.ledger import Key, State, cases_by_number, drop_states, keep_state, read_state
from understudy.store.schema import reviews

MOST = 4000
"""Of how many reviews, the newest, it is told: people change, and one look at them takes no longer over the years."""

ANEW = 20
"""After how many further reviews they are looked at anew; later after a tenth more."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known, in words, and how many reviews there were in all."""

    reviews: int
    text: tuple[str, ...]


def people_key(task: int) -> Key:
    """Where that is kept."""
    return Key(task=task, name="people")


def watch_people(head: Head, *, now: int, may: Callable[[sa.Connection], bool] = lambda _: True) -> None:
    """Look at those who review anew, if there are many more reviews than last time.

    Parameters
    ----------
    head : Head
    now : int
    may : callable
        Asked within the transaction whether this process may still write; otherwise nothing is written.
    """
    key = people_key(head.number)
    with head.library.work.store.reading() as connection:
        kept = read_state(connection, key)
        last, before = (0, 0) if kept is None else (kept.n, read_known(kept).reviews)
        more, newest = count_after(connection, head.number, last)
        if more < max(ANEW, min(before, MOST) // 10):
            return
        text = told_people(read_people(connection, head.task, head.number))
    known = State(n=newest, body=msgspec.json.encode(Known(reviews=before + more, text=text)))
    with head.library.work.store.writing() as connection:
        lock_task(connection, head.number)
        if may(connection) and read_state(connection, key) == kept:
            drop_states(connection, key, 0)
            keep_state(connection, key, known, at=now)


def count_after(connection: sa.Connection, task: int, last: int) -> tuple[int, int]:
    """How many reviews there are after a number, and the number of the newest."""
    found = sa.select(sa.func.count(), sa.func.max(reviews.c.seq)).where(reviews.c.task == task, reviews.c.seq > last)
    more, newest = connection.execute(found).one()
    return more, newest or last


def read_people(connection: sa.Connection, task: Task, number: int) -> People:
    """What is known of those who review, by their newest reviews."""
    query = sa.select(reviews.c.case_seq).where(reviews.c.task == number).order_by(reviews.c.seq.desc()).limit(MOST)
    seqs = sorted(set(connection.execute(query).scalars()))
    return people_of(task, [looked(case) for case in cases_by_number(connection, number, seqs)])


def looked(case: CaseRecord) -> Looked:
    """What people did with a case. From `assist` on it is drawn, for those that people decide, who is shown what."""
    shown = case.review_kind == "decide" and case.level.height >= Level.ASSIST.height
    return Looked(reviews=drawn(case.reviews), guess=case.prediction if shown else None)


def told(connection: sa.Connection, task: int) -> tuple[str, ...]:
    """What was known of those who review when they were last looked at, a sentence each."""
    state = read_state(connection, people_key(task))
    return () if state is None else read_known(state).text


def read_known(state: State) -> Known:
    """What was kept."""
    return msgspec.json.decode(state.body, type=Known)
