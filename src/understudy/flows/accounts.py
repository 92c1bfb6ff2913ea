"""The error budget of a task: its accounts, and what automation has cost on each, whatever version decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np
import sqlalchemy as sa

from understudy.autonomy.accounts import (
    PROMISE,
    SPENT,
    WHY,
    Account,
    fold_accounts,
    open_account,
    room_used,
    unanswered,
    why_open,
)
from understudy.core.nouns import Level
from understudy.evidence.budget import BudgetState, Spent, spent
from understudy.flows.capacity import expected_automated
from understudy.flows.head import Head
from understudy.store.events import append_event
from understudy.store.ledger import COLUMNS, Entry, Key, State, drop_states, keep_state, next_number, read_state
from understudy.store.registry import current, read_deployments
from understudy.store.schema import cases, losses

PAGE = 5000
ACCOUNTS, BUDGET = "accounts", "budget"
OPENED = "budget.opened"


@dataclass(frozen=True)
class Spending:
    """How the account stands that matters now, and the share of its room that is used."""

    spent: Spent
    room: float


def keep_accounts(
    connection: sa.Connection, head: Head, corrected_from: int | None, now: int, *, actor: str
) -> Spending | None:
    """Open an account where one is due, and fold what automation has cost; None where nothing was ever automated.

    An account that is found spent is told once, and another one opens: the step down that follows ends what it covers.
    """
    accounts = open_due(connection, head, now, actor=actor)
    if not accounts:
        return None
    states = fold_budgets(connection, head.number, accounts, corrected_from, now)
    found = [spent(state, account.plan) for state, account in zip(states, accounts, strict=True)]
    over = unanswered(accounts, found)
    if over:
        first = next_case(connection, head.number)
        add_account(connection, head, accounts, SPENT, first=first, now=now, actor=actor, over=over)
    return spending(accounts, found, over)


def spending(accounts: Sequence[Account], found: Sequence[Spent], over: Sequence[int]) -> Spending:
    """How the newest account stands, or one that has just been found spent."""
    place = over[0] if over else len(accounts) - 1
    return Spending(found[place], room_used(found[place], accounts[place].plan))


def open_due(connection: sa.Connection, head: Head, now: int, *, actor: str) -> tuple[Account, ...]:
    """The accounts, with one more where the machine begins to decide, a year turns or the promise changes."""
    accounts = read_accounts(connection, head.number)
    history = () if accounts else read_deployments(connection, head.number)
    automates = any(deployed.level.height >= Level.PARTIAL.height for deployed in history)
    why = why_open(head.task, accounts, automates=automates, year=year_of(now))
    if not why:
        return accounts
    first = 0 if not accounts else next_case(connection, head.number)
    if why == PROMISE:
        first = min(first, first_under(connection, head) or first)
    return add_account(connection, head, accounts, why, first=first, now=now, actor=actor)


def add_account(
    connection: sa.Connection,
    head: Head,
    accounts: tuple[Account, ...],
    why: str,
    *,
    first: int,
    now: int,
    actor: str,
    over: Sequence[int] = (),
) -> tuple[Account, ...]:
    """The accounts with one more, which the event log tells."""
    volume = expected_automated(connection, head, current(connection, head.number), now)
    account = open_account(head.task, accounts, why, first=first, year=year_of(now), volume=volume, spent=over)
    found = (*accounts, account)
    body = {"reason": WHY[why], "year": account.year, "number": account.number, "plan": account.plan}
    append_event(connection, head.number, at=now, actor=actor, kind=OPENED, body=body)
    keep_state(connection, accounts_key(head.number), State(n=0, body=msgspec.json.encode(found)), at=now)
    return found


def year_of(now: int) -> int:
    """The calendar year, by UTC."""
    return datetime.fromtimestamp(now / 1e6, UTC).year


def next_case(connection: sa.Connection, task: int) -> int:
    """A number above those of all cases that have come; later ones are not below it."""
    newest = sa.select(cases.c.seq).where(cases.c.task == task).order_by(cases.c.seq.desc()).limit(1)
    settled = sa.select(sa.func.max(losses.c.case_seq)).where(losses.c.task == task)
    found = (connection.execute(query).scalar_one_or_none() for query in (newest, settled))
    return 1 + max(seq or 0 for seq in found)


def first_under(connection: sa.Connection, head: Head) -> int | None:
    """The number of the first case that came under the task file that holds, or None."""
    deployments = read_deployments(connection, head.number)
    revision = min(found.revision for found in deployments if found.task_revision == head.deployed.task_revision)
    mine = (cases.c.task == head.number, cases.c.revision >= revision)
    first: int | None = connection.execute(sa.select(sa.func.min(cases.c.seq)).where(*mine)).scalar_one()
    return first


def accounts_key(task: int) -> Key:
    """Where the accounts of a task are kept."""
    return Key(task=task, name=ACCOUNTS)


def read_accounts(connection: sa.Connection, task: int) -> tuple[Account, ...]:
    """The accounts of a task, the oldest first."""
    state = read_state(connection, accounts_key(task))
    return () if state is None else msgspec.json.decode(state.body, type=tuple[Account, ...])


def budget_key(task: int) -> Key:
    """Where what automation has cost is kept."""
    return Key(task=task, name=BUDGET)


def fold_budgets(
    connection: sa.Connection, task: int, accounts: Sequence[Account], corrected_from: int | None, now: int
) -> tuple[BudgetState, ...]:
    """What automation has cost on each account, with everything that the ledger holds."""
    key = budget_key(task)
    if corrected_from is not None:
        drop_states(connection, key, corrected_from)
    state = read_state(connection, key)
    states, after = (read_budgets(state), state.n) if state else ((), 0)
    for page in automated_pages(connection, task, after):
        states = fold_page(states, accounts, page)
        keep_state(connection, key, State(n=page[-1].place, body=msgspec.json.encode(states)), at=now)
    last = next_number(connection, task) - 1
    if state is None or last > state.n:  # the next pass need not look again at entries that nobody automated
        keep_state(connection, key, State(n=last, body=msgspec.json.encode(states)), at=now)
    return fold_page(states, accounts, [])


def read_budgets(state: State) -> tuple[BudgetState, ...]:
    """The states that are kept."""
    return msgspec.json.decode(state.body, type=tuple[BudgetState, ...])


def fold_page(
    states: Sequence[BudgetState], accounts: Sequence[Account], entries: Sequence[Entry]
) -> tuple[BudgetState, ...]:
    """What automation has cost with these entries added."""
    return fold_accounts(
        states,
        accounts,
        np.array([entry.case_seq for entry in entries], dtype=np.int64),
        np.array([np.nan if entry.loss is None else entry.loss for entry in entries], dtype=np.float64),
        np.array([entry.propensity for entry in entries], dtype=np.float64),
    )


def automated_pages(connection: sa.Connection, task: int, after: int) -> Iterator[list[Entry]]:
    """What holds of automated cases after a place, in decision order, whatever version and epoch."""
    later = losses.alias("later")
    newer = sa.exists().where(later.c.task == losses.c.task, later.c.place == losses.c.place, later.c.n > losses.c.n)
    query = sa.select(*COLUMNS).where(losses.c.task == task, losses.c.automated, ~newer).order_by(losses.c.place)
    while True:
        rows = connection.execute(query.where(losses.c.place > after).limit(PAGE)).all()
        if not rows:
            return
        page = [Entry(**row._mapping) for row in rows]
        yield page
        after = page[-1].place


def replay_budget(connection: sa.Connection, task: int) -> tuple[tuple[BudgetState, ...], tuple[BudgetState, ...]]:
    """What automation has cost as it is kept, and folded anew from the ledger."""
    accounts, state = read_accounts(connection, task), read_state(connection, budget_key(task))
    states: tuple[BudgetState, ...] = ()
    for page in automated_pages(connection, task, 0):
        states = fold_page(states, accounts, page)
    return fold_page(read_budgets(state) if state else (), accounts, []), fold_page(states, accounts, [])


def read_spending(connection: sa.Connection, task: int) -> Spending | None:
    """How the newest account stands by what is kept; None where nothing was ever automated."""
    accounts, state = read_accounts(connection, task), read_state(connection, budget_key(task))
    if not accounts:
        return None
    states = fold_page(read_budgets(state) if state else (), accounts, [])
    found = [spent(kept, account.plan) for kept, account in zip(states, accounts, strict=True)]
    return spending(accounts, found, ())
