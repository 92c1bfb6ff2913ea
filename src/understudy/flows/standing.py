"""How a task stands: what the folded evidence says, put together for the ladder and for people."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from understudy.autonomy.challengers import given_word
from understudy.autonomy.groups import by_cell, cell, groups_of, places
from understudy.autonomy.noticing import noticing_at, noticing_text
from understudy.autonomy.promise import Plans, outcomes_tell
from understudy.autonomy.standing import Standing, far_off
from understudy.autonomy.thresholds import certified_rungs
from understudy.autonomy.truth import untold
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Task
from understudy.evidence.change import alarmed
from understudy.evidence.gate import GatePlan, certified, how_far
from understudy.flows.accounts import Spending, read_spending
from understudy.flows.champion import Folded, read_folded, read_plans
from understudy.flows.today import read_today
from understudy.store.counts import automated_per_year
from understudy.store.registry import read_deployments


def make_standing(
    connection: sa.Connection,
    task: Task,
    number: int,
    deployed: Deployment,
    *,
    plans: Plans,
    folded: Folded,
    spending: Spending | None,
    today: Evidence | None,
    answers: Sequence[str],
    wanted: float = 1.0,
) -> Standing:
    """What the evidence says of the champion.

    Parameters
    ----------
    connection : sa.Connection
    task : Task
    number : int
        The task's.
    deployed : Deployment
    plans, folded
        Of the champion, in this epoch.
    spending : Spending, optional
    today : Evidence, optional
    answers : sequence of str
        Those that the machine may give by itself; empty where any, or numbers.
    wanted : float
        The audit rate for calm times.
    """
    gate, plan = folded.gate, plans.gate
    found = {} if gate is None or plan is None else certified(gate, plan)
    sides = {} if plan is None else dict(zip(plan.sides, plan.grid, strict=True))
    return Standing(
        certified={} if plan is None else by_cell(plan, found),
        rungs={} if gate is None or plan is None else certified_rungs(plan, gate),
        word=given_word(read_deployments(connection, number), deployed),
        distances={} if gate is None or plan is None else how_far(gate, plan),
        whole=bool(sides) and all(found.get(name) == grid[-1] for name, grid in sides.items()),
        silent=tuple(answer for answer in answers if plan is None or is_silent(plan, answer)),
        budget=None if spending is None else spending.spent,
        room=0.0 if spending is None else spending.room,
        alarm=alarmed(folded.detector),
        watch=folded.watch,
        wanted=wanted,
        today=today,
        untold=untold(task),
        settled=folded.settled,
        looked=folded.looked,
        errors=folded.errors,
    )


def is_silent(plan: GatePlan, answer: str) -> bool:
    """Whether nothing is known of an answer, in all or for some group."""
    known = places(plan)
    return not all(cell(answer, group) in known for group in groups_of(plan) or ("",))


def read_standing(connection: sa.Connection, task: Task, number: int, deployed: Deployment) -> Standing | None:
    """What the evidence said at the last pass; None where nothing has been folded in this epoch."""
    plans, folded = read_plans(connection, number, deployed), read_folded(connection, number, deployed)
    if plans is None or folded is None:
        return None
    spending, today = read_spending(connection, number), read_today(connection, task, number, deployed)
    return make_standing(
        connection,
        task,
        number,
        deployed,
        plans=plans,
        folded=folded,
        spending=spending,
        today=today,
        answers=task.mandate.allow,
    )


def read_far_off(connection: sa.Connection, task: Task, number: int, deployed: Deployment) -> tuple[str, ...]:
    """What is missing for the next step up, in sentences, by the last pass."""
    standing = read_standing(connection, task, number, deployed)
    return () if standing is None else far_off(task, deployed, standing)


def read_noticing(
    connection: sa.Connection, task: Task, number: int, deployed: Deployment, now: int
) -> tuple[str, ...]:
    """How soon a doubling of the risk would be noticed at the present audit rate, by the cases of the last 30 days."""
    plans, volume = read_plans(connection, number, deployed), automated_per_year(connection, number, now=now)
    if plans is None or not volume or deployed.level.height < Level.PARTIAL.height or outcomes_tell(task):
        return ()
    found = noticing_at(task, plans.detector, rate=deployed.audit_rate, volume_per_year=volume)
    return noticing_text(task, found)
