"""Streams that want to break a promise do not, and rules that are broken on purpose do.

Each promise stands in the tests of its module as well; here are the streams that several of them meet: risks that jump
and creep, players who see what the gamblers own, looks at random times, labels that are late because they are errors.
"""

from collections.abc import Callable
from math import log

import numpy as np
import pytest
from promises import kept

from understudy.evidence.budget import BudgetPlan, BudgetState, charges, fold_budget, spent
from understudy.evidence.change import DetectorPlan, alarmed, fold_detector, open_detector
from understudy.evidence.gate import GatePlan, Rows, certified, fold_gate, open_gate
from understudy.evidence.means import MeanPlan, fold_mean, open_mean
from understudy.evidence.pairs import PairPlan, fold_pairs, lead, open_pairs

R, DELTA = 0.05, 0.05
GATE = GatePlan(sides=("yes",), grid=((0.0,),), max_error=R, delta=DELTA)
PAIRS = PairPlan(alpha=0.1, steps=(0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6))


def rows(loss: np.ndarray) -> Rows:
    """Cases of one side, all sure and all looked at."""
    return Rows(side=np.zeros(len(loss), int), confidence=np.ones(len(loss)), loss=loss, weight=np.ones(len(loss)))


def falsely(loss: np.ndarray) -> bool:
    """Whether these losses ever certified the only threshold."""
    return bool(certified(fold_gate(open_gate(GATE), GATE, rows(loss)), GATE))


