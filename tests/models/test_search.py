"""The race keeps its budget, survives what fails, and repeats itself."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import msgspec
import numpy as np
import pytest

from understudy.core.errors import MissingExtraError, ModelError
from understudy.models.recipes import Effort, Estimate, Recipe
from understudy.models.search import Budget, Fold, Race, refit, search


@pytest.fixture
def make_folds(make_rows):
    """Three folds over n rows, the rest of them to fit and to stop on."""

    def make(k, n=240, parts=3):
        rows, stop = make_rows(k, n=n), make_rows(k, n=80, seed=1)
        where = np.arange(n) % parts
        folds = []
        for part in range(parts):
            fit, score = where != part, np.flatnonzero(where == part)
            fold = replace(rows, X=rows.X[fit], y=rows.y[fit], X_stop=stop.X, y_stop=stop.y)
            folds.append(Fold(fold, rows.X[score], rows.y[score], score))
        return tuple(folds)

    return make


@pytest.fixture
def catalogue(monkeypatch):
    """Replaces the catalogue by recipes that are cheap, slow, bad or broken at will."""

    def fill(*recipes):
        monkeypatch.setattr("understudy.models.search.RECIPES", {recipe.name: recipe for recipe in recipes})

    return fill


class Says:
    """An estimator that gives the same probability of class 1 to every row."""

    classes_ = np.array([0, 1])

    def __init__(self, probability):
        self.probability = probability

    def predict_proba(self, X):
        return np.tile([1 - self.probability, self.probability], (len(X), 1))


def recipe(name, fit, portfolio=({},)):
    return Recipe(
        name=name,
        title=name.title(),
        kinds=frozenset({"classification"}),
        views=frozenset({"number"}),
        portfolio=portfolio,
        space=lambda trial: {"p": trial.suggest_float("p", 0.05, 0.95)},
        fit_part=fit,
    )


def says(params, rows, effort):
    return Estimate(Says(params.get("p", 0.5)))


def broken(params, rows, effort):
    raise ValueError("the matrix is singular")


class Clock:
    """A clock that a fit moves forward by hand."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time

    def slow(self, fit, seconds):
        def slowly(params, rows, effort):
            self.time += seconds
            return fit(params, rows, effort)

        return slowly


def race(budget, elapsed=lambda: 0.0, **options):
    return Race(budget, Effort(seed=5, threads=1), elapsed, **options)


@pytest.mark.parametrize("k", [2, 3, 0])
def test_the_same_seed_and_trials_give_the_same_search(k, make_folds):
    first, second = (search(make_folds(k), 240, race(Budget(trials=6))) for _ in range(2))
    assert msgspec.json.encode(first.trials) == msgspec.json.encode(second.trials)
    assert (first.oof == second.oof).all()
    assert len(first.trials) == 6


def test_a_budget_of_trials_asks_no_clock_for_a_decision(make_folds, catalogue):
    catalogue(recipe("one", says, ({"p": 0.4}, {"p": 0.6})), recipe("other", says))
    steady, wild = count(), iter(np.random.default_rng(0).uniform(0, 1e9, 1000))
    found = [search(make_folds(2), 240, race(Budget(trials=9), lambda c=c: float(next(c)))) for c in (steady, wild)]
    trials = [[replace_seconds(trial) for trial in each.trials] for each in found]
    assert trials[0] == trials[1]
    assert len(trials[0]) == 9


def replace_seconds(trial):
    return msgspec.structs.replace(trial, seconds=0.0)


def test_the_portfolio_of_every_recipe_goes_first_then_the_search(make_folds, catalogue):
    catalogue(recipe("one", says, ({"p": 0.4}, {"p": 0.45})), recipe("other", says, ({"p": 0.5},)))
    found = search(make_folds(2), 240, race(Budget(trials=8)))
    assert [(trial.recipe, trial.stage) for trial in found.trials[:3]] == [
        ("one", "portfolio"),
        ("other", "portfolio"),
        ("one", "portfolio"),
    ]
    assert {trial.stage for trial in found.trials[3:]} == {"search"}
    assert [trial.number for trial in found.trials] == list(range(8))


def test_the_best_complete_trial_wins_and_its_predictions_are_kept(make_folds):
    folds = make_folds(3)
    found = search(folds, 240, race(Budget(trials=6)))
    complete = [trial for trial in found.trials if trial.state == "complete"]
    assert found.best.score == min(trial.score for trial in complete)
    y = np.concatenate([fold.y for fold in folds])[np.argsort(np.concatenate([fold.positions for fold in folds]))]
    assert found.oof.shape == (240, 3)
    assert -np.log(found.oof[np.arange(240), y]).mean() == pytest.approx(found.best.score, rel=1e-9)


def test_rows_that_no_fold_predicts_stay_unknown(make_folds):
    found = search(make_folds(2)[1:], 240, race(Budget(trials=1)))
    assert np.isnan(found.oof).all(axis=1).tolist() == (np.arange(240) % 3 == 0).tolist()


