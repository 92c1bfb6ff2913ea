"""One batch of what has come: settle losses, fold evidence, propose and make moves, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.challengers import Rival
from understudy.autonomy.promise import wanted_audit_rate
from understudy.autonomy.proposal import propose, waits
from understudy.autonomy.standing import Standing
from understudy.core.errors import ConflictError
from understudy.core.nouns import Deployment, Level, Move
from understudy.evidence.budget import BudgetState
from understudy.evidence.pairs import PairState
from understudy.flows.accounts import keep_accounts, replay_budget
from understudy.flows.alarms import raise_alarms
from understudy.flows.capacity import expected_automated, foreseen
from understudy.flows.champion import Folded, fold, plans_of, replay_champion
from understudy.flows.drift import suspected, watch_inputs
from understudy.flows.gates import least_looks
from understudy.flows.head import Head, Library, load_head
from understudy.flows.labels import retrain_reason
from understudy.flows.lookback import open_lookback, told_lookback
from understudy.flows.people import watch_people
from understudy.flows.rivals import Duel, compare, replay_rival
from understudy.flows.settle import settle
from understudy.flows.standing import make_standing
from understudy.flows.today import compare_today, replay_today
from understudy.flows.traffic import share_traffic
from understudy.flows.trial import watch_trial
from understudy.flows.workspace import Workspace
from understudy.store.database import lock_task
from understudy.store.ledger import Key, State, drop_states, keep_state, read_state
from understudy.store.registry import current, move_to
from understudy.store.tasks import read_task

STEWARD = "steward"
"""Who makes the moves that the evidence asks for, in the log."""

MOST_MOVES = 10
"""No pass makes more; what else is asked for waits for the next."""


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
        standing = stand(connection, head, deployed, settled.corrected_from, now)
        standing = replace(standing, suspicions=suspected(connection, head.number, deployed.champion))
        rivals = compare(connection, head, deployed, settled.corrected_from, now)
        deployed = share_traffic(connection, head, deployed, rivals, settled.corrected_from, now, actor=STEWARD)
        split = watch_trial(connection, head, deployed, settled.corrected_from, now, actor=STEWARD)
        made, proposed = make_moves(connection, head, deployed, standing, rivals, now)
        open_lookback(connection, head.task, head.number, actor=STEWARD, now=now)
        due = retrain_reason(connection, head, now)
    drifted = watch_inputs(head, actor=STEWARD, now=now, may=may)
    watch_people(head, now=now, may=may)
    return Learned(
        settled=settled.cases,
        standing=standing,
        made=made,
        proposed=proposed,
        rivals=rivals,
        alarms=(*alarms, *split, *drifted),
        due=due,
    )


def stand(
    connection: sa.Connection, head: Head, deployed: Deployment, corrected_from: int | None, now: int
) -> Standing:
    """What the evidence says of the champion, with everything that the ledger holds."""
    plans = plans_of(connection, head, deployed, now)
    folded = fold(connection, head, deployed, plans, corrected_from, now)
    spending = keep_accounts(connection, head, corrected_from, now, actor=STEWARD)
    least = least_looks(connection, head)
    today = compare_today(connection, head.task, head.number, deployed, least, corrected_from, now)
    answers = head.task.mandate.allow or head.labels
    return make_standing(
        connection,
        head.task,
        head.number,
        deployed,
        plans=plans,
        folded=folded,
        spending=spending,
        today=today,
        answers=answers,
        wanted=calm_rate(connection, head, deployed, now),
    )


def calm_rate(connection: sa.Connection, head: Head, deployed: Deployment, now: int) -> float:
    """The audit rate for calm times; 1 where nothing is automated."""
    if deployed.level.height < Level.PARTIAL.height:
        return 1.0
    return wanted_audit_rate(head.task, expected_automated(connection, head, deployed, now))


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
    for _ in range(MOST_MOVES):
        move = propose(head.task, deployed, standing, rivals)
        if move is None:
            break
        move = told_lookback(connection, head.task, head.number, deployed, move)
        move = foreseen(connection, head, deployed, move, now)
        if waits(head.task, deployed, move):
            kept = Proposal(move=move, revision=deployed.revision, at=now)
            keep_state(connection, key, State(n=0, body=msgspec.json.encode(kept)), at=now)
            return made, move
        before, made = deployed, move
        deployed = move_to(connection, head.number, move, actor=STEWARD, at=now)
        if deployed.epoch != before.epoch:  # what else the evidence says, it says of an epoch that is over
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


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is folded for a champion, and for its task."""

    champion: Folded
    budget: tuple[BudgetState, ...]
    today: PairState | None


def replay(library: Library, name: str) -> tuple[Evidence, Evidence]:
    """The evidence of the present epoch as it is kept, and folded anew from the ledger; they must be equal.

    Raises
    ------
    ConflictError
        The task has no champion, or nothing has been folded yet.
    """
    head = load_head(library, name)
    with library.work.store.reading() as connection:
        deployed = current(connection, head.number)
        champion = replay_champion(connection, head, deployed)
        if champion is None:
            raise ConflictError(f"Nothing has been folded for {name} in this epoch yet.")
        budget = replay_budget(connection, head.number)
        least = least_looks(connection, head)
        today = replay_today(connection, head.task, head.number, deployed, least) or (None, None)
    return (
        Evidence(champion=champion[0], budget=budget[0], today=today[0]),
        Evidence(champion=champion[1], budget=budget[1], today=today[1]),
    )


def replay_rivals(library: Library, name: str) -> dict[str, tuple[Duel, Duel]]:
    """For each challenger its evidence as it is kept, and folded anew from the ledger; they must be equal."""
    head = load_head(library, name)
    with library.work.store.reading() as connection:
        deployed = current(connection, head.number)
        found = {version: replay_rival(connection, head, deployed, version) for version in deployed.challengers}
    return {version: both for version, both in found.items() if both is not None}
