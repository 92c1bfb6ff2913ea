"""Support vector machines as plain arrays answer as scikit-learn's do."""

import numpy as np
import pytest
from sklearn.svm import SVC, SVR, LinearSVC

from understudy.core.errors import ModelError
from understudy.models.calibrate import Head
from understudy.models.compile import compile_model
from understudy.models.recipes import RECIPES, Rows, kernels

rng = np.random.default_rng(0)
X, NEW = rng.normal(size=(250, 4)).astype(np.float32), rng.normal(size=(60, 4)).astype(np.float32)
SIGNAL = X[:, 0] * X[:, 1] + X[:, 2]
PARAMS = {"C": 2.0, "gamma": 0.8}
GAMMA = 0.8 / (4 * X.astype(np.float64).var())


@pytest.mark.parametrize("k", [2, 3])
def test_margins_are_those_of_one_machine_per_side(k, effort):
    y = np.digitize(SIGNAL, np.quantile(SIGNAL, np.linspace(0, 1, k + 1)[1:-1])).astype(np.int64)
    weights = rng.uniform(0.5, 2, 250)
    fitted = RECIPES["svm"].fit(PARAMS, Rows("classification", k, X, y, ["number"] * 4, weights=weights), effort)
    sides = [1] if k == 2 else range(k)
    machines = [SVC(C=2.0, gamma=GAMMA).fit(X.astype(np.float64), y == side, weights) for side in sides]
    theirs = np.column_stack([machine.decision_function(NEW.astype(np.float64)) for machine in machines])
    np.testing.assert_allclose(fitted.estimator.predict(NEW), theirs, atol=1e-9)


def test_regression_is_that_of_scikit_learn(effort):
    fitted = RECIPES["svm"].fit(PARAMS, Rows("regression", 0, X, SIGNAL, ["number"] * 4), effort)
    scaled = (SIGNAL - SIGNAL.mean()) / SIGNAL.std()
    theirs = SVR(C=2.0, gamma=GAMMA, epsilon=0.1).fit(X.astype(np.float64), scaled).predict(NEW.astype(np.float64))
    np.testing.assert_allclose(fitted.raw(NEW)[:, 0], theirs * SIGNAL.std() + SIGNAL.mean(), atol=1e-9)


def test_a_straight_margin_is_that_of_scikit_learn(effort):
    y = (X[:, 2] + X[:, 3] > 0).astype(np.int64)
    fitted = RECIPES["linear_svm"].fit({"C": 0.5}, Rows("classification", 2, X, y, ["number"] * 4), effort)
    theirs = LinearSVC(C=0.5, dual=False, random_state=7).fit(X.astype(np.float64), y)
    np.testing.assert_allclose(fitted.estimator.predict(NEW)[:, 0], theirs.decision_function(NEW), atol=1e-6)


def test_the_kernel_finds_a_ring_that_a_straight_margin_cannot(effort):
    y = ((X**2).sum(axis=1) > 3.4).astype(np.int64)
    rows = Rows("classification", 2, X, y, ["number"] * 4)
    right = [
        np.mean(RECIPES[name].fit(PARAMS, rows, effort).raw(X).argmax(axis=1) == y) for name in ("svm", "linear_svm")
    ]
    assert right[0] > 0.9
    assert right[1] < 0.75


def test_with_many_rows_to_keep_it_is_served_natively_and_says_why(effort, monkeypatch):
    y = (SIGNAL > 0).astype(np.int64)
    fitted = RECIPES["svm"].fit(PARAMS, Rows("classification", 2, X, y, ["number"] * 4), effort)
    monkeypatch.setattr(kernels, "MOST_COMPILED_ROWS", 10)
    with pytest.raises(ModelError, match=r"It keeps \d+ rows"):
        compile_model(fitted, Head(), 4)


def test_too_many_classes_are_refused(effort, monkeypatch):
    monkeypatch.setattr(kernels, "MOST_CLASSES", 3)
    y = np.arange(250) % 4
    with pytest.raises(ModelError, match="there are 4 classes, and it takes at most 3"):
        RECIPES["svm"].fit(PARAMS, Rows("classification", 4, X, y, ["number"] * 4), effort)
