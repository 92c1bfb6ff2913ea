"""Penalised weights are those that scikit-learn finds, some exactly 0, and keep to their signs."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, LogisticRegression

from understudy.models.recipes.penalised import Penalty, fit_weights, largest_penalty


def table(n=300, d=8, seed=0):
    """Features with unlike means and scales, of which the first three matter, and their log odds."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 3, d) + rng.normal(size=d)
    return X, X[:, 0] - 0.7 * X[:, 1] + 0.4 * X[:, 2]


def labels(odds, seed=1):
    return (np.random.default_rng(seed).random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(float)


EACH = np.full(300, 1 / 300)


@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("strength", [0.3, 0.05, 0.005])
def test_squared_error_under_both_penalties_is_that_of_scikit_learn(strength, ratio):
    X, y = table()
    y = y + np.random.default_rng(2).normal(size=300)
    own = fit_weights(X, y[:, None], EACH, Penalty(strength * ratio, strength * (1 - ratio)), logistic=False)
    theirs = ElasticNet(alpha=strength, l1_ratio=ratio, tol=1e-10, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(own.weights[0], theirs.coef_, atol=1e-4)
    assert own.intercept[0] == pytest.approx(theirs.intercept_, abs=1e-3)
    assert own.settled


@pytest.mark.parametrize("k", [2, 3])
def test_the_logistic_lasso_is_that_of_scikit_learn(k):
    X, odds = table()
    y = labels(odds) if k == 2 else np.digitize(odds + np.random.default_rng(3).normal(size=300), (-1, 1)).astype(float)
    hot = y[:, None] if k == 2 else (y[:, None] == np.arange(3)).astype(float)
    own = fit_weights(X, hot, EACH, Penalty(0.02, 0.0), logistic=True)
    theirs = LogisticRegression(C=1 / (0.02 * 300), l1_ratio=1, solver="saga", tol=1e-7, max_iter=50_000).fit(X, y)
    np.testing.assert_allclose(own.weights, theirs.coef_, atol=2e-3)


def test_weights_of_rows_count_as_rows():
    X, y = table()
    counts = np.random.default_rng(4).integers(0, 4, 300)
    weighted = fit_weights(X, y[:, None], counts / counts.sum(), Penalty(0.01, 0.1), logistic=False)
    rows = np.repeat(np.arange(300), counts)
    repeated = fit_weights(
        X[rows], y[rows, None], np.full(len(rows), 1 / len(rows)), Penalty(0.01, 0.1), logistic=False
    )
    np.testing.assert_allclose(weighted.weights, repeated.weights, atol=1e-4)


@pytest.mark.parametrize("logistic", [True, False])
def test_at_the_largest_penalty_all_weights_are_exactly_0_and_just_below_one_is_not(logistic):
    X, odds = table()
    y = labels(odds) if logistic else odds
    largest = largest_penalty(X, y[:, None], EACH)
    beyond = fit_weights(X, y[:, None], EACH, Penalty(largest * 1.001, 0.0), logistic=logistic)
    below = fit_weights(X, y[:, None], EACH, Penalty(largest * 0.98, 0.0), logistic=logistic)
    assert not beyond.weights.any()
    assert np.count_nonzero(below.weights) == 1


def test_a_stronger_penalty_leaves_fewer_weights_and_noise_goes_first():
    X, odds = table()
    y = labels(odds)
    largest = largest_penalty(X, y[:, None], EACH)
    kept = [
        np.flatnonzero(fit_weights(X, y[:, None], EACH, Penalty(largest * share, 0.0), logistic=True).weights[0])
        for share in (0.3, 0.03)
    ]
    assert set(kept[0]) <= {0, 1, 2} < set(kept[1]) | {0, 1, 2}


@pytest.mark.parametrize("logistic", [True, False])
@pytest.mark.parametrize("l1", [0.0, 0.01])
def test_signs_are_kept_and_a_weight_that_would_break_its_sign_is_exactly_0(logistic, l1):
    X, odds = table()
    y = labels(odds) if logistic else odds
    signs = np.array([-1, -1, 1, 1, 0, 0, 0, 0])
    weights = fit_weights(X, y[:, None], EACH, Penalty(l1, 0.01), logistic=logistic, signs=signs).weights[0]
    assert weights[0] == 0
    assert weights[1] < 0 < weights[2]
    assert weights[3] >= 0


def test_signs_that_hold_anyway_change_nothing():
    X, odds = table()
    y = labels(odds)
    free = fit_weights(X, y[:, None], EACH, Penalty(0.0, 0.01), logistic=True).weights
    kept = fit_weights(X, y[:, None], EACH, Penalty(0.0, 0.01), logistic=True, signs=np.sign(free[0])).weights
    np.testing.assert_allclose(kept, free, atol=1e-4)
