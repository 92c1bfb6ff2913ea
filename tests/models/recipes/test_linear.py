"""Linear recipes say how many of their weights are 0, and keep to what is known of their signs."""

from dataclasses import replace

import numpy as np
import pytest

from understudy.models.recipes import RECIPES


@pytest.mark.parametrize("k", [2, 3, 0])
def test_a_strong_lasso_keeps_few_weights_and_says_how_many(k, make_rows, effort):
    fitted = RECIPES["lasso"].fit({"strength": 0.5}, make_rows(k), effort)
    zeros = int((np.atleast_2d(fitted.estimator.coef_) == 0).all(axis=0).sum())
    assert zeros >= 4
    assert fitted.note == f"{zeros} of 7 weights are 0"


def test_the_elastic_net_shares_a_weight_between_twins_and_the_lasso_need_not(make_rows, effort):
    rows = make_rows(0, n=600)
    twins = replace(rows, X=np.hstack([rows.X, rows.X[:, :1]]), views=(*rows.views, "number"))
    weights = RECIPES["elastic_net"].fit({"strength": 0.01, "l1_ratio": 0.5}, twins, effort).estimator.coef_[0]
    assert weights[0] == pytest.approx(weights[-1], rel=0.01)
    assert weights[0] > 0.05


@pytest.mark.parametrize(("name", "k", "params"), [("logistic", 2, {"C": 1.0}), ("ridge", 0, {"alpha": 1.0})])
def test_a_sign_that_holds_anyway_changes_little(name, k, params, make_rows, effort):
    """Our own solver takes over where a direction is known: it solves the same problem."""
    rows = make_rows(k)
    free = RECIPES[name].fit(params, rows, effort)
    kept = RECIPES[name].fit(params, replace(rows, monotone=np.eye(8, dtype=np.int64)[0]), effort)
    np.testing.assert_allclose(kept.raw(rows.X), free.raw(rows.X), rtol=2e-3, atol=2e-3)
    assert kept.note == ""


def test_how_many_weights_a_sign_has_set_to_0_is_said(make_rows, effort):
    rows = make_rows(2)
    fitted = RECIPES["logistic"].fit({"C": 1.0}, replace(rows, monotone=-np.eye(8, dtype=np.int64)[0]), effort)
    assert fitted.note == "1 of 7 weights are 0"
