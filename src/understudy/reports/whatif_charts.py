"""The pictures of a what-if: what may be decided by what is promised, and what that costs."""

from __future__ import annotations

from typing import Any

import altair as alt

from understudy.autonomy.choices import PER, Choice, Side, possible
from understudy.autonomy.whatif import WhatIf
from understudy.autonomy.whatif_words import named
from understudy.reports.charts import LIMIT, MODEL, OTHER, drawn, percent_axis, short, values

WIDE, HIGH = 900, 400
HALF, LOW = 420, 230
ABOVE = -20
PAPER = "var(--card)"
CRAMPED = 0.25
"""Left of this part of the axis there is room for one mark's words alone."""

LOWEST_WORDS, HIGHEST_WORDS = 0.18, 0.7
"""Below this share the words about a point stand above it; above this one all of them stand below."""


def widest_promise(result: WhatIf) -> float:
    """Up to which promise the pictures go."""
    asked, first, last = result.terms.max_error, result.frontier[0].max_error, result.frontier[-1].max_error
    return min(1.0, max(1.15 * asked, min(1.03 * last, max(4 * asked, 2 * result.promised, 1.5 * first))))


def promise_axis(result: WhatIf, title: str = "promised: at most this share of its answers is wrong") -> alt.X:
    """The axis that the pictures of promises share."""
    scale = alt.Scale(domain=[0, widest_promise(result)], nice=False)
    axis = alt.Axis(format="~%", grid=False, tickCount=8, labelFlush=False)
    return alt.X("r:Q", title=title, axis=axis, scale=scale)


def promise_chart(result: WhatIf, wide: int = WIDE, high: int = HIGH) -> str:
    """What may be decided, by what is promised: what is proven, the estimate, and what is not ruled out."""
    x, y = promise_axis(result), share_axis()
    base = alt.Chart(values(stairs(result))).encode(x=x)
    open_to = base.mark_area(interpolate="step-after", color=MODEL, opacity=0.13).encode(y=y, y2="possible:Q")
    solid = base.mark_area(interpolate="step-after", color=MODEL, opacity=0.34).encode(y=y)
    edge = base.mark_line(interpolate="step-after", color=MODEL, strokeWidth=2.5).encode(y=y)
    dashed = base.mark_line(interpolate="step-after", color=MODEL, strokeWidth=1.5, strokeDash=[2, 3], opacity=0.9)
    estimate = dashed.encode(y=share_axis("estimate"))
    layers = [
        open_to,
        solid,
        estimate,
        edge,
        *ceiling(result, x, y),
        *asked_mark(result, x, y),
        *now_mark(result, x, y),
    ]
    chosen = result.chosen.coverage.estimate
    promise = f"Promising that at most {result.terms.max_error:.1%} of its answers are wrong"
    sure = f"proven with {result.terms.confidence:.3g} confidence for every promise on the axis at once"
    said = f"{promise}, it may decide {chosen:.1%} of all cases by itself, {sure}."
    return drawn(alt.layer(*layers, *legend(result)).properties(width=wide, height=high), said)


def share_axis(field: str = "proven") -> alt.Y:
    """The share of all cases that is decided."""
    axis = alt.Axis(format="%", values=[0, 0.2, 0.4, 0.6, 0.8, 1], ticks=False, domain=False, labelPadding=8)
    return alt.Y(f"{field}:Q", title="of all cases decided by itself", axis=axis, scale=alt.Scale(domain=[0, 1]))


def stairs(result: WhatIf) -> list[dict[str, float]]:
    """For each promise the share of cases that is proven, estimated and possible."""
    end = widest_promise(result)
    risks = [at.risk for side in result.sides for at in side.curve]
    steps = {bound for risk in risks for bound in (risk.lower, risk.estimate, risk.upper) if bound < end}
    return [
        {
            "r": promise,
            "proven": possible(result.sides, promise, "upper"),
            "estimate": possible(result.sides, promise, "estimate"),
            "possible": possible(result.sides, promise, "lower"),
        }
        for promise in sorted(steps | {0.0, end})
    ]


