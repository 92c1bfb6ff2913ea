"""A calibrated model is found calibrated, a miscalibrated one is not."""

import numpy as np
import pytest
from scipy import stats

from understudy.evaluation.calibration import calibration_error, equal_bins, reliability, squared_error


def promised(seed: int, n: int, *, overconfident: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and whether they came true; `overconfident` is how far they lie above the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(4, 2, n) * (1 - overconfident)
    return truth + overconfident, (rng.random(n) < truth).astype(float)


@pytest.mark.parametrize("n", [200, 1000])
def test_the_squared_error_of_a_calibrated_model_is_zero_on_average(n: int) -> None:
    errors = []
    for seed in range(400):
        confidence, right = promised(seed, n)
        errors.append(squared_error(confidence, right, equal_bins(confidence)))
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(400)


def test_it_is_the_published_formula() -> None:
    confidence, right = promised(1, 300)
    bins = equal_bins(confidence)
    expected = 0.0
    for b in np.unique(bins):
        p, y = confidence[bins == b], right[bins == b]
        expected += len(y) / 300 * ((p.mean() - y.mean()) ** 2 - y.mean() * (1 - y.mean()) / (len(y) - 1))
    assert squared_error(confidence, right, bins) == pytest.approx(expected)
    assert calibration_error(confidence, right).estimate == pytest.approx(np.sqrt(max(0, expected)))


@pytest.mark.parametrize("n", [100, 300])
def test_a_calibrated_model_of_few_rows_is_rarely_called_miscalibrated(n: int) -> None:
    lower = [calibration_error(*promised(seed, n), seed=seed).lower for seed in range(60)]
    assert np.sum(np.array(lower) > 0.05) <= stats.binom.ppf(0.999, 60, 0.05)


def test_a_plain_overconfidence_is_found_with_its_size() -> None:
    evidence = calibration_error(*promised(3, 5000, overconfident=0.12))
    assert evidence.lower > 0.05
    assert evidence.lower < 0.12 < evidence.upper
    assert evidence.method == "recentred bootstrap, 1,000 draws"


def test_rows_of_a_group_are_drawn_together() -> None:
    confidence, right = promised(4, 200, overconfident=0.1)
    five = calibration_error(np.repeat(confidence, 5), np.repeat(right, 5), groups=np.repeat(np.arange(200), 5))
    naive = calibration_error(np.repeat(confidence, 5), np.repeat(right, 5))
    assert five.n == 200
    assert five.upper > naive.upper


def test_one_confidence_for_all_is_one_bin() -> None:
    table = reliability(np.full(50, 0.8), np.array([1.0] * 40 + [0.0] * 10))
    assert [(row.n, row.confidence, row.right) for row in table] == [(50, pytest.approx(0.8), 0.8)]


def test_a_single_row_has_no_calibration_error() -> None:
    assert calibration_error(np.array([0.9]), np.array([1.0])).estimate == 0.0


def test_the_reliability_table_counts_every_row_once_with_exact_bounds() -> None:
    confidence, right = promised(5, 997)
    table = reliability(confidence, right)
    assert sum(row.n for row in table) == 997
    assert sum(row.n * row.right for row in table) == pytest.approx(right.sum())
    for row in table:
        exact = stats.binomtest(round(row.n * row.right), row.n).proportion_ci(0.95)
        assert (row.lower, row.upper) == pytest.approx((exact.low, exact.high))
