"""The pictures of a diagnosis: learning, settings, rounds of boosting, and the model without its parts."""

from __future__ import annotations

from typing import Any

import altair as alt

from understudy.evaluation.ablation import Ablation, Drop
from understudy.evaluation.generalization import Generalization
from understudy.evaluation.learning_curve import LearningCurve
from understudy.evaluation.validation_curve import ValidationCurve
from understudy.reports.charts import FAINT, HEIGHT, LIMIT, MODEL, OTHER, WIDTH, drawn, short, values

ROW, WIDE = 40, 640
LONGEST = 80
ROOM = 1.12
LARGE = 10_000


def form(metric: str, top: float) -> str:
    """How an axis of losses is written.

    >>> form("error", 0.2), form("rmse", 51200.0)
    ('.1%', '~s')
    """
    return ".1%" if metric == "error" else "~s" if top >= LARGE else "~g"


def span(low: float, high: float) -> alt.Scale:
    """An axis that holds all that is drawn, with a little room."""
    room = (high - low) * (ROOM - 1) or max(abs(high), 1e-6) * (ROOM - 1)
    return alt.Scale(domain=[max(0.0, low - room), high + room], nice=False, zero=False)


def learning_chart(curve: LearningCurve) -> str:
    """Error against training rows, the law with its band, dashed where it is continued; empty without a point."""
    if not curve.points:
        return ""
    points = [{"n": one.rows, "e": one.value, "l": one.lower, "u": one.upper} for one in curve.points]
    last = curve.points[-1].rows
    band = [
        {"n": one.rows, "e": one.value, "l": one.lower, "u": one.upper, "seen": one.rows <= last} for one in curve.band
    ]
    y_scale = span(min(row["l"] for row in points + band), max(row["u"] for row in points + band))
    x_scale = alt.Scale(type="log", domain=[points[0]["n"] * 0.85, max(row["n"] for row in points + band) * 1.15])
    x = alt.X("n:Q", title="training rows", scale=x_scale, axis=alt.Axis(format="~s", tickCount=6))
    title = f"{'error' if curve.metric == 'error' else curve.title} on held-out rows"
    y = alt.Y("e:Q", title=title, scale=y_scale, axis=alt.Axis(format=form(curve.metric, points[0]["e"])))
    bounds = {"y": alt.Y("l:Q", scale=y_scale, title=title), "y2": "u:Q"}
    layers = []
    if band:
        base = alt.Chart(values(band)).encode(x=x)
        layers.append(base.mark_area(color=MODEL, opacity=0.16).encode(**bounds))
        seen = base.transform_filter("datum.seen").mark_line(color=MODEL, strokeWidth=2.5)
        layers.append(seen.encode(y=y))
        ahead = alt.Chart(values(continued(band)))
        layers.append(ahead.mark_line(color=MODEL, strokeWidth=2.5, strokeDash=[6, 5]).encode(x=x, y=y))
        layers += now_rule(curve.rows, x)
    dots = alt.Chart(values(points)).encode(x=x)
    layers.append(dots.mark_rule(color=MODEL, opacity=0.5, strokeWidth=2).encode(**bounds))
    layers.append(dots.mark_point(color=MODEL, filled=True, size=55, opacity=1).encode(y=y))
    return drawn(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT), curve.words)


