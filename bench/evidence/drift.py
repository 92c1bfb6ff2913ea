"""Drift without labels: how often rules cry wolf in a year of batches, and how often they find what has changed."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import numpy as np
from joblib import Parallel, delayed

from bench.evidence.peers import Judge, Rows, evidently, nannyml, psi, understudy
from bench.evidence.show import COLOURS, Part, data, table

SIZES = (100, 500, 1000, 5000, 20_000)
WEEKS, REFERENCE = 52, 2000
NUMBERS, LEVELS = 14, (2, 3, 5, 8, 12, 20)
BATCHES = {100: (26, 6), 500: (26, 6), 1000: (26, 6), 5000: (10, 3), 20_000: (4, 3)}
"""How many batches meet each reference: unchanged ones, and ones of each change."""

SHOWN = (500, 5000)
RULES = (
    "understudy",
    "PSI > 0.1, any column",
    "Evidently, any column",
    "Evidently, any column, tests",
    "Evidently, half of the columns",
    "NannyML, any column",
    "NannyML, reconstruction",
)


@dataclass(frozen=True)
class Change:
    """What is other in a batch.

    Attributes
    ----------
    name : str
    mean : float
        By how many standard deviations the numbers rise.
    columns : int
        How many of the 14 numbers do.
    moved : float
        The share of cases that go from the most frequent to the rarest of five levels.
    """

    name: str
    mean: float = 0.0
    columns: int = 0
    moved: float = 0.0


NOTHING = Change("nothing has changed")
CHANGES = (
    Change("one mean rises by 0.2 σ", 0.2, 1),
    Change("one mean rises by 0.5 σ", 0.5, 1),
    Change("one category's shares", moved=0.15),
    Change("14 means rise by 0.2 σ", 0.2, NUMBERS),
)


def draw(rng: np.random.Generator, n: int, change: Change = NOTHING) -> Rows:
    """Rows of 14 numbers, which hang together by four things behind them, and 6 categories of 2 to 20 levels."""
    behind = np.tile(rng.standard_normal((n, 4)), 4)[:, :NUMBERS]
    numbers = 0.6 * behind + 0.8 * rng.standard_normal((n, NUMBERS))
    numbers[:, : change.columns] += change.mean
    numbers[:, NUMBERS // 2 :] = np.exp(0.5 * numbers[:, NUMBERS // 2 :])
    levels = []
    for size in LEVELS:
        share = 1 / np.arange(1, size + 1)
        share /= share.sum()
        if size == 5:
            share[[0, -1]] += np.array([-1, 1]) * change.moved
        levels.append(np.searchsorted(share.cumsum()[:-1], rng.random(n)))
    return Rows(numbers, np.column_stack(levels))


def judges(rng: np.random.Generator) -> list[Judge]:
    """All tools with one reference."""
    frozen, reference = draw(rng, REFERENCE), draw(rng, REFERENCE)
    return [understudy(frozen, reference), psi(reference), evidently(reference), nannyml(reference)]


def alarms(tools: list[Judge], batch: Rows) -> list[bool]:
    """Whether each rule raises an alarm."""
    said: dict[str, bool] = {}
    for judge in tools:
        said |= judge(batch)
    return [said[rule] for rule in RULES]


def one_reference(seed: int) -> dict[tuple[str, int], np.ndarray]:
    """The share of batches with an alarm by change and batch size, each of shape (rules,), for one reference."""
    rng = np.random.default_rng(seed)
    tools, found = judges(rng), {}
    for size in SIZES:
        for change in (NOTHING, *CHANGES):
            batches = BATCHES[size][change is not NOTHING]
            found[change.name, size] = np.mean([alarms(tools, draw(rng, size, change)) for _ in range(batches)], axis=0)
    return found


def measure(runs: int, jobs: int) -> Part:
    """False alarms a year, and the share of changed batches that are found."""
    every = Parallel(n_jobs=jobs)(delayed(one_reference)(seed) for seed in range(max(2, runs // 5)))
    found = {key: np.mean([one[key] for one in every], axis=0) for key in every[0]}
    return Part("drift", {"drift alarms": alarm_table(found), "drift power": power_table(found)}, chart(found))


def alarm_table(found: dict[tuple[str, int], np.ndarray]) -> str:
    """False alarms in a year of weekly batches."""
    head = ["rule", *(f"{size:,} cases" for size in SIZES)]
    rows = [
        [rule, *(f"{WEEKS * found[NOTHING.name, n][place]:.1f}" for n in SIZES)] for place, rule in enumerate(RULES)
    ]
    return table(head, rows)


def power_table(found: dict[tuple[str, int], np.ndarray]) -> str:
    """Alarms in batches of 500 and of 5,000 that have changed."""
    head = ["rule", *(change.name for change in CHANGES)]
    rows = [
        [rule, *(" · ".join(f"{100 * found[change.name, n][place]:.0f}" for n in SHOWN) for change in CHANGES)]
        for place, rule in enumerate(RULES)
    ]
    return table(head, rows)


def chart(found: dict[tuple[str, int], np.ndarray]) -> alt.FacetChart:
    """The share of batches with an alarm by their size, a panel for no change and for some of the changes."""
    names = [NOTHING.name, *(change.name for change in CHANGES if not change.moved)]
    rows = [
        {"change": change, "size": size, "rule": rule, "alarms": float(share)}
        for (change, size), values in found.items()
        for rule, share in zip(RULES, values, strict=True)
        if change in names
    ]
    colours = [COLOURS[2], COLOURS[0], COLOURS[3], "#e39a6b", "#8c5a3c", COLOURS[1], COLOURS[4]]
    colour = alt.Color(
        "rule:N",
        title=None,
        sort=RULES,
        scale=alt.Scale(domain=RULES, range=colours),
        legend=alt.Legend(orient="right", labelLimit=260, symbolOpacity=1),
    )
    x = alt.X(
        "size:Q",
        title="cases in a batch",
        scale=alt.Scale(type="log", domain=[80, 25_000]),
        axis=alt.Axis(values=SIZES, format="~s"),
    )
    whole = alt.Scale(domain=[-0.03, 1.03], nice=False)
    y = alt.Y("alarms:Q", title="batches with an alarm", scale=whole, axis=alt.Axis(format="%"))
    base = alt.Chart(width=250, height=160).encode(x=x, y=y, color=colour)
    points = [alt.OverlayMarkDef(size=size) for size in (28, 70)]
    theirs = base.transform_filter(alt.datum.rule != RULES[0]).mark_line(strokeWidth=1.8, point=points[0])
    ours = base.transform_filter(alt.datum.rule == RULES[0]).mark_line(strokeWidth=4, point=points[1])
    layered = alt.layer(theirs, ours, data=data(rows))
    return layered.facet(facet=alt.Facet("change:N", title=None, sort=names), columns=2)
