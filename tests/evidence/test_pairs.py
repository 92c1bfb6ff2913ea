"""The bounds on the lead of a challenger hold at all times together, and find a lead that is there."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.pairs import PairPlan, PairState, fold_pairs, lead, log_e, open_pairs

PLAN = PairPlan(alpha=0.05)
COARSE = PairPlan(alpha=0.1, steps=(0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6))
LOOKS = np.unique(np.geomspace(5, 3000, 24).astype(int))


def world(
    rng: np.random.Generator, n: int, better: float, worse: float, least: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Differences and weights: the champion alone is wrong with `better`, the challenger alone with `worse`."""
    draw = rng.random(n)
    difference = np.where(draw < better, 1.0, np.where(draw < better + worse, -1.0, 0.0))
    if least == 1.0:
        return difference, np.ones(n)
    agree = (difference == 0) & (rng.random(n) < 0.9)  # some disagree and are both wrong
    often = np.where(difference > 0, 0.6, least)  # looked at with a probability that goes with the answer
    propensity = np.where(agree, 1.0, often)
    return np.where(rng.random(n) < propensity, difference, np.nan), least / propensity


def test_wealth_by_hand() -> None:
    plan = PairPlan(alpha=0.1, margin=0.2, bets=(0.5,), shares=(1.0,), steps=(0.4,))
    state = fold_pairs(open_pairs(plan), plan, np.array([1.0, -1.0, np.nan]), np.array([1.0, 0.5, 1.0]))
    for place, value in enumerate((-0.2, 0.2, 0.6)):
        above = (1 + 0.5 * (1 - value) / (1 + value)) * (1 + 0.5 * 0.5 * (-1 - value) / (1 + value))
        below = (1 + 0.5 * (value - 1) / (1 - value)) * (1 + 0.5 * 0.5 * (value + 1) / (1 - value))
        assert np.exp(state.above[place][0]) == pytest.approx(above)
        assert np.exp(state.below[place][0]) == pytest.approx(below)
    assert (state.rows, state.known, state.weight, state.total) == (3, 2, 1.5, 0.5)
    assert lead(state, plan).estimate == pytest.approx(1 / 3)


