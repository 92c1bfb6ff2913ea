"""Answers are judged by the same figures as anywhere in the project, and compared in pairs."""

import numpy as np
import pytest
from bench.automl.judge import Answers, Gain, as_asked, calibration, drawn_metric, figures, gain, mean_ranks, ranks

from understudy.evaluation.measures import measure


def chances(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes and probabilities that tell something of them, with ties."""
    y = rng.integers(k, size=n)
    scores = np.round(rng.random((n, k)) + np.eye(k)[y] * 0.5, 1) + 0.01
    return y, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("metric", "k"), [("roc_auc", 2), ("log_loss", 2), ("log_loss", 5), ("rmse", 1)])
def test_all_draws_at_once_give_what_one_draw_gives(metric: str, k: int) -> None:
    rng = np.random.default_rng(0)
    y, scores = chances(rng, 200, k) if k > 1 else (rng.normal(size=200), rng.normal(size=(200, 1)))
    weights = rng.poisson(1.0, (7, 200)).astype(np.float64)
    drawn = drawn_metric(metric, y, scores)(weights)
    assert drawn == pytest.approx([measure(metric, y, scores, one) for one in weights], abs=1e-12)


def test_a_draw_without_one_of_the_classes_has_no_area() -> None:
    y, scores = np.array([0, 1]), np.array([[0.5, 0.5], [0.2, 0.8]])
    drawn = drawn_metric("roc_auc", y, scores)(np.array([[1.0, 1.0], [2.0, 0.0]]))
    assert drawn[0] == 1
    assert np.isnan(drawn[1])


def of_numbers(rng: np.random.Generator, noise: float, rows: np.ndarray, y: np.ndarray) -> Answers:
    return Answers(y[rows], (y[rows] + rng.normal(scale=noise, size=len(rows))).reshape(-1, 1), rows)


def test_who_errs_less_is_better_whatever_way_the_metric_goes() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=500)
    rows = [np.sort(rng.permutation(500)[:200]) for _ in range(3)]
    sure = [of_numbers(rng, 0.1, one, y) for one in rows]
    vague = [of_numbers(rng, 0.5, one, y) for one in rows]
    assert gain("rmse", sure, vague, draws=500).verdict == "better"
    assert gain("rmse", vague, sure, draws=500).verdict == "worse"
    same = gain("rmse", sure, sure, draws=500)
    assert (same.estimate, same.lower, same.upper, same.verdict) == (0, 0, 0, "level")


def equals(seed: int, *, seeds: int, apart: int = 0) -> Gain:
    """Two that err alike, asked for the same 400 rows under several seeds, or for rows that only look like others."""
    rng = np.random.default_rng(seed)
    y, noise = rng.normal(size=400), rng.normal(size=(2, 400))
    pair = [
        [Answers(y, (y + one).reshape(-1, 1), np.arange(400) + apart * turn) for turn in range(seeds)] for one in noise
    ]
    return gain("rmse", pair[0], pair[1], draws=300, seed=seed)


def test_equals_are_told_apart_in_one_of_twenty_tables() -> None:
    """Over 400 tables the share at .95 lies in these bounds with a chance above .999."""
    held = np.mean([equals(seed, seeds=1).verdict == "level" for seed in range(400)])
    assert 0.91 <= held <= 0.985


def test_the_same_rows_under_more_seeds_are_no_more_evidence() -> None:
    """Were they drawn apart, three seeds would look as sure as three times the rows."""
    once, thrice, apart = equals(3, seeds=1), equals(3, seeds=3), equals(3, seeds=3, apart=1000)
    assert thrice.upper - thrice.lower == pytest.approx(once.upper - once.lower, rel=1e-9)
    assert apart.upper - apart.lower < 0.7 * (once.upper - once.lower)


def test_columns_are_put_in_the_order_that_was_asked_for() -> None:
    scores = np.array([[0.7, 0.3], [0.2, 0.8]])
    assert as_asked(scores, ["b", "a"], ["a", "b"]).tolist() == [[0.3, 0.7], [0.8, 0.2]]
    assert as_asked(scores, ["b", "a"], ["a", "b", "never learned"])[:, 2].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([[np.nan, 1.0]], ["a", "b"], "1 of its answers are not finite"),
        ([[0.7, 0.7]], ["a", "b"], "no probabilities"),
        ([[1.2, -0.2]], ["a", "b"], "no probabilities"),
        ([[0.5, 0.5]], ["a", "c"], "was asked"),
        ([[1.0]], ["a", "b"], "was asked"),
    ],
)
def test_answers_that_are_none_are_refused(scores: list[list[float]], labels: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        as_asked(np.array(scores), labels, ["a", "b"])


def test_chance_alone_is_no_calibration_error() -> None:
    rng = np.random.default_rng(4)
    p = rng.random(4000)
    y = (rng.random(4000) < p).astype(np.int64)
    assert calibration(y, np.stack([1 - p, p], axis=1)) < 0.02
    boasting = np.clip(p * 2 - 0.5, 0.01, 0.99)
    assert calibration(y, np.stack([1 - boasting, boasting], axis=1)) > 0.1


def test_numbers_have_no_calibration_error() -> None:
    assert figures(np.array([1.0, 2.0]), np.array([[1.0], [4.0]])) == {
        "rmse": pytest.approx(np.sqrt(2)),
        "calibration_error": None,
    }


def test_equals_share_a_rank_and_mean_ranks_are_over_races() -> None:
    first = ranks({"a": 3.0, "b": 3.0, "c": 5.0}, greater=False)
    assert first == {"a": 1.5, "b": 1.5, "c": 3.0}
    second = ranks({"a": None, "b": 1.0, "c": 2.0}, greater=False)
    assert mean_ranks([first, second]) == {"a": 2.25, "b": 1.25, "c": 2.5}
    assert mean_ranks([]) == {}
