"""Shaken inputs are read as live ones are, and what becomes of the answers is told with bounds that hold together."""

from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl
import pytest

from evidence.promises import kept
from understudy.data.contract import Contract, infer_contract
from understudy.evaluation.robustness import MOST_ROWS, paired_difference, robustness
from understudy.evaluation.robustness_found import Robustness, robustness_actions
from understudy.evaluation.shakes import UNSEEN, shakes, spread

Rows = Callable[[pl.DataFrame], np.ndarray]


def table(n: int = 3000, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.lognormal(8, 0.6, n).round(2),
            "gain": np.where(rng.random(n) < 0.8, 0.0, rng.lognormal(7, 1, n)),
            "job": pl.Series(rng.choice(["cook", "nurse", "guard"], n)).set(pl.Series(rng.random(n) < 0.1), None),
            "married": rng.random(n) < 0.5,
            "since": pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2030, 1, 1), "1d", eager=True).head(n),
        }
    )


def by_age_and_job(frame: pl.DataFrame) -> np.ndarray:
    """Yes from 50 on; nurses from 30 on."""
    limit = np.where((frame["job"] == "nurse").fill_null(value=False).to_numpy(), 30, 50)
    yes = frame["age"].fill_null(0).to_numpy() >= limit
    return np.column_stack([~yes, yes]).astype(float)


def how_sure(frame: pl.DataFrame) -> np.ndarray:
    """The further from the limit, the surer."""
    limit = np.where((frame["job"] == "nurse").fill_null(value=False).to_numpy(), 30, 50)
    return np.clip(np.abs(frame["age"].to_numpy() - limit) / 40 + 0.5, 0.5, 1.0)


@pytest.fixture(scope="module")
def world() -> tuple[pl.DataFrame, Contract, Robustness]:
    frame = table()
    contract = infer_contract(frame)
    y = by_age_and_job(frame).argmax(axis=1)
    return frame, contract, robustness(frame, y, by_age_and_job, contract, confidence=how_sure(frame), seed=1)


def one(found: Robustness, words: str) -> object:
    return next(shaken for shaken in found.shaken if shaken.words == words)


def test_what_breaks_the_contract_is_refused_and_what_does_not_is_answered(
    world: tuple[pl.DataFrame, Contract, Robustness],
) -> None:
    _, contract, found = world
    refused = {shaken.subject: shaken.refused for shaken in found.of("lost column")}
    assert refused == {column.name: 0.0 if column.nullable else 1.0 for column in contract.used}
    assert one(found, "age no longer comes").changed is None
    assert one(found, "job no longer comes").refused == 0


def test_each_share_is_what_a_plain_loop_counts(world: tuple[pl.DataFrame, Contract, Robustness]) -> None:
    frame, _, found = world
    rows = np.sort(np.random.default_rng(1).choice(frame.height, MOST_ROWS, replace=False))
    sample = frame[rows]
    before = by_age_and_job(sample).argmax(axis=1)
    after = by_age_and_job(sample.with_columns(job=pl.lit(UNSEEN))).argmax(axis=1)
    changed = sum(a != b for a, b in zip(before, after, strict=True)) / len(rows)
    unseen = one(found, "job holds a value never seen")
    assert unseen.changed.estimate == pytest.approx(changed)
    assert unseen.harm.estimate == pytest.approx(changed)  # unshaken it is always right
    assert unseen.harm.lower > 0
    assert found.error.estimate == 0


def test_blanks_change_nothing_and_capitals_do(world: tuple[pl.DataFrame, Contract, Robustness]) -> None:
    _, _, found = world
    assert found.of("blanks")[0].changed.estimate == 0
    assert found.of("case")[0].changed.estimate > 0.02


def test_tiny_noise_moves_answers_at_the_boundary_and_no_sure_ones(
    world: tuple[pl.DataFrame, Contract, Robustness],
) -> None:
    _, _, found = world
    assert found.bands[0].low == 0
    assert found.sure is not None
    assert found.sure.changed.estimate == 0
    assert found.bands[0].changed.estimate > 0


