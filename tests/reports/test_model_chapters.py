"""The chapters on groups and on shaken inputs say what was found, and what could not be told."""

from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest

from understudy.core.evidence import Evidence
from understudy.data.contract import infer_contract
from understudy.evaluation.fairness import fairness
from understudy.evaluation.fairness_found import Fairness, FairnessPlan
from understudy.evaluation.report import TestPart
from understudy.evaluation.robustness import robustness
from understudy.evaluation.robustness_found import Robustness
from understudy.evaluation.stability import Churn, Stability, fold_spread
from understudy.reports.chapter import Chapter, Figure, Table, Text
from understudy.reports.chapters.fairness import fairness_chapter
from understudy.reports.chapters.robustness import robustness_chapter
from understudy.reports.fairness_charts import error_chart, selection_chart
from understudy.reports.robustness_charts import boundary_chart, shaken_chart


@pytest.fixture(scope="module")
def groups() -> Fairness:
    rng = np.random.default_rng(0)
    n = 4000
    frame = pl.DataFrame(
        {"town": rng.choice(["a & b", "c", "d"], n, p=[0.3, 0.697, 0.003]), "age": rng.integers(20, 70, n)}
    )
    p = rng.beta(0.5, 0.5, n)
    y = rng.random(n) < np.where((frame["town"] == "a & b").to_numpy(), 0.5, p)
    scores = np.column_stack([1 - p, p])
    part = TestPart(
        y=y.astype(np.int64),
        scores=scores,
        confidence=scores.max(axis=1),
        baseline=scores,
        baseline_name="itself",
        hard=False,
    )
    return fairness(frame, part, ["town", "age"], FairnessPlan(threshold=0.9))


@pytest.fixture(scope="module")
def shaken() -> Robustness:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"age": rng.integers(20, 70, 600), "job": rng.choice(["cook", "nurse"], 600)})

    def old(rows: pl.DataFrame) -> np.ndarray:
        yes = rows["age"].to_numpy() + 20 * (rows["job"] == "nurse").to_numpy() > 50
        return np.column_stack([~yes, yes]).astype(float)

    y = old(frame).argmax(axis=1)
    return robustness(frame, y, old, infer_contract(frame), confidence=rng.uniform(0.5, 1, 600))


def texts(svg: str) -> str:
    return " ".join(element.text or "" for element in ET.fromstring(svg).iter() if element.tag.endswith("text"))


def figures(chapter: Chapter) -> list[Figure]:
    return [part for part in chapter.parts if isinstance(part, Figure)]


def tables(chapter: Chapter) -> list[Table]:
    return [part for part in chapter.parts if isinstance(part, Table)]


def words(chapter: Chapter) -> str:
    return " ".join([chapter.lede, *(part.text for part in chapter.parts if isinstance(part, Text))])


def test_the_first_group_that_is_worse_off_opens_the_chapter(groups: Fairness) -> None:
    chapter = fairness_chapter(groups)
    assert chapter.anchor == "fairness"
    assert chapter.lede.startswith("It is wrong more often where town is a & b: in ")
    assert "cannot be told" in chapter.lede
    assert len(figures(chapter)) == 2
    assert all(len(row) == len(table.columns) for table in tables(chapter) for row in table.rows)


def test_every_group_stands_in_picture_and_table_with_its_rows(groups: Fairness) -> None:
    chapter = fairness_chapter(groups)
    said = texts(error_chart(groups))
    for group in groups.groups:
        assert f"(n {group.n:,})" in said
        assert any(row[0] == group.words and row[1] == group.n for row in tables(chapter)[0].rows)
    few = next(row for row in tables(chapter)[0].rows if row[0] == "town is d")
    assert few[-1].startswith("too few to tell; above ")


def test_pictures_have_texts(groups: Fairness, shaken: Robustness) -> None:
    for svg in (error_chart(groups), selection_chart(groups), shaken_chart(shaken), boundary_chart(shaken)):
        root = ET.fromstring(svg)
        assert root.attrib["role"] == "img"
        assert len(root.attrib["aria-label"]) > 30


def test_no_group_is_called_fair(groups: Fairness) -> None:
    said = words(fairness_chapter(groups))
    assert "none shown is no proof of fairness" in said
    assert "is fair." not in said


def test_without_groups_the_chapter_says_how_to_name_some() -> None:
    chapter = fairness_chapter(None)
    assert "[task] groups" in chapter.lede
    assert not chapter.parts


def test_the_way_that_harms_most_opens_the_chapter(shaken: Robustness) -> None:
    stability = Stability(
        spread=fold_spread(np.arange(600) % 4 * 1.0, np.arange(600) % 5),
        churn=Churn(
            changed=Evidence(estimate=0.12, lower=0.1, upper=0.14, confidence=0.95, n=600, method="exact"),
            errors=(0.2, 0.21),
            seeds=(0, 1),
        ),
    )
    chapter = robustness_chapter(shaken, stability)
    assert chapter.anchor == "robustness"
    assert chapter.lede.startswith("It suffers most when ")
    said = words(chapter)
    assert "a case is refused, and told why, rather than answered wrongly: age, job." in said
    assert "Fitted again with another seed, it answers 12.0% of the cases otherwise" in said
    assert [table.caption.split(";")[0] for table in tables(chapter)] == ["Each way of shaking", "Mean loss by fold"]
    assert all(len(row) == len(table.columns) for table in tables(chapter) for row in table.rows)


def test_where_nothing_could_be_shaken_there_is_no_picture(shaken: Robustness) -> None:
    bare = Robustness(rows=10, error=shaken.error, shaken=(), bands=(), tiny=0.01)
    chapter = robustness_chapter(bare)
    assert not figures(chapter)
    assert "Nothing could be shaken" in chapter.lede
