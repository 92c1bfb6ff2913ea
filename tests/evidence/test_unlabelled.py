"""Estimates without labels hold where scores are calibrated, and where they are not they show nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import kept
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evidence.unlabelled import (
    SUSPICION,
    Labelled,
    adapted_accuracy,
    adapted_confusion,
    estimated_accuracy,
    estimated_confusion,
    importance,
    isotonic,
    poisson_binomial,
)


@given(chance=st.lists(st.floats(0, 1), max_size=40))
def test_the_law_is_that_of_one_trial_after_another(chance: list[float]) -> None:
    law = np.ones(1)
    for share in chance:
        law = np.convolve(law, [1 - share, share])
    np.testing.assert_allclose(poisson_binomial(np.array(chance)), law, atol=1e-14)


def test_equal_chances_make_a_binomial_law() -> None:
    law = poisson_binomial(np.full(1000, 0.03))
    np.testing.assert_allclose(law, stats.binom.pmf(np.arange(1001), 1000, 0.03), atol=1e-13)


def calibrated(rng: np.random.Generator, runs: int, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels drawn from them, for many runs."""
    scores = rng.dirichlet(np.full(classes, 0.6), (runs, n))
    return scores, (rng.random((runs, n, 1)) > scores.cumsum(axis=2)).sum(axis=2).clip(max=classes - 1)


def inside(found: Evidence, truth: float) -> bool:
    return found.lower - 1e-12 <= truth <= found.upper + 1e-12


@pytest.mark.parametrize(("n", "classes"), [(20, 2), (200, 2), (200, 4), (1000, 2)])
def test_bounds_hold_the_share_that_comes_true(n: int, classes: int) -> None:
    scores, labels = calibrated(np.random.default_rng(1), 1000, n, classes)
    broken = []
    for told, truth in zip(scores, labels, strict=True):
        predicted = told.argmax(axis=1)
        broken.append(not inside(estimated_accuracy(told, predicted, alpha=0.1), (truth == predicted).mean()))
    assert kept(np.array(broken), 0.1)


def test_entries_of_the_confusion_matrix_hold_and_add_up() -> None:
    scores, labels = calibrated(np.random.default_rng(2), 500, 100, 3)
    broken = []
    for told, truth in zip(scores, labels, strict=True):
        predicted = told.argmax(axis=1)
        found = estimated_confusion(told, predicted, alpha=0.1)
        broken.append(
            [
                not inside(found[said][real], ((predicted == said) & (truth == real)).mean())
                for said in range(3)
                for real in range(3)
            ]
        )
        assert sum(one.estimate for row in found for one in row) == pytest.approx(1)
        right = sum(found[label][label].estimate for label in range(3))
        assert right == pytest.approx(estimated_accuracy(told, predicted).estimate)
    assert all(kept(entry, 0.1) for entry in np.array(broken).T)


def test_it_sees_nothing_when_the_relation_between_inputs_and_truth_changes() -> None:
    scores, labels = calibrated(np.random.default_rng(3), 100, 500, 2)
    flipped = np.where(np.random.default_rng(4).random(labels.shape) < 0.3, 1 - labels, labels)
    broken = [
        not inside(estimated_accuracy(told, told.argmax(axis=1)), (truth == told.argmax(axis=1)).mean())
        for told, truth in zip(scores, flipped, strict=True)
    ]
    assert np.mean(broken) > 0.95


def test_a_sharper_law_than_the_binomial_one() -> None:
    scores = np.repeat([[0.99, 0.01], [0.5, 0.5]], 200, axis=0)
    found = estimated_accuracy(scores, np.zeros(400, dtype=int))
    low, high = stats.binom.interval(0.95, 400, found.estimate)
    assert found.upper - found.lower < 0.85 * (high - low) / 400


