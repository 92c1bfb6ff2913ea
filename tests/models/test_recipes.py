"""Recipes fit what the encoding hands over, repeatably, and say what they left out."""

from dataclasses import replace

import numpy as np
import optuna
import pytest

from models.conftest import VIEWS
from models.quick import BOOSTED, BRIEF, CLASSIFIERS, ESTIMATORS, HERE, MEMBERS, QUICK
from understudy.core.errors import MissingExtraError, ModelError
from understudy.models.recipes import RECIPES, Effort, baseline_scores, linear, trees

MONOTONE = [name for name in HERE if RECIPES[name].traits.monotone]


def loss_of(raw, rows):
    if rows.kind == "regression":
        return np.mean((rows.y - raw[:, 0]) ** 2)
    return -np.mean(np.log(raw[np.arange(len(rows.y)), rows.y]))


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_every_recipe_beats_its_baseline_on_new_rows(name, k, make_rows, effort):
    rows, new = make_rows(k, n=600), make_rows(k, n=400, seed=1)
    raw = RECIPES[name].fit(QUICK[name], rows, effort).raw(new.X)
    known_nothing = baseline_scores(rows.y, kind=rows.kind, n_classes=k, n=400)
    assert loss_of(raw, new) < (0.95 if name == "rules" else 0.9) * loss_of(known_nothing, new)


@pytest.mark.parametrize(("name", "k"), [member for member in MEMBERS if member[1]])
def test_probabilities_have_a_column_per_class_and_sum_to_one(name, k, make_rows, effort):
    raw = RECIPES[name].fit(QUICK[name], make_rows(k), effort).raw(make_rows(k, seed=1).X)
    assert raw.shape == (400, k)
    assert raw.dtype == np.float64
    assert raw.min() >= 0
    np.testing.assert_allclose(raw.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_class_without_training_rows_still_has_its_column(name, make_rows, effort):
    rows = make_rows(3)
    seen = rows.y != 1
    raw = RECIPES[name].fit(QUICK[name], replace(rows, X=rows.X[seen], y=rows.y[seen]), effort).raw(rows.X)
    assert raw.shape == (400, 3)
    assert raw[:, 1].max() < 1e-3


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name != "rules"])  # no rule is worth 50 answers
def test_fifty_classes_are_learned(name, make_rows, effort):
    rows = make_rows(50, n=1000)
    params = {**QUICK[name], "n_estimators": 10} if "n_estimators" in QUICK[name] else QUICK[name]
    raw = RECIPES[name].fit(params, rows, effort).raw(rows.X)
    assert raw.shape == (1000, 50)
    assert loss_of(np.clip(raw, 1e-15, 1), rows) < np.log(50)


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_the_same_seed_gives_the_same_bits_whatever_the_threads(name, k, make_rows):
    rows = make_rows(k, n=200)
    params = {**BRIEF[name], "n_estimators": 2} if "n_estimators" in BRIEF[name] else BRIEF[name]
    one, two = (RECIPES[name].fit(params, rows, Effort(seed=3, threads=threads)) for threads in (1, 2))
    assert (one.raw(rows.X) == two.raw(rows.X)).all()
    assert (two.raw(rows.X) == two.raw(rows.X)).all()


@pytest.mark.parametrize("name", ["forest", "extra_trees", "network", *BOOSTED])
def test_another_seed_gives_another_model(name, make_rows):
    rows = make_rows(2)
    first, second = (RECIPES[name].fit(QUICK[name], rows, Effort(seed, 1)).raw(rows.X) for seed in (0, 1))
    assert (first != second).any()


@pytest.mark.parametrize(("name", "k"), [one for one in MEMBERS if RECIPES[one[0]].columns(VIEWS).size < len(VIEWS)])
def test_a_recipe_ignores_features_whose_view_it_does_not_take(name, k, make_rows, effort):
    rows = make_rows(k)
    fitted = RECIPES[name].fit(BRIEF[name], rows, effort)
    ignored = [index for index, view in enumerate(rows.views) if view not in RECIPES[name].views]
    changed = rows.X.copy()
    changed[:, ignored] = 77.0
    assert (fitted.raw(changed) == fitted.raw(rows.X)).all()


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_a_row_of_weight_zero_counts_for_nothing(name, k, make_rows, effort):
    rows = make_rows(k)
    kept = np.arange(400) % 3 > 0
    weighted = RECIPES[name].fit(BRIEF[name], replace(rows, weights=kept.astype(float)), effort).raw(rows.X)
    fewer = replace(rows, X=rows.X[kept], y=rows.y[kept], weights=np.ones(kept.sum()))
    without = RECIPES[name].fit(BRIEF[name], fewer, effort).raw(rows.X)
    np.testing.assert_allclose(weighted, without, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name not in ("rules", "tree")])
