"""No threshold is certified falsely more often than promised, however often one looks; good ones are, and soon."""

import functools
from math import log

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept
from scipy import stats

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
ONE = GatePlan(sides=("yes",), grid=((0.0,),), max_error=R, delta=DELTA)
RUNS = 600


def rows(loss: np.ndarray, **columns: np.ndarray) -> Rows:
    """Cases of one side, all sure and all looked at, unless said otherwise."""
    n = len(loss)
    given = {"side": np.zeros(n, dtype=np.int64), "confidence": np.ones(n), "weight": np.ones(n)} | columns
    return Rows(loss=loss, **given)


def part(of: Rows, where: slice) -> Rows:
    """Some of the rows."""
    group = None if of.group is None else of.group[where]
    return Rows(
        side=of.side[where],
        confidence=of.confidence[where],
        loss=of.loss[where],
        weight=of.weight[where],
        group=group,
    )


def world(seed: int, n: int = 400) -> Rows:
    """Two sides, two groups, costs, unequal probabilities of a look."""
    rng = np.random.default_rng(seed)
    propensity = rng.choice([0.2, 0.5, 1.0], n)
    loss = np.where(rng.random(n) < propensity, np.round(rng.beta(0.2, 2, n), 3), np.nan)
    side, group = rng.integers(0, 2, n), rng.integers(0, 2, n)
    return Rows(side=side, confidence=rng.random(n), loss=loss, weight=0.2 / propensity, group=group)


TWO = GatePlan(
    sides=("no", "yes"), grid=((0.9, 0.5, 0.0), (0.8, 0.2)), max_error=0.2, delta=0.1, groups=("north", "south")
)


def certify(state: GateState, of: Rows, plan: GatePlan = ONE) -> bool:
    """Whether anything is certified after these rows."""
    return bool(certified(fold_gate(state, plan, of), plan))


def false_one(state: GateState, plan: GatePlan, bad: np.ndarray) -> bool:
    """Whether any threshold of the first side has a certificate that is bad, be it the lowest or not."""
    return bool((np.array(state.sides[0].peak)[bad] >= plan.goal).any())


def test_wealth_by_hand() -> None:
    plan = GatePlan(sides=("a",), grid=((0.8, 0.3),), max_error=0.2, delta=0.05, bets=(0.5,), shares=(1.0,))
    loss = np.array([0.0, 1.0, 0.0, np.nan])
    state = fold_gate(open_gate(plan), plan, rows(loss, confidence=np.array([0.9, 0.5, 0.8, 0.1]))).sides[0]
    group = state.groups[0]
    assert (state.cases, group.covered, group.looked) == (4, (2, 3), (2, 3))
    assert np.exp(group.wealth).ravel() == pytest.approx([1.125**2, 1.125 * 0.5 * 1.125])
    assert np.exp(state.peak) == pytest.approx([1.125, 1.125])  # both after the first case; then a mean of both counts


def test_a_weight_shrinks_the_bet() -> None:
    plan = GatePlan(sides=("a",), grid=((0.0,),), max_error=0.2, delta=0.05, bets=(0.5,), shares=(1.0,))
    group = fold_gate(open_gate(plan), plan, rows(np.array([1.0]), weight=np.array([0.1]))).sides[0].groups[0]
    assert np.exp(group.wealth[0][0]) == pytest.approx(1 - 0.05)
    assert (group.weight, group.loss) == ((0.1,), (0.1,))


