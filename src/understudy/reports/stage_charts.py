"""The picture of an error taken apart: from all wrong decisions down to those that no stage causes."""

from __future__ import annotations

from typing import Any

import altair as alt

from understudy.evaluation.stages import Stages
from understudy.reports.charts import FAINT, LIMIT, MODEL, OTHER, drawn, short, values

WIDE, ROW = 640, 40
LONGEST = 28


def stage_chart(stages: Stages) -> str:
    """A waterfall: the error, what each stage owns of it, and what is left with every stage perfect.

    Stages whose bounds leave 0 out have a full bar, the others an outline; the thin line shows the bounds.
    """
    rows = waterfall(stages)
    title = "wrong decisions, of all cases"
    top = 1.05 * max(1e-9, *(max(row["high"], row["upper"]) for row in rows))
    low = min(0.0, *(min(row["low"], row["lower"]) for row in rows))
    scale = alt.Scale(domain=[low, top], nice=False, clamp=True)
    x = alt.X("low:Q", title=title, scale=scale, axis=alt.Axis(format=".1%", tickCount=6))
    order = [row["name"] for row in rows]
    y = alt.Y(
        "name:N",
        sort=order,
        title=None,
        axis=alt.Axis(labelLimit=220, labelFontSize=12, ticks=False, domain=False, labelPadding=8),
        scale=alt.Scale(paddingInner=0.45, paddingOuter=0.2),
    )
    color = alt.Color(
        "kind:N", legend=None, scale=alt.Scale(domain=["all", "stage", "rest"], range=[OTHER, MODEL, LIMIT])
    )
    base = alt.Chart(values(rows)).encode(y=y)
    steps = [
        {"name": row["name"], "next": rows[place + 1]["name"], "at": row["step"]} for place, row in enumerate(rows[:-1])
    ]
    layers: list[Any] = [
        alt.Chart(values([{"zero": 0}])).mark_rule(color=FAINT).encode(x=alt.X("zero:Q", title=title, scale=scale)),
        alt.Chart(values(steps))
        .mark_rule(color="currentColor", opacity=0.45, strokeDash=[2, 3])
        .encode(x=alt.X("at:Q", title=title, scale=scale), y=alt.Y("name:N", sort=order), y2="next:N"),
        base.transform_filter("datum.shown").mark_bar(opacity=0.8).encode(x=x, x2="high:Q", color=color),
        base.transform_filter("!datum.shown")
        .mark_bar(fill="transparent", strokeWidth=1.5, strokeDash=[3, 2])
        .encode(x=x, x2="high:Q", stroke=color),
        base.mark_rule(color="currentColor", strokeWidth=1.5).encode(
            x=alt.X("lower:Q", title=title, scale=scale), x2="upper:Q"
        ),
        base.mark_text(align="left", baseline="middle", dx=6, fontSize=12).encode(
            x=alt.X("end:Q", title=title, scale=scale), text="words:N"
        ),
    ]
    return drawn(alt.layer(*layers).properties(width=WIDE, height=ROW * len(rows)), stages.sentence)


def waterfall(stages: Stages) -> list[dict[str, Any]]:
    """The bars from top to bottom; `step` is where the next one begins."""
    at = stages.error.estimate
    rows = [bar("as it is", "all", 0.0, at, stages.error, f"{at:.1%}")]
    for one in stages.found:
        after = at - one.owns.estimate
        words = f"{one.owns.estimate:.1%}, {stages.share(one):.0%} of the wrong"
        row = bar(short(one.name, LONGEST), "stage", after, at, one.owns, words)
        rows.append(row | {"lower": at - one.owns.upper, "upper": at - one.owns.lower, "shown": one.owns.lower > 0})
        at = after
    rows.append(
        bar("every stage perfect", "rest", 0.0, stages.rest.estimate, stages.rest, f"{stages.rest.estimate:.1%}")
    )
    steps = [stages.error.estimate]
    for one in stages.found:
        steps.append(steps[-1] - one.owns.estimate)
    placed = [row | {"step": step} for row, step in zip(rows, [*steps, 0.0], strict=True)]
    return [row | {"end": max(row["high"], row["upper"])} for row in placed]


def bar(name: str, kind: str, low: float, high: float, evidence: Any, words: str) -> dict[str, Any]:
    """One bar."""
    return {
        "name": name,
        "kind": kind,
        "low": min(low, high),
        "high": max(low, high),
        "lower": evidence.lower,
        "upper": evidence.upper,
        "words": words,
        "shown": True,
    }
