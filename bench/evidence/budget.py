"""The error budget: honest models stopped by chance, and the errors that are made before a step down."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import numpy as np
from joblib import Parallel, delayed

from bench.evidence.show import COLOURS, Part, data, percent, table
from understudy.evidence.budget import LOOKS_TO_STOP, BudgetPlan, BudgetState, charges, fold_budget, spent
from understudy.evidence.change import DetectorPlan, alarmed, fold_detector, open_detector

R, DELTA, TOLERATED = 0.05, 0.02, 0.1
PER_DAY, YEAR = 10_000, 365
GOOD_DAYS, LAST_DAY, BATCH = 30, 150, 1000
RATES = (0.01, 0.02, 0.05)
FASTER, SUSPECT = 0.1, 8.0
"""The audit rate once the account has used as many looks' worth of its room, and until it has come back by half."""

FEWEST = 30
"""Fewer errors are drawn as if they were as many."""


def stopped_years(looks: float, ratio: float, runs: int) -> tuple[float, float, float, float]:
    """A year at a constant risk: how often it is stopped, after what part of it, with what excess, and too late.

    Audits at 2 %, by steps of 50 cases. The excess is that of all errors over r per case, as a share of the limit; too
    late is where that of any stretch went beyond the limit.
    """
    plan = BudgetPlan(max_error=R, delta=DELTA, pi_min=0.02, limit=looks / 0.02)
    charge = float(charges(plan, np.ones(1), np.full(1, plan.pi_min))[0]) / plan.theta
    rng, steps, cases = np.random.default_rng(int(100 * ratio)), int(looks / (TOLERATED * R)), 50
    climb, real, worst, total = np.zeros(runs), np.zeros(runs), np.zeros(runs), np.zeros(runs)
    stop = np.full(runs, np.inf)
    for step in range(steps):
        seen = rng.binomial(cases, plan.pi_min * ratio * R, runs)
        unseen = rng.binomial(cases - seen, ratio * R * (1 - plan.pi_min))
        on = np.isinf(stop)
        climb = np.maximum(0, climb + charge * seen - cases * R)
        real = np.maximum(0, real + seen + unseen - cases * R)
        worst, total = (
            np.where(on, np.maximum(worst, real), worst),
            np.where(on, total + seen + unseen - cases * R, total),
        )
        stop[on & (climb + plan.entry > plan.limit)] = step / steps
    ended = np.isfinite(stop)
    when = float(np.median(stop[ended])) if ended.any() else np.nan
    return float(ended.mean()), when, float(total.mean() / plan.limit), float((worst > plan.limit).mean())


@dataclass(frozen=True)
class Fall:
    """What happens to the risk of a model that was at 0.7 r for 30 days.

    Attributes
    ----------
    name : str
    end : float
        The risk that it comes to, in r.
    days : float
        How long it takes.
    """

    name: str
    end: float
    days: float

    def risk(self, day: float) -> float:
        """The risk on a day since it began."""
        return R * (0.7 + (self.end - 0.7) * (min(1.0, day / self.days) if self.days else 1.0))


FALLS = (
    Fall("jumps to 2 r", 2.0, 0),
    Fall("jumps to 1.5 r", 1.5, 0),
    Fall("creeps from 0.7 r to 2 r in 90 days", 2.0, 90),
)


@dataclass(frozen=True)
class Ends:
    """Days from the moment at which the risk passed r, and errors beyond r per case since then, shape (runs, 2).

    Attributes
    ----------
    detector, budget : ndarray
        Until each of them alone steps down.
    audits : float
        Looks a day while all is well, on average.
    """

    detector: np.ndarray
    budget: np.ndarray
    audits: float


