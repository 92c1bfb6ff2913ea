"""Errors of a stretch lie within their bounds as often as promised, whatever the world does and wherever one begins."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import kept

from understudy.evidence.betting import log_mixed
from understudy.evidence.stretch import ABOVE, ALL_BEGINNINGS, BELOW, log_share, stretch_errors

RUNS, STEPS, ALPHA = 400, 120, 0.2


def always(step: int, caught: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wrong in every case."""
    return np.ones(len(caught))


def half(step: int, caught: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Costs of any size, more of them later."""
    return rng.random(len(caught)) * (0.2 if step < STEPS / 2 else 1.0)


def sly(step: int, caught: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Right after having been caught, wrong until then."""
    return np.where(caught, 0.0, 1.0)


def broken_somewhere(adversary: object, *, paid: bool = True, weighted: bool = True, steps: int = STEPS) -> np.ndarray:
    """Per run, whether any stretch from any beginning to any end has a sum outside its bounds.

    Every case is looked at with a probability of .1 or .4. What is simulated is what the bounds invert.
    """
    rng = np.random.default_rng(3)
    shares = (1 / len(ABOVE),) * len(ABOVE), (1 / len(BELOW),) * len(BELOW)
    steep, rise = np.array(ABOVE), np.array(BELOW)
    theta = -np.log1p(-steep), np.log1p(rise)
    most = int(0.3 * steps) + 25
    above, below = np.full((RUNS, most, len(steep)), np.nan), np.full((RUNS, most, len(rise)), np.nan)
    above[:, 0], below[:, 0] = 0.0, 0.0
    looks, caught, broken = np.zeros(RUNS, int), np.zeros(RUNS, bool), np.zeros(RUNS, bool)
    goals = np.array([log(2 / ALPHA) - (log_share(k) if paid else 0.0) for k in range(most)])
    for step in range(steps):
        loss = adversary(step, caught, rng)  # type: ignore[operator]
        chance = np.where(rng.random(RUNS) < 0.5, 0.1, 0.4)
        looked = rng.random(RUNS) < np.where(loss > 0.5, chance, chance if weighted else 0.1)
        claimed = chance if weighted else np.full(RUNS, 0.1)
        usable = claimed[:, None] > steep
        charge = -np.log1p(-np.where(usable, steep, 0.0) / claimed[:, None])
        up = theta[0] * (loss[:, None] - ~usable) - looked[:, None] * loss[:, None] * charge
        down = looked[:, None] * loss[:, None] * np.log1p(rise / claimed[:, None]) - theta[1] * loss[:, None]
        above += up[:, None]
        below += down[:, None]
        for logs, parts in ((above, shares[0]), (below, shares[1])):
            broken |= (log_mixed(np.nan_to_num(logs, nan=-1e9), parts) > goals).any(axis=1)
        looks += looked
        above[looked, np.minimum(looks, most - 1)[looked]] = 0.0
        below[looked, np.minimum(looks, most - 1)[looked]] = 0.0
        caught = looked & (loss > 0.5)
    assert looks.max() < most
    return broken


@pytest.mark.parametrize("adversary", [always, half, sly])
def test_no_stretch_from_any_beginning_to_any_end_breaks_its_bounds_more_often_than_promised(adversary: object) -> None:
    assert kept(broken_somewhere(adversary), ALPHA)


def test_beginnings_that_are_picked_for_free_break_the_promise() -> None:
    assert not kept(broken_somewhere(always, paid=False, steps=250), ALPHA)


def test_looks_that_are_not_weighted_break_the_promise() -> None:
    assert not kept(broken_somewhere(always, weighted=False), ALPHA)


def worst(loss: np.ndarray, propensity: np.ndarray, risk: float) -> tuple[int, int]:
    """The beginning right after a look from which on it looks worst, and how many looks there were before."""
    looks = np.flatnonzero(~np.isnan(loss))
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(loss) / propensity - risk)])
    starts = np.concatenate([[0], looks + 1])
    place = int(np.argmin(sums[starts]))
    return int(starts[place]), place


