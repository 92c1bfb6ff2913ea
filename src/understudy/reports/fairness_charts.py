"""The pictures of groups: rates with their bounds, and beside them what they would be if the model were right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from understudy.evaluation.fairness_found import Fairness, Group
from understudy.reports.charts import FAINT, LIMIT, MODEL, OTHER, drawn, short, values

WIDE, ROW = 330, 26
LONGEST = 34
MOST = 24
PAD = 0.03
"""So much room is left of 0, that marks there do not touch the labels."""


def error_chart(found: Fairness) -> str:
    """How often it is wrong for each group, with 95 % bounds, and how often its own confidence expects it to be."""
    rows = [error_row(group) for group in shown(found)]
    return rate_chart(rows, "wrong", found.error, error_text(found))


def error_row(group: Group) -> dict[str, Any]:
    """One group's error rate."""
    error, surprise = group.error.rate, group.figures.get("surprise")
    row = {"rate": error.estimate, "lower": error.lower, "upper": error.upper, "kind": kind(group)}
    expected = None if surprise is None else error.estimate - surprise.rate.estimate
    return {"group": label(group), "beside": expected, **row}


def selection_chart(found: Fairness) -> str:
    """How often each group gets the favourable answer, with 95 % bounds, and how often it would be right.

    Empty where there are more than two classes, or numbers.
    """
    rows = []
    for group in shown(found):
        if "selected" in group.figures and "base" in group.figures:
            rate = group.figures["selected"].rate
            row = {"rate": rate.estimate, "lower": rate.lower, "upper": rate.upper}
            few = "few" if kind(group) == "few" else "other"
            rows.append({"group": label(group), "beside": group.figures["base"].rate.estimate, "kind": few, **row})
    return rate_chart(rows, "given the favourable answer", None, selection_text(found)) if rows else ""


def shown(found: Fairness) -> Sequence[Group]:
    """The groups of a picture, column by column; of very many, the largest."""
    if len(found.groups) <= MOST:
        return found.groups
    kept = sorted(found.groups, key=lambda group: -group.n)[:MOST]
    return [group for group in found.groups if group in kept]


def kind(group: Group) -> str:
    """How a group is drawn."""
    if group.n < 2 or group.error.difference is None:
        return "few"
    return "worse" if group.standing == "worse" else "other"


def label(group: Group) -> str:
    """A group with its number of rows."""
    return f"{short(group.words, LONGEST)}  (n {group.n:,})"


def rate_chart(rows: list[dict[str, Any]], title: str, middle: float | None, text: str) -> str:
    """One row for each group: a mark with its bounds, and a tick for what stands beside it."""
    top = min(1.0, 1.08 * max(row["upper"] for row in rows))
    scale = alt.Scale(domain=[-PAD * top, top], nice=False, clamp=True)
    order = [row["group"] for row in rows]
    axis = alt.Axis(labelLimit=300, ticks=False, domain=False, labelPadding=8, title=None)
    y = alt.Y("group:N", sort=order, axis=axis)
    x = alt.X("rate:Q", title=title, scale=scale, axis=alt.Axis(format="%", tickCount=5))
    base = alt.Chart(values(rows)).encode(y=y)
    span = base.mark_rule(strokeWidth=2, opacity=0.55, color=MODEL)
    layers = [
        span.encode(x=alt.X("lower:Q", title=title, scale=scale), x2="upper:Q"),
        base.transform_filter("isValid(datum.beside)")
        .mark_tick(color=OTHER, thickness=2.5, size=15)
        .encode(x=alt.X("beside:Q", title=title, scale=scale)),
        base.transform_filter("datum.kind == 'other'")
        .mark_point(shape="circle", filled=True, color=MODEL, size=70, opacity=1)
        .encode(x=x),
        base.transform_filter("datum.kind == 'worse'")
        .mark_point(shape="diamond", filled=True, color=LIMIT, size=110, opacity=1)
        .encode(x=x),
        base.transform_filter("datum.kind == 'few'")
        .mark_point(shape="circle", filled=True, fill="var(--card)", stroke=MODEL, strokeWidth=2, size=70, opacity=1)
        .encode(x=x),
    ]
    if middle is not None:
        rule = alt.Chart(values([{"rate": middle}])).mark_rule(color=FAINT, strokeWidth=1.5, strokeDash=[5, 4])
        layers.insert(0, rule.encode(x=x))
    return drawn(alt.layer(*layers).properties(width=WIDE, height=ROW * len(rows)), text)


def error_text(found: Fairness) -> str:
    """The picture of errors in words."""
    if not found.worse:
        return f"For none of {len(found.groups)} groups it is shown to be wrong more often than for the others."
    first = found.worse[0]
    return (
        f"For {len(found.worse)} of {len(found.groups)} groups it is shown to be wrong more often than for the others, "
        f"most surely where {first.words}: in {first.error.rate.estimate:.1%} against {first.error.rest or 0.0:.1%}."
    )


def selection_text(found: Fairness) -> str:
    """The picture of favourable answers in words."""
    said = [
        f"By {one.column}, the lowest rate is {one.ratio.estimate:.2f} times the highest ({one.lowest}; {one.highest})."
        for one in found.selection
    ]
    return " ".join(said) or "Too few rows to compare how often groups get the favourable answer."
