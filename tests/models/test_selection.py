"""Members share an answer where that is clearly better, and only there."""

import time

import numpy as np
import pytest

from understudy.models.selection import blended, clear_gain, greedy_weights


def chances(rng, n, noises):
    """Labels of two classes, and what members say who each see the log odds through noise of their own."""
    odds = 1.5 * rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    seen = 1 / (1 + np.exp(-(odds + np.array(noises)[:, None] * rng.normal(size=(len(noises), n)))))
    return np.stack([1 - seen, seen], axis=2), y


def log_loss(p, y):
    return -np.log(p[np.arange(len(y)), y]).mean()


def test_unlike_members_are_better_together_also_on_fresh_rows():
    stack, y = chances(np.random.default_rng(0), 3000, [0.8, 0.8, 0.8, 3.0])
    weights = greedy_weights(stack, y, "classification")
    assert weights.sum() == pytest.approx(1)
    assert (weights[:3] > 0.15).all()
    assert weights[3] < 0.1
    fresh, truth = chances(np.random.default_rng(1), 3000, [0.8, 0.8, 0.8, 3.0])
    assert log_loss(blended(fresh, weights), truth) < min(log_loss(one, truth) for one in fresh) - 0.01


def test_numbers_are_mixed_by_squared_error():
    rng = np.random.default_rng(2)
    y = rng.normal(size=2000)
    errors = rng.normal(size=(2, 2000)) * [[1.0], [2.0]]
    weights = greedy_weights((y + errors)[:, :, None], y, "regression")
    assert weights[0] == pytest.approx(0.8, abs=0.06)  # the inverse of the variances


def test_the_blend_found_is_as_good_as_the_best_mixture_of_two():
    """Against every mixture on a grid, tried out one by one."""
    stack, y = chances(np.random.default_rng(3), 2000, [0.7, 1.2])
    shares = np.linspace(0, 1, 201)
    best = min(log_loss(share * stack[0] + (1 - share) * stack[1], y) for share in shares)
    assert log_loss(blended(stack, greedy_weights(stack, y, "classification")), y) <= best + 1e-4


def test_a_member_that_is_as_good_alone_stays_alone():
    rng = np.random.default_rng(4)
    alone = 0
    for _ in range(40):
        stack, y = chances(rng, 400, [0.0])
        echoes = np.clip(stack + 0.001 * rng.normal(size=(4, 1, 1)), 0.001, 0.999)
        weights = greedy_weights(np.concatenate([stack, echoes]), y, "classification")
        alone += np.count_nonzero(weights) == 1
    assert alone >= 38


def test_of_equal_members_the_earlier_counts():
    stack, y = chances(np.random.default_rng(5), 500, [0.5])
    assert greedy_weights(np.concatenate([stack, stack, stack]), y, "classification").tolist() == [1.0, 0.0, 0.0]


def test_rows_that_a_member_does_not_predict_are_left_out():
    stack, y = chances(np.random.default_rng(6), 1000, [0.8, 0.8])
    expected = greedy_weights(stack[:, 100:], y[100:], "classification")
    stack[1, :100] = np.nan
    assert greedy_weights(stack, y, "classification").tolist() == expected.tolist()
    assert np.isnan(blended(stack, expected)[:100]).all()
    assert np.isfinite(blended(stack, np.array([1.0, 0.0]))).all()


def test_rows_count_by_their_weights():
    y = np.array([0.0] * 50 + [10.0] * 50)
    first, second = y + np.repeat([0.0, 5.0], 50), y + np.repeat([5.0, 0.0], 50)
    stack = np.stack([first, second])[:, :, None]
    heavy = np.repeat([1.0, 1000.0], 50)
    assert greedy_weights(stack, y, "regression").tolist() == [0.5, 0.5]
    assert greedy_weights(stack, y, "regression", heavy)[1] > 0.97


def test_no_more_members_than_allowed_take_part():
    stack, y = chances(np.random.default_rng(7), 2000, [1.0] * 12)
    assert np.count_nonzero(greedy_weights(stack, y, "classification")) == 8
    assert np.count_nonzero(greedy_weights(stack, y, "classification", most=3)) == 3
    assert np.count_nonzero(greedy_weights(stack, y, "classification", most=1)) == 1


def test_probabilities_of_zero_for_the_truth_are_costly_and_finite():
    y = np.array([0, 1, 0, 1])
    sure = np.stack([1.0 - y, 1.0 * y], axis=1)
    wrong = sure[:, ::-1]
    assert greedy_weights(np.stack([wrong, sure]), y, "classification").tolist() == [0.0, 1.0]


@pytest.mark.parametrize("stack", [np.zeros((0, 3, 1)), np.zeros((3, 1))])
def test_no_member_is_an_error(stack):
    with pytest.raises(ValueError, match="there must be a member"):
        greedy_weights(stack, np.zeros(3), "regression")


def test_no_common_row_is_an_error():
    stack = np.array([[[1.0], [np.nan]], [[np.nan], [1.0]]])
    with pytest.raises(ValueError, match="no row is predicted by every member"):
        greedy_weights(stack, np.zeros(2), "regression")


def test_a_gain_counts_if_it_is_larger_than_chance_and_than_the_least():
    rng = np.random.default_rng(8)
    shares = np.full(400, 1 / 400)
    before, noise = rng.normal(size=400), rng.normal(size=400)
    assert clear_gain(before, before - 0.2 + noise, shares) == (0.2 - noise.mean() > noise.std() / 20)
    assert not clear_gain(before, before - 0.1, shares, least=0.2)
    by_chance = [clear_gain(np.zeros(400), rng.normal(size=400), shares) for _ in range(2000)]
    assert 0.13 < np.mean(by_chance) < 0.19  # one standard error


def test_fifty_members_of_fifty_thousand_rows_take_a_moment():
    rng = np.random.default_rng(9)
    stack, y = chances(rng, 50_000, [1.0] * 50)
    began = time.process_time()
    greedy_weights(stack, y, "classification")
    assert time.process_time() - began < 2
