"""The test of a slice keeps its level with few rows, rare errors, tails, weights and rows that belong together."""

import numpy as np
import pytest
from scipy import stats

from evidence.promises import kept
from understudy.evaluation.slice_evidence import adjusted, gap, gap_evidence

RUNS = 2000
ALPHA = 0.05


def test_the_figures_are_those_of_a_hand_calculation() -> None:
    loss = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    found = gap(loss, np.arange(10) < 4)
    assert found is not None
    assert found.estimate == pytest.approx(3 / 4 - 1 / 6)
    inside = max(0.75 * 0.25 / 3, 0.24 / 4)  # s²/n = p(1 − p)/(n − 1), or the variance of all rows over n
    outside = max(1 / 6 * 5 / 6 / 5, 0.24 / 6)
    assert found.error == pytest.approx(np.sqrt(inside + outside))
    assert found.df == pytest.approx((inside + outside) ** 2 / (inside**2 / 3 + outside**2 / 5))
    assert found.p == pytest.approx(2 * stats.t.sf(found.estimate / found.error, found.df))
    assert found.effect == pytest.approx(np.sqrt(2) * found.estimate / np.sqrt(4 * inside + 6 * outside))


def test_without_groups_it_is_never_surer_than_welch() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        loss, inside = rng.exponential(size=200), rng.random(200) < 0.3
        loss[inside] += 0.5
        found = gap(loss, inside)
        assert found is not None
        reference = stats.ttest_ind(loss[inside], loss[~inside], equal_var=False)
        assert reference.pvalue <= found.p * (1 + 1e-9) < 20 * reference.pvalue + 1e-6


def sandwich(loss: np.ndarray, inside: np.ndarray, w: np.ndarray, groups: np.ndarray) -> float:
    """The standard error of the slope of a weighted regression on `inside`, robust to groups."""
    X = np.column_stack([np.ones(len(loss)), inside])
    bread = np.linalg.inv(X.T @ (w[:, None] * X))
    residual = loss - X @ (bread @ X.T @ (w * loss))
    scores = np.zeros((groups.max() + 1, 2))
    np.add.at(scores, groups, (w * residual)[:, None] * X)
    return float(np.sqrt((bread @ scores.T @ scores @ bread)[1, 1]))


def test_weights_and_groups_agree_with_a_robust_regression() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 300, 6000)
    inside = rng.random(6000) < 0.3
    loss = rng.normal(size=300)[groups] * (1 + 2 * inside) + rng.normal(size=6000)
    w = rng.lognormal(0, 0.5, 6000)
    found = gap(loss, inside, w, groups)
    assert found is not None
    assert found.error == pytest.approx(sandwich(loss, inside, w, groups), rel=0.02)
    alone = gap(loss, inside, w, np.arange(6000))
    assert alone is not None
    assert alone.error == pytest.approx(sandwich(loss, inside, w, np.arange(6000)), rel=0.15)


def test_the_scale_of_weights_means_nothing() -> None:
    rng = np.random.default_rng(0)
    loss, inside, w = rng.random(200), rng.random(200) < 0.4, rng.random(200) + 0.1
    first, second = gap(loss, inside, 1000 * w), gap(loss, inside, w)
    assert first is not None
    assert second is not None
    assert first.p == pytest.approx(second.p)
    same, plain = gap(loss, inside, np.full(200, 3.0)), gap(loss, inside)
    assert same is not None
    assert plain is not None
    assert same.p == pytest.approx(plain.p)


WORLDS = {
    "half are wrong": (40, lambda rng, n: (rng.random(n) < 0.5) * 1.0),
    "nearly all are wrong": (15, lambda rng, n: (rng.random(n) < 0.95) * 1.0),
    "few are wrong": (40, lambda rng, n: (rng.random(n) < 0.02) * 1.0),
    "squares": (30, lambda rng, n: rng.normal(size=n) ** 2),
    "a heavy tail": (30, lambda rng, n: np.minimum(rng.standard_t(3, n) ** 2, 18.0)),
}


def false_alarms(world: str) -> np.ndarray:
    size, draw = WORLDS[world]
    rng = np.random.default_rng(1)
    found = [gap(draw(rng, 400), np.arange(400) < size) for _ in range(RUNS)]
    return np.array([one is not None and one.p <= ALPHA for one in found])


@pytest.mark.parametrize("world", WORLDS)
def test_a_slice_like_the_rest_is_called_worse_no_oftener_than_half_of_alpha(world: str) -> None:
    assert kept(false_alarms(world), ALPHA / 2)


