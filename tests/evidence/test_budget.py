"""The errors of automation never exceed their bound more often than promised, whatever the world does."""

from math import exp, log

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.budget import (
    BudgetPlan,
    BudgetState,
    audit_rate,
    budget_limit,
    charges,
    fold_budget,
    spent,
    stratified_rates,
)

PLAN = BudgetPlan(max_error=0.05, delta=0.05, pi_min=0.1, limit=400)
RUNS, STEPS = 4000, 1200


def world(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Costs and the probabilities of a look."""
    rng = np.random.default_rng(seed)
    propensity = rng.uniform(0.1, 1, n)
    return np.where(rng.random(n) < propensity, rng.beta(0.3, 2, n), np.nan), propensity


def test_the_account_by_hand() -> None:
    plan = BudgetPlan(max_error=0.25, delta=0.1, pi_min=0.5, limit=100)
    theta = 0.1
    charge = -log(1 - (1 - exp(-theta)) / 0.5)
    state = fold_budget(BudgetState(), plan, np.array([1.0, np.nan, 0.0, 0.5]), np.full(4, 0.5))
    account = spent(state, plan)
    assert (state.cases, state.looked, state.seen, state.weighted) == (4, 3, 1.5, 3.0)
    assert account.excess == pytest.approx((1.5 * charge + log(10)) / theta - 1)
    assert state.climb == pytest.approx(max(charge / theta - 0.25, 1.5 * charge / theta - 1))
    assert (account.errors.lower, account.errors.upper) == (1.5, 2.5)  # one case is not known
    assert account.allowed == 101


def test_a_look_at_every_case_charges_no_more_than_the_loss() -> None:
    plan = BudgetPlan(max_error=0.05, delta=0.05, pi_min=1.0, limit=400)
    assert charges(plan, np.array([1.0, 0.4]), np.ones(2)) / plan.theta == pytest.approx([1.0, 0.4])


@given(cut=cuts(300), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    loss, propensity = world(seed)
    state = BudgetState()
    for where in batches(cut, 300):
        folded = fold_budget(state, PLAN, loss[where], propensity[where])
        state = msgspec.json.decode(msgspec.json.encode(folded), type=BudgetState)
    assert state == fold_budget(BudgetState(), PLAN, loss, propensity)


@given(seed=st.integers(0, 30))
def test_stretches_are_those_of_the_recursion(seed: int) -> None:
    loss, propensity = world(seed)
    now = most = 0.0
    for charge in charges(PLAN, loss, propensity):
        now = max(0.0, now + charge / PLAN.theta - PLAN.max_error)
        most = max(most, now)
    state = fold_budget(BudgetState(), PLAN, loss, propensity)
    assert spent(state, PLAN).stretch == pytest.approx(now + PLAN.entry)
    assert state.climb == pytest.approx(most)


def always(step: int, caught: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wrong in every case."""
    return np.ones(len(caught))


def seasons(step: int, caught: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rate that rises and falls."""
    return (rng.random(len(caught)) < 0.5 + 0.5 * np.sin(step / 60)).astype(float)


def sly(step: int, caught: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wrong by half after having been caught, fully wrong until then, by a seventh of the cases."""
    return np.where(step % 7 == 0, 1.0, np.where(caught, 0.0, 0.5))


def small(step: int, caught: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Costs of any size."""
    return rng.random(len(caught))


@pytest.mark.parametrize("adversary", [always, seasons, sly, small])
@pytest.mark.parametrize("mixed", [False, True])
def test_the_bound_fails_as_seldom_as_promised_at_all_times_together(adversary: object, mixed: bool) -> None:
    rng = np.random.default_rng(1)
    real, charged, caught, broken = np.zeros(RUNS), np.zeros(RUNS), np.zeros(RUNS, bool), np.zeros(RUNS, bool)
    for step in range(STEPS):
        loss = adversary(step, caught, rng)  # type: ignore[operator]
        propensity = np.where(rng.random(RUNS) < 0.5, 0.1, 0.4) if mixed else np.full(RUNS, 0.1)
        audited = rng.random(RUNS) < propensity
        charged += charges(PLAN, np.where(audited, loss, np.nan), propensity)
        real += loss
        caught = audited & (loss > 0)
        broken |= real > (charged - log(PLAN.delta)) / PLAN.theta
    assert kept(broken, PLAN.delta)
    if adversary is always and not mixed:
        assert broken.mean() > PLAN.delta / 3  # the bound gives little away


def test_the_bound_of_the_account_is_the_one_that_was_simulated() -> None:
    loss, propensity = world(5, 20_000)
    state = fold_budget(BudgetState(), PLAN, loss, propensity)
    direct = (charges(PLAN, loss, propensity).sum() - log(PLAN.delta)) / PLAN.theta
    account = spent(state, PLAN)
    assert account.errors.upper == pytest.approx(direct)
    assert account.errors.lower < account.errors.estimate < account.errors.upper < account.errors.estimate * 1.3
    assert (account.errors.anytime, account.errors.confidence) == (True, 0.95)


def years(rates: np.ndarray, plan: BudgetPlan, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Per run the case at which automation stops (or all), and the worst excess of real errors over any stretch."""
    rng = np.random.default_rng(seed)
    stops, worst = [], []
    for _ in range(runs):
        wrong = (rng.random(len(rates)) < rates).astype(float)
        charge = charges(
            plan, np.where(rng.random(len(rates)) < plan.pi_min, wrong, np.nan), np.full(len(rates), plan.pi_min)
        )
        climb = stretch(charge / plan.theta - plan.max_error) + plan.entry
        over = np.flatnonzero(climb > plan.limit)
        stops.append(over[0] if len(over) else len(rates))
        worst.append(stretch(wrong[: stops[-1]] - plan.max_error).max(initial=0.0))
    return np.array(stops), np.array(worst)


def stretch(steps: np.ndarray) -> np.ndarray:
    """The sum since the worst moment to begin."""
    sums = np.concatenate([[0.0], np.cumsum(steps)])
    return (sums - np.minimum.accumulate(sums))[1:]


YEAR = BudgetPlan(max_error=0.05, delta=0.02, pi_min=0.1, limit=budget_limit(100_000, 0.05, 0.1, 0.1))


def test_a_year_is_stopped_by_the_account_where_the_recursion_says() -> None:
    stops, _ = years(np.full(100_000, 0.1), YEAR, 1, 2)
    rng = np.random.default_rng(2)
    wrong = (rng.random(100_000) < 0.1).astype(float)
    loss = np.where(rng.random(100_000) < 0.1, wrong, np.nan)
    before, after = (fold_budget(BudgetState(), YEAR, loss[:n], np.full(n, 0.1)) for n in (stops[0], stops[0] + 1))
    assert (spent(before, YEAR).over, spent(after, YEAR).over) == (False, True)


@pytest.mark.parametrize(("spring", "autumn"), [(0.0, 0.1), (0.03, 0.2), (0.05, 1.0), (0.06, 0.06)])
def test_no_stretch_exceeds_the_limit_more_often_than_promised(spring: float, autumn: float) -> None:
    rates = np.concatenate([np.full(20_000, spring), np.full(20_000, autumn)])
    _, worst = years(rates, YEAR, 500, 3)
    assert kept(worst > YEAR.limit, YEAR.delta)


def test_a_doubled_error_stops_within_its_limit_and_soon_however_good_the_spring() -> None:
    stops, worst = years(np.concatenate([np.full(20_000, 0.0), np.full(20_000, 0.1)]), YEAR, 200, 4)
    assert np.quantile(stops, 0.9) < 20_000 + 7_000
    assert np.median(worst) < 0.6 * YEAR.limit


def test_an_adversary_who_sees_audits_and_pauses_in_time_exceeds_the_limit_as_seldom_as_promised() -> None:
    rng, runs = np.random.default_rng(7), 1000
    charge = charges(YEAR, np.ones(1), np.full(1, YEAR.pi_min))[0] / YEAR.theta
    climb, real, pausing = np.zeros(runs), np.zeros(runs), np.zeros(runs, bool)
    stopped, broken = np.zeros(runs, bool), np.zeros(runs, bool)
    for _ in range(20_000):
        caught = ~pausing & (rng.random(runs) < YEAR.pi_min)
        climb = np.maximum(0, climb + charge * caught - YEAR.max_error)
        real = np.maximum(0, real + ~pausing - YEAR.max_error)
        stopped |= climb + YEAR.entry > YEAR.limit
        broken |= (real > YEAR.limit) & ~stopped
        pausing = np.where(pausing, climb > 0, climb + YEAR.entry > 0.95 * YEAR.limit)
    assert kept(broken, YEAR.delta)


@pytest.mark.parametrize(("rate", "stopped"), [(0.035, 0.03), (0.04, 0.05)])
def test_a_good_enough_model_is_seldom_stopped_in_a_year(rate: float, stopped: float) -> None:
    stops, _ = years(np.full(100_000, rate), YEAR, 200, 5)
    assert np.mean(stops < 100_000) <= stopped


def test_less_room_than_that_stops_good_enough_models_often() -> None:
    stops, _ = years(np.full(66_000, 0.04), msgspec.structs.replace(YEAR, limit=33 / YEAR.pi_min), 200, 5)
    assert np.mean(stops < 66_000) > 0.25


def test_a_rate_of_a_fifth_too_much_is_stopped_within_a_year() -> None:
    stops, _ = years(np.full(100_000, 0.06), YEAR, 200, 6)
    assert np.mean(stops < 100_000) > 0.95


@pytest.mark.parametrize(
    ("volume", "floor", "expected"),
    [(3_650_000, 0.001, 10_000 / 3_650_000), (3_650_000, 0.02, 0.02), (1000, 0.02, 1.0), (0, 0.02, 1.0)],
)
def test_the_audit_rate_is_what_the_owner_tolerates_between_floor_and_all(
    volume: float, floor: float, expected: float
) -> None:
    assert audit_rate(volume, 0.05, 0.1, floor) == pytest.approx(expected)


def test_at_the_computed_rate_the_limit_is_what_the_owner_tolerates() -> None:
    rate = audit_rate(3_650_000, 0.05, 0.1, 0.001)
    assert budget_limit(3_650_000, 0.05, 0.1, rate) == pytest.approx(0.1 * 0.05 * 3_650_000)
    assert budget_limit(1000, 0.05, 0.1, 1.0) == 50


def test_a_limit_below_what_the_proof_needs_is_spent_at_once() -> None:
    plan = msgspec.structs.replace(PLAN, limit=PLAN.entry - 1)
    assert spent(BudgetState(), plan).over


def test_probabilities_below_the_declared_least_are_refused() -> None:
    with pytest.raises(ValueError, match="less than"):
        fold_budget(BudgetState(), PLAN, np.zeros(1), np.array([0.05]))
    with pytest.raises(ValueError, match="pi_min above 0"):
        BudgetPlan(max_error=0.05, delta=0.05, pi_min=0.0, limit=1)


def test_nothing_folded_changes_nothing() -> None:
    assert fold_budget(BudgetState(), PLAN, np.array([]), np.array([])) == BudgetState()


def test_strata_get_the_rates_that_make_the_estimate_vary_least() -> None:
    risk, share = np.array([0.002, 0.05, 0.3]), np.array([0.6, 0.3, 0.1])
    rates = stratified_rates(risk, share, rate=0.1, floor=0.02)
    assert share @ rates == pytest.approx(0.1)

    def spread(rates: np.ndarray) -> float:
        return float(share @ (risk / rates))

    rng = np.random.default_rng(8)
    for _ in range(200):
        other = np.clip(rates * rng.uniform(0.5, 2, 3), 0.02, 1)
        if share @ other <= 0.1:
            assert spread(other) >= spread(rates)
    assert spread(rates) < 0.6 * spread(np.full(3, 0.1))


@pytest.mark.parametrize(
    ("risk", "rate", "expected"),
    [
        ([0.0, 0.0], 0.3, [0.3, 0.3]),  # nothing is known of them
        ([0.0, 0.1], 0.06, [0.02, 0.1]),  # the floor
        ([0.0, 0.1], 0.8, [0.6, 1.0]),  # no more than all
        ([0.1, 0.1], 0.02, [0.02, 0.02]),
    ],
)
def test_strata_stay_between_the_floor_and_all(risk: list[float], rate: float, expected: list[float]) -> None:
    rates = stratified_rates(np.array(risk), np.array([0.5, 0.5]), rate=rate, floor=0.02)
    assert rates.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_bound_holds_with_stratified_looks() -> None:
    rng, broken = np.random.default_rng(9), []
    risk, share = np.array([0.01, 0.2]), np.array([0.7, 0.3])
    rates = stratified_rates(risk, share, rate=0.2, floor=0.1)
    for _ in range(1000):
        stratum = (rng.random(2000) < share[1]).astype(int)
        wrong = (rng.random(2000) < risk[stratum]).astype(float)
        loss = np.where(rng.random(2000) < rates[stratum], wrong, np.nan)
        bound = (np.cumsum(charges(PLAN, loss, rates[stratum])) - log(PLAN.delta)) / PLAN.theta
        broken.append(bool((np.cumsum(wrong) > bound).any()))
    assert kept(np.array(broken), PLAN.delta)


def test_a_look_that_its_probability_does_not_tell_of_breaks_the_bound() -> None:
    """Whoever looks less often where it errs, and logs the mean rate, is not believed for long."""
    rng, broken = np.random.default_rng(10), []
    for _ in range(300):
        wrong = (rng.random(4000) < 0.1).astype(float)
        loss = np.where(rng.random(4000) < np.where(wrong > 0, 0.02, 0.1), wrong, np.nan)
        bound = (np.cumsum(charges(PLAN, loss, np.full(4000, 0.1))) - log(PLAN.delta)) / PLAN.theta
        broken.append(bool((np.cumsum(wrong) > bound).any()))
    assert np.mean(broken) > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0.01}, "floor <= rate"),
        ({"floor": 0.0}, "floor <= rate"),
        ({"share": np.array([0.5, 0.4])}, "1 in all"),
    ],
)
def test_rates_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    given = {"risk": np.array([0.1, 0.2]), "share": np.array([0.5, 0.5]), "rate": 0.1, "floor": 0.02} | change
    with pytest.raises(ValueError, match=message):
        stratified_rates(**given)  # type: ignore[arg-type]
