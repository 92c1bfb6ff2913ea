"""The bounds on a mean hold at all times together, whatever the values are, and are narrow enough to be of use."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.bernstein import BernsteinPlan, BernsteinState, bernstein_evidence, fold_bernstein
from understudy.evidence.fixed import clopper_pearson
from understudy.evidence.means import (
    WEIGHTS,
    MeanPlan,
    MeanState,
    fold_mean,
    mean_bounds,
    mean_evidence,
    mean_log_e,
    merge_means,
    open_mean,
)

PLAN = MeanPlan(alpha=0.1)
WEIGHTED = MeanPlan(alpha=0.1, weights=WEIGHTS)
LOOKS = np.unique(np.geomspace(1, 10_000, 30).astype(int))


def run(values: np.ndarray, plan: MeanPlan = PLAN, weight: np.ndarray | None = None) -> MeanState:
    """The state after these values."""
    return fold_mean(open_mean(plan), plan, values, weight)


def world(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Costs, seen with unequal probabilities."""
    rng = np.random.default_rng(seed)
    propensity = rng.choice([0.2, 0.33, 1.0], n)
    return np.where(rng.random(n) < propensity, rng.beta(0.5, 2, n), np.nan), 0.2 / propensity


def naive_log_wealth(values: np.ndarray, weight: np.ndarray, mean: float, plan: MeanPlan, *, above: bool) -> float:
    """What the bets own, case by case."""
    wealth = np.ones(len(plan.bets))
    for value, factor in zip(values.tolist(), weight.tolist(), strict=True):
        if not np.isnan(value):
            edge = (value - mean) / mean if above else (mean - value) / (1 - mean)
            wealth *= 1 + factor * edge * np.array(plan.bets)
    return float(np.log(wealth @ plan.shares))


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("mean", [0.02, 0.3, 0.9])
def test_the_wealth_on_knots_is_that_of_the_products(mean: float, above: bool) -> None:
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 1.0, WEIGHTED.knots[40], WEIGHTED.knots[7], np.nan], 400)
    weight = rng.choice([1.0, 0.5, 0.125], 400)
    direct = naive_log_wealth(values, weight, mean, WEIGHTED, above=above)
    assert mean_log_e(run(values, WEIGHTED, weight), WEIGHTED, mean, above=above) == pytest.approx(direct)


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("mean", [0.1, 0.2, 0.4])
@pytest.mark.parametrize("seed", range(5))
def test_between_knots_the_wealth_is_less_but_hardly(mean: float, above: bool, seed: int) -> None:
    values, weight = world(seed, 2000)
    direct = naive_log_wealth(values, weight, mean, WEIGHTED, above=above)
    found = mean_log_e(run(values, WEIGHTED, weight), WEIGHTED, mean, above=above)
    assert direct - 0.03 * abs(direct) - 0.03 < found <= direct + 1e-9


def test_the_estimate_is_the_weighted_mean() -> None:
    values, weight = world(1)
    seen = ~np.isnan(values)
    found = mean_evidence(run(values, WEIGHTED, weight), WEIGHTED)
    assert found.estimate == pytest.approx((values * weight)[seen].sum() / weight[seen].sum())
    assert (found.n, found.method, found.anytime, found.confidence) == (int(seen.sum()), "betting", True, 0.9)


