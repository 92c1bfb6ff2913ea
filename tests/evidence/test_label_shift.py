"""The shares of the classes are found from scores alone, or it is said why they cannot be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import kept
from scipy import optimize, stats

from understudy.evidence.label_shift import (
    FIT_LEVEL,
    black_box_shares,
    fit,
    histograms,
    label_shift,
    likeliest_shares,
    likelihood_spread,
    same_counts,
)

TWO = np.array([[0.0], [1.5]])
THREE = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])


def cases(rng: np.random.Generator, shares: list[float], n: int, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and normal features."""
    labels = rng.choice(len(shares), n, p=shares)
    return labels, rng.normal(size=(n, means.shape[1])) + means[labels]


def posterior(features: np.ndarray, prior: list[float], means: np.ndarray, sharpness: float = 1.0) -> np.ndarray:
    """Calibrated scores by Bayes, or too sharp ones."""
    odds = sharpness * (np.log(prior) + features @ means.T - (means**2).sum(axis=1) / 2)
    scores = np.exp(odds - odds.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def outcomes(
    prior: list[float],
    shares: list[float],
    means: np.ndarray,
    *,
    m: int = 1000,
    n: int = 1000,
    runs: int = 300,
    sharpness: float = 1.0,
    moved: float = 0.0,
) -> dict[str, np.ndarray]:
    """For each run whether it was refused, whether MLLS or BBSE missed a share, and the p-values."""
    rng = np.random.default_rng(1)
    found: dict[str, list[float]] = {"refused": [], "missed": [], "check_missed": [], "fit_p": [], "shift_p": []}
    for _ in range(runs):
        labels, old = cases(rng, prior, m, means)
        _, new = cases(rng, shares, n, means)
        result = label_shift(
            posterior(old, prior, means, sharpness), labels, posterior(new + moved, prior, means, sharpness)
        )
        found["refused"].append(bool(result.refused))
        for name, stated in (("missed", result.shares), ("check_missed", result.check)):
            found[name].append(
                any(not one.lower <= share <= one.upper for one, share in zip(stated, shares, strict=True))
            )
        found["fit_p"].append(result.fit_p)
        found["shift_p"].append(result.shift_p)
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize(
    ("prior", "shares", "means", "sizes"),
    [
        ([0.5, 0.5], [0.8, 0.2], TWO, {}),
        ([0.5, 0.5], [0.8, 0.2], TWO, {"m": 300, "n": 200}),
        ([0.9, 0.1], [0.99, 0.01], TWO, {}),
        ([0.7, 0.3], [1.0, 0.0], TWO, {}),
        ([0.9, 0.1], [0.995, 0.005], np.array([[0.0], [5.0]]), {}),
        ([0.5, 0.3, 0.2], [0.2, 0.1, 0.7], THREE, {"m": 1500}),
        ([0.5, 0.5], [0.8, 0.2], TWO, {"m": 300, "n": 5000, "runs": 200}),
    ],
)
def test_bounds_miss_about_as_seldom_as_they_say_and_refusals_are_rare(
    prior: list[float], shares: list[float], means: np.ndarray, sizes: dict[str, int]
) -> None:
    found = outcomes(prior, shares, means, **sizes)
    assert kept(found["missed"], 0.05)
    assert found["refused"].mean() < 0.1
    assert found["check_missed"].mean() < 0.1
    assert kept(found["fit_p"] < FIT_LEVEL, FIT_LEVEL)


def test_scores_that_are_too_sharp_are_refused() -> None:
    assert outcomes([0.5, 0.3, 0.2], [0.2, 0.1, 0.7], THREE, m=1500, runs=60, sharpness=2.0)["refused"].mean() > 0.95


def test_uncalibrated_scores_miss_the_shares_where_nobody_asks() -> None:
    rng, prior, missed = np.random.default_rng(2), [0.5, 0.3, 0.2], []
    for _ in range(60):
        _, old = cases(rng, prior, 1500, THREE)
        _, new = cases(rng, [0.2, 0.1, 0.7], 1000, THREE)
        scores, new_scores = (posterior(some, prior, THREE, 2.0) for some in (old, new))
        ratio = new_scores / scores.mean(axis=0)
        shares = likeliest_shares(ratio)
        spread = likelihood_spread(ratio, shares, scores)
        missed.append((abs(shares - [0.2, 0.1, 0.7]) > 2.4 * spread).any())
    assert np.mean(missed) > 0.9


def test_cases_that_look_different_are_refused() -> None:
    found = outcomes([0.5, 0.5], [0.8, 0.2], TWO, runs=60, moved=-0.7)
    assert found["refused"].mean() > 0.95


def test_no_shift_is_noticed_as_seldom_as_its_level_and_a_shift_often() -> None:
    same = outcomes([0.6, 0.4], [0.6, 0.4], TWO, runs=300)
    assert kept(same["shift_p"] < 0.05, 0.05)
    assert (outcomes([0.6, 0.4], [0.8, 0.2], TWO, runs=60)["shift_p"] < 0.05).mean() > 0.9


def test_likelihood_beats_inversion() -> None:
    rng, prior, shares = np.random.default_rng(3), [0.4, 0.3, 0.3], [0.1, 0.2, 0.7]
    off: dict[str, list[float]] = {"shares": [], "check": []}
    for _ in range(100):
        labels, old = cases(rng, prior, 2000, THREE * 0.7)
        _, new = cases(rng, shares, 1000, THREE * 0.7)
        found = label_shift(posterior(old, prior, THREE * 0.7), labels, posterior(new, prior, THREE * 0.7))
        if not found.refused:
            for name, errors in off.items():
                stated = np.array([one.estimate for one in getattr(found, name)])
                errors.append(float(((stated - shares) ** 2).sum()))
    assert len(off["shares"]) > 90
    assert np.mean(off["shares"]) < 0.7 * np.mean(off["check"])


@given(seed=st.integers(0, 40), classes=st.integers(2, 4))
def test_the_likeliest_shares_are_those_of_a_general_optimiser(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    ratio = rng.exponential(size=(60, classes))
    ours = likeliest_shares(ratio)
    best = optimize.minimize(
        lambda shares: -np.log(ratio @ shares).mean(),
        np.full(classes, 1 / classes),
        bounds=[(0, 1)] * classes,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert -np.log(ratio @ ours).mean() <= best.fun + 1e-8
    np.testing.assert_allclose(ours, best.x, atol=1e-3)


def test_plain_expectation_maximisation_ends_at_the_same_shares() -> None:
    ratio = np.random.default_rng(4).exponential(size=(100, 3))
    shares = np.full(3, 1 / 3)
    for _ in range(20_000):
        responsibility = ratio * shares
        shares = (responsibility / responsibility.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(likeliest_shares(ratio), shares, atol=1e-6)


def test_sure_scores_are_counted() -> None:
    shares = likeliest_shares(np.repeat(np.eye(3), [10, 20, 70], axis=0))
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.7], atol=1e-8)
    padded = np.concatenate([np.repeat(np.eye(2), [30, 70], axis=0)])
    spread = likelihood_spread(padded, np.array([0.3, 0.7]), np.tile([0.5, 0.5], (1000, 1)))
    assert spread == pytest.approx(np.sqrt(0.3 * 0.7 / 100))  # the binomial standard error


def test_inversion_by_hand() -> None:
    labels = np.repeat([0, 1], 100)
    predicted = np.concatenate([np.repeat([0, 1], [80, 20]), np.repeat([0, 1], [30, 70])])
    new = np.repeat([0, 1], [60, 40])
    alpha = 0.1
    first, second = black_box_shares(np.eye(2)[predicted], labels, np.eye(2)[new], alpha=alpha)
    assert first.estimate == pytest.approx(0.6)  # 0.8 · 0.6 + 0.3 · 0.4 = 0.6
    variance = (0.6 * 0.4 / 100 + 0.36 * 0.8 * 0.2 / 100 + 0.16 * 0.3 * 0.7 / 100) / (0.8 - 0.3) ** 2
    assert first.upper - first.lower == pytest.approx(2 * stats.norm.isf(0.05) * np.sqrt(variance))
    assert (second.lower, second.upper) == pytest.approx((1 - first.upper, 1 - first.lower))
    assert histograms(predicted, labels, 2, 2).tolist() == [[0.8, 0.2], [0.3, 0.7]]


def test_predictions_of_one_class_only_leave_the_check_silent_and_the_likelihood_speaks() -> None:
    rng, prior = np.random.default_rng(5), [0.95, 0.05]
    labels, old = cases(rng, prior, 4000, TWO * 0.5)
    _, new = cases(rng, [0.9, 0.1], 2000, TWO * 0.5)
    found = label_shift(posterior(old, prior, TWO * 0.5), labels, posterior(new, prior, TWO * 0.5))
    assert found.refused == ""
    assert found.shares[1].lower < 0.1 < found.shares[1].upper
    assert (found.check[1].lower, found.check[1].upper, found.check[1].method) == (0.0, 1.0, "BBSE, refused")
    assert np.isnan(found.check[1].estimate)


def test_the_fit_is_that_of_the_histograms() -> None:
    rng, prior = np.random.default_rng(6), [0.5, 0.5]
    labels, old = cases(rng, prior, 2000, TWO)
    scores = posterior(old, prior, TWO)
    assert fit(scores, labels, scores, np.bincount(labels) / 2000) > 0.9  # the labelled cases themselves
    assert fit(scores, labels, posterior(np.full((500, 1), 0.75), prior, TWO), np.array([0.5, 0.5])) < 1e-6


SURE = np.repeat([[0.9, 0.1], [0.1, 0.9]], 40, axis=0)
LABELS = np.repeat([0, 1], 40)


@pytest.mark.parametrize(
    ("scores", "labels", "new_scores", "reason"),
    [
        (SURE, np.repeat([0, 1], [75, 5]), SURE, "class 1 has 5 labelled cases and needs 20"),
        (SURE, LABELS, SURE[:10], "there are 10 new cases and 20 are needed"),
        (SURE, LABELS, SURE[:0], "there are 0 new cases"),
        (np.tile([1.0, 0.0], (80, 1)), LABELS, SURE, "class 1 no chance at all"),
    ],
)
def test_it_says_why_it_says_nothing(
    scores: np.ndarray, labels: np.ndarray, new_scores: np.ndarray, reason: str
) -> None:
    found = label_shift(scores, labels, new_scores)
    assert reason in found.refused
    assert all((one.lower, one.upper) == (0.0, 1.0) and np.isnan(one.estimate) for one in found.shares + found.check)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": SURE * 2}, "scores, row 0: expected probabilities that add up to 1"),
        ({"new_scores": np.where(np.arange(80)[:, None] == 3, np.nan, SURE)}, "new_scores, row 3"),
        ({"new_scores": np.ones((80, 3)) / 3}, "one column per class"),
        ({"labels": LABELS[:5]}, "one for each of 80"),
        ({"labels": LABELS.astype(float)}, "whole numbers"),
        ({"labels": LABELS + 1}, "labels lie from 0 to 1, got 1 to 2"),
        ({"alpha": 1.0}, "alpha lies between"),
    ],
)
def test_bad_input_is_named(change: dict[str, np.ndarray], message: str) -> None:
    given = {"scores": SURE, "labels": LABELS, "new_scores": SURE, **change}
    with pytest.raises(ValueError, match=message):
        label_shift(**given)


def test_scores_that_tell_nothing_bound_nothing() -> None:
    found = label_shift(np.full((80, 2), 0.5), LABELS, np.full((80, 2), 0.5))
    assert [(one.lower, one.upper) for one in found.shares + found.check] == [(0.0, 1.0)] * 4


def test_counts_that_are_the_same_show_no_shift() -> None:
    assert same_counts(np.array([10, 0]), np.array([20, 0])) == 1.0
    assert same_counts(np.array([10, 30]), np.array([20, 60])) == pytest.approx(1.0)
