"""Of many rows with a rare answer the rare ones are kept, and probabilities stay what they are."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from understudy.models import rows as module
from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.models.rows import thinned

EFFORT = Effort(0, 1)
SETTINGS = {
    "logistic": {"C": 1.0},
    "lightgbm": {**RECIPES["lightgbm"].portfolio[1], "n_estimators": 60},
    "bayes": {"bins": 16, "alpha": 1.0},
}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(module, "MANY_ROWS", 4000)


def rare(n=30_000, seed=0):
    """About one positive answer in a hundred rows."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    y = (rng.random(n) < expit(X @ [1.0, -0.5, 0.0] - 5.2)).astype(np.int64)
    return Rows("classification", 2, X, y, ["number"] * 3)


def test_all_rare_rows_are_kept_and_the_weights_add_up_to_all_rows():
    rows = rare()
    part, note = thinned(rows, 0)
    assert (part.y == 1).sum() == (rows.y == 1).sum()
    assert len(part.y) < 0.4 * len(rows.y)
    assert part.weights.sum() == pytest.approx(len(rows.y))
    assert note.startswith("of the most frequent answer a random ")


def test_weights_that_were_there_are_kept():
    rows = rare()
    given = np.where(rows.X[:, 0] > 0, 3.0, 1.0)
    part, _ = thinned(replace(rows, weights=given), 0)
    assert part.weights.sum() == pytest.approx(given.sum(), rel=0.02)


@pytest.mark.parametrize("name", SETTINGS)
def test_probabilities_add_up_to_the_answers_and_would_not_without_the_weights(name):
    rows, new = rare(), rare(seed=1)
    fitted = RECIPES[name].fit(SETTINGS[name], rows, EFFORT)
    assert "which count for all" in fitted.note
    error = np.sqrt(new.y.sum())  # of a count
    assert abs(fitted.raw(new.X)[:, 1].sum() - new.y.sum()) < 4 * error
    part = replace(thinned(rows, EFFORT.seed)[0], weights=None)
    assert RECIPES[name].fit(SETTINGS[name], part, EFFORT).raw(new.X)[:, 1].sum() > new.y.sum() + 20 * error


def test_a_thinned_fit_is_nearly_as_good_as_one_on_all_rows(monkeypatch):
    rows, new = rare(), rare(seed=1)

    def loss(fitted):
        return -np.mean(np.log(fitted.raw(new.X)[np.arange(len(new.y)), new.y]))

    few = loss(RECIPES["logistic"].fit({"C": 1.0}, rows, EFFORT))
    monkeypatch.setattr(module, "MANY_ROWS", 100_000)
    assert few < 1.01 * loss(RECIPES["logistic"].fit({"C": 1.0}, rows, EFFORT))


@pytest.mark.parametrize("rows", [rare(3000), replace(rare(), y=np.arange(30_000) % 2)], ids=["few", "balanced"])
def test_few_rows_and_answers_that_are_not_rare_are_all_used(rows):
    assert thinned(rows, 0) == (rows, "")
