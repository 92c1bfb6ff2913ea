"""Promotion: cases until a better challenger is proven better, against a test that looks once."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import numpy as np
from joblib import Parallel, delayed
from scipy import stats

from bench.evidence.show import COLOURS, Part, data, percent, table
from understudy.evidence.pairs import PairPlan, fold_pairs, lead, open_pairs

PLAN = PairPlan(alpha=0.1, steps=(0.5,))
"""Each bound has half of α: a promotion is false with a chance of 5 %."""

POWER, EVERY, MOST = 0.9, 50, 100_000


@dataclass(frozen=True)
class Duel:
    """How often only the challenger is right, and only the champion.

    Attributes
    ----------
    better, worse : float
    """

    better: float
    worse: float

    @property
    def horizon(self) -> int:
        """The cases that a paired z-test needs for a power of 90 % at a size of 5 %, looked at once."""
        apart, gap = self.better + self.worse, self.better - self.worse
        size, power = stats.norm.ppf(1 - PLAN.alpha / 2), stats.norm.ppf(POWER)
        return int(np.ceil((size * np.sqrt(apart) + power * np.sqrt(apart - gap**2)) ** 2 / gap**2))


DUELS = (Duel(0.02, 0.01), Duel(0.04, 0.02), Duel(0.06, 0.05), Duel(0.06, 0.02), Duel(0.1, 0.05), Duel(0.15, 0.05))


def cases_to_promotion(duel: Duel, seed: int, most: int) -> float:
    """How many cases it took, looked at every 50; infinite if it was not promoted within `most`."""
    rng, state = np.random.default_rng(seed), open_pairs(PLAN)
    for done in range(EVERY, most + 1, EVERY):
        draw = rng.random(EVERY)
        difference = np.where(draw < duel.better, 1.0, np.where(draw < duel.better + duel.worse, -1.0, 0.0))
        state = fold_pairs(state, PLAN, difference, np.ones(EVERY))
        if lead(state, PLAN).lower >= 0:
            return done
    return np.inf


def race(duel: Duel, runs: int) -> np.ndarray:
    """Cases to promotion of many challengers."""
    return np.array([cases_to_promotion(duel, seed, MOST) for seed in range(runs)])


def false_promotions(runs: int) -> float:
    """The share of challengers that are promoted though they are as good as the champion, over 20,000 cases."""
    return float(np.mean([np.isfinite(cases_to_promotion(Duel(0.05, 0.05), seed, 20_000)) for seed in range(runs)]))


def measure(runs: int, jobs: int) -> Part:
    """Cases to a decision, by lead and disagreement."""
    found = Parallel(n_jobs=jobs)(delayed(race)(duel, 2 * runs) for duel in DUELS)
    taken = dict(zip(DUELS, found, strict=True))
    false = false_promotions(2 * runs)
    head = ["fewer errors", "disagree", "one look", "mean", "median", "9 of 10", "by the one look", "labels (median)"]
    rows = []
    for duel, cases in taken.items():
        apart = duel.better + duel.worse
        numbers = [f"{value:,.0f}" for value in (duel.horizon, cases.mean(), np.median(cases), np.quantile(cases, 0.9))]
        in_time = percent(float(np.mean(cases <= duel.horizon)))
        labels = f"{apart * np.median(cases):,.0f}"
        rows.append([percent(duel.better - duel.worse), percent(apart), *numbers, in_time, labels])
    note = (
        f"False promotions of challengers that are as good, within 20,000 cases: {percent(false, 1)} (promised: 5 %)."
    )
    return Part("promotion", {"promotion": f"{table(head, rows)}\n\n{note}"}, chart(taken))


def chart(taken: dict[Duel, np.ndarray]) -> alt.FacetChart:
    """The share that is promoted, over cases, beside the one look."""
    rows, marks = [], []
    for duel, cases in taken.items():
        name = f"{percent(duel.better - duel.worse)} fewer errors, {percent(duel.better + duel.worse)} disagree"
        marks.append({"duel": name, "cases": duel.horizon, "share": POWER})
        rows += [
            {"duel": name, "cases": float(n), "share": float(np.mean(cases <= n))}
            for n in np.geomspace(100, 20_000, 60)
        ]
    scale, axis = alt.Scale(type="log", domain=[100, 20_000]), alt.Axis(values=[100, 1000, 10_000])
    x = alt.X("cases:Q", title="cases", scale=scale, axis=axis)
    y = alt.Y("share:Q", title="promoted", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    line = alt.Chart(data(rows)).mark_line(color=COLOURS[2], strokeWidth=2).encode(x=x, y=y)
    once = (
        alt.Chart(data(marks))
        .mark_point(filled=True, size=70, opacity=1, color=COLOURS[3], shape="diamond")
        .encode(x=x, y=y)
    )
    layered = [
        alt.layer(
            line.transform_filter(alt.datum.duel == one["duel"]), once.transform_filter(alt.datum.duel == one["duel"])
        ).properties(width=210, height=130, title=alt.Title(one["duel"], fontSize=12, fontWeight="normal"))
        for one in marks
    ]
    return alt.concat(*layered, columns=3)
