"""A search whose fits hang, die and eat memory, in real processes, ends in time with what is left."""

import time
from dataclasses import replace

import pytest

from models import bad_recipes as trouble
from models.bad_recipes import recipe
from understudy.engines.processes import CAN_FORK, ProcessCrew
from understudy.models.recipes import Effort
from understudy.models.search import Budget, Fold, Race, search

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="the system cannot fork")


@pytest.fixture(scope="module")
def crew():
    made = ProcessCrew(2, memory=200_000_000)
    yield made
    made.close()


@pytest.fixture
def folds(make_rows):
    rows, stop = make_rows(2, n=240), make_rows(2, n=80, seed=1)
    where = [index % 3 for index in range(240)]
    made = []
    for part in range(3):
        fit = [index for index in range(240) if where[index] != part]
        score = [index for index in range(240) if where[index] == part]
        fold = replace(rows, X=rows.X[fit], y=rows.y[fit], X_stop=stop.X, y_stop=stop.y)
        made.append(Fold(fold, rows.X[score], rows.y[score], score))
    return tuple(made)


def catalogue(monkeypatch, *fits):
    named = {fit.__name__: recipe(fit) for fit in fits}
    for module in ("entry", "again", "run"):
        monkeypatch.setattr(f"understudy.models.search.{module}.RECIPES", named)


def race(budget, crew):
    return Race(budget, Effort(seed=5, threads=1), time.monotonic, crew=crew)


def test_whatever_goes_wrong_costs_its_slot_and_the_leaderboard_says_so(folds, crew, monkeypatch):
    catalogue(monkeypatch, trouble.refuses, trouble.eats, trouble.leaves, trouble.says)
    found = search(folds, 240, race(Budget(trials=6), crew))
    errors = {trial.recipe: trial.error for trial in found.trials if trial.state == "failed"}
    assert found.best.recipe == "says"
    assert "the matrix is singular" in errors["refuses"]
    assert "more memory than there is" in errors["eats"]
    assert errors["leaves"] == "its process ended by itself, with code 3"
    assert [trial.state for trial in found.trials if trial.recipe == "says"] == ["complete"] * 3


def test_what_hangs_is_killed_and_the_budget_is_kept(folds, crew, monkeypatch):
    monkeypatch.setattr("understudy.models.search.allowance.FEWEST_SECONDS", 0.5)
    catalogue(monkeypatch, trouble.hangs, trouble.says)
    began = time.monotonic()
    found = search(folds, 240, race(Budget(seconds=4), crew))
    assert time.monotonic() - began < 4.4
    hung = next(trial for trial in found.trials if trial.recipe == "hangs")
    assert (hung.state, hung.error) == ("failed", "it took longer than 1.6 s")
    assert found.best.recipe == "says"
    assert sum(trial.recipe == "hangs" for trial in found.trials) == 1


def test_isolated_fits_give_the_same_search_as_fits_here(folds, crew, monkeypatch):
    apart = search(folds, 240, race(Budget(trials=4), crew))
    here = search(folds, 240, race(Budget(trials=4), None))
    assert [trial.fold_scores for trial in apart.trials] == [trial.fold_scores for trial in here.trials]
    assert (apart.oof == here.oof).all()
    assert apart.weights == here.weights
