"""Pictures of what a score tells: ROC, precision and recall, gain, the cost of thresholds, calibration, and biases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from understudy.evaluation.bias_gains import Scale
from understudy.evaluation.consistency import ConsistencyBin
from understudy.evaluation.curves import RankingCurves
from understudy.evaluation.prediction_bias import Bucket
from understudy.evaluation.thresholds import NEVER, PRESENT, Thresholds
from understudy.reports.charts import FAINT, HEIGHT, LIMIT, MODEL, OTHER, WIDTH, drawn, percent_axis, short, values

WIDE, ROW = 640, 34
LONGEST = 64
MOST = 12
UNIT = alt.Scale(domain=[0, 1])


def roc_chart(curves: RankingCurves) -> str:
    """True positives against false ones."""
    rows = [{"f": one.false_positives, "t": one.true_positives, "l": one.lower, "u": one.upper} for one in curves.roc]
    said = (
        f"Where a tenth of the others is taken for {curves.label}, "
        f"{at(rows, 'f', 't', 0.1):.0%} of those that are {curves.label} are found."
    )
    x = alt.X("f:Q", **percent_axis(f"of the others taken for {short(curves.label)}", scale=UNIT))
    y = alt.Y("t:Q", **percent_axis(f"of {short(curves.label)} found", scale=UNIT))
    return drawn(banded(rows, x, y, diagonal("f", "t")).properties(width=WIDTH, height=HEIGHT), said)


def precision_chart(curves: RankingCurves) -> str:
    """Precision against recall, beside answering at random."""
    rows = [{"r": one.recall, "p": one.precision, "l": one.lower, "u": one.upper} for one in curves.precision]
    said = (
        f"To find half of those that are {curves.label}, {at(rows, 'r', 'p', 0.5):.0%} of the answers are right; "
        f"by lot it would be {curves.positives:.0%}."
    )
    x = alt.X("r:Q", **percent_axis(f"of {short(curves.label)} found", scale=UNIT))
    y = alt.Y("p:Q", **percent_axis(f"of the answers {short(curves.label, 20)} right", scale=UNIT))
    level = [{"r": 0, "p": curves.positives}, {"r": 1, "p": curves.positives}]
    by_lot = (
        alt.Chart(values(level))
        .mark_line(color="currentColor", opacity=0.45, strokeDash=[4, 4], strokeWidth=1.5)
        .encode(x="r:Q", y="p:Q")
    )
    high = curves.positives > 0.85
    label = alt.Chart(values([{"r": 0.02, "p": curves.positives, "t": f"by lot {curves.positives:.0%}"}]))
    text = label.mark_text(align="left", dy=11 if high else -7, fontSize=11).encode(x="r:Q", y="p:Q", text="t:N")
    return drawn((banded(rows, x, y, by_lot) + text).properties(width=WIDTH, height=HEIGHT), said)


def gain_chart(curves: RankingCurves) -> str:
    """Of the highest scores, how many of the class they hold."""
    rows = [{"s": 0.0, "f": 0.0, "l": 0.0, "u": 0.0}]
    rows += [{"s": one.share, "f": one.found, "l": one.lower, "u": one.upper} for one in curves.gain]
    tenth = min(curves.gain, key=lambda one: abs(one.share - 0.1))
    said = (
        f"The highest tenth of the scores holds {tenth.found:.0%} of those that are {curves.label}, "
        f"{tenth.lift:.1f} times as many as a tenth by lot."
    )
    x = alt.X("s:Q", **percent_axis("of all cases, the highest scores first", scale=UNIT))
    y = alt.Y("f:Q", **percent_axis(f"of {short(curves.label)} among them", scale=UNIT))
    return drawn(banded(rows, x, y, diagonal("s", "f")).properties(width=WIDTH, height=HEIGHT), said)


def banded(rows: list[dict[str, Any]], x: alt.X, y: alt.Y, behind: Any) -> Any:
    """A line with its band over something faint."""
    base = alt.Chart(values(rows)).encode(x=x)
    title = y.to_dict()["title"]
    band = base.mark_area(opacity=0.22, color=MODEL, interpolate="linear").encode(
        y=alt.Y("l:Q", title=title, scale=UNIT, axis=alt.Axis(format="%")), y2="u:Q"
    )
    order = alt.Order(f"{x.to_dict()['field']}:Q")
    return behind + band + base.mark_line(color=MODEL, strokeWidth=2.5).encode(y=y, order=order)


def diagonal(x: str, y: str) -> Any:
    """What chance would do."""
    rows = [{x: 0, y: 0}, {x: 1, y: 1}]
    return (
        alt.Chart(values(rows))
        .mark_line(color="currentColor", opacity=0.45, strokeDash=[4, 4], strokeWidth=1.5)
        .encode(x=f"{x}:Q", y=f"{y}:Q")
    )


def at(rows: list[dict[str, Any]], x: str, y: str, where: float) -> float:
    """The figure at the first point that reaches a place."""
    return float(next((row[y] for row in rows if row[x] >= where), rows[-1][y]))


def cost_chart(found: Thresholds) -> str:
    """What each threshold costs, the present one and the best one marked."""
    unit = "cost per case" if found.priced else "wrong answers"
    rows = [{"t": min(one.threshold, 1.0), "c": one.cost, "l": one.lower, "u": one.upper} for one in found.points]
    best, present = found.optimum, found.present.estimate
    top = 1.06 * max(present, *(row["u"] for row in rows if abs(row["t"] - best.estimate) < 0.35), 1e-9)
    scale = alt.Scale(domain=[0, top], nice=False)
    axis = alt.Axis(format="~g") if found.priced else alt.Axis(format="%")
    x = alt.X("t:Q", title="answers yes from this probability on", scale=UNIT, axis=alt.Axis(format="%"))
    y = alt.Y("c:Q", title=unit, scale=scale, axis=axis)
    base = alt.Chart(values(rows)).encode(x=x)
    band = base.mark_area(opacity=0.22, color=MODEL, clip=True).encode(
        y=alt.Y("l:Q", title=unit, scale=scale, axis=axis), y2="u:Q"
    )
    line = base.mark_line(color=MODEL, strokeWidth=2.5, clip=True).encode(y=y)
    span = alt.Chart(values([{"a": min(best.lower, 1.0), "b": min(best.upper, 1.0), "c": 0}]))
    where = span.mark_rule(color=MODEL, strokeWidth=5, opacity=0.6).encode(x="a:Q", x2="b:Q", y=y)
    least = min(best.estimate, 1.0)
    left = least < PRESENT
    marks: list[dict[str, Any]] = [
        {"t": PRESENT, "c": present, "w": "now", "dx": 8 if left else -8, "shape": "now"},
        {"t": least, "c": found.optimum_cost, "w": "least", "dx": -8 if left else 8, "shape": "least"},
    ]
    if abs(least - PRESENT) < 0.02:
        marks = [{**marks[1], "w": "now, and least", "dx": 8}]
    points = alt.Chart(values(marks))
    shape = alt.Shape("shape:N", legend=None, scale=alt.Scale(domain=["now", "least"], range=["square", "circle"]))
    color = alt.Color("shape:N", legend=None, scale=alt.Scale(domain=["now", "least"], range=[OTHER, MODEL]))
    dots = points.mark_point(filled=True, size=90, opacity=1).encode(x=x, y=y, shape=shape, color=color)
    layers = [band, line, where, dots, *(named(mark).encode(x=x, y=y, text="w:N") for mark in marks)]
    never = " (never yes)" if best.estimate >= NEVER else ""
    said = (
        f"The {unit}: {found.optimum_cost:.4g} at a threshold of {least:.3g}{never}, {present:.4g} at {PRESENT}. "
        f"The best threshold lies between {best.lower:.3g} and {min(best.upper, 1):.3g}."
    )
    return drawn(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT), said)


def named(mark: dict[str, Any]) -> Any:
    """The name of a marked point, to its side."""
    side = "left" if mark["dx"] > 0 else "right"
    return alt.Chart(values([mark])).mark_text(dx=mark["dx"], dy=-12, align=side, fontSize=12, fontWeight="bold")


def consistency_chart(bins: Sequence[ConsistencyBin], what: str) -> str:
    """What came true by what was predicted, over the band of a model that is right."""
    rows = [
        {"p": one.predicted, "o": one.observed, "l": one.lower, "u": one.upper, "outside": one.outside} for one in bins
    ]
    ends = [value for row in rows for value in (row["p"], row["o"], row["l"], row["u"])]
    scale = alt.Scale(domain=margins(ends, share=True), nice=False)
    x = alt.X("p:Q", **percent_axis(f"predicted: {what}", scale=scale))
    y = alt.Y("o:Q", **percent_axis("came true", scale=scale))
    base = alt.Chart(values(rows)).encode(x=x)
    band = base.mark_area(opacity=0.8, color=FAINT).encode(
        y=alt.Y("l:Q", scale=scale, title="came true", axis=alt.Axis(format="%")), y2="u:Q"
    )
    if len(rows) == 1:
        band = base.mark_rule(color=FAINT, strokeWidth=6).encode(y=alt.Y("l:Q", scale=scale), y2="u:Q")
    inside = base.transform_filter("!datum.outside").mark_point(filled=True, size=55, color=MODEL, opacity=1)
    outside = base.transform_filter("datum.outside").mark_point(
        shape="cross", filled=True, size=110, color=LIMIT, opacity=1
    )
    line = base.mark_line(color=MODEL, strokeWidth=1.5, opacity=0.6).encode(y=y)
    count = sum(one.outside for one in bins)
    said = (
        f"{count} of {len(bins)} points lie outside of what a model with right probabilities would show."
        if count
        else f"All {len(bins)} points lie where those of a model with right probabilities would."
    )
    chart = band + line + inside.encode(y=y) + outside.encode(y=y)
    return drawn(chart.properties(width=WIDTH, height=HEIGHT), said)


def bias_chart(buckets: Sequence[Bucket], scale: Scale) -> str:
    """Predicted and observed means of buckets, one under the other; empty without any."""
    if not buckets:
        return ""
    shown = buckets[:MOST]
    rows: list[dict[str, Any]] = [
        {
            "place": place,
            "words": f"{short(one.words if one.kind != 'all' else 'all cases', LONGEST)} ({one.share:.1%})",
            "p": one.predicted,
            "o": one.observed,
            "l": one.predicted + one.bias.lower,
            "u": one.predicted + one.bias.upper,
            "shown": one.significant,
        }
        for place, one in enumerate(shown)
    ]
    ends = [value for row in rows for value in (row["p"], row["l"], row["u"])]
    domain = alt.Scale(domain=margins(ends, share=scale != "number"), nice=False, zero=False, clamp=True)
    title = "predicted and happened, on average"
    axis = alt.Axis(tickCount=6) if scale == "number" else alt.Axis(format="%", tickCount=6)
    y = alt.Y("place:O", title=None, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    base = alt.Chart(values(rows)).encode(y=y)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=title, scale=domain, axis=axis)

    layers = [
        base.mark_rule(color="currentColor", strokeWidth=1.5, yOffset=8, opacity=0.7).encode(x=x("l"), x2="u:Q"),
        base.mark_point(shape="diamond", size=80, color=OTHER, filled=False, strokeWidth=2, yOffset=8).encode(x=x("p")),
        base.transform_filter("datum.shown")
        .mark_point(size=70, color=MODEL, filled=True, opacity=1, yOffset=8)
        .encode(x=x("o")),
        base.transform_filter("!datum.shown")
        .mark_point(size=60, color=MODEL, filled=False, strokeWidth=2, yOffset=8)
        .encode(x=x("o")),
        base.mark_text(align="left", baseline="middle", dy=-7, fontSize=12).encode(x=alt.value(0), text="words:N"),
    ]
    worst = max(shown, key=lambda one: abs(one.strength))
    return drawn(alt.layer(*layers).properties(width=WIDE, height=ROW * len(rows)), worst.sentence)


def decile_chart(buckets: Sequence[Bucket], scale: Scale) -> str:
    """Observed less predicted along the prediction; empty without any."""
    if not buckets:
        return ""
    rows = [
        {"p": one.predicted, "b": one.bias.estimate, "l": one.bias.lower, "u": one.bias.upper, "shown": one.significant}
        for one in buckets
    ]
    number = scale == "number"
    axis = alt.Axis() if number else alt.Axis(format="%")
    across = alt.Scale(domain=margins([row["p"] for row in rows], share=not number), nice=False)
    along = alt.Scale(domain=margins([0.0, *(row[end] for row in rows for end in "lu")], share=False), nice=False)
    x = alt.X("p:Q", title="predicted", scale=across, axis=axis)
    title = "happened less predicted"
    base = alt.Chart(values(rows)).encode(x=x)
    zero = (
        alt.Chart(values([{"z": 0}]))
        .mark_rule(color=FAINT, strokeDash=[4, 4], strokeWidth=1.5)
        .encode(y=alt.Y("z:Q", title=title, scale=along))
    )
    y = alt.Y("b:Q", title=title, axis=axis, scale=along)
    bars = base.mark_rule(color="currentColor", strokeWidth=1.5, opacity=0.7).encode(
        y=alt.Y("l:Q", title=title, axis=axis, scale=along), y2="u:Q"
    )
    full = base.transform_filter("datum.shown").mark_point(size=70, color=MODEL, filled=True, opacity=1)
    open_ = base.transform_filter("!datum.shown").mark_point(size=60, color=MODEL, filled=False, strokeWidth=2)
    chart = zero + bars + full.encode(y=y) + open_.encode(y=y)
    worst = max(buckets, key=lambda one: abs(one.strength))
    return drawn(chart.properties(width=WIDTH, height=HEIGHT), worst.sentence)


def margins(figures: Sequence[float], *, share: bool) -> list[float]:
    """The range of some figures with a margin; shares stay in [0, 1]."""
    low, high = min(figures), max(figures)
    pad = 0.05 * (high - low) or 0.01
    return [max(0.0, low - pad), min(1.0, high + pad)] if share else [low - pad, high + pad]
