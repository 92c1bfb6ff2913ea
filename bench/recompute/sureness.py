"""Whether a version's confidence means what it says, by plain loops and statsmodels."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from scipy.stats.mstats import mquantiles
from sklearn.metrics import mean_pinball_loss

from understudy.core.evidence import Evidence
from understudy.evaluation.consistency import ConsistencyBin
from understudy.evaluation.measured import Intervals

from .ledger import Ledger
from .seen import Seen, mean_of, share_of

BINS = 15
DRAWN = 1000


def recompute(seen: Seen, ledger: Ledger) -> None:
    """All of it."""
    ledger.chapter("calibration")
    calibration(seen, ledger)
    ledger.chapter("coverage")
    coverage(seen, ledger)
    measures = seen.report.evaluation.measures
    if measures is not None:
        ledger.chapter("consistency")
        two = len(seen.labels) == 2
        predicted = seen.scores[:, 1] if two else seen.confidence
        consistency(measures.consistency, predicted, seen.y * 1.0 if two else 1 - seen.wrong, ledger)
        if measures.intervals is not None:
            ledger.chapter("intervals")
            intervals(seen, measures.intervals, ledger)
    if not seen.labels:
        ledger.chapter("residuals")
        residuals(seen, ledger)
    else:
        ledger.chapter("scores")
        histogram(seen, ledger)


def binned(values: np.ndarray, bins: int = BINS) -> list[np.ndarray]:
    """The rows of each bin, with about as many in each: cut at order statistics, equal values together.

    Where a share of the rows is a whole number its rounding decides which of two neighbours is the cut, so that shares
    are made here as the project makes them.
    """
    ordered = sorted(values.tolist())
    ranks = [math.ceil(len(ordered) * share) for share in np.linspace(0, 1, bins + 1)[1:-1]]
    edges = sorted({ordered[max(0, rank - 1)] for rank in ranks})
    rows: dict[int, list[int]] = defaultdict(list)
    for row, value in enumerate(values.tolist()):
        rows[sum(edge < value for edge in edges)].append(row)
    return [np.array(rows[place]) for place in sorted(rows)]


def calibration(seen: Seen, ledger: Ledger) -> None:
    """The reliability bins, and the debiased error (Kumar, Liang & Ma 2019)."""
    evaluation, right = seen.report.evaluation, 1 - seen.wrong
    rows = binned(seen.confidence)
    ledger.same("bins", len(evaluation.reliability), len(rows))
    squared, counted = 0.0, sum(len(inside) for inside in rows if len(inside) > 1)
    for told, inside in zip(evaluation.reliability, rows, strict=False):
        hits = int(right[inside].sum())
        ledger.same("rows of a bin", told.n, len(inside))
        ledger.same("confidence of a bin", told.confidence, math.fsum(seen.confidence[inside]) / len(inside))
        share = Evidence(estimate=told.right, lower=told.lower, upper=told.upper, confidence=0.95, n=told.n, method="")
        share_of(ledger, "right in a bin", share, hits, len(inside))
        if len(inside) > 1:
            observed = hits / len(inside)
            gap = math.fsum(seen.confidence[inside]) / len(inside) - observed
            squared += len(inside) / counted * (gap**2 - observed * (1 - observed) / (len(inside) - 1))
    ledger.same("debiased error", evaluation.calibration_error.estimate, math.sqrt(max(0.0, squared)), within=1e-7)


def coverage(seen: Seen, ledger: Ledger) -> None:
    """How often the surest cases are wrong."""
    for point in seen.report.evaluation.coverage:
        taken = [bad for sure, bad in zip(seen.confidence, seen.wrong, strict=True) if sure >= point.threshold]
        what = f"from {point.threshold:.6g} on"
        ledger.same(f"{what}: coverage", point.coverage, len(taken) / len(seen.y))
        share = Evidence(
            estimate=point.error, lower=point.lower, upper=point.upper, confidence=0.95, n=len(taken), method=""
        )
        share_of(ledger, f"{what}: error", share, round(sum(taken)), len(taken))
    last = seen.report.evaluation.coverage[-1]
    ledger.same("all cases are covered at last", last.coverage, 1.0)
    ledger.same("and wrong as often as all are", last.error, float(seen.wrong.mean()))


def poisson_binomial(probabilities: np.ndarray) -> np.ndarray:
    """How likely each number of successes is, by adding one case after another."""
    law = np.ones(1)
    for p in np.clip(probabilities, 0.0, 1.0):
        law = np.append(law, 0.0) * (1 - p) + np.append(0.0, law) * p
    return law


def consistency(told: tuple[ConsistencyBin, ...], predicted: np.ndarray, came: np.ndarray, ledger: Ledger) -> None:
    """The reliability diagram with its band: the law of each bin's share is computed exactly here."""
    rows = binned(predicted)
    ledger.same("bins", len(told), len(rows))
    for one, inside in zip(told, rows, strict=False):
        n, hits = len(inside), round(float(came[inside].sum()))
        ledger.same("rows of a bin", one.n, n)
        ledger.same("predicted in a bin", one.predicted, math.fsum(predicted[inside]) / n)
        ledger.same("observed in a bin", one.observed, hits / n)
        law = poisson_binomial(predicted[inside])
        below = np.concatenate([[0.0], np.cumsum(law)])  # below[i]: fewer than i
        low, high = round(one.lower * n), round(one.upper * n)
        # each end is a quantile of 1,000 draws: five standard errors of such a share
        ledger.near("fewer than the band's lower end", min(0.025, below[low]), below[low], 5 * math.sqrt(0.025 / DRAWN))
        ledger.near("more than its upper end", min(0.025, 1 - below[high + 1]), 1 - below[high + 1], 0.025)
        rarest = 2 * min(below[hits + 1], 1 - below[hits])
        limit = 0.05 / len(rows)
        if abs(math.log(max(rarest, 1e-300) / limit)) > 0.2:  # the project puts like probabilities together
            ledger.holds(f"outside: told {one.outside}, p {rarest:.3g}", one.outside == (rarest <= limit))