def test_models_follow_the_heavy_rows(name, make_rows, effort):
    rows = make_rows(2)
    contradicted = replace(rows, X=np.vstack([rows.X, rows.X]), y=np.concatenate([rows.y, 1 - rows.y]))
    weights = np.repeat([10.0, 1.0], 400)
    raw = RECIPES[name].fit(QUICK[name], replace(contradicted, weights=weights), effort).raw(rows.X)
    assert np.mean(raw.argmax(axis=1) == rows.y) > 0.7


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_target_far_from_zero_is_learned_as_well(name, make_rows, effort):
    rows = make_rows(0)
    near = RECIPES[name].fit(QUICK[name], rows, effort).raw(rows.X)
    far = RECIPES[name].fit(QUICK[name], replace(rows, y=rows.y + 1e8), effort).raw(rows.X)
    np.testing.assert_allclose(far - 1e8, near, atol=0.3)


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name not in ("network", "catboost")])
def test_a_constant_number_is_predicted_as_it_is(name, make_rows, effort):
    rows = replace(make_rows(0), y=np.full(400, 42.0))
    np.testing.assert_allclose(RECIPES[name].fit(QUICK[name], rows, effort).raw(rows.X), 42.0, atol=1e-6)


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
    monkeypatch.setattr(linear, "ITERATIONS", (1, 2))
    fitted = RECIPES["logistic"].fit({"C": 100.0}, make_rows(3), effort)
    assert fitted.note == "stopped after 3 iterations, before its weights settled"
    assert not recwarn.list


def test_a_logistic_regression_that_converges_late_is_given_more_iterations(make_rows, effort, monkeypatch):
    settled = RECIPES["logistic"].fit({"C": 1.0}, make_rows(3), effort)
    monkeypatch.setattr(linear, "ITERATIONS", (2, 400))
    late = RECIPES["logistic"].fit({"C": 1.0}, make_rows(3), effort)
    assert late.note == ""
    np.testing.assert_allclose(late.estimator.coef_, settled.estimator.coef_, atol=1e-2)


@pytest.mark.parametrize(("name", "k"), [("logistic", 2), ("ridge", 0), ("lasso", 2), ("elastic_net", 0)])
def test_linear_models_say_that_they_saw_a_sample(name, k, make_rows, effort, monkeypatch):
    monkeypatch.setattr(linear, "MOST_LINEAR_ROWS", 150)
    rows = replace(make_rows(k), weights=np.ones(400))
    fitted, again = (RECIPES[name].fit(QUICK[name], rows, effort) for _ in range(2))
    assert fitted.note.startswith("fitted on a random 150 of 400 rows")
    assert (fitted.raw(rows.X) == again.raw(rows.X)).all()


@pytest.mark.parametrize("name", ["forest", "extra_trees"])
def test_a_forest_says_how_many_rows_each_tree_sees(name, make_rows, effort, monkeypatch):
    monkeypatch.setattr(trees, "MOST_TREE_ROWS", 100)
    assert RECIPES[name].fit(QUICK[name], make_rows(2), effort).note == "each tree sees 100 of 400 rows"


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


@pytest.mark.parametrize("recipe", [RECIPES[name] for name in HERE], ids=HERE)
def test_each_portfolio_holds_unlike_settings_that_the_recipe_can_fit(recipe, make_rows, effort):
    assert recipe.name != "lightgbm" or len(recipe.portfolio) >= 2
    assert len({str(params) for params in recipe.portfolio}) == len(recipe.portfolio)
    rows = make_rows(0 if "regression" in recipe.kinds else 2, n=100)
    for params in recipe.portfolio:
        small = {**params, "n_estimators": 5} if "n_estimators" in params else params
        assert np.isfinite(recipe.fit(small, rows, effort).raw(rows.X)).all()


@pytest.mark.parametrize("name", HERE)
def test_what_a_search_draws_can_be_fitted(name, make_rows, effort):
    recipe, rows = RECIPES[name], make_rows(0 if "regression" in RECIPES[name].kinds else 2, n=150)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(3):
        drawn = recipe.space(study.ask())
        small = {**drawn, "n_estimators": 5} if "n_estimators" in drawn else drawn
        assert set(drawn) == set(recipe.portfolio[0])
        assert np.isfinite(recipe.fit(small, rows, effort).raw(rows.X)).all()


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_columns_that_say_nothing_do_no_harm(name, k, make_rows, effort):
    rows = make_rows(k)
    constant = np.ones((400, 3), dtype=np.float32)
    wider = replace(rows, X=np.hstack([rows.X, constant]), views=(*rows.views, "number", "level", "word"))
    raw = RECIPES[name].fit(QUICK[name], wider, effort).raw(wider.X)
    assert loss_of(raw, rows) < loss_of(baseline_scores(rows.y, kind=rows.kind, n_classes=k, n=400), rows)


