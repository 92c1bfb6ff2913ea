"""The catalogue says of every recipe what it is for, what it costs, and what may be set."""

import msgspec
import pytest

from understudy.models.catalogue import Entry, catalogue
from understudy.models.recipes import RECIPES

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
        for params in entry.portfolio:
            for name, drawn in entry.space.items():
                assert drawn.low <= params[name] <= drawn.high, (entry.name, name)


def test_it_survives_json():
    text = msgspec.json.encode(catalogue())
    assert msgspec.json.decode(text, type=tuple[Entry, ...]) == catalogue()


def test_those_that_are_raced_need_no_extra():
    assert [entry.name for entry in catalogue() if entry.raced] == ["lightgbm", "logistic", "ridge", "forest"]
    assert not any(entry.extra for entry in catalogue() if entry.raced)
