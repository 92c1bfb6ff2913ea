"""Settings are drawn from what was tried, alike for the same past, or walked through on a grid."""

import numpy as np
import pytest

from understudy.models.recipes import RECIPES, Estimate, Recipe
from understudy.models.search.draws import Past, as_drawn, draw


def space(trial):
    kind = trial.suggest_categorical("kind", ["flat", "steep"])
    slope = trial.suggest_float("slope", 0.1, 10.0, log=True) if kind == "steep" else 0.0
    return {"kind": kind, "slope": slope, "rounds": 100}


def straight(trial):
    return {"p": trial.suggest_float("p", 0.0, 1.0), "k": trial.suggest_int("k", 1, 9)}


def recipe(space):
    return Recipe(
        name="one",
        title="One",
        kinds=frozenset({"classification"}),
        views=frozenset({"number"}),
        portfolio=({},),
        space=space,
        fit_part=lambda *_: Estimate(None),
    )


def test_the_same_past_gives_the_same_draw_and_another_seed_another():
    past = [Past({"p": 0.1 * i, "k": 1 + i}, loss=1.0 - 0.1 * i) for i in range(6)]
    first, again, other = (draw(recipe(straight), past, "portfolio+tpe", seed) for seed in (1, 1, 2))
    assert first == again != other
    assert draw(recipe(straight), past[:5], "portfolio+tpe", 1) != first


def test_the_estimator_goes_where_the_loss_is_low():
    rng = np.random.default_rng(0)
    tried = [(float(p), int(k)) for p, k in zip(rng.random(40), rng.integers(1, 10, 40), strict=True)]
    past = [Past({"p": p, "k": k}, loss=(p - 0.8) ** 2) for p, k in tried]
    drawn = [draw(recipe(straight), past, "portfolio+tpe", seed)[0]["p"] for seed in range(12)]
    blind = [draw(recipe(straight), past, "random", seed)[0]["p"] for seed in range(12)]
    assert np.mean(np.abs(np.array(drawn) - 0.8)) < 0.7 * np.mean(np.abs(np.array(blind) - 0.8))


def test_trials_that_run_or_failed_or_were_not_drawn_do_no_harm():
    past = [Past({"p": 0.5, "k": 2}, None), Past({"p": 0.6, "k": 2}, None, running=True), Past({}, 0.3)]
    params, numbers = draw(recipe(straight), past, "portfolio+tpe", 0)
    assert params == numbers
    assert 0 <= params["p"] <= 1


def test_a_grid_is_walked_to_its_end_without_a_repeat():
    past, seen = [], []
    while (found := draw(recipe(straight), past, "grid", 7)) is not None:
        params, numbers = found
        seen.append((params["p"], params["k"]))
        past.append(Past(numbers, 1.0))
    assert len(seen) == len(set(seen)) == 9
    assert {p for p, _ in seen} == {0.166666666667, 0.5, 0.833333333333}


def test_a_grid_copes_with_settings_that_depend_on_others():
    past = []
    while (found := draw(recipe(space), past, "grid", 7)) is not None and len(past) < 50:
        assert found[0] == space_of(found[1])
        past.append(Past(found[1], 1.0))
    assert {one.drawn["kind"] for one in past} == {"flat", "steep"}


def space_of(numbers):
    return {"kind": numbers["kind"], "slope": numbers.get("slope", 0.0), "rounds": 100}


def test_a_known_setting_teaches_the_estimator_where_the_space_holds_it():
    assert as_drawn(recipe(straight), {"p": 0.5, "k": 3}) == {"p": 0.5, "k": 3}
    assert as_drawn(recipe(straight), {"p": 1.5, "k": 3}) == {}
    assert as_drawn(recipe(straight), {"p": 0.5, "k": 3, "more": 1}) == {}
    assert as_drawn(recipe(straight), {"p": 0.5}) == {}
    assert as_drawn(recipe(space), {"kind": "flat", "slope": 0.0, "rounds": 100}) == {"kind": "flat"}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("strategy", ["portfolio+tpe", "random", "grid"])
def test_every_recipe_can_be_drawn_again_from_its_own_draws(name, strategy):
    one = RECIPES[name]
    past = []
    for _ in range(3):
        found = draw(one, past, strategy, 3)
        if found is None:
            assert strategy == "grid"
            break
        params, numbers = found
        assert as_drawn(one, params | numbers) in (numbers, {})
        past.append(Past(numbers, 1.0))
