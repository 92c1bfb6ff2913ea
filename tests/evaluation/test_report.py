"""The report's aggregates against plain recomputation, and that they survive as JSON."""

import msgspec
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from understudy.evaluation.measures import METRICS
from understudy.evaluation.report import Evaluation, TestPart, coverage_curve, evaluate


def choices(k: int, n: int = 800, seed: int = 0, **changes: object) -> TestPart:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), n)
    y = (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    given = {"baseline": np.full((n, k), 1 / k), "baseline_name": "chance", "hard": False}
    return TestPart(**{"y": y, "scores": p, "confidence": p.max(axis=1), **given, **changes})


def numbers(n: int = 800) -> TestPart:
    rng = np.random.default_rng(1)
    predicted = rng.normal(100, 20, n)
    y = predicted + rng.normal(0, 10, n)
    return TestPart(
        y=y,
        scores=predicted[:, None],
        confidence=np.full(n, 0.68),
        baseline=np.full((n, 1), 100.0),
        baseline_name="the mean",
        hard=False,
        tolerance=10.0,
        inside=np.abs(y - predicted) <= 16.45,
    )


@pytest.mark.parametrize("k", [2, 4])
def test_the_confusion_is_scikit_learns(k: int) -> None:
    part = choices(k)
    evaluation = evaluate(part, kind="classification", goal="log_loss", seed=0)
    expected = confusion_matrix(part.y, part.scores.argmax(axis=1), labels=range(k))
    assert np.array_equal(evaluation.confusion, expected)


def test_the_histogram_counts_every_row() -> None:
    part = choices(2)
    evaluation = evaluate(part, kind="classification", goal="roc_auc", seed=0)
    assert [sum(row) for row in evaluation.histogram] == np.bincount(part.y).tolist()
    assert np.sum(evaluate(numbers(), kind="regression", goal="rmse", seed=0).histogram) == 800


def test_each_point_of_the_coverage_curve_is_the_error_of_the_surest() -> None:
    part = choices(3)
    points = coverage_curve(part.confidence, part.right)
    assert points[-1].coverage == 1.0
    for point in points:
        chosen = part.confidence >= point.threshold
        assert point.coverage == chosen.mean()
        assert point.error == pytest.approx(1 - part.right[chosen].mean())
        assert point.lower <= point.error <= point.upper


def test_equally_sure_cases_are_answered_together() -> None:
    points = coverage_curve(np.repeat([0.9, 0.6], 50), np.repeat([1.0, 0.0], 50))
    assert [(point.coverage, point.error) for point in points] == [(0.5, 0.0), (1.0, 0.5)]


def test_residuals_are_quantiles_of_truth_minus_prediction() -> None:
    part = numbers()
    evaluation = evaluate(part, kind="regression", goal="rmse", seed=0)
    assert sum(one.n for one in evaluation.residuals) == 800
    assert all(one.q05 <= one.q25 <= one.q50 <= one.q75 <= one.q95 for one in evaluation.residuals)
    assert np.mean([one.q75 - one.q25 for one in evaluation.residuals]) == pytest.approx(13.5, rel=0.15)
    assert evaluation.interval_coverage is not None
    assert evaluation.interval_coverage.estimate == part.inside.mean()


def test_a_baseline_that_only_answers_is_compared_by_accuracy() -> None:
    part = choices(2, baseline=np.eye(2)[np.zeros(800, dtype=int)], hard=True)
    baseline = evaluate(part, kind="classification", goal="roc_auc", seed=0).baseline
    assert baseline.metric == "accuracy"
    assert set(baseline.metrics) == {name for name, one in METRICS.items() if one.hard}


def test_the_gain_is_the_difference_on_the_goal() -> None:
    evaluation = evaluate(choices(2), kind="classification", goal="log_loss", seed=0)
    difference = evaluation.baseline.metrics["log_loss"].estimate - evaluation.metrics["log_loss"].estimate
    assert evaluation.baseline.gain.estimate == pytest.approx(difference)


@pytest.mark.parametrize("k", [2, 3])
def test_a_test_part_with_one_class_has_no_auc_and_is_compared_by_accuracy(k: int) -> None:
    part = choices(k, n=50, y=np.zeros(50, dtype=np.int64))
    evaluation = evaluate(part, kind="classification", goal="roc_auc", seed=0)
    assert "roc_auc" not in evaluation.metrics
    assert evaluation.baseline.metric == "accuracy"
    assert msgspec.json.decode(msgspec.json.encode(evaluation), type=Evaluation) == evaluation


def test_a_constant_truth_has_no_r2_and_is_compared_by_rmse() -> None:
    part = msgspec.structs.replace(numbers(), y=np.full(800, 100.0))
    evaluation = evaluate(part, kind="regression", goal="r2", seed=0)
    assert "r2" not in evaluation.metrics
    assert evaluation.baseline.metric == "rmse"


@pytest.mark.parametrize("part", [choices(2), choices(5, n=30), choices(2, n=1), numbers()])
def test_it_survives_as_json(part: TestPart) -> None:
    kind, goal = ("regression", "rmse") if part.tolerance else ("classification", "log_loss")
    evaluation = evaluate(part, kind=kind, goal=goal, seed=0)
    assert msgspec.json.decode(msgspec.json.encode(evaluation), type=Evaluation) == evaluation


def test_groups_widen_the_intervals() -> None:
    part = choices(2, n=200)
    many = {name: np.repeat(getattr(part, name), 5, axis=0) for name in ("y", "scores", "confidence", "baseline")}
    alone = evaluate(choices(2, **many), kind="classification", goal="brier", seed=0)
    tied = choices(2, **many, groups=np.repeat(np.arange(200), 5))
    grouped = evaluate(tied, kind="classification", goal="brier", seed=0)

    def width(evaluation: Evaluation) -> float:
        return evaluation.metrics["brier"].upper - evaluation.metrics["brier"].lower

    assert width(grouped) > 1.5 * width(alone)
    assert grouped.metrics["brier"].n == 200
