"""What stands beside the metrics: a constant's figures, each class by itself, costs, curves, and what misleads."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.core.nouns import Kind
from understudy.evaluation.by_class import ClassMeasures, by_class, weighted_averages
from understudy.evaluation.consistency import ConsistencyBin, consistency
from understudy.evaluation.curves import RankingCurves, ranking_curves
from understudy.evaluation.estimates import mean_evidence
from understudy.evaluation.intervals import independent
from understudy.evaluation.measures import measure
from understudy.evaluation.measures_answers import price_table
from understudy.evaluation.measures_numbers import pinball_losses
from understudy.evaluation.misleading import Flag, misleading
from understudy.evaluation.part import TestPart
from understudy.evaluation.thresholds import Thresholds, threshold_costs

MOST_CURVES = 6
INTERVAL = 0.9


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What answers cost per case, where mistakes have prices.

    Attributes
    ----------
    model, today : Evidence
        Of the most probable answer, and of what decides today.
    constant : float
        Of the constant answer that costs least.
    constant_answer : str
    least_expected : Evidence
        Of the answer with the least expected cost, by the model's own probabilities.
    saving : Evidence
        How much less that costs than the most probable answer, on the same rows.
    changed : float
        The share of cases that get another answer then.
    mean_price : float
        What a mistake of the most probable answer costs on average.
    """

    model: Evidence
    today: Evidence
    constant: float
    constant_answer: str
    least_expected: Evidence
    saving: Evidence
    changed: float
    mean_price: float


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """How wide the 90 % intervals of numbers are, and how well their ends are placed.

    Attributes
    ----------
    width : Evidence
        Their mean width, in the target's unit.
    lower_pinball, upper_pinball : Evidence
        The mean pinball losses of the ends as 5 % and 95 % quantiles.
    constant_pinball : tuple of float
        The same of the two quantiles of the truth itself, for all cases.
    """

    width: Evidence
    lower_pinball: Evidence
    upper_pinball: Evidence
    constant_pinball: tuple[float, float]


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the metrics.

    Attributes
    ----------
    constant : dict of float
        The metrics of the best constant: the shares of the classes and the most frequent one; the mean, and for MAE the
        median. It is chosen with these rows in hand, so the bar is a little too high.
    constant_name : str
    classes : tuple of ClassMeasures
    averages : dict of float
        Precision, recall and F1 averaged over the classes by how frequent they are.
    costs : Costs, optional
    intervals : Intervals, optional
    ranking : tuple of RankingCurves
        Of the second of two classes, or of each of a few.
    thresholds : Thresholds, optional
        For two classes.
    consistency : tuple of ConsistencyBin
        For two classes of the probability of the second, else of how sure it is.
    flags : tuple of Flag
    """

    constant: dict[str, float]
    constant_name: str
    classes: tuple[ClassMeasures, ...] = ()
    averages: dict[str, float] = {}
    costs: Costs | None = None
    intervals: Intervals | None = None
    ranking: tuple[RankingCurves, ...] = ()
    thresholds: Thresholds | None = None
    consistency: tuple[ConsistencyBin, ...] = ()
    flags: tuple[Flag, ...] = ()


def measured(part: TestPart, *, kind: Kind, metrics: Mapping[str, Evidence], seed: int) -> Measures:
    """Everything that stands beside the metrics.

    Parameters
    ----------
    part : TestPart
    kind : Kind
    metrics : mapping of Evidence
        The model's.
    seed : int
        Of every draw.
    """
    constant, name = constant_metrics(part, kind, metrics)
    flags = misleading(
        part.y,
        part.scores,
        kind=kind,
        metrics=metrics,
        labels=part.names if kind == "classification" else (),
        groups=part.groups,
    )
    if kind == "regression":
        return Measures(
            constant=constant,
            constant_name=name,
            intervals=intervals(part),
            consistency=consistency(part.confidence, part.right, seed=seed),
            flags=flags,
        )
    classes = by_class(part.y, part.scores.argmax(axis=1), part.names, groups=part.groups)
    return Measures(
        constant=constant,
        constant_name=name,
        classes=classes,
        averages=weighted_averages(classes),
        costs=costs(part),
        ranking=ranking(part, seed),
        thresholds=thresholds(part, seed),
        consistency=calibration(part, seed),
        flags=flags,
    )


def constant_metrics(part: TestPart, kind: Kind, metrics: Mapping[str, Evidence]) -> tuple[dict[str, float], str]:
    """The metrics of one and the same answer to all cases, and which one."""
    n = len(part.y)
    if kind == "classification":
        shares = np.bincount(part.y, minlength=part.scores.shape[1]) / n
        of_all = {"": np.tile(shares, (n, 1))}
        name = f"always {part.names[int(shares.argmax())]}"
    else:
        of_all = {"": np.full((n, 1), part.y.mean()), "mae": np.full((n, 1), np.median(part.y))}
        name = "the mean, or the median"
    found = {one: measure(one, part.y, of_all.get(one, of_all[""])) for one in metrics}
    return {one: value for one, value in found.items() if np.isfinite(value)}, name


def costs(part: TestPart) -> Costs | None:
    """What the answers cost; None where mistakes have no prices, or how sure that is cannot be told."""
    if not part.costs or independent(len(part.y), part.groups) < 2:
        return None
    prices = price_table(part.costs, part.names)
    now, later = part.scores.argmax(axis=1), (part.scores @ prices).argmin(axis=1)
    model, least = prices[part.y, now], prices[part.y, later]
    constants = np.bincount(part.y, minlength=len(prices)) @ prices / len(part.y)
    best = int(constants.argmin())
    return Costs(
        model=mean_evidence(model, groups=part.groups),
        today=mean_evidence(prices[part.y, part.baseline.argmax(axis=1)], groups=part.groups),
        constant=float(constants[best]),
        constant_answer=part.names[best],
        least_expected=mean_evidence(least, groups=part.groups),
        saving=mean_evidence(model - least, groups=part.groups),
        changed=float(np.mean(now != later)),
        mean_price=float(model.sum() / max(np.count_nonzero(now != part.y), 1)) or 1.0,
    )


def intervals(part: TestPart) -> Intervals | None:
    """How good the intervals of numbers are; None where there are none, or too few rows."""
    if part.lower is None or part.upper is None or independent(len(part.y), part.groups) < 2:
        return None
    low, high = (1 - INTERVAL) / 2, (1 + INTERVAL) / 2
    ends = {low: part.lower, high: part.upper}
    losses = {q: pinball_losses(part.y, end, q) for q, end in ends.items()}
    flat = [float(pinball_losses(part.y, np.full(len(part.y), np.quantile(part.y, q)), q).mean()) for q in ends]
    return Intervals(
        width=mean_evidence(part.upper - part.lower, groups=part.groups),
        lower_pinball=mean_evidence(losses[low], groups=part.groups),
        upper_pinball=mean_evidence(losses[high], groups=part.groups),
        constant_pinball=(flat[0], flat[1]),
    )


def ranking(part: TestPart, seed: int) -> tuple[RankingCurves, ...]:
    """The curves of the positive class, or of each where there are a few."""
    k = part.scores.shape[1]
    shown = [1] if k == 2 else range(k) if k <= MOST_CURVES else []
    found = [
        ranking_curves((part.y == label) * 1, part.scores[:, label], part.names[label], seed=seed, groups=part.groups)
        for label in shown
    ]
    return tuple(one for one in found if one is not None)


def thresholds(part: TestPart, seed: int) -> Thresholds | None:
    """What thresholds of the positive class cost."""
    if part.scores.shape[1] != 2:
        return None
    prices = price_table(part.costs, part.names)
    return threshold_costs(part.y, part.scores[:, 1], prices, priced=bool(part.costs), seed=seed, groups=part.groups)


def calibration(part: TestPart, seed: int) -> tuple[ConsistencyBin, ...]:
    """The probability of the positive class, or how sure it is, beside what came true."""
    if part.scores.shape[1] == 2:
        return consistency(part.scores[:, 1], part.y, seed=seed)
    return consistency(part.confidence, part.right, seed=seed)
