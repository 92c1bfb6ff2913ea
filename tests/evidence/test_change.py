"""The detector cries wolf as seldom as promised, and finds a change and its beginning."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.core.evidence import Evidence
from understudy.evidence.change import (
    DetectorPlan,
    DetectorState,
    alarmed,
    change_began,
    fold_detector,
    harmed,
    looks_to_alarm,
    noticing_rate,
    open_detector,
)
from understudy.evidence.fixed import clopper_pearson
from understudy.evidence.means import MeanPlan, fold_mean, mean_evidence, open_mean

PLAN = DetectorPlan(max_error=0.2, mean_run=1000)


def run(loss: np.ndarray, plan: DetectorPlan = PLAN, weight: np.ndarray | None = None) -> DetectorState:
    """The detector after these losses."""
    return fold_detector(open_detector(plan), plan, loss, np.ones(len(loss)) if weight is None else weight)


def world(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Costs that rise by and by, seen with unequal probabilities."""
    rng = np.random.default_rng(seed)
    propensity = rng.choice([0.2, 1.0], n)
    loss = np.clip(rng.beta(0.5, 2, n) + np.linspace(0, 0.3, n), 0, 1)
    return np.where(rng.random(n) < propensity, loss, np.nan), 0.2 / propensity


def test_the_wealth_is_that_of_the_recursion() -> None:
    loss, weight = world(0)
    wealth = np.zeros(len(PLAN.bets))
    most, first = 0.0, 0
    for row, (value, factor) in enumerate(zip(loss, weight, strict=True), 1):
        if not np.isnan(value):
            wealth = (wealth + 1) * (1 + np.array(PLAN.bets) / 0.2 * factor * (value - 0.2))
            most = max(most, wealth @ PLAN.shares)
            first = first or (row if wealth @ PLAN.shares >= 1000 else 0)
    state = run(loss, weight=weight)
    assert np.exp(state.peak) == pytest.approx(most)
    assert (state.alarm_row, state.rows, state.looks) == (first, 400, int((~np.isnan(loss)).sum()))
    assert first > 0


@given(cut=cuts(400), seed=st.integers(0, 30))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    loss, weight = world(seed)
    state = open_detector(PLAN)
    for where in batches(cut, 400):
        folded = fold_detector(state, PLAN, loss[where], weight[where])
        state = msgspec.json.decode(msgspec.json.encode(folded), type=DetectorState)
    assert state == run(loss, weight=weight)
    assert msgspec.json.decode(msgspec.json.encode(PLAN), type=DetectorPlan) == PLAN


def first_alarms(risk: float, runs: int, steps: int, seed: int, plan: DetectorPlan = PLAN) -> np.ndarray:
    """The look of the first alarm; infinite if there was none."""
    rng = np.random.default_rng(seed)
    rows = [run((rng.random(steps) < risk).astype(float), plan).alarm_row for _ in range(runs)]
    return np.where(np.array(rows) == 0, np.inf, rows)


def test_the_mean_run_to_a_false_alarm_is_as_long_as_promised() -> None:
    alarms = np.minimum(first_alarms(0.2, 500, 6000, 1), 6000)  # cutting at 6,000 can only shorten the mean
    assert alarms.mean() - 3 * alarms.std() / np.sqrt(500) > 1000
    assert alarms.mean() < 4000


@pytest.mark.parametrize("looks", [50, 200, 600])
def test_a_false_alarm_within_n_looks_is_no_likelier_than_n_over_the_mean_run(looks: int) -> None:
    assert kept(first_alarms(0.2, 2000, looks, 2) <= looks, looks / 1000)


def test_unequal_looks_with_weights_raise_no_more_false_alarms() -> None:
    rng, broken, plain = np.random.default_rng(3), [], []
    for _ in range(1000):
        risky = rng.random(3000) < 0.5
        propensity = np.where(risky, 0.5, 0.1)
        loss = np.where(rng.random(3000) < propensity, rng.random(3000) < np.where(risky, 0.35, 0.05), np.nan)
        plan = DetectorPlan(max_error=0.2, mean_run=20_000)
        broken.append(alarmed(run(loss, plan, 0.1 / propensity)))
        plain.append(alarmed(run(loss, plan)))
    assert kept(np.array(broken), 3000 / 20_000)
    assert np.mean(plain) > 0.8


@pytest.mark.parametrize(("risk", "published"), [(0.25, 266), (0.3, 118), (0.4, 48)])
def test_a_change_is_found_about_as_soon_as_published(risk: float, published: int) -> None:
    assert first_alarms(risk, 400, 4000, 4).mean() < 1.1 * published


def test_a_doubled_error_after_a_long_good_time_is_found() -> None:
    plan = DetectorPlan(max_error=0.05, mean_run=73_000)  # one false alarm a year at 200 looks a day
    rng, delays, errors = np.random.default_rng(5), [], []
    for _ in range(200):
        loss = (rng.random(8000) < np.where(np.arange(8000) < 3000, 0.04, 0.1)).astype(float)
        state = run(loss, plan)
        delays.append(state.alarm_row - 3000)
        errors.append(change_began(state) - 3000)
    assert np.mean(np.array(delays) <= 0) < 0.05
    assert np.median(delays) < 450
    assert abs(np.median(errors)) < 40
    assert np.quantile(np.abs(errors), 0.8) < 150


