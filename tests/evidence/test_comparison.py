"""A challenger that shares the traffic is found better where it is, and no more often than promised where it is not."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept
from scipy import stats

from understudy.evidence.comparison import (
    UnpairedPlan,
    UnpairedState,
    fold_unpaired,
    open_unpaired,
    unpaired_lead,
    unpaired_log_e,
)
from understudy.evidence.means import mean_log_e

EVEN = UnpairedPlan(alpha=0.1, least=0.5, weights=(1.0,))
SKEWED = UnpairedPlan(alpha=0.1, least=0.1)
LOOKS = np.unique(np.geomspace(10, 4000, 16).astype(int))

Traffic = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Whether each case went to the challenger, its loss, and the probability of both."""


def world(rng: np.random.Generator, n: int, champion: float, challenger: float, share: float = 0.5) -> Traffic:
    """Error rates that rise and fall together, by at most half."""
    season = 1 + 0.5 * np.sin(np.arange(n) / 300)
    given = rng.random(n) < share
    risk = champion * season + np.where(given, challenger - champion, 0.0)
    return given, (rng.random(n) < risk).astype(float), np.where(given, share, 1 - share)


def by_difficulty(rng: np.random.Generator, n: int) -> Traffic:
    """Equal versions; easy cases mostly go to the challenger, and wrong ones are looked at by half."""
    easy = rng.random(n) < 0.5
    share = np.where(easy, 0.8, 0.2)
    given = rng.random(n) < share
    wrong = rng.random(n) < np.where(easy, 0.05, 0.35)
    known = np.where(easy, 1.0, 0.5)
    loss = np.where(rng.random(n) < known, wrong.astype(float), np.nan)
    return given, loss, np.where(given, share, 1 - share) * known


def run(plan: UnpairedPlan, traffic: Traffic) -> UnpairedState:
    """The state after these cases."""
    return fold_unpaired(open_unpaired(plan), plan, *traffic)


def test_the_lead_by_hand() -> None:
    plan = UnpairedPlan(alpha=0.1, least=0.25, weights=(0.5, 1.0))
    given, loss = np.array([False, True, True, False]), np.array([1.0, 0.0, np.nan, 0.5])
    found = unpaired_lead(run(plan, (given, loss, np.array([0.5, 0.25, 0.25, 0.25]))), plan)
    usual = [0.5, 1.5 / 2, None, 1.5 / 3]
    signed = [2 * (1.0 - usual[0]), -2 * (0.0 - usual[1]), None, 2 * (0.5 - usual[3])]
    assert found.estimate == pytest.approx((0.5 * signed[0] + signed[1] + signed[3]) / 2.5)
    assert (found.n, found.lower, found.upper, found.anytime) == (3, -1.0, 1.0, True)


