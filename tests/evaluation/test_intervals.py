"""Intervals hold what they say, by simulation and against independent routes."""

import numpy as np
import pytest
from scipy import stats

from understudy.evaluation.intervals import bootstrap, bootstrap_weights, draws_for, paired_bootstrap
from understudy.evaluation.measures import measure


def world(seed: int, n: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities of two classes, and the truth."""
    rng = np.random.default_rng(seed)
    positive = rng.beta(2, 2, n)
    return (rng.random(n) < positive).astype(np.int64), np.column_stack([1 - positive, positive])


def test_the_same_seed_gives_the_same_bounds() -> None:
    y, p = world(0)
    assert bootstrap(y, p, ["roc_auc", "brier"], seed=7) == bootstrap(y, p, ["roc_auc", "brier"], seed=7)
    assert bootstrap(y, p, ["brier"], seed=7) != bootstrap(y, p, ["brier"], seed=8)


def test_the_estimate_is_the_metric_of_all_rows() -> None:
    y, p = world(1)
    for name, evidence in bootstrap(y, p, ["roc_auc", "pr_auc", "log_loss", "f1"]).items():
        assert evidence.estimate == measure(name, y, p)
        assert evidence.lower < evidence.estimate < evidence.upper
        assert (evidence.n, evidence.method) == (150, "bootstrap, 1,000 draws")


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    rng = np.random.default_rng(2)
    y, p = rng.normal(size=800), np.zeros((800, 1))
    evidence = bootstrap(y, p, ["mae"])["mae"]
    half = 1.96 * np.abs(y).std() / np.sqrt(800)
    assert evidence.upper - evidence.lower == pytest.approx(2 * half, rel=0.12)


def test_bounds_of_the_auc_hold_the_truth_about_as_often_as_they_say() -> None:
    truth = measure("roc_auc", *world(99, 200_000))
    held = [
        evidence.lower <= truth <= evidence.upper
        for evidence in (bootstrap(*world(seed), ["roc_auc"], seed=seed)["roc_auc"] for seed in range(120))
    ]
    assert np.mean(held) >= stats.binom.ppf(0.001, 120, 0.95) / 120


def test_a_metric_that_is_not_defined_is_left_out() -> None:
    y, p = np.zeros(30, dtype=np.int64), np.full((30, 2), 0.5)
    assert set(bootstrap(y, p, ["roc_auc", "pr_auc", "accuracy", "log_loss"])) == {"accuracy", "log_loss"}


def test_one_positive_among_few_rows_still_gives_finite_bounds() -> None:
    y, p = np.array([0, 0, 0, 0, 1]), np.tile([0.6, 0.4], (5, 1))
    assert np.isfinite([bootstrap(y, p, ["roc_auc"])["roc_auc"].lower]).all()


def test_one_row_is_enough_to_draw_from() -> None:
    evidence = bootstrap(np.array([1]), np.array([[0.2, 0.8]]), ["accuracy"])["accuracy"]
    assert (evidence.lower, evidence.upper) == (1.0, 1.0)


def test_pairing_cancels_what_both_share() -> None:
    y, p = world(3, 400)
    shifted = np.clip(p + np.random.default_rng(3).normal(0, 0.02, p.shape), 0.01, 0.99)
    gain = paired_bootstrap(y, {"model": p, "baseline": shifted}, "brier")
    alone = bootstrap(y, p, ["brier"])["brier"]
    assert gain.upper - gain.lower < (alone.upper - alone.lower) / 3


@pytest.mark.parametrize("name", ["roc_auc", "log_loss"])
def test_a_gain_is_positive_where_the_model_is_better_whatever_the_metric(name: str) -> None:
    y, p = world(4, 500)
    assert paired_bootstrap(y, {"model": p, "baseline": np.full_like(p, 0.5)}, name).lower > 0
    assert paired_bootstrap(y, {"model": np.full_like(p, 0.5), "baseline": p}, name).upper < 0


def test_a_model_beside_itself_gains_exactly_nothing() -> None:
    y, p = world(5)
    gain = paired_bootstrap(y, {"model": p, "baseline": p}, "roc_auc")
    assert (gain.estimate, gain.lower, gain.upper) == (0, 0, 0)


def test_a_gain_over_an_equal_is_rarely_significant() -> None:
    significant = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=80)
        both = {"model": rng.normal(size=(80, 1)), "baseline": rng.normal(size=(80, 1))}
        significant += paired_bootstrap(y, both, "mae", seed=seed).lower > 0
    assert significant <= stats.binom.ppf(0.999, 100, 0.035)


def test_rows_of_a_group_are_drawn_together() -> None:
    groups = np.array(["a", "b", "a", "c", "b"])
    for weights in bootstrap_weights(5, 20, 0, groups):
        assert weights[0] == weights[2]
        assert weights[1] == weights[4]


def test_repeated_rows_do_not_narrow_a_cluster_interval() -> None:
    y, p = world(6, 100)
    groups = np.repeat(np.arange(100), 5)
    once = bootstrap(y, p, ["brier"])["brier"]
    five = bootstrap(np.repeat(y, 5), np.repeat(p, 5, axis=0), ["brier"], groups=groups)["brier"]
    naive = bootstrap(np.repeat(y, 5), np.repeat(p, 5, axis=0), ["brier"])["brier"]
    assert five.upper - five.lower == pytest.approx(once.upper - once.lower, rel=0.1)
    assert naive.upper - naive.lower < 0.6 * (five.upper - five.lower)
    assert (five.n, five.method) == (100, "cluster bootstrap, 1,000 draws")


def test_many_rows_take_fewer_draws() -> None:
    assert draws_for(1) == 1000
    assert draws_for(10**9) == 200