@pytest.mark.parametrize("rates", [(0.3, 0.3), (0.1, 0.6)])
def test_the_bounds_themselves_hold_for_the_stretch_that_looks_worst(rates: tuple[float, float]) -> None:
    rng = np.random.default_rng(5)
    broken = np.zeros(400, bool)
    for run in range(400):
        loss = (rng.random(800) < np.repeat(rates, 400)).astype(float)
        propensity = rng.choice([0.1, 0.3], 800)
        told = np.where(rng.random(800) < propensity, loss, np.nan)
        first, before = worst(told, propensity, 0.3)
        found = stretch_errors(told[first:], propensity[first:], before=before, alpha=ALPHA)
        broken[run] = not found.lower <= loss[first:].sum() <= found.upper
        assert found.lower <= found.estimate <= found.upper
    assert kept(broken, ALPHA)


def test_by_hand() -> None:
    loss = np.array([1.0, np.nan, 0.5, 1.0, *[np.nan] * 200])
    propensity = np.array([0.5, 0.5, 0.25, 1.0, *[0.5] * 200])
    found = stretch_errors(loss, propensity, before=7, alpha=0.1)
    goal = log(2 / 0.1) + log(ALL_BEGINNINGS * 9 * log(9) ** 2)
    theta = [-log(1 - u) for u in ABOVE]
    charged, blunt = [], []
    for u in ABOVE:
        charged.append(sum(-log(1 - u / p) * x for x, p in ((1.0, 0.5), (0.5, 0.25)) if p > u))
        blunt.append((u >= 0.5) * 202 + (u >= 0.25) * 1)

    def wealth(total: float) -> float:
        return sum(np.exp(t * (total - b) - c) for t, b, c in zip(theta, blunt, charged, strict=True)) / len(ABOVE)

    assert wealth(found.upper - 1) == pytest.approx(np.exp(goal), rel=1e-6)
    assert (found.estimate, found.lower, found.n) == (pytest.approx(2 + 2 + 1), 2.5, 3)


def test_where_every_case_is_looked_at_the_sum_is_known() -> None:
    found = stretch_errors(np.array([1.0, 0.25, 0.0]), np.ones(3), before=1000)
    assert (found.lower, found.estimate, found.upper) == (1.25, 1.25, 1.25)


def test_without_a_look_or_without_a_case_nothing_is_claimed() -> None:
    blank = stretch_errors(np.full(5, np.nan), np.full(5, 0.5))
    assert (blank.lower, blank.estimate, blank.upper, blank.n) == (0, 0, 5, 0)
    empty = stretch_errors(np.array([]), np.array([]))
    assert (empty.lower, empty.estimate, empty.upper) == (0, 0, 0)


@given(seed=st.integers(0, 200), before=st.integers(0, 10_000))
def test_bounds_lie_between_what_was_seen_and_what_is_possible(seed: int, before: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 400))
    propensity = rng.choice([0.02, 0.2, 1.0], n)
    loss = np.where(rng.random(n) < propensity, rng.beta(0.4, 1, n), np.nan)
    found = stretch_errors(loss, propensity, before=before)
    seen, unseen = np.nansum(loss), np.isnan(loss).sum()
    assert seen - 1e-9 <= found.lower <= found.estimate <= found.upper <= seen + unseen + 1e-9
    later = stretch_errors(loss, propensity, before=before + 1)
    assert later.lower <= found.lower + 1e-6
    assert later.upper >= found.upper - 1e-6


def test_more_looks_narrow_the_bounds() -> None:
    rng = np.random.default_rng(2)
    loss = (rng.random(20_000) < 0.1).astype(float)
    wide, narrow = (
        stretch_errors(np.where(rng.random(20_000) < rate, loss, np.nan), np.full(20_000, rate), before=100)
        for rate in (0.02, 0.2)
    )
    assert narrow.upper - narrow.lower < (wide.upper - wide.lower) / 2
    assert narrow.lower > 1000
    assert narrow.upper < 3500


def test_the_parts_of_all_beginnings_add_up_to_no_more_than_one() -> None:
    parts = np.exp([log_share(k) for k in range(200_000)]).sum()
    rest = 1 / (ALL_BEGINNINGS * log(200_001))  # of the integral of 1/(x ln² x) from there on
    assert 0.999 < parts + rest <= 1


def test_numbers_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        stretch_errors(np.array([1.5]), np.ones(1))
    with pytest.raises(ValueError, match="above 0"):
        stretch_errors(np.array([1.0]), np.zeros(1))
    with pytest.raises(ValueError, match="before is at least 0"):
        stretch_errors(np.array([1.0]), np.ones(1), before=-1)