def test_a_trial_that_fails_costs_its_slot_and_not_the_search(make_folds, catalogue):
    catalogue(recipe("bad", broken), recipe("good", says))
    told = []
    found = search(make_folds(2), 240, race(Budget(trials=5), tell=told.append))
    assert found.best.recipe == "good"
    assert found.trials[0].state == "failed"
    assert found.trials[0].score is None
    assert "the matrix is singular" in found.trials[0].error
    assert tuple(told) == found.trials
    assert [trial.recipe for trial in found.trials].count("bad") == 1


def test_predictions_that_are_no_numbers_fail(make_folds, catalogue):
    catalogue(recipe("odd", lambda *_: Estimate(Says(np.nan))), recipe("good", says))
    found = search(make_folds(2), 240, race(Budget(trials=3)))
    assert found.best.recipe == "good"
    assert found.trials[0].error == "Its predictions are not finite numbers."


def test_running_out_of_memory_fails_one_trial(make_folds, catalogue):
    def greedy(params, rows, effort):
        raise MemoryError("64 GiB")

    catalogue(recipe("greedy", greedy), recipe("good", says))
    assert "64 GiB" in search(make_folds(2), 240, race(Budget(trials=2))).trials[0].error


def test_an_error_of_our_own_making_is_not_taken_for_a_failed_trial(make_folds, catalogue):
    def buggy(params, rows, effort):
        raise KeyError("a bug")

    catalogue(recipe("buggy", buggy))
    with pytest.raises(KeyError):
        search(make_folds(2), 240, race(Budget(trials=2)))


def test_when_all_trials_fail_the_reasons_are_told(make_folds, catalogue):
    catalogue(recipe("bad", broken), recipe("worse", broken))
    with pytest.raises(ModelError, match=r"bad: .*singular.*; worse: .*singular"):
        search(make_folds(2), 240, race(Budget(trials=5)))


def test_a_clearly_worse_setting_is_stopped_after_its_first_fold(make_folds, catalogue, monkeypatch):
    monkeypatch.setattr("understudy.models.search.FEWEST_JUDGED", 80)
    catalogue(recipe("one", says, ({"p": 0.5}, {"p": 0.99}, {"p": 0.51})))
    found = search(make_folds(2), 240, race(Budget(trials=3)))
    assert [trial.state for trial in found.trials] == ["complete", "pruned", "complete"]
    assert [len(trial.fold_scores) for trial in found.trials] == [3, 1, 3]


def test_no_setting_is_stopped_on_a_few_rows(make_folds, catalogue):
    catalogue(recipe("one", says, ({"p": 0.5}, {"p": 0.99})))
    found = search(make_folds(2), 240, race(Budget(trials=2)))
    assert [trial.state for trial in found.trials] == ["complete", "complete"]


def test_no_trial_is_started_that_would_not_end_in_time(make_folds, catalogue):
    clock = Clock()
    catalogue(recipe("steady", clock.slow(lambda *_: Estimate(Says(0.5)), 1.0)))
    found = search(make_folds(2), 240, race(Budget(seconds=10), clock))
    assert len(found.trials) == 3
    assert clock.time - 1000 == 9
    assert [trial.seconds for trial in found.trials] == [3.0] * 3


def test_a_trial_that_turns_out_slow_is_given_up_between_folds(make_folds, catalogue):
    clock = Clock()
    catalogue(recipe("quick", clock.slow(says, 0.1)), recipe("slow", clock.slow(says, 4.0)))
    found = search(make_folds(2), 240, race(Budget(seconds=6), clock))
    slow = [trial for trial in found.trials if trial.recipe == "slow"]
    assert [(trial.state, trial.error) for trial in slow] == [("pruned", "the time ran out after 1 of 3 folds")]
    assert clock.time - 1000 <= 6


def test_one_trial_is_completed_however_small_the_budget(make_folds, catalogue):
    clock = Clock()
    catalogue(recipe("slow", clock.slow(says, 100.0)), recipe("other", says))
    found = search(make_folds(2), 240, race(Budget(seconds=1), clock))
    assert [(trial.recipe, trial.state) for trial in found.trials] == [("slow", "complete")]


def test_after_a_failure_the_next_recipe_is_tried_even_when_time_is_up(make_folds, catalogue):
    clock = Clock()
    catalogue(recipe("bad", clock.slow(broken, 100.0)), recipe("good", says))
    assert search(make_folds(2), 240, race(Budget(seconds=1), clock)).best.recipe == "good"


def test_the_search_finds_better_settings_than_the_portfolio(make_folds, catalogue):
    folds = tuple(replace(fold, y=(np.arange(len(fold.y)) % 5 == 0).astype(np.int64)) for fold in make_folds(2))
    catalogue(recipe("one", says, ({"p": 0.5},)))
    found = search(folds, 240, race(Budget(trials=25)))
    assert found.best.stage == "search"
    assert found.best.params["p"] == pytest.approx(0.2, abs=0.05)


