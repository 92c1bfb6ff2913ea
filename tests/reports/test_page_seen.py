"""The page as a browser lays it out: nothing sticks out on a phone, the contents stay in sight, paper shows all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from report_sample import sample_chapters, sample_worklist

from understudy.evaluation.report import Report
from understudy.reports.card import card_html, model_card
from understudy.reports.html import render

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def places(make_report: Callable[..., Report], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    words = {"task": "claims", "question": "Shall we pay this claim?", "source": "claims.csv"}
    report = make_report(2, labels=("no", "yes"), **words)
    pages = {
        "report": render(report, sample_chapters(), sample_worklist()),
        "bare": render(report),
        "card": card_html(report, model_card(report, None, sample_chapters(), sample_worklist())),
    }
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in pages}


@pytest.mark.parametrize("name", ["report", "bare", "card"])
@pytest.mark.parametrize("width", [390, 1000, 1440])
def test_nothing_sticks_out_and_nothing_is_fetched_or_said_to_be_wrong(
    browser: Browser, places: dict[str, str], name: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(places[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert asked == [places[name]]
    assert said == []
    page.close()


def test_the_contents_stay_in_sight_and_lead_to_the_chapters(browser: Browser, places: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 800})
    page.goto(places["report"])
    page.get_by_role("navigation", name="Contents").get_by_role("link", name="The data").click()
    assert page.get_by_role("heading", name="The data").is_visible()
    top = page.locator("#contents").evaluate("one => one.getBoundingClientRect().top")
    assert 0 <= top < 100
    page.close()


def test_the_first_key_leads_past_the_list(browser: Browser, places: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(places["report"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the contents"
    page.keyboard.press("Enter")
    assert page.url.endswith("#contents")
    page.close()


def test_paper_shows_what_is_folded_on_the_screen(browser: Browser, places: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 680, "height": 900})
    page.goto(places["report"])
    last = page.get_by_role("rowheader", name="row 39", include_hidden=True)
    assert not last.is_visible()
    page.emulate_media(media="print")
    assert page.evaluate(
        "[...document.querySelectorAll('th')].find(one => one.textContent === 'row 39').getBoundingClientRect().height"
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()


def test_rows_become_cards_on_a_phone(browser: Browser, places: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(places["report"])
    row = page.locator("#worklist tbody tr").first
    box = row.bounding_box()
    assert box is not None
    assert box["width"] <= 390
    assert row.evaluate("one => getComputedStyle(one).display") == "grid"
    page.close()
