"""Pictures are drawn from the aggregates, whatever their shape."""

from collections.abc import Callable
from xml.etree import ElementTree as ET

import msgspec

from understudy.evaluation.report import Report
from understudy.reports import charts


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]


def test_two_classes_are_told_apart_by_words_as_well_as_colour(make_report: Callable[..., Report]) -> None:
    said = texts(charts.score_chart(make_report(2, labels=("refuse", "pay"))))
    assert "▲ truth: pay" in said
    assert "▼ truth: refuse" in said


def test_a_long_label_is_cut_in_the_picture_only(make_report: Callable[..., Report]) -> None:
    svg = charts.score_chart(make_report(2, labels=("no", "x" * 200)))
    assert f"▲ truth: {'x' * 29}…" in texts(svg)
    assert "x" * 200 in svg


def test_the_limit_is_named_with_its_value(make_report: Callable[..., Report]) -> None:
    assert "max_error 2.5%" in texts(charts.coverage_chart(make_report(2, max_error=0.025)))


def test_one_point_is_enough_for_each_picture(make_report: Callable[..., Report]) -> None:
    report = make_report(2)
    evaluation = report.evaluation
    few = msgspec.structs.replace(
        evaluation, coverage=evaluation.coverage[-1:], reliability=evaluation.reliability[-1:]
    )
    changed = msgspec.structs.replace(report, evaluation=few)
    assert charts.coverage_chart(changed).startswith("<svg")
    assert charts.reliability_chart(changed).startswith("<svg")


def test_the_residuals_tell_where_it_is_least_sure(make_report: Callable[..., Report]) -> None:
    report = make_report(0)
    widest = max(report.evaluation.residuals, key=lambda one: one.q95 - one.q05)
    assert f"around {widest.predicted:.4g}" in charts.residual_chart(report)


def test_the_same_report_gives_the_same_picture(make_report: Callable[..., Report]) -> None:
    assert charts.reliability_chart(make_report(2)) == charts.reliability_chart(make_report(2))