def ceiling(result: WhatIf, x: alt.X, y: alt.Y) -> list[Any]:
    """The cases that people decide whatever is promised, if they are so many that one would see it."""
    able = sum(side.share for side in result.sides)
    if able > 0.985:
        return []
    end = widest_promise(result)
    rows = values([{"r": 0, "proven": able, "top": 1.0, "end": end}])
    bar = alt.Chart(rows).mark_rect(color="currentColor", opacity=0.05).encode(x=x, x2="end:Q", y=y, y2="top:Q")
    label = alt.Chart(values([{"r": end, "proven": able, "t": "always with people: strange, or outside the mandate"}]))
    text = label.mark_text(align="right", baseline="bottom", dx=-8, dy=-4, fontSize=11, opacity=0.75)
    return [bar, text.encode(x=x, y=y, text="t:N")]


def asked_mark(result: WhatIf, x: alt.X, y: alt.Y) -> list[Any]:
    """What was asked about, and what it comes to."""
    promise, proven = result.terms.max_error, result.chosen.coverage.estimate
    about = possible(result.sides, promise, "estimate")
    low, high, away = proven < LOWEST_WORDS, proven > HIGHEST_WORDS, 13 if is_left(result) else -13
    side = {"align": "left" if is_left(result) else "right", "baseline": "top", "dx": away}
    down = -62 if low else 8
    line = alt.Chart(values([{"r": promise}])).mark_rule(color=LIMIT, strokeDash=[6, 4], strokeWidth=1.5).encode(x=x)
    place = alt.Chart(values([{"r": promise, "proven": proven}]))
    top = place if high else alt.Chart(values([{"r": promise, "proven": 1.0}]))
    name = top.mark_text(**side, dy=down + 48 if high else 6, color=LIMIT, fontSize=12, fontWeight="bold")
    big = place.mark_text(**side, dy=down, fontSize=26, fontWeight="bold")
    small = place.mark_text(**side, dy=down + 29, fontSize=12)
    words = small.encode(x=x, y=y, text=alt.value(f"proven; about {100 * about:.0f} % by the estimate"))
    return [
        line,
        *dot(place, "circle", LIMIT, x, y),
        name.encode(x=x, y=y, text=alt.value(f"asked: {100 * promise:.3g} %")),
        big.encode(x=x, y=y, text=alt.value(f"{100 * proven:.0f} %")),
        *(haloed(words) if low else [words]),
    ]


def is_left(result: WhatIf) -> bool:
    """Whether what was asked about leaves room to its right."""
    return result.terms.max_error < 0.7 * widest_promise(result)


def dot(place: Any, shape: str, color: str, x: alt.X, y: alt.Y) -> list[Any]:
    """A mark with a margin around it."""
    halo, mark = (
        place.mark_point(filled=True, shape=shape, size=size, color=tone, opacity=1)
        for size, tone in ((230, PAPER), (115, color))
    )
    return [halo.encode(x=x, y=y), mark.encode(x=x, y=y)]


def haloed(text: Any) -> list[Any]:
    """A text with a margin around its letters, so that it can be read on lines."""
    under = text.copy()
    under.mark = {
        **text.mark.to_dict(),
        "stroke": PAPER,
        "strokeWidth": 4,
        "strokeOpacity": 0.7,
        "strokeJoin": "round",
    }
    return [under, text]


