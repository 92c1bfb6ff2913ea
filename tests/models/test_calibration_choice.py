"""The calibration that is chosen is the one that mends what is wrong, and the simplest where nothing is."""

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from understudy.models import calibration_choice
from understudy.models.calibrate import apply_head, fit_probability_head, softmax
from understudy.models.calibration_choice import FITS, choose_head

DISTORTED = {
    "not": lambda odds: odds,
    "sharpened": lambda odds: 3 * odds,
    "shifted": lambda odds: odds + 1.5,
    "kinked": lambda odds: np.where(odds > 0, 4 * odds, 0.3 * odds),
    "cubed": lambda odds: odds**3,
    "stepped": lambda odds: odds + np.where(odds > 0.5, 2.0, -1.0),
}
WITHOUT_FORMULA = {"isotonic", "venn-abers"}


def said_of(rng, n, how):
    """Labels of two classes, and what is said of them."""
    odds = 1.5 * rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    said = 1 / (1 + np.exp(-DISTORTED[how](odds)))
    return np.column_stack([1 - said, said]), y


def log_loss(p, y):
    return -np.log(np.clip(p[np.arange(len(y)), y], 1e-15, 1)).mean()


def chosen(how, n, runs, seed=0):
    rng = np.random.default_rng(seed)
    return Counter(choose_head(*said_of(rng, n, how)).method for _ in range(runs))


@pytest.mark.parametrize("n", [300, 2000])
def test_calibrated_probabilities_are_left_alone_or_hardly_touched(n):
    methods = chosen("not", n, 25)
    assert methods["none"] > methods["platt"]
    assert methods["isotonic"] + methods["venn-abers"] <= 1


@pytest.mark.parametrize("how", ["sharpened", "shifted"])
def test_what_a_slope_and_a_shift_mend_gets_them(how):
    assert chosen(how, 2000, 15) == {"platt": 15}


@pytest.mark.parametrize("how", ["kinked", "cubed", "stepped"])
def test_what_they_cannot_mend_gets_a_curve(how):
    assert set(chosen(how, 3000, 12)) <= WITHOUT_FORMULA


@pytest.mark.parametrize("how", ["kinked", "cubed", "stepped"])
def test_the_curve_is_better_on_fresh_rows_and_keeps_the_ranks(how):
    rng = np.random.default_rng(1)
    raw, y = said_of(rng, 5000, how)
    fresh, truth = said_of(rng, 20_000, how)
    p = apply_head(choose_head(raw, y), fresh)
    assert log_loss(p, truth) < log_loss(apply_head(fit_probability_head(raw, y), fresh), truth) - 0.005
    assert abs(roc_auc_score(truth, p[:, 1]) - roc_auc_score(truth, fresh[:, 1])) < 2e-4


@pytest.mark.parametrize("how", DISTORTED)
def test_the_choice_is_never_much_worse_than_the_best_of_the_four(how):
    rng = np.random.default_rng(2)
    for n in (400, 3000):
        raw, y = said_of(rng, n, how)
        fresh, truth = said_of(rng, 20_000, how)
        best = min(log_loss(apply_head(fit(raw, y, None), fresh), truth) for fit in FITS.values())
        assert log_loss(apply_head(choose_head(raw, y), fresh), truth) < best + (0.01 if n > 1000 else 0.03)


def test_a_curve_is_not_tried_on_few_rows_few_of_a_class_or_many_classes():
    rng = np.random.default_rng(3)
    raw, y = said_of(rng, 900, "kinked")
    assert choose_head(raw, y).method == "platt"
    raw, y = said_of(rng, 6000, "kinked")
    rare = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:90]])
    assert choose_head(raw[rare], y[rare]).method not in WITHOUT_FORMULA
    many = softmax(rng.normal(size=(4000, 11)))
    assert choose_head(many, rng.integers(0, 11, 4000)).method == "platt"


def test_judged_on_the_rows_that_they_were_fitted_on_a_curve_would_win_where_nothing_is_wrong(monkeypatch):
    """The rule is what holds: broken, calibrated probabilities get a curve."""

    def own_losses(fit, raw, y, weights):
        return -np.log(np.clip(apply_head(fit(raw, y, weights), raw)[np.arange(len(y)), y], 1e-15, 1))

    monkeypatch.setattr(calibration_choice, "crossed_losses", own_losses)
    methods = chosen("not", 2000, 10)
    assert methods["isotonic"] + methods["venn-abers"] > 5


def test_several_classes_are_mended_class_by_class():
    rng = np.random.default_rng(4)
    scores = 1.5 * rng.normal(size=(16_000, 3))
    truth = softmax(scores)
    y = (truth.cumsum(axis=1) > rng.random((16_000, 1))).argmax(axis=1)
    raw = softmax(np.where(scores > 0, 4 * scores, 0.3 * scores))
    head = choose_head(raw[:8000], y[:8000])
    assert head.method in WITHOUT_FORMULA
    assert len(head.knots) == 3
    p = apply_head(head, raw[8000:])
    np.testing.assert_allclose(p.sum(axis=1), 1)
    platt = apply_head(fit_probability_head(raw[:8000], y[:8000]), raw[8000:])
    assert log_loss(p, y[8000:]) < log_loss(platt, y[8000:]) - 0.005


def test_both_of_two_classes_have_the_same_curve_seen_from_either_side():
    raw, y = said_of(np.random.default_rng(5), 4000, "kinked")
    p = apply_head(FITS["isotonic"](raw, y, None), raw)
    turned = apply_head(FITS["isotonic"](raw[:, ::-1], 1 - y, None), raw[:, ::-1])
    np.testing.assert_allclose(p, turned[:, ::-1], atol=0.03)


def test_rows_count_by_their_weights():
    """The weighty half is sharpened, the other half is not."""
    rng = np.random.default_rng(6)
    sharp, fair = said_of(rng, 2000, "sharpened"), said_of(rng, 2000, "not")
    raw, y = np.concatenate([sharp[0], fair[0]]), np.concatenate([sharp[1], fair[1]])
    for heavy, slope in ((slice(None, 2000), 1 / 3), (slice(2000, None), 1.0)):
        weights = np.full(4000, 1e-3)
        weights[heavy] = 1.0
        head = choose_head(raw, y, weights)
        assert head.slope == pytest.approx(slope, abs=0.1)


def test_what_is_said_to_be_certain_is_calibrated_even_where_it_was_right():
    raw, y = said_of(np.random.default_rng(8), 3000, "not")
    sure = raw[:, 1] > 0.9
    raw[sure & (y == 1)] = [0.0, 1.0]
    head = choose_head(raw, y)
    assert head.method != "none"
    assert apply_head(head, raw).max() < 1


def test_it_does_not_depend_on_anything_but_the_rows():
    raw, y = said_of(np.random.default_rng(7), 3000, "stepped")
    assert choose_head(raw, y) == choose_head(raw.copy(), y.copy())
