"""Which cases a look-back is about: those that the machine decided since the world may have changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import sqlalchemy as sa

from understudy.autonomy.accounts import Account
from understudy.autonomy.challengers import brings_evidence
from understudy.autonomy.lookback import ALARM, BUDGET, ESTIMATE, SUSPICION, worst_beginning
from understudy.core.nouns import Deployment, Level
from understudy.evidence.budget import spent
from understudy.evidence.change import alarmed, change_began
from understudy.flows.accounts import budget_key, fold_page, read_accounts, read_budgets
from understudy.flows.champion import read_folded
from understudy.flows.drift import read_suspicion
from understudy.flows.settle import read_settled
from understudy.store.ledger import read_state
from understudy.store.registry import read_deployments
from understudy.store.schema import cases, events, losses

OPENED = "lookback.opened"
LAST = 2**62
"""Above the numbers of all cases."""

PARTS = (20_000, 200_000, LAST)
"""So many of an account's newest cases are read until the stretch in which it was spent lies among them."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Cases that the machine decided by itself, from one on.

    Attributes
    ----------
    moved : int, optional
        The deployment that ended it by a step down; None while the machine decides.
    upto : int
        The last deployment whose cases belong to it.
    first : int
        The number from which cases belong to it.
    why : {"budget", "alarm", "suspicion", "estimate"}
        Where the beginning comes from.
    """

    moved: int | None
    upto: int
    first: int
    why: str


def find_stretch(connection: sa.Connection, task: int) -> Stretch | None:
    """The newest stretch: up to the last step down, or up to now while the machine decides; None if it never did.

    After a step down it is the one that the event log tells of, if it does: what was suspected then may be forgotten.
    """
    history, moved = last_automation(connection, task)
    if not history:
        return None
    told = None if moved is None else read_opened(connection, task, moved)
    return begin_stretch(connection, task, history, moved) if told is None else told


def last_automation(connection: sa.Connection, task: int) -> tuple[list[Deployment], int | None]:
    """Everything that was deployed up to the last time that the machine decided, and the deployment that ended it."""
    history = read_deployments(connection, task)
    automating = [place for place, found in enumerate(history) if found.level.height >= Level.PARTIAL.height]
    until = automating[-1] + 1 if automating else 0
    return history[:until], history[until].revision if 0 < until < len(history) else None


def read_opened(connection: sa.Connection, task: int, moved: int) -> Stretch | None:
    """The stretch that the event log tells of for a step down, or None."""
    bodies = sa.select(events.c.body).where(events.c.task == task, events.c.kind == OPENED)
    found = (
        msgspec.json.decode(body, type=Stretch)
        for body in connection.execute(bodies.order_by(events.c.seq.desc())).scalars()
    )
    return next((stretch for stretch in found if stretch.moved == moved), None)


def begin_stretch(connection: sa.Connection, task: int, history: Sequence[Deployment], moved: int | None) -> Stretch:
    """The stretch that ends with the last of these deployments, by what the evidence says of its beginning.

    What is proven counts before what is suspected, and that before an estimate.
    """
    deployed = history[-1]
    worst = spent_from(connection, task, first_of_run(connection, task, history))
    changed, proven = changed_from(connection, task, history)
    suspicion = read_suspicion(connection, task, deployed.champion)
    if worst is not None:
        why, first = (ALARM, changed) if proven and changed < worst else (BUDGET, worst)
    elif proven:
        why, first = ALARM, changed
    elif suspicion is not None:
        why, first = SUSPICION, min(suspicion.first, changed)
    else:
        why, first = ESTIMATE, changed
    return Stretch(moved=moved, upto=deployed.revision, first=after_last_look(connection, task, first), why=why)


def first_of_run(connection: sa.Connection, task: int, history: Sequence[Deployment]) -> int:
    """The number of the first case since the machine last began to decide; above all where none has come."""
    run = deployed = history[-1]
    for deployed in reversed(history):
        if deployed.level.height < Level.PARTIAL.height:
            break
        run = deployed
    query = sa.select(sa.func.min(cases.c.seq)).where(cases.c.task == task, cases.c.revision >= run.revision)
    return int(connection.execute(query).scalar_one() or LAST)


def holds() -> sa.ColumnElement[bool]:
    """The condition that a row of the ledger is the last one at its place."""
    later = losses.alias("later")
    same = (later.c.task == losses.c.task, later.c.place == losses.c.place, later.c.n > losses.c.n)
    return ~sa.exists().where(*same)


def changed_from(connection: sa.Connection, task: int, history: Sequence[Deployment]) -> tuple[int, bool]:
    """The first case after the change by the champion's detector, and whether it has alarmed.

    Where it has seen no case after that, the first one that is not settled.
    """
    deployed = history[-1]
    folded = read_folded(connection, task, deployed)
    began = 0 if folded is None else change_began(folded.detector)
    epochs = [deployed.epoch, *([deployed.epoch - 1] if brings_evidence(history, deployed) else [])]
    mine = (losses.c.task == task, losses.c.version == deployed.champion, losses.c.epoch.in_(epochs))
    rows = sa.select(losses.c.case_seq).where(*mine, losses.c.automated, losses.c.n == losses.c.place)
    found = connection.execute(rows.order_by(losses.c.place).offset(began).limit(1)).scalar_one_or_none()
    first = read_settled(connection, task) + 1 if found is None else int(found)
    return first, folded is not None and alarmed(folded.detector)


def spent_from(connection: sa.Connection, task: int, run: int) -> int | None:
    """The first case of the stretch in which an account was spent; None where none was in this run of automation.

    Parameters
    ----------
    connection : sa.Connection
    task : int
    run : int
        The first case of the run. An account that was found spent before it was answered by a step down then.
    """
    accounts, state = read_accounts(connection, task), read_state(connection, budget_key(task))
    states = fold_page(read_budgets(state) if state else (), accounts, [])
    answered = {place: account.first for account in accounts for place in account.answered}
    found = [
        worst_from(connection, task, accounts, place, kept.climb)
        for place, (account, kept) in enumerate(zip(accounts, states, strict=True))
        if spent(kept, account.plan).over and answered.get(place, run + 1) > run
    ]
    return min(found, default=None)


def worst_from(connection: sa.Connection, task: int, accounts: Sequence[Account], place: int, climb: float) -> int:
    """The first case of the stretch in which an account climbed as high as is known."""
    account = accounts[place]
    until = accounts[place + 1].first if place + 1 < len(accounts) else LAST
    own = (losses.c.task == task, losses.c.automated, losses.c.case_seq >= account.first, losses.c.case_seq < until)
    query = sa.select(losses.c.case_seq, losses.c.loss, losses.c.propensity).where(*own, holds())
    for most in PARTS:
        rows = connection.execute(query.order_by(losses.c.place.desc()).limit(most)).all()[::-1]
        loss, propensity = (np.array([row[column] for row in rows], dtype=np.float64) for column in (1, 2))
        begin, found = worst_beginning(account.plan, loss, propensity)
        if found >= climb - 1e-6 or len(rows) < most:
            break
    return int(rows[begin].case_seq) if begin < len(rows) else read_settled(connection, task) + 1


def after_last_look(connection: sa.Connection, task: int, first: int) -> int:
    """The number after the last look before a case, or that with which its account of the error budget begins.

    Up to there nothing was looked at and forgotten: only such beginnings have bounds.
    """
    since = first_of_account(connection, task, first)
    looks = (losses.c.task == task, losses.c.automated, losses.c.loss.is_not(None), losses.c.case_seq < first)
    query = sa.select(sa.func.max(losses.c.case_seq)).where(*looks, losses.c.case_seq >= since, holds())
    return max(since, 1 + int(connection.execute(query).scalar_one() or -1))


def first_of_account(connection: sa.Connection, task: int, case: int) -> int:
    """The first case of the account of the error budget to which a case belongs; 0 where there is none."""
    begun = [account.first for account in read_accounts(connection, task) if account.first <= case]
    return begun[-1] if begun else 0
