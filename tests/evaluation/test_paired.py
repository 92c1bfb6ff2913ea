"""Bounds of paired changes hold as often as they say, are exact where cases are independent, and fail when broken."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from evidence.promises import kept
from understudy.core.evidence import Evidence
from understudy.evaluation.paired import change_interval, mcnemar, mean_interval

RUNS = 2000


def holds(found: Evidence, truth: float) -> bool:
    return found.lower <= truth <= found.upper


@pytest.mark.parametrize(
    ("mended", "broken", "n"), [(0.03, 0.03, 500), (0.1, 0.02, 200), (0.0, 0.05, 300), (0.004, 0.001, 1000)]
)
def test_the_bounds_of_a_change_hold(mended: float, broken: float, n: int) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(n, [mended, broken, 1 - mended - broken], RUNS)
    missed = [not holds(change_interval(int(a), int(b), n), mended - broken) for a, b, _ in drawn]
    assert kept(np.array(missed), 0.05)


def test_bounds_that_take_the_number_of_changes_as_given_would_not_hold() -> None:
    rng = np.random.default_rng(0)
    broken = 0
    for count in rng.binomial(300, 0.05, RUNS):
        low, high = (2 * bound - 1 for bound in proportion_confint(int(count), int(count), 0.05, "beta"))
        broken += not min(low, high) * count / 300 <= 0.05 <= max(low, high) * count / 300
    assert not kept(np.arange(RUNS) < broken, 0.05)


def test_several_changes_hold_together() -> None:
    rng = np.random.default_rng(1)
    missed = []
    for _ in range(500):
        drawn = rng.multinomial(200, [0.1, 0.05, 0.85], 8)
        missed.append(any(not holds(change_interval(int(a), int(b), 200, together=8), 0.05) for a, b, _ in drawn))
    assert kept(np.array(missed), 0.05)


def test_the_share_of_changes_for_the_better_is_that_of_statsmodels() -> None:
    low, high = proportion_confint(212, 392, alpha=0.045, method="beta")
    few, many = proportion_confint(392, 4000, alpha=0.005, method="beta")
    found = change_interval(212, 180, 4000)
    assert found.estimate == 32 / 4000
    assert found.lower == pytest.approx((2 * low - 1) * many)
    assert found.upper == pytest.approx((2 * high - 1) * many)
    assert 0 < few < many


@pytest.mark.parametrize(("mended", "broken"), [(212, 180), (9, 1), (0, 7), (3, 3)])
def test_the_p_value_is_that_of_statsmodels(mended: int, broken: int) -> None:
    table = [[50, broken], [mended, 70]]
    assert mcnemar(mended, broken) == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)


def test_where_no_answer_changes_a_change_is_still_possible() -> None:
    found = change_interval(0, 0, 100)
    assert found.estimate == 0
    assert -0.1 < found.lower < 0 < found.upper < 0.1


@pytest.mark.parametrize(("mended", "broken", "n"), [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts_are_refused(mended: int, broken: int, n: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        change_interval(mended, broken, n)


def clustered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Values of 60 groups, alike within each."""
    group = rng.integers(0, 60, 600)
    up = rng.random(60) < 0.3
    return np.where(up[group] & (rng.random(600) < 0.8), 1.0, 0.0), group


def test_the_mean_holds_for_rows_in_groups_and_would_not_if_groups_were_ignored() -> None:
    rng = np.random.default_rng(0)
    drawn = [clustered(rng) for _ in range(500)]
    with_groups = [not holds(mean_interval(values, groups=group), 0.24) for values, group in drawn]
    without = [not holds(mean_interval(values), 0.24) for values, _ in drawn]
    assert np.mean(with_groups) < 0.09  # the method is asymptotic: 60 groups
    assert not kept(np.array(without), 0.05)


def test_the_mean_of_single_rows_is_that_of_students_t() -> None:
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 80)
    found = mean_interval(values, alpha=0.1)
    low, high = stats.t.interval(0.9, 79, values.mean(), stats.sem(values))
    assert (found.lower, found.upper) == pytest.approx((low, high))
    assert (found.n, found.method) == (80, "t")


def test_groups_are_summed_by_a_plain_loop() -> None:
    values, group = clustered(np.random.default_rng(3))
    sums = [sum(v - values.mean() for v, g in zip(values, group, strict=True) if g == one) for one in set(group)]
    k = len(sums)
    error = (sum(s * s for s in sums) * k / (k - 1)) ** 0.5 / len(values)
    found = mean_interval(values, groups=group)
    assert found.upper - found.estimate == pytest.approx(stats.t.isf(0.025, k - 1) * error)
    assert (found.n, found.method) == (k, "cluster-robust t")


def test_values_that_do_not_vary_are_not_certain() -> None:
    found = mean_interval(np.zeros(200))
    assert (found.lower, found.upper) == pytest.approx((-0.0139, 0.0139), abs=1e-3)


def test_one_unit_says_nothing_and_no_value_is_refused() -> None:
    found = mean_interval(np.array([0.0, 1.0]), groups=np.array([1, 1]))
    assert (found.lower, found.upper) == (-1.0, 1.0)
    with pytest.raises(ValueError, match="no values"):
        mean_interval(np.empty(0))


def test_swapping_the_two_ways_turns_the_bounds_around() -> None:
    for mended, broken in itertools.product([0, 3, 20], repeat=2):
        there, back = change_interval(mended, broken, 90), change_interval(broken, mended, 90)
        assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))
