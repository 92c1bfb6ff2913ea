"""The sentence that an owner reads, from the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.autonomy.groups import group_part, groups_of, places, side_of
from understudy.autonomy.router import EVERY_ANSWER
from understudy.autonomy.sentence import Budgeted, Decided, Figures, owner_sentence
from understudy.autonomy.standing import Standing, closest_text
from understudy.core.nouns import Decider, Deployment, Level
from understudy.core.task import Task
from understudy.evidence.budget import spent
from understudy.evidence.gate import GatePlan, GateState
from understudy.flows.accounts import budget_key, fold_page, read_accounts, read_budgets, year_of
from understudy.flows.champion import read_folded, read_plans
from understudy.flows.learn import read_proposal
from understudy.flows.settle import read_settled
from understudy.flows.standing import read_standing
from understudy.store.counts import DAY
from understudy.store.ledger import read_state
from understudy.store.registry import read_deployments
from understudy.store.schema import cases, deployments, events

WITHIN = 30 * DAY
MOST = 10_000
"""So many of the newest cases are counted at most."""


def read_sentence(connection: sa.Connection, task: Task, number: int, now: int) -> tuple[str, ...]:
    """How a task stands, as its owner reads it; every number in it comes from the log."""
    return owner_sentence(task, read_figures(connection, task, number, now))


def read_figures(connection: sa.Connection, task: Task, number: int, now: int) -> Figures:
    """The figures of the owner's sentence."""
    history = read_deployments(connection, number)
    deployed = history[-1] if history else Deployment()
    standing = read_standing(connection, task, number, deployed) if deployed.champion else None
    if deployed.level.height < Level.PARTIAL.height:
        return below(connection, task, number, history, standing)
    proven = proven_answers(connection, number, deployed, standing)
    return Figures(
        level=deployed.level,
        paused=deployed.paused,
        expired=expired(task, now),
        decided=count_decided(connection, number, history, now),
        proven=proven,
        unproven=tuple(answer for answer in given_answers(deployed) if answer not in proven),
        word=word_text(connection, number, standing),
        left=left_groups(connection, number, deployed),
        raised=bool(deployed.raised_from),
        budget=read_budget(connection, number, now),
    )


def below(
    connection: sa.Connection, task: Task, number: int, history: Sequence[Deployment], standing: Standing | None
) -> Figures:
    """The figures where it decides nothing."""
    deployed = history[-1] if history else Deployment()
    waiting = read_proposal(connection, number)
    certified = {} if standing is None else standing.certified
    return Figures(
        level=deployed.level,
        paused=deployed.paused,
        champion=bool(deployed.champion),
        certified=tuple(threshold_text(answer, low) for answer, low in certified.items()),
        closest="" if standing is None else closest_text(task, standing),
        waits=waiting is not None and waiting.move.to.level.height >= Level.PARTIAL.height,
        taken_back=taken_back(connection, number, history),
    )


def threshold_text(answer: str, low: float) -> str:
    """An answer and the confidence from which on it may be given."""
    return f"{'any answer' if answer == EVERY_ANSWER else repr(answer)} from a confidence of {low:.3f} on"


def given_answers(deployed: Deployment) -> tuple[str, ...]:
    """The answers that it gives by itself; at `full`, every one."""
    return (EVERY_ANSWER,) if deployed.level is Level.FULL else tuple(deployed.thresholds)


def proven_answers(
    connection: sa.Connection, number: int, deployed: Deployment, standing: Standing | None
) -> tuple[str, ...]:
    """Those of the answers that it gives by itself of which a certificate says that it may."""
    if deployed.level is Level.FULL:
        whole = standing is not None and standing.whole and not standing.silent
        return given_answers(deployed) if whole else ()
    plans, folded = read_plans(connection, number, deployed), read_folded(connection, number, deployed)
    if plans is None or folded is None or plans.gate is None or folded.gate is None:
        return ()
    gate, state = plans.gate, folded.gate
    return tuple(answer for answer, low in deployed.thresholds.items() if is_proven(gate, state, answer, low))


def left_groups(connection: sa.Connection, number: int, deployed: Deployment) -> tuple[str, ...]:
    """Groups that the gate knows, and for which no answer is given by itself."""
    plans = read_plans(connection, number, deployed)
    if plans is None or plans.gate is None or not all(map(group_part, deployed.thresholds)):
        return ()
    given = set(map(group_part, deployed.thresholds))
    return tuple(group for group in groups_of(plans.gate) if group not in given)


