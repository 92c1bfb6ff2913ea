"""The race keeps its budget, survives what fails, and repeats itself."""

import time
from dataclasses import replace
from itertools import count

import msgspec
import numpy as np
import pytest

from understudy.core.errors import MissingExtraError, ModelError
from understudy.engines.threads import ThreadCrew
from understudy.models.recipes import Effort, Estimate, Recipe, Traits
from understudy.models.search import Budget, Fold, Race, Replay, refit, search


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
        named = {recipe.name: recipe for recipe in recipes}
        for module in ("entry", "again", "run"):
            monkeypatch.setattr(f"understudy.models.search.{module}.RECIPES", named)

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
    assert sorted(told, key=lambda trial: trial.number) == list(found.trials)
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
    monkeypatch.setattr("understudy.models.search.plan.FEWEST_JUDGED", 80)
    catalogue(recipe("one", says, ({"p": 0.5}, {"p": 0.99}, {"p": 0.5001})))
    found = search(make_folds(2), 240, race(Budget(trials=3)))
    assert [trial.state for trial in found.trials] == ["complete", "pruned", "complete"]
    assert [len(trial.fold_scores) for trial in found.trials] == [3, 1, 3]


def test_no_setting_is_stopped_on_a_few_rows(make_folds, catalogue):
    catalogue(recipe("one", says, ({"p": 0.5}, {"p": 0.99})))
    found = search(make_folds(2), 240, race(Budget(trials=2)))
    assert [trial.state for trial in found.trials] == ["complete", "complete"]


def test_no_trial_is_started_that_would_not_end_in_time(make_folds, catalogue, monkeypatch):
    for name in ("COMPILING", "HEAD_SECONDS", "HEAD_PER_MEMBER", "HEAD_PER_ROW", "FEW_ROWS_SECONDS"):
        monkeypatch.setattr(f"understudy.models.search.costs.{name}", 0.0)
    clock = Clock()
    catalogue(recipe("steady", clock.slow(lambda *_: Estimate(Says(0.5)), 1.0)))
    found = search(make_folds(2), 240, race(Budget(seconds=12), clock))
    assert [(trial.state, trial.seconds) for trial in found.trials] == [("complete", 3.0)] * 2
    third, refit_of_one = 3.0, (240 + 80) / 160
    assert clock.time - 1000 + 2 * refit_of_one <= 12 < clock.time - 1000 + third + 3 * refit_of_one


def test_a_trial_that_turns_out_slow_is_given_up_between_folds(make_folds, catalogue):
    clock = Clock()
    catalogue(recipe("quick", clock.slow(says, 0.1)), recipe("slow", clock.slow(says, 4.0)))
    found = search(make_folds(2), 240, race(Budget(seconds=6), clock))
    slow = [trial for trial in found.trials if trial.recipe == "slow"]
    assert [(trial.state, trial.error) for trial in slow] == [("pruned", "the time ran out after 1 of 3 folds")]
    assert clock.time - 1000 <= 6


def test_one_trial_is_judged_however_small_the_budget(make_folds, catalogue):
    clock = Clock()
    catalogue(recipe("slow", clock.slow(says, 100.0)), recipe("other", says))
    folds = make_folds(2)
    found = search(folds, 240, race(Budget(seconds=1), clock))
    assert [(trial.recipe, len(trial.fold_scores)) for trial in found.trials] == [("slow", 1)]
    assert found.weights == {0: 1.0}
    assert np.isfinite(found.oof[folds[0].positions]).all()
    assert np.isnan(found.oof[folds[1].positions]).all()


