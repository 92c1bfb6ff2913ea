"""Differences on the same rows are bounded as promised, also where few rows differ or rows belong together."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from evidence.promises import kept
from understudy.evaluation.changes import HeldOut, mean_change, percents, share, simultaneous

RUNS = 2000


def pairs(seed: int, n: int, better: float, worse: float) -> np.ndarray:
    """Differences of wrong decisions, −1, 0 or 1."""
    return np.random.default_rng(seed).choice([1.0, -1.0, 0.0], n, p=[better, worse, 1 - better - worse])


@pytest.mark.parametrize(
    ("n", "better", "worse"), [(100, 0.02, 0.02), (100, 0.1, 0.02), (400, 0.01, 0.0), (60, 0.2, 0.1)]
)
def test_the_mean_lies_within_its_bounds_as_often_as_promised(n, better, worse):
    found = [mean_change(pairs(seed, n, better, worse)) for seed in range(RUNS)]
    assert kept(np.array([not one.lower <= better - worse <= one.upper for one in found]), 0.05)


def test_plain_bounds_break_the_promise_where_few_rows_differ():
    """Without the rows that are added: mean ± 1.96 standard errors."""
    out = []
    for seed in range(RUNS):
        values = pairs(seed, 400, 0.01, 0.0)
        half = 1.96 * values.std(ddof=1) / 20
        out.append(not values.mean() - half <= 0.01 <= values.mean() + half)
    assert not kept(np.array(out), 0.05)


def grouped(seed: int, units: int = 60, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one group mostly share their difference."""
    rng = np.random.default_rng(seed)
    common = np.repeat(rng.choice([1.0, -1.0, 0.0], units, p=[0.2, 0.2, 0.6]), size)
    own = rng.choice([1.0, -1.0, 0.0], units * size, p=[0.2, 0.2, 0.6])
    return np.where(rng.random(units * size) < 0.7, common, own), np.repeat(np.arange(units), size)


def test_rows_of_one_group_are_counted_together():
    out = [not found.lower <= 0 <= found.upper for found in (mean_change(*grouped(seed)) for seed in range(RUNS))]
    assert kept(np.array(out), 0.05)


def test_bounds_that_forget_the_groups_break_the_promise():
    out = [not found.lower <= 0 <= found.upper for found in (mean_change(grouped(seed)[0]) for seed in range(RUNS))]
    assert not kept(np.array(out), 0.05)


def test_bounds_are_those_of_the_formula():
    """Bonett & Price (2012): one case is added to each of the cells that differ."""
    values = np.array([1.0] * 12 + [-1.0] * 5 + [0.0] * 83)
    b, c, n = 13, 6, 102
    middle = (b - c) / n
    half = stats.t.ppf(0.975, 99) * np.sqrt((b / n + c / n - middle**2) / n)
    found = mean_change(values)
    assert found.lower == pytest.approx(middle - half, rel=0.01)
    assert found.upper == pytest.approx(middle + half, rel=0.01)
    assert found.estimate == pytest.approx(0.07)


def test_several_comparisons_hold_together():
    """Ten comparisons of equals: the chance that any is shown is at most 5 %, not 40 %."""
    each, broken, plain = simultaneous(10), [], []
    for seed in range(500):
        rows = [pairs(10 * seed + k, 300, 0.05, 0.05) for k in range(10)]
        broken.append(any(not one.lower <= 0 <= one.upper for one in (mean_change(v, confidence=each) for v in rows)))
        plain.append(any(not one.lower <= 0 <= one.upper for one in map(mean_change, rows)))
    assert kept(np.array(broken), 0.05)
    assert not kept(np.array(plain), 0.05)


def test_a_gain_in_the_metric_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 500)
    scores = [np.column_stack([1 - p, p]) for p in (rng.random(500) * 0.5 + 0.25 * y, rng.random(500) * 0.5 + 0.4 * y)]
    held = HeldOut(y, "roc_auc")
    gain = held.metric_gains(scores[0], [scores[1], scores[0]])
    assert gain[0].estimate == pytest.approx(roc_auc_score(y, scores[1][:, 1]) - roc_auc_score(y, scores[0][:, 1]))
    assert gain[0].lower > 0
    assert (gain[1].estimate, gain[1].lower, gain[1].upper) == (0, 0, 0)
    assert HeldOut(rng.random(9), "rmse", 0.1).metric_gains(np.zeros((9, 1)), [np.ones((9, 1))])[0].estimate < 0.6


def test_wrong_numbers_are_those_beyond_the_tolerance():
    held = HeldOut(np.array([1.0, 2.0]), "rmse", tolerance=0.5)
    assert held.wrong(np.array([[1.5], [2.6]])).tolist() == [0, 1]


def test_a_share_has_exact_bounds():
    assert share(np.array([0.0] * 100)).upper == pytest.approx(1 - 0.025 ** (1 / 100))
    assert share(np.ones(40), np.repeat(np.arange(10), 4)).n == 10


def test_no_row_is_refused():
    with pytest.raises(ValueError, match="no row"):
        mean_change(np.zeros(0))


def test_percents_have_the_decimals_that_the_width_supports():
    assert percents(mean_change(pairs(0, 100, 0.1, 0.1))).count("%") == 2
