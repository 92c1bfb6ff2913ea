"""The pictures of labels: contradictions beside honest doubt, suspected pairs, and people beside the model."""

from __future__ import annotations

from typing import Any

import altair as alt

from understudy.core.evidence import Evidence
from understudy.evaluation.human_level import HumanLevel
from understudy.evaluation.label_quality import LabelErrors
from understudy.reports.charts import MODEL, OTHER, drawn, percent_axis, short, values

WIDTH, HEIGHT = 420, 260
ROW, LONGEST = 46, 56
LEAST = 1e-4
"""The smallest share that a logarithmic axis shows."""


def doubt_chart(errors: LabelErrors) -> str:
    """How often labels contradict the model, from its least sure to its surest answers, beside honest doubt."""
    total, done = sum(one.n for one in errors.bins), 0
    rows: list[dict[str, Any]] = []
    for one in errors.bins:
        rows.append(
            {
                "sure": (done + one.n / 2) / total,
                "contradicted": max(one.contradicted, LEAST),
                "lower": max(one.lower, LEAST),
                "upper": max(one.upper, LEAST),
                "doubt": max(one.doubt, LEAST),
            }
        )
        done += one.n
    scale = alt.Scale(type="log", domain=[LEAST, 1.0], clamp=True, nice=False)
    titled = "labels that contradict it"
    axis = alt.Axis(values=[0.0001, 0.001, 0.01, 0.1, 1], format=".2~%")
    x = alt.X("sure:Q", **percent_axis("answers, from the least sure to the surest", scale=alt.Scale(domain=[0, 1])))
    base = alt.Chart(values(rows)).encode(x=x)
    line = base.mark_line(color=OTHER, strokeWidth=2, strokeDash=[5, 3]).encode(
        y=alt.Y("doubt:Q", title=titled, scale=scale, axis=axis)
    )
    rules = base.mark_rule(color=MODEL, strokeWidth=2, opacity=0.5).encode(
        y=alt.Y("lower:Q", title=titled, scale=scale, axis=axis), y2="upper:Q"
    )
    dots = base.mark_point(color=MODEL, filled=True, size=60, opacity=1).encode(
        y=alt.Y("contradicted:Q", title=titled, scale=scale, axis=axis)
    )
    named = ["● contradicted", "┄ by honest doubt"]
    key = alt.Chart(values([{"x": 0.02, "y": y, "t": name} for y, name in zip((0.00035, 0.00018), named, strict=True)]))
    text = key.mark_text(align="left", fontSize=11.5).encode(
        x=alt.X("x:Q", scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("y:Q", scale=scale),
        text="t:N",
        color=alt.Color("t:N", legend=None, scale=alt.Scale(domain=named, range=[MODEL, OTHER])),
    )
    return drawn((line + rules + dots + text).properties(width=WIDTH, height=HEIGHT), doubt_said(errors))


def doubt_said(errors: LabelErrors) -> str:
    """That picture in words."""
    last = errors.bins[-1]
    return (
        f"Among the surest answers labels contradict the model in {last.contradicted:.2%} of the cases, where honest "
        f"doubt explains {last.doubt:.2%}."
    )


def pair_chart(errors: LabelErrors, most: int = 6) -> str:
    """Suspects by what the label says and what is likelier, with how many are wrong; empty if there are none."""
    shown = errors.pairs[:most]
    if not shown:
        return ""
    rows = [
        {
            "place": place,
            "words": short(f"said {one.said}, probably {one.probably}", LONGEST),
            "suspects": one.suspects,
            "count": f"{one.suspects:,}",
            "wrong": one.wrong.estimate,
            "lower": one.wrong.lower,
            "upper": min(one.wrong.upper, one.suspects),
        }
        for place, one in enumerate(shown)
    ]
    scale = alt.Scale(domain=[0, 1.15 * max(one.suspects for one in shown)], nice=False)
    title = "labels"
    base = alt.Chart(values(rows)).encode(
        y=alt.Y("place:O", title=None, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    )
    x = alt.X("suspects:Q", title=title, scale=scale, axis=alt.Axis(tickMinStep=1, tickCount=5, format=",d"))
    layers = [
        base.mark_bar(
            fill="transparent", stroke=OTHER, strokeWidth=1.5, strokeDash=[3, 2], height=14, yOffset=9
        ).encode(x=x),
        base.mark_text(align="left", baseline="middle", dx=5, dy=9, fontSize=11).encode(x=x, text="count:N"),
        base.mark_text(align="left", baseline="middle", dx=2, dy=-10, fontSize=12).encode(
            x=alt.value(0), text="words:N"
        ),
    ]
    if errors.significant:
        layers += [
            base.mark_bar(color=MODEL, opacity=0.75, height=14, yOffset=9).encode(
                x=alt.X("wrong:Q", title=title, scale=scale)
            ),
            base.mark_rule(color="currentColor", strokeWidth=1.5, yOffset=9).encode(
                x=alt.X("lower:Q", title=title, scale=scale), x2="upper:Q"
            ),
        ]
    return drawn(alt.layer(*layers).properties(width=WIDTH, height=ROW * len(rows)), pair_said(errors))


def pair_said(errors: LabelErrors) -> str:
    """That picture in words."""
    first = errors.pairs[0]
    if not errors.significant:
        return f"Most suspects: {first.words}; honest doubt can explain them."
    return f"Most suspects: {first.words}, about {first.wrong.estimate:,.0f} of them beyond honest doubt."


def human_chart(human: HumanLevel) -> str:
    """How often one person, people together and the model are wrong on the same cases, with bounds."""
    named = [
        ("one person", human.person, OTHER),
        ("people together", human.together, OTHER),
        ("the model", human.model, MODEL),
    ]
    rows = [human_row(name, error) for name, error, _ in named if error is not None]
    colours = [colour for _, error, colour in named if error is not None]
    names = [row["name"] for row in rows]
    top = min(1.0, 1.1 * max(row["upper"] for row in rows))
    x = alt.X("error:Q", **percent_axis("wrong decisions", scale=alt.Scale(domain=[0, top], nice=False)))
    y = alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelFontSize=12, ticks=False, domain=False))
    colour = alt.Color("name:N", legend=None, scale=alt.Scale(domain=names, range=colours))
    base = alt.Chart(values(rows)).encode(y=y, color=colour)
    rules = base.mark_rule(strokeWidth=3, opacity=0.5).encode(x=alt.X("lower:Q", title="wrong decisions"), x2="upper:Q")
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(x=x)
    text = base.mark_text(dy=-13, fontSize=11.5).encode(x=x, text="words:N")
    return drawn((rules + dots + text).properties(width=WIDTH, height=ROW * len(rows)), human.sentence)


def human_row(name: str, error: Evidence) -> dict[str, Any]:
    """One of them."""
    return {
        "name": name,
        "error": error.estimate,
        "lower": error.lower,
        "upper": error.upper,
        "words": f"{error.estimate:.1%}",
    }