def test_far_better_trials_with_one_fold_serve_where_there_was_no_time_for_more(make_folds, catalogue):
    clock = Clock()
    folds = tuple(replace(fold, y=(np.arange(len(fold.y)) % 20 == 0).astype(np.int64)) for fold in make_folds(2))
    even = clock.slow(lambda *_: Estimate(Says(0.5)), 0.1)
    catalogue(recipe("quick", even), recipe("good", clock.slow(says, 4.0), ({"p": 0.05},)))
    found = search(folds, 240, race(Budget(seconds=18), clock, recipes=("quick", "good")))
    good = next(trial for trial in found.trials if trial.recipe == "good")
    assert (good.state, len(good.fold_scores)) == ("pruned", 1)
    assert found.best == good
    assert good.number in found.weights
    record = Replay(trials=found.trials, weights=dict(found.weights))
    again = search(folds, 240, race(Budget(seconds=18), replay=record))
    assert [replace_seconds(trial) for trial in again.trials] == [replace_seconds(trial) for trial in found.trials]
    assert np.array_equal(again.oof, found.oof, equal_nan=True)
    assert again.best.number == found.best.number


def test_windows_that_follow_each_other_are_raced_on_the_newest(make_folds, catalogue):
    catalogue(recipe("one", says))
    first, second, third = make_folds(2)
    early = replace(first, rows=replace(first.rows, X=first.rows.X[:50], y=first.rows.y[:50]))
    found = search((early, second, third), 240, race(Budget(seconds=1), count(0, 5).__next__))
    assert np.isfinite(found.oof[third.positions]).all()
    assert np.isnan(found.oof[early.positions]).all()


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

    monkeypatch.setattr("understudy.models.search.entry.require", missing)
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
def test_fits_side_by_side_give_the_same_search_as_one_by_one(k, make_folds):
    one = search(make_folds(k), 240, race(Budget(trials=5)))
    two = search(make_folds(k), 240, race(Budget(trials=5), crew=ThreadCrew(2)))
    assert [replace_seconds(trial) for trial in one.trials] == [replace_seconds(trial) for trial in two.trials]
    assert (one.oof == two.oof).all()
    assert one.weights == two.weights


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_a_search_does_not_depend_on_how_many_fits_run_side_by_side(workers, make_folds, catalogue, monkeypatch):
    monkeypatch.setattr("understudy.models.search.plan.FEWEST_JUDGED", 1)
    waits = np.random.default_rng(workers)

    def breaks_late(params, rows, effort):
        time.sleep(waits.uniform(0, 0.01))
        if params.get("p", 0.5) > 0.8 and rows.X[0, 0] == late:
            raise ValueError("breaks on the last fold")
        return says(params, rows, effort)

    folds = make_folds(2)
    late = folds[2].rows.X[0, 0]
    catalogue(recipe("one", breaks_late, ({"p": 0.5}, {"p": 0.99}, {"p": 0.51}, {"p": 0.81})), recipe("bad", broken))
    found = [search(folds, 240, race(Budget(trials=30), crew=ThreadCrew(n))) for n in (1, workers)]
    trials = [[replace_seconds(trial) for trial in each.trials] for each in found]
    assert trials[0] == trials[1]
    assert {trial.state for trial in found[0].trials} == {"complete", "pruned", "failed"}


def test_where_time_is_scarce_the_first_look_is_on_some_of_the_rows(make_folds, catalogue, monkeypatch):
    monkeypatch.setattr("understudy.models.search.plan.FEWEST_SKETCHED", 20)
    clock, seen = Clock(), []

    def by_rows(params, rows, effort):
        clock.time += len(rows.y) / 100
        seen.append(len(rows.y))
        return says(params, rows, effort)

    settings = tuple({"p": p} for p in (0.9, 0.5, 0.8, 0.51, 0.99, 0.95))
    slow = replace(recipe("one", by_rows, settings), traits=Traits(seconds=1000.0))
    catalogue(slow)
    found = search(make_folds(2), 240, race(Budget(seconds=14), clock))
    assert seen[0] < 160 / 2
    assert found.best.params["p"] in (0.5, 0.51)
    looked = [trial for trial in found.trials if trial.error == "a first look on some of the rows was enough"]
    assert {trial.params["p"] for trial in looked} >= {0.95, 0.99}
    assert clock.time - 1000 < 14


