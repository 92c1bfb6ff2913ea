"""Accounts of the error budget: when a task opens one, and what it promises.

The budget belongs to the task: a new champion, another threshold or a step up changes nothing of it. Each account gets
a part of δ of its calendar year that is never refunded, so that all accounts of a year keep within the year's.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from understudy.autonomy.promise import account_plan, least_audited
from understudy.core.task import Task
from understudy.evidence.budget import BudgetPlan, BudgetState, Spent, fold_budget

FIRST, TURN, PROMISE, SPENT = "first", "year", "promise", "spent"
WHY = {
    FIRST: "The machine begins to decide by itself.",
    TURN: "A new year has begun.",
    PROMISE: "The task file promises something else.",
    SPENT: "The account before was spent.",
}


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of automation with a limit of its own on the errors.

    Attributes
    ----------
    year, number : int
        It is the `number`-th account that the task opened in that year, by UTC.
    first : int
        The number of the first case that counts; cases before it belong to the account before.
    why : {"first", "year", "promise", "spent"}
    confidence : float
        The task's, of whose δ it has a part.
    plan : BudgetPlan
    answered : tuple of int
        Places of the accounts that were found spent when it opened.
    """

    year: int
    number: int
    first: int
    why: str
    confidence: float
    plan: BudgetPlan
    answered: tuple[int, ...] = ()


def why_open(task: Task, accounts: Sequence[Account], *, automates: bool, year: int) -> str:
    """Why another account opens before anything more is folded; empty where none does."""
    if not accounts:
        return FIRST if automates else ""
    last = accounts[-1]
    if (last.plan.max_error, last.confidence, last.plan.pi_min) != promised(task):
        return PROMISE
    return TURN if year > last.year else ""


def promised(task: Task) -> tuple[float, float, float]:
    """What an account takes from the task file: r, 1 − δ, and the least share that is audited."""
    return task.autonomy.max_error, task.autonomy.confidence, least_audited(task)


def open_account(
    task: Task,
    accounts: Sequence[Account],
    why: str,
    *,
    first: int,
    year: int,
    volume: float,
    spent: Sequence[int] = (),
) -> Account:
    """The account that follows.

    Parameters
    ----------
    task : Task
    accounts : sequence of Account
        Those before, the oldest first.
    why : str
    first : int
        The number of its first case.
    year : int
        By the task's clock.
    volume : float
        Automated cases that are expected in a year.
    spent : sequence of int
        Places of the accounts that are found spent.
    """
    number = 1 + sum(account.year == year for account in accounts)
    return Account(
        year=year,
        number=number,
        first=first,
        why=why,
        confidence=task.autonomy.confidence,
        plan=account_plan(task, number, volume),
        answered=tuple(spent),
    )


def unanswered(accounts: Sequence[Account], found: Sequence[Spent]) -> list[int]:
    """The places of accounts that are spent, and of which no later one says so."""
    known = {place for account in accounts for place in account.answered}
    return [place for place, spent in enumerate(found) if spent.over and place not in known]


def fold_accounts(
    states: Sequence[BudgetState],
    accounts: Sequence[Account],
    case: np.ndarray,
    loss: np.ndarray,
    propensity: np.ndarray,
) -> tuple[BudgetState, ...]:
    """All accounts with these automated cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    states : sequence of BudgetState
        Of the first accounts; later ones begin empty.
    accounts : sequence of Account
    case : ndarray of int, shape (n,)
        Numbers of cases, increasing.
    loss : ndarray of shape (n,)
        In [0, 1], NaN where nobody looked.
    propensity : ndarray of shape (n,)
        A case with less than the account's least audit rate counts as a mistake: its look would prove too little.
    """
    found = [*states, *(BudgetState() for _ in accounts[len(states) :])]
    places = np.searchsorted([account.first for account in accounts], case, side="right") - 1
    for place in np.unique(places).tolist():
        own, plan = places == place, accounts[place].plan
        poor = propensity[own] < plan.pi_min
        lost, chance = np.where(poor, 1.0, loss[own]), np.where(poor, 1.0, propensity[own])
        found[place] = fold_budget(found[place], plan, lost, chance)
    return tuple(found)


def room_used(found: Spent, plan: BudgetPlan) -> float:
    """The share of an account's room that its worst stretch up to now has used; it falls again in good times.

    >>> from understudy.evidence.budget import spent
    >>> plan = BudgetPlan(max_error=0.05, delta=0.02, pi_min=1.0, limit=33)
    >>> found = spent(fold_budget(BudgetState(), plan, np.ones(7), np.ones(7)), plan)
    >>> round(room_used(found, plan), 2)
    0.49
    """
    room = plan.limit - plan.entry
    return (found.stretch - plan.entry) / room if room > 0 else float("inf")
