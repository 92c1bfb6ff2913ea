"""A blend is the weighted mean of its members."""

from dataclasses import replace

import numpy as np
import pytest

from models.quick import BRIEF
from understudy.models.blend import Blend, alone, blend_title
from understudy.models.recipes import RECIPES


@pytest.fixture(scope="module")
def members(make_rows, effort):
    return tuple(RECIPES[name].fit(BRIEF[name], make_rows(3), effort) for name in ("lightgbm", "logistic", "forest"))


def test_it_says_the_weighted_mean(members, make_rows):
    X = make_rows(3).X
    weights = np.array([0.5, 0.3, 0.2])
    expected = sum(weight * member.raw(X) for weight, member in zip(weights, members, strict=True))
    said = Blend(members, weights).raw(X)
    assert said.shape == (400, 3)
    np.testing.assert_allclose(said, expected)
    np.testing.assert_allclose(said.sum(axis=1), 1)


def test_one_member_alone_says_what_it_says(members, make_rows):
    X = make_rows(3).X
    assert (alone(members[0]).raw(X) == members[0].raw(X)).all()


def test_its_title_names_the_recipes_the_heaviest_first(members):
    assert blend_title(alone(members[1])) == RECIPES["logistic"].title
    title = blend_title(Blend((*members, members[1]), np.array([0.35, 0.3, 0.2, 0.15])))
    assert blend_title(Blend((members[0], members[0]), np.full(2, 0.5))) == "Blend of 2 × LightGBM"
    names = [RECIPES[name].title for name in ("logistic", "lightgbm", "forest")]
    assert title == f"Blend of {names[0]} 0.45, {names[1]} 0.35, {names[2]} 0.2"


@pytest.mark.parametrize("weights", [[0.5], [0.7, 0.7], [1.0, 0.0], [1.5, -0.5]])
def test_weights_that_are_none_are_refused(weights, members):
    with pytest.raises(ValueError, match="weights"):
        Blend(members[:2], np.array(weights))


def test_no_members_and_members_of_two_kinds_are_refused(members):
    with pytest.raises(ValueError, match="0 members"):
        Blend((), np.zeros(0))
    with pytest.raises(ValueError, match="of one kind"):
        Blend((members[0], replace(members[1], n_classes=2)), np.full(2, 0.5))