BAD: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "jumps up and back": lambda case: np.where((case > 300) & (case < 500), 3 * R, R),
    "creeps up": lambda case: R * (1 + case / 1000),
    "creeps down to the limit": lambda case: R * np.maximum(1, 2 - case / 300),
    "swings": lambda case: R * (1.5 + 0.5 * np.sin(case / 40)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_risk_that_moves_but_is_never_below_the_limit_is_certified_as_seldom_as_promised(name: str) -> None:
    rng, risk = np.random.default_rng(30), BAD[name](np.arange(1500))
    assert kept(np.array([falsely((rng.random(1500) < risk).astype(float)) for _ in range(300)]), DELTA)


def owned(draw: Callable[[np.ndarray], np.ndarray], runs: int = 3000, steps: int = 1200) -> np.ndarray:
    """What the gate's gamblers own after each case, shape (steps, runs); `draw` makes losses of what they own."""
    bets = np.array(GATE.bets)
    wealth, path = np.full((runs, len(bets)), 1 / len(bets)), np.empty((steps, runs))
    for step in range(steps):
        loss = draw(wealth.sum(axis=1))
        wealth *= 1 + bets * (R - loss[:, None]) / (1 - R)
        path[step] = wealth.sum(axis=1)
    return path


def test_a_player_who_sees_what_the_gamblers_own_breaks_nothing_while_the_risk_is_not_below_the_limit() -> None:
    rng = np.random.default_rng(31)

    def draw(wealth: np.ndarray) -> np.ndarray:
        """At the limit while they lose; costs of 4 r of the same mean once they win, and worse when they nearly won."""
        mild = np.full(len(wealth), 4 * R) * (rng.random(len(wealth)) < 0.25)
        wild = (rng.random(len(wealth)) < R).astype(float)
        return np.where(wealth > 10, 2 * R, np.where(wealth > 1, mild, wild))

    assert kept(owned(draw).max(axis=0) >= 1 / DELTA, DELTA)


def test_at_any_moment_that_looks_only_back_a_gambler_owns_no_more_than_one_on_average() -> None:
    rng = np.random.default_rng(32)
    path = owned(lambda wealth: (rng.random(len(wealth)) < R).astype(float))
    runs, last = np.arange(path.shape[1]), len(path) - 1
    by_chance = np.minimum(rng.geometric(1 / 300, len(runs)), last)
    ahead = np.where((path > 2).any(axis=0), (path > 2).argmax(axis=0), last)
    for moment in (by_chance, ahead, np.minimum(ahead, by_chance)):
        found = path[moment, runs]
        assert found.mean() - 3.1 * found.std() / np.sqrt(len(runs)) <= 1
    assert path.max(axis=0).mean() > 1.5  # the best moment of all is known in hindsight only, and would break it


def test_a_jump_after_the_certificate_breaks_what_the_gate_assumes_and_the_budget_stops_it() -> None:
    plan = BudgetPlan(max_error=R, delta=0.02, pi_min=0.1, limit=500)
    rng, too_many, broken, stopped = np.random.default_rng(33), [], [], []
    for _ in range(60):
        wrong = (rng.random(12_000) < np.where(np.arange(12_000) < 1000, 0.2 * R, 4 * R)).astype(float)
        assert falsely(wrong[:1000])  # rightly, as the world was
        live = wrong[1000:]
        seen = np.where(rng.random(len(live)) < 0.1, live, np.nan)
        climb = np.cumsum(charges(plan, seen, np.full(len(live), 0.1)) / plan.theta - R)
        stretch = climb - np.minimum.accumulate(np.concatenate([[0.0], climb]))[1:] + plan.entry
        stop = int((stretch > plan.limit).argmax())
        stopped.append(stretch[stop] > plan.limit)
        too_many.append(live[:stop].mean() > R)
        broken.append(live[:stop].sum() > R * stop + plan.limit)
    assert np.mean(too_many) == 1  # a certificate says nothing of a world that has changed
    assert all(stopped)
    assert kept(np.array(broken), plan.delta)


def test_a_case_whose_truth_is_not_there_yet_does_not_count_as_one_at_which_nobody_looked() -> None:
    """Errors show late: who folds what is known today, and the rest as unseen, forgets them."""
    plan = BudgetPlan(max_error=R, delta=DELTA, pi_min=0.3, limit=400)
    rng, waited, hasty = np.random.default_rng(34), [], []
    for _ in range(300):
        wrong = (rng.random(3000) < 0.1).astype(float)
        drawn = rng.random(3000) < 0.3
        late = (wrong > 0) & (rng.random(3000) < 0.8)
        for found, looked in ((waited, drawn), (hasty, drawn & ~late)):
            charged = np.cumsum(charges(plan, np.where(looked, wrong, np.nan), np.full(3000, 0.3)))
            found.append(bool((wrong.cumsum() > (charged - log(plan.delta)) / plan.theta).any()))
    assert kept(np.array(waited), DELTA)
    assert np.mean(hasty) > 0.8


WATCH = DetectorPlan(max_error=R, mean_run=10_000)


def alarms(losses: list[np.ndarray]) -> np.ndarray:
    """Which of them raise an alarm."""
    ones = np.ones(len(losses[0]))
    return np.array([alarmed(fold_detector(open_detector(WATCH), WATCH, loss, ones)) for loss in losses])


def test_a_risk_that_swings_below_the_limit_raises_no_more_false_alarms() -> None:
    rng, case = np.random.default_rng(35), np.arange(1500)
    risk = np.where(case % 500 < 250, 0.2 * R, R)  # a jump from 0.2 r to r, again and again, is no harm
    assert kept(alarms([(rng.random(1500) < risk).astype(float) for _ in range(400)]), 1500 / WATCH.mean_run)


def test_errors_that_arrive_together_raise_false_alarms_out_of_the_order_of_decisions() -> None:
    """Right answers are known at once, wrong ones by the end of the month."""
    rng, decided, arrived = np.random.default_rng(36), [], []
    for _ in range(300):
        loss = (rng.random(1500) < 0.7 * R).astype(float)
        decided.append(loss)
        arrived.append(loss[np.argsort(np.where(loss > 0, 500 * (np.arange(1500) // 500 + 1), np.arange(1500)))])
    assert kept(alarms(decided), 1500 / WATCH.mean_run)
    assert alarms(arrived).mean() > 0.8


def test_a_detector_whose_bets_know_their_case_cries_wolf() -> None:
    rng, cried = np.random.default_rng(37), []
    for _ in range(200):
        loss = (rng.random(1500) < R).astype(float)
        weight = np.where(loss > 0, 1.0, 0.6)  # less is staked where it is right
        cried.append(alarmed(fold_detector(open_detector(WATCH), WATCH, loss, weight)))
    assert not kept(np.array(cried), 1500 / WATCH.mean_run)
    assert np.mean(cried) > 0.8


def test_an_equal_challenger_leads_where_its_own_errors_arrive_late() -> None:
    rng, decided, arrived = np.random.default_rng(38), [], []
    looks = np.unique(np.geomspace(20, 2000, 12).astype(int))
    for _ in range(100):
        draw = rng.random(2000)
        difference = np.where(draw < 0.1, 1.0, np.where(draw < 0.2, -1.0, 0.0))
        late = np.argsort(np.arange(2000) + 800 * (difference < 0), kind="stable")
        for found, order in ((decided, slice(None)), (arrived, late)):
            state, done, led = open_pairs(PAIRS), 0, False
            for look in looks:
                part = difference[order][done:look]
                state, done = fold_pairs(state, PAIRS, part, np.ones(len(part))), look
                led |= lead(state, PAIRS).lower >= 0
            found.append(led)
    assert kept(np.array(decided), PAIRS.alpha / 2)
    assert np.mean(arrived) > 0.8


def in_batches(fold: Callable[[object, slice], object], state: object, n: int, size: int) -> object:
    """The state after n rows, folded by so many at a time."""
    for first in range(0, n, size):
        state = fold(state, slice(first, min(first + size, n)))
    return state


MEAN = MeanPlan(alpha=0.1)
BUDGET = BudgetPlan(max_error=R, delta=DELTA, pi_min=0.1, limit=400)


@pytest.mark.parametrize("name", ["gate", "budget", "detector", "pairs", "mean"])
def test_batches_of_one_of_seven_hundred_and_of_ten_thousand_are_the_same_to_the_last_bit(name: str) -> None:
    rng, n = np.random.default_rng(39), 10_300
    loss, one = np.where(rng.random(n) < 0.5, rng.beta(0.3, 3, n), np.nan), np.full(n, 0.5)
    folds: dict[str, tuple[Callable[..., object], object]] = {
        "gate": (lambda state, part: fold_gate(state, GATE, rows(loss[part])), open_gate(GATE)),
        "budget": (lambda state, part: fold_budget(state, BUDGET, loss[part], one[part]), BudgetState()),
        "detector": (lambda state, part: fold_detector(state, WATCH, loss[part], one[part]), open_detector(WATCH)),
        "pairs": (lambda state, part: fold_pairs(state, PAIRS, loss[part] - 0.5, one[part]), open_pairs(PAIRS)),
        "mean": (lambda state, part: fold_mean(state, MEAN, loss[part]), open_mean(MEAN)),
    }
    fold, start = folds[name]
    assert in_batches(fold, start, 400, 1) == in_batches(fold, start, 400, 10_000)
    assert in_batches(fold, start, n, 700) == in_batches(fold, start, n, 10_000) == fold(start, slice(0, n))


def test_nothing_is_left_of_a_budget_that_was_spent_though_the_world_is_good_again() -> None:
    wrong = np.concatenate([np.ones(600), np.zeros(20_000)])
    state = fold_budget(BudgetState(), BUDGET, wrong, np.full(len(wrong), 0.5))
    assert spent(state, BUDGET).over
    assert spent(state, BUDGET).stretch < BUDGET.limit  # by now, and yet it was over once