def test_only_the_named_recipes_take_part(make_folds):
    found = search(make_folds(2), 240, race(Budget(trials=3), recipes=("logistic",)))
    assert {trial.recipe for trial in found.trials} == {"logistic"}


def test_an_unknown_recipe_is_refused_with_those_that_exist(make_folds):
    with pytest.raises(ModelError, match=r"no recipe 'forrest'[\s\S]*lightgbm, logistic, ridge, forest"):
        search(make_folds(2), 240, race(Budget(trials=3), recipes=("forrest",)))


def test_a_recipe_whose_library_is_missing_is_refused_before_anything_is_tried(make_folds, catalogue, monkeypatch):
    def missing(module, *, extra):
        raise MissingExtraError(f"{module} is not installed.", hint=f"pip install 'understudy[{extra}]'")

    monkeypatch.setattr("understudy.models.search.require", missing)
    catalogue(recipe("plain", says), replace(recipe("extra", says), extra="xgboost", raced=False))
    assert search(make_folds(2), 240, race(Budget(trials=2))).best.recipe == "plain"
    told = []
    with pytest.raises(MissingExtraError, match="xgboost is not installed"):
        search(make_folds(2), 240, race(Budget(trials=2), recipes=("plain", "extra"), tell=told.append))
    assert not told


def test_recipes_that_are_not_raced_take_part_only_when_named(make_folds):
    raced = {trial.recipe for trial in search(make_folds(2), 240, race(Budget(trials=3))).trials}
    assert raced <= {"lightgbm", "logistic", "forest"}
    named = search(make_folds(2), 240, race(Budget(trials=3), recipes=("bayes", "rules", "tree")))
    assert [trial.recipe for trial in named.trials] == ["rules", "tree", "bayes"]


def test_a_recipe_that_does_not_suit_the_task_is_refused(make_folds):
    with pytest.raises(ModelError, match=r"ridge suits classification[\s\S]*lightgbm, logistic, forest"):
        search(make_folds(2), 240, race(Budget(trials=3), recipes=("ridge",)))


def test_notes_of_the_fits_reach_the_trial(make_folds, catalogue):
    catalogue(recipe("one", lambda *_: Estimate(Says(0.5), note="stopped early")))
    assert search(make_folds(2), 240, race(Budget(trials=1))).trials[0].note == "stopped early"


def test_the_refit_boosts_for_as_many_rounds_as_the_folds_needed(make_folds, make_rows):
    found = search(make_folds(2), 240, race(Budget(trials=2), recipes=("lightgbm",)))
    fitted = refit(found.best, make_rows(2), Effort(seed=5, threads=1))
    assert 0 < fitted.rounds == found.best.rounds < 2000


def test_the_refit_of_a_recipe_without_rounds_takes_its_settings(make_folds, make_rows):
    found = search(make_folds(0), 240, race(Budget(trials=1), recipes=("ridge",)))
    assert refit(found.best, make_rows(0), Effort(seed=5, threads=1)).estimator.alpha == found.best.params["alpha"]


@pytest.mark.parametrize("limits", [{}, {"seconds": 60, "trials": 5}, {"seconds": 0}, {"trials": -1}])
def test_a_budget_is_one_positive_number(limits):
    with pytest.raises(ValueError, match="a budget is"):
        Budget(**limits)


@pytest.mark.parametrize("k", [2, 0])
def test_folds_side_by_side_give_the_same_search_as_one_by_one(k, make_folds):
    def side_by_side(work, folds):
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(work, folds))

    one = search(make_folds(k), 240, race(Budget(trials=5)))
    two = search(make_folds(k), 240, Race(Budget(trials=5), Effort(seed=5, threads=1), lambda: 0.0, map=side_by_side))
    assert one.trials == two.trials
    assert (one.oof == two.oof).all()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_a_search_does_not_depend_on_how_many_folds_run_side_by_side(threads, make_folds, catalogue, monkeypatch):
    monkeypatch.setattr("understudy.models.search.FEWEST_JUDGED", 1)

    def breaks_late(params, rows, effort):
        if params.get("p", 0.5) > 0.8 and rows.X[0, 0] == late:
            raise ValueError("breaks on the last fold")
        return says(params, rows, effort)

    folds = make_folds(2)
    late = folds[2].rows.X[0, 0]
    catalogue(recipe("one", breaks_late, ({"p": 0.5}, {"p": 0.99}, {"p": 0.51}, {"p": 0.81})), recipe("bad", broken))
    found = [
        search(folds, 240, Race(Budget(trials=30), Effort(seed=5, threads=n), lambda: 0.0, map=every_item_first))
        for n in (1, threads)
    ]
    assert found[0].trials == found[1].trials
    assert {trial.state for trial in found[0].trials} == {"complete", "pruned", "failed"}


def every_item_first(work, items):
    """As an engine works: nothing is told before all is done."""
    return [work(item) for item in items]
