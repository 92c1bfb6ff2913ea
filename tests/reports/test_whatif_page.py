"""The page and the picture of a what-if are whole, safe, self-contained, and say what the figures say."""

import re
from functools import cache
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from msgspec.structs import replace

from reports.test_html import Page
from understudy.autonomy.whatif import Basis, WhatIf, terms_of, what_if
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Autonomy, Cost, Decision, Task
from understudy.evidence.bands import Answers
from understudy.reports.whatif import draw_whatif, render_whatif
from understudy.reports.whatif_charts import along, promise_chart, stairs, widest_promise

NASTY = '<script>alert("1")</script>'
DECISION = Decision(name="claims", question=NASTY, target="pay", kind="classification", goal="roc_auc")
TASK = Task(decision=DECISION, autonomy=Autonomy(max_error=0.1, confidence=0.95))
PRICED = replace(TASK, cost=Cost(mistakes={"no -> yes": 8.0, "yes -> no": 4.0}, review=2.0))


def made(
    task: Task = TASK, *, k: int = 2, n: int = 3000, source: str = "log", unseen: bool = False, **given: float
) -> WhatIf:
    """A what-if of k answers, which are wrong the less the surer they are."""
    rng = np.random.default_rng(0)
    grid = tuple(np.linspace(0.95, 0, 8).tolist())
    given_to: dict[str, Answers] = {}
    for side in range(k):
        confidence = rng.random(n)
        loss = np.where(unseen, np.nan, rng.random(n) < 0.3 * (1 - confidence))
        given_to[f"{NASTY}{side}"] = Answers(confidence=confidence, loss=loss, weight=np.ones(n), cases=k * n + 500)
    basis = Basis(source, k * n + 500, dict.fromkeys(given_to, grid), given_to)  # type: ignore[arg-type]
    deployed = Deployment(level=Level.PARTIAL, champion="v1", thresholds={f"{NASTY}0": 0.8})
    result = what_if(task, terms_of(task, **given), basis, deployed, version="ab" * 32, certified={f"{NASTY}0": 0.8})
    return replace(result, notes=(NASTY,))


RESULTS = {
    "priced and dated": made(PRICED, cases_per_day=120.0),
    "nothing keeps it": made(max_error=0.001),
    "all keep it": made(max_error=0.9),
    "from history": made(source="history"),
    "nine answers": made(k=9, n=400),
    "no answer": made(k=0),
    "nobody looked": made(unseen=True),
}


@cache
def page(name: str) -> str:
    """The page of a result, drawn once."""
    return render_whatif(RESULTS[name])


@pytest.mark.parametrize("name", RESULTS)
def test_it_is_well_formed_runs_no_script_and_loads_nothing(name: str) -> None:
    html = page(name)
    for tag, attributes in Page(html).tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "image", "base", "form"}
        assert not {"src", "href", "xlink:href", "srcset"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert "<script" not in html
    assert "default-src 'none'" in html
    assert len(html.encode()) < 800_000


@pytest.mark.parametrize("name", RESULTS)
def test_its_pictures_have_a_text_and_follow_the_page(name: str) -> None:
    html, result = page(name), RESULTS[name]
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(drawings) == (3 if result.frontier else 0) + (min(6, len(result.sides)) if result.looked else 0)
    for drawing in drawings:
        root = ET.fromstring(drawing)
        assert root.get("role") == "img"
        assert len(root.get("aria-label") or "") > 20
        assert "var(--" in drawing


@pytest.mark.parametrize("name", ["priced and dated", "all keep it", "nobody looked"])
def test_the_picture_alone_brings_its_colours_for_light_and_dark(name: str) -> None:
    svg = draw_whatif(RESULTS[name])
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "prefers-color-scheme: dark" in svg
    assert "<script" not in svg
    assert set(re.findall(r"var\((--\w+)\)", svg)) <= set(re.findall(r"(--\w+):", svg))


def test_the_page_says_the_figures() -> None:
    result = RESULTS["priced and dated"]
    text = " ".join(Page(page("priced and dated")).text.split())
    chosen = result.chosen
    assert chosen.risk is not None
    assert f"{100 * chosen.coverage.estimate:.1f} %" in text
    assert f"({100 * chosen.risk.lower:.2f} to {100 * chosen.risk.upper:.2f})" in text
    assert f"{chosen.cost.estimate:,.0f} ({chosen.cost.lower:,.0f} to {chosen.cost.upper:,.0f})" in text
    assert "lowest proven cost" in text
    assert NASTY in text
    assert "from history, not live" not in text
    assert "from history, not live" in Page(page("from history")).text


def test_where_nothing_keeps_the_promise_that_is_said_first() -> None:
    assert "No threshold keeps 0.1 %." in Page(page("nothing keeps it")).text
    assert ">0 %<" in promise_chart(RESULTS["nothing keeps it"])
    assert "Too few cases" in draw_whatif(RESULTS["nobody looked"])


def test_the_stairs_are_what_is_proven_estimated_and_possible() -> None:
    result = RESULTS["priced and dated"]
    steps = stairs(result)
    for name in ("proven", "estimate", "possible"):
        heights = [step[name] for step in steps]
        assert heights == sorted(heights)
    assert all(step["proven"] <= step["estimate"] <= step["possible"] for step in steps)
    for choice in result.frontier:
        if choice.max_error < widest_promise(result):
            at = next(step for step in steps if step["r"] == choice.max_error)
            assert at["proven"] == pytest.approx(choice.coverage.estimate)
    assert [promise for promise, _ in along(result)] == sorted(promise for promise, _ in along(result))


def test_what_was_asked_and_what_is_deployed_are_named_in_the_picture() -> None:
    result = RESULTS["priced and dated"]
    said = promise_chart(result)
    assert result.now is not None
    for words in (
        "asked: 10 %",
        f"now {100 * result.now.coverage.estimate:.0f} %",
        "not ruled out",
        "always with people",
    ):
        assert words in said


def test_the_same_figures_give_the_same_page() -> None:
    assert draw_whatif(RESULTS["priced and dated"]) == draw_whatif(RESULTS["priced and dated"])
