"""ROC, precision and recall, gain: each point against scikit-learn or a loop, and the bands by simulation."""

import msgspec
import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from understudy.evaluation.cells import cell_counts, drawn_counts, score_edges
from understudy.evaluation.curves import RankingCurves, ranking_curves


def world(seed: int, n: int, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 3, n).round(decimals)
    return (rng.random(n) < p).astype(np.int64), p


def test_each_point_of_the_roc_is_scikit_learns() -> None:
    y, p = world(0, 500)
    found = ranking_curves(y, p, "yes")
    false, true, _ = metrics.roc_curve(y, p, drop_intermediate=False)
    assert [one.false_positives for one in found.roc] == pytest.approx(false)
    assert [one.true_positives for one in found.roc] == pytest.approx(true)
    assert all(one.lower <= one.true_positives <= one.upper for one in found.roc)


def test_each_point_of_precision_and_recall_is_scikit_learns() -> None:
    y, p = world(1, 500)
    found = ranking_curves(y, p, "yes")
    precision, recall, at = metrics.precision_recall_curve(y, p)
    assert [one.threshold for one in found.precision] == pytest.approx(at[::-1])
    assert [one.precision for one in found.precision] == pytest.approx(precision[:-1][::-1])
    assert [one.recall for one in found.precision] == pytest.approx(recall[:-1][::-1])


def test_gain_counts_the_positives_among_the_highest() -> None:
    rng = np.random.default_rng(2)
    p = rng.permutation(300) / 300
    y = (rng.random(300) < p).astype(np.int64)
    ordered = y[np.argsort(-p)]
    found = ranking_curves(y, p, "yes")
    for one in found.gain:
        top = ordered[: round(one.share * 300)]
        assert one.found == pytest.approx(top.sum() / y.sum(), abs=0.012)
        assert one.lift == pytest.approx(one.found / one.share)
    assert found.gain[-1].found == pytest.approx(1.0)


def test_the_area_under_few_points_is_that_of_all() -> None:
    y, p = world(3, 20_000, decimals=9)
    found = ranking_curves(y, p, "yes")
    assert max(len(found.roc), len(found.precision), len(found.gain)) <= 200
    area = np.trapezoid([one.true_positives for one in found.roc], [one.false_positives for one in found.roc])
    assert area == pytest.approx(metrics.roc_auc_score(y, p), abs=2e-4)


def test_a_rare_class_is_cut_as_finely_as_the_other() -> None:
    rng = np.random.default_rng(4)
    y = (np.arange(50_000) < 50).astype(np.int64)
    score = rng.normal(size=50_000) + 3 * y
    found = ranking_curves(y, score, "yes")
    assert len({one.recall for one in found.precision}) >= 50


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_curves(label: int) -> None:
    assert ranking_curves(np.full(5, label), np.arange(5.0), "yes") is None


def test_two_rows_have_curves() -> None:
    found = ranking_curves(np.array([0, 1]), np.array([0.3, 0.3]), "yes")
    assert [(one.false_positives, one.true_positives) for one in found.roc] == [(0, 0), (1, 1)]
    assert msgspec.json.decode(msgspec.json.encode(found), type=RankingCurves) == found


def test_drawing_counts_is_drawing_rows() -> None:
    y, p = world(5, 400)
    edges = score_edges(y, p, 6)
    by_counts = drawn_counts(y, p, edges, seed=0)
    by_rows = drawn_counts(y, p, edges, seed=0, groups=np.arange(400))
    counts = cell_counts(y, p, edges)
    for draws in (by_counts, by_rows):
        assert draws.mean(axis=0) == pytest.approx(counts, abs=4 * np.sqrt(counts.max() / len(draws)))
        filled = counts > 5
        assert draws.var(axis=0)[filled] / counts[filled] == pytest.approx(np.ones(filled.sum()), abs=0.45)


def covers(seed: int, truth: float, *, tied: bool, grouped: bool) -> bool:
    """Whether the band of the precision at a threshold of a half holds the truth."""
    y, p = world(seed, 300)
    rows = np.repeat(np.arange(60), 5) if tied else np.arange(300)
    p = np.where(p >= 0.3, 0.5, 0.1)[rows]
    y = y[rows]
    found = ranking_curves(y, p, "yes", seed=seed, groups=rows if grouped else None)
    at = next(one for one in found.precision if one.threshold == 0.5)
    return at.lower <= truth <= at.upper


def test_the_band_of_precision_holds_what_it_says_and_would_not_for_rows_that_hang_together() -> None:
    y, p = world(999, 400_000)
    truth = float(y[p >= 0.3].mean())
    missed = sum(not covers(seed, truth, tied=False, grouped=False) for seed in range(200))
    assert missed <= stats.binom.ppf(0.999, 200, 0.06)
    missed = sum(not covers(seed, truth, tied=True, grouped=True) for seed in range(80))
    assert missed <= stats.binom.ppf(0.999, 80, 0.08)  # 60 groups are few for a bootstrap
    broken = sum(not covers(seed, truth, tied=True, grouped=False) for seed in range(80))
    assert broken > stats.binom.ppf(0.999, 80, 0.08)
