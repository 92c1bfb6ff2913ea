"""The chapter on labels shows what was found, and no rows."""

import numpy as np
import polars as pl

from understudy.evaluation.conflicts import find_conflicts
from understudy.evaluation.human_level import human_level
from understudy.evaluation.label_numbers import find_number_errors
from understudy.evaluation.label_quality import LabelErrors, find_label_errors
from understudy.reports.chapter import Figure, Table
from understudy.reports.chapters.labels import labels_chapter
from understudy.reports.label_charts import doubt_chart, human_chart, pair_chart

LABELS = ("<ham>", "spam")


def errors(flipped: float) -> LabelErrors:
    rng = np.random.default_rng(0)
    p = rng.beta(0.2, 0.4, 3000)
    true = (rng.random(3000) < p).astype(int)
    said = np.where(rng.random(3000) < flipped, 1 - true, true)
    return find_label_errors(said, np.stack([1 - p, p], axis=1), LABELS)


def test_nothing_to_tell_is_no_chapter() -> None:
    assert labels_chapter() is None


def test_it_begins_with_the_finding_and_shows_two_pictures_and_a_table() -> None:
    found = errors(0.06)
    chapter = labels_chapter(found)
    assert chapter is not None
    assert (chapter.anchor, chapter.lede) == ("labels", found.sentence)
    figures = [one for one in chapter.parts if isinstance(one, Figure)]
    tables = [one for one in chapter.parts if isinstance(one, Table)]
    assert len(figures) == 2
    assert all(one.svg.startswith("<svg") and one.text in one.svg.replace("&lt;", "<") for one in figures)
    assert tables[0].rows[0][2] == found.pairs[0].suspects
    assert tables[0].rows[0][3] == found.pairs[0].wrong


def test_without_an_excess_no_suspect_is_called_wrong() -> None:
    chapter = labels_chapter(errors(0.0))
    assert chapter is not None
    assert "wrong labels do not show" in chapter.lede
    (table,) = (one for one in chapter.parts if isinstance(one, Table))
    assert {row[3] for row in table.rows} == {None}
    assert "honest doubt can explain" in pair_chart(errors(0.0))


def test_everything_together_holds_no_row() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"name": ["Ada Lovelace", "Ada Lovelace", "Alan Turing"]})
    truth = rng.integers(0, 2, 300)
    said = np.where(rng.random((300, 4)) < 0.2, 1 - truth[:, None], truth[:, None]).astype(float)
    predicted = rng.normal(size=500)
    chapter = labels_chapter(
        errors(0.06),
        find_number_errors(predicted + rng.normal(size=500), predicted),
        find_conflicts(frame, np.array([0, 1, 1]), LABELS),
        human_level(said, outcome=truth.astype(float), model=truth.astype(float)),
    )
    assert chapter is not None
    assert sum(isinstance(one, Figure) for one in chapter.parts) == 3
    assert "Ada" not in repr(chapter)


def test_a_chart_without_suspects_is_empty() -> None:
    y = np.array([0] * 50 + [1] * 50)
    found = find_label_errors(y, np.where(y[:, None] == np.arange(2), 0.99, 0.01), LABELS)
    assert pair_chart(found) == ""
    assert doubt_chart(found).startswith("<svg")
    assert found.sentence.startswith("No label is suspect")


def test_people_are_drawn_beside_the_model() -> None:
    truth = np.arange(200.0) % 2
    said = np.where(np.random.default_rng(0).random((200, 3)) < 0.2, 1 - truth[:, None], truth[:, None])
    alone = human_chart(human_level(said))
    beside = human_chart(human_level(said, outcome=truth, model=truth))
    assert "one person" in alone
    assert "the model" not in alone.split("aria-label", 2)[2]
    assert "people together" in beside
    assert "the model" in beside