def now_mark(result: WhatIf, x: alt.X, y: alt.Y) -> list[Any]:
    """What is deployed: a line from the axis to the promise that it is held to."""
    now = result.now
    if now is None or not now.thresholds:
        return []
    share, end = now.coverage.estimate, min(now.max_error, widest_promise(result))
    row = alt.Chart(values([{"r": 0.0, "proven": share, "end": end}]))
    rule = row.mark_rule(color=OTHER, strokeWidth=1.8, strokeDash=[1, 3], strokeCap="round").encode(
        x=x, x2="end:Q", y=y
    )
    cramped = result.terms.max_error < CRAMPED * widest_promise(result)  # what was asked stands on the left already
    place = {"align": "right", "dx": -5} if cramped else {"align": "left", "dx": 5}
    label = alt.Chart(values([{"r": end if cramped else 0.0, "proven": share}]))
    text = label.mark_text(**place, baseline="bottom", dy=-4, color=OTHER, fontSize=12, fontWeight="bold")
    return [rule, *haloed(text.encode(x=x, y=y, text=alt.value(f"now {100 * share:.0f} %")))]


def legend(result: WhatIf) -> list[Any]:
    """What the areas mean, in a row above them."""
    sure = f"proven with {100 * result.terms.confidence:.3g} % confidence, whichever point is picked"
    found: list[Any] = []
    left = 0.0
    for text in (sure, "estimated", "not ruled out"):
        here = alt.Chart(values([{"t": text}]))
        if text == "estimated":
            swatch = here.mark_rule(color=MODEL, strokeDash=[2, 3], strokeWidth=1.5).encode(y=alt.value(ABOVE))
        else:
            swatch = here.mark_rect(color=MODEL, opacity=0.47 if text == sure else 0.13)
            swatch = swatch.encode(y=alt.value(ABOVE - 6), y2=alt.value(ABOVE + 6))
        label = here.mark_text(align="left", baseline="middle", fontSize=12)
        found += [
            swatch.encode(x=alt.value(left), x2=alt.value(left + 20)),
            label.encode(x=alt.value(left + 27), y=alt.value(ABOVE), text="t:N"),
        ]
        left += 27 + 6.3 * len(text) + 24
    return found


def cost_chart(result: WhatIf) -> str:
    """What 1,000 cases cost, by what is promised."""
    x = promise_axis(result, "promised")
    rows = [
        {"r": promise, "low": choice.cost.lower, "high": choice.cost.upper, "c": choice.cost.estimate}
        for promise, choice in along(result)
    ]
    title = f"cost of {PER:,} cases"
    base = alt.Chart(values(rows)).encode(x=x)
    y = alt.Y("c:Q", title=title, scale=alt.Scale(zero=True))
    band = base.mark_area(interpolate="step-after", color=MODEL, opacity=0.22).encode(
        y=alt.Y("low:Q", title=title), y2="high:Q"
    )
    line = base.mark_line(interpolate="step-after", color=MODEL, strokeWidth=2.5).encode(y=y)
    people = result.people.cost.estimate
    layers = [band, line, *level_mark(people, "people review each", y), asked_line(result, x)]
    said = (
        f"{PER:,} cases cost {result.chosen.cost.estimate:,.0f} at the promise asked about, {people:,.0f} without it."
    )
    return drawn(alt.layer(*layers).properties(width=HALF, height=LOW), said)


def review_chart(result: WhatIf) -> str:
    """What people review, by what is promised."""
    daily = result.terms.cases_per_day is not None
    rows = [
        {"r": promise, "c": choice.reviews_per_day if daily else choice.reviews} for promise, choice in along(result)
    ]
    title = "reviews a day" if daily else f"reviews of {PER:,} cases"
    x, y = promise_axis(result, "promised"), alt.Y("c:Q", title=title, scale=alt.Scale(zero=True))
    base = alt.Chart(values(rows)).encode(x=x)
    area = base.mark_area(interpolate="step-after", color=OTHER, opacity=0.22).encode(y=y)
    line = base.mark_line(interpolate="step-after", color=OTHER, strokeWidth=2.5).encode(y=y)
    all_of_them = result.people.reviews_per_day if daily else result.people.reviews
    layers = [area, line, *level_mark(all_of_them or 0.0, "every case", y), asked_line(result, x)]
    chosen = result.chosen.reviews_per_day if daily else result.chosen.reviews
    said = f"At the promise asked about, people review {chosen:,.0f} cases{' a day' if daily else f' of {PER:,}'}."
    return drawn(alt.layer(*layers).properties(width=HALF, height=LOW), said)


