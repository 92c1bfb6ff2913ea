"""Recipes fit what the encoding hands over, repeatably, and say what they left out."""

from dataclasses import replace

import numpy as np
import pytest

from understudy.core.errors import ModelError
from understudy.models import recipes
from understudy.models.recipes import RECIPES, Effort, baseline_scores

QUICK = {
    "logistic": {"C": 1.0},
    "ridge": {"alpha": 1.0},
    "forest": {"n_estimators": 20, "min_samples_leaf": 5, "max_features": 0.5},
    "lightgbm": {**RECIPES["lightgbm"].portfolio[0], "n_estimators": 40},
}
MEMBERS = [(name, k) for name, recipe in RECIPES.items() for k in (2, 3, 0) if ("regression" in recipe.kinds or k)]
MEMBERS = [(name, k) for name, k in MEMBERS if name != "ridge" or k == 0]


def loss_of(raw, rows):
    if rows.kind == "regression":
        return np.mean((rows.y - raw[:, 0]) ** 2)
    return -np.mean(np.log(raw[np.arange(len(rows.y)), rows.y]))


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_every_recipe_beats_its_baseline_on_new_rows(name, k, make_rows, effort):
    rows, new = make_rows(k, n=600), make_rows(k, n=400, seed=1)
    if k:
        cuts = rows.n_classes
        assert set(new.y) == set(range(cuts))
    raw = RECIPES[name].fit(QUICK[name], rows, effort).raw(new.X)
    known_nothing = baseline_scores(rows.y, kind=rows.kind, n_classes=k, n=400)
    assert loss_of(raw, new) < 0.9 * loss_of(known_nothing, new)


