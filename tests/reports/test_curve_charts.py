"""The chapters on measures and biases hold what was found, and their pictures follow the page's colours."""

import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import polars as pl
import pytest

from understudy.evaluation.prediction_bias import prediction_bias
from understudy.evaluation.report import Evaluation, TestPart, evaluate
from understudy.reports.chapter import Chapter, Figure, Table
from understudy.reports.chapters.bias import bias_chapter
from understudy.reports.chapters.measures import measures_chapter
from understudy.reports.curve_charts import bias_chart, consistency_chart, decile_chart


def judged(k: int, *, priced: bool = False, positive: float = 0.3) -> Evaluation:
    rng = np.random.default_rng(0)
    labels = ("no", "yes") if k == 2 else tuple("abcdefghi"[:k])
    p = rng.dirichlet([4 * (1 - positive), 4 * positive] if k == 2 else np.full(k, 0.5), 700)
    y = np.minimum((p.cumsum(axis=1) > rng.random((700, 1))).argmax(axis=1), k - 1)
    part = TestPart(
        y=y,
        scores=p,
        confidence=p.max(axis=1),
        baseline=np.full((700, k), 1 / k),
        baseline_name="chance",
        hard=False,
        labels=labels,
        costs={"no -> yes": 1.0, "yes -> no": 8.0} if priced else {},
    )
    return evaluate(part, kind="classification", goal="log_loss", seed=0)


def tables(chapter: Chapter) -> list[Table]:
    return [part for part in chapter.parts if isinstance(part, Table)]


def figures(chapter: Chapter) -> dict[str, Figure]:
    return {part.title: part for part in chapter.parts if isinstance(part, Figure)}


@pytest.mark.parametrize("priced", [False, True])
def test_two_classes_have_every_curve_and_a_constant_beside(make_report: object, priced: bool) -> None:
    evaluation = judged(2, priced=priced)
    chapter = measures_chapter(make_report(2, evaluation=evaluation, labels=("no", "yes")))
    cost = "Cost by threshold" if priced else "Wrong answers by threshold"
    assert set(figures(chapter)) == {
        "ROC curve", "Precision and recall", "Gain", cost, "Whether probabilities come true",
    }  # fmt: skip
    rows = {row[0].split(" · ")[0]: row[1:] for row in tables(chapter)[0].rows}
    found = evaluation.measures
    assert rows["Accuracy"] == (
        evaluation.metrics["accuracy"], evaluation.baseline.metrics["accuracy"], found.constant["accuracy"],
    )  # fmt: skip
    assert f"always no is in {found.constant['accuracy']:.1%}" in chapter.lede
    captions = " ".join(table.caption for table in tables(chapter))
    assert ("What the answers cost per case" in captions) == priced
    for figure in figures(chapter).values():
        root = ET.fromstring(figure.svg)
        assert root.attrib["aria-label"]
        assert "var(--model)" in figure.svg
        assert len(figure.svg) < 120_000


def test_what_misleads_stands_in_a_table(make_report: object) -> None:
    chapter = measures_chapter(make_report(2, evaluation=judged(2, positive=0.03), labels=("no", "yes")))
    (flags,) = [table for table in tables(chapter) if "mislead" in table.caption]
    assert "Accuracy" in [row[0] for row in flags.rows]
    assert "mislead" in chapter.lede


def test_several_classes_have_a_curve_each_and_numbers_have_none(make_report: object) -> None:
    chapter = measures_chapter(make_report(4, evaluation=judged(4), labels=tuple("abcd")))
    assert {"Precision and recall: a", "Precision and recall: d"} <= set(figures(chapter))
    classes = next(table for table in tables(chapter) if table.caption.startswith("Class by class"))
    assert [row[0] for row in classes.rows] == ["a", "b", "c", "d", "mean, by frequency"]
    assert "Precision and recall" not in " ".join(figures(measures_chapter(make_report(0))))


def test_a_report_of_old_has_its_metrics(make_report: object) -> None:
    old = msgspec.structs.replace(judged(2), measures=None)
    chapter = measures_chapter(make_report(2, evaluation=old, labels=("no", "yes")))
    assert len(tables(chapter)) == 1
    assert figures(chapter) == {}


@pytest.mark.parametrize("k", [0, 2, 9])
def test_any_report_has_its_chapter(make_report: object, k: int) -> None:
    assert measures_chapter(make_report(k)).anchor == "measures"


def biased(n: int = 3000) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    region = rng.choice(["north", "<south>", "east"], n)
    p = rng.beta(1, 4, n)
    y = rng.random(n) < np.where(region == "north", np.minimum(1, 1.8 * p), p)
    return pl.DataFrame({"region": region, "age": rng.integers(18, 80, n)}), p, y * 1.0


def test_the_chapter_on_bias_opens_with_the_finding() -> None:
    frame, p, y = biased()
    found = prediction_bias(frame, p, y, scale="share")
    chapter = bias_chapter(found)
    assert chapter.anchor == "bias"
    assert chapter.lede.startswith("It predicts ")
    assert "when region is north" in chapter.lede
    assert tables(chapter)[0].rows[0][0] == "region is north"
    svg = figures(chapter)["Predicted and happened by region"].svg
    texts = [one.text or "" for one in ET.fromstring(svg).iter() if one.tag.endswith("text")]
    assert any(text.startswith("region is <south> (") for text in texts)
    assert "var(--model)" in svg
    assert "var(--other)" in svg


def test_without_a_bias_the_chapter_says_so() -> None:
    frame, p, _ = biased()
    y = np.random.default_rng(5).random(3000) < p
    chapter = bias_chapter(prediction_bias(frame, p, y, scale="share"))
    assert chapter.lede.startswith("None of ")
    assert tables(chapter) == []
    assert list(figures(chapter)) == ["By what is predicted"]


def test_numbers_and_single_buckets_are_drawn() -> None:
    frame, p, y = biased()
    found = prediction_bias(frame, p * 1e6, y * 1e6, scale="number")
    assert ET.fromstring(bias_chart(found.around[0], "number")) is not None
    one = prediction_bias(pl.DataFrame({"a": ["x"] * 60}), np.full(60, 0.5), np.ones(60), scale="share")
    assert ET.fromstring(decile_chart(one.deciles, "share")) is not None
    assert bias_chart((), "share") == decile_chart((), "share") == ""


def test_points_outside_the_band_have_another_shape() -> None:
    evaluation = judged(2)
    bins = evaluation.measures.consistency
    moved = tuple(msgspec.structs.replace(one, outside=True) for one in bins)
    assert "var(--limit)" in consistency_chart(moved, "yes")
    assert f"{len(bins)} of {len(bins)} points lie outside" in consistency_chart(moved, "yes")
