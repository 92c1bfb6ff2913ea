"""Shares of the traffic, and the draw: probabilities that are kept, arms that stay, little regret."""

from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import special, stats

from understudy.autonomy.bandits import inverse_gap_weights, race, thompson

counts = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=5)


def beats(won: int, lost: int, other_won: int, other_lost: int) -> float:
    """The probability that the first of two success rates is the higher one, as a finite sum."""
    a, b, c, d = 1 + other_won, 1 + other_lost, 1 + won, 1 + lost
    places = np.arange(c)
    logs = special.betaln(a + places, b + d) - np.log(d + places) - special.betaln(1 + places, d)
    return float(np.exp(logs - special.betaln(a, b)).sum())


@pytest.mark.parametrize(
    ("first", "second"), [((9, 1), (8, 2)), ((0, 0), (3, 0)), ((40, 60), (41, 59)), ((5000, 200), (4980, 205))]
)
def test_a_share_is_the_probability_of_being_the_best(first: tuple[int, int], second: tuple[int, int]) -> None:
    shares = thompson(np.array([first[0], second[0]]), np.array([first[1], second[1]]), floor=0.0)
    assert shares[0] == pytest.approx(beats(*first, *second), abs=1e-4)


def test_of_several_arms_too() -> None:
    won, lost = np.array([50, 45, 2, 0]), np.array([10, 12, 0, 0])
    draws = np.random.default_rng(1).beta(1 + won, 1 + lost, (400_000, 4))
    seen = np.bincount(draws.argmax(axis=1)) / len(draws)
    assert thompson(won, lost, floor=0.0) == pytest.approx(seen, abs=0.004)


@given(counts, st.floats(0, 1), st.randoms())
def test_shares_are_one_in_all_at_least_the_floor_and_the_order_of_the_arms_does_not_matter(
    arms: list[tuple[float, float]], floor: float, random
) -> None:
    won, lost = np.array(arms).T
    shares = thompson(won, lost, floor=floor)
    assert shares.sum() == pytest.approx(1)
    assert shares.min() >= min(floor, 1 / len(arms)) - 1e-9
    order = random.sample(range(len(arms)), len(arms))
    assert thompson(won[order], lost[order], floor=floor) == pytest.approx(shares[order], abs=1e-9)


@pytest.mark.parametrize("count", [0, 1, 7.5, 1e7])
def test_equal_arms_get_equal_shares(count: float) -> None:
    assert thompson(np.full(3, count), np.full(3, count), floor=0.05) == pytest.approx(np.full(3, 1 / 3))


def test_an_arm_that_nobody_has_seen_may_be_the_best_and_one_that_only_failed_keeps_the_floor() -> None:
    assert thompson(np.array([90, 0]), np.array([10, 0]), floor=0.0)[1] == pytest.approx(0.1, abs=0.02)
    hopeless = thompson(np.array([0, 1e6]), np.array([1e6, 0]), floor=0.05)
    assert hopeless == pytest.approx([0.05, 0.95])
    assert thompson(np.array([3.0]), np.array([4.0]), floor=0.05).tolist() == [1.0]


@pytest.mark.parametrize(
    ("won", "lost"), [([-1, 2], [0, 0]), ([np.nan, 2], [0, 0]), ([1, 2], [np.inf, 0]), ([], []), (3, 4)]
)
def test_counts_that_are_none_are_refused(won, lost) -> None:
    with pytest.raises(ValueError, match="each arm needs two counts of at least 0"):
        thompson(np.array(won), np.array(lost), floor=0.05)


def regret(rates: np.ndarray, floor: float, *, delay: int, seed: int, batches: int = 60, size: int = 100) -> float:
    """The mean loss above that of the best arm, where arms learn from what was chosen, some batches later."""
    rng = np.random.default_rng(seed)
    won, lost, lag, total = np.zeros(len(rates)), np.zeros(len(rates)), [], 0.0
    for _ in range(batches):
        shares = thompson(won, lost, floor=floor)
        arms = race(np.tile(shares, (size, 1)), rng.random((size, len(rates))))
        success = rng.random(size) < rates[arms]
        total += float((rates.max() - rates[arms]).sum())
        lag.append((np.bincount(arms[success], minlength=3), np.bincount(arms[~success], minlength=3)))
        if len(lag) > delay:
            more, fewer = lag.pop(0)
            won, lost = won + more, lost + fewer
    return total / (batches * size)


@pytest.mark.parametrize("delay", [0, 10])
def test_it_loses_a_fraction_of_what_equal_shares_lose_also_where_rewards_come_late(delay: int) -> None:
    rates = np.array([0.80, 0.85, 0.90])
    equal = float((rates.max() - rates).mean())
    mean = np.mean([regret(rates, 0.02, delay=delay, seed=seed) for seed in range(10)])
    assert regret(rates, 1.0, delay=delay, seed=0) == pytest.approx(equal, abs=0.003)
    assert mean < (0.35 if delay == 0 else 0.55) * equal
    assert mean > 0.02 * equal


losses = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5).map(np.array)