def along(result: WhatIf) -> list[tuple[float, Choice]]:
    """The choices in the picture, each from its promise on: first people alone, and the last one again at the end."""
    end = widest_promise(result)
    within = [(choice.max_error, choice) for choice in result.frontier if choice.max_error < end]
    return [(0.0, result.people), *within, *((end, choice) for _, choice in within[-1:])]


def level_mark(level: float, text: str, y: alt.Y) -> list[Any]:
    """Where it would stand without the machine."""
    row = alt.Chart(values([{"c": level, "t": text}]))
    rule = row.mark_rule(color="currentColor", opacity=0.55, strokeWidth=1.2).encode(y=y)
    label = row.mark_text(align="right", baseline="bottom", dx=-6, dy=-3, fontSize=11, opacity=0.85)
    return [rule, label.encode(x=alt.value(HALF), y=y, text="t:N")]


def asked_line(result: WhatIf, x: alt.X) -> Any:
    """The promise that was asked about."""
    row = alt.Chart(values([{"r": result.terms.max_error}]))
    return row.mark_rule(color=LIMIT, strokeDash=[6, 4], strokeWidth=1.5).encode(x=x)


def side_chart(result: WhatIf, side: Side) -> str:
    """How often one answer is wrong, by the share of its cases that it is given to; a bar for each threshold."""
    asked, picked = result.terms.max_error, result.chosen.thresholds.get(side.answer)
    top = min(1.0, max(2.6 * asked, 1.15 * max(at.risk.estimate for at in side.curve if at.risk.n)))
    rows = [
        {"c": side.covered(at), "e": at.risk.estimate, "l": at.risk.lower, "u": min(at.risk.upper, top)}
        for at in side.curve
        if at.risk.n
    ]
    x = alt.X("c:Q", **percent_axis("of its cases decided, the surest first", scale=alt.Scale(domain=[0, 1])))
    scale = alt.Scale(domain=[0, top], clamp=True)
    y = alt.Y("e:Q", **percent_axis("of these wrong", scale=scale))
    base = alt.Chart(values(rows)).encode(x=x)
    low = alt.Y("l:Q", scale=scale, title="of these wrong")
    bars = base.mark_bar(color=MODEL, opacity=0.3, size=5, cornerRadius=2.5).encode(y=low, y2="u:Q")
    line = base.mark_line(color=MODEL, strokeWidth=2.2).encode(y=y)
    limit = alt.Chart(values([{"e": asked}])).mark_rule(color=LIMIT, strokeDash=[6, 4], strokeWidth=1.5).encode(y=y)
    layers = [bars, line, limit]
    for at in (at for at in side.curve if at.threshold == picked):
        place = alt.Chart(values([{"c": side.covered(at), "e": min(at.risk.upper, top)}]))
        right = side.covered(at) < 0.4
        name = place.mark_text(
            align="left" if right else "right",
            dx=9 if right else -9,
            dy=-14,
            color=LIMIT,
            fontSize=12,
            fontWeight="bold",
        )
        words = "always" if at.threshold <= 0 else f"from {at.threshold:.3f} on"
        layers += [*dot(place, "circle", LIMIT, x, y), *haloed(name.encode(x=x, y=y, text=alt.value(words)))]
    last = side.curve[-1]
    said = (
        f"Giving {short(named(side.answer))} to {side.covered(last):.0%} of its cases, "
        f"{last.risk.estimate:.1%} are wrong, {last.risk.lower:.1%} to {last.risk.upper:.1%}."
    )
    return drawn(alt.layer(*layers).properties(width=HALF, height=LOW), said)
