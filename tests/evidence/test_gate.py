"""No threshold is certified falsely more often than promised, however often one looks; good ones are, and soon."""

from math import log

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.gate import (
    GatePlan,
    GateState,
    Rows,
    certified,
    fold_gate,
    how_far,
    make_grid,
    open_gate,
    warm_start,
)

R, DELTA = 0.05, 0.05
ONE = GatePlan(sides=("yes",), grid=((0.0,),), max_error=R, delta=DELTA, ratios=(1.0,))
RUNS = 2000


def rows(loss: np.ndarray, **columns: np.ndarray) -> Rows:
    """Cases of one side, all sure and all looked at, unless said otherwise."""
    n = len(loss)
    given = {"side": np.zeros(n, dtype=np.int64), "confidence": np.ones(n), "weight": np.ones(n)} | columns
    return Rows(loss=loss, **given)


def part(of: Rows, where: slice) -> Rows:
    """Some of the rows."""
    return Rows(side=of.side[where], confidence=of.confidence[where], loss=of.loss[where], weight=of.weight[where])


def world(seed: int, n: int = 400) -> Rows:
    """Two sides, costs, unequal probabilities of a look."""
    rng = np.random.default_rng(seed)
    propensity = rng.choice([0.2, 0.5, 1.0], n)
    loss = np.where(rng.random(n) < propensity, np.round(rng.beta(0.2, 2, n), 3), np.nan)
    return Rows(side=rng.integers(0, 2, n), confidence=rng.random(n), loss=loss, weight=0.2 / propensity)


TWO = GatePlan(
    sides=("no", "yes"), grid=((0.9, 0.5, 0.0), (0.8, 0.2)), max_error=0.2, delta=0.1, ratios=(0.5, 1.0, 2.0)
)


def certify(state: GateState, of: Rows, plan: GatePlan = ONE) -> bool:
    """Whether anything is certified after these rows."""
    return bool(certified(fold_gate(state, plan, of), plan))


def test_wealth_by_hand() -> None:
    plan = GatePlan(sides=("a",), grid=((0.8, 0.3),), max_error=0.2, delta=0.05, bets=(0.5,), shares=(1.0,))
    loss = np.array([0.0, 1.0, 0.0, np.nan])
    state = fold_gate(open_gate(plan), plan, rows(loss, confidence=np.array([0.9, 0.5, 0.8, 0.1]))).sides[0]
    assert (state.cases, state.covered, state.looked) == (4, (2, 3), (2, 3))
    assert np.exp(state.wealth).ravel() == pytest.approx([1.125**2, 1.125 * 0.5 * 1.125])
    assert np.exp(state.peak) == pytest.approx([1.125**2, 1.125])


def test_a_weight_shrinks_the_bet() -> None:
    plan = GatePlan(sides=("a",), grid=((0.0,),), max_error=0.2, delta=0.05, bets=(0.5,), shares=(1.0,))
    state = fold_gate(open_gate(plan), plan, rows(np.array([1.0]), weight=np.array([0.1]))).sides[0]
    assert np.exp(state.wealth[0][0]) == pytest.approx(1 - 0.05)
    assert (state.weight, state.loss) == ((0.1,), (0.1,))


