"""The pictures of explanations: what each column is worth, and how the answer moves along the most important ones."""

from __future__ import annotations

from typing import Any

import altair as alt

from understudy.evaluation.effects import ColumnEffect
from understudy.evaluation.importance import Importances
from understudy.monitoring.usual import as_moment
from understudy.reports.charts import FAINT, MODEL, OTHER, drawn, short, values

WIDE, ROW = 520, 24
MOST = 15
SMALL_WIDTH, SMALL_HEIGHT = 190, 120
ACROSS = 3
LONGEST = 26


def importance_chart(found: Importances) -> str:
    """How much worse the metric gets without each column, with bounds; those that are not shown have open bars."""
    rows: list[dict[str, Any]] = [
        {
            "name": short(one.columns[0], LONGEST),
            "estimate": one.metric.estimate,
            "lower": one.metric.lower,
            "upper": one.metric.upper,
            "shown": one.shown,
        }
        for one in found.columns[:MOST]
    ]
    title = f"how much worse {found.title} gets"
    low, high = min(0.0, *(row["lower"] for row in rows)), max(1e-9, *(row["upper"] for row in rows))
    pad = 0.02 * (high - low)
    scale = alt.Scale(domain=[low - pad if low < 0 else 0.0, high + pad], nice=False)
    x = alt.X("estimate:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6, format=",~r"))
    names = [row["name"] for row in rows]
    y = alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelLimit=220, ticks=False, domain=False))
    base = alt.Chart(values(rows)).encode(y=y)
    full = base.transform_filter("datum.shown").mark_bar(color=MODEL, opacity=0.75, height=12)
    open_ = base.transform_filter("!datum.shown").mark_bar(
        fill="transparent", stroke=OTHER, strokeWidth=1.5, strokeDash=[3, 2], height=12
    )
    zero = alt.Chart(values([{"zero": 0}])).mark_rule(color=FAINT).encode(x=alt.X("zero:Q", title=title, scale=scale))
    whiskers = base.mark_rule(color="currentColor", strokeWidth=1.5).encode(
        x=alt.X("lower:Q", title=title, scale=scale), x2="upper:Q"
    )
    chart = alt.layer(zero, full.encode(x=x), open_.encode(x=x), whiskers)
    return drawn(chart.properties(width=WIDE, height=ROW * len(rows)), importance_said(found))


def importance_said(found: Importances) -> str:
    """The picture in words."""
    shown = [one for one in found.columns if one.shown]
    if not shown:
        return f"None of {len(found.columns)} columns is shown to matter by itself."
    named = ", ".join(f"{one.columns[0]} {one.metric.estimate:.3g}" for one in shown[:5])
    return f"{len(shown)} of {len(found.columns)} columns are shown to matter; the most: {named}."


def effects_chart(effects: tuple[ColumnEffect, ...]) -> str:
    """Small pictures side by side, one for each column, all on one scale."""
    points = [point for effect in effects for point in effect.points]
    low, high = min(point.lower for point in points), max(point.upper for point in points)
    pad = 0.04 * (high - low) or 1.0
    scale = alt.Scale(domain=[low - pad, high + pad], nice=False)
    shares = any(effect.answer for effect in effects)
    axis = alt.Axis(format="+.0%" if shares else "+~s", tickCount=5)
    small = [one_effect(effect, scale, axis) for effect in effects]
    lines = [alt.hconcat(*small[start : start + ACROSS], spacing=26) for start in range(0, len(small), ACROSS)]
    return drawn(alt.vconcat(*lines, spacing=22), effects_said(effects))


def one_effect(effect: ColumnEffect, scale: alt.Scale, axis: alt.Axis) -> Any:
    """The picture of one column: a line with its band, or a dot for each level with its bounds."""
    y = alt.Y("effect:Q", title=None, scale=scale, axis=axis)
    lower = alt.Y("lower:Q", title=None, scale=scale, axis=axis)
    zero = alt.Chart(values([{"effect": 0}])).mark_rule(color=FAINT, strokeDash=[4, 4]).encode(y=y)
    rows = [point_row(effect, point) for point in effect.points]
    base = alt.Chart(values(rows))
    if effect.form == "level":
        order = [row["at"] for row in rows]
        ticks = alt.Axis(labelAngle=-40, labelLimit=130, title=None)
        base = base.encode(x=alt.X("at:N", sort=order, axis=ticks))
        marks = [
            base.mark_rule(color=MODEL, strokeWidth=2, opacity=0.5).encode(y=lower, y2="upper:Q"),
            base.mark_point(color=MODEL, filled=True, size=45, opacity=1).encode(y=y),
        ]
    else:
        kind = "at:T" if effect.form == "datetime" else "at:Q"
        ticks = alt.Axis(tickCount=4, title=None, format="%Y-%m" if effect.form == "datetime" else "~s", grid=False)
        base = base.encode(x=alt.X(kind, axis=ticks, scale=alt.Scale(zero=False, nice=False)))
        marks = [
            base.mark_area(color=MODEL, opacity=0.2).encode(y=lower, y2="upper:Q"),
            base.mark_line(color=MODEL, strokeWidth=2).encode(y=y),
        ]
    title = alt.TitleParams(
        short(effect.column, LONGEST), anchor="start", fontSize=12, fontWeight="bold", color="currentColor"
    )
    return alt.layer(zero, *marks).properties(width=SMALL_WIDTH, height=SMALL_HEIGHT, title=title)


def point_row(effect: ColumnEffect, point: Any) -> dict[str, Any]:
    """One point as a row of the chart."""
    at: Any = short(point.level, 16) if effect.form == "level" else point.at
    if effect.form == "datetime":
        at = as_moment(point.at).isoformat()
    return {"at": at, "effect": point.effect, "lower": point.lower, "upper": point.upper}


def effects_said(effects: tuple[ColumnEffect, ...]) -> str:
    """The picture in words."""
    told = []
    for effect in effects:
        lowest, highest = (pick(effect.points, key=lambda point: point.effect) for pick in (min, max))
        told.append(
            f"{effect.column} from {lowest.effect:+.3g} at {place(effect, lowest)} to {highest.effect:+.3g} at "
            f"{place(effect, highest)}"
        )
    return f"The answer moves: {'; '.join(told)}."


def place(effect: ColumnEffect, point: Any) -> str:
    """A point's place in words."""
    if effect.form == "level":
        return str(point.level)
    return as_moment(point.at).date().isoformat() if effect.form == "datetime" else f"{point.at:.4g}"