def continued(band: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The law beyond what was seen, with the last place before, so that the lines meet."""
    ahead = [row for row in band if not row["seen"]]
    before = [row for row in band if row["seen"]]
    return before[-1:] + ahead


def now_rule(rows: int, x: alt.X) -> list[Any]:
    """Where the model stands."""
    base = alt.Chart(values([{"n": rows, "t": "now "}])).encode(x=x)
    return [
        base.mark_rule(color=LIMIT, strokeDash=[4, 4], strokeWidth=1.5),
        base.mark_text(align="right", dx=-3, color=LIMIT, fontSize=11).encode(y=alt.value(9), text="t:N"),
    ]


def two_lines(
    rows: list[dict[str, Any]], x: alt.X, y_title: str, axis: alt.Axis, *, dots: bool, log: bool = False
) -> list[Any]:
    """Losses on training rows, dashed, and on held-out rows, each named at its right end."""
    losses = [row[name] for row in rows for name in ("train", "held")]
    y_scale = span(min(losses), max(losses))
    if log:
        y_scale = alt.Scale(type="log", domain=[min(losses) / ROOM, max(losses) * ROOM], nice=False)
    layers: list[Any] = []
    for name, color, dash in (("train", OTHER, [6, 4]), ("held", MODEL, [1, 0])):
        y = alt.Y(f"{name}:Q", title=y_title, scale=y_scale, axis=axis)
        base = alt.Chart(values(rows)).encode(x=x, y=y)
        layers.append(base.mark_line(color=color, strokeWidth=2.5, strokeDash=dash))
        if dots:
            shape = "circle" if name == "held" else "square"
            layers.append(base.mark_point(color=color, filled=True, shape=shape, size=45, opacity=1))
    return layers


def legend() -> Any:
    """What the two lines are, above the picture."""
    marks = [{"t": "held-out rows", "at": 0}, {"t": "training rows", "at": 1}]
    base = alt.Chart(values(marks)).encode(
        x=alt.X("at:O", axis=None, scale=alt.Scale(domain=[0, 1])),
    )
    scale = alt.Scale(domain=["held-out rows", "training rows"], range=[MODEL, OTHER])
    return base.mark_text(fontSize=11, fontWeight="bold").encode(
        text="t:N", color=alt.Color("t:N", legend=None, scale=scale)
    )


def validation_chart(curve: ValidationCurve) -> str:
    """Errors by the values of a setting, the chosen one marked."""
    rows = [{"v": one.value, "train": one.train, "held": one.held} for one in curve.settings]
    low, high = min(row["v"] for row in rows), max(row["v"] for row in rows)
    if curve.logarithmic:
        scale = alt.Scale(type="log", domain=[low / 1.3, high * 1.3], nice=False)
    else:
        scale = alt.Scale(domain=[low - 0.4, high + 0.4], nice=False)
    axis = alt.Axis(values=[row["v"] for row in rows], format="~g", labelExpr="format(datum.value, '.3~r')")
    reverse = rows[0]["v"] > rows[-1]["v"]
    scale = alt.Scale(**scale.to_dict(), reverse=True) if reverse else scale
    x = alt.X("v:Q", title=f"{curve.parameter} (left simpler, right larger)", scale=scale, axis=axis)
    layers = two_lines(rows, x, "error", alt.Axis(format=".1%"), dots=True)
    layers += named_rule(curve.chosen, "v", "chosen", x)
    return drawn(keyed(layers), curve.words)


def named_rule(value: float, field: str, name: str, x: alt.X) -> list[Any]:
    """A dashed line across, with its name at the top."""
    base = alt.Chart(values([{field: value, "t": name}])).encode(x=x)
    return [
        base.mark_rule(color=LIMIT, strokeDash=[4, 4], strokeWidth=1.5),
        base.mark_text(align="left", dx=5, color=LIMIT, fontSize=11).encode(y=alt.value(9), text="t:N"),
    ]


def keyed(layers: list[Any]) -> Any:
    """A picture of two lines with its key."""
    body = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return alt.vconcat(legend().properties(width=220, height=14), body, spacing=4)


def rounds_chart(found: Generalization) -> str:
    """Losses by round of boosting."""
    rows = [{"n": one.rounds, "train": one.train, "held": one.held} for one in found.curve]
    x_scale = alt.Scale(domain=[0, rows[-1]["n"]], nice=False)
    x = alt.X("n:Q", title="rounds of boosting", scale=x_scale, axis=alt.Axis(format=",d", tickCount=6))
    layers = two_lines(rows, x, found.loss, alt.Axis(format="~g"), dots=False)
    layers += named_rule(found.kept, "n", "kept", x)
    return drawn(keyed(layers), found.words)


def ablation_chart(found: Ablation) -> str:
    """How much more often the model is wrong without each part, with bounds; empty if nothing was left out.

    Parts that are shown to be needed or harmful have a full bar, the others an outline; each says what it is.
    """
    if not found.drops:
        return ""
    rows = [drop_row(place, one) for place, one in enumerate(found.drops)]
    top = max(0.0, *(row["upper"] for row in rows), 1e-6)
    low = min(0.0, *(row["lower"] for row in rows))
    room = (top - low) * 0.04
    scale = alt.Scale(domain=[low - room, top + room], nice=False)
    title = "change of the error without it (right: it is needed)"
    x = alt.X("estimate:Q", title=title, scale=scale, axis=alt.Axis(format=".1%", tickCount=6))
    y = alt.Y("place:O", title=None, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    base = alt.Chart(values(rows)).encode(y=y)
    zero = alt.X("zero:Q", title=title, scale=scale)
    full = base.transform_filter("datum.shown").mark_bar(color=MODEL, height=10, yOffset=9, opacity=0.75)
    outline = base.transform_filter("!datum.shown").mark_bar(
        fill="transparent", stroke=OTHER, strokeWidth=1.5, strokeDash=[3, 2], height=10, yOffset=9
    )
    layers = [
        alt.Chart(values([{"zero": 0}])).mark_rule(color=FAINT).encode(x=zero),
        full.encode(x=x, x2=alt.datum(0)),
        outline.encode(x=x, x2=alt.datum(0)),
        base.mark_rule(color="currentColor", strokeWidth=1.5, yOffset=9).encode(
            x=alt.X("lower:Q", title=title, scale=scale), x2="upper:Q"
        ),
        base.mark_text(align="left", baseline="middle", dx=4, dy=-8, fontSize=12).encode(
            x=alt.value(0), text="words:N"
        ),
    ]
    return drawn(alt.layer(*layers).properties(width=WIDE, height=ROW * len(rows)), found.words)


ENDS = {"needed": "needed", "harmful": "does harm", "spare": "can be spared", "unclear": "cannot be told"}


def drop_row(place: int, one: Drop) -> dict[str, Any]:
    """One part as a row of the chart."""
    return {
        "place": place,
        "words": f"{short(one.name, LONGEST)} ({ENDS[one.worth]})",
        "estimate": one.harm.estimate,
        "lower": one.harm.lower,
        "upper": one.harm.upper,
        "shown": one.worth in ("needed", "harmful"),
    }