def fall(kind: Fall, rate: float, faster: float, seed: int) -> tuple[list[float], list[float], float] | None:
    """One model's fall: when detector and budget step down, and the looks a day before it; None if it came too soon."""
    rng = np.random.default_rng(seed)
    plan = BudgetPlan(max_error=R, delta=DELTA, pi_min=rate, limit=LOOKS_TO_STOP / rate)
    watch = DetectorPlan(max_error=R, mean_run=PER_DAY * YEAR * rate)
    account, detector = BudgetState(), open_detector(watch)
    excess, since, ends, pi, looks = 0.0, 0.0, [[np.nan] * 2, [np.nan] * 2], rate, 0
    for batch in range(-GOOD_DAYS * PER_DAY // BATCH, LAST_DAY * PER_DAY // BATCH):
        day = batch * BATCH / PER_DAY
        risk = kind.risk(day) if day >= 0 else 0.7 * R
        wrong = (rng.random(BATCH) < risk).astype(np.float64)
        loss = np.where(rng.random(BATCH) < pi, wrong, np.nan)
        looks += int((~np.isnan(loss)).sum()) if day < 0 else 0
        account = fold_budget(account, plan, loss, np.full(BATCH, pi))
        detector = fold_detector(detector, watch, loss, np.ones(BATCH))
        if faster > rate:
            used = (account.walk - account.lowest) * rate
            pi = faster if used > (SUSPECT if pi == rate else SUSPECT / 2) else rate
        if risk > R:
            excess, since = excess + wrong.sum() - R * BATCH, since + BATCH / PER_DAY
        for end, over in zip(ends, (alarmed(detector), spent(account, plan).over), strict=True):
            if over and day < 0:
                return None
            if over and np.isnan(end[0]):
                end[:] = [since, excess]
        if not np.isnan(np.array(ends)).any():
            break
    return ends[0], ends[1], looks / GOOD_DAYS


def falls(kind: Fall, rate: float, faster: float, runs: int) -> Ends:
    """Many models' falls; those that were stopped before it by chance are left out."""
    found = [one for seed in range(runs) if (one := fall(kind, rate, faster, seed)) is not None]
    detector, budget = np.array([one[0] for one in found]), np.array([one[1] for one in found])
    return Ends(detector, budget, float(np.mean([one[2] for one in found])))


def measure(runs: int, jobs: int) -> Part:
    """The room that the budget needs, and what a step down costs."""
    ratios = (0.7, 0.8, 0.9, 1.2, 1.5, 2.0)
    rooms = (33.0, 40.0, 50.0, 66.0)
    years = Parallel(n_jobs=jobs)(delayed(stopped_years)(looks, ratio, 5 * runs) for looks in rooms for ratio in ratios)
    by_room = {looks: years[i * len(ratios) : (i + 1) * len(ratios)] for i, looks in enumerate(rooms)}
    speeds = [(rate, rate) for rate in RATES] + [(0.02, FASTER)]
    tasks = [(kind, rate, faster) for kind in FALLS for rate, faster in speeds]
    found = Parallel(n_jobs=jobs)(delayed(falls)(*task, runs) for task in tasks)
    ends = dict(zip([(kind.name, rate, faster) for kind, rate, faster in tasks], found, strict=True))
    tables = {"budget years": year_table(by_room), "step down": fall_table(ends)}
    return Part("budget", tables, chart(ends))


def year_table(by_room: dict[float, list[tuple[float, float, float, float]]]) -> str:
    """A year by the looks that the limit is worth."""
    head = ["limit", "0.7 r", "0.8 r", "0.9 r", "1.2 r", "1.5 r", "2 r", "beyond the limit"]
    rows = []
    for looks, years in by_room.items():
        honest = [percent(year[0]) for year in years[:3]]
        bad = [f"{YEAR * year[1]:.0f} days, {year[2]:.2f}" for year in years[3:]]
        rows.append([f"{looks:.0f}/π", *honest, *bad, percent(max(year[3] for year in years), 1)])
    return table(head, rows)


def speed(rate: float, faster: float) -> str:
    """An audit rate in words."""
    return percent(rate) if rate == faster else f"{percent(rate)} → {percent(faster)}"


def first(ends: Ends) -> np.ndarray:
    """Until the first of both."""
    return np.where(ends.detector[:, :1] <= ends.budget[:, :1], ends.detector, ends.budget)


def told(ends: np.ndarray) -> str:
    """Mean errors and median days."""
    return f"{ends[:, 1].mean():,.0f} in {np.median(ends[:, 0]):.1f}"


def fall_table(found: dict[tuple[str, float, float], Ends]) -> str:
    """Errors beyond r per case, and days, before the step down."""
    head = ["risk", "audited", "looks a day", "detector", "budget", "the first of both"]
    rows = [
        [name, speed(rate, faster), f"{ends.audits:.0f}", told(ends.detector), told(ends.budget), told(first(ends))]
        for (name, rate, faster), ends in found.items()
    ]
    return table(head, rows)


def chart(found: dict[tuple[str, float, float], Ends]) -> alt.FacetChart:
    """Errors before the step down by audit rate, a panel for each way to fall."""
    rows = []
    for (name, rate, faster), ends in found.items():
        for by, series in (("detector", ends.detector), ("budget", ends.budget)):
            low, middle, high = np.maximum(np.quantile(series[:, 1], [0.1, 0.5, 0.9]), FEWEST)
            drawn = {"low": low, "middle": middle, "high": high}
            rows.append({"fall": name, "rate": speed(rate, faster), "by": by} | drawn)
    order = [speed(rate, rate) for rate in RATES] + [speed(0.02, FASTER)]
    colour = alt.Color(
        "by:N",
        title="steps down by",
        sort=["detector", "budget"],
        scale=alt.Scale(domain=["detector", "budget"], range=[COLOURS[1], COLOURS[2]]),
        legend=alt.Legend(orient="top", titleFontWeight="normal", symbolOpacity=1),
    )
    base = alt.Chart(width=230, height=190).encode(
        x=alt.X("rate:N", sort=order, title="audited", axis=alt.Axis(labelAngle=0)), xOffset=alt.XOffset("by:N")
    )
    words = f"datum.value == {FEWEST} ? '{FEWEST} or fewer' : format(datum.value, ',')"
    axis = alt.Axis(values=[FEWEST, 100, 300, 1000, 3000], labelExpr=words)
    scale = alt.Scale(type="log", domain=[25, 6000], nice=False)
    y = alt.Y("low:Q", title="errors beyond r per case", scale=scale, axis=axis)
    whole = base.mark_rule(strokeWidth=6, opacity=0.35).encode(y=y, y2="high:Q", color=colour)
    middle = base.mark_point(filled=True, size=60, opacity=1).encode(y="middle:Q", color=colour)
    names = [kind.name for kind in FALLS]
    return alt.layer(whole, middle, data=data(rows)).facet(facet=alt.Facet("fall:N", title=None, sort=names), columns=3)
