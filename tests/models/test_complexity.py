"""Every dial turns a setting that its recipe has, and a turned model fits."""

import numpy as np
import pytest

from understudy.models.complexity import DIALS, Dial, dials
from understudy.models.recipes import RECIPES, Effort, Rows

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3)).astype(np.float32)
ROWS = {
    "classification": Rows("classification", 2, X, (X[:, 0] > 0).astype(int), ["number"] * 3),
    "regression": Rows("regression", 0, X, X[:, 0].astype(float), ["number"] * 3),
}
BUILT_IN = [name for name in DIALS if not RECIPES[name].extra]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_turned_model_fits(name):
    recipe = RECIPES[name]
    kind = min(recipe.kinds)
    params = {**recipe.known(kind)[0], **({"n_estimators": 5} if "n_estimators" in recipe.known(kind)[0] else {})}
    found = dials(name, params)
    assert found
    for dial in found:
        for value in dial.around(params[dial.parameter]):
            assert np.isfinite(recipe.fit({**params, dial.parameter: value}, ROWS[kind], Effort(0, 1)).raw(X)).all()


@pytest.mark.parametrize("name", DIALS)
def test_every_dial_is_a_setting_of_its_recipe(name):
    assert all(dial.parameter in RECIPES[name].portfolio[0] for dial in DIALS[name])


@pytest.mark.parametrize(
    ("dial", "chosen", "values"),
    [
        (Dial("leaves", "leaves"), 1, (1, 2, 4)),
        (Dial("depth", "depth", step=1, added=True), 2, (1, 2, 3, 4)),
        (Dial("C", "C", whole=False, least=0.0, step=10.0), 1.0, (0.01, 0.1, 1.0, 10.0, 100.0)),
        (Dial("strength", "s", whole=False, most=1.0, least=0, step=4), 0.5, (0.03125, 0.125, 0.5)),
    ],
)
def test_values_around_the_chosen_one(dial, chosen, values):
    assert dial.around(chosen) == pytest.approx(values)


def test_settings_that_are_no_numbers_have_no_dial():
    assert dials("tree", {"leaves": None}) == ()
    assert dials("unheard-of", {"leaves": 3}) == ()