def test_without_the_least_variance_slices_that_are_all_wrong_would_break_the_level() -> None:
    loss = (np.random.default_rng(1).random((RUNS, 400)) < 0.95) * 1.0
    loss[:, 15] = 0.0  # else a row without any difference has no t
    excess = loss[:, :15].mean(axis=1) - loss[:, 15:].mean(axis=1)
    error = np.sqrt(loss[:, :15].var(axis=1, ddof=1) / 15 + loss[:, 15:].var(axis=1, ddof=1) / 385)
    assert not kept(excess / error > stats.t.isf(ALPHA / 2, 384), ALPHA / 2)


def grouped(known: bool) -> np.ndarray:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(60), 8)
    found = []
    for _ in range(RUNS // 2):
        loss = (rng.random(480) < rng.beta(0.5, 1, 60)[groups]) * 1.0
        found.append(gap(loss, groups < 20, groups=groups if known else None))
    return np.array([one is not None and one.p <= ALPHA for one in found])


def test_rows_that_belong_together_count_once() -> None:
    assert kept(grouped(known=True), ALPHA / 2)
    assert not kept(grouped(known=False), ALPHA / 2)


def test_the_bounds_hold_the_true_excess() -> None:
    rng = np.random.default_rng(3)
    missed = []
    for _ in range(RUNS):
        found = gap((rng.random(600) < np.where(np.arange(600) < 90, 0.3, 0.1)) * 1.0, np.arange(600) < 90)
        assert found is not None
        lower, upper = found.bounds(ALPHA)
        missed.append(not lower <= 0.2 <= upper)
    assert kept(np.array(missed), ALPHA)


def test_weights_that_follow_the_loss_are_needed() -> None:
    rng = np.random.default_rng(4)
    weighted, plain = [], []
    for _ in range(RUNS // 2):
        inside = np.arange(600) < 150
        loss = (rng.random(600) < 0.2) * 1.0
        drawn = rng.random(600) < np.where(inside & (loss == 0), 0.3, 1.0)  # right answers of the slice are seldom kept
        w = np.where(inside & (loss == 0), 1 / 0.3, 1.0)[drawn]
        with_, without = gap(loss[drawn], inside[drawn], w), gap(loss[drawn], inside[drawn])
        weighted.append(with_ is not None and with_.p <= ALPHA)
        plain.append(without is not None and without.p <= ALPHA)
    assert kept(np.array(weighted), ALPHA / 2)
    assert not kept(np.array(plain), ALPHA / 2)


@pytest.mark.parametrize(
    ("loss", "inside"),
    [([1.0], [True]), ([1.0, 0.0], [True, False]), ([1.0, 0.0, 0.0], [False] * 3), ([1.0, 0.0, 0.0], [True] * 3)],
)
def test_too_few_rows_on_a_side_give_no_answer(loss: list[float], inside: list[bool]) -> None:
    assert gap(np.array(loss), np.array(inside)) is None


def test_equal_losses_are_no_excess() -> None:
    found = gap(np.full(20, 0.7), np.arange(20) < 5)
    assert found is not None
    assert (found.estimate, found.error, found.p) == (0.0, 0.0, 1.0)


def test_a_slice_better_than_the_rest_is_no_discovery() -> None:
    found = gap(np.array([0.0] * 50 + [1.0] * 50), np.arange(100) < 50)
    assert found is not None
    assert found.p == 1.0


def test_holm_and_bh_adjust_as_by_hand() -> None:
    p = np.array([0.01, 0.02, 0.03, 0.5])
    assert adjusted(p, "holm").tolist() == pytest.approx([0.04, 0.06, 0.06, 0.5])
    assert adjusted(p, "bh").tolist() == pytest.approx([0.04, 0.04, 0.04, 0.5])
    assert adjusted(np.array([]), "holm").tolist() == []


def test_holm_keeps_the_family_wise_rate_and_no_adjustment_breaks_it() -> None:
    p = np.random.default_rng(0).random((RUNS, 8))
    assert kept(np.array([(adjusted(row, "holm") <= ALPHA).any() for row in p]), ALPHA)
    assert not kept((p <= ALPHA).any(axis=1), ALPHA)


def test_bounds_widen_with_the_number_of_slices_and_stop_at_zero_where_holm_has_shown_an_excess() -> None:
    found = gap(np.array([1.0] * 12 + [0.0] * 28 + [1.0] * 8 + [0.0] * 72), np.arange(120) < 40)
    assert found is not None
    given = {"times": 0.5, "alpha": ALPHA}
    one, many = (gap_evidence(found, tested=tested, above_zero=False, **given) for tested in (1, 10))
    assert many.lower < 0 < one.lower
    assert gap_evidence(found, tested=10, above_zero=True, **given).lower == 0.0
    assert one.estimate == pytest.approx(found.estimate / 2)
    assert one.confidence == 0.95
