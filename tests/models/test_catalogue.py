"""The catalogue says of every recipe what it is for, what it costs, and what may be set."""

import msgspec
import pytest

from understudy.models.catalogue import Entry, catalogue
from understudy.models.recipes import RECIPES
from understudy.models.steps import PREPARATIONS

FAMILIES = {"linear", "rules", "tree", "bayes", "neighbours", "kernels", "forests", "boosting", "network"}


@pytest.mark.parametrize("entry", catalogue(), ids=RECIPES)
def test_every_recipe_says_what_it_is_for_and_what_it_costs(entry):
    traits = entry.traits
    assert traits.family in FAMILIES
    assert traits.about.endswith(".")
    assert traits.seconds > 0
    assert traits.micros > 0
    assert traits.most is None or traits.most > traits.fewest
    assert entry.portfolio
    assert set(entry.space) <= set(entry.portfolio[0])
    assert all(drawn.choices or drawn.low < drawn.high for drawn in entry.space.values())
    assert entry.onnx or traits.native


def test_what_the_portfolio_sets_lies_within_what_may_be_drawn():
    for entry in catalogue():
        for params in (*entry.portfolio, *entry.portfolio_numbers):
            for name, drawn in entry.space.items():
                within = params[name] in drawn.choices if drawn.choices else drawn.low <= params[name] <= drawn.high
                assert within, (entry.name, name)


def test_it_survives_json():
    text = msgspec.json.encode(catalogue())
    assert msgspec.json.decode(text, type=tuple[Entry, ...]) == catalogue()


def test_those_that_are_raced_come_first_and_are_of_unlike_families():
    raced = [entry for entry in catalogue() if entry.raced]
    assert [entry.name for entry in raced] == [entry.name for entry in catalogue()][: len(raced)]
    assert {entry.traits.family for entry in raced if not entry.extra} == {"boosting", "linear", "forests", "network"}


def test_the_steps_that_a_recipe_may_draw_are_preparations():
    for entry in catalogue():
        if "steps" in entry.space:
            assert set(entry.space["steps"].choices) <= set(PREPARATIONS)
        assert all(params.get("steps", "plain") in PREPARATIONS for params in entry.portfolio)
