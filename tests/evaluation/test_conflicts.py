"""Rows with equal inputs and different answers are counted as a loop counts them."""

from collections import Counter, defaultdict
from collections.abc import Hashable

import msgspec
import numpy as np
import polars as pl
import pytest

from evidence.promises import kept
from understudy.evaluation.conflicts import Conflicts, codes_of, conflicting_rows, find_conflicts

LABELS = ("no", "yes", "maybe")


def table(seed: int, n: int = 400) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "a": rng.integers(0, 9, n),
            "b": pl.Series(rng.choice(["x", "y", "z"], n).tolist()).replace("z", None),
            "c": rng.choice([0.5, np.nan, -0.0, 0.0], n),
        }
    )
    return frame, rng.integers(0, 3, n)


def by_loop(frame: pl.DataFrame, y: np.ndarray) -> dict[Hashable, list[int]]:
    sets: dict[Hashable, list[int]] = defaultdict(list)
    for row, answer in zip(frame.iter_rows(), y, strict=True):
        key = tuple(
            "nan" if value != value else 0.0 if value == 0 and isinstance(value, float) else value for value in row
        )
        sets[key].append(int(answer))
    return sets


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_are_those_of_a_loop(seed: int) -> None:
    frame, y = table(seed)
    sets = by_loop(frame, y).values()
    conflicts = [one for one in sets if len(set(one)) > 1]
    found = find_conflicts(frame, y, LABELS)
    assert found.repeated == sum(len(one) for one in sets if len(one) > 1)
    assert (found.groups, found.conflicting) == (len(conflicts), sum(map(len, conflicts)))
    assert found.outvoted == sum(len(one) - max(Counter(one).values()) for one in conflicts)
    assert found.error.estimate == found.outvoted / 400
    assert found.repeated_error.estimate == found.outvoted / found.repeated
    assert sum(one.rows for one in found.pairs) == found.outvoted


def test_each_conflicting_row_is_listed_with_its_set() -> None:
    frame, y = table(1)
    found, rows = find_conflicts(frame, y, LABELS), conflicting_rows(frame, y, LABELS)
    assert rows.height == found.conflicting
    assert rows["set"].n_unique() == found.groups
    assert rows["outvoted"].sum() == found.outvoted
    for _, one in rows.group_by("set"):
        answers = Counter(one["label"].to_list())
        assert answers[one["mostly"][0]] == max(answers.values())
        assert one["mostly"].n_unique() == 1
        assert (one["outvoted"] == (one["label"] != one["mostly"])).all()


def test_codes_count_equal_rows_from_the_first() -> None:
    frame = pl.DataFrame({"a": [3, 1, 3, None, None], "b": ["x", "y", "x", "x", "x"]})
    assert codes_of(frame).tolist() == [0, 1, 0, 2, 2]


def test_numbers_conflict_when_they_are_beyond_the_tolerance_of_their_median() -> None:
    frame = pl.DataFrame({"a": [1, 1, 1, 2, 2, 3]})
    y = np.array([10.0, 11.0, 20.0, 5.0, 6.0, 7.0])
    found = find_conflicts(frame, y, tolerance=2.0)
    assert (found.groups, found.conflicting, found.outvoted) == (1, 3, 1)
    assert conflicting_rows(frame, y, tolerance=2.0)["mostly"].to_list() == [11.0] * 3
    assert find_conflicts(frame, y, tolerance=0.2).outvoted == 4


def test_the_bounds_hold_the_share_that_many_rows_would_show() -> None:
    def made(rng: np.random.Generator, sets: int) -> tuple[pl.DataFrame, np.ndarray]:
        code = np.repeat(np.arange(sets), rng.integers(1, 5, sets))
        hard = rng.random(sets) < 0.3
        return pl.DataFrame({"a": code}), (rng.random(len(code)) < np.where(hard[code], 0.4, 0.02)).astype(int)

    truth = find_conflicts(*made(np.random.default_rng(99), 100_000), LABELS).error.estimate
    errors = [find_conflicts(*made(np.random.default_rng(seed), 300), LABELS).error for seed in range(300)]
    assert kept(np.array([not one.lower <= truth <= one.upper for one in errors]), 0.06)


def test_without_repeats_nothing_conflicts() -> None:
    found = find_conflicts(pl.DataFrame({"a": [1, 2, 3]}), np.array([0, 1, 0]), LABELS)
    assert (found.repeated, found.groups, found.error.estimate) == (0, 0, 0)
    assert found.sentence == "No two rows have the same inputs."
    assert (found.repeated_error.lower, found.repeated_error.upper) == (0, 1)


def test_repeats_that_agree_do_not_conflict() -> None:
    found = find_conflicts(pl.DataFrame({"a": [1, 1, 3]}), np.array([1, 1, 0]), LABELS)
    assert found.groups == 0
    assert "without contradicting" in found.sentence


def test_it_survives_json() -> None:
    found = find_conflicts(*table(2), LABELS)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Conflicts) == found


@pytest.mark.parametrize(
    ("frame", "y", "given"),
    [
        (pl.DataFrame({"a": []}), [], {"labels": LABELS}),
        (pl.DataFrame({"a": [1]}), [1, 0], {"labels": LABELS}),
        (pl.DataFrame({"a": [1]}), [1.0], {}),
        (pl.DataFrame({"a": [1]}), [1.0], {"tolerance": -1.0}),
    ],
)
def test_what_cannot_conflict_is_refused(frame: pl.DataFrame, y: list[float], given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected rows|tolerance"):
        find_conflicts(frame, np.array(y), **given)  # type: ignore[arg-type]
