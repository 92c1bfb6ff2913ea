"""Wealth is what the products say, and no batch changes a bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts

from understudy.evidence.betting import check_bets, check_losses, log_gains, log_mixed, running


def test_logs_of_gains_are_those_of_the_products() -> None:
    loss, bets = np.array([0.0, 1.0, 0.3]), (0.1, 0.9)
    direct = [[1 + bet / 0.95 * (0.05 - value) for bet in bets] for value in loss]
    np.testing.assert_allclose(np.exp(log_gains(loss, np.ones(3), 0.05, bets)), direct)
    assert np.exp(log_mixed(np.log(direct), (0.25, 0.5))) == pytest.approx(np.array(direct) @ [0.25, 0.5])


def test_gains_at_many_risks_are_those_at_each() -> None:
    rng = np.random.default_rng(0)
    loss, weight, risks, bets = rng.random(50), rng.uniform(0.1, 1, 50), np.array([0.02, 0.4, 0.9]), (0.2, 0.8)
    together = log_gains(loss[:, None], weight[:, None], risks, bets)
    for place, risk in enumerate(risks):
        np.testing.assert_allclose(together[:, place], log_gains(loss, weight, float(risk), bets))
    assert (np.diff(together, axis=1) >= 0).all()  # so that what refutes a risk refutes all above it


@given(cut=cuts(300), seed=st.integers(0, 99))
def test_sums_do_not_depend_on_batches(cut: list[int], seed: int) -> None:
    steps = np.random.default_rng(seed).normal(size=(300, 4)) * 10.0 ** np.arange(-3, 5, 2)
    total = start = np.zeros(4)
    for part in batches(cut, 300):
        total = np.vstack([total[None], running(total, steps[part])])[-1]
    assert total.tolist() == running(start, steps)[-1].tolist()


@pytest.mark.parametrize("bets", [(), (1.0,), (-0.1,)])
def test_bets_that_may_ruin_are_refused(bets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="below 1"):
        check_bets(bets, (1.0,) * len(bets))


@pytest.mark.parametrize("shares", [(0.5,), (0.0, 1.0), (0.6, 0.6)])
def test_shares_are_positive_and_one_in_all(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="positive shares"):
        check_bets((0.1, 0.5), shares)


@pytest.mark.parametrize(("loss", "weight"), [(1.1, 1.0), (-0.1, 1.0), (0.5, 0.0), (0.5, 1.1), (0.5, np.nan)])
def test_losses_and_weights_have_their_ranges(loss: float, weight: float) -> None:
    with pytest.raises(ValueError, match="lies"):
        check_losses(np.array([loss]), np.array([weight]))
