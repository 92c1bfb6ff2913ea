"""The picture of slices says in words what is shown and what is not."""

from xml.etree import ElementTree as ET

import msgspec
import pytest

from understudy.core.evidence import Evidence
from understudy.evaluation.slice_facets import Predicate
from understudy.evaluation.slices import Slice, Slices
from understudy.reports.slice_charts import slice_chart


def one_slice(words: str, *, significant: bool, estimate: float = 0.02) -> Slice:
    gain = Evidence(estimate=estimate, lower=estimate - 0.01, upper=estimate + 0.01, confidence=0.95, n=90, method="t")
    return Slice(
        predicates=(Predicate(column="x", words=words, condition="x > 1"),),
        n=90,
        share=0.081,
        loss=0.4,
        rest=0.1,
        excess=gain,
        recoverable=gain,
        effect=0.7,
        p=0.001,
        adjusted=0.002 if significant else 0.4,
        significant=significant,
    )


def slices(*found: Slice) -> Slices:
    given = {"compared": 5000, "searched": 900, "tested": 900, "unknown": 0, "loss": 0.12, "cap": None, "capped": 0.0}
    return Slices(found=found, alpha=0.05, control="holm", **given)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]


def test_each_slice_is_named_with_its_share_and_whether_it_is_shown() -> None:
    said = texts(
        slice_chart(slices(one_slice("month is March", significant=True), one_slice("a < b & c", significant=False)))
    )
    assert "month is March (8.1% of the cases)" in said
    assert "a < b & c (8.1% of the cases, not shown to be worse)" in said


def test_the_text_for_those_who_do_not_see_it_names_the_first_slice() -> None:
    svg = slice_chart(slices(one_slice('month is "March"', significant=True)), "error rate")
    label = ET.fromstring(svg).attrib["aria-label"]
    assert "1 of 1 slices are shown to be worse" in label
    assert 'month is "March": 0.02 of the error rate' in label


def test_where_none_is_shown_it_says_so() -> None:
    svg = slice_chart(slices(one_slice("vip is true", significant=False, estimate=-0.001)))
    assert "None of 1 slices is shown to be worse" in svg


def test_without_slices_there_is_no_picture() -> None:
    assert slice_chart(slices()) == ""


@pytest.mark.parametrize("estimate", [0.0, 1e-9, 26_000.0])
def test_it_is_drawn_whatever_the_unit_and_colours_follow_the_page(estimate: float) -> None:
    svg = slice_chart(
        slices(*(one_slice(f"age is {place}", significant=place % 2 == 0, estimate=estimate) for place in range(12)))
    )
    assert len(ET.fromstring(svg)) > 0
    assert "var(--model)" in svg
    assert "var(--other)" in svg


def test_a_long_name_is_cut_in_the_picture() -> None:
    long = msgspec.structs.replace(one_slice("x" * 300, significant=True))
    assert any("…" in text for text in texts(slice_chart(slices(long))))
