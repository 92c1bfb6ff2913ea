"""Everything that is known of a version when it is registered, as aggregates: no row of the data is in it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.core.nouns import Check, Kind
from understudy.evaluation.calibration import ReliabilityBin, calibration_error, equal_bins, reliability
from understudy.evaluation.estimates import estimates, gain
from understudy.evaluation.findings import Findings
from understudy.evaluation.measured import Measures, measured
from understudy.evaluation.measures import METRICS
from understudy.evaluation.optimism import Expectation
from understudy.evaluation.part import TestPart as TestPart  # noqa: PLC0414  evaluate's own input
from understudy.evidence.fixed import clopper_pearson

COVERAGES = 40
HISTOGRAM = 20
FEWEST_COVERED = 20


class CoveragePoint(msgspec.Struct, frozen=True, kw_only=True):
    """If only the most confident share of cases were answered: how often that would be wrong."""

    coverage: float
    threshold: float
    error: float
    lower: float
    upper: float


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What decides today, or what a constant would do.

    Attributes
    ----------
    name : str
    metrics : dict of Evidence
    metric : str
        The metric in which the two are compared.
    gain : Evidence
        How much better the version is than it, paired; positive means better.
    """

    name: str
    metrics: dict[str, Evidence]
    metric: str
    gain: Evidence


class ResidualBin(msgspec.Struct, frozen=True, kw_only=True):
    """Cases of about the same prediction: the quantiles of truth − prediction, in the target's unit."""

    n: int
    predicted: float
    q05: float
    q25: float
    q50: float
    q75: float
    q95: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """How good a version is on the test part.

    Attributes
    ----------
    metrics : dict of Evidence
    baseline : Baseline
    calibration_error : Evidence
        Debiased; 0 is perfect.
    reliability : tuple of ReliabilityBin
    coverage : tuple of CoveragePoint
    confusion : tuple of tuple of int
        Rows by truth, columns by answer; empty for numbers.
    histogram : tuple of tuple of int
        For two classes how many cases of each have which probability of the positive one, in 20 bins; for numbers how
        many cases lie in which bin of prediction and truth.
    edges : tuple of float
        The histogram's edges.
    interval_coverage : Evidence, optional
        For numbers, how often the 90 % interval holds the truth.
    residuals : tuple of ResidualBin
        For numbers, how far off it is along its predictions.
    measures : Measures, optional
        What a constant would get, each class by itself, costs, curves, and which figures mislead.
    """

    metrics: dict[str, Evidence]
    baseline: Baseline
    calibration_error: Evidence
    reliability: tuple[ReliabilityBin, ...]
    coverage: tuple[CoveragePoint, ...]
    confusion: tuple[tuple[int, ...], ...]
    histogram: tuple[tuple[int, ...], ...]
    edges: tuple[float, ...]
    interval_coverage: Evidence | None
    residuals: tuple[ResidualBin, ...] = ()
    measures: Measures | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A version's report; see `Evaluation` for the figures, and `Findings` for what they come from."""

    task: str
    question: str
    target: str
    kind: Kind
    labels: tuple[str, ...]
    goal: str
    max_error: float
    confidence: float
    version: str
    recipe: str
    params: dict[str, Any]
    served: str
    reason: str
    rows: dict[str, int]
    scheme: str
    without_answer: int
    quarantined: int
    seed: int
    snapshot: str
    source: str
    evaluation: Evaluation
    checks: tuple[Check, ...]
    leaderboard: tuple[dict[str, Any], ...]
    columns: tuple[dict[str, Any], ...]
    libraries: dict[str, str]
    seconds: float
    expectation: Expectation | None = None
    findings: Findings | None = None


