"""The empirical-Bernstein bounds are those of the paper, and hold at all times together."""

from math import log, sqrt

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.bernstein import BernsteinPlan, BernsteinState, bernstein_evidence, fold_bernstein

PLAN = BernsteinPlan(alpha=0.1)


def run(values: np.ndarray, plan: BernsteinPlan = PLAN) -> BernsteinState:
    """The state after these values."""
    return fold_bernstein(BernsteinState(), plan, values)


def world(seed: int, n: int = 300) -> np.ndarray:
    """Costs, not all of them known."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < 0.8, rng.beta(0.5, 2, n), np.nan)


def naive(values: list[float], alpha: float) -> tuple[float, float]:
    """The bounds, case by case, as the paper writes them."""
    goal, seen, means = log(2 / alpha), [], []
    bets = staked = charge = 0.0
    for t, value in enumerate(values, 1):
        mean = (0.5 + sum(seen)) / t
        spread = (0.25 + sum((x - m) ** 2 for x, m in zip(seen, means, strict=True))) / t
        bet = min(0.5, sqrt(2 * goal / (spread * t * log(1 + t))))
        bets, staked = bets + bet, staked + bet * value
        charge += 4 * (value - mean) ** 2 * (-log(1 - bet) - bet) / 4
        seen.append(value)
        means.append((0.5 + sum(seen)) / (t + 1))
    return staked / bets - (goal + charge) / bets, staked / bets + (goal + charge) / bets


@pytest.mark.parametrize("seed", range(3))
def test_the_bounds_are_those_of_the_recursion(seed: int) -> None:
    values = world(seed, 1200)
    statement = bernstein_evidence(run(values), PLAN)
    known = values[~np.isnan(values)]
    assert (statement.lower, statement.upper) == pytest.approx(naive(known.tolist(), PLAN.alpha))
    assert (statement.n, statement.anytime) == (len(known), True)
    assert statement.estimate == pytest.approx(known.mean())


@given(cut=cuts(300), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    values, state = world(seed), BernsteinState()
    for where in batches(cut, 300):
        folded = fold_bernstein(state, PLAN, values[where])
        state = msgspec.json.decode(msgspec.json.encode(folded), type=BernsteinState)
    assert state == run(values)


def ever_missed(values: np.ndarray, mean: float, alpha: float, *, informed: bool = False) -> np.ndarray:
    """Whether the bounds of each run, shape (runs, n), ever missed; an informed bet is larger on small values."""
    goal, turn = log(2 / alpha), np.arange(1, values.shape[1] + 1)
    total = np.cumsum(values, axis=1)
    after = (0.5 + total) / (turn + 1)
    before = (0.5 + total - values) / turn
    squares = np.cumsum((values - after) ** 2, axis=1) - (values - after) ** 2
    bet = np.minimum(0.5, np.sqrt(2 * goal / ((0.25 + squares) / turn * turn * np.log1p(turn))))
    if informed:
        bet = np.where(values > before, bet / 2, bet)
    charge = np.cumsum((values - before) ** 2 * (-np.log1p(-bet) - bet), axis=1)
    bets, staked = np.cumsum(bet, axis=1), np.cumsum(bet * values, axis=1)
    return (np.abs(staked - mean * bets) > goal + charge).any(axis=1)


@pytest.mark.parametrize("mean", [0.5, 0.05, 0.001])
def test_a_look_after_each_case_breaks_nothing(mean: float) -> None:
    values = (np.random.default_rng(1).random((3000, 1500)) < mean).astype(float)
    assert kept(ever_missed(values, mean, PLAN.alpha), PLAN.alpha)


def test_costs_break_nothing_either_and_the_state_says_the_same() -> None:
    values = np.random.default_rng(2).beta(0.5, 2, (3000, 800))
    missed = ever_missed(values, 0.2, PLAN.alpha)
    assert kept(missed, PLAN.alpha)
    for row in range(20):
        looks = [bernstein_evidence(run(values[row, :n]), PLAN) for n in range(1, 801, 40)]
        assert missed[row] or all(found.lower <= 0.2 <= found.upper for found in looks)


def test_a_bet_that_knows_its_case_breaks_the_promise() -> None:
    values = (np.random.default_rng(3).random((500, 1500)) < 0.5).astype(float)
    assert ever_missed(values, 0.5, PLAN.alpha, informed=True).mean() > 0.9


def test_limits_are_a_matter_of_units() -> None:
    one, other = world(4), BernsteinPlan(alpha=0.1, low=-100, high=400)
    plain, scaled = bernstein_evidence(run(one), PLAN), bernstein_evidence(run(500 * one - 100, other), other)
    for name in ("estimate", "lower", "upper"):
        assert getattr(scaled, name) == pytest.approx(500 * getattr(plain, name) - 100)


def test_before_the_first_case_anything_is_possible() -> None:
    statement = bernstein_evidence(BernsteinState(), PLAN)
    assert (statement.lower, statement.upper, statement.n) == (0.0, 1.0, 0)
    assert run(np.array([])) == BernsteinState()
    assert run(np.full(3, np.nan)) == BernsteinState(rows=3)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.inf])
def test_values_have_their_range(value: float) -> None:
    with pytest.raises(ValueError, match="lies between"):
        run(np.array([value]))


@pytest.mark.parametrize("change", [{"alpha": 1.0}, {"alpha": 0.1, "high": 0.0}, {"alpha": 0.1, "low": -np.inf}])
def test_a_plan_without_meaning_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"lies between|finite limits"):
        BernsteinPlan(**change)
