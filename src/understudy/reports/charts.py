"""The report's pictures: Vega-Lite specifications from aggregates, drawn as SVG that follows the page's colours."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import altair as alt
import msgspec
import vl_convert
from altair.utils.schemapi import debug_mode

from understudy.evaluation.report import Report

MODEL = "var(--model)"
OTHER = "var(--other)"
LIMIT = "var(--limit)"
FAINT = "var(--line)"
WIDTH, HEIGHT = 420, 250


class Rows:
    """Rows that go into a specification as they stand: Altair would copy them at every step of a chart's making."""

    _schema: ClassVar[dict[str, Any]] = {"type": "array"}

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = list(rows)

    def to_dict(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        """The rows; Altair asks for them by this name."""
        return self._rows


def values(rows: Sequence[dict[str, Any]]) -> alt.Data:
    """Rows as the data of a chart."""
    with unchecked():
        return alt.Data(values=Rows(rows))


def unchecked() -> AbstractContextManager[None]:
    """Within it charts are not compared with the schema at each step, which takes most of the time of making them."""
    found: AbstractContextManager[None] = debug_mode(False)
    return found


LOOK: dict[str, Any] = {
    "background": "transparent",
    "font": "inherit",
    "view": {"strokeWidth": 0},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": FAINT,
        "tickColor": FAINT,
        "gridColor": FAINT,
        "gridOpacity": 0.6,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
    },
    "text": {"color": "currentColor"},
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor"},
}


def drawn(chart: Any, text: str) -> str:
    """A chart as an SVG element with a text for those who do not see it."""
    spec = chart.to_dict(validate=False)
    spec["config"] = LOOK | {"view": {**spec.get("config", {}).get("view", {}), **LOOK["view"]}}
    svg = vl_convert.vegalite_to_svg(spec)
    head, _, body = svg.partition(">")
    label = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'{head} role="img" aria-label="{label}">{body}'


def percent_axis(title: str, **options: Any) -> dict[str, Any]:
    """An axis of shares."""
    return {"title": title, "axis": alt.Axis(format="%"), **options}


