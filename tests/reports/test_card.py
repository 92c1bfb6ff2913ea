"""The model card says what was stated or measured, and that nothing was where nothing was."""

from collections.abc import Callable

import msgspec
import pytest
from markdown_it import MarkdownIt
from report_sample import NASTY, sample_chapters, sample_worklist
from test_html import Page

from understudy.core.task import Autonomy, Decision, Mandate, Task
from understudy.evaluation.report import Report
from understudy.evaluation.words import with_bounds
from understudy.reports.card import NOT_STATED, card_html, card_markdown, model_card
from understudy.reports.chapter import Chapter

HEADINGS = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
]


def stated(**changes: object) -> Task:
    decision = Decision(
        name="t",
        question="Q?",
        target="y",
        kind="classification",
        goal="log_loss",
        groups=("sex",),
        subject="person",
        keep="90d",
    )
    mandate = Mandate(allow=("pay",), never=("amount > 1000",), owner="Ada", expires="2027-01-31")
    return Task(decision=decision, mandate=mandate, autonomy=Autonomy(max_error=0.05, confidence=0.95), **changes)


def rows_of(text: str) -> dict[str, list[str]]:
    page = Page(MarkdownIt("commonmark").enable("table").render(text))
    return {row[0].replace("\u2060", ""): [cell.replace("\u2060", "") for cell in row[1:]] for row in page.rows if row}


@pytest.fixture(scope="module")
def report(make_report: Callable[..., Report]) -> Report:
    return make_report(2)


def test_it_has_the_headings_of_the_paper_in_both_forms(report: Report) -> None:
    card = model_card(report)
    assert [section.title for section in card] == HEADINGS
    text, page = card_markdown(report, card), card_html(report, card)
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == HEADINGS
    assert [title for title in HEADINGS if f">{title}</h2>" in page] == HEADINGS


def test_what_nobody_stated_is_not_stated(report: Report) -> None:
    rows = rows_of(card_markdown(report, model_card(report)))
    for name in ("Owner", "Licence of the data", "Never where", "Leave ends on", "Whom a case is about"):
        assert rows[name] == [NOT_STATED]


def test_what_was_stated_is_said(report: Report) -> None:
    rows = rows_of(card_markdown(report, model_card(report, stated())))
    assert rows["Owner"] == ["Ada"]
    assert rows["Answers that it may give by itself"] == ["pay"]
    assert rows["Never where"] == ["amount > 1000"]
    assert rows["Leave ends on"] == ["2027-01-31"]
    assert rows["Groups declared by the owner"] == ["sex"]
    assert rows["Whom a case is about"] == ["person"]
    assert rows["Fairness"] == ["not measured"]
    assert rows["Rows learned from"] == ["3,000"]


def test_figures_are_those_of_the_report(report: Report) -> None:
    rows = rows_of(card_markdown(report, model_card(report)))
    for name, title in (("log_loss", "Log loss"), ("accuracy", "Accuracy")):
        today = report.evaluation.baseline.metrics[name]
        assert rows[title] == [with_bounds(report.evaluation.metrics[name]), with_bounds(today)]


def test_findings_and_the_worklist_are_taken_over(report: Report) -> None:
    fair = Chapter(anchor="fairness", title="Fairness", lede="No group is worse off.")
    card = model_card(report, stated(), (*sample_chapters(), fair), sample_worklist())
    text = card_markdown(report, card)
    assert "Fairness: No group is worse off." in text
    assert "Where it is more often wrong: In 3 slices" in text
    assert rows_of(text)["Leave out arr_time"] == ["It is known afterwards."]
    assert "Watch people over 70" not in text, "it is done"


def test_the_page_is_safe_and_whole(report: Report) -> None:
    html = card_html(report, model_card(report, None, sample_chapters(), sample_worklist()))
    page = Page(html)
    assert "<script" not in html
    assert NASTY in page.text
    assert not any({"src", "href"} & set(attributes) for _, attributes in page.tags)
    assert "default-src 'none'" in html


def test_a_card_is_made_of_plain_values(report: Report) -> None:
    card = model_card(report, stated(), sample_chapters(), sample_worklist())
    assert msgspec.json.decode(msgspec.json.encode(card), type=tuple[Chapter, ...]) == card


def test_numbers_have_a_card_too(make_report: Callable[..., Report]) -> None:
    report = make_report(0)
    assert rows_of(card_markdown(report, model_card(report)))["Answers"] == ["a number"]