@given(cut=cuts(300), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    difference, weight = world(np.random.default_rng(seed), 300, 0.1, 0.1)
    state = open_pairs(PLAN)
    for where in batches(cut, 300):
        folded = fold_pairs(state, PLAN, difference[where], weight[where])
        state = msgspec.json.decode(msgspec.json.encode(folded), type=PairState)
    assert state == fold_pairs(open_pairs(PLAN), PLAN, difference, weight)
    assert msgspec.json.decode(msgspec.json.encode(PLAN), type=PairPlan) == PLAN


def statements(better: float, worse: float, least: float, seed: int, runs: int = 240) -> np.ndarray:
    """Lower and upper bounds of each run at every look, shape (runs, looks, 2)."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(runs):
        difference, weight = world(rng, 3000, better, worse, least)
        state, done, bounds = open_pairs(COARSE), 0, []
        for look in LOOKS:
            state, done = fold_pairs(state, COARSE, difference[done:look], weight[done:look]), look
            statement = lead(state, COARSE)
            bounds.append((statement.lower, statement.upper))
        found.append(bounds)
    return np.array(found)


@pytest.mark.parametrize(
    ("better", "worse", "least"),
    [(0.05, 0.05, 1.0), (0.05, 0.05, 0.2), (0.5, 0.5, 1.0), (0.16, 0.01, 0.2), (0.01, 0.0, 1.0)],
)
def test_the_bounds_miss_the_truth_as_seldom_as_promised_at_all_looks_together(
    better: float, worse: float, least: float
) -> None:
    bounds = statements(better, worse, least, 1)
    truth = better - worse  # a lead of the grid, or just below one, where misses are likeliest
    broken = ((bounds[..., 0] >= truth) | (bounds[..., 1] <= truth)).any(axis=1)
    assert kept(broken, 0.1)


@pytest.mark.parametrize(("better", "worse", "least"), [(0.06, 0.02, 1.0), (0.02, 0.0, 1.0), (0.12, 0.02, 0.2)])
def test_a_lead_is_found_within_three_thousand_cases(better: float, worse: float, least: float) -> None:
    found = statements(better, worse, least, 2, runs=100)[..., 0] >= 0
    assert found[:, -1].mean() > 0.9
    assert found[:, LOOKS <= 1200][:, -1].mean() > 0.7


def test_not_worse_by_more_than_a_margin_is_proven_where_it_is_so_and_seldom_elsewhere() -> None:
    plan = PairPlan(alpha=0.1, margin=-0.02, steps=(0.01, 0.02, 0.04))
    rng, proven, false = np.random.default_rng(6), [], []
    for _ in range(120):
        for found, worse in ((proven, 0.02), (false, 0.04)):  # just as good, and worse by just the margin
            state, done, said = open_pairs(plan), 0, False
            difference, weight = world(rng, 3000, 0.02, worse, 1.0)
            for look in LOOKS:
                state, done = fold_pairs(state, plan, difference[done:look], weight[done:look]), look
                said |= lead(state, plan).lower >= plan.margin
            found.append(said)
    assert np.mean(proven) > 0.8
    assert kept(np.array(false), 0.05)


def test_without_weights_a_lead_is_seen_that_is_none() -> None:
    rng, weighted, plain = np.random.default_rng(3), [], []
    for _ in range(200):
        difference, weight = world(rng, 3000, 0.1, 0.1)
        for found, by in ((weighted, weight), (plain, np.ones(3000))):
            found.append(lead(fold_pairs(open_pairs(COARSE), COARSE, difference, by), COARSE).lower >= 0)
    assert kept(np.array(weighted), 0.05)
    assert np.mean(plain) > 0.9


def test_disagreement_rather_than_error_makes_the_width() -> None:
    often, seldom = (statements(share, share, 1.0, 4, runs=20)[:, -1] for share in (0.3, 0.01))
    assert np.ptp(seldom, axis=1).mean() < np.ptp(often, axis=1).mean() / 3


def test_the_e_value_exceeds_its_bound_as_seldom_as_promised() -> None:
    plan = PairPlan(alpha=0.1, margin=0.02, steps=(0.5,))
    rng, broken = np.random.default_rng(5), []
    for _ in range(400):
        difference, weight = world(rng, 3000, 0.12, 0.1)
        state, done, peak = open_pairs(plan), 0, 0.0
        for look in LOOKS:
            state, done = fold_pairs(state, plan, difference[done:look], weight[done:look]), look
            peak = max(peak, log_e(state, plan))
        broken.append(peak >= np.log(20))
    assert kept(np.array(broken), 0.05)


@given(seed=st.integers(0, 50), margin=st.sampled_from([-0.1, 0.0, 0.013, 0.2]))
def test_bound_and_e_value_say_the_same(seed: int, margin: float) -> None:
    plan = PairPlan(alpha=0.1, margin=margin)
    state = fold_pairs(open_pairs(plan), plan, *world(np.random.default_rng(seed), 800, 0.3, 0.1))
    statement = lead(state, plan)
    assert (statement.lower >= margin) == (log_e(state, plan) >= plan.goal)
    assert statement.lower < statement.estimate < statement.upper


@given(seed=st.integers(0, 50))
def test_the_roles_may_be_exchanged(seed: int) -> None:
    difference, weight = world(np.random.default_rng(seed), 500, 0.3, 0.1)
    one, other = (lead(fold_pairs(open_pairs(PLAN), PLAN, sign * difference, weight), PLAN) for sign in (1, -1))
    assert (one.lower, one.upper, one.estimate) == (-other.upper, -other.lower, -other.estimate)


def test_before_the_first_case_anything_is_possible() -> None:
    statement = lead(open_pairs(PLAN), PLAN)
    assert (statement.lower, statement.upper, statement.n, statement.anytime) == (-1.0, 1.0, 0, True)
    assert fold_pairs(open_pairs(PLAN), PLAN, np.array([]), np.array([])) == open_pairs(PLAN)


@pytest.mark.parametrize(("difference", "weight"), [(1.5, 1.0), (-1.5, 1.0), (0.0, 0.0), (0.0, 1.1), (0.0, np.nan)])
def test_differences_and_weights_have_their_ranges(difference: float, weight: float) -> None:
    with pytest.raises(ValueError, match="lies"):
        fold_pairs(open_pairs(PLAN), PLAN, np.array([difference]), np.array([weight]))


@pytest.mark.parametrize("change", [{"alpha": 0.0}, {"alpha": 0.1, "margin": 1.0}])
def test_a_plan_without_meaning_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="alpha lies"):
        PairPlan(**change)
