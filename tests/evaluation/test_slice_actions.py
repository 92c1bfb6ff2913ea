"""A slice that is worse becomes an action, with a condition that a mandate takes and that holds for its cases alone."""

from datetime import datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from understudy.core.task import Mandate
from understudy.core.task_file import parse_task
from understudy.core.task_text import toml_value
from understudy.data.conditions import compile_conditions
from understudy.evaluation.actions import Action
from understudy.evaluation.slice_actions import FEW, rows_in, slice_actions
from understudy.evaluation.slices import SlicePlan, Slices, find_slices
from understudy.reports.chapters.slices import noticeable, slices_chapter

ODD = 'fee "net"; %'


def table(n: int, seed: int = 0) -> pl.DataFrame:
    """A column of every kind, with names and values that need quoting."""
    rng = np.random.default_rng(seed)
    start = datetime(2024, 1, 1)
    return pl.DataFrame(
        {
            ODD: rng.lognormal(3, 1, n).round(2),
            "age": [None if rng.random() < 0.2 else int(age) for age in rng.integers(18, 80, n)],
            "town": rng.choice(["Val-d'Or", 'the "Hague"', "", "Ulm"], n),
            "vip": rng.random(n) < 0.4,
            "at": [start + timedelta(hours=int(hour)) for hour in rng.integers(0, 8000, n)],
            "note": rng.choice(["the bag was stolen", "window broke", "nothing to say about it at all"], n),
        },
    )


BAD = {
    "number": pl.col(ODD) > 40,
    "missing": pl.col("age").is_null(),
    "whole": pl.col("age") >= 60,
    "quote": pl.col("town") == "Val-d'Or",
    "double quote": pl.col("town") == 'the "Hague"',
    "empty": pl.col("town") == "",
    "boolean": pl.col("vip"),
    "time": pl.col("at") > datetime(2024, 9, 1),
    "month": pl.col("at").dt.month() == 3,
    "hour": pl.col("at").dt.hour() < 5,
    "word": pl.col("note").str.contains("stolen"),
    "two": (pl.col("town") == "Ulm") & (pl.col(ODD) > 25),
}


def searched(bad: pl.Expr, n: int = 6000) -> tuple[pl.DataFrame, np.ndarray, Slices]:
    frame = table(n)
    inside = frame.select(bad.fill_null(value=False)).to_series().to_numpy()
    wrong = np.random.default_rng(1).random(n) < np.where(inside, 0.5, 0.05)
    return frame, inside, find_slices(frame, wrong * 1.0, prose=["note"])


@pytest.mark.parametrize("case", BAD)
def test_the_mandate_hands_over_exactly_the_cases_of_the_slice(case: str) -> None:
    frame, inside, found = searched(BAD[case])
    action = slice_actions(found)[0]
    text = f"""[task]
name = "x"
question = "x"
target = "x"
kind = "classification"
goal = "f1"
[mandate]
never = {toml_value([action.mandate])}
[autonomy]
max_error = 0.1
confidence = 0.9
"""
    mandate: Mandate = parse_task(text).mandate
    held = compile_conditions(mandate.never, frame.schema).hold(frame.to_dicts())
    handed = np.array([told is True for (told,) in held])
    assert (handed & inside).sum() / (handed | inside).sum() > 0.8  # the cut of a number lies near the true one
    direct = frame.select(pl.sql_expr(found.significant[0].condition).fill_null(value=False)).to_series().to_numpy()
    np.testing.assert_array_equal(handed, direct)
    assert rows_in(found, frame)[action.mandate] == handed.sum()


def test_the_gain_is_the_share_of_all_cases_that_would_no_longer_be_wrong() -> None:
    frame, inside, found = searched(BAD["quote"], n=40_000)
    action = slice_actions(found, people=0.02)[0]
    assert (action.kind, action.subject) == ("split off", "town is Val-d'Or")
    expected = inside.mean() * (0.5 - 0.05)
    assert action.gain is not None
    assert action.gain.lower <= expected <= action.gain.upper
    assert action.share == pytest.approx(inside.mean(), abs=0.01)
    assert action.gap == pytest.approx(0.48, abs=0.03)
    assert "against 5." in action.why or "against 4." in action.why
    assert msgspec.json.decode(msgspec.json.encode(action), type=Action) == action
    assert frame.height == 40_000


