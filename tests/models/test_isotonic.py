"""Curves without a formula: increasing, not too steep, off 0 and 1, and as isotonic regression has them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from understudy.models.isotonic import (
    FEWEST_PER_GROUP,
    FURTHEST,
    MOST_GROUPS,
    STEEPEST,
    Groups,
    as_if,
    grouped,
    isotonic_curve,
    venn_abers_curve,
)

CURVES = [isotonic_curve, venn_abers_curve]


def cases(rng, n):
    odds = 2 * rng.normal(size=n)
    return odds, (rng.random(n) < 1 / (1 + np.exp(-odds - 2 * np.sin(odds)))).astype(float)


def test_groups_are_of_neighbours_and_of_about_one_size():
    odds, hits = cases(np.random.default_rng(0), 5000)
    groups = grouped(odds, hits)
    assert len(groups.odds) <= MOST_GROUPS
    assert (np.diff(groups.odds) > 0).all()
    assert groups.weights.min() >= FEWEST_PER_GROUP
    assert groups.weights.sum() == 5000
    assert groups.weights @ groups.shares == pytest.approx(hits.sum())


def test_ties_stay_in_one_group():
    odds = np.repeat([0.0, 1.0, 2.0], 500)
    groups = grouped(odds, np.repeat([0.0, 1.0, 1.0], 500))
    assert groups.odds.tolist() == [0.0, 1.0, 2.0]
    assert groups.weights.tolist() == [500.0] * 3


def test_a_case_with_weight_two_is_two_cases():
    odds, hits = cases(np.random.default_rng(1), 2000)
    twice = np.random.default_rng(2).integers(1, 3, 2000)
    curve = isotonic_curve(Groups(*grouped(odds, hits, twice.astype(float))))
    again = isotonic_curve(Groups(*grouped(np.repeat(odds, twice), np.repeat(hits, twice))))
    grid = np.linspace(-3, 3, 50)
    np.testing.assert_allclose(np.interp(grid, *curve), np.interp(grid, *again), atol=0.08)


def test_the_blocks_are_those_of_isotonic_regression():
    """At the middle of each block the curve says the block's share, as scikit-learn has it."""
    odds, hits = cases(np.random.default_rng(3), 4000)
    groups = grouped(odds, hits)
    curve = isotonic_curve(groups)
    fitted = IsotonicRegression().fit(groups.odds, groups.shares, groups.weights).predict(groups.odds)
    for level in np.unique(fitted)[1:-1]:
        block = fitted == level
        center = np.average(groups.odds[block], weights=groups.weights[block])
        near = np.abs(curve.knots - center).argmin()
        if abs(curve.knots[near] - center) < 1e-9:  # others were joined, being too steep
            assert curve.levels[near] == pytest.approx(level)


def test_venn_abers_is_what_two_isotonic_regressions_with_the_case_say():
    """By scikit-learn, with the new case beside the group that it falls into."""
    odds, hits = cases(np.random.default_rng(4), 600)
    groups = grouped(odds, hits)
    for place in range(len(groups.odds)):
        x = np.append(groups.odds, groups.odds[place])
        for label in (0.0, 1.0):
            y, weights = np.append(groups.shares, label), np.append(groups.weights, 1.0)
            expected = IsotonicRegression().fit(x, y, weights).predict(x)[-1]
            assert as_if(groups, place, label) == pytest.approx(expected)


def test_the_venn_abers_pair_brackets_the_curve():
    odds, hits = cases(np.random.default_rng(6), 20_000)
    groups = grouped(odds, hits)
    said = np.interp(groups.odds, *venn_abers_curve(groups))
    low = np.array([as_if(groups, place, 0.0) for place in range(len(groups.odds))])
    high = np.array([as_if(groups, place, 1.0) for place in range(len(groups.odds))])
    assert (low < high).all()
    assert np.mean((said >= low - 0.01) & (said <= high + 0.01)) > 0.8  # but where steep or level parts were joined


@pytest.mark.parametrize("curve_of", CURVES)
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 700), distinct=st.integers(1, 300), spread=st.floats(1e-6, 8))
def test_any_cases_give_a_curve_that_can_serve(curve_of, seed, n, distinct, spread):
    rng = np.random.default_rng(seed)
    odds = np.clip(spread * rng.integers(-distinct, distinct + 1, n) / distinct, -16, 16)
    curve = curve_of(grouped(odds, rng.integers(0, 2, n).astype(float)))
    assert curve.knots[0] == -FURTHEST
    assert curve.knots[-1] == FURTHEST
    assert (np.diff(curve.knots) > 0).all()
    assert (np.diff(curve.levels) > 0).all()
    assert 0 < curve.levels[0] < curve.levels[-1] < 1
    assert (np.diff(curve.levels) <= STEEPEST * np.diff(curve.knots) + 1e-12).all()


@pytest.mark.parametrize("curve_of", CURVES)
def test_no_two_cases_become_equal(curve_of):
    odds, hits = cases(np.random.default_rng(5), 3000)
    said = np.interp(np.sort(odds), *curve_of(grouped(odds, hits)))
    assert (np.diff(said) > 0).all()


@pytest.mark.parametrize("curve_of", CURVES)
def test_only_hits_do_not_make_it_certain(curve_of):
    curve = curve_of(grouped(np.linspace(-1, 1, 100), np.ones(100)))
    assert 0.9 < np.interp(0.0, *curve) < 1
