"""Counts of what waits and what came."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from understudy.core.nouns import Decider
from understudy.store.schema import cases, outcomes, queue, reviews


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, and what came in a stretch of time.

    Attributes
    ----------
    waiting, audits, overdue : int
        Cases that wait for a decision, those that wait for an audit, and those whose answer is overdue.
    cases, by_model, by_rule : int
        Cases that came, and how many of them were decided at once, by whom.
    reviews, outcomes : int
        Answers by people, and outcomes, that came.
    """

    waiting: int
    audits: int
    overdue: int
    cases: int
    by_model: int
    by_rule: int
    reviews: int
    outcomes: int


def count_cases(connection: sa.Connection, task: int, *, since: int, now: int) -> Counts:
    """What waits now, and what came since a time."""
    late = sa.func.sum(sa.case((queue.c.due_at < now, 1), else_=0))
    kinds = sa.select(queue.c.kind, sa.func.count(), late).where(queue.c.task == task).group_by(queue.c.kind)
    rows = {row[0]: (row[1], int(row[2])) for row in connection.execute(kinds)}
    came = sa.select(cases.c.decided_by, sa.func.count()).where(cases.c.task == task, cases.c.received_at >= since)
    deciders: dict[str | None, int] = {row[0]: row[1] for row in connection.execute(came.group_by(cases.c.decided_by))}
    given = (reviews.c.task == task, reviews.c.at >= since, reviews.c.action == "decide")
    answered = sa.select(sa.func.count()).where(*given)
    observed = sa.select(sa.func.count()).where(outcomes.c.task == task, outcomes.c.received_at >= since)
    return Counts(
        waiting=rows.get("decide", (0, 0))[0],
        audits=rows.get("audit", (0, 0))[0],
        overdue=rows.get("decide", (0, 0))[1],
        cases=sum(deciders.values()),
        by_model=deciders.get("model", 0),
        by_rule=deciders.get("rule", 0),
        reviews=int(connection.execute(answered).scalar_one()),
        outcomes=int(connection.execute(observed).scalar_one()),
    )


YEAR = 365.25 * 86_400_000_000
DAY = 86_400_000_000


def cases_per_year(connection: sa.Connection, task: int, *, now: int) -> float:
    """How many cases a year come, by those of the last 30 days."""
    return per_year(connection, (cases.c.task == task,), now)


def automated_per_year(connection: sa.Connection, task: int, *, now: int) -> float:
    """How many cases a year the model decides by itself, by those of the last 30 days."""
    return per_year(connection, (cases.c.task == task, cases.c.decided_by == Decider.MODEL.value), now)


def per_year(connection: sa.Connection, which: Sequence[sa.ColumnElement[bool]], now: int) -> float:
    """How many such cases a year come, by those of the last 30 days."""
    recent = (*which, cases.c.received_at >= now - 30 * DAY, cases.c.received_at <= now)
    query = sa.select(sa.func.count(), sa.func.min(cases.c.received_at)).where(*recent)
    count, first = connection.execute(query).one()
    return float(count) * YEAR / max(now - first, DAY) if count else 0.0
