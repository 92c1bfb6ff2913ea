"""The bounds on the lead of a challenger hold at all times together, and find a lead that is there."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.pairs import PairPlan, PairState, fold_pairs, lead, log_e

PLAN = PairPlan(alpha=0.05, pi_min=0.2)
LOOKS = np.unique(np.geomspace(1, 3000, 40).astype(int))


def world(rng: np.random.Generator, n: int, better: float, worse: float) -> tuple[np.ndarray, np.ndarray]:
    """Differences and probabilities: the champion alone is wrong with `better`, the challenger alone with `worse`."""
    draw = rng.random(n)
    difference = np.where(draw < better, 1.0, np.where(draw < better + worse, -1.0, 0.0))
    agree = (difference == 0) & (rng.random(n) < 0.9)  # some disagree and are both wrong
    propensity = np.where(agree, 1.0, rng.choice([0.2, 0.6], n))
    return np.where(rng.random(n) < propensity, difference, np.nan), propensity


def test_the_bounds_are_those_of_the_paper_row_by_row() -> None:
    difference, propensity = world(np.random.default_rng(0), 200, 0.2, 0.1)
    x = (1 + 0.2 * np.nan_to_num(difference) / propensity) / 2
    staked = won = paid = 0.0
    total, spread, mean = 0.5, 0.25, 0.5
    for t, value in enumerate(x, 1):
        bet = min(0.5, np.sqrt(2 * np.log(40) / (spread / t * t * np.log(t + 1))))
        staked, won = staked + bet, won + bet * value
        paid += 4 * (value - mean) ** 2 * (-np.log(1 - bet) - bet) / 4
        total += value
        mean = total / (t + 1)
        spread += (value - mean) ** 2
    state = fold_pairs(PairState(), PLAN, difference, propensity)
    assert (state.staked, state.won, state.paid) == pytest.approx((staked, won, paid))
    radius = (np.log(40) + paid) / staked
    statement = lead(state, PLAN)
    assert statement.lower == pytest.approx(max(-1, (2 * (won / staked - radius) - 1) / 0.2))
    assert statement.upper == pytest.approx(min(1, (2 * (won / staked + radius) - 1) / 0.2))
    assert statement.estimate == pytest.approx(np.nansum(difference / propensity) / 200)


@given(cut=cuts(300), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    difference, propensity = world(np.random.default_rng(seed), 300, 0.1, 0.1)
    state = PairState()
    for where in batches(cut, 300):
        folded = fold_pairs(state, PLAN, difference[where], propensity[where])
        state = msgspec.json.decode(msgspec.json.encode(folded), type=PairState)
    assert state == fold_pairs(PairState(), PLAN, difference, propensity)


def statements(plan: PairPlan, better: float, worse: float, seed: int, runs: int = 800) -> np.ndarray:
    """Lower and upper bounds of each run at forty looks, shape (runs, 40, 2)."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(runs):
        difference, propensity = world(rng, 3000, better, worse)
        if plan.pi_min == 1.0:
            difference, propensity = (
                rng.choice([1.0, -1.0, 0.0], 3000, p=(better, worse, 1 - better - worse)),
                np.ones(3000),
            )
        state, done, bounds = PairState(), 0, []
        for look in LOOKS:
            state = fold_pairs(state, plan, difference[done:look], propensity[done:look])
            done = look
            statement = lead(state, plan)
            bounds.append((statement.lower, statement.upper))
        found.append(bounds)
    return np.array(found)


@pytest.mark.parametrize(("better", "worse"), [(0.05, 0.05), (0.2, 0.05), (0.5, 0.5), (0.01, 0.0)])
@pytest.mark.parametrize("pi_min", [0.2, 1.0])
def test_the_bounds_miss_the_truth_as_seldom_as_promised_at_all_looks_together(
    better: float, worse: float, pi_min: float
) -> None:
    bounds = statements(PairPlan(alpha=0.1, pi_min=pi_min), better, worse, 1)
    truth = better - worse
    broken = ((bounds[..., 0] > truth) | (bounds[..., 1] < truth)).any(axis=1)
    assert kept(broken, 0.1)


def test_a_lead_of_four_points_is_found_within_three_thousand_cases() -> None:
    found = statements(PairPlan(alpha=0.1), 0.06, 0.02, 2, runs=200)[:, :, 0] > 0
    assert found[:, -1].mean() > 0.9


def test_a_lead_is_found_with_a_look_at_a_fifth_of_disagreements() -> None:
    found = statements(PairPlan(alpha=0.1, pi_min=0.2), 0.1, 0.02, 3, runs=200)[:, :, 0] > 0
    assert found[:, -1].mean() > 0.9


def test_disagreement_rather_than_error_makes_the_width() -> None:
    often, seldom = (statements(PairPlan(alpha=0.1), share, share, 4, runs=20)[:, -1] for share in (0.3, 0.01))
    assert np.ptp(seldom, axis=1).mean() < np.ptp(often, axis=1).mean() / 3


def test_the_e_value_exceeds_its_bound_as_seldom_as_promised() -> None:
    rng, broken = np.random.default_rng(5), []
    for _ in range(800):
        difference, propensity = world(rng, 3000, 0.12, 0.1)
        state, done, peak = PairState(), 0, 0.0
        for look in LOOKS:
            state, done = fold_pairs(state, PLAN, difference[done:look], propensity[done:look]), look
            peak = max(peak, log_e(state, PLAN, margin=0.02))
        broken.append(peak >= np.log(20))
    assert kept(np.array(broken), 0.05)


@given(seed=st.integers(0, 50), margin=st.floats(-0.2, 0.2))
def test_bound_and_e_value_say_the_same(seed: int, margin: float) -> None:
    state = fold_pairs(PairState(), PLAN, *world(np.random.default_rng(seed), 800, 0.3, 0.1))
    assert (lead(state, PLAN).lower > margin) == (log_e(state, PLAN, margin) > np.log(40))


def test_before_the_first_case_anything_is_possible() -> None:
    statement = lead(PairState(), PLAN)
    assert (statement.lower, statement.upper, statement.n, statement.anytime) == (-1.0, 1.0, 0, True)
    assert fold_pairs(PairState(), PLAN, np.array([]), np.array([])) == PairState()


@pytest.mark.parametrize(("difference", "propensity"), [(1.5, 1.0), (0.0, 0.1), (0.0, 1.1), (0.0, np.nan)])
def test_differences_and_probabilities_have_their_ranges(difference: float, propensity: float) -> None:
    with pytest.raises(ValueError, match=r"lies between|became known"):
        fold_pairs(PairState(), PLAN, np.array([difference]), np.array([propensity]))


def test_a_plan_without_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha lies"):
        PairPlan(alpha=0.0)
