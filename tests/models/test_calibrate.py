"""The head makes probabilities and intervals mean what they say."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.models.calibrate import (
    FEWEST_PER_BIN,
    Head,
    apply_head,
    bin_edges,
    fit_number_head,
    fit_probability_head,
    intervals,
    softmax,
    within,
)


def log_loss(p, y):
    return -np.mean(np.log(p[np.arange(len(y)), y]))


def binary(rng, n, sharpen=1.0, shift=0.0):
    """True log odds, labels drawn from them, and probabilities that distort them."""
    odds = 1.5 * rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    said = 1 / (1 + np.exp(-(sharpen * odds + shift)))
    return np.column_stack([1 - said, said]), y


@pytest.mark.parametrize(("sharpen", "shift"), [(3.0, 0.0), (0.4, 0.0), (1.0, 1.5), (2.5, -1.0)])
def test_distorted_probabilities_are_mended(sharpen, shift):
    rng = np.random.default_rng(0)
    raw, y = binary(rng, 4000, sharpen, shift)
    fresh, truth = binary(rng, 4000, sharpen, shift)
    honest, _ = binary(np.random.default_rng(0), 4000)
    mended = apply_head(fit_probability_head(raw, y), fresh)
    assert log_loss(mended, truth) < log_loss(fresh, truth) - 0.02
    assert log_loss(apply_head(fit_probability_head(raw, y), raw), y) < log_loss(honest, y) + 0.002


def test_many_classes_are_mended_class_by_class():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(6000, 4))
    truth = softmax(scores)
    y = (truth.cumsum(axis=1) > rng.random((6000, 1))).argmax(axis=1)
    raw = softmax(2.5 * scores + np.array([1.0, 0.0, -1.0, 0.5]))
    head = fit_probability_head(raw[:3000], y[:3000])
    assert head.slope == pytest.approx(0.4, abs=0.03)
    assert log_loss(apply_head(head, raw[3000:]), y[3000:]) < log_loss(truth[3000:], y[3000:]) + 0.005


def test_calibrated_probabilities_are_left_nearly_as_they_are():
    raw, y = binary(np.random.default_rng(2), 5000)
    head = fit_probability_head(raw, y)
    assert head.slope == pytest.approx(1.0, abs=0.1)
    assert np.abs(apply_head(head, raw) - raw).max() < 0.03


def test_fifty_rows_of_noise_do_little_harm():
    rng = np.random.default_rng(3)
    harms = []
    for _ in range(100):
        raw, y = binary(rng, 50)
        fresh, truth = binary(rng, 2000)
        harms.append(log_loss(apply_head(fit_probability_head(raw, y), fresh), truth) - log_loss(fresh, truth))
    assert np.mean(harms) < 0.02
    assert np.max(harms) < 0.12


def test_perfectly_separated_rows_do_not_break_the_fit():
    y = np.arange(40) % 2
    head = fit_probability_head(np.column_stack([1.0 - y, y]), y)
    p = apply_head(head, np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]))
    assert np.isfinite(p).all()
    assert p[0, 0] > 0.99
    assert p[1, 1] > 0.99


def test_a_class_that_never_occurs_stays_improbable():
    rng = np.random.default_rng(4)
    raw, y = binary(rng, 500)
    three = np.column_stack([raw * 0.999, np.full(500, 0.001)])
    p = apply_head(fit_probability_head(three, y), three)
    assert p[:, 2].max() < 0.001


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 300), k=st.integers(2, 6))
def test_any_probabilities_give_probabilities(seed, n, k):
    rng = np.random.default_rng(seed)
    raw = softmax(30 * rng.normal(size=(n, k)))
    p = apply_head(fit_probability_head(raw, rng.integers(0, k, n)), raw)
    assert p.shape == (n, k)
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000))
def test_two_classes_keep_their_ranking(seed):
    rng = np.random.default_rng(seed)
    said = rng.uniform(1e-6, 1 - 1e-6, 200)
    raw = np.column_stack([1 - said, said])
    p = apply_head(fit_probability_head(raw, rng.integers(0, 2, 200)), raw)[:, 1]
    assert (np.diff(p[np.argsort(said)]) >= 0).all()


def test_a_head_survives_json_to_the_bit():
    rng = np.random.default_rng(5)
    raw, y = binary(rng, 300)
    for head in (fit_probability_head(raw, y), fit_number_head(raw[:, :1], rng.normal(size=300))):
        assert msgspec.json.decode(msgspec.json.encode(head), type=Head) == head


def uneven(rng, n):
    """Predictions whose errors grow with them, and the truth."""
    predicted = rng.uniform(0, 10, n)
    return predicted, predicted + (0.2 + 0.3 * predicted) * rng.standard_t(5, n)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("n", [60, 400, 8000])
def test_intervals_hold_the_truth_as_often_as_they_say(confidence, n):
    rng = np.random.default_rng(6)
    repetitions = 300 if n < 1000 else 60
    hits = np.empty(repetitions)
    for repetition in range(repetitions):
        predicted, y = uneven(rng, n)
        fresh, truth = uneven(rng, 300)
        lower, upper = intervals(fit_number_head(predicted[:, None], y), fresh, confidence)
        hits[repetition] = np.mean((lower <= truth) & (truth <= upper))
    error = hits.std() / np.sqrt(repetitions)
    assert hits.mean() >= confidence - 3 * error
    assert hits.mean() <= confidence + 0.04 + 3 * error


def test_intervals_hold_for_small_and_for_large_predictions():
    rng = np.random.default_rng(7)
    predicted, y = uneven(rng, 5000)
    fresh, truth = uneven(rng, 20_000)
    lower, upper = intervals(fit_number_head(predicted[:, None], y), fresh, 0.9)
    inside = (lower <= truth) & (truth <= upper)
    for part in (fresh < 2, fresh > 8):
        assert inside[part].mean() == pytest.approx(0.9, abs=0.03)
    assert (upper - lower)[fresh > 8].mean() > 2 * (upper - lower)[fresh < 2].mean()


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 3.0])
def test_the_confidence_within_a_tolerance_is_how_often_it_holds(tolerance):
    rng = np.random.default_rng(8)
    predicted, y = uneven(rng, 5000)
    fresh, truth = uneven(rng, 20_000)
    said = within(fit_number_head(predicted[:, None], y), fresh, tolerance)
    right = np.abs(truth - fresh) <= tolerance
    for part in (fresh < 3, (fresh >= 3) & (fresh < 7), fresh >= 7):
        assert said[part].mean() == pytest.approx(right[part].mean(), abs=0.04)


def test_wider_confidence_gives_wider_intervals():
    rng = np.random.default_rng(9)
    predicted, y = uneven(rng, 1000)
    head = fit_number_head(predicted[:, None], y)
    widths = [np.subtract(*intervals(head, predicted, c)[::-1]) for c in (0.5, 0.8, 0.95)]
    assert (widths[0] < widths[1]).all()
    assert (widths[1] < widths[2]).all()


@settings(deadline=None, max_examples=100)
@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, 50.0]), min_size=1, max_size=400),
    repeat=st.integers(1, 5),
)
def test_tied_predictions_never_leave_a_bin_nearly_empty(values, repeat):
    predicted = np.repeat(values, repeat)
    edges = bin_edges(predicted)
    counts = np.bincount(np.searchsorted(edges, predicted, side="right"), minlength=len(edges) + 1)
    assert edges == sorted(set(edges))
    assert len(counts) <= 10
    assert counts.min() >= min(FEWEST_PER_BIN, len(predicted))


def test_a_model_that_always_says_the_same_has_one_bin():
    y = np.random.default_rng(10).normal(size=500)
    head = fit_number_head(np.full((500, 1), 3.0), y)
    assert head.edges == ()
    assert len(head.residuals) == 1


def test_few_residuals_bound_by_their_outermost():
    head = fit_number_head(np.array([[1.0], [2.0]]), np.array([0.5, 4.0]))
    lower, upper = intervals(head, np.array([10.0]), 0.9)
    assert (lower.tolist(), upper.tolist()) == ([9.5], [12.0])
    assert within(head, np.array([10.0]), 1.0).tolist() == [1 / 3]
