"""A hypothesis falls when every set with it has fallen, in any order; a true one as seldom as promised."""

import itertools
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.closure import levels, log_levels, order_shares, refute

GOAL = log(20)


def set_wealth(members: list[int], wealth: np.ndarray, shares: np.ndarray) -> float:
    """What a set owns: the share of one that is absent goes to the next that is present, or to the last."""
    total, unspent = 0.0, 0.0
    for place, share in enumerate(shares):
        unspent += share
        if place in members:
            total, unspent = total + unspent * wealth[place], 0.0
    return total + unspent * wealth[members[-1]]


@given(n=st.integers(1, 6), seed=st.integers(0, 99), gone=st.integers(0, 31))
def test_levels_are_the_least_of_all_sets(n: int, seed: int, gone: int) -> None:
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 3, (3, n))
    left = np.array([not gone >> place & 1 for place in range(n)])
    left[0] |= not left.any()
    found, shares = log_levels(logs, left), order_shares(n)
    places = np.flatnonzero(left).tolist()
    for row in range(3):
        for column, place in enumerate(places):
            sets = (
                list(members)
                for size in range(1, len(places) + 1)
                for members in itertools.combinations(places, size)
                if place in members
            )
            least = min(set_wealth(members, np.exp(logs[row]), shares) for members in sets)
            assert np.exp(found[row, column]) == pytest.approx(least)


def test_shares_are_one_in_all_and_fall_along_the_order() -> None:
    for n in (1, 2, 20, 100):
        shares = order_shares(n)
        assert shares.sum() == pytest.approx(1)
        assert (np.diff(shares) < 0).all()
        assert shares[-1] >= 0.1 / n


def test_a_set_where_the_first_has_all_is_a_fixed_sequence() -> None:
    wealth = np.array([[30.0, 5.0], [40.0, 50.0], [900.0, 900.0]])
    assert levels(wealth, np.ones(3)).tolist() == [[30, 5], [30, 5], [30, 5]]


def test_one_far_down_falls_without_those_before_it() -> None:
    shares = order_shares(20)
    logs = np.full((1, 20), -3.0)
    logs[0, 12] = GOAL - log(shares[12])
    assert np.flatnonzero(refute(logs, np.zeros(20), GOAL) >= GOAL).tolist() == [12]


def test_once_fallen_it_counts_no_more_and_stays() -> None:
    first = refute(np.array([[log(30), log(3)]]), np.zeros(2), GOAL)
    assert (first >= GOAL).tolist() == [True, False]
    assert refute(np.array([[log(0.1), log(21)]]), first, GOAL).tolist() == pytest.approx([first[0], log(21)])


@given(cut=cuts(200), seed=st.integers(0, 50))
def test_batches_change_no_bit(cut: list[int], seed: int) -> None:
    logs = np.random.default_rng(seed).normal(0.05, 0.7, (200, 5)).cumsum(axis=0)
    peak = np.zeros(5)
    for part in batches(cut, 200):
        peak = refute(logs[part], peak, GOAL)
    assert peak.tolist() == refute(logs, np.zeros(5), GOAL).tolist()


def test_logs_beyond_all_numbers_do_no_harm() -> None:
    logs = np.array([[1e6, -1e6, 3.1]])
    assert (refute(logs, np.zeros(3), GOAL) >= GOAL).tolist() == [True, False, False]


@pytest.mark.parametrize("bad", [(0,), (3, 7), tuple(range(10)), (9,)])
def test_no_true_one_falls_more_often_than_promised(bad: tuple[int, ...]) -> None:
    """Ten hypotheses; what the false ones own grows without limit, so that nothing shields the true ones."""
    rng, broken = np.random.default_rng(5), []
    true = np.isin(np.arange(10), bad)
    for _ in range(2000):
        steps = np.where(rng.random((400, 10)) < 0.5, log(1.3), log(0.7))
        logs = np.where(true, steps, 0.5).cumsum(axis=0)
        broken.append(bool((refute(logs, np.zeros(10), GOAL)[true] >= GOAL).any()))
    assert kept(np.array(broken), 0.05)
    assert np.mean(broken) > 0.005


def test_without_the_sets_a_true_one_falls_too_often() -> None:
    rng, broken = np.random.default_rng(6), []
    for _ in range(500):
        logs = np.where(rng.random((400, 10)) < 0.5, log(1.3), log(0.7)).cumsum(axis=0)
        broken.append(bool((logs.max(axis=0) >= GOAL).any()))
    assert not kept(np.array(broken), 0.05)
