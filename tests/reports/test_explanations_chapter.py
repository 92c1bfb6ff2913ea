"""The chapter on explanations: what matters, what stands for each other, and what looks too good."""

from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import polars as pl
import pytest

from understudy.core.evidence import Evidence
from understudy.evaluation.effects import column_effect
from understudy.evaluation.explanations import Explanations, NamedEffect, drop_action, explanation_actions
from understudy.evaluation.importance import Importance, importances
from understudy.reports.chapter import Chapter, Figure, Table, Text
from understudy.reports.chapters.explanations import explanations_chapter

LABELS = ("no", "yes")


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]


def world(leak: float = 0.0) -> Explanations:
    """Loans: amount and region decide, `size` repeats the amount, `shoe` is noise, `closed` may give it away."""
    rng = np.random.default_rng(0)
    n = 1500
    amount, shoe = rng.lognormal(5, 1, n), rng.normal(size=n)
    region = rng.choice(["north", "south", "a region with a very long name, which goes on"], n)
    logit = 2 * (np.log(amount) - 5) + 1.5 * (region == "north")
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    closed = np.where(rng.random(n) < 0.99, y, 1 - y)
    frame = pl.DataFrame(
        {"amount": amount, "size": amount * 2, "region": region, "shoe": shoe, "closed": closed, "day": days(n)}
    )

    def predict(rows: pl.DataFrame) -> np.ndarray:
        own = np.log(rows["amount"]) - 5 + np.log(rows["size"] / 2) - 5 + 1.5 * (rows["region"] == "north")
        score = (1 - leak) * own.to_numpy() + leak * 8 * (rows["closed"].to_numpy() - 0.5)
        share = 1 / (1 + np.exp(-score))
        return np.column_stack([1 - share, share])

    found = importances(predict, frame, y, kind="classification", goal="roc_auc")
    effects = tuple(column_effect(predict, frame, name, labels=LABELS) for name in ("amount", "region", "day"))
    ratio = Evidence(estimate=2.1, lower=1.4, upper=3.2, confidence=0.95, n=n, method="Wald, robust")
    return Explanations(
        importances=found,
        effects=tuple(one for one in effects if one is not None),
        coefficients=(NamedEffect(name="region = north", effect=ratio),),
        member="Logistic regression",
        positive="yes",
    )


def days(n: int) -> pl.Series:
    return pl.Series(np.arange(n) * 86_400_000_000).cast(pl.Datetime("us"))


@pytest.fixture(scope="module")
def found() -> Explanations:
    return world()


@pytest.fixture(scope="module")
def chapter(found: Explanations) -> Chapter:
    return explanations_chapter(found)


@pytest.fixture(scope="module")
def leaking() -> Explanations:
    return world(leak=0.9)


def test_the_finding_opens_the_chapter_and_the_pictures_say_it_too(chapter: Chapter) -> None:
    assert chapter.anchor == "explanations"
    assert chapter.lede.startswith("It rests most on ")
    assert "ROC AUC gets worse by 0." in chapter.lede
    figures = [part for part in chapter.parts if isinstance(part, Figure)]
    assert len(figures) == 2
    shown = texts(figures[0].svg)
    assert {"amount", "size", "region", "shoe", "closed", "day"} <= set(shown)
    assert not any("nan" in text.lower() for figure in figures for text in texts(figure.svg))
    assert "aria-label" in figures[1].svg
    assert "north" in figures[1].text


def test_columns_that_stand_for_each_other_are_named_with_what_they_are_worth_together(
    found: Explanations, chapter: Chapter
) -> None:
    tables = [part for part in chapter.parts if isinstance(part, Table)]
    (together,) = [table for table in tables if "stand for each other" in table.caption]
    assert set(str(together.rows[0][0]).split(", ")) == {"amount", "size"}
    ratios = next(table for table in tables if "Logistic" in table.caption)
    assert ratios.columns[1].title == "multiplies the odds of yes by"
    every = tables[-1]
    assert [row[0] for row in every.rows] == [one.columns[0] for one in found.importances.columns]
    assert {row[3] for row in every.rows} == {"shown", "not shown"}


def test_columns_that_are_not_shown_to_matter_share_one_row_without_a_gain(found: Explanations) -> None:
    (action,) = explanation_actions(found)
    assert (action.kind, action.subject, action.gain) == ("drop feature", "columns not shown to matter", None)
    assert set(found.idle) == {"shoe", "closed", "day"}
    assert all(name in action.what for name in found.idle)
    assert "any one of these 3 columns" in action.why


def test_what_a_refit_has_told_is_not_said_again(found: Explanations) -> None:
    (action,) = explanation_actions(found, refitted={"shoe", "day", "amount"})
    assert action.what == "Try it without closed"
    assert action.why.startswith("With its values dealt out at random at most ")
    assert explanation_actions(found, refitted={"shoe", "day", "closed"}) == ()


def test_of_many_columns_the_five_that_matter_least_are_named() -> None:
    named = [f"c{place}" for place in range(8)]
    action = drop_action([idle_column(name) for name in named])
    assert action.what == "Try it without c0, c1, c2, c3, c4 and 3 more"
    assert drop_action([idle_column(name) for name in named[:6]]).what == "Try it without c0, c1, c2, c3, c4 and c5"


def idle_column(name: str) -> Importance:
    nothing = Evidence(estimate=0.0, lower=-0.01, upper=0.01, confidence=0.95, n=100, method="invented")
    return Importance(columns=(name,), metric=nothing, wrong=nothing)


def test_a_column_that_carries_all_is_asked_about(found: Explanations, leaking: Explanations) -> None:
    assert found.dominant is None
    first = explanation_actions(leaking)[0]
    assert (first.kind, first.subject) == ("fix leak", "closed")
    assert "is known when the decision is made" in first.what
    said = [part.text for part in explanations_chapter(leaking).parts if isinstance(part, Text)]
    assert any("comes from closed." in text for text in said)


def test_it_is_stored_and_read_again(found: Explanations) -> None:
    assert msgspec.json.decode(msgspec.json.encode(found), type=Explanations) == found


def test_where_nothing_is_shown_it_says_so() -> None:
    frame = pl.DataFrame({"x": np.arange(60.0), "z": np.arange(60.0)[::-1] % 7})
    y = np.arange(60.0)

    def constant(rows: pl.DataFrame) -> np.ndarray:
        return np.full((rows.height, 1), 3.0)

    flat = importances(constant, frame, y, kind="regression", goal="rmse", tolerance=1.0)
    found = Explanations(importances=flat, effects=())
    chapter = explanations_chapter(found)
    assert "No single column is shown to matter" in chapter.lede
    assert explanation_actions(found) == ()
