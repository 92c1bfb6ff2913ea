"""What the task file says of directions holds in the model that is trained."""

import msgspec
import numpy as np
import polars as pl
import pytest

from understudy.core.errors import InputError, TaskFileError
from understudy.core.task import Model
from understudy.core.task_file import parse_task
from understudy.core.task_text import task_toml
from understudy.flows.dataset import assemble
from understudy.flows.propose import propose_task
from understudy.flows.train import find_model
from understudy.models.recipes import Effort
from understudy.models.search import Budget, Race


def loans(n=400):
    """Who defaults: the odds rise with the debt and, in these rows, with the income too."""
    rng = np.random.default_rng(0)
    debt, income = rng.normal(50, 20, n).round(1), rng.normal(40, 10, n).round(1)
    odds = 0.06 * (debt - 50) + 0.05 * (income - 40) + rng.logistic(size=n)
    return pl.DataFrame({"debt": debt, "income": income, "region": rng.choice(["a", "b"], n), "default": odds > 0})


def task_with(known):
    task, _ = propose_task(loans(), name="loans", target="default", told={"time": "none"})
    return msgspec.structs.replace(task, model=Model(monotone=known))


def trained(task):
    data = assemble(loans(), task, seed=0)
    race = Race(Budget(trials=3), Effort(seed=0, threads=1), lambda: 0.0)
    return find_model(data, task, data.split(0), race)


def test_a_direction_of_the_task_file_is_kept_and_recipes_that_could_not_are_passed_over():
    found = trained(task_with({"income": "falls"}))
    assert {trial.recipe for trial in found.found.trials} <= {"lightgbm", "logistic", "forest", "extra_trees"}
    place = next(place for place, one in enumerate(found.encoding.features) if one.name == "income")
    X = np.zeros((50, len(found.encoding.features)), dtype=np.float32)
    X[:, place] = np.linspace(-3, 3, 50)
    assert np.diff(found.blend.raw(X)[:, 1]).max() <= 1e-9


def test_the_task_file_says_it_and_is_read_back():
    task = task_with({"income": "falls", "debt": "rises"})
    assert parse_task(task_toml(task)) == task


def test_a_word_that_is_no_direction_is_a_fault():
    text = task_toml(task_with({})).replace("monotone = {}", 'monotone = { debt = "up" }')
    with pytest.raises(TaskFileError, match=r'monotone: expected columns, each "rises" or "falls"'):
        parse_task(text)


def test_a_direction_of_a_column_without_one_is_refused_by_name():
    with pytest.raises(InputError, match="direction is given for 'region'"):
        trained(task_with({"region": "rises"}))