@given(losses, st.floats(0, 1e4), st.floats(0, 0.3))
def test_inverse_gap_weights_are_one_in_all_at_least_the_floor_and_fall_with_the_loss(
    predicted: np.ndarray, gamma: float, floor: float
) -> None:
    weights = inverse_gap_weights(predicted, gamma, floor=floor)
    assert weights.sum(axis=1) == pytest.approx(np.ones(len(weights)))
    assert weights.min() >= floor * (1 - 1e-9)
    for row, lost in zip(weights, predicted, strict=True):
        falling = row[np.argsort(lost, kind="stable")]
        assert all(more >= less - 1e-12 for more, less in pairwise(falling))


def worth(weights: np.ndarray, predicted: np.ndarray, true: np.ndarray, gamma: float) -> float:
    """What is lost above the best arm, less what the predictions' errors pay for."""
    return float(weights @ (true - true.min() - gamma / 4 * (predicted - true) ** 2))


@given(st.tuples(losses, losses), st.floats(0.1, 1e4))
def test_what_is_lost_is_paid_for_by_errors_of_the_predictions(both: tuple, gamma: float) -> None:
    """The inequality on which the bound of the regret rests: Foster & Rakhlin 2020, lemma 3."""
    predicted, true = both[0][0], both[1][0]
    [weights] = inverse_gap_weights(predicted[None], gamma, floor=0.0)
    assert worth(weights, predicted, true, gamma) <= 2 * len(true) / gamma + 1e-9


def test_a_greedy_choice_breaks_it() -> None:
    predicted, true = np.array([0.5, 0.51, 0.51]), np.array([0.5, 0.0, 0.51])
    assert worth(np.array([1.0, 0.0, 0.0]), predicted, true, 100) > 6 / 100
    assert worth(inverse_gap_weights(predicted[None], 100, floor=0.0)[0], predicted, true, 100) < 6 / 100


def test_ties_share_equally_and_arms_that_cannot_answer_get_nothing() -> None:
    predicted = np.array([[0.2, 0.2, 0.2], [0.2, np.nan, 0.2], [np.nan, np.nan, 0.9]])
    weights = inverse_gap_weights(predicted, 50.0, floor=0.05)
    assert weights == pytest.approx(np.array([[1 / 3] * 3, [0.5, 0, 0.5], [0, 0, 1]]))
    assert inverse_gap_weights(np.array([[0.0, 1.0]]), 0.0, floor=0.05).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(("predicted", "gamma"), [([[np.nan, np.nan]], 1.0), ([[0.1, 0.2]], -1.0), ([[0.1]], np.nan)])
def test_what_has_no_weights_is_refused(predicted: list, gamma: float) -> None:
    with pytest.raises(ValueError, match="each case needs an arm that can answer"):
        inverse_gap_weights(np.array(predicted), gamma, floor=0.05)


UNITS = np.random.default_rng(5).random((60_000, 3))


def held(*shares: float) -> np.ndarray:
    return race(np.tile(shares, (len(UNITS), 1)), UNITS)


@pytest.mark.parametrize("shares", [(0.9, 0.05, 0.05), (1 / 3, 1 / 3, 1 / 3), (0.2, 0.0, 0.8), (0.003, 0.007, 0.99)])
def test_arms_get_what_their_shares_say(shares: tuple[float, ...]) -> None:
    seen = np.bincount(held(*shares), minlength=3)
    given_some = np.array(shares) > 0
    assert seen[~given_some].sum() == 0
    assert stats.chisquare(seen[given_some], np.array(shares)[given_some] * len(UNITS)).pvalue > 0.01


def test_a_draw_of_zero_wins_and_an_arm_without_a_share_never_does() -> None:
    assert race(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([[0.3, 0.0], [0.0, 0.999]])).tolist() == [1, 1]


def test_an_arm_that_grows_keeps_its_units_and_the_others_exchange_none() -> None:
    before, after = held(0.8, 0.1, 0.1), held(0.7, 0.2, 0.1)
    assert (after[before == 1] == 1).all()
    gone, left = held(0.8, 0.2, 0.0), held(0.4, 0.1, 0.5)
    moved = gone != left
    assert (left[moved] == 2).all()


@pytest.mark.parametrize(
    ("before", "after"),
    [((0.8, 0.1, 0.1), (0.7, 0.2, 0.1)), ((0.5, 0.3, 0.2), (0.2, 0.3, 0.5)), ((0.9, 0.05, 0.05), (0.05, 0.05, 0.9))],
)
def test_changing_shares_moves_as_few_units_as_is_possible(before: tuple, after: tuple) -> None:
    p, q = np.array(before), np.array(after)
    stay = sum(1 / np.maximum(p / p[arm], q / q[arm]).sum() for arm in range(3))
    moved, distance = float((held(*before) != held(*after)).mean()), np.abs(p - q).sum() / 2
    assert moved == pytest.approx(1 - stay, abs=0.008)
    assert distance - 0.008 < moved < 2 * distance / (1 + distance) + 0.008
