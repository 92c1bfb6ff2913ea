"""The chapter on slices: for whom the model is more often wrong than elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping

from scipy import stats

from understudy.evaluation.slices import Slice, Slices
from understudy.reports.chapter import Cell, Chapter, Column, Figure, Part, Table, Text
from understudy.reports.slice_charts import said, slice_chart

TENTH = 0.1
POWER = 0.8
ROUNDS = 20


def slices_chapter(slices: Slices, *, learned: Mapping[str, int] | None = None) -> Chapter:
    """The slices that were tested, with what is known of each.

    Parameters
    ----------
    slices : Slices
        Searched by wrong decisions: losses are 0 and 1.
    learned : mapping of str to int, optional
        By a slice's condition, in how many training rows it holds.
    """
    parts: list[Part] = [Text(text=told(slices))]
    if slices.found:
        parts += [
            Figure(
                title="What each slice would give back",
                caption=(
                    "Wrong decisions of all cases that would be avoided if the slice were like the rest. "
                    f"The bounds hold for all of them together with {1 - slices.alpha:.0%} confidence."
                ),
                svg=slice_chart(slices, "share"),
                text=said(slices, "wrong decisions"),
                wide=True,
            ),
            slice_table(slices, learned or {}),
        ]
    parts.append(Text(text=rests_on(slices), soft=True))
    return Chapter(anchor="slices", title="Where it is wrong", lede=lede(slices), parts=tuple(parts))


def lede(slices: Slices) -> str:
    """The finding."""
    worse = slices.significant
    if not worse:
        return (
            f"No slice of the cases is shown to be worse than the rest: the {slices.loss:.1%} wrong decisions are not "
            "gathered anywhere that the columns can tell."
        )
    first = worse[0]
    others = {1: "", 2: " One more slice is worse, too."}.get(
        len(worse), f" {len(worse) - 1} more slices are worse, too."
    )
    return (
        f"It is most worth while to look where {first.words}: {first.loss:.1%} wrong there against {first.rest:.1%} "
        f"elsewhere, in {first.share:.1%} of the cases.{others}"
    )


def told(slices: Slices) -> str:
    """What the search says besides."""
    if slices.significant:
        together = sum(one.recoverable.estimate for one in slices.significant)
        return (
            f"If the slices that are worse were like the rest, {together:.2%} of all cases fewer would be decided "
            f"wrongly, out of {slices.loss:.2%}."
        )
    least = noticeable(slices)
    if not math.isfinite(least):
        return "There are too few rows, or too few wrong decisions, to tell any slice from the rest."
    return (
        "That none is shown does not prove that none is there. A slice of a tenth of the cases would probably have "
        f"been shown if {100 * least:.1f} more of 100 were wrong in it than elsewhere; a smaller difference, or a "
        "smaller slice, may have gone unnoticed."
    )


def noticeable(slices: Slices) -> float:
    """The excess of a slice of a tenth of the cases that four of five tests would show, roughly; inf if none would."""
    inside, outside = TENTH * slices.tested, (1 - TENTH) * slices.tested
    rest = slices.loss
    if inside < 2 or not 0 < rest < 1:
        return math.inf
    reach = float(stats.norm.isf(slices.alpha / (2 * max(1, len(slices.found)))) + stats.norm.ppf(POWER))
    excess = 0.0
    for _ in range(ROUNDS):  # a higher error rate varies more, which asks for a higher one
        worse = min(rest + excess, 1.0)
        excess = reach * math.sqrt(max(worse * (1 - worse), rest * (1 - rest)) / inside + rest * (1 - rest) / outside)
    return excess if rest + excess < 1 else math.inf


def slice_table(slices: Slices, learned: Mapping[str, int]) -> Table:
    """Every slice that was tested."""
    columns = [
        Column(title="Slice"),
        Column(title="Of the cases", form="percent"),
        Column(title="Wrong there", form="percent"),
        Column(title="Wrong elsewhere", form="percent"),
        Column(title="To be won of all cases", form="percent"),
        Column(title="Shown"),
    ]
    if learned:
        columns.append(Column(title="Rows learned from", form="count"))
    columns.append(Column(title="As a condition", form="code"))
    return Table(
        caption=f"The {len(slices.found)} slices that were tested, those that are worse first",
        columns=tuple(columns),
        rows=tuple(table_row(one, learned) for one in slices.found),
    )


def table_row(one: Slice, learned: Mapping[str, int]) -> tuple[Cell, ...]:
    """One slice."""
    shown = "worse" if one.significant else "not shown"
    counts = (learned.get(one.condition),) if learned else ()
    return (
        one.words,
        one.share,
        one.loss,
        one.rest,
        one.recoverable,
        f"{shown} (p {p_words(one.adjusted)})",
        *counts,
        one.condition,
    )


def p_words(p: float) -> str:
    """A p-value.

    >>> p_words(0.0412), p_words(1e-9)
    ('0.041', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def rests_on(slices: Slices) -> str:
    """How it was found."""
    promise = (
        f"The chance that any of them is called worse and is not is at most {slices.alpha:.0%}."
        if slices.control == "holm"
        else f"Of those called worse, on average at most {slices.alpha:.0%} are not."
    )
    unknown = f" {slices.unknown:,} rows without a known answer were left out." if slices.unknown else ""
    return (
        f"{slices.compared:,} slices of one and two conditions were compared on {slices.searched:,} rows; those that "
        f"lose most were tested on {slices.tested:,} others, which had no part in finding them. {promise}{unknown}"
    )
