"""A rehearsal as one HTML file that needs no network and runs no script."""

from __future__ import annotations

from math import isnan
from typing import Any

import altair as alt
from jinja2 import Environment
from markupsafe import Markup

from understudy.core.nouns import Level
from understudy.evaluation.rehearsal import DAY, Backtest, Point, conclusion, distance_text, folded_moves, per_hundred
from understudy.evaluation.retrospect import VERDICTS, Retrospect, Side, achievement, aside_text, headers, hundred, rows
from understudy.reports.charts import LIMIT, MODEL, OTHER, drawn, percent_axis, values
from understudy.reports.html import environment

WIDE, HIGH, LOW = 900, 190, 110


def render_timeline(result: Backtest) -> str:
    """The rehearsal as HTML; no row of the data is in it."""
    return (
        templates()
        .get_template("backtest.html.j2")
        .render(
            result=result,
            conclusion=conclusion(result),
            lines=folded_moves(result.moves),
            ladder=Markup(ladder_chart(result)),  # noqa: S704  our own drawing, its texts are escaped
            errors=Markup(error_chart(result)) if result.automated else None,  # noqa: S704
            people=Markup(people_chart(result)),  # noqa: S704
            past=None if result.retrospect is None else past_of(result.retrospect),
            far=[(side, far, distance_text(far)) for side, far in result.uncertified.items()],
        )
    )


def past_of(found: Retrospect) -> dict[str, Any]:
    """What the section on past decisions shows."""
    return {
        "found": found,
        "verdict": VERDICTS[found.level],
        "aside": aside_text(found),
        "headers": headers(found),
        "rows": rows(found),
        "chart": Markup(ways_chart(found)),  # noqa: S704  our own drawing, its texts are escaped
        "sides": [(side, side_text(side, priced=found.priced)) for side in found.sides],
    }


def side_text(side: Side, *, priced: bool) -> str:
    """What is known of one answer."""
    if side.error is None:
        return "nothing is said: it may not give this answer, or its outcome never shows"
    shown = achievement(side.error, priced=priced)
    return f"{hundred(shown.lower)} to {hundred(shown.upper)}"


def ways_chart(found: Retrospect) -> str:
    """What each way achieves, as intervals one below the other."""
    points = [
        {"w": way.name, "l": shown.lower, "u": shown.upper, "e": None if isnan(shown.estimate) else shown.estimate}
        for way, shown in ((way, achievement(way.error, priced=found.priced)) for way in found.ways)
    ]
    names = [point["w"] for point in points]
    y = alt.Y("w:N", title=None, sort=names, axis=alt.Axis(labelLimit=320))
    colour = alt.condition(alt.datum.w == names[0], alt.value(MODEL), alt.value(OTHER))
    title = headers(found)[1].replace(" of 100", "")
    x = alt.X("l:Q", **percent_axis(title, scale=alt.Scale(zero=False)))
    base = alt.Chart(values(points)).encode(y=y, color=colour)
    spans = base.mark_rule(strokeWidth=3, opacity=0.6).encode(x=x, x2="u:Q")
    known = base.transform_filter("isValid(datum.e)").mark_point(filled=True, size=90, opacity=1).encode(x="e:Q")
    texts = "; ".join(f"{row.name} {row.achieved} ({row.interval})" for row in rows(found))
    return drawn((spans + known).properties(width=WIDE - 320, height=26 * len(points)), f"{title}: {texts}.")


def templates() -> Environment:
    """The report's templates, with the filters of this page."""
    made = environment()
    made.filters |= {"per_hundred": per_hundred}
    return made


def days_since(result: Backtest, at: int) -> float:
    """Days since the first step of the rehearsal."""
    return (at - result.course[0].at) / DAY


