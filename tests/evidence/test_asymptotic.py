"""The asymptotic bounds are those of the paper, hold at all times after enough cases, and say what they are."""

from math import log, sqrt

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept
from scipy import optimize, stats

from understudy.evidence.asymptotic import AsymptoticPlan, AsymptoticState, asymptotic_evidence, fold_asymptotic

PLAN = AsymptoticPlan(alpha=0.1, best_at=500, first=100)


def world(seed: int, n: int = 300) -> np.ndarray:
    """Rewards far from 0, not all of them known."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < 0.8, 1e6 + rng.standard_t(6, n), np.nan)


def reach(n: np.ndarray | int, rho: float, alpha: float) -> np.ndarray:
    """Half the width, in standard deviations."""
    return np.sqrt(2 * (n * rho**2 + 1) / (n**2 * rho**2) * np.log(np.sqrt(n * rho**2 + 1) / alpha))


def test_the_bounds_by_hand_and_no_digit_is_lost_far_from_zero() -> None:
    values = world(0, 2000)
    known = values[~np.isnan(values)]
    statement = asymptotic_evidence(fold_asymptotic(AsymptoticState(), values), PLAN)
    assert statement.estimate == pytest.approx(known.mean(), abs=1e-6)
    assert statement.upper - statement.estimate == pytest.approx(
        known.std() * reach(len(known), PLAN.rho, 0.1), rel=1e-6
    )
    assert (statement.n, statement.anytime, "asymptotic" in statement.method) == (len(known), True, True)


@pytest.mark.parametrize("best_at", [100, 5000])
def test_rho_makes_the_bounds_tightest_where_it_should(best_at: int) -> None:
    plan = AsymptoticPlan(alpha=0.05, best_at=best_at)
    found = optimize.minimize_scalar(
        lambda rho: float(reach(best_at, rho, 0.05)), bounds=(1e-4, 1.0), options={"xatol": 1e-9}
    )
    assert plan.rho == pytest.approx(found.x, rel=1e-3)


@given(cut=cuts(300), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    values, state = world(seed), AsymptoticState()
    for where in batches(cut, 300):
        state = msgspec.json.decode(msgspec.json.encode(fold_asymptotic(state, values[where])), type=AsymptoticState)
    assert state == fold_asymptotic(AsymptoticState(), values)


def ever_missed(values: np.ndarray, mean: float, plan: AsymptoticPlan) -> np.ndarray:
    """Whether the bounds of each run, shape (runs, n), ever missed from the first look on."""
    n = np.arange(1, values.shape[1] + 1)
    average = np.cumsum(values, axis=1) / n
    deviation = np.sqrt(np.maximum(0, np.cumsum(values**2, axis=1) / n - average**2))
    missed = np.abs(average - mean) > deviation * reach(n, plan.rho, plan.alpha)
    return missed[:, plan.first - 1 :].any(axis=1)


@pytest.mark.parametrize(
    ("law", "first"),
    [(stats.norm(3, 2), 30), (stats.t(5), 100), (stats.expon(), 300), (stats.gamma(0.5, scale=100), 300)],
)
def test_the_bounds_miss_as_seldom_as_promised_at_all_looks_after_the_first(law: object, first: int) -> None:
    values = law.rvs((2000, 1500), random_state=1)  # type: ignore[attr-defined]
    assert kept(ever_missed(values, law.mean(), AsymptoticPlan(alpha=0.1, best_at=500, first=first)), 0.1)  # type: ignore[attr-defined]


def test_the_interval_for_one_look_breaks_its_level_under_peeking() -> None:
    values = np.random.default_rng(2).normal(size=(1000, 1500))
    n = np.arange(1, 1501)
    missed = np.abs(np.cumsum(values, axis=1) / n) > stats.norm.ppf(0.95) / np.sqrt(n)
    assert missed[:, 29:].any(axis=1).mean() > 0.3


def test_rare_large_values_break_what_is_asymptotic() -> None:
    values = (np.random.default_rng(3).random((1000, 2000)) < 0.002).astype(float)
    assert ever_missed(values, 0.002, AsymptoticPlan(alpha=0.1, best_at=500, first=100)).mean() > 0.3


def audits(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Costs with a mean of 3, looked at more where they are high."""
    high = rng.random(n) < 0.25
    propensity = np.where(high, 0.8, 0.2)
    return np.where(rng.random(n) < propensity, rng.exponential(np.where(high, 6.0, 2.0)), np.nan), propensity


def test_with_unequal_looks_the_propensities_are_needed() -> None:
    rng, weighted, plain = np.random.default_rng(4), [], []
    for _ in range(400):
        values, propensity = audits(rng, 2000)
        for found, by in ((weighted, propensity), (plain, None)):
            statement = asymptotic_evidence(fold_asymptotic(AsymptoticState(), values, by), PLAN)
            found.append(not statement.lower <= 3 <= statement.upper)
    assert kept(np.array(weighted), 0.1)
    assert np.mean(plain) > 0.9


def test_a_case_that_nobody_looked_at_counts_as_zero_over_its_propensity() -> None:
    state = fold_asymptotic(AsymptoticState(), np.array([4.0, np.nan]), np.array([0.5, 0.5]))
    assert asymptotic_evidence(state, PLAN).estimate == 4.0
    assert state.n == 2


def test_before_the_first_look_nothing_is_said() -> None:
    for n in (0, 1, 99):
        statement = asymptotic_evidence(fold_asymptotic(AsymptoticState(), np.ones(n)), PLAN)
        assert (statement.lower, statement.upper, statement.n) == (-np.inf, np.inf, n)
    assert fold_asymptotic(AsymptoticState(), np.full(3, np.nan)) == AsymptoticState()


def test_values_that_never_vary_have_no_width() -> None:
    statement = asymptotic_evidence(fold_asymptotic(AsymptoticState(), np.full(100, 7.0)), PLAN)
    assert (statement.lower, statement.estimate, statement.upper) == (7.0, 7.0, 7.0)


@pytest.mark.parametrize(
    ("value", "propensity", "said"), [(np.inf, None, "finite"), (1.0, 0.0, "propensity"), (1.0, np.nan, "propensity")]
)
def test_values_and_propensities_have_their_ranges(value: float, propensity: float | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fold_asymptotic(AsymptoticState(), np.array([value]), None if propensity is None else np.array([propensity]))


@pytest.mark.parametrize("change", [{"alpha": 0.0}, {"alpha": 0.1, "first": 1}, {"alpha": 0.1, "best_at": 0}])
def test_a_plan_without_meaning_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"alpha lies|at least"):
        AsymptoticPlan(**change)


def test_the_mixture_is_the_one_of_robbins() -> None:
    alpha, rho, n = 0.05, 0.1, 400
    edge = float(reach(n, rho, alpha)) * n  # the sum of standard normals at which the mixture reaches 1/α
    assert rho**2 * edge**2 / (2 * (n * rho**2 + 1)) - log(sqrt(n * rho**2 + 1)) == pytest.approx(-log(alpha))
