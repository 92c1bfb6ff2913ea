"""The gate: how much is certified after so many labels, and is it ever certified falsely?"""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import numpy as np
from joblib import Parallel, delayed
from scipy import stats

from bench.evidence.show import COLOURS, Part, data, percent, table
from bench.evidence.worlds import WORLDS, World
from understudy.evidence.gate import GatePlan, GateState, Rows, certified, fold_gate, open_gate, warm_start

LABELS = (500, 1000, 2000, 5000, 20_000)
RISKS = (0.01, 0.05, 0.10)
DELTA, HISTORY = 0.05, 2000
ELSEWHERE = ("linear", "flat", "ties")
"""The worlds that are also measured at other r than 5 %."""

WAYS = ("one look", "from nothing", "with history")
LEAST = 0.01
"""The coverage by one look from which a ratio to it says anything."""


@dataclass(frozen=True)
class Coverage:
    """Mean certified coverage in one world, shape (ways, labels), and the share of runs that ended with a bad one."""

    world: str
    max_error: float
    oracle: float
    mean: np.ndarray
    broken: np.ndarray


def rows_of(confidence: np.ndarray, loss: np.ndarray) -> Rows:
    """Cases of one side, each with its label."""
    return Rows(side=np.zeros(len(loss), dtype=np.int64), confidence=confidence, loss=loss, weight=np.ones(len(loss)))


def one_look(world: World, plan: GatePlan, confidence: np.ndarray, loss: np.ndarray) -> float:
    """What learn-then-test certifies with exact binomial p-values in a fixed sequence, and may look at only once."""
    found = 0.0
    for threshold in plan.grid[0]:
        counted = confidence >= threshold
        if stats.binom.cdf(loss[counted].sum(), counted.sum(), plan.max_error) > plan.delta:
            break
        found = world.coverage(threshold)
    return found


def over_time(world: World, plan: GatePlan, state: GateState, confidence: np.ndarray, loss: np.ndarray) -> list[float]:
    """What the gate has certified after each number of labels."""
    found, first = [], 0
    for last in LABELS:
        state = fold_gate(state, plan, rows_of(confidence[first:last], loss[first:last]))
        thresholds, first = certified(state, plan), last
        found.append(world.coverage(thresholds["a"]) if thresholds else 0.0)
    return found


def cover(world: World, max_error: float, runs: int) -> Coverage:
    """All three ways in one world, on the same cases."""
    plan = GatePlan(sides=("a",), grid=(world.grid(),), max_error=max_error, delta=DELTA)
    rng, found = np.random.default_rng(int(1000 * max_error)), []
    for _ in range(runs):
        confidence, loss = world.draw(rng, LABELS[-1], max_error)
        past = rows_of(*world.draw(rng, HISTORY, max_error))
        once = [one_look(world, plan, confidence[:n], loss[:n]) for n in LABELS]
        cold = over_time(world, plan, open_gate(plan), confidence, loss)
        warm = over_time(world, plan, warm_start(plan, past), confidence, loss)
        found.append([once, cold, warm])
    oracle, all_runs = world.oracle(), np.array(found)
    broken = (all_runs[:, :, -1] > oracle + 1e-9).mean(axis=0)
    return Coverage(world.name, max_error, oracle, all_runs.mean(axis=0), broken)


def false_certificates(history: str, max_error: float, runs: int) -> float:
    """The share of runs with any certificate where every threshold has a risk of exactly r."""
    world, better = World("limit", np.ones_like), World("past", np.zeros_like)
    plan = GatePlan(sides=("a",), grid=(world.grid(),), max_error=max_error, delta=DELTA)
    rng, broken = np.random.default_rng(7), 0
    for _ in range(runs):
        live = rows_of(*world.draw(rng, 5000, max_error))
        if history == "none":
            state = open_gate(plan)
        else:
            past = (world if history == "like today" else better).draw(rng, HISTORY, max_error)
            state = warm_start(plan, rows_of(*past))
        broken += bool(certified(fold_gate(state, plan, live), plan))
    return broken / runs