def test_noise_keeps_whole_numbers_ranges_empty_cells_and_the_common_value() -> None:
    frame = table().with_columns(income=pl.Series(np.where(np.arange(3000) % 7, table()["income"], None)))
    contract = infer_contract(frame)
    shaken = next(shake for shake in shakes(contract, frame, []) if shake.way == "noise" and shake.strength == 0.2)
    moved = shaken.apply(frame, np.random.default_rng(0))
    assert moved.schema == frame.schema
    assert moved["age"].min() >= frame["age"].min()
    assert moved["age"].max() <= frame["age"].max()
    assert (moved.filter(frame["gain"] == 0)["gain"] == 0).all()
    assert (moved.filter(frame["gain"] > 0)["gain"] != frame.filter(frame["gain"] > 0)["gain"]).all()
    assert (moved["income"].is_null() == frame["income"].is_null()).all()
    apart = (moved["age"] - frame["age"]).to_numpy()
    assert abs(apart.mean()) < 0.3
    assert apart.std() == pytest.approx(0.2 * spread(frame["age"]).scale, rel=0.1)


def test_cells_are_lost_at_their_share_and_only_where_they_may_be_empty() -> None:
    frame = table()
    contract = infer_contract(frame)
    shaken = next(shake for shake in shakes(contract, frame, []) if shake.way == "lost cells" and shake.strength == 0.2)
    moved = shaken.apply(frame, np.random.default_rng(0))
    assert moved["age"].null_count() == 0
    lost = (moved["job"].is_null() & frame["job"].is_not_null()).sum()
    assert lost / frame["job"].is_not_null().sum() == pytest.approx(0.2, abs=0.03)


def test_each_row_gets_one_typo() -> None:
    frame = table().with_columns(town=pl.Series(np.random.default_rng(3).choice(["Ulm", "Bonn"], 3000)))
    contract = infer_contract(frame)
    shaken = next(shake for shake in shakes(contract, frame, []) if shake.way == "typo")
    moved = shaken.apply(frame, np.random.default_rng(0))
    changed = [
        sum(a != b for a, b in zip(before, after, strict=True))
        for before, after in zip(frame["job", "town"].rows(), moved["job", "town"].rows(), strict=True)
    ]
    assert max(changed) == 1
    assert np.mean(changed) > 0.8  # a swap of like letters, or in an empty cell, changes nothing


@pytest.mark.parametrize(("p", "q"), [(0.02, 0.02), (0.03, 0.005), (0.004, 0.0), (0.0005, 0.0), (0.3, 0.3)])
def test_paired_bounds_hold_the_difference(p: float, q: float) -> None:
    rng = np.random.default_rng(0)
    broken = []
    for worse, better, _ in rng.multinomial(1000, [p, q, 1 - p - q], 1000):
        found = paired_difference(worse, better, 1000, 0.05)
        broken.append(not found.lower <= p - q <= found.upper)
    assert kept(np.array(broken), 0.05)


def test_harm_that_is_none_is_rarely_shown_though_many_ways_are_tried() -> None:
    """A model that guesses: shaking changes its answers, and makes them no worse."""

    def guess(frame: pl.DataFrame) -> np.ndarray:
        hashed = frame.hash_rows(seed=1).to_numpy() % 2
        return np.column_stack([1 - hashed, hashed]).astype(float)

    frame = pl.concat([table(200, seed).select(pl.col("job").alias(f"j{seed}")) for seed in range(6)], how="horizontal")
    contract = infer_contract(frame)

    def shown(seed: int, alpha: float) -> bool:
        y = np.random.default_rng(seed).integers(0, 2, 200)
        found = robustness(frame, y, guess, contract, confidence=np.full(200, 0.6), alpha=alpha, seed=seed)
        return any(shaken.harm is not None and shaken.harm.lower > 0 for shaken in found.shaken)

    assert kept(np.array([shown(seed, 0.05) for seed in range(40)]), 0.05)
    alone = 0.2 * len(list(shakes(contract, frame, contract.used)))  # bounds of each way by itself, at 80 %
    assert not kept(np.array([shown(seed, alone) for seed in range(20)]), 0.05)


