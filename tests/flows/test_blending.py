"""The blend that serves: fitted on all rows, and no dearer than it may be."""

import itertools

import numpy as np
import pytest

from understudy.flows import blending
from understudy.flows.blending import Judge, limits_of, settle
from understudy.models.calibrate import Head
from understudy.models.compile import compile_model
from understudy.models.limits import MICROS, Cost, counted_micros
from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.models.search import Budget, Found, Race, Replay, Trial

SETTINGS = {
    "logistic": {"C": 1.0},
    "tree": RECIPES["tree"].portfolio[0],
    "lightgbm": RECIPES["lightgbm"].portfolio[0] | {"n_estimators": 30},
    "forest": {"n_estimators": 60, "min_samples_leaf": 1, "max_features": 0.5},
}
WEIGHTS = {0: 0.3, 1: 0.1, 2: 0.25, 3: 0.35}


@pytest.fixture(scope="module")
def learned():
    """Rows of two classes, and four unlike trials with what they say out of fold."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 4)).astype(np.float32)
    odds = 2 * X[:, 0] - X[:, 1] ** 2 + X[:, 2] * X[:, 3]
    y = (rng.random(900) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    rows = Rows("classification", 2, X, y, ["number"] * 4)
    half = Rows("classification", 2, X[:450], y[:450], ["number"] * 4)
    trials, stack = [], {}
    for number, (recipe, params) in enumerate(SETTINGS.items()):
        trials.append(
            Trial(number=number, recipe=recipe, params=params, stage="portfolio", state="complete", score=0.5)
        )
        stack[number] = np.full((900, 2), np.nan)
        stack[number][450:] = RECIPES[recipe].fit(params, half, Effort(0, 1)).raw(X[450:])
    return rows, Found(trials[0], tuple(trials), stack[0], stack, WEIGHTS)


def race_of(**more):
    ticks = itertools.count()
    return Race(Budget(trials=4), Effort(0, 1), lambda: next(ticks) * 20e-6, **more)


def settle_on(learned, race):
    rows, found = learned
    return settle(found, rows, Judge(rows.y, None), race)


def recipes(settled):
    return [member.recipe for member in settled.blend.members]


def test_every_member_with_a_weight_is_fitted_on_all_rows_the_heaviest_first(learned):
    settled = settle_on(learned, race_of())
    assert settled.weights == WEIGHTS
    assert recipes(settled) == ["forest", "logistic", "lightgbm", "tree"]
    assert settled.blend.weights.tolist() == [0.35, 0.3, 0.25, 0.1]
    assert settled.note == ""
    alone = RECIPES["logistic"].fit(SETTINGS["logistic"], learned[0], Effort(0, 1))
    assert (settled.blend.members[1].raw(learned[0].X) == alone.raw(learned[0].X)).all()


def test_the_same_search_settles_on_the_same_blend_however_fast_the_machine_is(learned, monkeypatch):
    monkeypatch.setattr(blending, "measured_micros", pytest.fail)
    first, second = settle_on(learned, race_of()), settle_on(learned, race_of())
    assert first.weights == second.weights


def test_a_usual_limit_drops_what_is_dear_and_says_so(learned, monkeypatch):
    monkeypatch.setattr(blending, "forest_cost", lambda _: Cost(2.0 * MICROS, 0))
    settled = settle_on(learned, race_of())
    assert "forest" not in recipes(settled)
    assert sum(settled.weights.values()) == pytest.approx(1)
    assert settled.note.startswith("Blend of Random forest 0.35, ")
    assert "would take" in settled.note


def test_a_single_member_is_not_weighed_against_the_usual_limit(learned, monkeypatch):
    rows, found = learned
    monkeypatch.setattr(blending, "compile_model", pytest.fail)
    one = Found(found.best, found.trials, found.oof, found.stack, {3: 1.0})
    assert recipes(settle(one, rows, Judge(rows.y, None), race_of(single=True))) == ["forest"]


def test_a_limit_on_size_is_kept(learned):
    settled = settle_on(learned, race_of(max_size=60_000))
    assert "forest" not in recipes(settled)
    assert len(compile_model(settled.blend, Head(), 4)) <= 60_000


def test_where_no_member_keeps_a_limit_another_recipe_is_taken(learned):
    rows, found = learned
    heavy = Found(found.best, found.trials, found.oof, found.stack, {3: 1.0})
    settled = settle(heavy, rows, Judge(rows.y, None), race_of(max_size=8_000))
    assert not {"forest", "lightgbm"} & set(recipes(settled))
    assert "Random forest would take" in settled.note
    assert len(compile_model(settled.blend, Head(), 4)) <= 8_000


def test_where_nothing_keeps_it_the_lightest_is_taken_and_the_note_says_so(learned):
    settled = settle_on(learned, race_of(max_size=10))
    assert len(settled.weights) == 1
    assert recipes(settled)[0] in {"logistic", "tree"}
    assert "more than it may; nothing takes less" in settled.note


def test_a_limit_in_time_is_measured_on_this_machine(learned):
    """By the clock of the race, on which every look takes 20 µs."""
    assert limits_of(race_of(max_latency=0.5)).micros == 500
    assert settle_on(learned, race_of(max_latency=0.5)).weights == WEIGHTS
    slow = settle_on(learned, race_of(max_latency=0.045))  # two members of 20 µs, the call paid once
    assert len(slow.weights) == 2


def test_a_replay_brings_its_weights(learned, monkeypatch):
    monkeypatch.setattr(blending, "compile_model", pytest.fail)
    replay = Replay(trials=learned[1].trials, weights=WEIGHTS)
    assert settle_on(learned, race_of(max_latency=1e-9, replay=replay)).weights == WEIGHTS


def test_a_member_that_cannot_be_compiled_gives_way_to_those_that_can(learned, monkeypatch):
    def refuse(fitted, head, width):
        if fitted.recipe == "logistic":
            raise blending.ModelError("no operator for this part")
        return compile_model(fitted, head, width)

    monkeypatch.setattr(blending, "compile_model", refuse)
    assert "logistic" not in recipes(settle_on(learned, race_of()))


def test_small_members_are_counted_as_far_below_the_usual_limit(learned):
    rows, _ = learned
    for recipe, params in SETTINGS.items():
        model = compile_model(RECIPES[recipe].fit(params, rows, Effort(0, 1)), Head(), 4)
        assert counted_micros(model) < 60
