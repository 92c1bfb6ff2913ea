"""Suspects by confident learning are those of the paper, and of cleanlab."""

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from evidence.promises import kept
from understudy.evaluation.label_joint import Cut, confident_joint, confident_share, quality, suspects

NAMES: dict[Cut, str] = {"confident": "confident_learning", "noise rate": "prune_by_noise_rate"}


def world(seed: int, k: int, n: int = 3000, flipped: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from sharp probabilities, of which some are exchanged."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.linspace(0.2, 0.5, k), n)
    y = np.minimum((p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), k - 1)
    return np.where(rng.random(n) < flipped, (y + rng.integers(1, k, n)) % k, y), p


@pytest.mark.parametrize("k", [2, 3, 6])
def test_the_joint_is_the_papers_counted_row_by_row(k: int) -> None:
    y, p = world(k, k, 400)
    thresholds = [p[y == label, label].mean() for label in range(k)]
    counts = np.zeros((k, k), dtype=int)
    for label, row in zip(y, p, strict=True):
        reached = [(row[j], j) for j in range(k) if row[j] >= thresholds[j] - 1e-6]
        if reached:
            counts[label, max(reached)[1]] += 1
    found = confident_joint(y, p)
    assert np.array_equal(found.counts, counts)
    np.testing.assert_allclose(found.joint.sum(axis=1), np.bincount(y, minlength=k))
    np.testing.assert_allclose(found.noise.sum(axis=0), 1)


@pytest.mark.parametrize("seed", range(4))
def test_two_classes_give_cleanlabs_joint_and_thresholds(seed: int) -> None:
    y, p = world(seed, 2)
    found = confident_joint(y, p)
    np.testing.assert_allclose(found.thresholds, get_confident_thresholds(y, p))
    assert np.abs(found.joint - compute_confident_joint(y, p)).max() <= 1


@pytest.mark.parametrize("k", [3, 5])
def test_more_classes_give_nearly_cleanlabs_joint(k: int) -> None:
    y, p = world(k, k)
    apart = np.abs(confident_joint(y, p).joint - compute_confident_joint(y, p)).sum() / len(y)
    assert apart < 0.03  # where several classes are confident it takes the likeliest of all, the paper that of those


@pytest.mark.parametrize("cut", NAMES)
@pytest.mark.parametrize("k", [2, 5])
def test_suspects_are_cleanlabs(cut: Cut, k: int) -> None:
    for seed in range(3):
        y, p = world(seed, k)
        ours = suspects(y, p, confident_joint(y, p), cut)
        theirs = find_label_issues(y, p, filter_by=NAMES[cut], n_jobs=1)
        assert np.sum(ours & theirs) / np.sum(ours | theirs) > (0.98 if k == 2 else 0.95)


def test_quality_is_cleanlabs() -> None:
    y, p = world(0, 4)
    own, margin = quality(y, p)
    np.testing.assert_allclose(own, get_label_quality_scores(y, p, method="self_confidence"))
    np.testing.assert_allclose(margin, get_label_quality_scores(y, p, method="normalized_margin"))


def test_a_class_that_is_nobodys_label_is_nobodys_suspect() -> None:
    y, p = world(0, 2, 200)
    wide = np.column_stack([p * 0.5, np.full(200, 0.5)])
    found = confident_joint(y, wide)
    assert np.isinf(found.thresholds[2])
    assert not (found.guess == 2).any()
    assert found.noise[2].tolist() == [0, 0, 1]


def test_an_unknown_cut_is_named() -> None:
    y, p = world(0, 2, 50)
    with pytest.raises(ValueError, match="not by 'loud'"):
        suspects(y, p, confident_joint(y, p), "loud")  # type: ignore[arg-type]


def test_the_shares_bounds_hold_for_dependent_rows_and_would_not_without_the_groups() -> None:
    truth = confident_share(*joined(world(99, 2, 200_000))).estimate
    with_groups, without = [], []
    for seed in range(300):
        y, p = world(seed, 2, 300)
        y, p, groups = np.repeat(y, 4), np.repeat(p, 4, axis=0), np.repeat(np.arange(300), 4)
        found = confident_joint(y, p)
        for given, missed in ((groups, with_groups), (None, without)):
            share = confident_share(y, found, groups=given)
            missed.append(not share.lower <= truth <= share.upper)
    assert kept(np.array(with_groups), 0.06)
    assert not kept(np.array(without), 0.06)


def joined(made: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, object]:
    y, p = made
    return y, confident_joint(y, p)


def test_where_nothing_is_off_the_bound_is_exact() -> None:
    y = np.arange(100) % 2
    p = np.where(y[:, None] == np.arange(2), 0.9, 0.1)
    share = confident_share(y, confident_joint(y, p))
    assert (share.estimate, share.lower) == (0, 0)
    assert share.upper == pytest.approx(1 - 0.025 ** (1 / 100))
