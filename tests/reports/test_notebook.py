"""A notebook shows the report whole, and gives each table and picture by its name."""

import html as markup
import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from report_sample import sample_chapters, sample_worklist

from understudy.core.errors import NotFoundError
from understudy.evaluation.report import Report as Figures
from understudy.reports.notebook import Report


@pytest.fixture(scope="module")
def shown(make_report: Callable[..., Figures]) -> Report:
    return Report(figures=make_report(2), chapters=sample_chapters(), worklist=sample_worklist())


def test_every_name_gives_its_table(shown: Report) -> None:
    assert shown.frames == (
        "metrics",
        "worklist",
        "checks",
        "coverage",
        "reliability",
        "leaderboard",
        "columns",
        "slices",
        "slices/2",
    )
    for name in shown.frames:
        frame = shown.frame(name)
        assert isinstance(frame, pl.DataFrame)
        assert frame.height


def test_metrics_are_the_figures_with_their_bounds(shown: Report) -> None:
    frame = shown.frame()
    assert frame["metric"][0] == "Log loss"
    assert frame["goal"].to_list() == [True] + [False] * (frame.height - 1)
    loss = shown.figures.evaluation.metrics["log_loss"]
    first = frame.row(0, named=True)
    assert (first["estimate"], first["estimate_lower"], first["estimate_upper"]) == (
        loss.estimate,
        loss.lower,
        loss.upper,
    )


def test_the_worklist_is_the_list_row_by_row(shown: Report) -> None:
    frame = shown.frame("worklist")
    assert frame["rank"].to_list() == [1, 2, 3, 4]
    assert frame["wins"].to_list() == pytest.approx([None, 12.0, 3.0, None])
    assert frame["tags"].to_list()[2][0] == "noise"
    assert frame["state"].to_list() == ["open", "again", "open", "done"]


def test_a_table_of_a_chapter_has_its_figures_as_they_were_reckoned(shown: Report) -> None:
    first = shown.frame("slices").row(0, named=True)
    assert (first["Cases"], first["Wrong"], first["Loss"]) == (1200, 0.2, 0.51234)
    assert first["Wrong_upper"] == pytest.approx(0.204)
    assert shown.frame("slices/2").height == 40


def test_every_name_gives_its_picture_in_colours_of_its_own(shown: Report) -> None:
    assert shown.plots == ("coverage", "reliability", "scores", "slices", "slices/2", "slices/3")
    for name in shown.plots:
        picture = shown.plot(name)
        assert "var(" not in picture._repr_svg_()
        assert "currentColor" not in picture._repr_svg_()
        ET.fromstring(picture._repr_svg_())
        assert picture._repr_svg_() in picture._repr_html_()
        assert picture.text in repr(picture)


def test_it_is_shown_whole_and_runs_nothing(shown: Report) -> None:
    text = shown._repr_html_()
    assert text.startswith('<iframe sandbox=""')
    inside = re.search(r'srcdoc="([^"]*)"', text)
    assert inside
    assert markup.unescape(inside[1]) == shown.html()
    assert repr(shown).startswith("<Report of ")


def test_a_name_that_is_not_there_is_answered_with_those_that_are(shown: Report) -> None:
    with pytest.raises(NotFoundError, match=r"no table 'metric'[\s\S]*metrics, worklist"):
        shown.frame("metric")
    with pytest.raises(NotFoundError, match=r"no picture 'residuals'[\s\S]*coverage"):
        shown.plot("residuals")


def test_an_older_version_has_neither_chapters_nor_worklist(make_report: Callable[..., Figures]) -> None:
    bare = Report(figures=make_report(0))
    assert "worklist" not in bare.frames
    assert bare.plots == ("coverage", "reliability", "scores", "residuals")
    assert "What to do next" not in bare.markdown()
    assert bare.card().startswith("# Model card")
