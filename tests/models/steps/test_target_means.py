"""No row learns from its own answer what is usual at its level."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from understudy.models.recipes import Effort, Rows
from understudy.models.steps import TargetMeans, apply_steps
from understudy.models.steps.step import Name
from understudy.models.steps.target_means import SMOOTHING, fit_target_means

EFFORT = Effort(seed=3, threads=1)
FIT = fit_target_means(fewest=5, keep_codes=True)


def rows_of(k, n=600, levels=40, seed=0):
    """A column of codes, and answers that have nothing to do with it."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(0, levels, n), rng.normal(size=n)]).astype(np.float32)
    y = rng.integers(0, k, n) if k else rng.normal(size=n)
    return Rows("classification" if k else "regression", k, X, y, ["code", "number"])


def own_means(made):
    return made.rows.X[:, 2:]


@pytest.mark.parametrize("k", [2, 4, 0])
def test_a_row_that_changes_its_answer_keeps_its_own_mean_and_changes_others(k):
    rows = rows_of(k)
    before = own_means(FIT(rows, EFFORT))
    for row in (0, 17, 333):
        y = rows.y.copy()
        y[row] = (y[row] + 1) % k if k else y[row] + 10
        after = own_means(FIT(replace(rows, y=y), EFFORT))
        assert (after[row] == before[row]).all()
        assert (after != before).any()


def test_a_column_that_says_nothing_says_nothing_after_it_and_would_say_much_if_rows_saw_themselves():
    """Averaged over tables, with 40 levels of 15 rows the mean of a level tells a fifth of its rows' answers."""
    cross_fitted, naive = [], []
    for seed in range(20):
        rows = rows_of(2, seed=seed)
        made = FIT(rows, EFFORT)
        cross_fitted.append(np.corrcoef(own_means(made)[:, 0], rows.y)[0, 1])
        naive.append(np.corrcoef(apply_steps(made.steps, rows.X)[:, 2], rows.y)[0, 1])
    limit = 3 / np.sqrt(600 * 20)
    assert np.mean(cross_fitted) < limit
    assert np.mean(naive) > 5 * limit


def test_new_rows_get_the_smoothed_log_odds_of_all_rows():
    rows = rows_of(2)
    step = FIT(rows, EFFORT).steps[0]
    at = rows.X[:, 0] == 7
    share = (rows.y[at].sum() + SMOOTHING * rows.y.mean()) / (at.sum() + SMOOTHING)
    said = apply_steps((step,), np.array([[7, 0], [254, 0]], dtype=np.float32))[:, 2]
    np.testing.assert_allclose(said, logit([share, rows.y.mean()]), rtol=1e-6)


def test_several_classes_have_a_mean_each():
    rows = rows_of(3, levels=12)
    made = FIT(rows, EFFORT)
    assert own_means(made).shape == (600, 3)
    assert tuple(name.text for name in made.steps[0].names([Name("job"), Name("age")])[2:]) == (
        "usual at job, class 0",
        "usual at job, class 1",
        "usual at job, class 2",
    )


def test_heavy_rows_count_more():
    rows = rows_of(0, levels=12)
    heavy = rows.X[:, 0] == 3
    weights = np.where(rows.y > 0, 9.0, 1.0)
    plain, weighted = (
        apply_steps(FIT(replace(rows, weights=each), EFFORT).steps, rows.X)[heavy, 2] for each in (None, weights)
    )
    assert (weighted > plain + 0.3).all()


def test_codes_are_dropped_for_recipes_that_cannot_take_them():
    for fewest in (5, 100):
        made = fit_target_means(fewest=fewest, keep_codes=False)(rows_of(2), EFFORT)
        assert "code" not in made.rows.views
        assert apply_steps(made.steps, rows_of(2).X).shape[1] == len(made.rows.views)


def test_few_codes_and_very_many_classes_are_left_alone():
    assert FIT(rows_of(2, levels=3), EFFORT).steps == ()
    assert FIT(rows_of(30), EFFORT).steps == ()


def test_a_table_is_held_in_float32_so_that_trees_split_it_alike_everywhere():
    step = FIT(rows_of(2), EFFORT).steps[0]
    assert isinstance(step, TargetMeans)
    assert all((table == table.astype(np.float32)).all() for table in step.tables)
