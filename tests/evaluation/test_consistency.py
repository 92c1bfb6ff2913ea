"""The band holds what calibrated models show, and models that are not lie outside of it."""

import numpy as np
import pytest
from scipy import stats

from understudy.evaluation.consistency import consistency, kinds


def test_each_bin_is_its_mean_and_its_share() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(1500).round(1)
    y = rng.random(1500) < p
    for one in consistency(p, y):
        inside = np.isclose(p, one.predicted)
        if inside.any():
            assert one.n == inside.sum()
            assert one.observed == pytest.approx(y[inside].mean())
    assert sum(one.n for one in consistency(p, y)) == 1500


def test_the_band_of_equal_probabilities_is_binomial() -> None:
    (one,) = consistency(np.full(200, 0.3), np.arange(200) < 60)
    low, high = stats.binom.ppf([0.025, 0.975], 200, 0.3) / 200
    assert (one.lower, one.upper) == pytest.approx((low, high), abs=0.006)


def test_kinds_have_the_mean_and_the_variance_of_the_rows() -> None:
    p = np.random.default_rng(1).beta(0.5, 2, 700)
    sizes, means = kinds(p)
    assert sizes.sum() == 700
    assert sizes @ means == pytest.approx(p.sum())
    assert sizes @ (means * (1 - means)) == pytest.approx((p * (1 - p)).sum(), rel=0.02)


def alarmed(seed: int, bend: float) -> bool:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 2, 600)
    return any(one.outside for one in consistency(p**bend, rng.random(600) < p, seed=seed))


def test_a_calibrated_model_is_rarely_outside_and_another_one_often() -> None:
    assert sum(alarmed(seed, 1.0) for seed in range(80)) <= stats.binom.ppf(0.999, 80, 0.05)
    assert sum(alarmed(seed, 1.6) for seed in range(20)) > 14


def test_one_case_is_a_bin() -> None:
    (one,) = consistency(np.array([0.4]), np.array([1.0]))
    assert (one.n, one.observed, one.lower, one.upper) == (1, 1.0, 0.0, 1.0)
