"""Tails of sums of unlike cases, against the exact law."""

import numpy as np
import pytest
from scipy import stats

from understudy.evaluation.poisson_binomial import tails


def exact(chances: np.ndarray) -> np.ndarray:
    law = np.ones(1)
    for p in chances:
        law = np.convolve(law, [1 - p, p])
    return law


@pytest.mark.parametrize("mean", [0.004, 0.05, 0.3, 0.8])
@pytest.mark.parametrize("n", [10, 60, 500])
def test_tails_are_those_of_the_exact_law(mean: float, n: int) -> None:
    chances = np.random.default_rng(0).beta(2 * mean, 2 * (1 - mean), n).clip(1e-4, 1 - 1e-4)
    law = exact(chances)
    observed = np.arange(n + 1.0)
    below, above = tails(observed, np.ones((n + 1, n)), chances)
    true_below, true_above = np.cumsum(law), np.cumsum(law[::-1])[::-1]
    for found, true in ((below, true_below), (above, true_above)):
        told = (true > 1e-10) & (true < 0.4)
        assert found[told] == pytest.approx(true[told], rel=0.06)
        assert (found[true >= 0.4] > 0.35).all()


def test_kinds_count_as_many_cases() -> None:
    below, above = tails(np.array([30.0]), np.array([[100.0, 50.0]]), np.array([0.1, 0.2]))
    single = tails(np.array([30.0]), np.ones((1, 150)), np.repeat([0.1, 0.2], [100, 50]))
    assert [below[0], above[0]] == pytest.approx([single[0][0], single[1][0]])
    assert above[0] == pytest.approx(stats.poisson_binom.sf(29, np.repeat([0.1, 0.2], [100, 50])), rel=0.02)


def test_what_is_certain_or_impossible_is_so() -> None:
    below, above = tails(np.array([2.0, 1.0, 3.0]), np.array([[2.0, 5.0]] * 3), np.array([1.0, 0.0]))
    assert below.tolist() == [1.0, 0.0, 1.0]
    assert above.tolist() == [1.0, 1.0, 0.0]
    below, above = tails(np.array([0.0, 4.0]), np.array([[4.0]] * 2), np.array([0.5]))
    assert above[0] == below[1] == 1.0
    assert [below[0], above[1]] == pytest.approx([1 / 16, 1 / 16])