def test_numbers_are_other_answers_beyond_the_tolerance() -> None:
    frame = table(800)
    contract = infer_contract(frame)

    def income(rows: pl.DataFrame) -> np.ndarray:
        return rows["age"].cast(pl.Float64).fill_null(50).to_numpy()[:, None]

    y = income(frame)[:, 0]
    found = robustness(frame, y, income, contract, confidence=np.full(800, 0.9), tolerance=1000.0)
    assert all(shaken.changed.estimate == 0 for shaken in found.of("noise"))
    tight = robustness(frame, y, income, contract, confidence=np.full(800, 0.9), tolerance=2.0)
    assert tight.of("noise")[-1].changed.estimate > 0.2


def test_too_strange_cases_are_counted() -> None:
    frame = table(500)
    y = by_age_and_job(frame).argmax(axis=1)

    def strange(rows: pl.DataFrame) -> np.ndarray:
        return (rows["job"] == UNSEEN).fill_null(value=False).to_numpy()

    found = robustness(frame, y, by_age_and_job, infer_contract(frame), confidence=np.full(500, 0.8), strange=strange)
    assert one(found, "job holds a value never seen").strange == 1
    assert found.of("blanks")[0].strange == 0


def test_of_very_many_columns_the_important_ones_are_shaken() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{i}": rng.normal(size=400) for i in range(70)})
    y = np.zeros(400, dtype=np.int64)
    found = robustness(
        frame,
        y,
        lambda rows: np.tile([1.0, 0.0], (rows.height, 1)),
        infer_contract(frame),
        confidence=np.ones(400),
        important=["x69"],
    )
    assert found.columns_left_out == 20
    assert found.of("lost column")[0].subject == "x69"


def test_capitals_that_change_answers_are_worth_an_action(
    world: tuple[pl.DataFrame, Contract, Robustness],
) -> None:
    _, _, found = world
    subjects = [action.subject for action in robustness_actions(found)]
    assert subjects == ["all texts and categories in capitals"]


def test_it_is_stored_and_read_again_and_the_same_seed_gives_the_same(
    world: tuple[pl.DataFrame, Contract, Robustness],
) -> None:
    frame, contract, found = world
    assert msgspec.json.decode(msgspec.json.encode(found), type=Robustness) == found
    y = by_age_and_job(frame).argmax(axis=1)
    assert robustness(frame, y, by_age_and_job, contract, confidence=how_sure(frame), seed=1) == found


def test_one_row_is_shaken_and_none_is_an_error() -> None:
    frame = table(200)
    contract = infer_contract(frame)
    one_row = robustness(frame.head(1), np.array([0]), by_age_and_job, contract, confidence=np.array([0.7]))
    assert one_row.rows == 1
    with pytest.raises(ValueError, match="at least one; got 0, 0, 0"):
        robustness(frame.head(0), np.array([]), by_age_and_job, contract, confidence=np.array([]))


def test_of_very_many_columns_old_and_new_cases_are_shaken_alike() -> None:
    n, names = 2400, [f"word_{place}" for place in range(60)]
    rng = np.random.default_rng(0)
    wide = pl.DataFrame({name: rng.choice(["a", "b"], n) for name in names})
    late = np.arange(n) >= n // 2  # it is wrong in the second half of the time only

    def always_no(frame: pl.DataFrame) -> np.ndarray:
        return np.column_stack([np.ones(frame.height), np.zeros(frame.height)])

    found = robustness(wide, late * 1, always_no, infer_contract(wide), confidence=np.ones(n))
    assert found.rows < MOST_ROWS
    assert found.error.lower < 0.5 < found.error.upper
