"""What to do about labels, in one unit, and nothing where nothing shows."""

import msgspec
import numpy as np
import polars as pl
import pytest

from understudy.evaluation.conflicts import find_conflicts
from understudy.evaluation.human_level import human_level
from understudy.evaluation.label_actions import label_actions
from understudy.evaluation.label_numbers import find_number_errors
from understudy.evaluation.label_quality import LabelErrors, find_label_errors, suspected_labels

LABELS = ("ham", "spam")


def errors(flipped: float, learned: bool = False) -> tuple[LabelErrors, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = rng.beta(0.2, 0.4, 5000)
    true = (rng.random(5000) < p).astype(int)
    said = np.where(rng.random(5000) < flipped, 1 - true, true)
    p = flipped + (1 - 2 * flipped) * p if learned else p
    both = np.stack([1 - p, p], axis=1)
    return find_label_errors(said, both, LABELS), said, true, both


def test_wrong_labels_are_to_be_looked_at_class_by_class_for_what_they_cost() -> None:
    found, said, true, both = errors(0.05)
    actions = label_actions(found)
    assert [one.subject for one in actions] == [f"labels {one.label}" for one in found.classes]
    gains = [one.gain for one in actions if one.gain is not None]
    rows = suspected_labels(said, both, LABELS)["row"].to_numpy()
    counted_wrong = np.mean((both.argmax(axis=1) != said) & (said != true) & np.isin(np.arange(5000), rows))
    assert sum(one.estimate for one in gains) == pytest.approx(counted_wrong, rel=0.15)
    assert sum(one.lower for one in gains) <= counted_wrong <= sum(one.upper for one in gains)
    first = actions[0]
    assert first.what.startswith(f"Look at the {found.classes[0].suspects:,} labels of {found.classes[0].label}")
    assert (first.chapter, first.effort, first.kind) == ("labels", "hours", "clean labels")
    assert msgspec.json.encode(actions)


def test_honest_doubt_is_no_action() -> None:
    found = errors(0.0)[0]
    assert found.suspects
    assert label_actions(found) == ()


def test_contradictions_that_do_not_fade_are_to_be_tried() -> None:
    found = errors(0.08, learned=True)[0]
    assert not found.significant
    assert found.lingering
    assert "do not fade" in found.sentence
    (action,) = label_actions(found)
    assert action.what.startswith("Look at 100 of the")
    assert action.gain is not None
    assert action.gain.lower == 0


def test_contradictions_are_worth_between_nothing_and_all() -> None:
    conflicts = find_conflicts(pl.DataFrame({"a": [1, 1, 1, 2, 3, 4]}), np.array([0, 0, 1, 1, 0, 1]), LABELS)
    (action,) = label_actions(conflicts=conflicts)
    assert action.gain is not None
    assert (action.gain.lower, action.gain.estimate) == (0, conflicts.error.estimate / 2)
    assert action.share == 0.5


def test_people_who_do_better_are_to_be_asked() -> None:
    truth = np.arange(500.0) % 2
    said, model = np.tile(truth[:, None], (1, 3)), truth.copy()
    said[:25] = 1 - said[:25]
    model[:100] = 1 - model[:100]
    human = human_level(said, outcome=truth, model=model)
    (action,) = label_actions(human=human)
    assert action.gap == pytest.approx(0.15)
    assert action.gain == human.gap
    assert label_actions(human=human_level(said, outcome=truth, model=truth)) == ()


def test_numbers_far_off_are_to_be_looked_at() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=1000)
    y = predicted + rng.normal(size=1000)
    assert label_actions(numbers=find_number_errors(y, predicted)) == ()
    y[:30] += 30
    (action,) = label_actions(numbers=find_number_errors(y, predicted))
    assert action.gain is not None
    assert action.gain.estimate == pytest.approx(0.03, abs=0.004)
