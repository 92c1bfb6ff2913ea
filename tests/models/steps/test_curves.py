"""Curves bend where the rows do, stay level beyond them, and are told in the column's own unit."""

import numpy as np
import pytest

from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.models.steps import PREPARATIONS, apply_steps, curves, prepared, step_names
from understudy.models.steps.curves import knots
from understudy.models.steps.step import Name

EFFORT = Effort(0, 1)


def bent(n, seed):
    """A number whose effect rises and falls, and another that is nearly always 0."""
    rng = np.random.default_rng(seed)
    gain = np.where(rng.random(n) < 0.93, 0.0, rng.exponential(5, n))
    X = np.column_stack([rng.normal(size=n), gain]).astype(np.float32)
    return Rows("regression", 0, X, np.abs(X[:, 0]) + np.minimum(X[:, 1], 5) + 0.1 * rng.normal(size=n), ["number"] * 2)


@pytest.mark.parametrize(("name", "most"), [("plain", 1.1), ("curves", 0.15), ("bins", 0.45)])
def test_a_ridge_regression_follows_a_bend_once_it_is_prepared(name, most):
    fitted = RECIPES["ridge"].fit({"alpha": 1.0, "steps": name}, bent(2000, 0), EFFORT)
    new = bent(2000, 1)
    error = float(np.sqrt(np.mean((fitted.raw(new.X)[:, 0] - new.y) ** 2)))
    assert most / 2 < error < most


def test_a_number_that_is_mostly_one_value_still_gets_knots_among_the_others():
    edges = knots(bent(2000, 0).X[:, 1], 20)
    assert (edges > 0).sum() >= 6
    assert edges[0] == 0


def test_a_few_distinct_values_are_the_knots_themselves():
    assert knots(np.array([3.0, 1, 2, 2, 1]), 5).tolist() == [1, 2, 3]


def test_beyond_its_last_knot_a_curve_is_level():
    rows = bent(500, 0)
    after, steps, _ = prepared(rows, "curves", EFFORT)
    ends = np.array([[rows.X[:, 0].max(), 0], [1e6, 0], [rows.X[:, 0].min(), 0], [-1e6, 0]], dtype=np.float32)
    made = apply_steps(steps, ends)
    assert (made[0] == made[1]).all()
    assert (made[2] == made[3]).all()
    np.testing.assert_allclose(after.X.mean(axis=0), 0, atol=1e-9)


def test_each_ramp_is_named_by_where_it_rises():
    rows = Rows("regression", 0, np.arange(5, dtype=np.float32)[:, None] % 3, np.zeros(5), ["number"])
    _, steps, _ = prepared(rows, "curves", EFFORT)
    names = step_names(steps, [Name("age", lambda value: f"{20 + 10 * value:.0f}")])
    assert tuple(name.text for name in names) == ("age from 20 to 40", "age from 20 to 30", "age from 30 to 40")


def test_more_rows_than_a_fit_has_time_for_are_left_out_and_it_is_said(monkeypatch):
    monkeypatch.setattr(curves, "MOST_CELLS", 10_000)
    fitted = RECIPES["ridge"].fit({"alpha": 1.0, "steps": "curves"}, bent(2000, 0), EFFORT)
    assert fitted.note == "fitted on a random 250 of 2,000 rows"


def test_very_many_numbers_share_the_ramps():
    rng = np.random.default_rng(0)
    rows = Rows("regression", 0, rng.normal(size=(3000, 60)).astype(np.float32), rng.normal(size=3000), ["number"] * 60)
    after, _, _ = prepared(rows, "curves", EFFORT)
    assert after.X.shape[1] <= 60 * 7


def test_every_preparation_says_what_it_is_for():
    assert all(each.about.endswith(".") for each in PREPARATIONS.values())
