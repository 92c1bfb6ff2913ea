"""The pages in a real browser: signing in, stopping, and deciding cases with the keyboard."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from server.conftest import V1, Site, Sites, rows
from understudy.core.nouns import Level, Role
from understudy.flows.access import create_token

CHROMIUM = Path("/usr/bin/chromium")
HTML = "<img src=x onerror=alert(1)><b>bold</b>"
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield launched(playwright)


def launched(playwright: Playwright) -> Browser:
    """Debian's browser where it is there, else playwright's own."""
    path = str(CHROMIUM) if CHROMIUM.exists() else None
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


class Visitor:
    """A person with a browser in which nothing may go wrong unnoticed."""

    def __init__(self, browser: Browser, site: Site, **settings: Any) -> None:
        self.site = site
        self.page: Page = browser.new_context(base_url=site.url, **settings).new_page()
        self.page.set_default_timeout(10_000)
        self.page.add_init_script(WATCH)
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(f"dialog {dialog.message}"))

    def link(self, role: Role) -> str:
        return f"/sign-in?key={create_token(self.site.workspace, f'{role.value} in person', role, link=True)}"

    def signs_in(self, role: Role) -> None:
        self.page.goto(self.link(role))
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Decisions")).to_be_visible()

    def noticed(self) -> list[str]:
        return [*self.wrong, *self.page.evaluate("window.violations")]


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visitor]:
    visitor = Visitor(browser, site)
    yield visitor
    assert visitor.noticed() == []
    visitor.page.context.close()


@pytest.fixture(scope="module")
def waiting(sites: Sites) -> Site:
    """A server at `assist` with cases that wait; one has HTML in its text."""
    site = sites(
        lambda text: text.replace("What is pay?", f"Pay? {HTML}").replace("blind_rate = 0.2", "blind_rate = 0.5")
    )
    site.at(Level.ASSIST)
    for place, row in enumerate(rows(12)):
        more = {"report": HTML} if place == 0 else {}
        assert site.decide(row | more, f"w{place}").status_code == 200
    return site


def test_a_sign_in_link_works_once_and_leaves_the_address_bar(visit: Visitor) -> None:
    link = visit.link(Role.REVIEWER)
    visit.page.goto(link)
    expect(visit.page).to_have_url(re.compile(r"/sign-in$"))
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.get_by_text("What is pay?")).to_be_visible()
    expect(visit.page.get_by_text("It watches", exact=True)).to_be_visible()
    visit.page.get_by_role("button", name="Sign out").click()
    expect(visit.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert visit.noticed() == []
    visit.page.goto(link)
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("used, or has expired")
    visit.page.goto("/")
    expect(visit.page.get_by_role("heading", name="Please sign in")).to_be_visible()
    assert all("status of 40" in text for text in visit.wrong)  # the browser reports both refusals
    visit.wrong.clear()


def test_the_stop_button_stops_automation_and_says_so(visit: Visitor) -> None:
    visit.signs_in(Role.OPERATOR)
    visit.page.get_by_role("link", name="What is pay?").click()
    expect(visit.page.locator("[aria-current=step]")).to_have_text("It watches")
    visit.page.get_by_role("button", name="Stop automation now").click()
    expect(visit.page.get_by_text("Automation is stopped.")).to_be_visible()
    assert visit.site.owner.get(V1).json()["paused"] is True
    expect(visit.page.get_by_text("Stopped on the page.")).to_be_visible()
    visit.page.goto("/")
    expect(visit.page.get_by_text("It watches · stopped")).to_be_visible()
    visit.page.goto("/tasks/claims")
    visit.page.get_by_role("button", name="Let it go on").click()
    expect(visit.page.get_by_role("button", name="Stop automation now")).to_be_visible()
    assert visit.site.owner.get(V1).json()["paused"] is False


def test_a_step_down_is_one_press(visit: Visitor) -> None:
    visit.signs_in(Role.OWNER)
    visit.page.goto("/tasks/claims")
    visit.page.get_by_role("button", name="Step down: People decide").click()
    expect(visit.page.locator("[aria-current=step]")).to_have_text("People decide")
    visit.site.at(Level.SHADOW)
    visit.page.goto("/docs")
    expect(visit.page.get_by_text("/v1/tasks/{task}/decisions")).to_be_visible()


def test_cases_are_decided_with_the_keyboard(browser: Browser, waiting: Site) -> None:
    visit = Visitor(browser, waiting)
    visit.signs_in(Role.REVIEWER)
    page, owner = visit.page, waiting.by(Role.OWNER)
    page.goto("/tasks/claims/review")
    report = page.locator("#inputs tr", has_text="report").locator("td")
    expect(report).to_have_text(HTML)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Pay? {HTML}")
    assert page.locator("main img").count() == 0

    page.keyboard.press("n")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("s u 1: the text is odd")
    page.keyboard.press("Escape")
    expect(page.locator("#left")).to_contain_text("12 waiting")
    page.keyboard.press("1")
    expect(page.locator("#left")).to_contain_text("11 waiting")
    first = page.get_by_role("group", name="Answers").get_by_role("button").first.text_content()
    assert first is not None
    found = owner.get(f"{V1}/cases/w0").json()
    assert found["status"] == "decided"
    assert first.startswith(found["decision"])

    page.keyboard.press("u")
    expect(report).to_have_text(HTML)
    expect(page.locator("#left")).to_contain_text("12 waiting")
    assert owner.get(f"{V1}/cases/w0").json()["status"] == "pending"
    page.keyboard.press("2")
    expect(page.locator("#left")).to_contain_text("11 waiting")
    assert owner.get(f"{V1}/cases/w0").json()["decision"] != found["decision"]

    before = page.locator("#inputs").text_content()
    page.keyboard.press("s")
    expect(page.locator("#inputs")).not_to_have_text(before or "")
    page.keyboard.press("u")
    expect(page.locator("#inputs")).to_have_text(before or "")
    assert visit.noticed() == []
    page.context.close()


def test_the_suggestion_is_shown_except_where_a_case_is_blind_until_none_is_left(
    browser: Browser, waiting: Site
) -> None:
    visit = Visitor(browser, waiting)
    visit.signs_in(Role.REVIEWER)
    page = visit.page
    page.goto("/tasks/claims/review")
    seen = {True: 0, False: 0}
    for left in range(page_waiting(page), 0, -1):
        expect(page.locator("#left")).to_contain_text(f"{left} waiting")
        blind = "blind" in (page.locator("#left").text_content() or "")
        seen[blind] += 1
        expect(page.locator("#suggestion")).to_be_visible(visible=not blind)
        assert page.locator("button.suggested").count() == (not blind)
        page.keyboard.press("1")
        if left > 1:
            expect(page.locator("#left")).to_contain_text(f"{left - 1} waiting")
    assert min(seen.values()) > 0
    expect(page.get_by_text("No case waits for you.")).to_be_visible()
    assert visit.noticed() == []
    page.context.close()


def page_waiting(page: Page) -> int:
    expect(page.locator("#left")).to_contain_text("waiting")
    found = re.match(r"\d+", page.locator("#left").text_content() or "")
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_screen(
    browser: Browser, waiting: Site, tmp_path: Path, scheme: Any, width: int
) -> None:
    waiting.decide(rows(13)[12], f"one more {scheme} {width}")
    viewport: Any = {"width": width, "height": 800}
    visit = Visitor(browser, waiting, color_scheme=scheme, viewport=viewport)
    visit.signs_in(Role.OWNER)
    for path in ("/", "/tasks/claims", "/tasks/claims/review", "/docs"):
        visit.page.goto(path)
        visit.page.wait_for_load_state("networkidle")
        visit.page.screenshot(path=tmp_path / f"{path.replace('/', '_')}.png", full_page=True)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert visit.noticed() == []
    visit.page.context.close()
