"""Planted wrong labels are found, at stated precision and recall; honest doubt is told apart from them."""

import msgspec
import numpy as np
import polars as pl
import pytest
from cleanlab.filter import find_label_issues
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from understudy.evaluation.label_quality import LabelErrors, find_label_errors, suspected_labels

NAMES = ("ham", "spam", "news")
FLIPPED = 0.05


def learnable(seed: int, k: int, apart: float, flipped: float, n: int = 3000) -> tuple[np.ndarray, ...]:
    """Labels of classes that lie so far apart, some exchanged; out-of-fold probabilities; which ones are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    X = rng.normal(size=(n, 6)) + apart * rng.normal(size=(k, 6))[true]
    wrong = rng.random(n) < flipped
    said = np.where(wrong, (true + rng.integers(1, k, n)) % k, true)
    p = cross_val_predict(LogisticRegression(max_iter=200), X, said, cv=4, method="predict_proba")
    return said, p, wrong


@pytest.mark.parametrize("k", [2, 3])
def test_planted_wrong_labels_are_found_as_well_as_by_cleanlab(k: int) -> None:
    said, p, wrong = learnable(1, k, 2.0, FLIPPED)
    for cut, theirs in (("confident", "confident_learning"), ("noise rate", "prune_by_noise_rate")):
        chosen = np.zeros(len(said), dtype=bool)
        chosen[suspected_labels(said, p, NAMES[:k], cut=cut)["row"].to_numpy()] = True  # type: ignore[arg-type]
        assert wrong[chosen].mean() >= 0.85
        assert chosen[wrong].mean() >= 0.8
        other = find_label_issues(said, p, filter_by=theirs, n_jobs=1)
        assert chosen[wrong].mean() >= other[wrong].mean() - 0.03
        assert wrong[chosen].mean() >= wrong[other].mean() - 0.03


def test_how_many_are_wrong_is_told_with_bounds() -> None:
    said, p, wrong = learnable(2, 2, 2.0, FLIPPED)
    found = find_label_errors(said, p, NAMES[:2])
    assert found.significant
    assert found.wrong.lower <= wrong.mean() <= found.wrong.upper
    rows = suspected_labels(said, p, NAMES[:2])
    assert found.suspects == rows.height
    assert found.suspects_wrong.lower - 5 <= wrong[rows["row"].to_numpy()].sum() <= found.suspects_wrong.upper + 5
    assert found.suspects_wrong.estimate == pytest.approx(rows["wrong"].sum())
    assert "wrong beyond what honest doubt explains" in found.sentence


def test_the_list_begins_with_the_labels_most_probably_wrong() -> None:
    said, p, wrong = learnable(3, 2, 1.2, FLIPPED)
    rows = suspected_labels(said, p, NAMES[:2])
    hits = wrong[rows["row"].to_numpy()]
    half = len(hits) // 2
    assert rows["wrong"].is_sorted(descending=True)
    assert hits[:half].mean() > hits[half:].mean()
    assert hits[:50].mean() >= 0.9


def test_clean_labels_of_an_easy_question_give_few_suspects_and_no_excess() -> None:
    said, p, _ = learnable(4, 3, 2.5, 0.0)
    found = find_label_errors(said, p, NAMES)
    assert found.suspects <= 0.01 * found.rows
    assert not found.significant
    assert found.wrong.upper < 0.015


def test_clean_labels_of_a_hard_question_give_suspects_but_no_excess() -> None:
    rng = np.random.default_rng(5)
    p = np.clip(rng.beta(1.5, 1.5, 4000), 0.02, 0.98)
    said = (rng.random(4000) < p).astype(int)
    found = find_label_errors(said, np.stack([1 - p, p], axis=1), NAMES[:2])
    assert found.suspects > 0.05 * found.rows
    assert found.confident.lower > 0.05
    assert not found.significant
    assert found.suspects_wrong.estimate == 0
    assert "honest doubt alone can explain" in found.sentence


@pytest.fixture(scope="module")
def found() -> LabelErrors:
    said, p, _ = learnable(6, 3, 1.5, FLIPPED)
    return find_label_errors(said, p, NAMES)


def test_the_figures_add_up(found: LabelErrors) -> None:
    said, p, _ = learnable(6, 3, 1.5, FLIPPED)
    rows = suspected_labels(said, p, NAMES)
    counts = {(said_, probably): n for said_, probably, n in rows.group_by("label", "probably").len().iter_rows()}
    assert {(one.said, one.probably): one.suspects for one in found.pairs} == counts
    assert sum(one.suspects for one in found.classes) == found.suspects
    assert sum(one.rows for one in found.classes) == found.rows
    assert sum(one.wrong.estimate for one in found.pairs) == pytest.approx(found.suspects_wrong.estimate)
    assert sum(one.n for one in found.bins) == found.rows
    contradicting = sum(one.contradicted * one.n for one in found.bins)
    assert contradicting == pytest.approx((p.argmax(axis=1) != said).sum())
    explained = sum(one.explained * one.n for one in found.bins)
    assert explained == pytest.approx(contradicting, rel=0.02)
    np.testing.assert_allclose(np.array(found.noise).sum(axis=0), 1)


def test_it_survives_json(found: LabelErrors) -> None:
    assert msgspec.json.decode(msgspec.json.encode(found), type=LabelErrors) == found


def test_rows_without_a_prediction_and_labels_of_rare_classes_are_left_out() -> None:
    said, p, _ = learnable(7, 2, 2.0, FLIPPED, n=600)
    wide = np.column_stack([p, np.zeros(len(p))])
    said[:3] = 2
    wide[100:200] = np.nan
    found = find_label_errors(said, wide, NAMES)
    assert (found.rows, found.unknown) == (497, 103)
    rows = suspected_labels(said, wide, NAMES)["row"]
    assert not rows.is_in([0, 1, 2, *range(100, 200)]).any()
    kept = np.setdiff1d(np.arange(600), [0, 1, 2, *range(100, 200)])
    alone = find_label_errors(said[kept], p[kept], NAMES[:2])
    assert alone.suspects == found.suspects


def test_groups_widen_the_bounds() -> None:
    said, p, _ = learnable(8, 2, 2.0, FLIPPED, n=600)
    said, p, groups = np.repeat(said, 5), np.repeat(p, 5, axis=0), np.repeat(np.arange(600), 5)
    alone, together = (find_label_errors(said, p, NAMES[:2], groups=one).wrong for one in (None, groups))
    assert together.upper - together.lower > 1.5 * (alone.upper - alone.lower)
    assert (alone.n, together.n) == (3000, 600)


def test_a_handful_of_rows_says_little_and_does_not_fail() -> None:
    found = find_label_errors(np.array([0] * 5 + [1] * 5), np.tile([0.6, 0.4], (10, 1)), NAMES[:2])
    assert not found.significant
    assert found.wrong.upper > 0.2


@pytest.mark.parametrize(
    ("y", "p", "labels", "words"),
    [
        ([0, 1], np.full((2, 3), 1 / 3), NAMES[:2], r"shape \(2, 2\)"),
        ([0, 0], np.ones((2, 1)), NAMES[:1], "one class"),
        ([0, 2], np.full((2, 2), 0.5), NAMES[:2], "from 0 to 1"),
        ([0] * 9, np.full((9, 2), np.nan), NAMES[:2], "no label can be judged"),
        ([0, 1], np.full((2, 2), 0.5), NAMES[:2], "5 labels of a class"),
        ([0] * 9, np.full((9, 2), 0.9), NAMES[:2], "add up to 1"),
    ],
)
def test_what_cannot_be_judged_is_named(y: list[int], p: np.ndarray, labels: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        find_label_errors(np.array(y), p, labels)


def test_the_list_of_suspects_has_its_columns_even_when_it_is_empty() -> None:
    rows = suspected_labels(np.array([0] * 5 + [1] * 5), np.repeat([[0.9, 0.1], [0.1, 0.9]], 5, axis=0), NAMES[:2])
    assert rows.height == 0
    assert rows.schema["label"] == rows.schema["probably"] == pl.String
