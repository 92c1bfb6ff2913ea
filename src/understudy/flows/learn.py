"""One batch of what has come: settle losses, fold evidence, propose and make moves, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.promise import History, Plans, make_plans
from understudy.autonomy.proposal import DOWN, Rival, Standing, brings_evidence, propose
from understudy.core.errors import ConflictError
from understudy.core.nouns import Deployment, Level, Move
from understudy.evidence.budget import BudgetState, fold_budget, spent
from understudy.evidence.change import DetectorState, alarmed, fold_detector, open_detector
from understudy.evidence.gate import GateState, certified, fold_gate, how_far
from understudy.flows.alarms import raise_alarms
from understudy.flows.gates import begin_gate, gate_rows, least_looks, read_history
from understudy.flows.head import Head, Library, load_head
from understudy.flows.labels import retrain_reason
from understudy.flows.rivals import Duel, compare, read_rival_plans, replay_rival
from understudy.flows.settle import settle
from understudy.flows.workspace import Workspace
from understudy.store.counts import automated_per_year
from understudy.store.database import lock_task
from understudy.store.ledger import Entry, Key, State, drop_states, each_page, keep_state, read_state
from understudy.store.registry import current, move_to, read_deployments
from understudy.store.tasks import read_task

PAGE = 5000
STEWARD = "steward"
"""Who makes the moves that the evidence asks for, in the log."""


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is folded for the champion of an epoch."""

    gate: GateState | None
    budget: BudgetState
    detector: DetectorState
    settled: int = 0
    looked: int = 0
    errors: float = 0.0


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A move that waits for a person, and the deployment that it was proposed for."""

    move: Move
    revision: int
    at: int


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass came to.

    Attributes
    ----------
    settled : int
        Cases whose losses were written.
    standing : Standing, optional
        What the evidence says; None where there is no champion.
    made, proposed : Move, optional
        The last move that was made, and the one that waits for a person.
    rivals : tuple of Rival
        What it says of the challengers.
    alarms : tuple of str
        What was noticed now and needs somebody's eyes.
    due : str
        Why a new version is to be trained; empty where it is not.
    """

    settled: int
    standing: Standing | None
    made: Move | None
    proposed: Move | None
    rivals: tuple[Rival, ...] = ()
    alarms: tuple[str, ...] = ()
    due: str = ""


def learn(library: Library, name: str, *, may: Callable[[sa.Connection], bool] = lambda _: True) -> Learned:
    """Take in what has come for a task. Doing it again without anything new changes nothing.

    Parameters
    ----------
    library : Library
    name : str
    may : callable
        Asked within the transaction whether this process may still write; otherwise nothing is written.

    Raises
    ------
    ConflictError
        It may not.
    """
    head, work = load_head(library, name), library.work
    now = work.clock.now()
    with work.store.writing() as connection:
        lock_task(connection, head.number)
        if not may(connection):
            raise ConflictError("Another process is the steward now.")
        settled = settle(connection, head, now)
        alarms = raise_alarms(connection, head, actor=STEWARD, now=now)
        deployed = current(connection, head.number)
        if not deployed.champion:
            return Learned(settled=settled.cases, standing=None, made=None, proposed=None, alarms=alarms)
        plans = plans_of(connection, head, deployed, now)
        standing = stand(plans, fold(connection, head, deployed, plans, settled.corrected_from, now))
        rivals = compare(connection, head, deployed, settled.corrected_from, now)
        made, proposed = make_moves(connection, head, deployed, standing, rivals, now)
        due = retrain_reason(connection, head, now)
    return Learned(
        settled=settled.cases,
        standing=standing,
        made=made,
        proposed=proposed,
        rivals=rivals,
        alarms=alarms,
        due=due,
    )


def make_moves(
    connection: sa.Connection,
    head: Head,
    deployed: Deployment,
    standing: Standing,
    rivals: Sequence[Rival],
    now: int,
) -> tuple[Move | None, Move | None]:
    """Make the moves that need nobody, and keep the first other one for a person; what was made, and what waits."""
    key = Key(task=head.number, name="proposal")
    drop_states(connection, key, 0)
    made = None
    while (move := propose(head.task, deployed, standing, rivals)) is not None:
        if move.kind not in DOWN and head.task.autonomy.step_up != "auto":
            kept = Proposal(move=move, revision=deployed.revision, at=now)
            keep_state(connection, key, State(n=0, body=msgspec.json.encode(kept)), at=now)
            return made, move
        deployed, made = move_to(connection, head.number, move, actor=STEWARD, at=now), move
        if move.kind != "retire":  # what else the evidence says, it says of an epoch that is over
            break
        rivals = [rival for rival in rivals if rival.version in deployed.challengers]
    return made, None


def read_proposal(connection: sa.Connection, task: int) -> Proposal | None:
    """The move that waits for a person, or None."""
    state = read_state(connection, Key(task=task, name="proposal"))
    return None if state is None else msgspec.json.decode(state.body, type=Proposal)


def waits_for(work: Workspace, name: str, level: Level) -> bool:
    """Whether a move to this level waits for a person."""
    with work.store.reading() as connection:
        waiting = read_proposal(connection, read_task(connection, name).number)
    return waiting is not None and waiting.move.to.level is level


