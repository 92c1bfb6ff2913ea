"""The evidence that the champion is no worse than what decides today: a paired comparison while it only watches."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.groups import answer_of
from understudy.autonomy.promise import today_plan
from understudy.autonomy.truth import Truth, loss, untold
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Task
from understudy.evidence.pairs import PairPlan, PairState, fold_pairs, lead, open_pairs
from understudy.flows.rivals import PAGE, Pair, differences
from understudy.flows.settle import TODAY
from understudy.store.ledger import Entry, Key, State, drop_states, each_page, keep_state, of_cases, read_state

Page = tuple[int, list[Pair]]
"""The place up to which a page goes, and its pairs: the champion's entry, and today's for the same case."""


def compare_today(
    connection: sa.Connection,
    task: Task,
    number: int,
    deployed: Deployment,
    least: dict[int, float],
    corrected_from: int | None,
    now: int,
) -> Evidence | None:
    """By how much the champion errs less than what decides today; None where it does more than watch.

    Parameters
    ----------
    connection : sa.Connection
    task : Task
    number : int
        The task's.
    deployed : Deployment
    least : dict of float
        The smallest probability of a look, by the revision of the deployment.
    corrected_from : int, optional
        The first place that a correction changed.
    now : int
    """
    key = today_key(number, deployed)
    if corrected_from is not None:
        drop_states(connection, key, corrected_from)
    if not compared(task, deployed):
        return None
    plan, state = today_plan(task, deployed.epoch), read_state(connection, key)
    pairs, after = (msgspec.json.decode(state.body, type=PairState), state.n) if state else (open_pairs(plan), 0)
    for place, page in today_pages(connection, task, number, deployed, after):
        pairs = fold_page(pairs, plan, page, task, least)
        keep_state(connection, key, State(n=place, body=msgspec.json.encode(pairs)), at=now)
    return lead(pairs, plan)


def compared(task: Task, deployed: Deployment) -> bool:
    """Whether the comparison goes on: for the step to `assist`, where anything can be told."""
    return deployed.level is Level.SHADOW and not untold(task)


def today_key(number: int, deployed: Deployment) -> Key:
    """Where the comparison of an epoch is kept."""
    return Key(task=number, name=TODAY, version=deployed.champion, epoch=deployed.epoch)


def today_pages(connection: sa.Connection, task: Task, number: int, deployed: Deployment, after: int) -> Iterator[Page]:
    """Cases that the champion could be let decide, after a place, page by page."""
    for page in each_page(connection, number, TODAY, deployed.epoch, after=after, size=PAGE):
        known = of_cases(connection, number, [entry.case_seq for entry in page])
        found = ((known.get((entry.case_seq, deployed.champion)), entry) for entry in page if entry.eligible)
        yield page[-1].place, [(alike(task, champion, today), today) for champion, today in found if champion]


def alike(task: Task, champion: Entry, today: Entry) -> Entry:
    """The champion's entry, its loss by the truth that today's decision is held against."""
    if champion.label == today.label:
        return champion
    truth = Truth(source="review", label=today.label, propensity=today.propensity)
    return replace(champion, loss=loss(task, answer_of(champion.side), truth))


def fold_page(state: PairState, plan: PairPlan, pairs: list[Pair], task: Task, least: dict[int, float]) -> PairState:
    """The comparison with these cases added, in their order."""
    difference, weight = differences(pairs, least, named=task.decision.kind == "classification")
    return fold_pairs(state, plan, difference, weight)


def read_today(connection: sa.Connection, task: Task, number: int, deployed: Deployment) -> Evidence | None:
    """The comparison as it is kept; None where there is none."""
    state = read_state(connection, today_key(number, deployed)) if compared(task, deployed) else None
    plan = today_plan(task, deployed.epoch)
    return None if state is None else lead(msgspec.json.decode(state.body, type=PairState), plan)


def replay_today(
    connection: sa.Connection, task: Task, number: int, deployed: Deployment, least: dict[int, float]
) -> tuple[PairState, PairState] | None:
    """The comparison as it is kept, and folded anew from the ledger; None where there is none."""
    state = read_state(connection, today_key(number, deployed)) if compared(task, deployed) else None
    if state is None:
        return None
    plan = today_plan(task, deployed.epoch)
    pairs = open_pairs(plan)
    for _, page in today_pages(connection, task, number, deployed, 0):
        pairs = fold_page(pairs, plan, page, task, least)
    return msgspec.json.decode(state.body, type=PairState), pairs