def measure(runs: int, jobs: int) -> Part:
    """The gate's power and its promise."""
    tasks = [(world, risk) for risk in RISKS for world in WORLDS if risk == 0.05 or world.name in ELSEWHERE]
    found = Parallel(n_jobs=jobs)(delayed(cover)(world, risk, runs) for world, risk in tasks)
    kinds = [(kind, risk) for risk in RISKS for kind in ("none", "like today", "unlike today")]
    false = Parallel(n_jobs=jobs)(delayed(false_certificates)(kind, risk, 3 * runs) for kind, risk in kinds)
    return Part(
        "gate",
        {
            "gate power": power_table([one for one in found if one.max_error == 0.05]),
            "gate ratios": ratio_table(found),
            "gate promise": promise_table(dict(zip(kinds, false, strict=True)), 3 * runs),
        },
        chart(found),
    )


def power_table(found: list[Coverage]) -> str:
    """Coverage with one look, from nothing, and with history."""
    head = ["risk", "oracle", *(f"{n:,} labels" for n in LABELS)]
    rows = [
        [
            one.world,
            percent(one.oracle),
            *(" · ".join(f"{100 * value:.0f}" for value in column) for column in one.mean.T),
        ]
        for one in found
    ]
    return table(head, rows)


def ratio_table(found: list[Coverage]) -> str:
    """Coverage as a share of what one look certifies."""
    head = ["risk", "r", *(f"{n:,}" for n in LABELS[2:])]
    rows = [
        [one.world, percent(one.max_error), *(ratio(*column) for column in one.mean.T[2:])]
        for one in found
        if one.mean[0, -1] > 0
    ]
    return table(head, rows)


def ratio(once: float, cold: float, warm: float) -> str:
    """Both as a share of one look; a dash where that certifies less than one case in a hundred.

    >>> ratio(0.2, 0.1, 0.19), ratio(0.004, 0.0, 0.1)
    ('0.50 · 0.95', '—')
    """
    return f"{cold / once:.2f} · {warm / once:.2f}" if once >= LEAST else "—"


def promise_table(found: dict[tuple[str, float], float], runs: int) -> str:
    """How often a threshold is certified although the risk is exactly r everywhere."""
    plan = GatePlan(sides=("a",), grid=((0.0,),), max_error=0.05, delta=DELTA)
    promised = {"none": DELTA, "like today": DELTA, "unlike today": plan.cap * DELTA}
    head = [f"history ({runs} runs)", "promised", *(f"r = {percent(risk)}" for risk in RISKS)]
    rows = [
        [kind, f"≤ {percent(limit, 1)}", *(percent(found[kind, risk], 1) for risk in RISKS)]
        for kind, limit in promised.items()
    ]
    return table(head, rows)


def chart(found: list[Coverage]) -> alt.FacetChart:
    """Certified coverage over labels, a panel for each world at r = 5 %."""
    rows = [
        {"world": one.world, "labels": n, "way": way, "coverage": float(value), "oracle": one.oracle}
        for one in found
        if one.max_error == 0.05
        for way, series in zip(WAYS, one.mean, strict=True)
        for n, value in zip(LABELS, series, strict=True)
    ]
    x = alt.X(
        "labels:Q",
        title="labels",
        scale=alt.Scale(type="log", domain=[420, 24_000]),
        axis=alt.Axis(values=LABELS, format="~s"),
    )
    whole = alt.Scale(domain=[-0.03, 1.03], nice=False)
    y = alt.Y("coverage:Q", title="certified coverage", scale=whole, axis=alt.Axis(format="%"))
    colour = alt.Color(
        "way:N", title=None, sort=WAYS, scale=alt.Scale(domain=WAYS, range=COLOURS[:3]), legend=alt.Legend(orient="top")
    )
    base = alt.Chart(width=210, height=150)
    line = base.mark_line(point=alt.OverlayMarkDef(size=36), strokeWidth=2).encode(x=x, y=y, color=colour)
    limit = base.mark_rule(strokeDash=[4, 4], color="#c1440e").encode(y="oracle:Q")
    names = [world.name for world in WORLDS]
    return alt.layer(limit, line, data=data(rows)).facet(facet=alt.Facet("world:N", title=None, sort=names), columns=3)