def moved(rng: np.random.Generator, m: int, n: int, shift: float) -> tuple[Labelled, np.ndarray, np.ndarray, float]:
    """Cases whose feature z, which the scores ignore, moved; scores are calibrated on labelled cases only.

    Returns the labelled cases, new scores, new predictions, and the share that will prove right.
    """

    def draw(rows: int, mean: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, z = rng.normal(size=rows), rng.normal(mean, 1.0, rows)
        return x, z, (x + z + rng.normal(size=rows) > 0).astype(int)

    (x, z, labels), (new_x, _, new_labels) = draw(m, 0.0), draw(n, shift)
    positive, new_positive = (stats.norm.cdf(some / np.sqrt(2)) for some in (x, new_x))
    scores, new_scores = (np.stack([1 - some, some], axis=1) for some in (positive, new_positive))
    predicted, new_predicted = scores.argmax(axis=1), new_scores.argmax(axis=1)
    weight = np.exp(shift * z - shift**2 / 2)
    labelled = Labelled(scores=scores, labels=labels, predicted=predicted, weight=weight)
    return labelled, new_scores, new_predicted, float((new_labels == new_predicted).mean())


@pytest.mark.parametrize(("shift", "m"), [(0.0, 2000), (0.7, 2000), (1.0, 1000)])
def test_adapted_bounds_hold_about_as_often_as_they_say_where_plain_ones_fail(shift: float, m: int) -> None:
    rng, adapted, plain = np.random.default_rng(5), [], []
    for _ in range(300):
        labelled, scores, predicted, truth = moved(rng, m, 2000, shift)
        adapted.append(not inside(adapted_accuracy(labelled, scores, predicted, alpha=0.1), truth))
        plain.append(not inside(estimated_accuracy(scores, predicted, alpha=0.1), truth))
    assert kept(np.array(adapted), 0.1)
    if shift >= 0.7:
        assert np.mean(plain) > 0.3


def test_without_weights_the_new_calibration_is_that_of_the_old_cases() -> None:
    rng, broken = np.random.default_rng(6), []
    for _ in range(100):
        labelled, scores, predicted, truth = moved(rng, 2000, 2000, 1.0)
        equal = Labelled(
            scores=labelled.scores, labels=labelled.labels, predicted=labelled.predicted, weight=np.ones(2000)
        )
        broken.append(not inside(adapted_accuracy(equal, scores, predicted, alpha=0.1), truth))
    assert np.mean(broken) > 0.6


def test_the_adapted_confusion_agrees_with_the_adapted_accuracy() -> None:
    labelled, scores, predicted, _ = moved(np.random.default_rng(7), 2000, 500, 0.5)
    found = adapted_confusion(labelled, scores, predicted)
    assert sum(one.estimate for row in found for one in row) == pytest.approx(1)
    accuracy = adapted_accuracy(labelled, scores, predicted)
    assert found[0][0].estimate + found[1][1].estimate == pytest.approx(accuracy.estimate)
    assert found[0][0].n == accuracy.n == round(labelled.weight.sum() ** 2 / (labelled.weight**2).sum())


def test_entries_of_the_adapted_confusion_hold() -> None:
    rng, broken = np.random.default_rng(8), []
    for _ in range(200):
        labelled, scores, predicted, _ = moved(rng, 2000, 500, 0.7)
        truth = 1 - stats.norm.cdf(-(stats.norm.ppf(scores[predicted == 1, 1]) * np.sqrt(2) + 0.7) / np.sqrt(2))
        drawn = (rng.random(len(truth)) < truth).sum() / 500
        broken.append(not inside(adapted_confusion(labelled, scores, predicted, alpha=0.1)[1][1], drawn))
    assert kept(np.array(broken), 0.1)


def test_it_says_nothing_for_want_of_like_cases() -> None:
    rng = np.random.default_rng(9)
    labelled, scores, predicted, _ = moved(rng, 2000, 500, 3.0)  # worth a handful of cases
    far = np.repeat([[0.99999, 0.00001]], 500, axis=0)
    plain = moved(rng, 2000, 500, 0.0)[0]
    middle = Labelled(
        scores=np.clip(plain.scores, 0.2, 0.8), labels=plain.labels, predicted=plain.predicted, weight=plain.weight
    )
    refused = [
        adapted_accuracy(labelled, scores, predicted),
        adapted_accuracy(middle, far, np.zeros(500, dtype=int)),
        adapted_accuracy(plain, scores[:0], predicted[:0]),
        adapted_confusion(labelled, scores, predicted)[1][0],
    ]
    for found in refused:
        assert (found.lower, found.upper) == (0.0, 1.0)
        assert np.isnan(found.estimate)
        assert "refused" in found.method
    assert refused[0].n < 150


def test_one_labelled_case_or_one_fold_is_not_enough_to_fall_over() -> None:
    one = Labelled(scores=EVEN[:1], labels=NONE[:1], predicted=NONE[:1], weight=np.ones(1))
    assert "refused" in adapted_accuracy(one, EVEN, NONE, fewest=0).method
    rng = np.random.default_rng(12)
    labelled, scores, predicted, _ = moved(rng, 3000, 100, 0.0)
    every_fifth = Labelled(
        scores=labelled.scores,
        labels=labelled.labels,
        predicted=labelled.predicted,
        weight=np.where(np.arange(3000) % 5 == 0, 1.0, 0.0),
    )
    assert adapted_accuracy(every_fifth, scores, predicted).n == 600


def test_every_method_says_what_it_is_good_for() -> None:
    labelled, scores, predicted, _ = moved(np.random.default_rng(10), 2000, 100, 0.0)
    found = [
        estimated_accuracy(scores, predicted),
        estimated_confusion(scores, predicted)[0][0],
        adapted_accuracy(labelled, scores, predicted),
        adapted_confusion(labelled, scores, predicted)[0][0],
        adapted_accuracy(labelled, scores, predicted, fewest=1e6),
    ]
    assert all(SUSPICION in one.method and not one.anytime for one in found)


def test_the_weighted_calibration_is_that_of_scikit_learn() -> None:
    isotonic_regression = pytest.importorskip("sklearn.isotonic").IsotonicRegression
    rng = np.random.default_rng(11)
    score, weight = rng.integers(0, 30, 400) / 30, rng.exponential(size=400)
    hit = rng.random(400) < score
    knots, heights = isotonic(score, hit, weight)
    theirs = isotonic_regression().fit(score, hit, sample_weight=weight)
    np.testing.assert_allclose(heights, theirs.predict(knots), atol=1e-12)


def test_importance_by_hand() -> None:
    np.testing.assert_allclose(importance(np.array([0.0, 0.25, 0.96]), 300, 100), [0.001, 1.0, 3 * 0.96 / 0.05])
    with pytest.raises(ValueError, match="between 0 and 1"):
        importance(np.array([1.1]), 10, 10)
    with pytest.raises(ValueError, match="cases of both kinds"):
        importance(np.array([0.5]), 10, 0)


def test_no_cases_bound_nothing() -> None:
    found = estimated_accuracy(np.empty((0, 2)), np.empty(0, dtype=int))
    assert (found.lower, found.upper, found.n) == (0.0, 1.0, 0)
    assert np.isnan(found.estimate)


EVEN = np.full((4, 2), 0.5)
NONE = np.zeros(4, dtype=int)


@pytest.mark.parametrize(
    ("scores", "predicted", "message"),
    [
        (np.full((4, 2), 0.6), NONE, "scores, row 0: expected probabilities that add up to 1"),
        (np.full((4, 2), np.nan), NONE, "scores, row 0"),
        (np.ones((4, 1)), NONE, "at least 2"),
        (EVEN, NONE[:3], "predicted: expected one whole number for each of 4"),
        (EVEN, NONE.astype(float), "predicted: expected one whole number"),
        (EVEN, NONE + 2, "predicted, row 0: expected 0 to 1, got 2"),
    ],
)
def test_bad_input_is_named(scores: np.ndarray, predicted: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimated_accuracy(scores, predicted)


@pytest.mark.parametrize("weight", [np.zeros(4), -np.ones(4), np.ones(3), np.full(4, np.nan), np.full(4, np.inf)])
def test_weights_have_their_range(weight: np.ndarray) -> None:
    labelled = Labelled(scores=EVEN, labels=NONE, predicted=NONE, weight=weight)
    with pytest.raises(ValueError, match="weights are finite and not negative"):
        adapted_accuracy(labelled, EVEN, NONE)


def test_classes_and_confidence_must_fit() -> None:
    labelled = Labelled(scores=EVEN, labels=NONE, predicted=NONE, weight=np.ones(4))
    with pytest.raises(ValueError, match="2 classes were labelled"):
        adapted_accuracy(labelled, np.full((4, 4), 0.25), NONE)
    for refused in (1.0, 0.0):
        with pytest.raises(ValueError, match="alpha lies"):
            adapted_accuracy(labelled, EVEN, NONE, alpha=refused, fewest=0)
        with pytest.raises(ValueError, match="alpha lies"):
            estimated_accuracy(EVEN, NONE, alpha=refused)
