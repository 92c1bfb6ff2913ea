"""The network stops where its loss is lowest, and says after how many epochs."""

from dataclasses import replace

import numpy as np

from understudy.models.recipes import RECIPES, Rows
from understudy.models.search import Budget, Fold, Race, refit, search

PARAMS = {"units": 16, "layers": 1, "alpha": 1e-3, "learning_rate": 0.01}


def test_it_stops_on_the_rows_to_stop_on_and_counts_its_epochs(make_rows, effort):
    rows, stop = make_rows(2, n=800), make_rows(2, n=400, seed=1)
    early = RECIPES["network"].fit(PARAMS, replace(rows, X_stop=stop.X, y_stop=stop.y), effort)
    assert 0 < early.rounds < 100
    again = RECIPES["network"].fit({**PARAMS, "epochs": early.rounds}, rows, effort)
    np.testing.assert_allclose(again.raw(stop.X), early.raw(stop.X))


def test_a_rare_answer_is_learned_although_accuracy_stands_still(effort):
    """Stopped by accuracy, it would stop at once: always no is right in 97 of 100 rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4)).astype(np.float32)
    y = (rng.random(3000) < 1 / (1 + np.exp(6 - 2 * X[:, 0] - 2 * X[:, 1]))).astype(np.int64)
    assert y.mean() < 0.08
    raw = RECIPES["network"].fit(PARAMS, Rows("classification", 2, X, y, ["number"] * 4), effort).raw(X)[:, 1]
    ranks = np.argsort(np.argsort(raw))
    area = (ranks[y == 1].mean() - (y.sum() - 1) / 2) / (len(y) - y.sum())
    assert area > 0.9


def test_a_search_refits_it_for_as_many_epochs_as_its_folds_needed(make_rows, effort):
    rows, stop = make_rows(2, n=400), make_rows(2, n=200, seed=1)
    halves = (np.arange(200), np.arange(200, 400))
    folds = tuple(
        Fold(
            replace(rows, X=rows.X[fit], y=rows.y[fit], X_stop=stop.X, y_stop=stop.y),
            rows.X[score],
            rows.y[score],
            score,
        )
        for fit, score in (halves, halves[::-1])
    )
    found = search(folds, 400, Race(Budget(trials=1), effort, lambda: 0.0, recipes=("network",)))
    assert found.best.rounds > 0
    assert refit(found.best, rows, effort).estimator.t_ == found.best.rounds * 400
