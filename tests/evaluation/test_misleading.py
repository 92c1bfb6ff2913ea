"""Figures that mislead are flagged, and those that do not are not."""

import numpy as np
import pytest

from understudy.evaluation.estimates import estimates
from understudy.evaluation.measures import METRICS
from understudy.evaluation.misleading import Flag, misleading, top_share


def flags(y: np.ndarray, scores: np.ndarray, kind: str = "classification", **given: object) -> tuple[Flag, ...]:
    names = [name for name, one in METRICS.items() if one.kind == kind]
    labels = ("no", "yes") if kind == "classification" and scores.shape[1] == 2 else ("a", "b", "c")
    return misleading(y, scores, kind=kind, metrics=estimates(y, scores, names), labels=labels, **given)


def two(n: int, positive: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities about a rate, and the truth."""
    rng = np.random.default_rng(seed)
    p = rng.beta(4 * positive, 4 * (1 - positive), n).clip(0.002, 0.998)
    return (rng.random(n) < p).astype(np.int64), np.column_stack([1 - p, p])


def said(found: tuple[Flag, ...], metric: str) -> str:
    return " ".join(one.words for one in found if one.metric == metric)


def test_balanced_classes_and_many_rows_mislead_in_nothing() -> None:
    assert flags(*two(4000, 0.45)) == ()


def test_accuracy_beside_a_constant_that_is_nearly_always_right() -> None:
    y, p = two(5000, 0.02)
    found = flags(y, p)
    assert f"Always answering no is right in {1 - y.mean():.1%} of cases" in said(found, "accuracy")
    assert "pr_auc" in next(one.instead for one in found if one.metric == "accuracy")
    assert f"Only {y.mean():.1%} of cases are yes" in said(found, "roc_auc")


def test_f1_of_a_frequent_answer() -> None:
    y, p = two(4000, 0.8)
    found = flags(y, p)
    assert f"F1 {2 * y.mean() / (1 + y.mean()):.3f} already" in said(found, "f1")
    assert f"Average precision {y.mean():.3f} already" in said(found, "pr_auc")


def test_a_small_test_part_and_a_rare_class_are_named() -> None:
    y, p = two(60, 0.2)
    text = said(flags(y, p), "")
    assert "only 60 independent rows" in text
    assert f"Only {y.sum()} of 60 test cases are yes" in text
    assert "too wide to tell much" in said(flags(y, p), "f1")
    grouped = said(flags(*two(1000, 0.4), groups=np.repeat(np.arange(20), 50)), "")
    assert "only 20 independent groups of rows" in grouped


def test_a_class_that_never_occurs_is_named() -> None:
    rng = np.random.default_rng(0)
    found = flags(rng.integers(0, 2, 500), rng.dirichlet(np.ones(3), 500))
    assert said(found, "") == "No test case is c: nothing is known about them."


def test_few_certain_mistakes_make_the_log_loss() -> None:
    y, p = np.zeros(1000, dtype=np.int64), np.tile([0.99, 0.01], (1000, 1))
    y[:5], p[:5] = 1, [1.0, 0.0]
    found = flags(y, p)
    assert "comes from 5 answers that were certain and wrong" in said(found, "log_loss")


def test_heavy_tails_of_numbers() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=1000)
    predicted = y + rng.normal(size=1000)
    assert flags(y, predicted[:, None], "regression") == ()
    y[:5] += 200
    found = flags(y, predicted[:, None], "regression")
    assert "of the target's variance lies in 1% of the rows" in said(found, "r2")
    assert "of the squared error lies in 1% of the rows" in said(found, "rmse")
    few = flags(y[500:550], predicted[500:550, None], "regression")
    assert "R² of 50 independent rows" in said(few, "r2")


@pytest.mark.parametrize("values", [np.zeros(200), np.ones(5)])
def test_a_sum_without_a_tail_has_none(values: np.ndarray) -> None:
    assert top_share(values) == 0.0


def test_one_row_is_flagged_and_not_refused() -> None:
    assert "only 1 independent" in said(flags(np.array([1]), np.array([[0.3, 0.7]])), "")
    assert "only 1 independent" in said(flags(np.array([1.0]), np.array([[2.0]]), "regression"), "")
