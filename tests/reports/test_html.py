"""The page is whole, safe, self-contained, and says what the aggregates say."""

import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import msgspec
import pytest

from understudy.core.nouns import Check
from understudy.evaluation.measures import METRICS
from understudy.evaluation.report import Report
from understudy.evaluation.words import bounds, estimate
from understudy.reports.html import render

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """A page's tags, texts and table rows; fails on a tag that is closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return render(report)


def test_it_is_well_formed(html: str) -> None:
    assert html.startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")
    assert Page(html).tags


def test_it_runs_no_script_and_loads_nothing(html: str) -> None:
    for tag, attributes in Page(html).tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "image", "base", "form"}
        assert not {"src", "href", "xlink:href", "srcset"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in html
    assert not re.search(r"url\(\s*['\"]?\s*(?!#)[a-z]+:", html)
    assert "default-src 'none'" in html


def test_names_from_the_data_are_shown_and_never_run(html: str) -> None:
    assert "<script" not in html
    assert '<script>alert("1")</script>' in Page(html).text


def test_it_is_small(html: str) -> None:
    assert len(html.encode()) < 500_000


def test_each_metric_is_the_aggregate(report: Report, html: str) -> None:
    rows = {row[0].split(" · ")[0].strip(): row[1:] for row in Page(html).rows if row}
    for name, evidence in report.evaluation.metrics.items():
        today = report.evaluation.baseline.metrics[name]
        assert rows[METRICS[name].title] == [estimate(evidence), bounds(evidence), estimate(today), bounds(today)]


def test_the_goal_comes_first(report: Report, html: str) -> None:
    titles = [METRICS[name].title for name in report.evaluation.metrics]
    shown = [row[0].split(" · ")[0] for row in Page(html).rows if row and row[0].split(" · ")[0] in titles]
    assert shown[0] == METRICS[report.goal].title
    assert sorted(shown) == sorted(titles)


def test_each_check_is_told_in_words_and_not_by_colour_alone(report: Report, html: str) -> None:
    rows = {row[0][:6].strip(): row for row in Page(html).rows if row}
    for check in report.checks:
        assert rows[check.code][1].endswith(check.verdict)
        assert rows[check.code][2] == check.detail


def test_confusions_are_the_counts(report: Report, html: str) -> None:
    cells = [cell for row in Page(html).rows for cell in row]
    if 0 < len(report.labels) <= 6:
        for i, counts in enumerate(report.evaluation.confusion):
            for j, n in enumerate(counts):
                assert f"{'✓ ' if i == j else ''}{n}{n / sum(counts) * 100:.1f} %" in cells
    elif report.labels:
        worst = max(n for i, row in enumerate(report.evaluation.confusion) for j, n in enumerate(row) if i != j)
        assert f"{worst}" in cells


def test_every_picture_has_a_text(html: str) -> None:
    drawings = [attributes for tag, attributes in Page(html).tags if tag == "svg"]
    assert len(drawings) >= 2
    for attributes in drawings:
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"] or "") > 20


def test_pictures_are_well_formed_and_follow_the_page(html: str) -> None:
    for drawing in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        ET.fromstring(drawing)
        assert "currentColor" in drawing
        assert "var(--model)" in drawing


def test_headings_go_down_one_step_at_a_time(html: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(html).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_headers_of_tables_say_what_they_head(html: str) -> None:
    heads = [attributes for tag, attributes in Page(html).tags if tag == "th"]
    assert heads
    assert all(attributes.get("scope") in {"col", "row"} for attributes in heads)


def test_it_is_for_light_dark_and_paper(html: str) -> None:
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_a_failed_check_is_said_first(make_report: Callable[..., Report]) -> None:
    failed = Check(code="US001", name="Beats today's baseline", verdict="fail", detail="Worse.")
    page = Page(render(make_report(2, checks=(failed,))))
    assert "It may not watch yet." in page.text
    assert "1 failed" in page.text
    assert "It can watch" not in page.text


def test_a_limit_that_nothing_keeps_is_said(make_report: Callable[..., Report]) -> None:
    page = Page(render(make_report(9, max_error=0.0001)))
    assert "no share of cases keeps the limit" in " ".join(page.text.split())


def test_a_limit_that_all_keep_gives_full_coverage(make_report: Callable[..., Report]) -> None:
    text = " ".join(Page(render(make_report(2, max_error=0.99))).text.split())
    assert "the surest 100.0 % of cases would have been answered" in text


def test_an_adopted_model_without_trials_has_no_leaderboard(make_report: Callable[..., Report]) -> None:
    assert "What was tried" in render(make_report(2))
    assert "What was tried" not in render(make_report(2, leaderboard=()))


def test_a_blend_is_told_with_its_members_also_those_far_down(make_report: Callable[..., Report]) -> None:
    weights = {3: 0.625, 14: 0.375}
    trials = tuple(
        {
            "recipe": f"recipe{number}",
            "params": {"depth": number},
            "score": number / 10,
            "seconds": 1.0,
            "state": "complete",
            "weight": weights.get(number, 0.0),
        }
        for number in range(16)
    )
    members = [
        {"recipe": f"recipe{number}", "weight": weight, "params": {"depth": number}}
        for number, weight in weights.items()
    ]
    page = Page(render(make_report(2, leaderboard=trials, params={"members": members})))
    told = {row[0]: row[1] for row in page.rows if row and row[0].startswith("recipe")}
    assert told == {f"recipe{number}": "" for number in range(10)} | {"recipe3": "62.5 %", "recipe14": "37.5 %"}
    assert "62.5 % recipe3: depth=3" in page.text


def test_a_report_read_back_from_json_gives_the_same_page(report: Report, html: str) -> None:
    assert render(msgspec.json.decode(msgspec.json.encode(report), type=Report)) == html
