"""How the answer moves along one column, and which columns go together: worlds whose effects are known."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy import stats

from understudy.evaluation.associations import associations, stand_ins
from understudy.evaluation.effects import ColumnEffect, column_effect


def effect(predict, frame: pl.DataFrame, column: str, **more) -> ColumnEffect:  # type: ignore[no-untyped-def]
    found = column_effect(predict, frame, column, **more)
    assert found is not None
    return found


def test_of_an_additive_model_it_is_the_columns_own_curve_whatever_goes_together() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 3, 3000)
    frame = pl.DataFrame({"x": x, "z": x + 0.1 * rng.normal(size=3000)})
    found = effect(lambda rows: (rows["x"] ** 2 - 4 * rows["z"]).to_numpy()[:, None], frame, "x")
    at = np.array([point.at for point in found.points])
    line = np.array([point.effect for point in found.points])
    assert line - line[0] == pytest.approx(at**2 - at[0] ** 2, abs=1e-9)
    assert abs(np.interp(x, at, line).mean()) < 1e-9
    assert all(point.lower <= point.effect <= point.upper for point in found.points)


def test_it_is_what_a_plain_loop_says() -> None:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"x": rng.integers(0, 5, 400), "z": rng.normal(size=400)})

    def predict(rows: pl.DataFrame) -> np.ndarray:
        return np.sin(rows["x"].to_numpy() * rows["z"].to_numpy())[:, None]

    found = effect(predict, frame, "x")
    edges = [point.at for point in found.points]
    risen = [0.0]
    for low, high in pairwise(edges):
        inside = [row for row in frame.to_dicts() if low < row["x"] <= high or (low == edges[0] and row["x"] == low)]
        risen.append(risen[-1] + np.mean([np.sin(high * row["z"]) - np.sin(low * row["z"]) for row in inside]))
    own = np.array([point.effect for point in found.points])
    assert own - own[0] == pytest.approx(risen, abs=1e-9)


def test_levels_are_compared_as_if_every_case_had_them() -> None:
    frame = pl.DataFrame({"job": ["cook"] * 60 + ["nurse"] * 30 + [None] * 10, "age": range(100)})

    def predict(rows: pl.DataFrame) -> np.ndarray:
        share = 0.2 + 0.5 * (rows["job"] == "nurse").fill_null(False).to_numpy() + 0.001 * rows["age"].to_numpy()
        return np.column_stack([1 - share, share])

    found = effect(predict, frame, "job", labels=("no", "yes"))
    assert found.answer == "yes"
    assert [(point.level, round(point.share, 2)) for point in found.points] == [("cook", 0.6), ("nurse", 0.3)]
    assert [point.effect for point in found.points] == pytest.approx([-0.15, 0.35])


def test_of_several_answers_the_one_that_moves_most_is_told() -> None:
    frame = pl.DataFrame({"x": np.linspace(0, 1, 200)})

    def predict(rows: pl.DataFrame) -> np.ndarray:
        x = rows["x"].to_numpy()
        return np.column_stack([0.5 - 0.1 * x, 0.2 - 0.2 * x, 0.3 + 0.3 * x])

    found = effect(predict, frame, "x", labels=("a", "b", "c"))
    assert found.answer == "c"
    assert found.reach == pytest.approx(0.3 * 0.98, abs=0.003)


@pytest.mark.parametrize("values", [[1.0] * 50, [None] * 50, [f"text {i}" for i in range(50)]])
def test_what_never_varies_and_free_text_have_no_curve(values: list[object]) -> None:
    frame = pl.DataFrame({"x": values}, strict=False)
    assert column_effect(lambda rows: np.zeros((rows.height, 1)), frame, "x") is None


def test_the_band_holds_the_whole_curve() -> None:
    rng = np.random.default_rng(2)

    def predict(rows: pl.DataFrame) -> np.ndarray:
        return (rows["x"] * (1 + rows["z"])).to_numpy()[:, None]

    grid = np.arange(6.0)
    held = narrow = 0
    for seed in range(100):
        frame = pl.DataFrame({"x": rng.integers(0, 6, 300).astype(float), "z": rng.normal(size=300)})
        found = effect(predict, frame, "x", seed=seed)
        low, high = (np.array([getattr(point, side) for point in found.points]) for side in ("lower", "upper"))
        middle = np.array([point.effect for point in found.points])
        truth = grid - 2.5
        held += bool(((low <= truth) & (truth <= high)).all())
        half = (high - middle) / 2
        narrow += bool((np.abs(truth - middle) <= half).all())
    assert held >= stats.binom.ppf(0.001, 100, 0.93)
    assert narrow < stats.binom.ppf(0.001, 100, 0.93), "half of the band would not do"


def test_associations_are_found_between_all_kinds_of_columns() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=2000)
    level = np.array(["low", "mid", "high"])[np.digitize(x, [-0.5, 0.5])]
    frame = pl.DataFrame(
        {
            "x": x,
            "cube": x**3,
            "level": level,
            "same": [f"is {one}" for one in level],
            "other": rng.choice(["a", "b"], 2000),
            "noise": rng.normal(size=2000),
            "text": [f"{i} words" for i in range(2000)],
            "constant": ["k"] * 2000,
        }
    )
    found = associations(frame)
    place = {name: at for at, name in enumerate(frame.columns)}
    assert found[place["x"], place["cube"]] == pytest.approx(1.0)
    assert found[place["level"], place["same"]] == pytest.approx(1.0, abs=0.01)
    assert found[place["x"], place["level"]] > 0.85
    for name in ("other", "noise", "text", "constant"):
        assert np.delete(found[place[name]], place[name]).max() < 0.08
    assert stand_ins(found) == ((0, 1, 2, 3),)
    assert np.array_equal(found, found.T)


def test_two_numbers_go_together_as_spearman_says() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=500)
    y = x + rng.normal(size=500)
    found = associations(pl.DataFrame({"x": x, "y": y}))
    assert found[0, 1] == pytest.approx(stats.spearmanr(x, y).statistic)