def intervals(seen: Seen, told: Intervals, ledger: Ledger) -> None:
    """The 90 % intervals of numbers."""
    assert seen.lower is not None
    assert seen.upper is not None
    y, inside = seen.y, sum(a <= b <= c for a, b, c in zip(seen.lower, seen.y, seen.upper, strict=True))
    held = seen.report.evaluation.interval_coverage
    assert held is not None
    share_of(ledger, "in the interval", held, int(inside), len(y))
    mean_of(ledger, "width", told.width, seen.upper - seen.lower, seen.groups)
    for name, at, end in (("lower", 0.05, seen.lower), ("upper", 0.95, seen.upper)):
        evidence = told.lower_pinball if name == "lower" else told.upper_pinball
        ledger.same(f"{name} pinball", evidence.estimate, float(mean_pinball_loss(y, end, alpha=at)))
        mean_of(ledger, f"{name} pinball", evidence, np.maximum(at * (y - end), (at - 1) * (y - end)), seen.groups)
        flat = np.full(len(y), mquantiles(y, [at], alphap=1, betap=1)[0])
        own = float(mean_pinball_loss(y, flat, alpha=at))
        ledger.same(f"{name} pinball of a constant", told.constant_pinball[0 if name == "lower" else 1], own)


def residuals(seen: Seen, ledger: Ledger) -> None:
    """How far off it is along its predictions."""
    predicted = seen.scores[:, 0]
    rows = binned(predicted)
    told = seen.report.evaluation.residuals
    ledger.same("bins", len(told), len(rows))
    for one, inside in zip(told, rows, strict=False):
        ledger.same("rows", one.n, len(inside))
        ledger.same("predicted", one.predicted, math.fsum(predicted[inside]) / len(inside))
        own = mquantiles(seen.y[inside] - predicted[inside], [0.05, 0.25, 0.5, 0.75, 0.95], alphap=1, betap=1)
        ledger.each("quantiles", (one.q05, one.q25, one.q50, one.q75, one.q95), own)


def histogram(seen: Seen, ledger: Ledger) -> None:
    """How many cases of each of two classes have which probability."""
    evaluation = seen.report.evaluation
    if len(seen.labels) != 2:
        ledger.holds("no histogram", not evaluation.histogram)
        return
    for label, told in enumerate(evaluation.histogram):
        counts = [0] * 20
        for score in seen.scores[seen.y == label, 1].tolist():
            place = sum(score >= edge for edge in evaluation.edges[1:-1])
            counts[place] += 1
        ledger.each(f"histogram of {seen.labels[label]}", told, counts)
