"""Accounts of the error budget: when one opens, what of δ it gets, and that all of a year together keep the year's."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evidence.promises import batches, cuts, kept
from understudy.autonomy.accounts import (
    FIRST,
    PROMISE,
    SPENT,
    TURN,
    Account,
    fold_accounts,
    open_account,
    unanswered,
    why_open,
)
from understudy.autonomy.promise import ROOM, account_plan, epoch_share
from understudy.core.task import Autonomy, Decision, Task, Truth
from understudy.evidence.budget import BudgetPlan, BudgetState, charges, spent

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")


def task(source: str = "blind_review", **autonomy: object) -> Task:
    settings = {"max_error": 0.05, "confidence": 0.95, "audit_floor": 0.1} | autonomy
    return Task(decision=DECISION, autonomy=Autonomy(**settings), truth=Truth(source=source))


def opened(count: int, year: int = 2027, of: Task | None = None) -> tuple[Account, ...]:
    """So many accounts, each a hundred cases long."""
    found: tuple[Account, ...] = ()
    for number in range(count):
        more = open_account(of or task(), found, SPENT, first=100 * number, year=year, volume=0.0)
        found = (*found, more)
    return found


def test_an_account_opens_when_automation_begins_a_year_turns_or_the_promise_changes() -> None:
    assert why_open(task(), (), automates=False, year=2027) == ""
    assert why_open(task(), (), automates=True, year=2027) == FIRST
    one = opened(1)
    assert why_open(task(), one, automates=True, year=2027) == ""
    assert why_open(task(), one, automates=True, year=2028) == TURN
    assert why_open(task(), one, automates=True, year=2026) == ""  # a clock that went back
    for other in (task(max_error=0.04), task(confidence=0.9), task(audit_floor=0.05), task("outcome")):
        assert why_open(other, one, automates=True, year=2027) == PROMISE
    assert why_open(task(tolerated_excess=0.3, audit_rate=0.5), one, automates=True, year=2027) == ""


def test_the_k_th_account_of_a_year_gets_its_part_of_delta_and_a_new_year_begins_anew() -> None:
    three = opened(3)
    assert [account.number for account in three] == [1, 2, 3]
    assert [account.plan.delta for account in three] == pytest.approx([0.02 * epoch_share(k) for k in (1, 2, 3)])
    later = open_account(task(), three, TURN, first=900, year=2028, volume=0.0)
    assert (later.number, later.plan.delta) == (1, three[0].plan.delta)
    assert sum(account_plan(task(), k, 0.0).delta for k in range(1, 40)) <= 0.02


@pytest.mark.parametrize("number", [1, 2, 5, 12])
@pytest.mark.parametrize("source", ["outcome", "blind_review"])
def test_every_account_has_room_for_chance(number: int, source: str) -> None:
    plan = account_plan(task(source), number, 0.0)
    assert plan.limit - plan.entry >= ROOM / plan.pi_min - 1e-9
    assert plan.pi_min == (1.0 if source == "outcome" else 0.1)
    assert account_plan(task(source), number, 1e7).limit == pytest.approx(0.1 * 0.05 * 1e7)


def test_where_answers_hide_their_outcome_the_floor_of_audits_counts() -> None:
    hiding = replace(task("outcome"), truth=Truth(source="outcome", hides_outcome=("refuse",)))
    assert account_plan(hiding, 1, 0.0).pi_min == 0.1


def test_cases_belong_to_the_account_that_was_open_when_they_came() -> None:
    accounts = opened(3)
    case = np.array([3, 99, 100, 150, 199, 250])
    states = fold_accounts((), accounts, case, np.zeros(6), np.full(6, 0.1))
    assert [state.cases for state in states] == [2, 3, 1]
    more = fold_accounts(states, accounts, np.array([300]), np.ones(1), np.full(1, 0.1))
    assert ([state.cases for state in more], more[:2]) == ([2, 3, 2], states[:2])


def test_a_look_that_proves_too_little_counts_as_a_mistake() -> None:
    state = fold_accounts((), opened(1), np.arange(3), np.array([np.nan, 0.0, 0.0]), np.array([0.05, 0.05, 0.1]))[0]
    assert (state.cases, state.looked, state.seen) == (3, 3, 2.0)


@given(cut=cuts(300), seed=st.integers(0, 20))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.1, 1, 300)
    loss = np.where(rng.random(300) < chance, rng.beta(0.3, 2, 300), np.nan)
    accounts, case = opened(3), np.arange(300)
    states: tuple[BudgetState, ...] = ()
    for where in batches(cut, 300):
        folded = fold_accounts(states, accounts, case[where], loss[where], chance[where])
        states = msgspec.json.decode(msgspec.json.encode(folded), type=tuple[BudgetState, ...])
    assert states == fold_accounts((), accounts, case, loss, chance)


def test_each_account_is_found_spent_once() -> None:
    accounts = opened(2)
    case, loss = np.arange(0, 200), np.ones(200)
    states = fold_accounts((), accounts, case, loss, np.ones(200))
    plan = replace(accounts[0].plan, limit=accounts[0].plan.entry + 10)
    tight = tuple(replace(account, plan=plan) for account in accounts)
    found = [spent(state, plan) for state in states]
    assert unanswered(tight, found) == [0, 1]
    told = open_account(task(), tight, SPENT, first=200, year=2027, volume=0.0, spent=[0, 1])
    assert unanswered((*tight, told), [*found, spent(BudgetState(), plan)]) == []


def broken_in_a_year(plans: list[BudgetPlan], *, runs: int = 3000, steps: int = 2500) -> np.ndarray:
    """Whether any account's errors ever exceed its bound, where every answer is wrong and each account is spent."""
    rng = np.random.default_rng(8)
    number, broken = np.zeros(runs, int), np.zeros(runs, bool)
    real, charged, walk, lowest = (np.zeros(runs) for _ in range(4))
    entry, limit = (np.array([getattr(plan, name) for plan in plans]) for name in ("entry", "limit"))
    for _ in range(steps):
        charge = charges(plans[0], np.where(rng.random(runs) < 0.1, 1.0, np.nan), np.full(runs, 0.1))
        real += 1
        charged += charge
        walk += charge / plans[0].theta - plans[0].max_error
        lowest = np.minimum(lowest, walk)
        broken |= real > charged / plans[0].theta + entry[number]
        over = walk - lowest + entry[number] > limit[number]
        number = np.minimum(number + over, len(plans) - 1)
        real, charged, walk, lowest = (np.where(over, 0.0, value) for value in (real, charged, walk, lowest))
    assert (number >= 4).mean() > 0.9
    return broken


def test_all_accounts_of_a_year_together_keep_the_year_s_delta() -> None:
    plans = [account_plan(task(confidence=0.6), number, 0.0) for number in range(1, 30)]
    assert kept(broken_in_a_year(plans), 0.16)


def test_accounts_that_began_with_all_of_delta_each_time_would_not() -> None:
    plans = [account_plan(task(confidence=0.6), 1, 0.0)] * 29
    whole = [replace(plan, delta=0.16) for plan in plans]
    assert not kept(broken_in_a_year(whole), 0.16)
