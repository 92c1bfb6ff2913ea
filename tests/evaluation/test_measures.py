"""Every metric against scikit-learn, with weights, ties, many classes, and parts in which it is not defined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from understudy.evaluation.measures import METRICS, measure
from understudy.evaluation.measures_answers import price_table
from understudy.evaluation.measures_numbers import pinball


def cases(seed: int, n: int = 200, k: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, probabilities with many ties, and whole weights of which some are 0."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, (n, k)).astype(float)
    return rng.integers(0, k, n), counts / counts.sum(axis=1, keepdims=True), rng.poisson(1.0, n).astype(float)


BINARY = {
    "roc_auc": lambda y, p, w: metrics.roc_auc_score(y, p[:, 1], sample_weight=w),
    "pr_auc": lambda y, p, w: metrics.average_precision_score(y, p[:, 1], sample_weight=w),
    "accuracy": lambda y, p, w: metrics.accuracy_score(y, p.argmax(axis=1), sample_weight=w),
    "f1": lambda y, p, w: metrics.f1_score(y, p.argmax(axis=1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: metrics.balanced_accuracy_score(y, p.argmax(axis=1), sample_weight=w),
    "precision": lambda y, p, w: metrics.precision_score(y, p.argmax(axis=1), sample_weight=w, zero_division=0),
    "recall": lambda y, p, w: metrics.recall_score(y, p.argmax(axis=1), sample_weight=w),
    "f05": lambda y, p, w: metrics.fbeta_score(y, p.argmax(axis=1), beta=0.5, sample_weight=w),
    "f2": lambda y, p, w: metrics.fbeta_score(y, p.argmax(axis=1), beta=2, sample_weight=w),
    "mcc": lambda y, p, w: metrics.matthews_corrcoef(y, p.argmax(axis=1), sample_weight=w),
    "log_loss": lambda y, p, w: metrics.log_loss(y, p, sample_weight=w),
    "brier": lambda y, p, w: metrics.brier_score_loss(y, p[:, 1], sample_weight=w),
}
MANY = {
    "roc_auc": lambda y, p, w: np.mean(
        [metrics.roc_auc_score(y == c, p[:, c], sample_weight=w) for c in range(p.shape[1])]
    ),
    "pr_auc": lambda y, p, w: np.mean(
        [metrics.average_precision_score(y == c, p[:, c], sample_weight=w) for c in range(p.shape[1])]
    ),
    "accuracy": BINARY["accuracy"],
    "f1": lambda y, p, w: metrics.f1_score(y, p.argmax(axis=1), sample_weight=w, average="macro"),
    "balanced_accuracy": BINARY["balanced_accuracy"],
    "precision": lambda y, p, w: metrics.precision_score(y, p.argmax(axis=1), sample_weight=w, average="macro"),
    "recall": lambda y, p, w: metrics.recall_score(y, p.argmax(axis=1), sample_weight=w, average="macro"),
    "f05": lambda y, p, w: metrics.fbeta_score(y, p.argmax(axis=1), beta=0.5, sample_weight=w, average="macro"),
    "f2": lambda y, p, w: metrics.fbeta_score(y, p.argmax(axis=1), beta=2, sample_weight=w, average="macro"),
    "mcc": BINARY["mcc"],
    "log_loss": BINARY["log_loss"],
    "brier": lambda y, p, w: metrics.brier_score_loss(y, p, sample_weight=w, scale_by_half=False),
}
NUMBERS = {
    "rmse": lambda y, p, w: metrics.root_mean_squared_error(y, p, sample_weight=w),
    "mae": lambda y, p, w: metrics.mean_absolute_error(y, p, sample_weight=w),
    "r2": lambda y, p, w: metrics.r2_score(y, p, sample_weight=w),
}


def test_each_metric_has_a_reference() -> None:
    assert set(METRICS) == set(BINARY) | set(NUMBERS)


@pytest.mark.parametrize("name", sorted(BINARY))
@pytest.mark.parametrize("weighted", [True, False])
def test_two_classes_agree_with_scikit_learn(name: str, weighted: bool) -> None:
    for seed in range(5):
        y, p, w = cases(seed)
        expected = BINARY[name](y, p, w if weighted else None)
        assert measure(name, y, p, w if weighted else None) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", sorted(MANY))
@pytest.mark.parametrize("weighted", [True, False])
def test_many_classes_agree_with_scikit_learn(name: str, weighted: bool) -> None:
    for seed in range(5):
        y, p, w = cases(seed, k=4)
        expected = MANY[name](y, p, w if weighted else None)
        assert measure(name, y, p, w if weighted else None) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_numbers_agree_with_scikit_learn(name: str) -> None:
    rng = np.random.default_rng(3)
    y, p, w = rng.normal(5, 2, 300), rng.normal(5, 2, (300, 1)), rng.poisson(1.0, 300).astype(float)
    assert measure(name, y, p, w) == pytest.approx(NUMBERS[name](y, p[:, 0], w))
    assert measure(name, y, p) == pytest.approx(NUMBERS[name](y, p[:, 0], None))


@given(st.integers(0, 10_000), st.sampled_from(sorted(BINARY)))
def test_weights_count_rows(seed: int, name: str) -> None:
    y, p, w = cases(seed, n=60)
    again = np.repeat(np.arange(60), w.astype(int))
    if len(np.unique(y[again])) < 2:
        return
    assert measure(name, y, p, w) == pytest.approx(measure(name, y[again], p[again]), abs=1e-12)


@given(st.integers(0, 10_000))
def test_auc_does_not_depend_on_the_order_of_tied_rows(seed: int) -> None:
    y, p, w = cases(seed, n=50)
    shuffled = np.random.default_rng(seed).permutation(50)
    for name in ("roc_auc", "pr_auc"):
        there = measure(name, y[shuffled], p[shuffled], w[shuffled])
        assert measure(name, y, p, w) == pytest.approx(there, nan_ok=True)


def test_one_score_for_all_is_an_auc_of_a_half() -> None:
    y = np.array([0, 1, 1, 0, 1])
    assert measure("roc_auc", y, np.full((5, 2), 0.5)) == 0.5


@pytest.mark.parametrize("label", [0, 1])
def test_roc_auc_of_one_class_is_not_defined(label: int) -> None:
    assert np.isnan(measure("roc_auc", np.full(4, label), np.full((4, 2), 0.5)))


def test_average_precision_without_positives_is_not_defined() -> None:
    assert np.isnan(measure("pr_auc", np.zeros(4, dtype=int), np.full((4, 2), 0.5)))


def test_r2_of_a_constant_truth_is_not_defined() -> None:
    assert np.isnan(measure("r2", np.ones(4), np.ones((4, 1))))


def test_a_class_that_does_not_occur_is_left_out_of_the_mean() -> None:
    y, p, _ = cases(1, k=3)
    p4 = np.column_stack([p, np.zeros(len(p))])
    assert measure("roc_auc", y, p4) == pytest.approx(measure("roc_auc", y, p))
    assert measure("f1", y, p4) == pytest.approx(measure("f1", y, p))


def test_certain_and_wrong_costs_a_finite_log_loss() -> None:
    assert measure("log_loss", np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-15))


def test_pinball_is_scikit_learns() -> None:
    rng = np.random.default_rng(4)
    y, bound, w = rng.normal(size=200), rng.normal(size=200), rng.poisson(1.0, 200).astype(float)
    for quantile in (0.05, 0.95):
        expected = metrics.mean_pinball_loss(y, bound, alpha=quantile, sample_weight=w)
        assert pinball(y, bound, quantile)(w) == pytest.approx(expected)


def test_prices_are_those_of_the_table_and_else_the_highest() -> None:
    assert price_table({"a -> b": 2.0}, ("a", "b", "c")).tolist() == [[0, 2, 2], [2, 0, 2], [2, 2, 0]]
    assert price_table({}, ("a", "b")).tolist() == [[0, 1], [1, 0]]


def test_one_answer_for_all_is_balanced_at_a_half_and_correlated_with_nothing() -> None:
    y, p = np.array([0, 1, 1, 1]), np.tile([0.2, 0.8], (4, 1))
    assert (measure("balanced_accuracy", y, p), measure("mcc", y, p)) == (0.5, 0.0)


def test_f1_without_positives_is_zero() -> None:
    assert measure("f1", np.zeros(3, dtype=int), np.array([[0.9, 0.1]] * 3)) == 0.0