def test_the_recipe_that_gives_more_to_the_blend_gets_more_turns(make_folds, catalogue):
    folds = tuple(replace(fold, y=(np.arange(len(fold.y)) % 5 == 0).astype(np.int64)) for fold in make_folds(2))
    catalogue(recipe("good", says, ({"p": 0.2},)), recipe("bad", lambda *_: Estimate(Says(0.9))))
    found = search(folds, 240, race(Budget(trials=22)))
    drawn = [trial.recipe for trial in found.trials if trial.stage == "search"]
    assert drawn.count("good") > 2 * drawn.count("bad") > 0


def test_the_blend_is_of_complete_trials_with_weights_that_sum_to_one(make_folds):
    found = search(make_folds(2), 240, race(Budget(trials=6)))
    complete = {trial.number for trial in found.trials if trial.state == "complete"}
    assert set(found.weights) <= set(found.stack) <= complete
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert (found.stack[found.best.number] == found.oof).all()
    alone = search(make_folds(2), 240, race(Budget(trials=6), single=True))
    assert alone.weights == {alone.best.number: 1.0}


class Memory:
    """A journal in memory, that may stop the search in its middle as a kill would."""

    def __init__(self, most=10**9):
        self.lines, self.predictions, self.most = [], {}, most

    def earlier(self):
        return tuple(self.lines)

    def scores(self, number, fold):
        return self.predictions[number, fold]

    def write(self, line, scores=None):
        if len(self.lines) >= self.most:
            raise KeyboardInterrupt
        self.lines.append(line)
        if scores is not None:
            self.predictions[line.number, line.fold] = scores


@pytest.mark.parametrize("most", [1, 2, 5, 9, 14, 18, 22])
def test_a_search_that_was_stopped_anywhere_goes_on_to_the_same_end(most, make_folds, catalogue):
    folds = make_folds(2)
    catalogue(recipe("one", says, ({"p": 0.5}, {"p": 0.52})), recipe("bad", broken), recipe("other", says))
    whole = search(folds, 240, race(Budget(trials=9)))
    journal = Memory(most)
    with pytest.raises(KeyboardInterrupt):
        search(folds, 240, race(Budget(trials=9), journal=journal))
    journal.most = 10**9
    found = search(folds, 240, race(Budget(trials=9), journal=journal))
    assert found.trials == whole.trials
    assert found.weights == whole.weights
    assert found.reused == len({line.number for line in journal.lines[:most] if hasattr(line, "fold")})


def test_a_search_that_goes_on_has_the_seconds_that_are_left(make_folds, catalogue):
    clock = Clock()
    catalogue(recipe("one", clock.slow(says, 1.0)))
    journal = Memory(5)
    with pytest.raises(KeyboardInterrupt):
        search(make_folds(2), 240, race(Budget(seconds=30), clock, journal=journal))
    spent = clock.time - 1000
    clock.time = 5000.0
    journal.most = 10**9
    found = search(make_folds(2), 240, race(Budget(seconds=30), clock, journal=journal))
    assert found.reused >= 1
    assert 0 < found.stopped_after <= spent
    assert clock.time - 5000 <= 30 - found.stopped_after


def test_a_search_is_replayed_without_a_clock_or_a_decision(make_folds, catalogue):
    clock = Clock()
    catalogue(recipe("one", clock.slow(says, 1.0), ({"p": 0.5}, {"p": 0.45})), recipe("bad", broken))
    timed = search(make_folds(2), 240, race(Budget(seconds=30), clock))
    record = Replay(trials=timed.trials, weights=dict(timed.weights))
    again = search(make_folds(2), 240, race(Budget(seconds=30), lambda: 0.0, replay=record))
    assert [replace_seconds(trial) for trial in again.trials] == [replace_seconds(trial) for trial in timed.trials]
    assert again.weights == timed.weights
    assert (again.oof == timed.oof).all()
    assert set(again.stack) == set(timed.stack)
