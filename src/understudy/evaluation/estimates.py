"""Metrics with the interval that suits them: exact for shares, from each row's pull where rows are many, else drawn.

- Shares of independent rows, that is accuracy and, for two classes, precision, recall and F1: Clopper & Pearson
  (1934). Precision and recall are shares of the cases that are answered so, and that are so. F1 is 2J/(1 + J), where
  J is the share of found ones among all cases that are so or are answered so; its bounds are those of J.
- Beyond `MANY` rows: the normal law with the variance of the rows' pulls, which needs one pass (infinitesimal
  jackknife; of ROC AUC this is DeLong's method). Rows of one group are added up first.
- Else the bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evaluation.intervals import bootstrap, group_codes, paired_bootstrap
from understudy.evaluation.measures import METRICS
from understudy.evidence.fixed import clopper_pearson

MANY = 20_000
"""Up to so many rows 500 draws and more are affordable; beyond, the normal law gives the same bounds to the eye."""

PULLS = "infinitesimal jackknife"


def estimates(
    y: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
    *,
    confidence: float = 0.95,
    seed: int = 0,
    groups: np.ndarray | None = None,
    many: int = MANY,
) -> dict[str, Evidence]:
    """Metrics with their intervals; one that is not defined on these rows is left out.

    Parameters
    ----------
    y : ndarray of shape (n,)
    scores : ndarray of shape (n, k) or (n, 1)
    names : sequence of str
        Keys of `METRICS`.
    confidence : float
    seed : int
        Of the bootstrap.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    many : int
        Up to so many rows the bootstrap is affordable.

    >>> rng = np.random.default_rng(0)
    >>> positive = rng.random(500)
    >>> y = (rng.random(500) < positive).astype(np.int64)
    >>> found = estimates(y, np.column_stack([1 - positive, positive]), ["accuracy", "roc_auc"])
    >>> {name: one.method for name, one in found.items()}
    {'accuracy': 'Clopper–Pearson', 'roc_auc': 'bootstrap, 1,000 draws'}
    """
    exact = exact_shares(y, scores, names, confidence) if groups is None else {}
    left = [name for name in names if name not in exact]
    if len(y) <= many:
        rest = bootstrap(y, scores, left, confidence=confidence, seed=seed, groups=groups)
    else:
        rest = pulled_estimates(y, scores, left, confidence=confidence, groups=groups)
    found = exact | rest
    return {name: found[name] for name in names if name in found}


def gain(
    y: np.ndarray,
    scores: Mapping[str, np.ndarray],
    name: str,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    groups: np.ndarray | None = None,
    many: int = MANY,
) -> Evidence:
    """How much better `model` is than `baseline` on the same rows, positive meaning better; as `paired_bootstrap`."""
    if len(y) <= many:
        return paired_bootstrap(y, scores, name, confidence=confidence, seed=seed, groups=groups)
    metric, ones = METRICS[name], np.ones(len(y))
    sign = 1 if metric.greater_is_better else -1
    model, baseline = metric.prepare(y, scores["model"]), metric.prepare(y, scores["baseline"])
    reach = metric.highest - metric.lowest
    return from_pulls(
        sign * (model(ones) - baseline(ones)),
        sign * (model.pull() - baseline.pull()),
        confidence=confidence,
        groups=groups,
        method=f"paired {pulls_name(name)}",
        between=(-reach, reach),
    )


def pulled_estimates(
    y: np.ndarray, scores: np.ndarray, names: Sequence[str], *, confidence: float, groups: np.ndarray | None
) -> dict[str, Evidence]:
    """Metrics with intervals from the pulls of their rows."""
    found, ones = {}, np.ones(len(y))
    for name in names:
        metric = METRICS[name]
        statistic = metric.prepare(y, scores)
        value = statistic(ones)
        if np.isfinite(value):
            found[name] = from_pulls(
                value,
                statistic.pull(),
                confidence=confidence,
                groups=groups,
                method=pulls_name(name),
                between=(metric.lowest, metric.highest),
            )
    return found


def pulls_name(name: str) -> str:
    """What the method is called for this metric."""
    return "DeLong" if name == "roc_auc" else PULLS


def from_pulls(
    estimate: float,
    pulls: np.ndarray,
    *,
    confidence: float,
    groups: np.ndarray | None,
    method: str,
    between: tuple[float, float] = (-math.inf, math.inf),
) -> Evidence:
    """An estimate with normal bounds from each row's pull; rows of one group pull together (Liang & Zeger 1986).

    Parameters
    ----------
    estimate : float
    pulls : ndarray of shape (n,)
        As from `Statistic.pull`.
    confidence : float
    groups : ndarray of shape (n,), optional
    method : str
    between : tuple of float
        Where the true value lies in any case.

    >>> found = from_pulls(0.5, np.array([-0.5, 0.5] * 50), confidence=0.95, groups=None, method="normal")
    >>> round(found.lower, 3), round(found.upper, 3)
    (0.402, 0.598)
    """
    n = len(pulls)
    by_unit = pulls if groups is None else np.bincount(group_codes(groups)[1], weights=pulls)
    units = len(by_unit)
    error = math.sqrt(float(by_unit @ by_unit) * units / max(units - 1, 1)) / n
    half = float(stats.norm.isf((1 - confidence) / 2)) * error
    return Evidence(
        estimate=estimate,
        lower=max(between[0], estimate - half),
        upper=min(between[1], estimate + half),
        confidence=confidence,
        n=units,
        method=method if groups is None else f"{method} by groups",
    )


def mean_evidence(values: np.ndarray, *, confidence: float = 0.95, groups: np.ndarray | None = None) -> Evidence:
    """A mean with bounds by Student's t; rows of one group count as one observation.

    Raises
    ------
    ValueError
        There are less than two independent observations.

    >>> found = mean_evidence(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> found.estimate, round(found.lower, 3), found.method
    (2.5, 0.446, 'Student t')
    """
    n, mean = len(values), float(np.mean(values)) if len(values) else math.nan
    by_unit = values - mean if groups is None else np.bincount(group_codes(groups)[1], weights=values - mean)
    units = len(by_unit)
    if units < 2:
        raise ValueError(f"how sure a mean is can be told from two independent observations on; there are {units}")
    error = math.sqrt(float(by_unit @ by_unit) * units / (units - 1)) / n
    half = float(stats.t.isf((1 - confidence) / 2, units - 1)) * error
    return Evidence(
        estimate=mean,
        lower=mean - half,
        upper=mean + half,
        confidence=confidence,
        n=units,
        method="Student t" if groups is None else "Student t by groups",
    )


def ratio_evidence(
    part: np.ndarray, whole: np.ndarray, *, confidence: float = 0.95, groups: np.ndarray | None = None
) -> Evidence:
    """The sum of one over the sum of the other, in [0, 1], with bounds from each row's pull; 0 where there is nothing.

    >>> round(ratio_evidence(np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.0, 1.0, 1.0, 0.0])).estimate, 3)
    0.667
    """
    total = float(whole.sum())
    value = float(part.sum()) / total if total else 0.0
    if not total:
        return Evidence(estimate=0.0, lower=0.0, upper=1.0, confidence=confidence, n=0, method=PULLS)
    pulls = (part - value * whole) * (len(part) / total)
    return from_pulls(value, pulls, confidence=confidence, groups=groups, method=PULLS, between=(0.0, 1.0))


def exact_shares(y: np.ndarray, scores: np.ndarray, names: Sequence[str], confidence: float) -> dict[str, Evidence]:
    """Those of the metrics that are shares of independent rows, with exact bounds."""
    if not {"accuracy", "precision", "recall", "f1"} & set(names):
        return {}
    answers = scores.argmax(axis=1)
    found = {"accuracy": share(answers == y, confidence)}
    if scores.shape[1] == 2:
        is_so, said_so = y == 1, answers == 1
        found["precision"], found["recall"] = share(is_so[said_so], confidence), share(said_so[is_so], confidence)
        found["f1"] = f1_of(share((is_so & said_so)[is_so | said_so], confidence))
    return {name: found[name] for name in names if name in found}


def share(held: np.ndarray, confidence: float = 0.95) -> Evidence:
    """How often something holds; of nothing 0, with bounds that say that nothing is known."""
    return share_of(int(held.sum()), len(held), confidence)


def share_of(held: int, n: int, confidence: float = 0.95) -> Evidence:
    """A share of independent rows with exact bounds.

    >>> share_of(0, 0).estimate, share_of(0, 0).upper
    (0.0, 1.0)
    """
    found = clopper_pearson(held, n, alpha=1 - confidence)
    return found if n else msgspec.structs.replace(found, estimate=0.0)


def f1_of(jaccard: Evidence) -> Evidence:
    """F1 from the share of found ones among all that are so or are answered so: it rises with it.

    >>> f1_of(share_of(2, 4)).estimate == 4 / 6
    True
    """
    estimate, lower, upper = (2 * j / (1 + j) for j in (jaccard.estimate, jaccard.lower, jaccard.upper))
    return Evidence(
        estimate=estimate,
        lower=lower,
        upper=upper,
        confidence=jaccard.confidence,
        n=jaccard.n,
        method="Clopper–Pearson of the Jaccard index",
    )
