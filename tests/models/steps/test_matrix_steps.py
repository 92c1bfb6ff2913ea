"""Every preparation answers alike compiled and native, comes back from its file, and learns from its rows alone."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.quick import BRIEF
from understudy.core.errors import ModelError
from understudy.models.calibrate import Head
from understudy.models.catalogue import catalogue
from understudy.models.compile import compile_model, difference
from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.models.saved import load_member, save_fitted
from understudy.models.session import open_session, run_session
from understudy.models.steps import PREPARATIONS, Step, apply_steps, prepared, step_names
from understudy.models.steps.step import Name

EFFORT = Effort(seed=7, threads=1)
WORDS = 70
CODES = 60
CASES = [(name, k) for name in PREPARATIONS for k in (2, 0)]
CASES += [(name, 3) for name in ("curves+crosses", "means", "means+curves", "stable")]


@pytest.fixture(scope="module")
def wordy(make_rows):
    """The usual rows with more codes, and many words beside them."""

    def make(k, n=500, seed=0):
        rows = make_rows(k, n=n, seed=seed)
        rng = np.random.default_rng(seed + 100)
        topics = rng.random((n, 5)) < 0.2
        kinds = np.random.default_rng(5).random((5, WORDS))
        words = (topics @ kinds * (rng.random((n, WORDS)) < 0.3)).astype(np.float32)
        rows.X[:, 4] = np.where(rows.X[:, 4] > 2, rng.integers(3, CODES, n), rows.X[:, 4])
        return replace(rows, X=np.hstack([rows.X, words]), views=(*rows.views, *["word"] * WORDS))

    return make


def recipe_of(name, k):
    if name == "means":
        return "lightgbm", {"n_estimators": 30, "learning_rate": 0.1, "steps": name}
    return ("logistic", {"C": 1.0, "steps": name}) if k else ("ridge", {"alpha": 1.0, "steps": name})


def fitted_of(name, k, rows):
    recipe, params = recipe_of(name, k)
    return RECIPES[recipe].fit(params, rows, EFFORT)


class Both:
    """A member with a preparation, and its compiled form."""

    def __init__(self, name, k, rows):
        self.fitted = fitted_of(name, k, rows)
        self.session = open_session(compile_model(self.fitted, Head(), rows.X.shape[1]))

    def apart(self, X):
        native = self.fitted.raw(X)
        return difference(native, run_session(self.session, X), kind=self.fitted.kind, scale=self.fitted.scale)


@pytest.fixture(scope="module")
def both(request, wordy):
    name, k = request.param
    return Both(name, k, wordy(k))


each = pytest.mark.parametrize("both", CASES, indirect=True, ids=[f"{name}-{k}" for name, k in CASES])
ENCODED = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([0.0, -0.0, 1e6, -1e6]), st.floats(-3, 3, width=32))


@each
@settings(deadline=None, max_examples=10)
@given(
    X=arrays(np.float32, (4, 8 + WORDS), elements=ENCODED), codes=arrays(np.float32, 4, elements=st.integers(0, 255))
)
def test_compiled_and_native_agree_on_any_row(both, X, codes):
    X[:, 4] = codes
    assert both.apart(X).agrees, both.apart(X)


@each
def test_compiled_and_native_agree_on_ordinary_rows_and_on_the_knots_themselves(both, wordy):
    X = wordy(2, seed=3).X
    trained = wordy(both.fitted.n_classes).X
    just_above = np.nextafter(trained, np.float32(np.inf))
    just_above[:, 4] = trained[:, 4]  # codes are whole
    for rows in (X, trained, just_above, X[:1], np.zeros_like(X[:1])):
        assert both.apart(rows).agrees, both.apart(rows)


@pytest.mark.parametrize(("name", "k"), [case for case in CASES if case[0] != "plain"])
def test_a_preparation_comes_back_from_its_file_to_the_bit(name, k, wordy):
    fitted = fitted_of(name, k, wordy(k))
    back = load_member(save_fitted(fitted))
    X = wordy(2, seed=3).X
    assert fitted.steps
    assert (back.raw(X) == fitted.raw(X)).all()
    assert save_fitted(back)["member.json"] == save_fitted(fitted)["member.json"]


@pytest.mark.parametrize(("name", "k"), CASES)
def test_the_rows_after_a_preparation_have_a_view_a_name_and_a_finite_number_in_each_column(name, k, wordy):
    rows = wordy(k)
    rows = replace(rows, X_stop=rows.X[:50], y_stop=rows.y[:50])
    after, steps, _ = prepared(rows, name, EFFORT)
    far = rows.X.copy()
    far[::2] *= 1e5
    assert np.isfinite(apply_steps(steps, far)).all()
    assert after.X.shape[1] == len(after.views) == after.X_stop.shape[1]
    names = step_names(steps, [Name(f"x{place}") for place in range(rows.X.shape[1])])
    assert len(names) == len(after.views)
    if "means" not in name:
        np.testing.assert_array_equal(apply_steps(steps, rows.X), after.X)


@pytest.mark.parametrize(("name", "k"), CASES)
def test_the_rows_to_stop_on_and_their_answers_teach_a_preparation_nothing(name, k, wordy):
    rows = wordy(k)
    one = replace(rows, X_stop=rows.X[:50], y_stop=rows.y[:50])
    other = replace(rows, X_stop=rows.X[50:100] + 5, y_stop=rows.y[:50][::-1])
    steps = [prepared(each, name, EFFORT)[1] for each in (one, other)]
    assert as_text(steps[0]) == as_text(steps[1])


@pytest.mark.parametrize("name", PREPARATIONS)
def test_the_same_seed_gives_the_same_steps(name, wordy):
    texts = {as_text(prepared(wordy(2), name, EFFORT)[1]) for _ in range(2)}
    assert len(texts) == 1


def as_text(steps: tuple[Step, ...]) -> bytes:
    return msgspec.json.encode(steps, enc_hook=np.ndarray.tolist)


@pytest.mark.parametrize("name", PREPARATIONS)
def test_columns_that_never_vary_and_very_few_rows_are_taken(name):
    rng = np.random.default_rng(0)
    views = ["number", "number", "flag", "code", "level", "word"]
    X = np.zeros((6, 6), dtype=np.float32)
    X[:, 1] = rng.normal(size=6)
    rows = Rows("classification", 2, X, np.array([0, 1, 0, 1, 1, 0]), views)
    after, steps, _ = prepared(rows, name, EFFORT)
    assert np.isfinite(after.X).all()
    assert np.isfinite(apply_steps(steps, X[:1])).all()


def test_an_unknown_preparation_is_refused_by_name(make_rows):
    with pytest.raises(ModelError, match=r"no preparation 'curve'[\s\S]*plain, curves"):
        RECIPES["ridge"].fit({"alpha": 1.0, "steps": "curve"}, make_rows(0), EFFORT)


@pytest.mark.parametrize(("name", "k"), [(name, k) for name in ("curves", "bins", "curves+crosses") for k in (2, 0)])
def test_a_known_direction_holds_after_a_preparation(name, k, make_rows):
    rows = make_rows(k, n=1000)
    directed = replace(rows, monotone=-np.eye(8, dtype=np.int64)[0])  # against what the data says
    recipe, params = recipe_of(name, k)
    fitted = RECIPES[recipe].fit(params, directed, EFFORT)
    line = np.repeat(rows.X[:20], 50, axis=0)
    line[:, 0] = np.tile(np.linspace(-4, 4, 50), 20)
    said = fitted.raw(line)[:, -1].reshape(20, 50)
    assert np.diff(said, axis=1).max() <= 1e-12
    free = RECIPES[recipe].fit(params, rows, EFFORT).raw(line)[:, -1].reshape(20, 50)
    assert np.diff(free, axis=1).max() > 1e-3


@pytest.mark.parametrize("name", ["whitened", "topics"])
def test_a_mixture_leaves_a_column_with_a_direction_as_it_is(name, wordy):
    rows = replace(wordy(2), monotone=np.eye(8 + WORDS, dtype=np.int64)[0])
    after, steps, _ = prepared(rows, name, EFFORT)
    assert steps
    assert after.monotone.tolist().count(1) == 1
    np.testing.assert_array_equal(after.X[:, after.monotone == 1][:, 0], rows.X[:, 0])


DRAWN = [
    (entry.name, choice, kind)
    for entry in catalogue()
    if "steps" in entry.space and entry.installed
    for choice in entry.space["steps"].choices
    for kind in entry.kinds
]


@pytest.mark.parametrize(("recipe", "name", "kind"), DRAWN)
def test_every_preparation_that_a_recipe_may_draw_can_be_served(recipe, name, kind, wordy):
    rows = wordy(0 if kind == "regression" else 2, n=300)
    params = {**BRIEF[recipe], "steps": name}
    fitted = RECIPES[recipe].fit(params, rows, EFFORT)
    session = open_session(compile_model(fitted, Head(), rows.X.shape[1]))
    new = wordy(2, n=100, seed=1).X
    assert difference(fitted.raw(new), run_session(session, new), kind=kind, scale=fitted.scale).agrees
