"""Intervals around a blend of models that were really fitted hold the truth as often as they say.

The residuals are out of fold and the members refitted on all rows, as a run does it.
"""

import numpy as np
import pytest

from understudy.models.blend import Blend
from understudy.models.calibrate import fit_number_head, intervals
from understudy.models.recipes import RECIPES, Effort, Rows

MEMBERS = {
    "ridge": RECIPES["ridge"].portfolio[-1],
    "lightgbm": {"n_estimators": 40, "learning_rate": 0.2, "num_leaves": 15, "min_data_in_leaf": 2},
}
WEIGHTS = np.array([0.3, 0.7])
EFFORT = Effort(seed=0, threads=1)
REPETITIONS = 25
FRESH = 500


def world(rng, n):
    """A curve whose noise grows along it."""
    X = rng.uniform(-2, 2, (n, 3)).astype(np.float32)
    y = np.sin(2 * X[:, 0]) + X[:, 1] + (0.2 + 0.4 * (X[:, 1] > 0)) * rng.normal(size=n)
    return X, y


def fitted(X, y):
    rows = Rows("regression", 0, X, y, ["number"] * 3)
    return Blend(tuple(RECIPES[name].fit(params, rows, EFFORT) for name, params in MEMBERS.items()), WEIGHTS)


def out_of_fold(X, y):
    said, fold = np.empty((len(y), 1)), np.arange(len(y)) % 5
    for index in range(5):
        said[fold == index] = fitted(X[fold != index], y[fold != index]).raw(X[fold == index])
    return said


def in_sample(X, y):
    return fitted(X, y).raw(X)


def coverages(said_of, n, confidence):
    rng = np.random.default_rng(0)
    hits = np.empty(REPETITIONS)
    for repetition in range(REPETITIONS):
        X, y = world(rng, n)
        fresh, truth = world(rng, FRESH)
        head = fit_number_head(said_of(X, y), y)
        lower, upper = intervals(head, fitted(X, y).raw(fresh)[:, 0], confidence)
        hits[repetition] = np.mean((lower <= truth) & (truth <= upper))
    return hits


@pytest.mark.parametrize(("n", "confidence"), [(120, 0.9), (400, 0.8)])
def test_intervals_from_residuals_out_of_fold_cover(n, confidence):
    hits = coverages(out_of_fold, n, confidence)
    assert hits.mean() >= confidence - 3 * hits.std() / np.sqrt(REPETITIONS)
    assert hits.mean() <= confidence + 0.07


def test_intervals_from_residuals_of_the_rows_that_were_fitted_on_would_not():
    assert coverages(in_sample, 120, 0.9).mean() < 0.8
