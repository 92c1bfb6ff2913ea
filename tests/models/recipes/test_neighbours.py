"""The nearest neighbours are those of scikit-learn, and those equally near are all asked."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from understudy.core.errors import ModelError
from understudy.models.calibrate import Head
from understudy.models.compile import compile_model
from understudy.models.recipes import RECIPES, Rows, neighbours


def test_where_no_two_rows_are_equally_near_it_answers_as_scikit_learn(make_rows, effort):
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(300, 5)).astype(np.float32), rng.normal(size=(50, 5)).astype(np.float32)
    y = X[:, 0] + X[:, 1]
    fitted = RECIPES["neighbours"].fit({"neighbours": 7}, Rows("regression", 0, X, y, ["number"] * 5), effort)
    np.testing.assert_allclose(fitted.raw(new)[:, 0], KNeighborsRegressor(7).fit(X, y).predict(new), atol=1e-6)
    two = (y > 0).astype(np.int64)
    fitted = RECIPES["neighbours"].fit({"neighbours": 7}, Rows("classification", 2, X, two, ["number"] * 5), effort)
    shares = KNeighborsClassifier(7).fit(X, two).predict_proba(new)
    np.testing.assert_allclose(fitted.raw(new), (7 * shares + [1 - two.mean(), two.mean()]) / 8, rtol=1e-9)


def test_rows_that_are_equally_near_are_all_asked(effort):
    X = np.repeat([[0.0], [1.0]], 10, axis=0).astype(np.float32)
    y = np.arange(20.0)
    fitted = RECIPES["neighbours"].fit({"neighbours": 3}, Rows("regression", 0, X, y, ["number"]), effort)
    np.testing.assert_allclose(fitted.raw(np.array([[0.1], [0.9]], dtype=np.float32))[:, 0], [4.5, 14.5])


def test_no_class_is_ever_ruled_out(make_rows, effort):
    rows = make_rows(3)
    assert RECIPES["neighbours"].fit({"neighbours": 3}, rows, effort).raw(rows.X).min() > 0.05


def test_heavy_rows_have_more_votes(effort):
    X, y = np.zeros((4, 1), dtype=np.float32), np.array([0.0, 0.0, 0.0, 1.0])
    rows = Rows("regression", 0, X, y, ["number"], weights=np.array([1.0, 1.0, 1.0, 3.0]))
    assert RECIPES["neighbours"].fit({"neighbours": 4}, rows, effort).raw(X[:1])[0, 0] == pytest.approx(0.5)


def test_with_many_rows_to_keep_it_is_served_natively_and_says_why(make_rows, effort, monkeypatch):
    fitted = RECIPES["neighbours"].fit({"neighbours": 5}, make_rows(2), effort)
    monkeypatch.setattr(neighbours, "MOST_COMPILED_ROWS", 100)
    with pytest.raises(ModelError, match="It keeps 400 rows"):
        compile_model(fitted, Head(), 8)


def test_a_sample_is_kept_of_very_many_rows(make_rows, effort, monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_NEIGHBOUR_ROWS", 50)
    rows = replace(make_rows(2), weights=np.ones(400))
    fitted = RECIPES["neighbours"].fit({"neighbours": 5}, rows, effort)
    assert len(fitted.estimator.X) == 50
    assert fitted.note == "fitted on a random 50 of 400 rows"
