"""Which rows train, choose, judge and wait."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.errors import DataError
from understudy.data.split import folds, split

PARTS = ("train", "validation", "test", "history")


def parts_of(made: object) -> list[np.ndarray]:
    return [getattr(made, name) for name in PARTS]


@settings(max_examples=60, deadline=None)
@given(n=st.integers(20, 300), seed=st.integers(0, 5), scheme=st.sampled_from(["time", "random", "stratified"]))
def test_every_row_is_in_exactly_one_part(n: int, seed: int, scheme: str) -> None:
    order = np.random.default_rng(seed).integers(0, 10**6, n) if scheme == "time" else None
    strata = np.arange(n) % 2 if scheme == "stratified" else None
    made = split(n, order=order, strata=strata, seed=seed)
    assert made.scheme == scheme
    assert sorted(np.concatenate(parts_of(made)).tolist()) == list(range(n))
    assert all(len(part) for part in parts_of(made))


def test_by_time_each_part_is_later_than_the_one_before_and_moments_stay_together() -> None:
    order = np.repeat(np.arange(40), 7)
    times = [order[part] for part in parts_of(split(280, order=order))]
    for before, after in pairwise(times):
        assert before.max() < after.min()


def test_groups_are_never_parted() -> None:
    groups = np.random.default_rng(0).integers(0, 60, 500)
    for order in (None, np.arange(500)):
        sets = [set(groups[part]) for part in parts_of(split(500, groups=groups, order=order))]
        assert sum(len(one) for one in sets) == len(set.union(*sets))


def test_classes_keep_their_proportion() -> None:
    strata = (np.arange(1000) < 100).astype(int)
    for part in parts_of(split(1000, strata=strata)):
        assert abs(strata[part].mean() - 0.1) < 0.01


def test_a_rare_class_reaches_the_training_rows() -> None:
    strata = np.zeros(100, dtype=int)
    strata[[7, 70]] = 1
    assert strata[split(100, strata=strata).train].sum() >= 1


def test_the_same_seed_gives_the_same_parts_and_another_seed_others() -> None:
    first, again, other = (split(200, seed=seed).test.tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (19, {}, "19 rows cannot be parted"),
        (100, {"order": np.zeros(100)}, "too few different moments"),
        (100, {"groups": np.zeros(100, dtype=int)}, "too few different groups"),
    ],
)
def test_too_little_to_part_is_said_clearly(n: int, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(n, **options)


def test_rolling_folds_never_fit_on_the_future() -> None:
    order = np.random.default_rng(0).permutation(300) // 3
    made = folds("time", n=300, k=5, order=order)
    assert len(made) == 5
    for fold in made:
        assert order[fold.fit].max() < order[fold.score].min()


@pytest.mark.parametrize("scheme", ["stratified", "random", "group"])
def test_other_folds_score_every_row_once(scheme: str) -> None:
    strata = (np.arange(203) % 10 == 0).astype(int) if scheme == "stratified" else None
    groups = np.arange(203) // 4 if scheme == "group" else None
    made = folds(scheme, n=203, k=5, strata=strata, groups=groups)
    assert sorted(np.concatenate([fold.score for fold in made]).tolist()) == list(range(203))
    for fold in made:
        assert not set(fold.fit) & set(fold.score)
        if groups is not None:
            assert not set(groups[fold.fit]) & set(groups[fold.score])
        if strata is not None:
            assert abs(strata[fold.score].mean() - strata.mean()) < 0.03


def test_the_first_half_of_the_rows_in_time_only_trains() -> None:
    made = folds("time", n=400, k=4, order=np.arange(400))
    assert [(len(fold.fit), len(fold.score)) for fold in made] == [(200, 50), (250, 50), (300, 50), (350, 50)]