def test_a_large_slice_is_to_be_understood_before_it_is_handed_over() -> None:
    frame, inside, found = searched(BAD["boolean"])
    assert inside.mean() > 0.35
    action = slice_actions(found)[0]
    assert action.what == "Find out what tells the cases where vip is true apart, or hand them to people"
    assert (action.effort, action.mandate) == ("days", '"vip" = TRUE')
    assert "points more (" in action.why
    small = slice_actions(searched(BAD["two"])[2])[0]
    assert small.what.startswith("Hand the cases where ")
    assert small.effort == "minutes"
    assert frame.height == 6000


def test_a_condition_over_a_column_that_live_cases_lack_is_no_mandate() -> None:
    _, _, found = searched(BAD["quote"])
    action = slice_actions(found, inputs=[ODD, "age"])[0]
    assert action.mandate == ""
    assert "no mandate can name it" in action.why
    assert slice_actions(found, inputs=["town"])[0].mandate


def test_more_data_is_asked_for_where_the_model_learned_from_few_rows() -> None:
    _, _, found = searched(BAD["quote"])
    condition = found.significant[0].condition
    few, many = (slice_actions(found, learned={condition: rows}) for rows in (FEW - 1, FEW))
    assert [one.kind for one in few if one.mandate in ("", condition)] == ["split off", "collect data"]
    assert [one.kind for one in many if one.mandate == condition] == ["split off"]
    assert few[1].gain is None
    assert f"only {FEW - 1} of them" in few[1].why


def test_losses_that_are_no_wrong_decisions_are_refused() -> None:
    rng = np.random.default_rng(0)
    found = find_slices(table(500), rng.exponential(size=500))
    with pytest.raises(ValueError, match="losses of 0 and 1"):
        slice_actions(found)


def test_where_nothing_is_worse_nothing_is_to_be_done_and_the_chapter_says_what_it_would_have_noticed() -> None:
    rng = np.random.default_rng(5)
    found = find_slices(table(3000), (rng.random(3000) < 0.1) * 1.0)
    assert not found.significant
    assert slice_actions(found) == ()
    assert rows_in(found, table(10)) == {}
    chapter = slices_chapter(found)
    assert chapter.lede.startswith("No slice of the cases is shown to be worse")
    assert f"{100 * noticeable(found):.1f} more of 100" in str(chapter.parts[0])


def test_as_much_as_the_chapter_says_is_noticed_in_about_four_of_five_tables() -> None:
    noticed, seeds = 0, 40
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        frame = pl.DataFrame({"x": rng.choice([*"abcdefghij"], 4000), "y": rng.random(4000)})
        none = find_slices(frame, (rng.random(4000) < 0.1) * 1.0, SlicePlan(seed=seed))
        least = noticeable(none)
        wrong = rng.random(4000) < np.where(frame["x"] == "a", 0.1 + least, 0.1)
        found = find_slices(frame, wrong * 1.0, SlicePlan(seed=seed))
        noticed += any("x is a" in one.words for one in found.significant)
    assert 0.6 <= noticed / seeds <= 0.98


def test_the_chapter_names_the_worst_slice_first() -> None:
    frame, _, found = searched(BAD["double quote"])
    chapter = slices_chapter(found, learned=rows_in(found, frame))
    assert 'town is the "Hague"' in chapter.lede
    tables = [part for part in chapter.parts if hasattr(part, "rows")]
    assert len(tables) == 1
    assert tables[0].rows[0][0] == 'town is the "Hague"'
    assert all(len(row) == len(tables[0].columns) for row in tables[0].rows)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Slices) == found


def test_too_few_rows_are_said_to_be_too_few() -> None:
    found = find_slices(table(20), np.array([0.0, 1.0] * 10))
    assert "too few rows" in str(slices_chapter(found).parts[0])