@given(cut=cuts(400), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    everything = world(seed)
    state = open_gate(TWO)
    for where in batches(cut, 400):
        state = msgspec.json.decode(msgspec.json.encode(fold_gate(state, TWO, part(everything, where))), type=GateState)
    assert state == fold_gate(open_gate(TWO), TWO, everything)
    assert msgspec.json.decode(msgspec.json.encode(TWO), type=GatePlan) == TWO


def test_one_by_one_is_the_same_as_all_at_once_beyond_one_chunk() -> None:
    rng = np.random.default_rng(1)
    everything = rows((rng.random(9001) < 0.04).astype(float), confidence=rng.random(9001))
    plan = GatePlan(sides=("a",), grid=((0.7, 0.0),), max_error=R, delta=DELTA)
    halves = fold_gate(open_gate(plan), plan, part(everything, slice(0, 4500)))
    assert fold_gate(halves, plan, part(everything, slice(4500, None))) == fold_gate(open_gate(plan), plan, everything)


def test_what_is_missing_changes_nothing_but_the_counts() -> None:
    state = fold_gate(open_gate(TWO), TWO, world(3))
    unseen = fold_gate(state, TWO, rows(np.full(9, np.nan)))
    assert unseen.sides[0].cases == state.sides[0].cases + 9
    assert (unseen.sides[0].wealth, unseen.sides[1]) == (state.sides[0].wealth, state.sides[1])


def test_the_walk_stops_at_the_first_that_is_not_certified() -> None:
    state = open_gate(TWO)
    high, low = log(1000), 0.0
    for peaks, expected in [((high, high, low), {"no": 0.5}), ((low, high, high), {}), ((high,) * 3, {"no": 0.0})]:
        side = msgspec.structs.replace(state.sides[0], peak=peaks)
        assert certified(GateState(sides=(side, state.sides[1])), TWO) == expected


def test_a_certificate_stays_once_it_was_earned() -> None:
    state = fold_gate(open_gate(ONE), ONE, rows(np.zeros(300)))
    assert certified(fold_gate(state, ONE, rows(np.ones(300))), ONE) == {"yes": 0.0}


@pytest.mark.parametrize("costs", [False, True])
def test_at_risk_r_no_more_certificates_than_promised_are_false_with_a_peek_at_every_case(costs: bool) -> None:
    rng = np.random.default_rng(10)
    loss = rng.beta(0.2, 3.8, (RUNS, 1500)) if costs else (rng.random((RUNS, 1500)) < R).astype(float)
    broken = np.array([certify(open_gate(ONE), rows(run)) for run in loss])
    assert kept(broken, DELTA)
    assert broken.mean() > DELTA / 5  # nor is the test much stricter than need be


def test_a_grid_is_certified_beyond_its_good_part_as_seldom_as_promised() -> None:
    # The risk at confidence c is 0.1(1 − c), so that among those at or above τ it is 0.05(1 − τ): r = 0.03 at τ = 0.4.
    plan = GatePlan(
        sides=("a",), grid=(tuple(np.round(np.arange(0.9, -0.05, -0.1), 1)),), max_error=0.03, delta=0.1, ratios=(1.0,)
    )
    rng = np.random.default_rng(11)
    confidence = rng.random((400, 6000))
    loss = (rng.random((400, 6000)) < 0.1 * (1 - confidence)).astype(float)
    found = [
        certified(fold_gate(open_gate(plan), plan, rows(run, confidence=sure)), plan).get("a", 1.0)
        for run, sure in zip(loss, confidence, strict=True)
    ]
    assert kept(np.array(found) <= 0.4, 0.1)
    assert np.mean(np.array(found) <= 0.7) > 0.9


def test_sides_share_delta() -> None:
    plan = GatePlan(sides=("a", "b", "c"), grid=((0.0,),) * 3, max_error=R, delta=0.1, ratios=(1.0,))
    rng = np.random.default_rng(12)
    loss, side = (rng.random((RUNS, 1500)) < R).astype(float), rng.integers(0, 3, (RUNS, 1500))
    broken = [certify(open_gate(plan), rows(run, side=of), plan) for run, of in zip(loss, side, strict=True)]
    assert kept(np.array(broken), 0.1)


def stratified(
    rng: np.random.Generator, n: int, risky_look: float = 0.1, safe_look: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Losses of risk r, half of the cases risky: NaN where not looked at; and the probability of a look."""
    risky = rng.random(n) < 0.5
    propensity = np.where(risky, risky_look, safe_look)
    wrong = (rng.random(n) < np.where(risky, 0.09, 0.01)).astype(float)
    return np.where(rng.random(n) < propensity, wrong, np.nan), propensity


def test_unequal_looks_need_their_weights() -> None:
    rng = np.random.default_rng(13)
    weighted, plain = [], []
    for _ in range(RUNS):
        loss, propensity = stratified(rng, 3000)
        weighted.append(certify(open_gate(ONE), rows(loss, weight=0.1 / propensity)))
        plain.append(certify(open_gate(ONE), rows(loss)))
    assert kept(np.array(weighted), DELTA)
    assert np.mean(plain) > 0.8


def test_the_least_probability_may_change_with_the_deployment() -> None:
    rng = np.random.default_rng(14)
    broken = []
    for _ in range(RUNS):
        (early, first), (late, second) = stratified(rng, 1500), stratified(rng, 1500, 0.02, 0.6)
        weight = np.concatenate([0.1 / first, 0.02 / second])
        broken.append(certify(open_gate(ONE), rows(np.concatenate([early, late]), weight=weight)))
    assert kept(np.array(broken), DELTA)


def warm(history_risk: float, seed: int) -> np.ndarray:
    """Whether runs at risk r were certified after 400 rows of history."""
    rng = np.random.default_rng(seed)
    past = (rng.random((RUNS, 400)) < history_risk).astype(float)
    live = (rng.random((RUNS, 1500)) < R).astype(float)
    return np.array([certify(warm_start(ONE, rows(a)), rows(b)) for a, b in zip(past, live, strict=True)])


def test_history_like_today_keeps_the_promise() -> None:
    assert kept(warm(R, 15), DELTA)


def test_history_unlike_today_costs_no_more_than_its_cap() -> None:
    broken = warm(0.0, 16)
    assert kept(broken, ONE.cap * DELTA)
    assert not kept(broken, DELTA)  # so the weaker promise is the true one


def test_history_alone_never_certifies() -> None:
    assert certified(warm_start(ONE, rows(np.zeros(100_000))), ONE) == {}


def cases_until_certified(risk: float, seed: int, history: int = 0) -> np.ndarray:
    """How many cases it took, at most 4,000, in steps of 25."""
    rng = np.random.default_rng(seed)
    taken = []
    for _ in range(200):
        state = warm_start(ONE, rows((rng.random(history) < risk).astype(float)))
        loss = (rng.random(4000) < risk).astype(float)
        taken.append(4000)
        for first in range(0, 4000, 25):
            state = fold_gate(state, ONE, rows(loss[first : first + 25]))
            if certified(state, ONE):
                taken[-1] = first + 25
                break
    return np.array(taken)


@pytest.mark.parametrize(("risk", "typical", "nearly_all"), [(0.0, 100, 100), (0.01, 175, 325), (0.025, 525, 1400)])
def test_a_good_model_is_certified_soon(risk: float, typical: int, nearly_all: int) -> None:
    taken = cases_until_certified(risk, 17)
    assert np.median(taken) <= typical
    assert np.quantile(taken, 0.9) <= nearly_all


def test_history_saves_cases() -> None:
    assert np.median(cases_until_certified(0.025, 18, history=1500)) < 0.7 * np.median(cases_until_certified(0.025, 17))


def test_the_bound_on_the_risk_holds_at_all_times() -> None:
    plan = GatePlan(sides=("a",), grid=((0.0,),), max_error=R, delta=DELTA)
    rng = np.random.default_rng(19)
    risk = 0.04
    upper = []
    for _ in range(600):
        loss = (rng.random(1000) < risk).astype(float)
        upper.append(how_far(fold_gate(open_gate(plan), plan, rows(loss)), plan)["a"].risk.upper)  # the lowest so far
    assert kept(np.array(upper) < risk, DELTA)
    assert np.median(upper) < 0.065


@given(risk=st.sampled_from([0.0, 0.02, 0.05, 0.3]), n=st.integers(0, 800), seed=st.integers(0, 99))
def test_the_first_threshold_is_certified_when_the_bound_reaches_the_promise(risk: float, n: int, seed: int) -> None:
    plan = GatePlan(sides=("a",), grid=((0.0,),), max_error=R, delta=DELTA)
    loss = (np.random.default_rng(seed).random(n) < risk).astype(float)
    state = fold_gate(open_gate(plan), plan, rows(loss))
    away = how_far(state, plan)["a"]
    assert bool(certified(state, plan)) == (away.risk.upper <= R) == (away.best >= 1) == (away.missing == 0)
    assert (away.risk.n, away.risk.anytime, away.risk.confidence) == (n, True, 0.95)


def test_the_forecast_of_missing_looks_is_about_right() -> None:
    taken, forecast = cases_until_certified(0.025, 17), []
    for seed in range(200):
        loss = (np.random.default_rng(seed).random(200) < 0.025).astype(float)
        away = how_far(fold_gate(open_gate(ONE), ONE, rows(loss)), ONE)["yes"]
        forecast.append(200 + away.missing)
    assert 0.6 < np.median(forecast) / np.median(taken[taken > 200]) < 1.6


def test_a_risk_above_the_promise_has_no_forecast() -> None:
    away = how_far(fold_gate(open_gate(ONE), ONE, rows(np.tile([0.0, 1.0], 50))), ONE)["yes"]
    assert (away.risk.estimate, away.missing, away.progress < 0) == (0.5, np.inf, True)


def test_a_grid_runs_from_the_floor_to_everything() -> None:
    confidences = np.random.default_rng(20).random(1000)
    grid = make_grid(confidences, 0.3)
    assert (len(grid), grid[-1]) == (20, 0.0)
    assert list(grid) == sorted(set(grid), reverse=True)
    assert np.mean(confidences >= grid[0]) == 0.3
    assert make_grid(np.array([]), 0.3) == ()
    assert make_grid(np.full(50, 0.7), 0.3) == (0.0,)
    assert make_grid(confidences, 1.0) == (0.0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_error": 0.0}, "max_error and delta"),
        ({"delta": 1.0}, "max_error and delta"),
        ({"grid": ()}, "sides need as many grids"),
        ({"grid": ((0.5, 0.5),)}, "strictly decrease"),
        ({"ratios": (1.0, 0.5)}, "strictly increase"),
    ],
)
def test_a_plan_that_promises_nothing_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(ONE, **change)


def test_a_side_outside_the_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="place among 1"):
        fold_gate(open_gate(ONE), ONE, rows(np.zeros(1), side=np.array([1])))


def test_a_side_without_history_is_left_out() -> None:
    plan = GatePlan(sides=("a", "b"), grid=((), (0.5,)), max_error=R, delta=DELTA)
    state = fold_gate(warm_start(plan, rows(np.zeros(5))), plan, rows(np.zeros(5)))
    assert (state.sides[0].cases, set(how_far(state, plan)), certified(state, plan)) == (5, {"b"}, {})
