"""What members cost, and which of them go where they cost too much."""

import numpy as np
import pytest

from models.quick import BRIEF
from understudy.models.calibrate import Head
from understudy.models.compile import compile_model
from understudy.models.limits import CALL, Cost, Limits, counted_micros, forest_cost, lightened, pruned, total_cost
from understudy.models.recipes import RECIPES


@pytest.fixture(scope="module")
def three():
    """Two members of different worth and weight, and one that adds next to nothing."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=2000)
    noises = np.array([1.0, 1.2, 3.0])
    stack = {number: (y + noises[number] * rng.normal(size=2000))[:, None] for number in range(3)}
    return y, stack, {0: 0.55, 1: 0.4, 2: 0.05}


def test_what_fits_stays_as_it_is(three):
    y, stack, weights = three
    costs = dict.fromkeys(weights, Cost(50.0, 1000))
    assert lightened(weights, costs, Limits(), stack, y, "regression") == weights


def test_the_member_goes_that_is_worth_least_for_its_time(three):
    y, stack, weights = three
    even = dict.fromkeys(weights, Cost(50.0, 0))
    assert set(lightened(weights, even, Limits(micros=110), stack, y, "regression")) == {0, 1}
    slow = {0: Cost(50.0, 0), 1: Cost(5000.0, 0), 2: Cost(50.0, 0)}
    kept = lightened(weights, slow, Limits(micros=110), stack, y, "regression")
    assert 1 not in kept
    assert sum(kept.values()) == pytest.approx(1)


def test_size_counts_as_time_does(three):
    y, stack, weights = three
    costs = {0: Cost(1.0, 900), 1: Cost(1.0, 100), 2: Cost(1.0, 100)}
    assert 0 not in lightened(weights, costs, Limits(size=300), stack, y, "regression")


def test_if_none_fits_the_lightest_stays(three):
    y, stack, weights = three
    costs = {0: Cost(900.0, 0), 1: Cost(700.0, 0), 2: Cost(600.0, 0)}
    assert lightened(weights, costs, Limits(micros=10), stack, y, "regression") == {2: 1.0}


def test_a_call_is_paid_once():
    assert total_cost([Cost(10.0, 5), Cost(20.0, 6)]) == Cost(30.0 - CALL, 11)


def test_members_that_hardly_count_are_left_out():
    assert pruned({1: 0.5, 2: 0.019, 7: 0.481}) == {1: 0.5 / 0.981, 7: 0.481 / 0.981}


def test_larger_members_are_counted_as_slower(make_rows, effort):
    def micros(name, **more):
        fitted = RECIPES[name].fit(BRIEF[name] | more, make_rows(2, n=1000), effort)
        return counted_micros(compile_model(fitted, Head(), 8))

    assert micros("logistic") < 25
    assert micros("forest", n_estimators=50) < micros("forest", n_estimators=100) < micros("forest", n_estimators=200)
    assert micros("forest", min_samples_leaf=50) < micros("forest", min_samples_leaf=1)


def test_the_count_depends_on_the_model_alone(make_rows, effort):
    model = compile_model(RECIPES["forest"].fit(BRIEF["forest"], make_rows(2), effort), Head(), 8)
    assert counted_micros(model) == counted_micros(model)


@pytest.mark.parametrize("name", ["forest", "extra_trees"])
def test_a_forest_is_counted_without_compiling_it(name, make_rows, effort):
    fitted = RECIPES[name].fit(BRIEF[name] | {"n_estimators": 80}, make_rows(2, n=1000), effort)
    model = compile_model(fitted, Head(), 8)
    cost = forest_cost(fitted.estimator)
    assert cost.micros == pytest.approx(counted_micros(model), rel=0.2)
    assert cost.size == pytest.approx(len(model), rel=0.2)
    assert forest_cost(RECIPES["logistic"].fit(BRIEF["logistic"], make_rows(2), effort).estimator) is None