def ladder_chart(result: Backtest) -> str:
    """Who decides over time: the level, and the share of all cases so far that the model decided."""
    end = days_since(result, result.course[-1].at)
    levels = [{"d": max(0.0, days_since(result, move.at)), "l": move.level.height} for move in result.moves]
    levels.append({"d": end, "l": result.level.height})
    x = alt.X("d:Q", title=None, scale=alt.Scale(domain=[0, max(end, 1.0)], nice=False))
    names = [level.value for level in Level]
    axis = alt.Axis(values=list(range(len(names))), labelExpr=f"{names}[datum.value]")
    y = alt.Y("l:Q", title=None, scale=alt.Scale(domain=[0, len(names) - 1]), axis=axis)
    line = alt.Chart(values(levels)).mark_line(interpolate="step-after", color=OTHER, strokeWidth=2.5)
    level = line.encode(x=x, y=y).properties(width=WIDE, height=LOW)
    rows = [{"d": days_since(result, point.at), "s": share(point)} for point in result.course]
    below = alt.Chart(values(rows)).mark_area(color=MODEL, opacity=0.35, line={"color": MODEL})
    days = alt.X("d:Q", title="days since it began", scale=alt.Scale(domain=[0, max(end, 1.0)], nice=False))
    shares = below.encode(x=days, y=alt.Y("s:Q", **percent_axis("decided by itself, so far")))
    said = f"The level ends at {result.level.value}; {result.share:.1%} of all cases were decided by the model."
    return drawn(alt.vconcat(level, shares.properties(width=WIDE, height=HIGH)), said)


def share(point: Point) -> float:
    """Of the cases so far, those that the model decided."""
    return point.automated / max(1, point.cases)


def error_chart(result: Backtest) -> str:
    """How often the model's own answers were wrong, so far and month by month, beside the promise."""
    promise = result.errors.max_error
    so_far = [
        {"d": days_since(result, point.at), "e": point.loss / point.automated}
        for point in result.course
        if point.automated >= 30  # fewer say nothing yet
    ]
    months = [
        {"d": days_since(result, month.start), "e": month.automated.error, "n": month.automated.cases}
        for month in result.months
        if month.automated.error is not None
    ]
    top = max([promise * 1.6, *(row["e"] for row in so_far), *(row["e"] for row in months if row["n"] >= 30)])
    end = max(1.0, days_since(result, result.course[-1].at))
    x = alt.X("d:Q", title="days since it began", scale=alt.Scale(domain=[0, end], nice=False))
    y = alt.Y("e:Q", **percent_axis("of its answers wrong", scale=alt.Scale(domain=[0, top * 1.05], clamp=True)))
    line = alt.Chart(values(so_far)).mark_line(color=MODEL, strokeWidth=2.5).encode(x=x, y=y)
    size = alt.Size("n:Q", legend=None, scale=alt.Scale(range=[15, 220]))
    dots = alt.Chart(values(months)).mark_point(color=MODEL, filled=True, opacity=0.55).encode(x=x, y=y, size=size)
    rule = alt.Chart(values([{"e": promise}])).mark_rule(color=LIMIT, strokeDash=[6, 4], strokeWidth=1.5).encode(y=y)
    label = alt.Chart(values([{"e": promise, "d": end, "t": f"promised: {promise:.1%}"}]))
    text = label.mark_text(align="right", dy=-7, color=LIMIT, fontSize=11).encode(x=x, y=y, text="t:N")
    said = f"In all, {per_hundred(result.errors.overall.error)} of 100 of its own answers were wrong."
    return drawn((line + dots + rule + text).properties(width=WIDE, height=HIGH), said)


def people_chart(result: Backtest) -> str:
    """What people did a day, and how many cases waited."""
    end = max(1.0, days_since(result, result.course[-1].at))
    x = alt.X("d:Q", title="days since it began", scale=alt.Scale(domain=[0, end], nice=False))
    rows = [
        {"d": days_since(result, point.at), "y": pace(before, point), "w": point.waiting}
        for before, point in zip(result.course, result.course[1:], strict=False)
    ]
    base = alt.Chart(values(rows)).encode(x=x)
    looks = base.mark_area(color=OTHER, opacity=0.3, line={"color": OTHER}).encode(
        y=alt.Y("y:Q", title="reviews a day")
    )
    queue = base.mark_line(color=MODEL, strokeWidth=2).encode(y=alt.Y("w:Q", title="cases that wait"))
    charts = alt.vconcat(looks.properties(width=WIDE, height=LOW), queue.properties(width=WIDE, height=LOW))
    said = f"People gave {result.work.reviews:,} answers; {result.work.waiting:,} cases waited in the end."
    return drawn(charts, said)


def pace(before: Point, point: Point) -> float:
    """Reviews a day between two points."""
    return (point.reviews - before.reviews) / max((point.at - before.at) / DAY, 1e-9)