def answered(name, rows, effort):
    """What a recipe says of its own rows; nothing where it refuses them as it should."""
    try:
        return RECIPES[name].fit(BRIEF[name], rows, effort).raw(rows.X)
    except ModelError as error:
        if "could not be fitted" not in error.message:
            raise
        return None


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_rows_in_which_nothing_varies_are_refused_or_answered_alike(name, k, make_rows, effort):
    rows = make_rows(k, n=200)
    raw = answered(name, replace(rows, X=np.zeros_like(rows.X)), effort)
    assert raw is None or np.ptp(raw, axis=0).max() < 1e-9


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_more_features_than_rows_are_no_obstacle(name, k, make_rows, effort):
    rows, rng = make_rows(k, n=60), np.random.default_rng(5)
    wide = np.hstack([rows.X, rng.normal(size=(60, 100)).astype(np.float32)])
    raw = (
        RECIPES[name].fit(BRIEF[name], replace(rows, X=wide, views=(*rows.views, *["number"] * 100)), effort).raw(wide)
    )
    assert np.isfinite(raw).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_rows_of_one_class_are_refused_or_answered_by_it(name, make_rows, effort):
    raw = answered(name, replace(make_rows(2), y=np.ones(400, dtype=np.int64)), effort)
    assert raw is None or raw[:, 1].min() > 0.99


@pytest.mark.parametrize(("name", "k"), [(name, k) for name, k in MEMBERS if name in MONOTONE and k != 3])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_known_direction_is_kept_everywhere(name, k, sign, make_rows, effort):
    """The second feature pulls up and down again: left alone a model would follow it both ways."""
    rows = make_rows(k, n=600)
    monotone = np.array([0, sign, 0, 0, 0, 0, 0, 0])
    fitted = RECIPES[name].fit(QUICK[name], replace(rows, monotone=monotone), effort)
    steps = np.repeat(rows.X[:40], 30, axis=0)
    steps[:, 1] = np.tile(np.linspace(-4, 4, 30), 40)
    answers = fitted.raw(steps)[:, -1].reshape(40, 30)
    assert (sign * np.diff(answers, axis=1)).min() >= -1e-12


@pytest.mark.parametrize("name", [name for name in MONOTONE if RECIPES[name].traits.bends])
def test_without_a_known_direction_it_goes_both_ways(name, make_rows, effort):
    """The test above would fail if the direction were not handed on."""
    rows = make_rows(2 if "classification" in RECIPES[name].kinds else 0, n=600)
    fitted = RECIPES[name].fit(QUICK[name], rows, effort)
    steps = np.repeat(rows.X[:40], 30, axis=0)
    steps[:, 1] = np.tile(np.linspace(-4, 4, 30), 40)
    answers = fitted.raw(steps)[:, -1].reshape(40, 30)
    assert np.diff(answers, axis=1).max() > 0.01
    assert np.diff(answers, axis=1).min() < -0.01


@pytest.mark.parametrize("name", [name for name in HERE if name not in MONOTONE])
def test_a_recipe_that_cannot_keep_to_a_direction_says_so(name, make_rows, effort):
    rows = make_rows(2 if "classification" in RECIPES[name].kinds else 0)
    with pytest.raises(ModelError, match="cannot keep to a known direction"):
        RECIPES[name].fit(QUICK[name], replace(rows, monotone=np.eye(8, dtype=np.int64)[0]), effort)
    assert RECIPES[name].fit(BRIEF[name], replace(rows, monotone=np.zeros(8, dtype=np.int64)), effort)


def test_a_direction_among_several_answers_is_refused(make_rows, effort):
    with pytest.raises(ModelError, match="for two answers; here are 3"):
        RECIPES["logistic"].fit({"C": 1.0}, replace(make_rows(3), monotone=np.eye(8, dtype=np.int64)[0]), effort)


@pytest.mark.parametrize("name", ["xgboost", "catboost"])
def test_a_library_that_is_not_installed_is_named_with_the_way_to_get_it(name, make_rows, effort, monkeypatch):
    def missing(module, *, extra):
        raise MissingExtraError(f"{module} is not installed.", hint=f"pip install 'understudy[{extra}]'")

    monkeypatch.setattr(f"understudy.models.recipes.{name}.require", missing)
    with pytest.raises(MissingExtraError, match=rf"{name} is not installed[\s\S]*understudy\[{name}\]"):
        RECIPES[name].fit(RECIPES[name].portfolio[0], make_rows(2), effort)
