"""Bounds for one look hold at one look, and break for whoever looks again."""

import numpy as np
import pytest
from promises import kept
from scipy import stats

from understudy.evidence.fixed import clopper_pearson, hoeffding_bentkus, hoeffding_bentkus_p

ALPHA = 0.1


@pytest.mark.parametrize(("errors", "n"), [(0, 30), (1, 30), (30, 30), (7, 100), (500, 100_000)])
def test_clopper_pearson_is_that_of_scipy(errors: int, n: int) -> None:
    found = clopper_pearson(errors, n, alpha=ALPHA)
    known = stats.binomtest(errors, n).proportion_ci(0.9, "exact")
    assert (found.lower, found.upper) == pytest.approx((known.low, known.high))
    assert (found.estimate, found.n, found.anytime) == (errors / n, n, False)


@pytest.mark.parametrize("rate", [0.001, 0.05, 0.5])
def test_clopper_pearson_misses_as_seldom_as_promised_at_one_look(rate: float) -> None:
    errors = np.random.default_rng(1).binomial(400, rate, 4000)
    bounds = {count: clopper_pearson(count, 400, alpha=ALPHA) for count in np.unique(errors).tolist()}
    assert kept(np.array([not bounds[count].lower <= rate <= bounds[count].upper for count in errors.tolist()]), ALPHA)


def test_clopper_pearson_breaks_its_level_when_looked_at_after_each_case() -> None:
    rng, n, rate = np.random.default_rng(2), np.arange(1, 1001), 0.05
    errors = np.cumsum(rng.random((2000, 1000)) < rate, axis=1)
    fewest, most = stats.binom.ppf([[ALPHA / 2], [1 - ALPHA / 2]], n, rate)
    missed = (errors < fewest) | (errors > most)  # where the bounds miss
    for count, cases in ((10, 100), (9, 100), (1, 100), (2, 120), (1, 120)):
        found = clopper_pearson(count, cases, alpha=ALPHA)
        assert (not found.lower <= rate <= found.upper) == (not fewest[cases - 1] <= count <= most[cases - 1])
    assert kept(missed[:, -1], ALPHA)
    assert missed.any(axis=1).mean() > 3 * ALPHA


def test_the_p_value_by_hand() -> None:
    mean, n, risk = 0.03, 250, 0.1
    divergence = mean * np.log(mean / risk) + (1 - mean) * np.log((1 - mean) / (1 - risk))
    bentkus = np.e * stats.binom.cdf(8, n, risk)  # ⌈7.5⌉
    assert hoeffding_bentkus_p(mean, n, risk) == pytest.approx(min(np.exp(-n * divergence), bentkus))
    assert hoeffding_bentkus_p(0.2, n, risk) == 1.0


def test_a_sum_of_tenths_is_not_rounded_up_to_another_error() -> None:
    mean = float(np.mean([0.1] * 30))  # 30 times this is a hair above 3
    assert hoeffding_bentkus_p(mean, 30, 0.4) == pytest.approx(hoeffding_bentkus_p(0.1, 30, 0.4))


LAWS = {
    "errors": (0.1, lambda rng, shape: (rng.random(shape) < 0.1).astype(float)),
    "costs": (0.2, lambda rng, shape: rng.beta(0.5, 2, shape)),
    "rare costs": (0.002, lambda rng, shape: np.where(rng.random(shape) < 0.01, 0.2, 0.0)),
}


@pytest.mark.parametrize("name", LAWS)
def test_the_p_value_is_small_as_seldom_as_promised_at_a_risk_just_at_the_limit(name: str) -> None:
    risk, draw = LAWS[name]
    means = draw(np.random.default_rng(3), (4000, 200)).mean(axis=1)
    p = np.array([hoeffding_bentkus_p(float(mean), 200, risk) for mean in means])
    for level in (0.01, ALPHA, 0.3):
        assert kept(p <= level, level)


@pytest.mark.parametrize("name", LAWS)
def test_the_bounds_miss_as_seldom_as_promised_at_one_look(name: str) -> None:
    mean, draw = LAWS[name]
    rng, missed = np.random.default_rng(4), []
    for _ in range(150):
        found = hoeffding_bentkus(draw(rng, 300), alpha=ALPHA)
        assert found.lower <= found.estimate <= found.upper
        missed.append(not found.lower <= mean <= found.upper)
    assert kept(np.array(missed), ALPHA)


def test_the_bounds_are_where_the_p_value_crosses() -> None:
    losses = np.random.default_rng(5).beta(0.5, 2, 200)
    found, mean = hoeffding_bentkus(losses, alpha=ALPHA), float(losses.mean())
    assert hoeffding_bentkus_p(mean, 200, found.upper) == pytest.approx(ALPHA / 2)
    assert hoeffding_bentkus_p(1 - mean, 200, 1 - found.lower) == pytest.approx(ALPHA / 2)


def test_exact_bounds_of_errors_are_narrower() -> None:
    exact, plain = clopper_pearson(20, 400), hoeffding_bentkus((np.arange(400) < 20).astype(float))
    assert plain.lower < exact.lower < exact.upper < plain.upper


def test_without_a_case_anything_is_possible() -> None:
    for found in (clopper_pearson(0, 0), hoeffding_bentkus(np.array([])), hoeffding_bentkus(np.array([np.nan]))):
        assert (found.lower, found.upper, found.n) == (0.0, 1.0, 0)
        assert np.isnan(found.estimate)


@pytest.mark.parametrize(("errors", "n", "alpha"), [(3, 2, 0.1), (-1, 2, 0.1), (1, 2, 0.0)])
def test_counts_have_their_ranges(errors: int, n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="errors lie"):
        clopper_pearson(errors, n, alpha=alpha)


@pytest.mark.parametrize(("loss", "alpha"), [(1.1, 0.1), (-0.1, 0.1), (0.5, 1.0)])
def test_losses_have_their_range(loss: float, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"losses lie|alpha lies"):
        hoeffding_bentkus(np.array([loss]), alpha=alpha)