@given(cut=cuts(300), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    traffic = by_difficulty(np.random.default_rng(seed), 300)
    state = open_unpaired(SKEWED)
    for where in batches(cut, 300):
        folded = fold_unpaired(state, SKEWED, *(column[where] for column in traffic))
        state = msgspec.json.decode(msgspec.json.encode(folded), type=UnpairedState)
    assert state == run(SKEWED, traffic)
    assert state.means.rows == 300


def ever_missed(plan: UnpairedPlan, traffic: Traffic, lead: float) -> bool:
    """Whether the bounds ever missed at a look."""
    state, done = open_unpaired(plan), 0
    for look in LOOKS:
        state, done = fold_unpaired(state, plan, *(column[done:look] for column in traffic)), look
        if any(mean_log_e(state.means, plan.means, lead, above=above) >= plan.means.goal for above in (True, False)):
            return True
    return False


@pytest.mark.parametrize(
    ("champion", "challenger", "share"), [(0.1, 0.1, 0.5), (0.5, 0.5, 0.5), (0.01, 0.01, 0.1), (0.2, 0.12, 0.9)]
)
def test_the_bounds_miss_the_lead_as_seldom_as_promised_however_the_risk_swings(
    champion: float, challenger: float, share: float
) -> None:
    rng = np.random.default_rng(1)
    plan = EVEN if share == 0.5 else SKEWED
    lead = champion - challenger
    missed = [ever_missed(plan, world(rng, 4000, champion, challenger, share), lead) for _ in range(150)]
    assert kept(np.array(missed), plan.alpha)


def test_a_look_after_each_case_breaks_nothing() -> None:
    rng, runs, steps = np.random.default_rng(2), 3000, 1500
    bets, shares = np.array(EVEN.means.bets), np.array(EVEN.means.shares)
    total, wealth, broken = np.zeros(runs), np.ones((runs, len(bets))), np.zeros(runs, dtype=bool)
    for step in range(steps):
        loss = (rng.random(runs) < 0.2).astype(float)
        signed = np.where(rng.random(runs) < 0.5, -2.0, 2.0) * (loss - (0.5 + total) / (1 + step))
        total += loss
        wealth *= 1 + bets * (((signed + 2) / 4 - 0.5) / 0.5)[:, None]
        broken |= wealth @ shares >= 2 / EVEN.alpha
    assert kept(broken, EVEN.alpha / 2)
    assert broken.mean() > EVEN.alpha / 10


def test_without_propensities_an_equal_challenger_wins_by_its_easy_cases() -> None:
    rng, weighted, plain = np.random.default_rng(3), [], []
    for _ in range(150):
        given, loss, propensity = by_difficulty(rng, 4000)
        weighted.append(ever_missed(SKEWED, (given, loss, propensity), 0.0))
        plain.append(unpaired_lead(run(EVEN, (given, loss, np.full(4000, 0.5))), EVEN).lower > 0)
    assert kept(np.array(weighted), SKEWED.alpha)
    assert np.mean(plain) > 0.9


def test_the_usual_test_breaks_its_level_under_peeking() -> None:
    rng, wrong = np.random.default_rng(4), []
    for _ in range(500):
        given, loss, _ = world(rng, 4000, 0.2, 0.2)
        n, m = np.cumsum(~given), np.cumsum(given)
        a, b = np.cumsum(loss * ~given) / np.maximum(n, 1), np.cumsum(loss * given) / np.maximum(m, 1)
        deviation = np.sqrt(a * (1 - a) / np.maximum(n, 1) + b * (1 - b) / np.maximum(m, 1))
        wrong.append((np.abs(a - b) > stats.norm.ppf(0.95) * deviation)[100:].any())
    assert np.mean(wrong) > 0.3


def test_a_better_challenger_is_found_with_a_few_times_the_cases_of_one_look() -> None:
    champion, challenger, alpha = 0.2, 0.15, 0.1
    spread = champion * (1 - champion) + challenger * (1 - challenger)
    once = 2 * spread * ((stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(0.8)) / (champion - challenger)) ** 2
    rng, found = np.random.default_rng(5), []
    for _ in range(60):
        given = rng.random(int(3.5 * once)) < 0.5
        loss = (rng.random(len(given)) < np.where(given, challenger, champion)).astype(float)
        found.append(unpaired_lead(run(EVEN, (given, loss, np.full(len(given), 0.5))), EVEN).lower > 0)
    assert np.mean(found) > 0.8


def test_the_usual_loss_makes_bounds_narrower() -> None:
    rng = np.random.default_rng(6)
    loss, given = rng.beta(60, 40, 4000), rng.random(4000) < 0.5
    found = unpaired_lead(run(EVEN, (given, loss, np.full(4000, 0.5))), EVEN)
    assert found.upper - found.lower < 0.02  # losses of 0.6 ± 0.05; without it the width is 0.13


@given(seed=st.integers(0, 30))
def test_bound_and_e_value_say_the_same(seed: int) -> None:
    traffic = by_difficulty(np.random.default_rng(seed), 1000)
    state = run(SKEWED, traffic)
    found, goal = unpaired_lead(state, SKEWED), SKEWED.means.goal
    assert found.lower <= found.estimate <= found.upper
    assert unpaired_log_e(state, SKEWED, found.lower - 1e-6) >= goal > unpaired_log_e(state, SKEWED, found.lower + 1e-6)


def test_before_the_first_case_anything_is_possible() -> None:
    found = unpaired_lead(open_unpaired(SKEWED), SKEWED)
    assert (found.lower, found.upper, found.n) == (-1.0, 1.0, 0)
    assert np.isnan(found.estimate)
    nothing = np.array([])
    assert run(SKEWED, (nothing.astype(bool), nothing, nothing)) == open_unpaired(SKEWED)
    unknown = run(SKEWED, (np.ones(2, dtype=bool), np.full(2, np.nan), np.full(2, 0.5)))
    assert (unknown.means.rows, unknown.means.known) == (2, 0)


@pytest.mark.parametrize(
    ("loss", "propensity", "said"),
    [(1.1, 0.5, "a loss lies"), (0.5, 0.05, "less than 0.1"), (0.5, 0.0, "propensity lies")],
)
def test_losses_and_propensities_have_their_ranges(loss: float, propensity: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run(SKEWED, (np.array([True]), np.array([loss]), np.array([propensity])))


def test_each_case_has_its_version() -> None:
    with pytest.raises(ValueError, match="one entry per case"):
        run(EVEN, (np.array([True]), np.zeros(2), np.full(2, 0.5)))


@pytest.mark.parametrize("least", [0.0, 1.5, np.nan])
def test_a_plan_without_a_least_propensity_is_refused(least: float) -> None:
    with pytest.raises(ValueError, match="least propensity"):
        UnpairedPlan(alpha=0.1, least=least)
