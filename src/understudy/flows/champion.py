"""The evidence about the champion of an epoch: its gate, its detector, and what its looks say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.challengers import brings_evidence
from understudy.autonomy.promise import History, Plans, make_plans
from understudy.autonomy.watch import Watch, fold_watch
from understudy.core.nouns import Deployment
from understudy.evidence.betting import running
from understudy.evidence.change import DetectorState, fold_detector, open_detector
from understudy.evidence.gate import GateState, fold_gate
from understudy.flows.gates import begin_gate, gate_rows, least_looks, read_history
from understudy.flows.head import Head
from understudy.flows.rivals import PAGE, read_rival_plans
from understudy.store.counts import cases_per_year
from understudy.store.ledger import Entry, Key, State, drop_states, each_page, keep_state, read_state
from understudy.store.registry import read_deployments

FOLDED, PLANNED = "folded", "plans"

Stance = tuple[float, bool]
"""An audit rate, and whether thresholds were raised by a suspicion."""


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is folded for the champion of an epoch."""

    gate: GateState | None
    detector: DetectorState
    watch: Watch = Watch()
    settled: int = 0
    looked: int = 0
    errors: float = 0.0


def champion_key(task: int, name: str, deployed: Deployment) -> Key:
    """Where a state of the present epoch is kept."""
    return Key(task=task, name=name, version=deployed.champion, epoch=deployed.epoch)


def read_plans(connection: sa.Connection, task: int, deployed: Deployment) -> Plans | None:
    """The plans of the present epoch, if they were made."""
    state = read_state(connection, champion_key(task, PLANNED, deployed))
    return None if state is None else msgspec.json.decode(state.body, type=Plans)


def read_folded(connection: sa.Connection, task: int, deployed: Deployment) -> Folded | None:
    """The evidence of the present epoch as it is kept."""
    state = read_state(connection, champion_key(task, FOLDED, deployed))
    return None if state is None else msgspec.json.decode(state.body, type=Folded)


def plans_of(connection: sa.Connection, head: Head, deployed: Deployment, now: int) -> Plans:
    """The plans of the present epoch: fixed when they are first asked for, and the same ever after."""
    known = read_plans(connection, head.number, deployed)
    if known is not None:
        return known
    history = read_history(connection, head, deployed, deployed.champion)
    volume = cases_per_year(connection, head.number, now=now)
    plans = make_plans(head.task, deployed.epoch, history, volume)
    if brings_evidence(read_deployments(connection, head.number), deployed):
        earned = read_rival_plans(connection, head, deployed.champion, deployed.epoch - 1)
        plans = plans if earned is None else replace(plans, gate=earned.gate)
    body = msgspec.json.encode(plans)
    keep_state(connection, champion_key(head.number, PLANNED, deployed), State(n=0, body=body), at=now)
    return plans


def fold(
    connection: sa.Connection,
    head: Head,
    deployed: Deployment,
    plans: Plans,
    corrected_from: int | None,
    now: int,
) -> Folded:
    """The evidence of the present epoch, with everything that the ledger holds; from the last state that still does."""
    key = champion_key(head.number, FOLDED, deployed)
    if corrected_from is not None:
        drop_states(connection, key, corrected_from)
    state = read_state(connection, key)
    if state is None:
        folded, after = begin(plans, read_history(connection, head, deployed, deployed.champion)), 0
    else:
        folded, after = msgspec.json.decode(state.body, type=Folded), state.n
    least, stances = least_looks(connection, head), read_stances(connection, head.number)
    for page in champion_pages(connection, head, deployed, after):
        folded = fold_entries(folded, plans, page, least, stances)
        body = msgspec.json.encode(folded)
        keep_state(connection, key, State(n=page[-1].place, body=body), at=now)
    return folded


def champion_pages(connection: sa.Connection, head: Head, deployed: Deployment, after: int) -> Iterator[list[Entry]]:
    """The champion's entries after a place, page by page: those that it earned as a challenger come first, if any.

    They all stand before those of the present epoch: places follow the order in which cases were decided.
    """
    epochs = [deployed.epoch]
    if brings_evidence(read_deployments(connection, head.number), deployed):
        epochs.insert(0, deployed.epoch - 1)
    for epoch in epochs:
        yield from each_page(connection, head.number, deployed.champion, epoch, after=after, size=PAGE)


def read_stances(connection: sa.Connection, task: int) -> dict[int, Stance]:
    """The audit rate, and whether thresholds were raised by a suspicion, by the revision of the deployment."""
    return {found.revision: (found.audit_rate, bool(found.raised_from)) for found in read_deployments(connection, task)}


def begin(plans: Plans, history: History) -> Folded:
    """The evidence before the first case: history bets first, capped."""
    return Folded(gate=begin_gate(plans.gate, history), detector=open_detector(plans.detector))


def fold_entries(
    folded: Folded, plans: Plans, entries: Sequence[Entry], least: dict[int, float], stances: dict[int, Stance]
) -> Folded:
    """The evidence with these entries of its version and epoch added, in their order."""
    automated = [entry for entry in entries if entry.automated]
    gate = folded.gate
    if gate is not None and plans.gate is not None:
        gate = fold_gate(gate, plans.gate, gate_rows(plans.gate, entries, least))
    lost = as_array(entry.loss for entry in automated)
    looked = [stances[entry.revision] for entry in automated if entry.loss is not None]
    rate, raised = as_array(rate for rate, _ in looked), np.array([raised for _, raised in looked], dtype=bool)
    looks = as_array(entry.loss for entry in entries if entry.loss is not None)
    return Folded(
        gate=gate,
        detector=fold_detector(folded.detector, plans.detector, lost, np.ones(len(lost))),
        watch=fold_watch(folded.watch, rate, raised, lost[~np.isnan(lost)]),
        settled=folded.settled + len(entries),
        looked=folded.looked + len(looks),
        errors=float(running(np.array(folded.errors), looks)[-1]) if len(looks) else folded.errors,
    )


def as_array(values: Iterator[float | None]) -> np.ndarray:
    """Numbers as an array, NaN where there is none."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def replay_champion(connection: sa.Connection, head: Head, deployed: Deployment) -> tuple[Folded, Folded] | None:
    """The evidence of the present epoch as it is kept, and folded anew from the ledger; None where there is none."""
    kept, plans = read_folded(connection, head.number, deployed), read_plans(connection, head.number, deployed)
    if kept is None or plans is None:
        return None
    least, stances = least_looks(connection, head), read_stances(connection, head.number)
    folded = begin(plans, read_history(connection, head, deployed, deployed.champion))
    for page in champion_pages(connection, head, deployed, 0):
        folded = fold_entries(folded, plans, page, least, stances)
    return kept, folded
