"""A split that is not the one meant is found, and no more often than promised where it is, however often one looks."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import kept
from scipy import special, stats

from understudy.evidence.assignment import CONCENTRATIONS, arm_shares, split_log_e

ALPHA = 0.05


def log_e(counts: np.ndarray, shares: list[float]) -> np.ndarray:
    """The mixture for counts of shape (..., k), by the law of scipy and one set of counts in any order."""
    n = counts.sum(axis=-1)
    null = stats.multinomial.logpmf(counts, n, shares)
    mixed = [stats.dirichlet_multinomial.logpmf(counts, c * np.array(shares), n) for c in CONCENTRATIONS]
    return special.logsumexp(mixed, axis=0) - log(len(mixed)) - null


@given(counts=st.lists(st.integers(0, 5000), min_size=3, max_size=3))
def test_the_e_value_is_that_of_the_laws_of_scipy(counts: list[int]) -> None:
    shares = [0.2, 0.3, 0.5]
    assert split_log_e(counts, shares) == pytest.approx(float(log_e(np.array(counts), shares)), abs=1e-6)


def draws(rng: np.random.Generator, runs: int, n: int, shares: list[float]) -> np.ndarray:
    """Counts after each case, shape (runs, n, k)."""
    arm = rng.choice(len(shares), p=shares, size=(runs, n))
    return np.cumsum(arm[:, :, None] == np.arange(len(shares)), axis=1)


def ever(counts: np.ndarray, shares: list[float], looks: slice) -> np.ndarray:
    """Whether a mismatch was ever claimed at level α."""
    table = special.gammaln(np.arange(counts.shape[1] + 1)[:, None] + np.outer(CONCENTRATIONS, shares).ravel())
    table = table.reshape(-1, len(CONCENTRATIONS), len(shares))
    n = np.arange(1, counts.shape[1] + 1)[looks]
    seen = counts[:, looks]
    mixed = np.full(seen.shape[:2], -np.inf)
    for place, concentration in enumerate(CONCENTRATIONS):
        logs = special.gammaln(concentration) - special.gammaln(concentration + n)
        for arm in range(len(shares)):
            logs = logs + table[seen[:, :, arm], place, arm] - table[0, place, arm]
        mixed = np.logaddexp(mixed, logs - log(len(CONCENTRATIONS)))
    return (mixed - seen @ np.log(shares) >= -log(ALPHA)).any(axis=1)


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.1], [0.2, 0.3, 0.5]])
def test_a_look_after_each_case_breaks_nothing(shares: list[float]) -> None:
    counts = draws(np.random.default_rng(1), 2000, 1000, shares)
    claimed = ever(counts, shares, slice(None))
    assert kept(claimed, ALPHA)
    for row in range(0, 2000, 400):
        path = [split_log_e(counts[row, n].tolist(), shares) for n in range(1000)]
        assert (max(path) >= -log(ALPHA)) == claimed[row]


def test_the_chi_square_test_breaks_its_level_under_peeking() -> None:
    counts = draws(np.random.default_rng(2), 1000, 1000, [0.5, 0.5])
    n = np.arange(1, 1001)
    square = (counts[..., 0] - counts[..., 1]) ** 2 / n
    assert (square[:, 49:] > stats.chi2.ppf(1 - ALPHA, 1)).any(axis=1).mean() > 4 * ALPHA


@pytest.mark.parametrize(("share", "enough"), [(0.6, 1500), (0.52, 30_000), (0.505, 500_000)])
def test_a_wrong_split_is_found(share: float, enough: int) -> None:
    first = np.random.default_rng(3).binomial(enough, share, 100)
    found = [split_log_e([count, enough - count], [0.5, 0.5]) >= log(1000) for count in first.tolist()]
    assert np.mean(found) > 0.9


def test_stretches_with_other_shares_add_up() -> None:
    rng, claimed = np.random.default_rng(4), []
    for _ in range(2000):
        first, second = rng.multinomial(500, [0.9, 0.1]), rng.multinomial(500, [0.5, 0.5])
        whole = split_log_e(first.tolist(), [0.9, 0.1]) + split_log_e(second.tolist(), [0.5, 0.5])
        claimed.append(whole >= -log(ALPHA))
    assert kept(np.array(claimed), ALPHA)
    assert split_log_e([700, 300], [0.5, 0.5]) > log(1000)  # as if nothing had changed


@pytest.mark.parametrize("truth", [[0.5, 0.5], [0.3, 0.7]])
def test_the_bounds_of_all_arms_hold_at_all_looks_together(truth: list[float]) -> None:
    counts = draws(np.random.default_rng(5), 300, 2000, truth)
    missed = []
    for run in counts[:, [9, 99, 499, 999, 1999]].tolist():
        bounds = [arm_shares(look, [0.5, 0.5], alpha=ALPHA) for look in run]
        missed.append(
            any(not arm.lower <= p <= arm.upper for arms in bounds for arm, p in zip(arms, truth, strict=True))
        )
    assert kept(np.array(missed), ALPHA)


def test_two_arms_are_mirrors_and_far_from_the_shares_meant_is_told_too() -> None:
    first, second = arm_shares([900, 100], [0.5, 0.5])
    assert (first.lower, first.upper) == pytest.approx((1 - second.upper, 1 - second.lower))
    assert 0.84 < first.lower < first.estimate == 0.9 < first.upper < 0.95
    assert (first.n, first.anytime, first.confidence) == (1000, True, 0.95)


def test_without_a_case_nothing_is_known() -> None:
    assert split_log_e([0, 0], [0.5, 0.5]) == pytest.approx(0.0)
    assert [(arm.lower, arm.upper) for arm in arm_shares([0, 0], [0.5, 0.5])] == [(0.0, 1.0)] * 2
    assert arm_shares([50, 0], [0.5, 0.5])[0].upper == 1.0


@pytest.mark.parametrize(
    ("counts", "shares", "said"),
    [
        ([1], [1.0], "two arms"),
        ([1, 2], [1.0], "two arms"),
        ([1, -2], [0.5, 0.5], "at least 0"),
        ([1, 2], [0.5, 0.6], "1 in all"),
        ([1, 2], [1.0, 0.0], "positive"),
    ],
)
def test_a_split_without_meaning_is_refused(counts: list[int], shares: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        split_log_e(counts, shares)


def test_bounds_need_an_alpha() -> None:
    with pytest.raises(ValueError, match="alpha lies"):
        arm_shares([1, 2], [0.5, 0.5], alpha=0.0)
