"""What a move would leave to people, by the cases that came last."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.capacity import Forecast, Shares, forecast, forecast_text, shares_under
from understudy.autonomy.router import Facts
from understudy.autonomy.traffic import bound, sharing
from understudy.core.nouns import Deployment, Move
from understudy.flows.answers import as_value
from understudy.flows.head import Head
from understudy.store.counts import DAY, YEAR, automated_per_year, cases_per_year
from understudy.store.schema import cases, inputs, predictions, queue

MOST = 1000
"""So many of the newest cases are routed anew: their shares are off by one or two in a hundred."""

WITHIN = 30 * DAY


def foreseen(connection: sa.Connection, head: Head, deployed: Deployment, move: Move, now: int) -> Move:
    """A move with what it leaves to people among its reasons, where it changes that."""
    if routing(deployed) == routing(move.to):
        return move
    found = foresee(connection, head, move.to, now)
    return move if found is None else replace(move, reasons=(*move.reasons, *forecast_text(head.task, found)))


def routing(deployed: Deployment) -> Deployment:
    """What of a deployment says who decides and who looks."""
    return replace(deployed, revision=0, task_revision=0, epoch=0, challengers=(), traffic=None)


def foresee(connection: sa.Connection, head: Head, to: Deployment, now: int) -> Forecast | None:
    """What becomes of the queue under a deployment; None where no case has come for 30 days."""
    mixed = deciding_shares(connection, head, to, now)
    if mixed is None:
        return None
    waits = sa.select(sa.func.count()).where(queue.c.task == head.number, queue.c.kind == "decide")
    return forecast(
        head.task,
        mixed,
        audit_rate=to.audit_rate,
        cases_a_day=cases_per_year(connection, head.number, now=now) / YEAR * DAY,
        waiting=int(connection.execute(waits).scalar_one()),
    )


def expected_automated(connection: sa.Connection, head: Head, deployed: Deployment, now: int) -> float:
    """How many cases a year the model decides by itself under a deployment; as many as it did lately, at least."""
    mixed = deciding_shares(connection, head, deployed, now)
    expected = 0.0 if mixed is None else mixed.model * cases_per_year(connection, head.number, now=now)
    return max(expected, automated_per_year(connection, head.number, now=now))


def deciding_shares(connection: sa.Connection, head: Head, to: Deployment, now: int) -> Shares | None:
    """Who would have decided the newest cases under a deployment; None where none has come for 30 days."""
    shares = sharing(head.task, to) or {to.champion: 1.0}
    facts = {version: facts_of(connection, head, version, now) for version in shares}
    routed = [
        (share, shares_under(bound(to, version), facts[version])) for version, share in shares.items() if facts[version]
    ]
    if not routed:
        return None
    whole = sum(share for share, _ in routed)
    return Shares(
        people=sum(share * found.people for share, found in routed) / whole,
        model=sum(share * found.model for share, found in routed) / whole,
        rules=sum(share * found.rules for share, found in routed) / whole,
    )


def facts_of(connection: sa.Connection, head: Head, version: str, now: int) -> list[Facts]:
    """What the router knows of the newest cases, by what a version says of them; erased ones are gone."""
    said = sa.and_(predictions.c.seq == cases.c.seq, predictions.c.version == version)
    columns = (inputs.c.body, predictions.c.prediction, predictions.c.confidence, predictions.c.strangeness)
    query = sa.select(*columns).join(inputs, inputs.c.seq == cases.c.seq).outerjoin(predictions, said)
    newest = query.where(cases.c.task == head.number, cases.c.received_at > now - WITHIN, inputs.c.body.is_not(None))
    rows = connection.execute(newest.order_by(cases.c.received_at.desc()).limit(MOST)).all()
    plain = [msgspec.json.decode(row.body) for row in rows]
    outside, ruled = head.outside(plain, now), head.ruled(plain)
    kind, allow = head.task.decision.kind, head.allow
    return [
        Facts(
            answer=None if row.prediction is None else as_value(row.prediction, kind),
            confidence=row.confidence or 0.0,
            strangeness=1.0 if row.strangeness is None else row.strangeness,
            outside=against,
            allowed=row.prediction is None or not allow or row.prediction in allow,
            rule=rule,
            rules_fill=head.task.review.per_day == 0,
            audit_draw=1.0,
            blind_draw=1.0,
            group=group,
        )
        for row, against, rule, group in zip(rows, outside, ruled, head.groups(plain), strict=True)
    ]
