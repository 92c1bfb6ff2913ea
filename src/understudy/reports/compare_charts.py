"""The picture of a comparison: for whom more answers are right than before, and for whom fewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from understudy.evaluation.compare import Compared, Switch
from understudy.reports.charts import FAINT, LIMIT, MODEL, OTHER, drawn, short, values

WIDE, ROW = 600, 30
LONGEST = 34
SIGNED = "datum.value == 0 ? '0' : format(datum.value, '+.3~g')"
SHAPES = {"better": "triangle-up", "worse": "triangle-down", "not shown": "circle"}


def switch_chart(compared: Compared) -> str:
    """Right answers of 100 more than before, of all cases, by truth and by group, each with its bounds."""
    named = [("all cases", compared.all), *((f"truth is {one.of}", one) for one in compared.labels)]
    named += [(f"{column} is {one.of}", one) for column, switches in compared.groups.items() for one in switches]
    rows = [chart_row(place, name, one) for place, (name, one) in enumerate(named)]
    low = min(0.0, *(row["lower"] for row in rows))
    high = max(0.0, *(row["upper"] for row in rows))
    pad = 0.06 * max(high - low, 1e-6)
    scale = alt.Scale(domain=[low - pad, high + pad], nice=False)
    title = "fewer right  ←   answers of 100   →  more right"
    x = alt.X("gain:Q", title=title, scale=scale, axis=alt.Axis(tickCount=7, labelExpr=SIGNED))
    order = [row["name"] for row in rows]
    axis = alt.Axis(labelLimit=260, labelFontSize=12, ticks=False, domain=False, labelPadding=8)
    y = alt.Y("name:N", sort=order, title=None, axis=axis)
    verdicts = list(SHAPES)
    color = alt.Color("verdict:N", legend=None, scale=alt.Scale(domain=verdicts, range=[MODEL, LIMIT, OTHER]))
    shape = alt.Shape("verdict:N", legend=None, scale=alt.Scale(domain=verdicts, range=list(SHAPES.values())))
    base = alt.Chart(values(rows)).encode(y=y)
    layers: list[Any] = [
        alt.Chart(values([{"zero": 0}]))
        .mark_rule(color=FAINT, strokeWidth=2)
        .encode(x=alt.X("zero:Q", title=title, scale=scale)),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("lower:Q", title=title, scale=scale), x2="upper:Q", color=color),
        base.mark_point(filled=True, size=80, opacity=1).encode(x=x, color=color, shape=shape),
    ]
    return drawn(alt.layer(*layers).properties(width=WIDE, height=max(70, ROW * len(rows))), said(named))


def chart_row(place: int, name: str, one: Switch) -> dict[str, Any]:
    """One line."""
    return {
        "place": place,
        "name": short(name, LONGEST),
        "gain": 100 * one.gain.estimate,
        "lower": 100 * one.gain.lower,
        "upper": 100 * one.gain.upper,
        "verdict": one.verdict,
    }


def said(named: Sequence[tuple[str, Switch]]) -> str:
    """The picture in words."""
    found = {kind: [name for name, one in named if one.verdict == kind] for kind in ("better", "worse")}
    parts = [f"Shown to be {kind}: {'; '.join(names)}." for kind, names in found.items() if names]
    return " ".join(parts) or "No change is shown, neither of all cases nor of a part of them."
