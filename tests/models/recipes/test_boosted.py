"""Boosted trees as plain arrays answer as the library that grew them, which they need no longer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from models.quick import BOOSTED
from understudy.models.recipes import RECIPES
from understudy.models.recipes.boosted import BoostedTrees, Tree, check_sums, gathered
from understudy.models.recipes.histogram import read_trees

GROWN = [name for name in BOOSTED if name != "lightgbm"]
ANY = st.one_of(st.floats(-1e6, 1e6, width=32), st.floats(-3, 3, width=32), st.sampled_from([0.0, -0.0, 1e-45, 1e6]))


def stump(threshold, left, right):
    return Tree(
        np.zeros(3, dtype=np.int64),
        np.array([threshold, 0.0, 0.0]),
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.array([[0.0], [left], [right]]),
    )


def test_two_stumps_by_hand():
    trees = gathered([stump(0.5, 1.0, 2.0), stump(1.5, 10.0, 20.0)], np.array([100.0]), None)
    assert trees.predict(np.array([[0.0], [0.5], [1.0], [2.0]])).tolist() == [111.0, 111.0, 112.0, 122.0]


def test_trees_that_answer_otherwise_than_their_library_are_refused():
    trees = gathered([stump(0.5, 1.0, 2.0)], np.array([0.0]), None)
    X = np.array([[0.0], [1.0]])
    assert check_sums(trees, X, np.array([1.0, 2.0]), "a library") is trees
    with pytest.raises(ValueError, match=r"read from a library answer otherwise than it does, by 0\.5"):
        check_sums(trees, X, np.array([1.0, 1.0]), "a library")
    with pytest.raises(ValueError, match="otherwise"):
        check_sums(trees, X, np.array([1.0, np.nan]), "a library")


@pytest.fixture(scope="module", params=[2, 3, 0])
def histogram(request, make_rows):
    rows = make_rows(request.param, n=500)
    build = HistGradientBoostingClassifier if request.param else HistGradientBoostingRegressor
    model = build(max_iter=20, random_state=0, early_stopping=False).fit(rows.X, rows.y)
    return model, read_trees(model, model.classes_ if request.param else None)


@settings(max_examples=40)
@given(X=arrays(np.float32, (6, 8), elements=ANY))
def test_histogram_boosting_is_read_exactly(histogram, X):
    model, trees = histogram
    theirs = model.predict(X) if trees.classes_ is None else model.decision_function(X)
    np.testing.assert_allclose(trees.sums(X), np.reshape(theirs, (6, -1)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", GROWN)
@pytest.mark.parametrize("k", [2, 3, 0])
def test_stopping_early_keeps_the_rounds_that_count(name, k, make_rows, effort):
    rows, stop = make_rows(k), make_rows(k, seed=1)
    params = {**RECIPES[name].portfolio[0], "n_estimators": 60}
    params |= {key: 0.3 for key in ("learning_rate", "eta") if key in params}
    with_stop = type(rows)(**{**vars(rows), "X_stop": stop.X, "y_stop": stop.y})
    early = RECIPES[name].fit(params, with_stop, effort)
    again = RECIPES[name].fit({**params, "n_estimators": early.rounds}, rows, effort)
    assert 0 < early.rounds <= 60
    assert len(again.estimator.sizes) >= len(early.estimator.sizes) * 0.5
    np.testing.assert_allclose(again.raw(stop.X[:50]), early.raw(stop.X[:50]), atol=0.2 * max(1.0, again.scale))


@pytest.mark.parametrize("name", GROWN)
def test_rows_to_stop_on_of_a_class_that_was_never_seen_are_left_out(name, make_rows, effort):
    rows, stop = make_rows(3), make_rows(3, seed=1)
    seen = rows.y != 1
    some = type(rows)(**{**vars(rows), "X": rows.X[seen], "y": rows.y[seen], "X_stop": stop.X, "y_stop": stop.y})
    fitted = RECIPES[name].fit({**RECIPES[name].portfolio[0], "n_estimators": 10}, some, effort)
    assert fitted.raw(stop.X)[:, 1].max() < 1e-6
    assert isinstance(fitted.estimator, BoostedTrees)
    assert fitted.estimator.classes_.tolist() == [0, 2]
