"""What a pull request shows is what the page says, and no text of the data does anything in it."""

import re
from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt
from report_sample import NASTY, found, sample_chapters, sample_worklist
from test_html import Page

from understudy.evaluation.report import Report
from understudy.evaluation.words import with_bounds
from understudy.evaluation.worklist import rank
from understudy.reports.chapter import Chapter, Column, Table
from understudy.reports.markdown import as_markdown, toml_text
from understudy.reports.marks import code, plain

READER = MarkdownIt("commonmark", {"html": True}).enable("table")


@pytest.fixture(scope="module")
def text(make_report: Callable[..., Report]) -> str:
    return as_markdown(make_report(2), sample_chapters(), sample_worklist())


def read(text: str) -> Page:
    """As a reader of Markdown that lets tags through shows it."""
    return Page(READER.render(text))


def seen(text: str) -> str:
    """Without the signs that keep names from becoming mentions."""
    return text.replace("\u2060", "")


def test_no_text_of_the_data_becomes_a_tag_a_link_or_a_mention(text: str) -> None:
    page = read(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "a", "img"}
    assert seen(page.text).count(NASTY) >= 3
    assert "@e" not in re.sub("<code>.*?</code>", "", READER.render(text)), "code mentions nobody"
    assert "](c)" not in text


@pytest.mark.parametrize(
    "words",
    [NASTY, "- a", "1. a", "# a", "> a", "a\n\nb", "&lt;b&gt;", "www.x.org https://x.org", "a_b_c", "`", "$x$ ~y~"],
)
def test_any_text_is_read_as_it_was_written(words: str) -> None:
    page = read(plain(words))
    assert seen(page.text).strip() == " ".join(words.split())
    assert {tag for tag, _ in page.tags} == {"p"}
    in_code = read(f"| a |\n| --- |\n| {code(words)} |")
    assert in_code.rows[1][0].strip() == " ".join(words.split())


def test_the_worklist_opens_it(text: str) -> None:
    rows = [row for row in read(text).rows if row and row[0] in {"1", "2", "3", "4"}][:4]
    assert text.index("## What to do next") < text.index("## Go-live checks")
    assert rows[0][1] == "Leave out arr_time · ✕ blocksIt is known afterwards."
    assert rows[0][2:] == ["not known", "–", "–", "minutes"]
    assert rows[1][2:] == ["12.0 (8.0 to 16.0)", "8.1 %", "14.0 %", "days"]
    assert "never = [\"distance > 2000 AND carrier = 'AA'\"]" in rows[1][1]
    assert seen(rows[2][1]).startswith(f"Look at 12 labels · noise · {NASTY}")
    assert rows[3][1].startswith("Watch people over 70 · ✓ done")


def test_each_check_and_metric_is_told(make_report: Callable[..., Report]) -> None:
    report = make_report(4)
    page = read(as_markdown(report))
    rows = {row[0]: row[1:] for row in page.rows if row}
    for check in report.checks:
        verdict, detail = rows[f"{check.code} {check.name}"]
        assert verdict.endswith(check.verdict)
        assert seen(detail) == check.detail
    goal = report.evaluation.metrics["log_loss"]
    assert rows["Log loss (the goal)"][0] == with_bounds(goal)


def test_chapters_are_folded_pictures_told_and_long_tables_cut(text: str) -> None:
    page = read(text)
    assert page.text.count("Where it is more often wrong") == 1
    assert "By length. Long flights are worse." in page.text
    assert "<svg" not in text
    rows = [row for row in page.rows if row and row[0].startswith("row ")]
    assert len(rows) == 20
    assert "20 more rows stand in the page." in page.text
    assert [row[2] for row in page.rows if row and row[0].startswith("where 1")] == ["20.00 % (19.60 to 20.40 %)"]


def test_it_fits_into_a_comment(text: str) -> None:
    assert len(text) < 65_536


def test_a_verdict_and_a_limit_that_nothing_keeps_are_told(make_report: Callable[..., Report]) -> None:
    text = as_markdown(make_report(9, max_error=0.0001), (), rank((), wrong=found(0.1)))
    assert "No share of cases keeps the limit of 0.0 %" in text
    assert "Nothing was found that would be worth doing." in text
    assert "wrong by more than the tolerance" in as_markdown(make_report(0))


def test_a_condition_is_quoted_as_toml_takes_it() -> None:
    assert [toml_text(one) for one in ("a = 'b'", '"a b" = 1', "\"a\" = 'b'")] == [
        "\"a = 'b'\"",
        "'\"a b\" = 1'",
        '"\\"a\\" = \'b\'"',
    ]


def test_a_table_without_rows_is_a_table(make_report: Callable[..., Report]) -> None:
    empty = Table(caption="None", columns=(Column(title="a"),), rows=())
    text = as_markdown(make_report(2), [Chapter(anchor="bias", title="Bias", lede="", parts=(empty,))])
    assert "| a |\n| :-- |" in text