def test_the_beginning_is_told_as_of_the_first_alarm_and_stays() -> None:
    state = run(np.concatenate([np.zeros(100), np.ones(30)]))
    assert (alarmed(state), change_began(state)) == (True, 100)
    later = fold_detector(state, PLAN, np.zeros(500), np.ones(500))
    assert (later.alarm_row, change_began(later)) == (state.alarm_row, 100)


def test_the_beginning_counts_cases_that_nobody_looked_at() -> None:
    loss = np.full(1300, np.nan)
    loss[::10] = np.arange(130) >= 100
    state = run(loss)
    assert (change_began(state), state.looks) == (991, 130)  # the last good look was at the 991st case


def test_without_a_look_nothing_changes_but_the_count() -> None:
    state = run(np.full(7, np.nan))
    assert state == msgspec.structs.replace(open_detector(PLAN), rows=7)
    assert (alarmed(state), change_began(state)) == (False, 0)


@pytest.mark.parametrize(("risk", "length"), [(0.0, 100.0), (0.2, 1.0)])
def test_a_plan_without_meaning_is_refused(risk: float, length: float) -> None:
    with pytest.raises(ValueError, match="max_error lies"):
        DetectorPlan(max_error=risk, mean_run=length)


def bounds(loss: np.ndarray, alpha: float) -> Evidence:
    """The risk of these cases, bounded at any time."""
    plan = MeanPlan(alpha=alpha)
    return mean_evidence(fold_mean(open_mean(plan), plan, loss), plan)


def test_harm_is_seldom_cried_where_none_was_done_and_soon_where_it_was() -> None:
    rng, false, true = np.random.default_rng(6), [], []
    for _ in range(60):
        before = bounds((rng.random(2000) < 0.05).astype(float), 0.05)
        today = (rng.random((2, 1000)) < np.array([[0.05], [0.2]])).astype(float)
        first, second = ([harmed(bounds(run[:n], 0.05), before) for n in range(100, 1001, 300)] for run in today)
        false.append(any(first))
        true.append(any(second))
    assert kept(np.array(false), 0.1)
    assert np.mean(true) > 0.9


def test_a_change_within_the_tolerance_or_for_the_better_is_no_harm() -> None:
    rng = np.random.default_rng(7)
    before = bounds((rng.random(5000) < 0.2).astype(float), 0.05)
    assert not harmed(bounds(np.zeros(5000), 0.05), before)
    worse = bounds((rng.random(5000) < 0.3).astype(float), 0.05)
    assert (harmed(worse, before), harmed(worse, before, tolerance=0.1)) == (True, False)


def test_harm_is_not_judged_by_a_bound_for_one_look() -> None:
    before = bounds(np.zeros(100), 0.05)
    with pytest.raises(ValueError, match="one look only"):
        harmed(msgspec.structs.replace(before, anytime=False), before)


def test_bounds_for_one_look_that_claim_to_hold_at_any_time_cry_harm_where_none_was_done() -> None:
    rng, cried, before = np.random.default_rng(9), [], bounds((np.arange(200_000) % 20 == 0).astype(float), 0.05)
    for _ in range(100):
        errors = (rng.random(2000) < 0.05).cumsum()[24::25]
        looks = [clopper_pearson(int(found), 25 * n, alpha=0.1) for n, found in enumerate(errors, 1)]
        cried.append(any(harmed(msgspec.structs.replace(look, anytime=True), before) for look in looks))
    assert not kept(np.array(cried), 0.025 + 0.05)  # what the bounds promise together


@pytest.mark.parametrize(("r", "risk", "length"), [(0.05, 0.1, 73_000), (0.05, 0.075, 20_000), (0.2, 0.4, 1000)])
def test_the_forecast_of_the_delay_is_about_right(r: float, risk: float, length: float) -> None:
    plan, rng, delays = DetectorPlan(max_error=r, mean_run=length), np.random.default_rng(8), []
    for _ in range(150):
        loss = (rng.random(4000) < np.where(np.arange(4000) < 1000, 0.7 * r, risk)).astype(float)
        delays.append(run(loss, plan).alarm_row - 1000)
    delays = [delay for delay in delays if delay > 0]  # the others were false alarms
    assert 0.75 < np.mean(delays) / looks_to_alarm(plan, risk) < 1.15


def test_a_risk_that_is_kept_raises_no_alarm() -> None:
    assert looks_to_alarm(PLAN, 0.2) == looks_to_alarm(PLAN, 0.1) == np.inf


def test_the_audit_rate_follows_from_what_is_to_be_noticed() -> None:
    volume, r = 3_650_000, 0.05
    rate = noticing_rate(volume, r, risk=0.1, days=5)
    plan = DetectorPlan(max_error=r, mean_run=volume * rate)
    assert looks_to_alarm(plan, 0.1) / (10_000 * rate) == pytest.approx(5, rel=0.02)
    assert noticing_rate(volume, r, risk=0.1, wrong=5 * 500) == pytest.approx(rate, rel=0.02)
    assert noticing_rate(volume, r, risk=0.1, days=5, wrong=500) > 4 * rate  # the stricter of both
    assert noticing_rate(volume, r, risk=0.1, days=365, floor=0.02) == 0.02
    assert noticing_rate(volume, r, risk=0.1, days=0.01) == noticing_rate(volume, r, risk=0.04, days=5) == 1.0
