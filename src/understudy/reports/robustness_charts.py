"""The pictures of shaken inputs: how many answers change, and how that depends on how sure they were."""

from __future__ import annotations

from typing import Any

import altair as alt

from understudy.core.evidence import Evidence
from understudy.evaluation.robustness_found import Robustness, Shaken
from understudy.reports.charts import LIMIT, MODEL, drawn, short, values

WIDE, ROW = 560, 24
NARROW = 390
LONGEST = 46
MOST = 14
PAD = 0.03


def shaken_chart(found: Robustness) -> str:
    """How much more often it is wrong under each way of shaking, the worst first; empty where none left an answer."""
    rows = [chart_row(one, one.harm) for one in most_harmful(found) if one.harm is not None]
    if not rows:
        return ""
    low, high = min(row["lower"] for row in rows), max(row["upper"] for row in rows)
    room = PAD * (high - low)
    scale = alt.Scale(domain=[low - room, high + room], nice=False)
    title = "wrong more often than unshaken, of all answered"
    axis = alt.Axis(labelLimit=330, ticks=False, domain=False, labelPadding=8, title=None)
    y = alt.Y("way:N", sort=[row["way"] for row in rows], axis=axis)
    x = alt.X("harm:Q", title=title, scale=scale, axis=alt.Axis(format="+.1%", tickCount=5))
    base = alt.Chart(values(rows)).encode(y=y)
    layers = [
        alt.Chart(values([{"harm": 0}])).mark_rule(color="currentColor", opacity=0.5).encode(x=x),
        base.mark_rule(strokeWidth=2, opacity=0.55, color=MODEL).encode(
            x=alt.X("lower:Q", title=title, scale=scale), x2="upper:Q"
        ),
        base.transform_filter("!datum.shown")
        .mark_point(shape="circle", filled=True, color=MODEL, size=65, opacity=1)
        .encode(x=x),
        base.transform_filter("datum.shown")
        .mark_point(shape="diamond", filled=True, color=LIMIT, size=100, opacity=1)
        .encode(x=x),
    ]
    return drawn(alt.layer(*layers).properties(width=WIDE, height=ROW * len(rows)), shaken_text(found))


def chart_row(one: Shaken, harm: Evidence) -> dict[str, Any]:
    """One way of shaking as a row of the chart."""
    bounds = {"harm": harm.estimate, "lower": harm.lower, "upper": harm.upper}
    return {"way": short(one.words, LONGEST), "shown": harm.lower > 0, **bounds}


def most_harmful(found: Robustness) -> list[Shaken]:
    """The ways of shaking that left answers, the most harmful first."""
    able = [one for one in found.shaken if one.harm is not None]
    return sorted(able, key=lambda one: (-(one.harm.estimate if one.harm else 0.0), one.words))[:MOST]


def shaken_text(found: Robustness) -> str:
    """The picture of shaking in words."""
    worst = most_harmful(found)
    if not worst or worst[0].error is None:
        return "No way of shaking left an answer."
    first = worst[0]
    return (
        f"Unshaken, {found.error.estimate:.1%} are wrong; at worst, when {first.words}, "
        f"{first.error.estimate if first.error else 0.0:.1%}."
    )


def boundary_chart(found: Robustness) -> str:
    """How many answers change under tiny noise, by how sure they were; empty where there are no numbers."""
    if not found.bands:
        return ""
    rows: list[dict[str, Any]] = [
        {
            "band": f"{'under' if not band.low else f'{band.low:.0%} to'} {band.high:.0%}",
            "rate": band.changed.estimate,
            "lower": band.changed.lower,
            "upper": band.changed.upper,
            "n": f"n {band.n:,}",
        }
        for band in found.bands
    ]
    top = min(1.0, 1.15 * max(band.changed.upper for band in found.bands))
    scale = alt.Scale(domain=[0, top], nice=False)
    order = [row["band"] for row in rows]
    x = alt.X("band:N", sort=order, title="how sure it was", axis=alt.Axis(labelAngle=0, ticks=False))
    y = alt.Y("rate:Q", title="answers that change", scale=scale, axis=alt.Axis(format="%", tickCount=5))
    base = alt.Chart(values(rows)).encode(x=x)
    layers = [
        base.mark_bar(color=MODEL, opacity=0.35, width=34).encode(y=y),
        base.mark_rule(color=MODEL, strokeWidth=2).encode(
            y=alt.Y("lower:Q", title="answers that change", scale=scale), y2="upper:Q"
        ),
        base.mark_text(dy=-8, fontSize=11).encode(
            y=alt.Y("upper:Q", title="answers that change", scale=scale), text="n:N"
        ),
    ]
    return drawn(alt.layer(*layers).properties(width=NARROW, height=230), boundary_text(found))


def boundary_text(found: Robustness) -> str:
    """The picture of tiny noise in words."""
    if not found.bands:
        return "It takes no numbers that could be noisy."
    surest = found.bands[-1]
    return (
        f"Of the {surest.n:,} answers that it is surest of, {surest.changed.estimate:.1%} change under noise of "
        f"{found.tiny:.0%} of each number's spread."
    )
