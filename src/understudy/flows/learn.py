"""One batch of what has come: settle losses, fold evidence, propose and make moves, in one transaction."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.promise import History, Plans, least_propensity, make_plans
from understudy.autonomy.proposal import DOWN, Standing, propose
from understudy.autonomy.router import EVERY_ANSWER
from understudy.autonomy.truth import Truth, loss
from understudy.core.errors import ConflictError
from understudy.core.nouns import Deployment, Move
from understudy.evidence.budget import BudgetState, fold_budget, spent
from understudy.evidence.change import DetectorState, alarmed, fold_detector, open_detector
from understudy.evidence.gate import GateState, Rows, certified, fold_gate, how_far, open_gate, warm_start
from understudy.flows.head import Head, Library, load_head
from understudy.flows.settle import settle
from understudy.flows.workspace import Workspace
from understudy.store.counts import automated_per_year
from understudy.store.database import lock_task
from understudy.store.ledger import Entry, Key, State, drop_states, each_page, keep_state, read_state
from understudy.store.registry import current, find_version, move_to, read_deployments
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
        The move that was made, and the one that waits for a person.
    """

    settled: int
    standing: Standing | None
    made: Move | None
    proposed: Move | None


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
        deployed = current(connection, head.number)
        if not deployed.champion:
            return Learned(settled=settled.cases, standing=None, made=None, proposed=None)
        plans = plans_of(connection, head, deployed, now)
        folded = fold(connection, head, deployed, plans, settled.corrected_from, now)
        standing = stand(plans, folded)
        move = propose(head.task, deployed, standing)
        made, proposed = decide_move(connection, head, deployed, move, now)
    return Learned(settled=settled.cases, standing=standing, made=made, proposed=proposed)


def decide_move(
    connection: sa.Connection, head: Head, deployed: Deployment, move: Move | None, now: int
) -> tuple[Move | None, Move | None]:
    """Make a move that needs nobody, or keep it for a person; what was made, and what waits."""
    key = Key(task=head.number, name="proposal")
    drop_states(connection, key, 0)
    if move is None:
        return None, None
    if move.kind in DOWN or head.task.autonomy.step_up == "auto":
        move_to(connection, head.number, move, actor=STEWARD, at=now)
        return move, None
    kept = Proposal(move=move, revision=deployed.revision, at=now)
    keep_state(connection, key, State(n=0, body=msgspec.json.encode(kept)), at=now)
    return None, move


def read_proposal(connection: sa.Connection, task: int) -> Proposal | None:
    """The move that waits for a person, or None."""
    state = read_state(connection, Key(task=task, name="proposal"))
    return None if state is None else msgspec.json.decode(state.body, type=Proposal)


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
    history = read_history(connection, head, deployed)
    volume = automated_per_year(connection, head.number, now=now)
    plans = make_plans(head.task, deployed.epoch, history, volume)
    keep_state(connection, key, State(n=0, body=msgspec.json.encode(plans)), at=now)
    return plans


def read_history(connection: sa.Connection, head: Head, deployed: Deployment) -> History:
    """The champion's held-out rows that it would be allowed to decide."""
    record = find_version(connection, head.number, deployed.champion)
    table = pl.read_parquet(io.BytesIO(head.library.work.artifacts.get(record.beside["history.parquet"])))
    allow = head.task.mandate.allow
    table = table.filter(pl.col("strangeness") <= deployed.strange_limit)
    if allow:
        table = table.filter(pl.col("prediction").is_in(allow))
    costs = [
        loss(head.task, said, Truth(source="outcome", label=label, propensity=1.0))
        for said, label in table.select("prediction", "label").iter_rows()
    ]
    one_side = head.task.decision.kind == "regression"
    return History(
        side=np.array([EVERY_ANSWER] * table.height if one_side else table["prediction"].to_list(), dtype=object),
        confidence=table["confidence"].to_numpy(),
        loss=np.array(costs, dtype=np.float64),
    )


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
        folded, after = begin(plans, read_history(connection, head, deployed)), 0
    else:
        folded, after = msgspec.json.decode(state.body, type=Folded), state.n
    least = {found.revision: least_propensity(head.task, found) for found in read_deployments(connection, head.number)}
    pages = each_page(connection, head.number, deployed.champion, deployed.epoch, after=after, size=PAGE)
    for page in pages:
        folded = fold_entries(folded, plans, page, least)
        body = msgspec.json.encode(folded)
        keep_state(connection, key, State(n=page[-1].place, body=body), at=now)
    return folded


def begin(plans: Plans, history: History) -> Folded:
    """The evidence before the first case: history bets first, capped."""
    gate = None
    if plans.gate is not None:
        rows = Rows(
            side=np.array([plans.gate.sides.index(side) for side in history.side], dtype=np.int64),
            confidence=history.confidence,
            loss=history.loss,
            weight=np.ones(len(history.loss)),
        )
        gate = warm_start(plans.gate, rows) if len(history.loss) else open_gate(plans.gate)
    return Folded(gate=gate, budget=BudgetState(), detector=open_detector(plans.detector))


def fold_entries(folded: Folded, plans: Plans, entries: Sequence[Entry], least: dict[int, float]) -> Folded:
    """The evidence with these entries of its version and epoch added, in their order."""
    automated = [entry for entry in entries if entry.automated]
    gate = folded.gate
    if gate is not None and plans.gate is not None:
        gate = fold_gate(gate, plans.gate, gate_rows(plans, entries, least))
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


def gate_rows(plans: Plans, entries: Sequence[Entry], least: dict[int, float]) -> Rows:
    """The entries that the gate counts: not strange, inside the mandate, on a side that it knows."""
    places = {side: place for place, side in enumerate(plans.gate.sides if plans.gate else ())}
    own = [entry for entry in entries if entry.eligible and entry.side in places]
    return Rows(
        side=np.array([places[entry.side] for entry in own], dtype=np.int64),
        confidence=np.array([entry.confidence for entry in own], dtype=np.float64),
        loss=np.array([np.nan if entry.loss is None else entry.loss for entry in own], dtype=np.float64),
        weight=np.array([min(1.0, least[entry.revision] / entry.propensity) for entry in own], dtype=np.float64),
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
        least = {
            found.revision: least_propensity(head.task, found) for found in read_deployments(connection, head.number)
        }
        folded = begin(plans, read_history(connection, head, deployed))
        for page in each_page(connection, head.number, deployed.champion, deployed.epoch, after=0, size=PAGE):
            folded = fold_entries(folded, plans, page, least)
    return msgspec.json.decode(kept.body, type=Folded), folded
