"""Rule lists find the rules that made the data, stop where only noise is left, and read as they answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.models.recipes.rule_search import cuts, gain

EFFORT = Effort(0, 1)
PARAMS = RECIPES["rules"].portfolio[0]


def ruled(n=600, noise=0.05, seed=0):
    """If amount > 1 and the level holds: yes; otherwise if amount ≤ −1: yes; otherwise no; and some noise."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n), rng.normal(size=(n, 3))]).astype(np.float32)
    y = np.where((X[:, 0] > 1) & (X[:, 1] > 0.5), 1, X[:, 0] <= -1).astype(np.int64)
    flip = rng.random(n) < noise
    return Rows("classification", 2, X, np.where(flip, 1 - y, y), ["number", "level", "number", "number", "number"])


def test_the_rules_that_made_the_data_are_found():
    fitted = RECIPES["rules"].fit(PARAMS, ruled(2000), EFFORT)
    new = ruled(2000, noise=0.0, seed=1)
    assert np.mean(fitted.raw(new.X).argmax(axis=1) == new.y) > 0.96
    asked = {one.feature for rule in fitted.estimator.rules for one in rule.conditions}
    assert asked == {0, 1}


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_noise_gives_no_rules(kind):
    """Of 120 tables of noise at most a few may show a rule; with a price of 0 nearly all of them do."""
    found = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(150, 6)).astype(np.float32)
        y = rng.integers(0, 2, 150) if kind == "classification" else rng.normal(size=150)
        fitted = RECIPES["rules"].fit(
            PARAMS, Rows(kind, 2 if kind == "classification" else 0, X, y, ["number"] * 6), EFFORT
        )
        found.append(len(fitted.estimator.rules) - 1)
    assert np.mean(np.array(found) > 0) < 0.1


def test_without_its_price_a_list_would_follow_noise(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 6)).astype(np.float32), rng.integers(0, 2, 150)
    monkeypatch.setattr("understudy.models.recipes.rule_search.log", lambda _: 0.0)
    fitted = RECIPES["rules"].fit(PARAMS, Rows("classification", 2, X, y, ["number"] * 6), EFFORT)
    assert len(fitted.estimator.rules) > 3


def test_a_rule_holds_for_enough_rows_and_says_how_many():
    rows = ruled(400)
    fitted = RECIPES["rules"].fit({**PARAMS, "fewest": 30}, rows, EFFORT)
    assert sum(rule.rows for rule in fitted.estimator.rules) == 400
    assert min(rule.rows for rule in fitted.estimator.rules) >= 30


def test_what_a_rule_says_is_the_share_among_its_rows_drawn_to_that_of_all():
    rows = ruled(400)
    fitted = RECIPES["rules"].fit(PARAMS, rows, EFFORT)
    first = fitted.estimator.rules[0]
    holds = np.ones(400, dtype=bool)
    for one in first.conditions:
        holds &= (rows.X[:, one.feature] > one.threshold) == one.above
    expected = (rows.y[holds].sum() + rows.y.mean()) / (holds.sum() + 1)
    assert first.says[1] == pytest.approx(expected)
    assert first.rows == holds.sum()


def test_weights_count_as_rows():
    rng = np.random.default_rng(3)
    X = rng.integers(0, 2, size=(300, 4)).astype(np.float32)
    y = ((X[:, 0] > X[:, 1]) ^ (rng.random(300) < 0.1)).astype(np.int64)
    rows, counts = Rows("classification", 2, X, y, ["level"] * 4), rng.integers(1, 4, 300)
    weighted = RECIPES["rules"].fit(PARAMS, replace(rows, weights=counts.astype(float)), EFFORT).estimator
    repeated = np.repeat(np.arange(300), counts)
    again = RECIPES["rules"].fit(PARAMS, replace(rows, X=X[repeated], y=y[repeated]), EFFORT).estimator
    assert weighted.rules == again.rules
    assert len(again.rules) > 1


def test_numbers_get_a_list_of_means():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)).astype(np.float32)
    y = np.where(X[:, 0] > 0.3, 10.0, np.where(X[:, 1] > 0, 5.0, 0.0)) + 0.1 * rng.normal(size=500)
    fitted = RECIPES["rules"].fit(PARAMS, Rows("regression", 0, X, y, ["number"] * 3), EFFORT)
    assert np.mean((fitted.raw(X)[:, 0] - y) ** 2) < 0.15 * y.var()


def test_how_much_a_parting_tells_is_what_is_worked_out_by_hand():
    """8 of 10 against 2 of 10, of 20 in even shares: 20·ln 2 − 2·(8·ln(10/8) + 2·ln(10/2))."""
    told = gain(np.array([[8.0, 2.0]]), np.array([10.0, 10.0]), logistic=True)
    assert told[0] == pytest.approx(20 * np.log(2) - 2 * (8 * np.log(10 / 8) + 2 * np.log(10 / 2)))
    halves = gain(np.array([[2.0, 2.0, 2.0]]), np.array([4.0, 0.0, 4.0]), logistic=False)
    assert halves[0] > 20  # +1, +1 against −1, −1: nothing is left


@given(values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=50))
def test_every_cut_parts_the_rows(values):
    numbers = np.array(values, dtype=np.float32)
    for cut in cuts(numbers, "number"):
        assert 0 < np.sum(numbers > np.float32(cut)) < len(numbers)
