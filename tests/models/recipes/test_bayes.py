"""Naive Bayes adds up the log odds of bins, by counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.models.recipes.bayes import bin_edges

EFFORT = Effort(0, 1)


def test_two_binary_columns_give_what_is_worked_out_by_hand():
    """With almost no smoothing P(yes | 1, 1) is 3/4·1/2·1/2 against 1/4·1/2·1/2, in proportion."""
    X = np.array([[1, 1]] * 3 + [[1, 0]] * 1 + [[0, 1]] * 2 + [[0, 0]] * 2, dtype=np.float32)
    y = np.array([1, 1, 1, 0, 1, 0, 0, 0])
    raw = RECIPES["bayes"].fit({"bins": 4, "alpha": 1e-9}, Rows("classification", 2, X, y, ["flag", "word"]), EFFORT)
    yes = 0.5 * (3 / 4) * (4 / 4)
    no = 0.5 * (1 / 4) * (1 / 4)
    assert raw.raw(X[:1])[0, 1] == pytest.approx(yes / (yes + no), rel=1e-6)


def test_a_code_that_was_never_seen_says_nothing():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(2, 5, 300), rng.normal(size=300)]).astype(np.float32)
    y = (X[:, 0] == 2).astype(np.int64)
    fitted = RECIPES["bayes"].fit(
        {"bins": 4, "alpha": 1.0}, Rows("classification", 2, X, y, ["code", "number"]), EFFORT
    )
    strange = np.array([[0, 0], [1, 0], [77, 0], [255, 0]], dtype=np.float32)
    alone = RECIPES["bayes"].fit({"bins": 4, "alpha": 1.0}, Rows("classification", 2, X[:, 1:], y, ["number"]), EFFORT)
    np.testing.assert_allclose(fitted.raw(strange), np.tile(alone.raw(strange[:1, 1:]), (4, 1)))


def test_a_rare_class_is_not_drowned_by_many_words_that_it_has_not_used():
    """Smoothed towards even shares, each word that a large class has not used would count against it."""
    rng = np.random.default_rng(1)
    y = np.array([0] * 20 + [1] * 400)
    X = (rng.random((420, 200)) < 0.02).astype(np.float32)
    X[:, 0] = (y == 1) | (rng.random(420) < 0.1)
    fitted = RECIPES["bayes"].fit({"bins": 4, "alpha": 1.0}, Rows("classification", 2, X, y, ["word"] * 200), EFFORT)
    new = np.zeros((1, 200), dtype=np.float32)
    new[0, [0, 5, 6, 7, 8, 9]] = 1
    assert fitted.raw(new)[0, 1] > 0.5


@given(values=st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, 1e6]), min_size=2, max_size=60), bins=st.integers(2, 12))
def test_bins_are_never_empty_and_never_more_than_asked_for(values, bins):
    numbers = np.array(values, dtype=np.float32)
    edges = bin_edges(numbers, "number", bins)
    counts = np.bincount(np.searchsorted(edges, numbers), minlength=len(edges) + 1)
    assert len(counts) <= bins
    assert counts.min() > 0
    assert (np.diff(edges) > 0).all()