def evaluate(part: TestPart, *, kind: Kind, goal: str, seed: int) -> Evaluation:
    """Every figure of the report, from the test part.

    Parameters
    ----------
    part : TestPart
    kind : Kind
    goal : str
        The task's metric. Where it is not defined, or needs probabilities that the baseline does not give, the two are
        compared by accuracy (numbers: RMSE).
    seed : int
        Seed of the bootstrap.
    """
    names = [name for name, metric in METRICS.items() if metric.kind == kind]
    fallback = "accuracy" if kind == "classification" else "rmse"
    metrics = estimates(part.y, part.scores, names, seed=seed, groups=part.groups)
    fair = [name for name in metrics if METRICS[name].hard or not part.hard or kind == "regression"]
    today = estimates(part.y, part.baseline, fair, seed=seed, groups=part.groups)
    metric = goal if goal in today else fallback
    both = {"model": part.scores, "baseline": part.baseline}
    right = part.right
    return Evaluation(
        metrics=metrics,
        baseline=Baseline(
            name=part.baseline_name,
            metrics=today,
            metric=metric,
            gain=gain(part.y, both, metric, seed=seed, groups=part.groups),
        ),
        calibration_error=calibration_error(part.confidence, right, seed=seed, groups=part.groups),
        reliability=reliability(part.confidence, right),
        coverage=coverage_curve(part.confidence, right),
        confusion=confusion(part) if kind == "classification" else (),
        **histogram(part, kind),
        interval_coverage=None if part.inside is None else clopper_pearson(int(part.inside.sum()), len(part.inside)),
        residuals=residuals(part) if kind == "regression" else (),
        measures=measured(part, kind=kind, metrics=metrics, seed=seed),
    )


def coverage_curve(confidence: np.ndarray, right: np.ndarray) -> tuple[CoveragePoint, ...]:
    """The error among the most confident cases, by how many those are, each with its own exact 95 % bounds.

    Cases of one confidence are answered together. The bounds hold for each point by itself, not for a point that was
    chosen after looking: this is a picture, not a promise.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, errors = confidence[order], np.cumsum(1 - right[order])
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    ends = ends[ends + 1 >= min(FEWEST_COVERED, len(ordered))]
    chosen = np.unique(ends[np.linspace(0, len(ends) - 1, COVERAGES).round().astype(int)])
    points = []
    for end in chosen:
        wrong = clopper_pearson(round(float(errors[end])), int(end) + 1)
        points.append(
            CoveragePoint(
                coverage=(int(end) + 1) / len(ordered),
                threshold=float(ordered[end]),
                error=wrong.estimate,
                lower=wrong.lower,
                upper=wrong.upper,
            )
        )
    return tuple(points)


def confusion(part: TestPart) -> tuple[tuple[int, ...], ...]:
    """How often each truth got each answer."""
    k = part.scores.shape[1]
    cells = np.bincount(part.y * k + part.scores.argmax(axis=1), minlength=k * k).reshape(k, k)
    return tuple(tuple(row.tolist()) for row in cells)


def histogram(part: TestPart, kind: Kind) -> dict[str, Any]:
    """The counts behind the picture of the scores."""
    if kind == "classification":
        if part.scores.shape[1] != 2:
            return {"histogram": (), "edges": ()}
        edges = np.linspace(0, 1, HISTOGRAM + 1)
        rows = [np.histogram(part.scores[part.y == label, 1], bins=edges)[0] for label in (0, 1)]
    else:
        both = np.concatenate([part.y, part.scores[:, 0]])
        low, high = np.quantile(both, [0.005, 0.995])
        edges = np.linspace(low, high if high > low else low + 1, HISTOGRAM + 1)
        rows = list(np.histogram2d(np.clip(part.scores[:, 0], low, high), np.clip(part.y, low, high), bins=edges)[0])
    return {"histogram": tuple(tuple(int(n) for n in row) for row in rows), "edges": tuple(edges.tolist())}


def residuals(part: TestPart) -> tuple[ResidualBin, ...]:
    """The quantiles of truth − prediction in bins of about equally many cases, by prediction."""
    predicted = part.scores[:, 0]
    off = part.y - predicted
    bins = equal_bins(predicted)
    made = []
    for index in np.unique(bins):
        inside = bins == index
        q05, q25, q50, q75, q95 = np.quantile(off[inside], [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
        middle = float(predicted[inside].mean())
        made.append(ResidualBin(n=int(inside.sum()), predicted=middle, q05=q05, q25=q25, q50=q50, q75=q75, q95=q95))
    return tuple(made)
