"""What stands beside the metrics, recomputed from the raw predictions by scikit-learn and by loops."""

import msgspec
import numpy as np
import pytest
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

from understudy.evaluation.measure_actions import measure_actions
from understudy.evaluation.part import TestPart
from understudy.evaluation.report import Evaluation, evaluate

COSTS = {"no -> yes": 1.0, "yes -> no": 6.0}


def two(n: int = 900, **changes: object) -> TestPart:
    rng = np.random.default_rng(0)
    p = rng.beta(1, 2, n)
    given = {"baseline": np.full((n, 2), 0.5), "baseline_name": "chance", "hard": False, "labels": ("no", "yes")}
    scores = np.column_stack([1 - p, p])
    y = (rng.random(n) < p).astype(np.int64)
    return TestPart(**{"y": y, "scores": scores, "confidence": scores.max(axis=1), **given, **changes})


def many(**changes: object) -> TestPart:
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(3), 1500)
    y = np.minimum((p.cumsum(axis=1) > rng.random((1500, 1))).argmax(axis=1), 2)
    given = {"baseline": np.full((1500, 3), 1 / 3), "baseline_name": "chance", "hard": False, "labels": ("a", "b", "c")}
    return TestPart(**{"y": y, "scores": p, "confidence": p.max(axis=1), **given, **changes})


def numbers() -> TestPart:
    rng = np.random.default_rng(2)
    predicted = rng.normal(100, 20, 700)
    y = predicted + rng.normal(0, 10, 700)
    given = {"baseline": np.full((700, 1), 100.0), "baseline_name": "the mean", "hard": False, "tolerance": 10.0}
    lower, upper = predicted - 16, predicted + 17
    inside = (lower <= y) & (y <= upper)
    confidence = rng.uniform(0.6, 0.75, 700)
    return TestPart(
        y=y, scores=predicted[:, None], confidence=confidence, lower=lower, upper=upper, inside=inside, **given
    )


def test_a_constant_is_scikit_learns_dummy() -> None:
    part = two()
    found = evaluate(part, kind="classification", goal="roc_auc", seed=0).measures
    dummy = DummyClassifier(strategy="prior").fit(part.scores, part.y)
    share = dummy.predict_proba(part.scores)
    assert found.constant["accuracy"] == pytest.approx(metrics.accuracy_score(part.y, dummy.predict(part.scores)))
    assert found.constant["log_loss"] == pytest.approx(metrics.log_loss(part.y, share))
    assert found.constant["brier"] == pytest.approx(metrics.brier_score_loss(part.y, share[:, 1]))
    assert (found.constant["roc_auc"], found.constant_name) == (0.5, "always no")


def test_a_constant_number_is_the_mean_or_the_median() -> None:
    part = numbers()
    found = evaluate(part, kind="regression", goal="rmse", seed=0).measures
    mean, median = (
        DummyRegressor(strategy=one).fit(part.scores, part.y).predict(part.scores) for one in ("mean", "median")
    )
    assert found.constant["rmse"] == pytest.approx(metrics.root_mean_squared_error(part.y, mean))
    assert found.constant["mae"] == pytest.approx(metrics.mean_absolute_error(part.y, median))
    assert found.constant["r2"] == pytest.approx(0, abs=1e-12)


def test_the_intervals_of_numbers_are_scikit_learns() -> None:
    part = numbers()
    found = evaluate(part, kind="regression", goal="rmse", seed=0)
    intervals = found.measures.intervals
    assert intervals.width.estimate == pytest.approx(33)
    assert intervals.lower_pinball.estimate == pytest.approx(metrics.mean_pinball_loss(part.y, part.lower, alpha=0.05))
    assert intervals.upper_pinball.estimate == pytest.approx(metrics.mean_pinball_loss(part.y, part.upper, alpha=0.95))
    assert intervals.lower_pinball.upper < intervals.constant_pinball[0]
    assert found.interval_coverage.estimate == part.inside.mean()


def test_costs_are_those_of_a_loop() -> None:
    part = two(costs=COSTS)
    found = evaluate(part, kind="classification", goal="roc_auc", seed=0).measures
    names, price = ("no", "yes"), lambda t, a: COSTS.get(f"{t} -> {a}", 0.0)
    said = part.scores.argmax(axis=1)
    by_hand = [price(names[t], names[a]) for t, a in zip(part.y, said, strict=True)]
    assert found.costs.model.estimate == pytest.approx(np.mean(by_hand))
    assert found.thresholds.present.estimate == pytest.approx(np.mean(by_hand))
    cheap = (part.scores[:, 1] * 6 > part.scores[:, 0]).astype(int)
    assert found.costs.least_expected.estimate == pytest.approx(
        np.mean([price(names[t], names[a]) for t, a in zip(part.y, cheap, strict=True)])
    )
    assert found.costs.constant == pytest.approx(min(6 * part.y.mean(), 1 - part.y.mean()))
    assert found.costs.saving.lower > 0


def test_actions_are_a_threshold_of_two_and_expected_cost_of_more() -> None:
    part = two(costs=COSTS)
    found = evaluate(part, kind="classification", goal="roc_auc", seed=0).measures
    (action,) = measure_actions(found, part.labels)
    assert (action.kind, action.chapter) == ("change threshold", "measures")
    assert action.what.startswith("Answer yes from a probability of ")
    part = many(costs={"a -> b": 9.0, "a -> c": 9.0, "b -> a": 1.0, "b -> c": 1.0, "c -> a": 1.0, "c -> b": 1.0})
    found = evaluate(part, kind="classification", goal="log_loss", seed=0).measures
    (action,) = measure_actions(found, part.labels)
    assert action.gain.estimate == pytest.approx(found.costs.saving.estimate / found.costs.mean_price)
    wrong = part.scores.argmax(axis=1) != part.y
    prices = np.where(part.y == 0, 9.0, 1.0)
    assert found.costs.mean_price == pytest.approx(prices[wrong].mean())
    plain = evaluate(many(), kind="classification", goal="log_loss", seed=0).measures
    assert measure_actions(plain, part.labels) == measure_actions(None) == ()


def test_each_of_a_few_classes_has_curves() -> None:
    found = evaluate(many(), kind="classification", goal="log_loss", seed=0).measures
    assert [one.label for one in found.ranking] == ["a", "b", "c"]
    assert found.thresholds is None


@pytest.mark.parametrize("part", [two(costs=COSTS), two(n=1, costs=COSTS), two(n=12), many(), numbers()])
def test_it_survives_as_json(part: TestPart) -> None:
    kind, goal = ("regression", "rmse") if part.tolerance else ("classification", "log_loss")
    found = evaluate(part, kind=kind, goal=goal, seed=0)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


def test_old_reports_without_measures_are_still_read() -> None:
    found = evaluate(two(n=50), kind="classification", goal="log_loss", seed=0)
    raw = msgspec.to_builtins(found)
    del raw["measures"]
    assert msgspec.convert(raw, Evaluation).measures is None


def test_very_many_rows_are_summed_up_in_as_few_points() -> None:
    few, lots = (evaluate(two(n=n), kind="classification", goal="roc_auc", seed=0) for n in (5_000, 60_000))
    sizes = [len(msgspec.json.encode(one)) for one in (few, lots)]
    assert sizes[1] < 1.1 * sizes[0] < 120_000
    assert lots.metrics["roc_auc"].method == "DeLong"
    assert lots.baseline.gain.method == "paired DeLong"
    assert lots.calibration_error.upper < 0.02