def approve(work: Workspace, name: str, *, actor: str, why: str = "") -> Deployment:
    """Make the move that waits for a person.

    Raises
    ------
    ConflictError
        Nothing waits, or something else has been deployed since it was proposed.
    """
    with work.store.writing() as connection:
        number = read_task(connection, name).number
        lock_task(connection, number)
        waiting, deployed = read_proposal(connection, number), current(connection, number)
        if waiting is None:
            raise ConflictError(f"No move waits for a person: the evidence asks for none for {name}.")
        if waiting.revision != deployed.revision:
            raise ConflictError(
                "Something else was deployed since the move was proposed.", hint="Run: understudy learn"
            )
        reasons = (*waiting.move.reasons, why or "Confirmed by hand.")
        moved = move_to(connection, number, replace(waiting.move, reasons=reasons), actor=actor, at=work.clock.now())
        drop_states(connection, Key(task=number, name="proposal"), 0)
    return moved


def plans_of(connection: sa.Connection, head: Head, deployed: Deployment, now: int) -> Plans:
    """The plans of the present epoch: fixed when they are first asked for, and the same ever after."""
    key = Key(task=head.number, name="plans", version=deployed.champion, epoch=deployed.epoch)
    state = read_state(connection, key)
    if state is not None:
        return msgspec.json.decode(state.body, type=Plans)
    history = read_history(connection, head, deployed, deployed.champion)
    volume = automated_per_year(connection, head.number, now=now)
    plans = make_plans(head.task, deployed.epoch, history, volume)
    if brings_evidence(read_deployments(connection, head.number), deployed):
        earned = read_rival_plans(connection, head, deployed.champion, deployed.epoch - 1)
        plans = plans if earned is None else replace(plans, gate=earned.gate)
    keep_state(connection, key, State(n=0, body=msgspec.json.encode(plans)), at=now)
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
    key = Key(task=head.number, name="folded", version=deployed.champion, epoch=deployed.epoch)
    if corrected_from is not None:
        drop_states(connection, key, corrected_from)
    state = read_state(connection, key)
    if state is None:
        folded, after = begin(plans, read_history(connection, head, deployed, deployed.champion)), 0
    else:
        folded, after = msgspec.json.decode(state.body, type=Folded), state.n
    least = least_looks(connection, head)
    for page in champion_pages(connection, head, deployed, after):
        folded = fold_entries(folded, plans, page, least)
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


def begin(plans: Plans, history: History) -> Folded:
    """The evidence before the first case: history bets first, capped."""
    gate = begin_gate(plans.gate, history)
    return Folded(gate=gate, budget=BudgetState(), detector=open_detector(plans.detector))


def fold_entries(folded: Folded, plans: Plans, entries: Sequence[Entry], least: dict[int, float]) -> Folded:
    """The evidence with these entries of its version and epoch added, in their order."""
    automated = [entry for entry in entries if entry.automated]
    gate = folded.gate
    if gate is not None and plans.gate is not None:
        gate = fold_gate(gate, plans.gate, gate_rows(plans.gate, entries, least))
    lost = np.array([np.nan if entry.loss is None else entry.loss for entry in automated], dtype=np.float64)
    chance = np.array([entry.propensity for entry in automated], dtype=np.float64)
    looks = [entry.loss for entry in entries if entry.loss is not None]
    return Folded(
        gate=gate,
        budget=fold_budget(folded.budget, plans.budget, lost, chance),
        detector=fold_detector(folded.detector, plans.detector, lost, np.ones(len(lost))),
        settled=folded.settled + len(entries),
        looked=folded.looked + len(looks),
        errors=folded.errors + sum(looks),
    )


def stand(plans: Plans, folded: Folded) -> Standing:
    """What the evidence says."""
    gate, plan = folded.gate, plans.gate
    return Standing(
        certified={} if gate is None or plan is None else certified(gate, plan),
        distances={} if gate is None or plan is None else how_far(gate, plan),
        budget=spent(folded.budget, plans.budget),
        alarm=alarmed(folded.detector),
        settled=folded.settled,
        looked=folded.looked,
        errors=folded.errors,
    )


def replay(library: Library, name: str) -> tuple[Folded, Folded]:
    """The evidence of the present epoch as it is kept, and folded anew from the ledger; they must be equal.

    Raises
    ------
    ConflictError
        The task has no champion, or nothing has been folded yet.
    """
    head = load_head(library, name)
    with library.work.store.reading() as connection:
        deployed = current(connection, head.number)
        key = Key(task=head.number, name="folded", version=deployed.champion, epoch=deployed.epoch)
        kept, planned = read_state(connection, key), read_state(connection, replace(key, name="plans"))
        if kept is None or planned is None:
            raise ConflictError(f"Nothing has been folded for {name} in this epoch yet.")
        plans = msgspec.json.decode(planned.body, type=Plans)
        least = least_looks(connection, head)
        folded = begin(plans, read_history(connection, head, deployed, deployed.champion))
        for page in champion_pages(connection, head, deployed, 0):
            folded = fold_entries(folded, plans, page, least)
    return msgspec.json.decode(kept.body, type=Folded), folded


def replay_rivals(library: Library, name: str) -> dict[str, tuple[Duel, Duel]]:
    """For each challenger its evidence as it is kept, and folded anew from the ledger; they must be equal."""
    head = load_head(library, name)
    with library.work.store.reading() as connection:
        deployed = current(connection, head.number)
        found = {version: replay_rival(connection, head, deployed, version) for version in deployed.challengers}
    return {version: both for version, both in found.items() if both is not None}