@given(cut=cuts(400), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    everything = world(seed)
    state = open_gate(TWO)
    for where in batches(cut, 400):
        state = msgspec.json.decode(msgspec.json.encode(fold_gate(state, TWO, part(everything, where))), type=GateState)
    assert state == fold_gate(open_gate(TWO), TWO, everything)
    assert msgspec.json.decode(msgspec.json.encode(TWO), type=GatePlan) == TWO


@pytest.mark.parametrize("size", [1, 700, 10_000])
def test_batches_of_one_and_of_ten_thousand_are_the_same_beyond_one_chunk(size: int) -> None:
    rng = np.random.default_rng(1)
    n = 300 if size == 1 else 9001
    everything = rows((rng.random(n) < 0.02).astype(float), confidence=rng.random(n))
    plan = GatePlan(sides=("a",), grid=((0.7, 0.4, 0.0),), max_error=R, delta=DELTA)
    state = open_gate(plan)
    for first in range(0, n, size):
        state = fold_gate(state, plan, part(everything, slice(first, first + size)))
    assert state == fold_gate(open_gate(plan), plan, everything)


def test_what_is_missing_changes_nothing_but_the_counts() -> None:
    state = fold_gate(open_gate(TWO), TWO, world(3))
    unseen = fold_gate(state, TWO, rows(np.full(9, np.nan), group=np.zeros(9, dtype=np.int64)))
    before, after = state.sides[0].groups[0], unseen.sides[0].groups[0]
    assert unseen.sides[0].cases == state.sides[0].cases + 9
    assert after == msgspec.structs.replace(before, covered=tuple(count + 9 for count in before.covered))
    assert (unseen.sides[0].peak, unseen.sides[1]) == (state.sides[0].peak, state.sides[1])


def test_the_lowest_certified_threshold_counts() -> None:
    state = open_gate(TWO)
    high, low = log(1000), 0.0
    for peaks, expected in [((high, high, low), 0.5), ((low, high, low), 0.5), ((high,) * 3, 0.0)]:
        side = msgspec.structs.replace(state.sides[0], peak=peaks)
        assert certified(GateState(sides=(side, state.sides[1])), TWO) == {"no": expected}


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


def test_one_look_at_a_number_fixed_beforehand_is_broken_by_peeking() -> None:
    rng = np.random.default_rng(10)
    errors = (rng.random((500, 1500)) < R).cumsum(axis=1)[:, 49::50]
    p = stats.binom.cdf(errors, np.arange(50, 1501, 50), R)
    assert not kept((p <= DELTA).any(axis=1), 2 * DELTA)


TENTHS = tuple(np.round(np.arange(0.9, -0.05, -0.1), 1).tolist())
STREAMS = {
    # name: r, the risk by rank (0 the surest), the values that the confidence takes, which thresholds are bad
    "at the limit everywhere": (0.05, lambda q: np.full_like(q, 0.05), 0, np.full(10, True)),
    "rare errors": (0.01, lambda q: np.full_like(q, 0.01), 0, np.full(10, True)),
    "rising through the limit": (0.03, lambda q: 0.1 * q, 0, np.arange(10) >= 5),
    "heavy ties": (0.05, lambda q: np.where(q < 0.2, 0.0, 0.0625), 5, np.array([False] * 8 + [True] * 2)),
    "worst where it is surest": (0.05, lambda q: 0.1 * (1 - q), 0, np.full(10, True)),
    "bad, then good": (0.05, lambda q: np.where(q < 0.1, 0.05, 0.0), 0, np.arange(10) == 0),
}


@pytest.mark.parametrize("name", STREAMS)
def test_no_bad_threshold_of_a_grid_is_certified_more_often_than_promised(name: str) -> None:
    r, curve, values, bad = STREAMS[name]
    plan = GatePlan(sides=("a",), grid=(TENTHS,), max_error=r, delta=0.1)
    rng, broken = np.random.default_rng(11), []
    for _ in range(200):
        rank = rng.random(2500)
        loss = (rng.random(2500) < curve(rank)).astype(float)
        if values:
            rank = np.ceil(rank * values) / values
        sure = np.nextafter(1 - rank, 2)  # so that as many ranks as it says lie at or above a tenth
        broken.append(false_one(fold_gate(open_gate(plan), plan, rows(loss, confidence=sure)), plan, bad))
    assert kept(np.array(broken), 0.1)


def test_the_good_part_of_a_grid_is_certified_wherever_it_lies() -> None:
    plan = GatePlan(sides=("a",), grid=(TENTHS,), max_error=R, delta=DELTA)
    rng, found = np.random.default_rng(12), []
    for _ in range(40):
        rank = rng.random(4000)
        loss = (rng.random(4000) < np.where(rank < 0.1, 0.1, 0.01)).astype(float)  # worst where it is surest
        found.append(certified(fold_gate(open_gate(plan), plan, rows(loss, confidence=1 - rank)), plan))
    assert np.mean([one == {"a": 0.0} for one in found]) > 0.9


def test_sides_share_delta() -> None:
    plan = GatePlan(sides=("a", "b", "c"), grid=((0.0,),) * 3, max_error=R, delta=0.1)
    rng = np.random.default_rng(12)
    loss, side = (rng.random((RUNS, 1500)) < R).astype(float), rng.integers(0, 3, (RUNS, 1500))
    broken = [certify(open_gate(plan), rows(run, side=of), plan) for run, of in zip(loss, side, strict=True)]
    assert kept(np.array(broken), 0.1)


def test_each_of_many_classes_has_its_own_threshold() -> None:
    plan = GatePlan(sides=("cat", "dog", "owl"), grid=((0.5, 0.0),) * 3, max_error=R, delta=DELTA)
    rng = np.random.default_rng(13)
    side, sure = rng.integers(0, 3, 9000), rng.random(9000)
    risk = np.choose(side, [np.full(9000, 0.01), np.where(sure < 0.5, 0.3, 0.01), np.full(9000, 0.3)])
    loss = (rng.random(9000) < risk).astype(float)
    found = certified(fold_gate(open_gate(plan), plan, rows(loss, side=side, confidence=sure)), plan)
    assert found == {"cat": 0.0, "dog": 0.5}


SHARED = GatePlan(sides=("a",), grid=((0.5, 0.0),), max_error=R, delta=DELTA, groups=("north", "south"))


def grouped(north: float, south: float, runs: int, seed: int, plan: GatePlan = SHARED) -> np.ndarray:
    """Whether runs in which each group has a risk of its own were certified anywhere."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(runs):
        group = rng.integers(0, 2, 3000)
        loss = (rng.random(3000) < np.where(group == 0, north, south)).astype(float)
        found.append(certify(open_gate(plan), rows(loss, group=group, confidence=rng.random(3000)), plan))
    return np.array(found)


@pytest.mark.parametrize("north", [0.0, R])
def test_a_shared_threshold_is_proven_for_every_group_without_dividing_delta(north: float) -> None:
    assert kept(grouped(north, R, 500, 14), DELTA)


def test_without_groups_a_good_one_hides_a_bad_one() -> None:
    plan = msgspec.structs.replace(SHARED, groups=("all",))
    rng = np.random.default_rng(14)
    group = rng.integers(0, 2, 3000)
    loss = (rng.random(3000) < np.where(group == 0, 0.0, 1.3 * R)).astype(float)
    assert certify(open_gate(plan), rows(loss, confidence=rng.random(3000)), plan)
    assert not certify(open_gate(SHARED), rows(loss, confidence=rng.random(3000), group=group), SHARED)


def test_groups_that_are_all_good_are_certified() -> None:
    assert grouped(0.01, 0.02, 40, 15).mean() > 0.9


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


def test_a_bet_that_depends_on_the_case_breaks_the_promise() -> None:
    """Its size follows the case's own confidence, though every case was looked at with the same probability."""
    rng, broken = np.random.default_rng(15), []
    for _ in range(300):
        sure = rng.random(3000)
        loss = (rng.random(3000) < 2 * R * (1 - sure)).astype(float)
        broken.append(certify(open_gate(ONE), rows(loss, weight=np.maximum(sure, 0.01))))
    assert np.mean(broken) > 0.8


def late_errors(rng: np.random.Generator, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Losses at risk r in the order of the decisions, and in that of their arrival: an error takes longer to show."""
    loss = (rng.random(n) < R).astype(float)
    arrival = np.arange(n) + np.where(loss > 0, 600, 10) * rng.exponential(1.0, n)
    return loss, loss[np.argsort(arrival)]


def test_labels_that_are_late_because_they_are_errors_need_the_order_of_decisions() -> None:
    rng = np.random.default_rng(16)
    decided, arrived = [], []
    for _ in range(500):
        in_order, as_it_came = late_errors(rng)
        decided.append(certify(open_gate(ONE), rows(in_order)))
        arrived.append(certify(open_gate(ONE), rows(as_it_came)))
    assert kept(np.array(decided), DELTA)
    assert np.mean(arrived) > 0.8


def test_the_promise_is_against_the_reviewer_who_may_err() -> None:
    """A reviewer who shares half of the model's mistakes sees a risk of r where the truth is 2 r."""
    rng = np.random.default_rng(17)
    wrong = rng.random((RUNS, 1500)) < 2 * R
    seen = (wrong & (rng.random((RUNS, 1500)) < 0.5)).astype(float)
    broken = np.array([certify(open_gate(ONE), rows(run)) for run in seen])
    assert kept(broken, DELTA)  # he would disagree with r of the answers, and so it was promised
    careless = (wrong[:200] & (rng.random((200, 1500)) < 0.2)).astype(float)
    assert np.mean([certify(open_gate(ONE), rows(run)) for run in careless]) > 0.8  # though twice r are wrong


def warm(past: np.ndarray, seed: int, plan: GatePlan = ONE) -> np.ndarray:
    """Whether runs at risk r were certified after their history."""
    live = (np.random.default_rng(seed).random((len(past), 1500)) < R).astype(float)
    return np.array([certify(warm_start(plan, rows(a)), rows(b), plan) for a, b in zip(past, live, strict=True)])


def wrong_at(risk: float, n: int, seed: int) -> np.ndarray:
    """RUNS histories of n rows."""
    return (np.random.default_rng(seed).random((RUNS, n)) < risk).astype(float)


@pytest.mark.parametrize("n", [30, 1000])
def test_history_like_today_keeps_the_promise(n: int) -> None:
    assert kept(warm(wrong_at(R, n, 18), 15), DELTA)


def test_costs_in_history_keep_the_promise() -> None:
    past = np.random.default_rng(19).beta(0.2, 3.8, (RUNS, 400))
    assert kept(warm(past, 15, msgspec.structs.replace(ONE, costs=True)), DELTA)
    assert kept(warm(past, 15), DELTA)  # also where nobody said that they are costs


def test_history_unlike_today_costs_no_more_than_its_cap() -> None:
    broken = warm(wrong_at(0.0, 400, 20), 16)
    assert kept(broken, ONE.cap * DELTA)
    assert not kept(broken, DELTA)  # so the weaker promise is the true one


def test_history_without_a_cap_breaks_even_the_weaker_promise() -> None:
    live = (np.random.default_rng(16).random((100, 1500)) < R).astype(float)
    uncapped = fold_gate(open_gate(ONE), ONE, rows(np.zeros(400)))
    assert np.mean([certify(uncapped, rows(run)) for run in live]) == 1


def test_history_that_is_counted_once_more_as_live_cases_breaks_the_promise() -> None:
    live = (np.random.default_rng(21).random((1000, 1500)) < R).astype(float)
    assert not kept(np.array([certify(warm_start(ONE, rows(run)), rows(run)) for run in live]), DELTA)


def test_a_bet_informed_by_the_truth_that_it_is_tested_on_breaks_the_promise() -> None:
    live = (np.random.default_rng(21).random((200, 1500)) < R).astype(float)
    broken = [certify(open_gate(ONE), rows(run, weight=np.where(run > 0, 0.6, 1.0))) for run in live]
    assert np.mean(broken) > 0.8


def test_history_alone_never_certifies() -> None:
    plan = GatePlan(sides=("a",), grid=(TENTHS,), max_error=R, delta=DELTA)
    sure = np.random.default_rng(22).random(100_000)
    assert certified(warm_start(plan, rows(np.zeros(100_000), confidence=sure)), plan) == {}


def test_history_must_be_known_and_unweighted() -> None:
    for bad in (rows(np.array([np.nan])), rows(np.zeros(1), weight=np.full(1, 0.5))):
        with pytest.raises(ValueError, match="history needs"):
            warm_start(ONE, bad)


@functools.cache
def cases_until_certified(risk: float, seed: int, history: int = 0) -> np.ndarray:
    """How many cases it took 120 models, at most 4,000, in steps of 25."""
    rng = np.random.default_rng(seed)
    taken = []
    for _ in range(120):
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
    assert np.median(cases_until_certified(0.025, 18, history=1500)) < 0.5 * np.median(cases_until_certified(0.025, 17))


def test_history_tells_which_bets_to_favour() -> None:
    plan = GatePlan(sides=("a",), grid=(TENTHS,), max_error=R, delta=DELTA)
    rng = np.random.default_rng(23)
    past = rows((rng.random(4000) < 0.01).astype(float), confidence=rng.random(4000))
    before, after = (np.array(gate.sides[0].groups[0].wealth) for gate in (open_gate(plan), warm_start(plan, past)))
    best = np.array(plan.bets)[[before[-1].argmax(), after[-1].argmax()]]
    assert best.tolist() == [0.2, 0.75]  # a risk of r/5 asks for a bet of 0.8


def test_the_bound_on_the_risk_holds_at_all_times_and_thresholds() -> None:
    plan = GatePlan(sides=("a",), grid=((0.8, 0.5, 0.0),), max_error=R, delta=DELTA)
    rng, risk, missed, upper = np.random.default_rng(19), 0.04, [], []
    for _ in range(150):
        loss, sure, state = (rng.random(1200) < risk).astype(float), rng.random(1200), open_gate(plan)
        found = []
        for first in range(0, 1200, 80):
            where = slice(first, first + 80)
            state = fold_gate(state, plan, rows(loss[where], confidence=sure[where]))
            found.append(how_far(state, plan)["a"].risk.upper)
        missed.append(min(found) < risk)
        upper.append(found[-1])
    assert kept(np.array(missed), DELTA)
    assert np.median(upper) < 0.1


@given(risk=st.sampled_from([0.0, 0.02, 0.05, 0.3]), n=st.integers(0, 800), seed=st.integers(0, 99))
def test_what_bounds_the_risk_by_the_promise_certifies(risk: float, n: int, seed: int) -> None:
    loss = (np.random.default_rng(seed).random(n) < risk).astype(float)
    state = fold_gate(open_gate(ONE), ONE, rows(loss))
    away = how_far(state, ONE)["yes"]
    assert bool(certified(state, ONE)) == (away.best >= 1) == (away.missing == 0)
    assert (away.risk.upper <= R) == (away.progress >= 1 - 1e-9)
    assert (away.risk.n, away.risk.anytime, away.risk.confidence, away.coverage) == (n, True, 0.95, float(n > 0))


def test_the_forecast_of_missing_looks_is_about_right() -> None:
    taken, forecast = cases_until_certified(0.025, 17), []
    for seed in range(200):
        loss = (np.random.default_rng(seed).random(200) < 0.025).astype(float)
        away = how_far(fold_gate(open_gate(ONE), ONE, rows(loss)), ONE)["yes"]
        forecast.append(200 + away.missing)
    assert 0.6 < np.median(forecast) / np.median(taken[taken > 200]) < 1.6


def test_the_closest_threshold_is_named_though_it_is_not_the_first() -> None:
    plan = GatePlan(sides=("a",), grid=((0.9, 0.5, 0.0),), max_error=R, delta=DELTA)
    rng = np.random.default_rng(24)
    sure = rng.random(400)
    loss = (rng.random(400) < np.select([sure >= 0.9, sure >= 0.5], [0.3, 0.0], 0.3)).astype(float)
    away = how_far(fold_gate(open_gate(plan), plan, rows(loss, confidence=sure)), plan)["a"]
    assert (away.threshold, away.missing) == (0.5, np.inf)
    assert away.coverage == pytest.approx(0.5, abs=0.1)
    assert R < away.risk.estimate < 0.1


def test_a_risk_above_the_promise_has_no_forecast() -> None:
    away = how_far(fold_gate(open_gate(ONE), ONE, rows(np.tile([0.0, 1.0], 50))), ONE)["yes"]
    assert (away.risk.estimate, away.missing, away.progress < 0) == (0.5, np.inf, True)


def test_the_distance_of_groups_is_that_of_the_worst() -> None:
    group = np.tile([0, 1], 100)
    loss = np.where(np.arange(200) % 20 == 1, 1.0, 0.0)  # a tenth of the south
    state = fold_gate(open_gate(SHARED), SHARED, rows(loss, group=group))
    away = how_far(state, SHARED)["a"]
    assert (away.risk.estimate, away.risk.n, away.missing) == (pytest.approx(0.1), 100, np.inf)


def test_a_grid_runs_from_the_floor_to_everything() -> None:
    confidences = np.random.default_rng(20).random(1000)
    grid = make_grid(confidences, 0.3)
    assert grid[-1] == 0.0
    assert list(grid) == sorted(set(grid), reverse=True)
    assert np.mean(confidences >= grid[0]) == 0.3
    assert len(make_grid(confidences, 0.3, points=7)) == 7
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
        ({"grid": ((0.5, np.nan),)}, "strictly decrease"),
        ({"groups": ()}, "at least one group"),
    ],
)
def test_a_plan_that_promises_nothing_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(ONE, **change)


def test_a_side_or_a_group_outside_the_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="a side is a place among 1"):
        fold_gate(open_gate(ONE), ONE, rows(np.zeros(1), side=np.array([1])))
    with pytest.raises(ValueError, match="a group is a place among 2"):
        fold_gate(open_gate(SHARED), SHARED, rows(np.zeros(1), group=np.array([-1])))
    with pytest.raises(ValueError, match="rows need the place of theirs"):
        fold_gate(open_gate(SHARED), SHARED, rows(np.zeros(1)))


def test_a_side_without_history_is_left_out() -> None:
    plan = GatePlan(sides=("a", "b"), grid=((), (0.5,)), max_error=R, delta=DELTA)
    state = fold_gate(warm_start(plan, rows(np.zeros(5))), plan, rows(np.zeros(5)))
    assert (state.sides[0].cases, set(how_far(state, plan)), certified(state, plan)) == (5, {"b"}, {})
