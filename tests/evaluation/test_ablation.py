"""What each part is worth is told with bounds that hold together."""

import msgspec
import numpy as np
import pytest
from sklearn.metrics import log_loss

from evidence.promises import kept
from understudy.evaluation.ablation import Ablation, Without, ablation, families, worth_trying
from understudy.evaluation.changes import HeldOut

N = 2000


def scores_of(wrong: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Scores that are wrong where they are told to be."""
    positive = np.where(wrong, 1 - y, y) * 0.8 + 0.1
    return np.column_stack([1 - positive, positive])


def planted(seed: int) -> tuple[HeldOut, np.ndarray, list[Without]]:
    """A model that is wrong in 20 %, and its likes without a needed, a spare and a harmful part."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, N)
    wrong = rng.random(N) < 0.2
    flipped = {"needed": 0.10, "spare": 0.0, "harmful": 0.0}
    tried = []
    for name, more in flipped.items():
        other = wrong | (rng.random(N) < more)
        if name == "harmful":
            other = wrong & (rng.random(N) < 0.7)
        if name == "spare":
            swapped = rng.random(N) < 0.002
            other = wrong ^ swapped
        tried.append(Without("column", name, (name,), scores_of(other, y)))
    return HeldOut(y, "log_loss"), scores_of(wrong, y), tried


def test_parts_are_told_apart():
    right = []
    for seed in range(40):
        found = ablation(*planted(seed), rows=900, now=900)
        right.append({one.name: one.worth for one in found.drops} == {n: n for n in ("needed", "spare", "harmful")})
    assert np.mean(right) >= 0.9


def test_the_figures_are_those_of_plain_counting():
    held, whole, tried = planted(0)
    found = {one.name: one for one in ablation(held, whole, tried, rows=900, now=900).drops}
    for one in tried:
        before, after = (scores.argmax(axis=1) != held.y for scores in (whole, one.scores))
        assert found[one.name].harm.estimate == pytest.approx(after.mean() - before.mean())
        lost = log_loss(held.y, one.scores[:, 1]) - log_loss(held.y, whole[:, 1])
        assert found[one.name].metric.estimate == pytest.approx(lost)
        assert found[one.name].metric.lower <= lost <= found[one.name].metric.upper


def nothing(seed: int, parts: int = 10) -> tuple[HeldOut, np.ndarray, list[Without]]:
    """Parts that change 8 % of the answers for no better and no worse."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 600)
    wrong = rng.random(600) < 0.5
    tried = [Without("column", str(k), (str(k),), scores_of(wrong ^ (rng.random(600) < 0.08), y)) for k in range(parts)]
    return HeldOut(y, "accuracy"), scores_of(wrong, y), tried


def test_parts_that_do_nothing_are_called_needed_or_harmful_as_seldom_as_promised(monkeypatch):
    monkeypatch.setattr("understudy.evaluation.changes.DRAWS", 5)
    found = [ablation(*nothing(seed), rows=1, now=1) for seed in range(300)]
    assert kept(np.array([any(d.worth in ("needed", "harmful") for d in one.drops) for one in found]), 0.05)


def test_bounds_that_do_not_hold_together_break_the_promise(monkeypatch):
    monkeypatch.setattr("understudy.evaluation.changes.DRAWS", 5)
    monkeypatch.setattr("understudy.evaluation.ablation.simultaneous", lambda tried, confidence: confidence)
    found = [ablation(*nothing(seed), rows=1, now=1) for seed in range(300)]
    assert not kept(np.array([any(d.worth in ("needed", "harmful") for d in one.drops) for one in found]), 0.05)


def test_a_part_that_the_metric_needs_is_not_spare():
    """Decisions stay the same without it, but it is less sure of them."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N)
    whole = scores_of(rng.random(N) < 0.2, y)
    duller = 0.5 + (whole - 0.5) * 0.1
    found = ablation(HeldOut(y, "log_loss"), whole, [Without("column", "age", ("age",), duller)], rows=1, now=1).drops[
        0
    ]
    assert found.harm.estimate == 0
    assert found.metric.lower > 0
    assert found.worth == "unclear"


def test_numbered_columns_belong_together():
    assert families(["x1", "x2", "y", "2020", "z9"]) == {
        "x1, x2": ("x1", "x2"),
        "y": ("y",),
        "2020": ("2020",),
        "z9": ("z9",),
    }


def test_the_least_and_the_most_important_are_tried():
    assert worth_trying({"a": 1.0, "b": 2.0, "c": 0.0, "d": 5.0}, 9) == ["c", "d", "a", "b"]


def test_it_survives_being_stored_and_says_what_it_found():
    found = ablation(*planted(0), rows=900, now=900, left_out=("street",))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Ablation) == found
    assert "most of all needed" in found.words
    assert "without harmful it does better" in found.words
    assert "spare can be spared" in found.words


def test_with_nothing_left_out_it_says_so():
    found = ablation(HeldOut(np.array([0, 1]), "accuracy"), np.eye(2), [], rows=2, now=2)
    assert found.words == "No part of the model was left out to see what it is worth."
