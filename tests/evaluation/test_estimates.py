"""Intervals that were chosen to suit a metric: against the bootstrap, published values, and by simulation."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from understudy.evaluation.by_class import by_class, weighted_averages
from understudy.evaluation.estimates import (
    estimates,
    f1_of,
    from_pulls,
    gain,
    mean_evidence,
    pulled_estimates,
    ratio_evidence,
    share_of,
)
from understudy.evaluation.intervals import bootstrap, paired_bootstrap
from understudy.evaluation.measures import METRICS, measure


def world(seed: int, n: int, k: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities with ties, and the truth."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), n).round(2) + 1e-3
    p /= p.sum(axis=1, keepdims=True)
    return np.minimum((p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1), k - 1), p


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("name", [name for name, one in METRICS.items() if one.kind == "classification"])
def test_the_pull_of_a_row_is_what_a_little_more_of_it_changes(name: str, k: int) -> None:
    y, p = world(0, 60, k)
    pulls = METRICS[name].prepare(y, p).pull()
    for row in (0, 7, 31):
        more, less = np.ones(60), np.ones(60)
        more[row], less[row] = 1 + 1e-5, 1 - 1e-5
        slope = 60 * (measure(name, y, p, more) - measure(name, y, p, less)) / 2e-5
        assert pulls[row] == pytest.approx(slope, abs=1e-4)
    assert pulls.mean() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", [name for name, one in METRICS.items() if one.kind == "regression"])
def test_the_pull_of_a_number_is_what_a_little_more_of_it_changes(name: str) -> None:
    rng = np.random.default_rng(1)
    y, p = rng.normal(size=50), rng.normal(size=(50, 1))
    pulls = METRICS[name].prepare(y, p).pull()
    for row in (0, 20):
        more, less = np.ones(50), np.ones(50)
        more[row], less[row] = 1 + 1e-5, 1 - 1e-5
        assert pulls[row] == pytest.approx(
            50 * (measure(name, y, p, more) - measure(name, y, p, less)) / 2e-5, abs=1e-4
        )


def test_delong_is_the_variance_of_the_placements() -> None:
    rng = np.random.default_rng(2)
    positives, negatives = rng.normal(1, 1, 40).round(1), rng.normal(0, 1, 60).round(1)
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    variance = wins.mean(axis=1).var(ddof=1) / 40 + wins.mean(axis=0).var(ddof=1) / 60
    y, score = np.repeat([1, 0], [40, 60]), np.concatenate([positives, negatives])
    found = pulled_estimates(y, np.column_stack([-score, score]), ["roc_auc"], confidence=0.95, groups=None)["roc_auc"]
    assert found.method == "DeLong"
    assert found.estimate == pytest.approx(wins.mean())
    assert (found.upper - found.lower) / 2 / 1.959964 == pytest.approx(np.sqrt(variance), rel=0.02)


@pytest.mark.parametrize("k", [2, 4])
def test_beyond_many_rows_the_bounds_are_those_of_the_bootstrap(k: int) -> None:
    y, p = world(3, 3000, k)
    names = [name for name, one in METRICS.items() if one.kind == "classification"]
    quick, drawn = estimates(y, p, names, many=0), bootstrap(y, p, names)
    for name in names:
        assert quick[name].estimate == pytest.approx(drawn[name].estimate)
        width = drawn[name].upper - drawn[name].lower
        assert quick[name].upper - quick[name].lower == pytest.approx(width, rel=0.12), name


def test_numbers_beyond_many_rows_too() -> None:
    rng = np.random.default_rng(4)
    y = rng.gamma(2, 3, 3000)
    p = (y + rng.normal(0, 2, 3000))[:, None]
    quick, drawn = estimates(y, p, ["rmse", "mae", "r2"], many=0), bootstrap(y, p, ["rmse", "mae", "r2"])
    for name, one in quick.items():
        assert one.upper - one.lower == pytest.approx(drawn[name].upper - drawn[name].lower, rel=0.12)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "mcc"])
def test_a_gain_beyond_many_rows_is_that_of_the_paired_bootstrap(name: str) -> None:
    y, p = world(5, 3000)
    noisy = np.clip(p + np.random.default_rng(5).normal(0, 0.1, p.shape), 0.01, 1)
    both = {"model": p, "baseline": noisy / noisy.sum(axis=1, keepdims=True)}
    quick, drawn = gain(y, both, name, many=0), paired_bootstrap(y, both, name)
    assert quick.estimate == pytest.approx(drawn.estimate)
    assert quick.upper - quick.lower == pytest.approx(drawn.upper - drawn.lower, rel=0.12)
    assert quick.lower < quick.estimate < quick.upper


def test_groups_are_added_up_before_the_variance() -> None:
    y, p = world(6, 2000)
    groups = np.repeat(np.arange(200), 10)
    for tied in (False, True):
        rows = np.repeat(np.arange(200), 10) if tied else np.arange(2000)
        quick = pulled_estimates(y[rows], p[rows], ["brier", "f2"], confidence=0.95, groups=groups)
        drawn = bootstrap(y[rows], p[rows], ["brier", "f2"], groups=groups)
        for name, one in quick.items():
            assert one.n == 200
            assert one.upper - one.lower == pytest.approx(drawn[name].upper - drawn[name].lower, rel=0.15)


def test_shares_are_exact() -> None:
    y, p = world(7, 300)
    found = estimates(y, p, ["accuracy", "precision", "recall", "f1", "mcc"])
    said = p.argmax(axis=1)
    expected = {
        "accuracy": ((said == y).sum(), 300),
        "precision": (y[said == 1].sum(), (said == 1).sum()),
        "recall": (said[y == 1].sum(), (y == 1).sum()),
    }
    for name, (held, n) in expected.items():
        low, high = proportion_confint(held, n, method="beta")
        assert (found[name].lower, found[name].upper) == pytest.approx((low, high))
        assert found[name].method == "Clopper–Pearson"
    jaccard = metrics.jaccard_score(y, said)
    assert found["f1"].estimate == pytest.approx(metrics.f1_score(y, said)) == 2 * jaccard / (1 + jaccard)


def f1_bounds_hold(seed: int, *, broken: bool) -> bool:
    rng = np.random.default_rng(seed)
    y = rng.random(120) < 0.2
    said = np.where(y, rng.random(120) < 0.6, rng.random(120) < 0.1)
    truth = 2 * 0.12 / (0.2 + 0.12 + 0.08)
    n = 120 if broken else int((y | said).sum())  # broken: as if every row told of it
    found = f1_of(share_of(int((y & said).sum()), n))
    lower, upper = found.lower, found.upper
    return bool(lower <= truth <= upper)


def test_bounds_of_f1_hold_what_they_say_and_would_not_with_the_wrong_number_of_cases() -> None:
    held = [f1_bounds_hold(seed, broken=False) for seed in range(1500)]
    assert 1500 - sum(held) <= stats.binom.ppf(0.999, 1500, 0.05)
    broken = [f1_bounds_hold(seed, broken=True) for seed in range(200)]
    assert 200 - sum(broken) > stats.binom.ppf(0.999, 200, 0.05)


def test_bounds_from_pulls_hold_what_they_say_and_would_not_without_groups() -> None:
    missed = {True: 0, False: 0}
    for seed in range(400):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(100), 5)
        values = np.repeat(rng.normal(size=100), 5) + 0.3 * rng.normal(size=500)
        for grouped in (True, False):
            pulls = values - values.mean()
            found = from_pulls(
                values.mean(), pulls, confidence=0.95, groups=groups if grouped else None, method="normal"
            )
            missed[grouped] += not found.lower <= 0 <= found.upper
    assert missed[True] <= stats.binom.ppf(0.999, 400, 0.06)
    assert missed[False] > stats.binom.ppf(0.999, 400, 0.06)


def test_precision_of_an_answer_that_is_never_given_is_unknown() -> None:
    found = estimates(np.array([0, 1, 1]), np.tile([0.9, 0.1], (3, 1)), ["precision", "recall"])
    assert (found["precision"].estimate, found["precision"].lower, found["precision"].upper) == (0.0, 0.0, 1.0)
    assert found["recall"].n == 2


def test_a_metric_that_is_not_defined_is_left_out_of_many_rows_too() -> None:
    y, p = np.zeros(50, dtype=np.int64), np.tile([0.6, 0.4], (50, 1))
    assert set(estimates(y, p, ["roc_auc", "pr_auc", "log_loss"], many=0)) == {"log_loss"}
    assert estimates(np.ones(5), np.ones((5, 1)), ["r2", "rmse"], many=0)["rmse"].upper == 0.0


def test_a_mean_has_students_bounds() -> None:
    values = np.random.default_rng(8).normal(3, 2, 25)
    found = mean_evidence(values)
    expected = stats.t.interval(0.95, 24, values.mean(), stats.sem(values))
    assert (found.lower, found.upper) == pytest.approx(expected)
    with pytest.raises(ValueError, match="two independent observations on; there are 1"):
        mean_evidence(np.ones(3), groups=np.zeros(3))


@pytest.mark.parametrize("grouped", [False, True])
def test_each_class_is_scikit_learns(grouped: bool) -> None:
    y, p = world(9, 400, 4)
    said = p.argmax(axis=1)
    groups = np.arange(400) if grouped else None
    found = by_class(y, said, ("a", "b", "c", "d"), groups=groups)
    expected = metrics.classification_report(y, said, target_names=list("abcd"), output_dict=True)
    for one in found:
        assert one.precision.estimate == pytest.approx(expected[one.label]["precision"])
        assert one.recall.estimate == pytest.approx(expected[one.label]["recall"])
        assert one.f1.estimate == pytest.approx(expected[one.label]["f1-score"])
        assert one.truth == expected[one.label]["support"]
        assert one.f1.lower < one.f1.estimate < one.f1.upper
    averages = weighted_averages(found)
    assert averages["f1"] == pytest.approx(expected["weighted avg"]["f1-score"])
    assert averages["precision"] == pytest.approx(expected["weighted avg"]["precision"])


def test_a_ratio_of_nothing_is_unknown() -> None:
    found = ratio_evidence(np.zeros(3), np.zeros(3))
    assert (found.lower, found.upper, found.n) == (0.0, 1.0, 0)


def test_a_gain_is_never_beyond_what_the_metric_can_reach():
    rng = np.random.default_rng(0)
    y = (rng.random(30_000) < 0.2).astype(int)
    good = np.clip(0.2 + 0.3 * (y - 0.2) + rng.normal(0, 0.2, len(y)), 0.01, 0.99)
    always = np.tile([0.9, 0.1], (len(y), 1))  # no answer but one, for which MCC has no slope
    found = gain(y, {"model": np.column_stack([1 - good, good]), "baseline": always}, "mcc")
    assert -2 <= found.lower <= found.estimate <= found.upper <= 2
