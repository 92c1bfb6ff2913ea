"""The picture of slices: how much of the loss each one holds that could be won back."""

from __future__ import annotations

from typing import Any

import altair as alt

from understudy.evaluation.slices import Slice, Slices
from understudy.reports.charts import FAINT, MODEL, OTHER, drawn, short, values

WIDE, ROW = 640, 46
LONGEST = 90
MOST = 10


def slice_chart(slices: Slices, unit: str = "mean loss") -> str:
    """What would be won back if each slice were like the rest, with bounds; empty if no slice was tested.

    Slices that are shown to be worse have a full bar, the others an empty one and say so.

    Parameters
    ----------
    slices : Slices
    unit : str
        What the loss is, as "error rate".
    """
    shown = slices.found[:MOST]
    if not shown:
        return ""
    rows = [chart_row(place, one) for place, one in enumerate(shown)]
    height = ROW * len(rows)
    top = 1.05 * max(*(row["upper"] for row in rows), 1e-12)
    low = min(0.0, *(1.05 * row["lower"] for row in rows), -0.02 * top)
    scale = alt.Scale(domain=[max(low, -top), top], nice=False, clamp=True)
    title = f"{unit} of all cases that would be won back"
    axis = alt.Axis(tickCount=6, format="~g" if top < 1e4 else ",.0f")
    x = alt.X("estimate:Q", title=title, scale=scale, axis=axis)
    y = alt.Y("place:O", title=None, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    base = alt.Chart(values(rows)).encode(y=y)
    layers = [
        alt.Chart(values([{"zero": 0}])).mark_rule(color=FAINT).encode(x=alt.X("zero:Q", title=title, scale=scale)),
        *bars(base, x),
        base.mark_rule(color="currentColor", strokeWidth=1.5, yOffset=10).encode(
            x=alt.X("lower:Q", title=title, scale=scale), x2="upper:Q"
        ),
        base.mark_text(align="left", baseline="middle", dx=4, dy=-9, fontSize=12).encode(
            x=alt.value(0), text="words:N"
        ),
    ]
    return drawn(alt.layer(*layers).properties(width=WIDE, height=height), said(slices, unit))


def chart_row(place: int, one: Slice) -> dict[str, Any]:
    """One slice as a row of the chart."""
    size = f"{one.share:.1%} of the cases"
    note = size if one.significant else f"{size}, not shown to be worse"
    gain = one.recoverable
    return {
        "place": place,
        "words": f"{short(one.words, LONGEST)} ({note})",
        "estimate": gain.estimate,
        "lower": gain.lower,
        "upper": gain.upper,
        "shown": one.significant,
    }


def bars(base: Any, x: alt.X) -> list[Any]:
    """Full bars of what is shown, outlines of what is not."""
    full = base.transform_filter("datum.shown").mark_bar(color=MODEL, height=12, yOffset=10, opacity=0.75)
    open_ = base.transform_filter("!datum.shown").mark_bar(
        fill="transparent", stroke=OTHER, strokeWidth=1.5, strokeDash=[3, 2], height=12, yOffset=10
    )
    return [full.encode(x=x), open_.encode(x=x)]


def said(slices: Slices, unit: str) -> str:
    """The picture in words."""
    worse = slices.significant
    if not worse:
        return f"None of {len(slices.found)} slices is shown to be worse than the rest."
    first = worse[0]
    return (
        f"{len(worse)} of {len(slices.found)} slices are shown to be worse than the rest. The most is to be won where "
        f"{first.words}: {first.recoverable.estimate:.3g} of the {unit} of all cases."
    )
