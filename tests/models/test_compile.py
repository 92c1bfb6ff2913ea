"""The compiled model says what the original says, on ordinary rows and on dirty ones."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.quick import BOOSTED, BRIEF, CLASSIFIERS, ESTIMATORS, MEMBERS, QUICK
from understudy.core.errors import ModelError
from understudy.models import compile as compiling
from understudy.models.blend import Blend, alone
from understudy.models.calibrate import Head, apply_head, fit_number_head, fit_probability_head
from understudy.models.calibration_choice import FITS
from understudy.models.compile import Difference, compile_model, difference
from understudy.models.ensemble import rounded_down
from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.models.session import open_session, run_session


class Both:
    """A fitted member and its compiled form."""

    def __init__(self, name, rows, head=None, params=None):
        effort = Effort(seed=7, threads=1)
        self.fitted = RECIPES[name].fit(params or QUICK[name], rows, effort)
        fit_head = fit_probability_head if rows.n_classes else fit_number_head
        self.head = head or fit_head(self.fitted.raw(rows.X), rows.y)
        self.model = compile_model(self.fitted, self.head, rows.X.shape[1])
        self.session = open_session(self.model)

    def native(self, X):
        return apply_head(self.head, self.fitted.raw(X))

    def compiled(self, X):
        return run_session(self.session, X)

    def apart(self, X):
        return difference(self.native(X), self.compiled(X), kind=self.fitted.kind, scale=self.fitted.scale)


@pytest.fixture(scope="module")
def member(request, make_rows):
    name, k = request.param
    return Both(name, make_rows(k, n=1000))


every_member = pytest.mark.parametrize("member", MEMBERS, indirect=True, ids=[f"{name}-{k}" for name, k in MEMBERS])


def dirty(X):
    """Each feature in turn at 0, at the bounds of the encoding, and as small as can be; codes seen and unseen."""
    rows = []
    for column in range(X.shape[1]):
        values = [0, 1, 7, 200, 255] if column == 4 else [0.0, -0.0, 1e6, -1e6, 1e-38, -1e-38, 1e-45, 0.5]
        for value in values:
            row = X[column].copy()
            row[column] = value
            rows.append(row)
    return np.array(rows, dtype=np.float32)


@every_member
def test_compiled_and_original_agree_on_ordinary_and_dirty_rows(member, make_rows):
    X = make_rows(2, n=1000, seed=3).X
    for rows in (X, dirty(X), np.zeros((1, 8), dtype=np.float32)):
        assert member.apart(rows).agrees, member.apart(rows)


ENCODED = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([0.0, 1.0, 1e6, -1e6]), st.floats(-3, 3, width=32))


@every_member
@settings(deadline=None, max_examples=25)
@given(X=arrays(np.float32, (5, 8), elements=ENCODED), codes=arrays(np.float32, 5, elements=st.integers(0, 255)))
def test_compiled_and_original_agree_on_any_row(member, X, codes):
    X[:, 4] = codes
    assert member.apart(X).agrees, member.apart(X)


@every_member
def test_a_batch_gives_the_same_as_row_by_row(member, make_rows):
    X = make_rows(2, n=50, seed=4).X
    one_by_one = np.vstack([member.compiled(X[index : index + 1]) for index in range(50)])
    np.testing.assert_allclose(member.compiled(X), one_by_one, rtol=1e-6, atol=1e-7)


@every_member
def test_the_model_is_plain_onnx_with_one_input_and_one_output(member):
    model = onnx.load_model_from_string(member.model)
    onnx.checker.check_model(model, full_check=True)
    classes = member.fitted.n_classes
    assert [(item.name, item.shape[1:]) for item in member.session.get_inputs()] == [("X", [8])]
    assert [(item.name, item.shape[1:], item.type) for item in member.session.get_outputs()] == [
        ("probabilities", [classes], "tensor(float)") if classes else ("value", [1], "tensor(double)")
    ]
    assert {opset.domain: opset.version for opset in model.opset_import} == {"": 18, "ai.onnx.ml": 3}


@every_member
def test_the_same_member_compiles_to_the_same_bytes(member):
    assert compile_model(member.fitted, member.head, 8) == member.model


@pytest.mark.parametrize("name", ["forest", "tree", *BOOSTED])
def test_rows_that_stand_on_a_threshold_take_the_same_branch(name, make_rows):
    """A threshold midway between two float32 numbers rounds up for half of them, and would move the row."""
    rows = make_rows(0, n=1000)
    both = Both(name, rows)
    attributes = {a.name: a for node in onnx.load_model_from_string(both.model).graph.node for a in node.attribute}
    thresholds = np.array(attributes["nodes_values"].floats, dtype=np.float32)
    features = both.fitted.columns[np.array(attributes["nodes_featureids"].ints)]
    on_edge = [
        (f, t)
        for f, t, mode in zip(features, thresholds, attributes["nodes_modes"].strings, strict=True)
        if mode == b"BRANCH_LEQ"
    ]
    near = []
    for feature, threshold in on_edge[:400]:
        for value in (
            threshold,
            np.nextafter(threshold, np.float32(np.inf)),
            np.nextafter(threshold, -np.float32(np.inf)),
        ):
            row = rows.X[len(near) % 1000].copy()
            row[feature] = value
            near.append(row)
    assert len(near) >= (15 if name == "tree" else 300)
    assert both.apart(np.array(near)).agrees


def test_neighbouring_float32_numbers_are_told_apart():
    """The threshold between x and its successor is their mean, which float32 cannot hold."""
    above = np.float32(2000)
    first = np.float32(1000.1)
    second = np.nextafter(first, above)
    steps = np.array([first, second, np.nextafter(second, above)])
    X = np.repeat(steps, 40)[:, None].astype(np.float32)
    y = np.repeat([0.0, 1.0, 5.0], 40)
    forest = {"n_estimators": 10, "min_samples_leaf": 1, "max_features": 1.0}
    both = Both("forest", Rows("regression", 0, X, y, ["number"]), params=forest)
    assert np.ptp(both.compiled(X)) > 4
    assert both.apart(X).agrees


@settings(deadline=None)
@given(t=st.floats(allow_nan=False, allow_infinity=False), x=st.floats(width=32, allow_nan=False))
def test_a_rounded_threshold_decides_as_the_exact_one(t, x):
    down = rounded_down(np.array([t]))
    assert down.dtype == np.float32
    assert (np.float32(x) <= down[0]) == (x <= t)
    assert rounded_down(down.astype(np.float64)) == down


def test_many_codes_with_unseen_ones_agree():
    rng = np.random.default_rng(0)
    n = 5000
    X = np.column_stack([rng.integers(2, 256, n), rng.normal(size=n)]).astype(np.float32)
    y = rng.normal(size=256)[X[:, 0].astype(int)] + 0.3 * X[:, 1]
    both = Both("lightgbm", Rows("regression", 0, X, y, ["code", "number"]))
    codes = np.column_stack([np.arange(256), np.zeros(256)]).astype(np.float32)
    assert both.apart(codes).agrees
    assert len(np.unique(both.compiled(codes)[2:])) > 20


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_class_without_training_rows_agrees(name, make_rows):
    rows = make_rows(3)
    seen = rows.y != 1
    both = Both(name, replace(rows, X=rows.X[seen], y=rows.y[seen]))
    assert both.apart(rows.X).agrees


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_fifty_classes_agree(name, make_rows):
    rows = make_rows(50, n=1000)
    assert Both(name, rows, params=BRIEF[name]).apart(rows.X).agrees


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_number_far_from_zero_keeps_its_digits(name, make_rows):
    rows = make_rows(0)
    both = Both(name, replace(rows, y=rows.y + 1e9))
    apart = np.abs(both.native(rows.X) - both.compiled(rows.X)).max()
    assert apart <= 1e-5 * both.fitted.scale


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "catboost"])  # it refuses a constant
def test_a_constant_number_compiles(name, make_rows):
    rows = replace(make_rows(0), y=np.full(400, 42.0))
    np.testing.assert_allclose(Both(name, rows).compiled(rows.X[:3]), 42.0, atol=0.5 if name == "network" else 1e-6)


def test_a_boosting_without_a_split_compiles(make_rows):
    rows = make_rows(3)
    both = Both("lightgbm", replace(rows, X=np.zeros_like(rows.X)))
    assert both.apart(rows.X).agrees


def test_large_weights_that_cancel_agree():
    rng = np.random.default_rng(1)
    x = rng.normal(size=500).astype(np.float32)
    X = np.column_stack([x, x + 1e-3 * rng.normal(size=500)]).astype(np.float32)
    y = (X[:, 1] > X[:, 0]).astype(np.int64)
    both = Both("logistic", Rows("classification", 2, X, y, ["number"] * 2), params={"C": 1e6})
    assert np.abs(both.fitted.estimator.coef_).max() > 100
    assert both.apart(X).agrees
    assert both.apart(1e5 * X).agrees


def test_a_head_that_leaves_probabilities_alone_compiles(make_rows):
    rows = make_rows(2)
    assert Both("lightgbm", rows, head=Head()).apart(rows.X).agrees


@pytest.mark.parametrize("slope", [0.2, 7.0])
def test_a_steep_and_a_flat_head_agree(slope, make_rows):
    rows = make_rows(3)
    assert Both("lightgbm", rows, head=Head(slope=slope, bias=(1.0, -2.0, 1.0))).apart(rows.X).agrees


UNLIKE = {
    2: ["lightgbm", "logistic", "forest", "bayes", "neighbours", "network"],
    3: ["lightgbm", "logistic", "forest", "bayes", "svm", "tree"],
    0: ["lightgbm", "ridge", "forest", "network", "neighbours", "tree"],
}
CURVES = {
    k: tuple(tuple(-17.0 + 34 * np.linspace(0, 1, 9 + place) ** (1 + 0.1 * place)) for place in range(k))
    for k in (2, 3)
}
HEADS = {
    "none": lambda k: Head(),
    "platt": lambda k: Head(slope=1.3, bias=tuple(np.linspace(-0.5, 0.5, k))),
    "curves": lambda k: Head(
        knots=CURVES[k], levels=tuple(tuple(np.linspace(0.001, 0.99, len(knots)) ** 2) for knots in CURVES[k])
    ),
}


class BlendBoth(Both):
    """A blend of unlike members and its compiled form."""

    def __init__(self, rows, head):
        members = [RECIPES[name].fit(BRIEF[name], rows, Effort(7, 1)) for name in UNLIKE[rows.n_classes]]
        weights = np.arange(1.0, len(members) + 1)
        self.fitted = Blend(tuple(members), weights / weights.sum())
        self.head = head
        self.model = compile_model(self.fitted, head, rows.X.shape[1])
        self.session = open_session(self.model)


@pytest.fixture(scope="module")
def mixed(request, make_rows):
    k, head = request.param
    rows = make_rows(k, n=600)
    if k == 3:  # a class without a training row
        rows = replace(rows, X=rows.X[rows.y != 1], y=rows.y[rows.y != 1])
    return BlendBoth(rows, HEADS[head](k) if k else Head())


every_blend = pytest.mark.parametrize(
    "mixed", [(2, "none"), (2, "platt"), (2, "curves"), (3, "platt"), (3, "curves"), (0, "")], indirect=True
)


@every_blend
def test_a_blend_of_unlike_members_agrees_on_ordinary_and_dirty_rows(mixed, make_rows):
    X = make_rows(2, n=1000, seed=3).X
    for rows in (X, dirty(X), np.zeros((1, 8), dtype=np.float32)):
        assert mixed.apart(rows).agrees, mixed.apart(rows)
    assert np.ptp(mixed.compiled(X), axis=0).max() > 0.1


@every_blend
@settings(deadline=None, max_examples=25)
@given(X=arrays(np.float32, (5, 8), elements=ENCODED), codes=arrays(np.float32, 5, elements=st.integers(0, 255)))
def test_a_blend_of_unlike_members_agrees_on_any_row(mixed, X, codes):
    X[:, 4] = codes
    assert mixed.apart(X).agrees, mixed.apart(X)


@pytest.mark.parametrize(("k", "method"), [(2, "isotonic"), (2, "venn-abers"), (3, "isotonic"), (3, "venn-abers")])
def test_a_fitted_curve_agrees(k, method, make_rows):
    rows, fresh = make_rows(k, n=1500), make_rows(k, n=1500, seed=5)
    member = RECIPES["logistic"].fit(QUICK["logistic"], rows, Effort(7, 1))
    both = Both("logistic", rows, head=FITS[method](member.raw(fresh.X), fresh.y, None))
    assert both.head.method == method
    assert both.apart(fresh.X).agrees
    assert both.apart(dirty(fresh.X)).agrees


def test_a_member_counts_as_much_as_its_weight(make_rows):
    rows = make_rows(2)
    one, other = (RECIPES[name].fit(BRIEF[name], rows, Effort(7, 1)) for name in ("logistic", "forest"))
    for share in (0.1, 0.9):
        blend = Blend((one, other), np.array([share, 1 - share]))
        said = run_session(open_session(compile_model(blend, Head(), 8)), rows.X)
        np.testing.assert_allclose(said, share * one.raw(rows.X) + (1 - share) * other.raw(rows.X), atol=1e-6)


def test_a_blend_of_one_member_compiles_to_the_member(make_rows):
    both = Both("forest", make_rows(2))
    assert compile_model(alone(both.fitted), both.head, 8) == both.model


def test_a_member_without_a_compiled_form_is_refused(make_rows):
    fitted = replace(Both("ridge", make_rows(0)).fitted, recipe="spline")
    with pytest.raises(ModelError, match="'spline' has no compiled form"):
        compile_model(fitted, Head(), 8)


def test_a_model_too_large_to_serve_is_refused(make_rows, monkeypatch):
    both = Both("forest", make_rows(2))
    monkeypatch.setattr(compiling, "LARGEST_MODEL", 1000)
    with pytest.raises(ModelError, match="would have"):
        compile_model(both.fitted, both.head, 8)


def test_probabilities_are_compared_absolutely_and_numbers_by_their_spread():
    a, b = np.array([[1.0], [2e6]]), np.array([[1.5], [2e6 + 10]])
    assert difference(a, b, kind="classification") == Difference(largest=10.0, rows=2)
    assert difference(a, b, kind="regression", scale=100.0).largest == pytest.approx(0.005)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_scores_that_are_no_numbers_never_agree(odd):
    assert not difference(np.array([[0.5]]), np.array([[odd]]), kind="classification").agrees


def test_one_part_in_a_hundred_thousand_is_agreement_and_more_is_not():
    assert Difference(largest=1e-5, rows=1).agrees
    assert not Difference(largest=1.1e-5, rows=1).agrees