def coverage_chart(report: Report) -> str:
    """How often it would be wrong, by the share of cases that it would answer."""
    points = report.evaluation.coverage
    rows = [{"c": point.coverage, "e": point.error, "l": point.lower, "u": point.upper} for point in points]
    top = max(report.max_error * 1.4, *(point.upper for point in points[len(points) // 6 :]))
    scale = alt.Scale(domain=[0, min(1.0, top)], clamp=True)
    x = alt.X("c:Q", **percent_axis("answered by itself, the surest first", scale=alt.Scale(domain=[0, 1])))
    y = alt.Y("e:Q", **percent_axis("of these wrong", scale=scale))
    base = alt.Chart(values(rows)).encode(x=x)
    band = base.mark_area(opacity=0.22, color=MODEL).encode(
        y=alt.Y("l:Q", scale=scale, title="of these wrong"), y2="u:Q"
    )
    line = base.mark_line(color=MODEL, strokeWidth=2.5).encode(y=y)
    limit = alt.Chart(values([{"e": report.max_error}]))
    rule = limit.mark_rule(color=LIMIT, strokeDash=[6, 4], strokeWidth=1.5).encode(y=y)
    label = alt.Chart(values([{"e": report.max_error, "c": 1, "t": f"max_error {report.max_error:.1%}"}]))
    text = label.mark_text(align="right", dy=9, color=LIMIT, fontSize=11).encode(x=x, y=y, text="t:N")
    last = points[-1]
    said = f"Answering all cases, {last.error:.1%} are wrong; the line falls as only the surest are answered."
    return drawn((band + line + rule + text).properties(width=WIDTH, height=HEIGHT), said)


def reliability_chart(report: Report) -> str:
    """How often it is right, by how sure it is."""
    bins = report.evaluation.reliability
    rows = [{"p": one.confidence, "r": one.right, "l": one.lower, "u": one.upper} for one in bins]
    low = max(0.0, min(min(row["l"], row["p"]) for row in rows) - 0.03)
    scale = alt.Scale(domain=[low, 1.0])
    x = alt.X("p:Q", **percent_axis("how sure it is", scale=scale))
    y = alt.Y("r:Q", **percent_axis("how often it is right", scale=scale))
    diagonal = alt.Chart(values([{"p": low, "r": low}, {"p": 1, "r": 1}]))
    ideal = diagonal.mark_line(color=FAINT, strokeDash=[4, 4]).encode(x=x, y=y)
    base = alt.Chart(values(rows)).encode(x=x)
    bars = base.mark_rule(color=MODEL, opacity=0.5, strokeWidth=2).encode(
        y=alt.Y("l:Q", scale=scale, title=""), y2="u:Q"
    )
    dots = base.mark_point(color=MODEL, filled=True, size=55, opacity=1).encode(y=y)
    error = report.evaluation.calibration_error.estimate
    said = f"Points near the diagonal: the calibration error is {error:.3f}."
    return drawn((ideal + bars + dots).properties(width=WIDTH, height=HEIGHT), said)


def score_chart(report: Report) -> str:
    """How the two classes lie along the probability, or predictions along the truth."""
    evaluation = report.evaluation
    edges = evaluation.edges
    if report.kind == "regression":
        return heat_chart(report)
    rows: list[dict[str, Any]] = [
        {"a": edges[i], "b": edges[i + 1], "s": side * n / max(1, sum(counts)), "label": report.labels[label]}
        for label, (side, counts) in enumerate(zip((-1, 1), evaluation.histogram, strict=True))
        for i, n in enumerate(counts)
    ]
    top = 1.1 * max(abs(row["s"]) for row in rows)
    scale = alt.Scale(domain=[-top, top], nice=False)
    x = alt.X("a:Q", **percent_axis(f"probability of {report.labels[1]}", scale=alt.Scale(domain=[0, 1])), bin="binned")
    axis = alt.Axis(labelExpr="format(abs(datum.value), '.0%')", tickCount=6)
    y = alt.Y("s:Q", stack=None, title="share of the cases with this truth", scale=scale, axis=axis)
    color = alt.Color("label:N", legend=None, scale=alt.Scale(domain=list(report.labels), range=[OTHER, MODEL]))
    bars = alt.Chart(values(rows)).mark_bar(opacity=0.85).encode(x=x, x2="b:Q", y=y, color=color)
    named = [
        {"c": 0.5, "s": side * top * 0.93, "t": f"{arrow} truth: {short(name)}", "label": name}
        for side, arrow, name in zip((-1, 1), "▼▲", report.labels, strict=True)
    ]
    text = alt.Chart(values(named)).mark_text(fontSize=12, fontWeight="bold")
    text = text.encode(
        x=alt.X("c:Q", scale=alt.Scale(domain=[0, 1])), y=alt.Y("s:Q", scale=scale), text="t:N", color=color
    )
    zero = (
        alt.Chart(values([{"s": 0}])).mark_rule(color="currentColor", opacity=0.5).encode(y=alt.Y("s:Q", scale=scale))
    )
    said = (
        f"The probabilities of {report.labels[1]}, for cases whose truth is {report.labels[1]} upwards, "
        f"and {report.labels[0]} downwards."
    )
    return drawn((bars + zero + text).properties(width=WIDTH, height=HEIGHT), said)


def short(text: str, most: int = 30) -> str:
    """A text that fits into a chart."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def heat_chart(report: Report) -> str:
    """Predicted against true numbers."""
    edges, cells = report.evaluation.edges, report.evaluation.histogram
    rows = [
        {"a": edges[i], "b": edges[i + 1], "c": edges[j], "d": edges[j + 1], "n": n}
        for i, counts in enumerate(cells)
        for j, n in enumerate(counts)
        if n
    ]
    domain = alt.Scale(domain=[edges[0], edges[-1]], nice=False)
    chart = (
        alt.Chart(values(rows))
        .mark_rect(color=MODEL)
        .encode(
            x=alt.X("a:Q", title="predicted", scale=domain, bin="binned"),
            x2="b:Q",
            y=alt.Y("c:Q", title="true", scale=domain, bin="binned"),
            y2="d:Q",
            opacity=alt.Opacity("n:Q", scale=alt.Scale(type="sqrt", range=[0.12, 1]), legend=None),
        )
    )
    diagonal = alt.Chart(values([{"a": edges[0], "c": edges[0]}, {"a": edges[-1], "c": edges[-1]}]))
    ideal = diagonal.mark_line(color=LIMIT, strokeDash=[4, 4]).encode(x="a:Q", y="c:Q")
    r2 = report.evaluation.metrics.get("r2")
    said = f"Predicted against true {report.target}{'' if r2 is None else f'; R² is {r2.estimate:.3f}'}."
    return drawn((chart + ideal).properties(width=WIDTH, height=HEIGHT), said)


def residual_chart(report: Report) -> str:
    """How far it is off, along its predictions."""
    rows = [msgspec.structs.asdict(one) for one in report.evaluation.residuals]
    base = alt.Chart(values(rows)).encode(x=alt.X("predicted:Q", title="predicted", scale=alt.Scale(zero=False)))
    title = "truth minus prediction"
    wide = base.mark_area(color=MODEL, opacity=0.16).encode(y=alt.Y("q05:Q", title=title), y2="q95:Q")
    half = base.mark_area(color=MODEL, opacity=0.3).encode(y=alt.Y("q25:Q", title=title), y2="q75:Q")
    middle = base.mark_line(color=MODEL, strokeWidth=2.5, point=False).encode(y=alt.Y("q50:Q", title=title))
    zero = alt.Chart(values([{"z": 0}])).mark_rule(color=LIMIT, strokeDash=[4, 4]).encode(y=alt.Y("z:Q", title=title))
    widest = max(rows, key=lambda row: row["q95"] - row["q05"])
    said = (
        f"Nine in ten truths lie between {widest['q05']:.4g} and {widest['q95']:.4g} of the prediction where it is "
        f"least sure, around {widest['predicted']:.4g}."
    )
    return drawn((wide + half + middle + zero).properties(width=WIDTH, height=HEIGHT), said)