def is_proven(plan: GatePlan, state: GateState, answer: str, low: float) -> bool:
    """Whether just this threshold is certified: one between two that are is not."""
    if answer not in places(plan):
        return False
    place = plan.sides.index(side_of(plan, answer))
    peaks = zip(plan.grid[place], state.sides[place].peak, strict=True)
    return any(threshold == low and peak >= plan.goal for threshold, peak in peaks)


def expired(task: Task, now: int) -> bool:
    """Whether the mandate's last day has passed, in UTC."""
    last = task.mandate.expires
    return last is not None and datetime.fromtimestamp(now / 1e6, UTC).date() > date.fromisoformat(last)


def day(at: int) -> str:
    """A day, in UTC.

    >>> day(1_700_000_000_000_000)
    '2023-11-14'
    """
    return datetime.fromtimestamp(at / 1e6, UTC).date().isoformat()


def event_of(connection: sa.Connection, number: int, revision: int) -> Any:
    """The event by which something was deployed: its time, its actor and its body."""
    join = (deployments.c.task == events.c.task) & (deployments.c.event == events.c.seq)
    query = sa.select(events.c.at, events.c.actor, events.c.body).join(deployments, join)
    return connection.execute(query.where(events.c.task == number, deployments.c.revision == revision)).one()


def taken_back(connection: sa.Connection, number: int, history: Sequence[Deployment]) -> str:
    """When and why it stopped deciding by itself; empty where it never did."""
    automating = [place for place, found in enumerate(history) if found.level.height >= Level.PARTIAL.height]
    if not automating:
        return ""
    event = event_of(connection, number, history[automating[-1] + 1].revision)
    reasons = msgspec.json.decode(event.body)["reasons"]
    return f"It decided by itself until {day(event.at)}: {reasons[0] if reasons else 'by hand.'}"


def word_text(connection: sa.Connection, number: int, standing: Standing | None) -> str:
    """By whose word it began to decide in the present epoch, when and why; empty where by what was proven."""
    history = read_deployments(connection, number)
    opened = next(found for found in history if found.epoch == history[-1].epoch)
    word = opened if standing is None else standing.word
    if word is None or word.level.height < Level.PARTIAL.height:
        return ""
    event = event_of(connection, number, word.revision)
    return f"the word of {event.actor} on {day(event.at)} (“{msgspec.json.decode(event.body)['reasons'][-1]}”)"


def count_decided(connection: sa.Connection, number: int, history: Sequence[Deployment], now: int) -> Decided:
    """How many of the newest cases it decided by itself, of those that came under what is deployed now."""
    first = history[-1]
    for deployed in reversed(history):
        if decides(deployed) != decides(history[-1]):
            break
        first = deployed
    mine = (cases.c.task == number, cases.c.received_at > now - WITHIN, cases.c.revision >= first.revision)
    newest = sa.select(cases.c.received_at, cases.c.decided_by).where(*mine)
    some = newest.order_by(cases.c.received_at.desc()).limit(MOST).subquery()
    alone = sa.func.sum(sa.case((some.c.decided_by == Decider.MODEL.value, 1), else_=0))
    count, model, since = connection.execute(
        sa.select(sa.func.count(), alone, sa.func.min(some.c.received_at)).select_from(some)
    ).one()
    began = event_of(connection, number, first.revision).at if since is None else since
    return Decided(cases=count, alone=int(model or 0), since=day(began))


def decides(deployed: Deployment) -> tuple[object, ...]:
    """What of a deployment says how much it decides by itself."""
    return deployed.level, deployed.champion, deployed.thresholds, deployed.strange_limit, deployed.paused


def read_budget(connection: sa.Connection, number: int, now: int) -> Budgeted | None:
    """What automation may have cost this year; None where nothing was folded yet.

    An account that is spent has ended with a step down: what it may have cost is known then.
    """
    accounts, state = read_accounts(connection, number), read_state(connection, budget_key(number))
    if not accounts:
        return None
    states = fold_page(read_budgets(state) if state else (), accounts, [])
    years = {account.year for account in accounts}
    year = max(found for found in years if found <= year_of(now)) if min(years) <= year_of(now) else max(years)
    found = [spent(kept, one.plan) for one, kept in zip(accounts, states, strict=True) if one.year == year]
    late = sa.select(cases.c.seq).where(
        cases.c.task == number,
        cases.c.seq > read_settled(connection, number),
        cases.c.decided_by == Decider.MODEL.value,
    )
    unsettled = connection.execute(sa.select(sa.func.count()).select_from(late.limit(MOST + 1).subquery())).scalar_one()
    return Budgeted(
        allowed=sum(max(one.allowed, one.errors.upper) if one.over else one.allowed for one in found),
        bound=sum(one.errors.upper for one in found),
        unsettled=min(int(unsettled), MOST),
        many=unsettled > MOST,
    )
