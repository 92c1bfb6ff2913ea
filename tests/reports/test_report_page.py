"""The page opens with what to do, leads to each chapter, and can be read by everyone."""

import itertools
import re
from collections.abc import Callable

import msgspec
import pytest
from report_sample import NASTY, sample_actions, sample_chapters, sample_worklist
from test_html import Page

from understudy.evaluation.report import Report
from understudy.evaluation.worklist import rank
from understudy.reports.chapter import Chapter
from understudy.reports.html import environment, render

LEAST = 4.5
GRAPHIC = 3.0


@pytest.fixture(scope="module")
def plain(make_report: Callable[..., Report]) -> Report:
    return make_report(2)


@pytest.fixture(scope="module")
def html(plain: Report) -> str:
    return render(plain, sample_chapters(), sample_worklist())


def ids(html: str) -> list[str]:
    return [str(attributes["id"]) for _, attributes in Page(html).tags if "id" in attributes]


def titles(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", html)


def test_verdict_worklist_and_contents_come_before_the_chapters_in_their_order(html: str) -> None:
    assert titles(html) == [
        "It may not watch yet." if "verdict no" in html else "It may watch.",
        "What to do next",
        "Contents",
        "Go-live checks",
        "Measures",
        "Where it is more often wrong",
        "Labels",
        "In our own words",
        "How much it could decide",
        "What was tried",
        "The data",
        "Where it comes from",
    ]
    assert "Metric" not in [row[0] for row in Page(html).rows if row], "the chapter takes the section's place"


def test_the_contents_lead_to_every_section_and_no_link_leads_nowhere(html: str) -> None:
    links = [str(attributes["href"]) for tag, attributes in Page(html).tags if tag == "a"]
    known = ids(html)
    assert len(known) == len(set(known))
    assert {link[1:] for link in links} <= set(known)
    assert all(link.startswith("#") for link in links)
    listed = re.search(r'<nav id="contents".*?</nav>', html, re.DOTALL)
    assert listed
    assert re.findall(r"<a href=\"#[a-z-]+\">([^<]*)</a>", listed[0]) == ["What to do next", *titles(html)[3:]]


def test_it_runs_no_script_and_loads_nothing_and_shows_names_as_they_are(html: str) -> None:
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "image", "base", "form"}
        assert not {"src", "srcset", "xlink:href"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in html
    assert "url(" not in html
    assert page.text.count(NASTY) >= 5


def test_rows_of_the_worklist_are_what_was_ranked(html: str) -> None:
    part = re.search(r'<section id="worklist".*?</section>', html, re.DOTALL)
    assert part
    page = Page(part[0])
    rows = [row for row in page.rows if row and row[0].startswith("Rank ")]
    assert [" ".join(row[0].split()) for row in rows] == ["Rank 1", "Rank 2", "Rank 3", "Rank 4"]
    assert "Leave out arr_time" in rows[0][1]
    assert "blocks" in rows[0][1]
    assert rows[0][2] == "not known"
    assert rows[1][2:6] == ["12.08.0 to 16.0", "8.1 %", "14.0 %", "days"]
    assert "shows again" in rows[1][1]
    assert rows[2][5] == "3 h"
    assert "noise" in rows[2][1]
    assert "done" in rows[3][1]
    assert "102.0 (92.0 to 112.0) of 1,000 cases, people in 60.0 (50.0 to 70.0)" in page.text
    assert "distance > 2000 AND carrier = 'AA'" in page.text
    assert '<a href="#gone">' not in html


def test_cells_are_written_as_their_columns_say(html: str) -> None:
    rows = {row[0]: row[1:] for row in Page(html).rows if row}
    assert rows[f"where 1 {NASTY}"] == ["1,201", "20.00 % 19.60 to 20.40 %", "0.5123", "a > 1"]
    assert rows["row 39"] == ["39", "39.0 %", "–", "–"]


def test_a_long_table_is_folded_and_loses_nothing(html: str) -> None:
    assert "30 more rows" in html
    first = [row[0] for row in Page(html).rows if row and row[0].startswith("row ")]
    assert first == [f"row {number}" for number in range(40)]


def test_neighbouring_figures_stand_side_by_side(html: str) -> None:
    grid = re.search(r'<div class="grid">\n<figure><h3>By length</h3>.*?</div>', html, re.DOTALL)
    assert grid
    assert grid[0].count("<figure") == 3
    assert grid[0].count('class="wide"') == 1


def test_bars_say_their_figures_when_pointed_at(html: str) -> None:
    assert "<title>wrong: 0.08123; band: short</title>" in html
    assert "graphics-symbol" not in html


def test_headings_descend_one_by_one_and_each_head_says_what_it_heads(html: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(html).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    heads = [attributes for tag, attributes in Page(html).tags if tag == "th"]
    assert all(attributes.get("scope") in {"col", "row"} for attributes in heads)


def test_every_table_of_a_chapter_has_a_caption_and_every_picture_a_text(html: str) -> None:
    part = re.search(r'<section id="slices".*?</section>', html, re.DOTALL)
    assert part
    assert part[0].count("<caption") == part[0].count("<table") == 3
    for attributes in (attributes for tag, attributes in Page(html).tags if tag == "svg"):
        assert attributes["role"] == "img"
        assert attributes["aria-label"]


def test_every_name_by_which_something_is_labelled_is_there(html: str) -> None:
    named = [str(attributes["aria-labelledby"]) for _, attributes in Page(html).tags if "aria-labelledby" in attributes]
    assert set(named) <= set(ids(html))
    assert '<a class="skip" href="#contents">' in html


def test_without_chapters_it_is_the_page_that_stands_for_itself(plain: Report) -> None:
    assert "contents" not in ids(render(plain))
    assert titles(render(plain))[1:] == titles(render(plain, (), sample_worklist()))[3:]


def test_an_empty_worklist_says_so(plain: Report) -> None:
    assert "Nothing was found that would be worth doing." in render(plain, (), rank((), wrong=0.1))
    done = rank(sample_actions()[3:], wrong=0.1, states={"age": "done"})
    assert "Everything that was found is done." in render(plain, (), done)


def test_numbers_are_wrong_beyond_the_tolerance(make_report: Callable[..., Report]) -> None:
    assert "off by more than the tolerance" in render(make_report(0), (), sample_worklist())


@pytest.mark.parametrize("anchor", ["Slices", "worklist", "a b", ""])
def test_an_anchor_that_cannot_be_is_named(plain: Report, anchor: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(anchor))):
        render(plain, [Chapter(anchor=anchor, title="T", lede="")])
    with pytest.raises(ValueError, match="Two chapters have the anchor 'bias'"):
        render(plain, [Chapter(anchor="bias", title="T", lede="")] * 2)


def test_chapters_read_back_from_json_give_the_same_page(plain: Report, html: str) -> None:
    read = msgspec.json.decode(msgspec.json.encode(sample_chapters()), type=tuple[Chapter, ...])
    assert render(plain, read, sample_worklist()) == html


def palettes(css: str) -> list[dict[str, tuple[float, ...]]]:
    """The colours by name, in light, dark and on paper."""
    found = []
    for block in re.findall(r":root \{([^}]*)\}", css):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", block))
        found.append({name: rgb(value) for name, value in colours.items()})
    return found


def rgb(text: str) -> tuple[float, ...]:
    digits = text[1:] if len(text) == 7 else "".join(2 * sign for sign in text[1:])
    return tuple(int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """As WCAG 2.2 defines it."""

    def light(colour: tuple[float, ...]) -> float:
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(one: tuple[float, ...], other: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple(share * a + (1 - share) * b for a, b in zip(one, other, strict=True))


def test_every_text_stands_out_from_its_ground_in_light_in_dark_and_on_paper(html: str) -> None:
    assert contrast(rgb("#ffffff"), rgb("#000000")) == pytest.approx(21)
    assert contrast(rgb("#777"), rgb("#fff")) == pytest.approx(4.48, abs=0.01)
    found = palettes(html)
    assert len(found) == 3
    for colours in found:
        for ground in ("paper", "card"):
            for text in ("ink", "soft", "good", "fair", "bad", "model"):
                assert contrast(colours[text], colours[ground]) >= LEAST, (text, ground)
            for drawn in ("model", "other", "limit"):
                assert contrast(colours[drawn], colours[ground]) >= GRAPHIC, (drawn, ground)
        for tone in ("model", "other"):
            assert contrast(colours["ink"], mixed(colours[tone], colours["card"], 0.45)) >= LEAST


def test_the_styles_are_one_file_of_the_package() -> None:
    assert environment().get_template("report.css").render().count("prefers-color-scheme: dark") == 1
