"""What history lets an e-process begin with is worth at most 1 on average, and never more than its cap."""

import numpy as np
import pytest
from scipy import integrate, stats

from understudy.evidence.history import calibrated, start_by_errors, start_by_wealth


@pytest.mark.parametrize("cap", [1.5, 4.47, 30.0])
def test_e_values_of_uniform_p_values_have_a_mean_of_1(cap: float) -> None:
    mean, _ = integrate.quad(lambda p: float(calibrated(np.array(p), cap)), 0, 1, points=[1e-3, 0.01, 0.1, 0.5])
    assert mean == pytest.approx(1, abs=1e-4)
    assert calibrated(np.array([0.0, 1e-300]), cap).tolist() == [cap, cap]
    assert (np.diff(calibrated(np.linspace(0, 1, 100), cap)) <= 0).all()


@pytest.mark.parametrize("n", [1, 13, 200, 5000])
@pytest.mark.parametrize("risk", [0.01, 0.05, 0.3])
def test_at_a_risk_of_r_or_more_the_exact_mean_of_the_start_is_at_most_1(n: int, risk: float) -> None:
    errors = np.arange(n + 1)
    start = start_by_errors(errors, np.full(n + 1, n), risk, 4.47)
    for true in (risk, 1.3 * risk):
        assert stats.binom.pmf(errors, n, true) @ start <= 1 + 1e-9
    assert start.max() <= 4.47


def test_without_rows_nothing_changes() -> None:
    assert start_by_errors(np.array([0]), np.array([0]), 0.05, 4.47).tolist() == [1.0]
    assert start_by_wealth(np.array([0.0]), 4.47).tolist() == [1.0]


def test_good_history_counts_its_cap_soon_and_bad_history_little() -> None:
    errors, n = np.array([0, 3, 10, 40]), np.array([60, 160, 200, 200])
    assert start_by_errors(errors, n, 0.05, 4.47).round(2).tolist() == [4.47, 4.47, 0.45, 0.26]


def test_any_wealth_gives_a_start_between_a_fifth_and_the_cap() -> None:
    found = start_by_wealth(np.array([-1e5, -1.0, 0.0, 1.0, 1e5]), 4.47)
    assert found.round(3).tolist() == [0.2, 0.494, 1.0, 2.375, 3.776]
