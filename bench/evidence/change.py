"""Detectors of change: the delay of each where all cry wolf equally seldom.

Each detector is a number that rises, so that its threshold can be set for the same mean run to a false alarm. ADWIN,
DDM and Page–Hinkley are minimal versions of our own, for streams of 0 and 1 until their first alarm, after the papers
and the defaults of river: Bifet & Gavaldà 2007 (cuts at window lengths that grow by a quarter, every 32 cases), Gama et
al. 2004, and Page 1954 with a forgetting sum.
"""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import numpy as np
from joblib import Parallel, delayed

from bench.evidence.show import COLOURS, Part, data, table
from understudy.evidence.change import DetectorPlan

R, RUN = 0.05, 10_000
"""The risk before the change, which is also the promised one; and the mean run to a false alarm, in looks."""

AFTER = (0.06, 0.075, 0.10, 0.20)
CHANGE, LONGEST = 2000, 30_000


def e_sr(losses: np.ndarray) -> np.ndarray:
    """The log of the e-detector, as `evidence.change` folds it."""
    plan = DetectorPlan(max_error=R, mean_run=RUN)
    bets = np.array(plan.bets)
    wealth, path = np.zeros((len(losses), len(bets))), np.empty(losses.shape, dtype=np.float32)
    gains = np.array([1 - bets, 1 + bets * (1 - R) / R])
    for step, column in enumerate(losses.T.astype(np.int64)):
        wealth = np.minimum((wealth + 1) * gains[column], 1e30)
        path[:, step] = np.log(wealth @ np.array(plan.shares))
    return path


def page_hinkley(losses: np.ndarray) -> np.ndarray:
    """The sum of what exceeds the mean by more than 0.005, forgetting by 0.9999, from the 30th case on."""
    total, mean, lowest = np.zeros((3, len(losses)))
    path = np.empty(losses.shape, dtype=np.float32)
    for step, column in enumerate(losses.T, 1):
        mean += (column - mean) / step
        total = 0.9999 * total + column - mean - 0.005
        lowest = np.minimum(lowest, total)
        path[:, step - 1] = total - lowest if step >= 30 else 0
    return path


def ddm(losses: np.ndarray) -> np.ndarray:
    """How many smallest deviations the error rate and its deviation lie above their lowest sum, from case 30 on."""
    cases = np.arange(1, losses.shape[1] + 1)
    rate = losses.cumsum(axis=1) / cases
    spread = np.sqrt(rate * (1 - rate) / cases)
    path = np.zeros(losses.shape, dtype=np.float32)
    lowest, low_rate, low_spread = np.full(len(losses), np.inf), np.zeros(len(losses)), np.ones(len(losses))
    for step in range(29, losses.shape[1]):
        now, known = rate[:, step] + spread[:, step], rate[:, step] > 0
        lower = known & (now <= lowest)
        lowest = np.where(lower, now, lowest)
        low_rate, low_spread = np.where(lower, rate[:, step], low_rate), np.where(lower, spread[:, step], low_spread)
        path[:, step] = np.where(known, (now - low_rate) / low_spread, 0)
    return path


def adwin(losses: np.ndarray) -> np.ndarray:
    """The log of 2/δ at which some cut of the window would be made."""
    n = losses.shape[1]
    sums = np.concatenate([np.zeros((len(losses), 1)), losses.cumsum(axis=1)], axis=1)
    path = np.full(losses.shape, -np.inf, dtype=np.float32)
    at = np.arange(32, n + 1, 32)
    mean = sums[:, at] / at
    lengths = np.unique((5 * 1.25 ** np.arange(60)).astype(int))
    for length in lengths[lengths < n - 5]:
        whole = at[at >= length + 5]
        late = (sums[:, whole] - sums[:, whole - length]) / length
        early = sums[:, whole - length] / (whole - length)
        weight = 1 / (1 / length + 1 / (whole - length))
        average = mean[:, -len(whole) :]
        linear, root = 2 / (3 * weight), np.sqrt(2 * average * (1 - average) / weight)
        solved = (np.sqrt(root**2 + 4 * linear * np.abs(late - early)) - root) / (2 * linear)
        path[:, whole - 1] = np.maximum(path[:, whole - 1], solved**2 - np.log(np.log(whole)))
    return path


DETECTORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "e-detector": e_sr,
    "Page–Hinkley": page_hinkley,
    "DDM": ddm,
    "ADWIN": adwin,
}


def first_alarms(path: np.ndarray, threshold: float) -> np.ndarray:
    """The look of the first alarm; the length of the path where there was none."""
    over = path >= threshold
    found: np.ndarray = np.where(over.any(axis=1), over.argmax(axis=1) + 1, path.shape[1])
    return found


def threshold_for(path: np.ndarray, mean_run: float) -> float:
    """The threshold at which the mean run is as long as asked for."""
    peaks = np.sort(path.max(axis=1))
    low, high = float(np.quantile(path[np.isfinite(path)], 0.5)), float(peaks[-1])
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if first_alarms(path, middle).mean() < mean_run else (low, middle)
    return high


def stream(rng: np.random.Generator, runs: int, before: float, after: float, n: int) -> np.ndarray:
    """Errors at a risk that changes after so many looks."""
    risk = np.where(np.arange(n) < CHANGE, before, after)
    errors: np.ndarray = (rng.random((runs, n)) < risk).astype(np.float32)
    return errors


def measure_one(name: str, runs: int) -> list[float]:
    """Threshold, mean run, mean delays, and the share of alarms where the risk rises but stays below the promise."""
    rng, detect = np.random.default_rng(9), DETECTORS[name.removesuffix(", as guaranteed")]
    quiet = detect(stream(rng, runs, R, R, 6 * RUN))
    threshold = np.log(RUN) if name.endswith("guaranteed") else threshold_for(quiet, RUN)
    found = [float(first_alarms(quiet, threshold).mean())]
    for after in AFTER:
        alarms = first_alarms(detect(stream(rng, runs, R, after, LONGEST)), threshold)
        found.append(float((alarms[alarms > CHANGE] - CHANGE).mean()))
    alarms = first_alarms(detect(stream(rng, runs, 0.4 * R, 0.9 * R, RUN)), threshold)
    return [*found, float((alarms < RUN).mean())]


def measure(runs: int, jobs: int) -> Part:
    """The delay of each detector at equal mean runs."""
    names = ["e-detector, as guaranteed", *DETECTORS]
    found = dict(zip(names, Parallel(n_jobs=jobs)(delayed(measure_one)(name, 2 * runs) for name in names), strict=True))
    head = ["detector", "mean run", *(f"to {after:g}" for after in AFTER), "0.4 r to 0.9 r"]
    rows = [
        [name, *(f"{value:,.0f}" for value in values[:-1]), f"{100 * values[-1]:.0f} %"]
        for name, values in found.items()
    ]
    floor = ["an alarm every 10,000 looks", f"{RUN:,}", *[f"{RUN / 2:,.0f}"] * len(AFTER), "100 %"]
    return Part("change", {"detectors": table(head, [*rows, floor])}, chart(found))


def chart(found: dict[str, list[float]]) -> alt.LayerChart:
    """Mean delay by the risk after the change."""
    names = [*found, "an alarm every 10,000 looks"]
    rows = [
        {"detector": name, "risk": after / R, "delay": delay}
        for name, values in found.items()
        for after, delay in zip(AFTER, values[1:-1], strict=True)
    ]
    rows += [{"detector": names[-1], "risk": after / R, "delay": RUN / 2} for after in AFTER]
    colour = alt.Color(
        "detector:N",
        title=None,
        sort=names,
        scale=alt.Scale(domain=names, range=["#7fc4bf", COLOURS[2], COLOURS[1], COLOURS[4], COLOURS[3], COLOURS[0]]),
        legend=alt.Legend(symbolOpacity=1),
    )
    x = alt.X(
        "risk:Q",
        title="risk after the change, in r",
        scale=alt.Scale(type="log", domain=[1.15, 4.2]),
        axis=alt.Axis(values=[1.2, 1.5, 2, 4]),
    )
    scale, axis = alt.Scale(type="log", domain=[30, 15_000]), alt.Axis(values=[30, 100, 300, 1000, 3000, 10_000])
    y = alt.Y("delay:Q", title="looks until the alarm", scale=scale, axis=axis)
    base = alt.Chart(data(rows), width=420, height=260).encode(x=x, y=y, color=colour)
    return alt.layer(base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=45, opacity=1))