@pytest.mark.parametrize(("name", "k"), [member for member in MEMBERS if member[1]])
def test_probabilities_have_a_column_per_class_and_sum_to_one(name, k, make_rows, effort):
    raw = RECIPES[name].fit(QUICK[name], make_rows(k), effort).raw(make_rows(k, seed=1).X)
    assert raw.shape == (400, k)
    assert raw.dtype == np.float64
    assert raw.min() >= 0
    np.testing.assert_allclose(raw.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", ["logistic", "forest", "lightgbm"])
def test_a_class_without_training_rows_still_has_its_column(name, make_rows, effort):
    rows = make_rows(3)
    seen = rows.y != 1
    raw = RECIPES[name].fit(QUICK[name], replace(rows, X=rows.X[seen], y=rows.y[seen]), effort).raw(rows.X)
    assert raw.shape == (400, 3)
    assert raw[:, 1].max() < 1e-3


@pytest.mark.parametrize("name", ["logistic", "forest", "lightgbm"])
def test_fifty_classes_are_learned(name, make_rows, effort):
    rows = make_rows(50, n=1000)
    raw = RECIPES[name].fit({**QUICK[name], "n_estimators": 10}, rows, effort).raw(rows.X)
    assert raw.shape == (1000, 50)
    assert loss_of(np.clip(raw, 1e-15, 1), rows) < np.log(50)


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_the_same_seed_gives_the_same_bits_whatever_the_threads(name, k, make_rows):
    rows = make_rows(k)
    params = {**QUICK[name], "n_estimators": 10} if "n_estimators" in QUICK[name] else QUICK[name]
    one, two = (RECIPES[name].fit(params, rows, Effort(seed=3, threads=threads)) for threads in (1, 2))
    assert (one.raw(rows.X) == two.raw(rows.X)).all()
    assert (two.raw(rows.X) == two.raw(rows.X)).all()


@pytest.mark.parametrize("name", ["forest", "lightgbm"])
def test_another_seed_gives_another_model(name, make_rows):
    rows = make_rows(2)
    first, second = (RECIPES[name].fit(QUICK[name], rows, Effort(seed, 1)).raw(rows.X) for seed in (0, 1))
    assert (first != second).any()


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_a_recipe_ignores_features_whose_view_it_does_not_take(name, k, make_rows, effort):
    rows = make_rows(k)
    fitted = RECIPES[name].fit(QUICK[name], rows, effort)
    ignored = [index for index, view in enumerate(rows.views) if view not in RECIPES[name].views]
    changed = rows.X.copy()
    changed[:, ignored] = 77.0
    assert ignored
    assert (fitted.raw(changed) == fitted.raw(rows.X)).all()


@pytest.mark.parametrize(("name", "k"), [("logistic", 2), ("logistic", 3), ("ridge", 0)])
def test_a_row_of_weight_zero_counts_for_nothing(name, k, make_rows, effort):
    rows = make_rows(k)
    kept = np.arange(400) % 3 > 0
    weighted = RECIPES[name].fit(QUICK[name], replace(rows, weights=kept.astype(float)), effort)
    without = RECIPES[name].fit(QUICK[name], replace(rows, X=rows.X[kept], y=rows.y[kept]), effort)
    np.testing.assert_allclose(weighted.raw(rows.X), without.raw(rows.X), rtol=1e-2)


@pytest.mark.parametrize("name", ["forest", "lightgbm"])
def test_trees_follow_the_heavy_rows(name, make_rows, effort):
    rows = make_rows(2)
    contradicted = replace(rows, X=np.vstack([rows.X, rows.X]), y=np.concatenate([rows.y, 1 - rows.y]))
    weights = np.repeat([10.0, 1.0], 400)
    raw = RECIPES[name].fit(QUICK[name], replace(contradicted, weights=weights), effort).raw(rows.X)
    assert np.mean(raw.argmax(axis=1) == rows.y) > 0.8


@pytest.mark.parametrize("name", ["ridge", "forest", "lightgbm"])
def test_a_target_far_from_zero_is_learned_as_well(name, make_rows, effort):
    rows = make_rows(0)
    near = RECIPES[name].fit(QUICK[name], rows, effort).raw(rows.X)
    far = RECIPES[name].fit(QUICK[name], replace(rows, y=rows.y + 1e8), effort).raw(rows.X)
    np.testing.assert_allclose(far - 1e8, near, atol=0.3)


@pytest.mark.parametrize("name", ["ridge", "forest", "lightgbm"])
def test_a_constant_number_is_predicted_as_it_is(name, make_rows, effort):
    rows = replace(make_rows(0), y=np.full(400, 42.0))
    np.testing.assert_allclose(RECIPES[name].fit(QUICK[name], rows, effort).raw(rows.X), 42.0, atol=1e-9)


def test_boosting_stops_where_the_stopping_rows_say_and_counts_its_rounds(make_rows, effort):
    rows, stop = make_rows(2), make_rows(2, seed=1)
    params = {**QUICK["lightgbm"], "n_estimators": 2000}
    early = RECIPES["lightgbm"].fit(params, replace(rows, X_stop=stop.X, y_stop=stop.y), effort)
    again = RECIPES["lightgbm"].fit({**params, "n_estimators": early.rounds}, rows, effort)
    assert 0 < early.rounds < 500
    assert again.rounds == early.rounds
    assert (again.raw(stop.X) == early.raw(stop.X)).all()


def test_codes_are_split_as_sets_and_never_seen_ones_as_none_of_them(make_rows, effort):
    rows = make_rows(0, n=2000)
    fitted = RECIPES["lightgbm"].fit(QUICK["lightgbm"], rows, effort)
    assert '"decision_type": "=="' in str(fitted.estimator.dump_model()).replace("'", '"')
    unseen = rows.X[:2].copy()
    unseen[:, 4] = [0, 200]
    unseen[1, [0, 1, 2, 3, 7]] = unseen[0, [0, 1, 2, 3, 7]]
    assert fitted.raw(unseen)[0] == fitted.raw(unseen)[1]


def test_a_column_of_very_many_codes_is_split_as_a_number(make_rows, effort):
    rows = make_rows(0, n=2000)
    rows.X[:, 4] += 1000 * np.arange(2000) % 50_000
    fitted = RECIPES["lightgbm"].fit(QUICK["lightgbm"], rows, effort)
    assert '"decision_type": "=="' not in str(fitted.estimator.dump_model()).replace("'", '"')


def test_a_logistic_regression_that_has_not_converged_says_so(make_rows, effort, monkeypatch, recwarn):
    monkeypatch.setattr(recipes, "ITERATIONS", (1, 2))
    fitted = RECIPES["logistic"].fit({"C": 100.0}, make_rows(3), effort)
    assert fitted.note == "stopped after 3 iterations, before its weights settled"
    assert not recwarn.list


def test_a_logistic_regression_that_converges_late_is_given_more_iterations(make_rows, effort, monkeypatch):
    settled = RECIPES["logistic"].fit({"C": 1.0}, make_rows(3), effort)
    monkeypatch.setattr(recipes, "ITERATIONS", (2, 400))
    late = RECIPES["logistic"].fit({"C": 1.0}, make_rows(3), effort)
    assert late.note == ""
    np.testing.assert_allclose(late.estimator.coef_, settled.estimator.coef_, atol=1e-2)


@pytest.mark.parametrize(("name", "k"), [("logistic", 2), ("ridge", 0)])
def test_linear_models_say_that_they_saw_a_sample(name, k, make_rows, effort, monkeypatch):
    monkeypatch.setattr(recipes, "MOST_LINEAR_ROWS", 150)
    rows = replace(make_rows(k), weights=np.ones(400))
    fitted, again = (RECIPES[name].fit(QUICK[name], rows, effort) for _ in range(2))
    assert fitted.note == "fitted on a random 150 of 400 rows"
    assert (fitted.raw(rows.X) == again.raw(rows.X)).all()


def test_a_forest_says_how_many_rows_each_tree_sees(make_rows, effort, monkeypatch):
    monkeypatch.setattr(recipes, "MOST_TREE_ROWS", 100)
    assert RECIPES["forest"].fit(QUICK["forest"], make_rows(2), effort).note == "each tree sees 100 of 400 rows"


def test_a_recipe_without_a_feature_says_so(make_rows, effort):
    rows = make_rows(2)
    with pytest.raises(ModelError, match="Logistic regression has no feature to learn from"):
        RECIPES["logistic"].fit({"C": 1.0}, replace(rows, X=rows.X[:, 4:5], views=("code",)), effort)


def test_what_a_library_refuses_becomes_our_error(make_rows, effort):
    rows = make_rows(2)
    with pytest.raises(ModelError, match=r"Logistic regression could not be fitted: .*one class"):
        RECIPES["logistic"].fit({"C": 1.0}, replace(rows, y=np.zeros(400, dtype=np.int64)), effort)


def test_the_baseline_of_classes_is_their_shares():
    scores = baseline_scores(np.array([0, 0, 2, 0]), kind="classification", n_classes=3, n=2)
    assert scores.tolist() == [[0.75, 0.0, 0.25]] * 2


def test_the_baseline_of_numbers_is_their_mean():
    assert baseline_scores(np.array([1.0, 4.0]), kind="regression", n_classes=0, n=3).tolist() == [[2.5]] * 3


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_each_portfolio_holds_unlike_settings_that_the_recipe_can_fit(recipe, make_rows, effort):
    assert recipe.name != "lightgbm" or len(recipe.portfolio) >= 2
    assert len({str(params) for params in recipe.portfolio}) == len(recipe.portfolio)
    rows = make_rows(0 if "regression" in recipe.kinds else 2, n=100)
    for params in recipe.portfolio:
        small = {**params, "n_estimators": 5} if "n_estimators" in params else params
        assert np.isfinite(recipe.fit(small, rows, effort).raw(rows.X)).all()
