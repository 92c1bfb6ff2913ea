"""Trees that can be drawn stay small, and never rule an answer out."""

import numpy as np
import pytest

from understudy.models.recipes import RECIPES


@pytest.mark.parametrize("k", [2, 3, 0])
@pytest.mark.parametrize("leaves", [3, 8])
def test_a_small_tree_has_no_more_leaves_than_asked_for(k, leaves, make_rows, effort):
    fitted = RECIPES["tree"].fit({"leaves": leaves, "min_samples_leaf": 5}, make_rows(k), effort)
    assert len(np.unique(fitted.raw(make_rows(k, seed=1).X), axis=0)) <= leaves


def test_a_pure_leaf_still_leaves_the_other_answer_possible(make_rows, effort):
    rows = make_rows(2)
    sure = np.column_stack([rows.X[:, 0] > 0, rows.X[:, 1:].T.astype(bool).any(axis=0)]).astype(np.float32)
    rows = type(rows)("classification", 2, sure, (rows.X[:, 0] > 0).astype(np.int64), ["flag", "flag"])
    raw = RECIPES["tree"].fit({"leaves": 4, "min_samples_leaf": 5}, rows, effort).raw(rows.X)
    n = int(rows.y.sum())
    assert raw.max() == pytest.approx((n + n / 400) / (n + 1), rel=1e-3)
    assert raw.min() > 0