@given(cut=cuts(300), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    values, weight = world(seed)
    state = open_mean(WEIGHTED)
    for where in batches(cut, 300):
        folded = fold_mean(state, WEIGHTED, values[where], weight[where])
        state = msgspec.json.decode(msgspec.json.encode(folded), type=MeanState)
    assert state == run(values, WEIGHTED, weight)
    assert msgspec.json.decode(msgspec.json.encode(WEIGHTED), type=MeanPlan) == WEIGHTED


def test_two_states_add_up_to_one() -> None:
    values, weight = world(2)
    both = merge_means(run(values[:100], WEIGHTED, weight[:100]), run(values[100:], WEIGHTED, weight[100:]))
    whole = run(values, WEIGHTED, weight)
    assert (both.rows, both.known) == (whole.rows, whole.known)
    np.testing.assert_allclose(both.table, whole.table)


def test_the_state_does_not_grow() -> None:
    rng = np.random.default_rng(0)
    sizes = [sum(map(len, run(rng.random(n)).table)) for n in (10, 100_000)]
    assert sizes == [len(PLAN.knots)] * 2


WORLDS: dict[str, tuple[float, Callable[[np.random.Generator, int], np.ndarray]]] = {
    "even": (0.5, lambda rng, n: (rng.random(n) < 0.5).astype(float)),
    "at the limit": (0.05, lambda rng, n: (rng.random(n) < 0.05).astype(float)),
    "rare errors": (0.001, lambda rng, n: (rng.random(n) < 0.001).astype(float)),
    "costs": (0.2, lambda rng, n: rng.beta(0.5, 2, n)),
    "nearly the same": (0.4, lambda rng, n: rng.beta(400, 600, n)),
    "rare costs": (0.002, lambda rng, n: np.where(rng.random(n) < 0.01, 0.2, 0.0)),
    "always the same": (0.3, lambda rng, n: np.full(n, 0.3)),
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_bounds_miss_the_mean_as_seldom_as_promised_at_all_looks_together(name: str) -> None:
    mean, draw = WORLDS[name]
    rng, broken = np.random.default_rng(1), []
    for _ in range(150):
        values, state, done, missed = draw(rng, LOOKS[-1]), open_mean(PLAN), 0, False
        for look in LOOKS:
            state, done = fold_mean(state, PLAN, values[done:look]), look
            missed |= any(mean_log_e(state, PLAN, mean, above=above) >= PLAN.goal for above in (True, False))
        broken.append(missed)
    assert kept(np.array(broken), PLAN.alpha)


def ever_missed(draw: Callable[[int, np.ndarray], np.ndarray], mean: float, runs: int, steps: int) -> np.ndarray:
    """Whether either gambler ever owned 2/α when looked at after each case; `draw` sees what the first one owns."""
    bets, shares = np.array(PLAN.bets), np.array(PLAN.shares)
    above, below = np.ones((runs, len(bets))), np.ones((runs, len(bets)))
    missed = np.zeros(runs, dtype=bool)
    for step in range(steps):
        values = draw(step, above @ shares)[:, None]
        above *= 1 + bets * (values - mean) / mean
        below *= 1 + bets * (mean - values) / (1 - mean)
        missed |= (above @ shares >= 2 / PLAN.alpha) | (below @ shares >= 2 / PLAN.alpha)
    return missed


@pytest.mark.parametrize("mean", [0.5, 0.05, 0.005])
def test_a_look_after_each_case_breaks_nothing(mean: float) -> None:
    rng = np.random.default_rng(2)
    missed = ever_missed(lambda _, __: (rng.random(3000) < mean).astype(float), mean, 3000, 1500)
    assert kept(missed, PLAN.alpha)
    if mean == 0.5:
        assert missed.mean() > PLAN.alpha / 4  # the bounds give little away


def test_an_adversary_who_sees_the_wealth_and_picks_the_spread_breaks_nothing() -> None:
    rng = np.random.default_rng(3)

    def draw(step: int, wealth: np.ndarray) -> np.ndarray:
        wild = (rng.random(len(wealth)) < 0.2).astype(float)
        mild = np.where(rng.random(len(wealth)) < 0.5, 0.1, 0.3)
        return np.where((wealth > 1.5) | (step % 9 == 0), wild, mild)

    assert kept(ever_missed(draw, 0.2, 3000, 1500), PLAN.alpha)


def test_a_bet_that_knows_its_case_breaks_the_promise() -> None:
    rng, wealth, missed = np.random.default_rng(4), np.ones(2000), np.zeros(2000, dtype=bool)
    for _ in range(300):
        values = (rng.random(2000) < 0.2).astype(float)
        wealth *= 1 + np.where(values > 0, 0.1, 0.05) * (values - 0.2) / 0.2
        missed |= wealth >= 1 / PLAN.alpha
    assert missed.mean() > 3 * PLAN.alpha


def test_with_unequal_looks_the_weights_are_needed() -> None:
    rng, weighted, plain = np.random.default_rng(5), [], []
    for _ in range(150):
        risky = rng.random(3000) < 0.5
        propensity = np.where(risky, 0.1, 0.5)  # those that go wrong are looked at less
        wrong = rng.random(3000) < np.where(risky, 0.35, 0.05)
        values = np.where(rng.random(3000) < propensity, wrong, np.nan)
        for found, plan, weight in ((weighted, WEIGHTED, 0.1 / propensity), (plain, PLAN, None)):
            statement = mean_evidence(run(values, plan, weight), plan)
            found.append(not statement.lower <= 0.2 <= statement.upper)
    assert kept(np.array(weighted), PLAN.alpha)
    assert np.mean(plain) > 0.8


def test_weights_that_a_plan_has_no_knots_for_cost_power_and_no_validity() -> None:
    values, weight = world(6, 3000)
    fine, coarse = (mean_evidence(run(values, plan, weight), plan) for plan in (WEIGHTED, PLAN))
    assert coarse.estimate == pytest.approx(fine.estimate)
    assert coarse.lower < fine.lower < fine.upper < coarse.upper


def test_errors_that_come_late_are_told_in_the_order_of_the_cases() -> None:
    rng, in_order, as_they_come = np.random.default_rng(8), [], []
    for _ in range(100):
        wrong = (rng.random(1500) < 0.1).astype(float)
        arrived = np.argsort(np.arange(1500) + 300 * wrong, kind="stable")
        for found, values in ((in_order, wrong), (as_they_come, wrong[arrived])):
            looks = [run(values[:look]) for look in (50, 100, 200, 400, 800)]
            found.append(any(mean_log_e(state, PLAN, 0.1, above=False) >= PLAN.goal for state in looks))
    assert kept(np.array(in_order), PLAN.alpha / 2)
    assert np.mean(as_they_come) > 0.8


@given(seed=st.integers(0, 30), where=st.sampled_from(["lower", "upper"]))
def test_bound_and_e_value_say_the_same(seed: int, where: str) -> None:
    values, weight = world(seed)
    state = run(values, WEIGHTED, weight)
    statement = mean_evidence(state, WEIGHTED)
    bound, above = getattr(statement, where), where == "lower"
    assert statement.lower < statement.estimate < statement.upper
    outwards = -1e-6 if above else 1e-6
    assert mean_log_e(state, WEIGHTED, bound + outwards, above=above) >= WEIGHTED.goal
    assert mean_log_e(state, WEIGHTED, bound - outwards, above=above) < WEIGHTED.goal


@given(seed=st.integers(0, 30))
def test_limits_are_a_matter_of_units(seed: int) -> None:
    values, _ = world(seed)
    one, other = mean_bounds(values), mean_bounds(500 * values - 100, low=-100, high=400)
    for name in ("estimate", "lower", "upper"):
        assert getattr(other, name) == pytest.approx(500 * getattr(one, name) - 100)


@pytest.mark.parametrize(("errors", "n"), [(0, 100), (5, 100), (50, 1000), (500, 1000), (100, 100_000)])
def test_to_look_at_any_time_costs_less_than_twice_the_width_of_one_look(errors: int, n: int) -> None:
    anytime, once = mean_bounds(np.arange(n) < errors), clopper_pearson(errors, n)
    assert once.upper - once.lower < anytime.upper - anytime.lower < 2 * (once.upper - once.lower)


@pytest.mark.parametrize("name", ["even", "at the limit", "costs", "nearly the same", "always the same"])
def test_bets_are_narrower_than_the_empirical_bernstein_bounds(name: str) -> None:
    rng = np.random.default_rng(7)
    for n in (200, 5000):
        values = WORLDS[name][1](rng, n)
        bets = mean_bounds(values)
        plan = BernsteinPlan(alpha=0.05)
        plain = bernstein_evidence(fold_bernstein(BernsteinState(), plan, values), plan)
        assert bets.upper - bets.lower < plain.upper - plain.lower


def test_before_the_first_case_anything_is_possible() -> None:
    statement = mean_evidence(open_mean(PLAN), PLAN)
    assert (statement.lower, statement.upper, statement.n) == (0.0, 1.0, 0)
    assert np.isnan(statement.estimate)
    assert run(np.array([])) == open_mean(PLAN)
    assert run(np.full(3, np.nan)) == msgspec.structs.replace(open_mean(PLAN), rows=3)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_one_value_says_little_and_many_of_the_same_say_much(value: float) -> None:
    one, many = mean_bounds(np.array([value])), mean_bounds(np.full(100_000, value))
    assert one.lower < 0.02
    assert one.upper > 0.98
    assert many.lower <= value <= many.upper < many.lower + 0.01


@pytest.mark.parametrize(
    ("value", "weight", "said"),
    [(1.5, 1.0, "outside the limits"), (-0.1, 1.0, "outside the limits"), (np.inf, 1.0, "outside the limits")]
    + [(0.5, weight, "weight or propensity lies") for weight in (0.0, 1.1, np.nan)],
)
def test_values_and_weights_have_their_ranges(value: float, weight: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run(np.array([value]), PLAN, np.array([weight]))


def test_every_value_has_its_weight() -> None:
    with pytest.raises(ValueError, match="one length"):
        run(np.zeros(3), PLAN, np.ones(2))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alpha": 0.0}, "alpha lies"),
        ({"low": 1.0}, "finite limits"),
        ({"high": np.inf}, "finite limits"),
        ({"bets": (1.0,), "shares": (1.0,)}, "below 1"),
        ({"knots": (0.0, 0.5)}, "knots increase"),
        ({"knots": (1.0,)}, "knots increase"),
        ({"knots": (0.0, 0.5, 0.5, 1.0)}, "knots increase"),
        ({"weights": (0.0, 1.0)}, "weights of a plan"),
        ({"weights": ()}, "weights of a plan"),
    ],
)
def test_a_plan_without_meaning_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MeanPlan(**{"alpha": 0.1, **change})


@pytest.mark.parametrize("mean", [0.0, 1.0, -1.0, np.nan])
def test_only_a_mean_between_the_limits_can_be_bet_against(mean: float) -> None:
    with pytest.raises(ValueError, match="bet against"):
        mean_log_e(open_mean(PLAN), PLAN, mean, above=True)
