"""How good answers are, and whether one contender's are surely better than another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from understudy.evaluation.calibration import equal_bins, squared_error
from understudy.evaluation.measures import METRICS, measure
from understudy.evaluation.measures_numbers import LOWEST

DRAWS, AT_ONCE = 10_000, 100
GREATER = {name: metric.greater_is_better for name, metric in METRICS.items()}
Statistic = Callable[[np.ndarray], np.ndarray]


def as_asked(scores: np.ndarray, labels: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Scores with their columns in the order of `wanted`; a class that a contender does not know gets 0.

    Raises
    ------
    ValueError
        They are not finite, or no probabilities.

    >>> as_asked(np.array([[0.9, 0.1]]), ["yes", "no"], ["no", "yes"])
    array([[0.1, 0.9]])
    """
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).any(axis=1).sum()):,} of its answers are not finite")
    if not wanted:
        return scores
    names = {label: place for place, label in enumerate(labels)}
    unknown = [label for label in labels if label not in wanted]
    if unknown or scores.shape[1] != len(labels):
        raise ValueError(f"it answers {list(labels)[:5]} with {scores.shape[1]} columns, and was asked {wanted[:5]}")
    if (scores < -1e-6).any() or (np.abs(scores.sum(axis=1) - 1) > 1e-3).any():
        raise ValueError("its answers are no probabilities")
    absent = np.zeros(len(scores))
    columns = [scores[:, names[label]] if label in names else absent for label in wanted]
    return np.stack(columns, axis=1)


def figures(y: np.ndarray, scores: np.ndarray) -> dict[str, float | None]:
    """Every metric that the bench speaks of.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class indices, or numbers.
    scores : ndarray of shape (n, k) or (n, 1)
    """
    if scores.shape[1] == 1:
        return {"rmse": measure("rmse", y, scores), "calibration_error": None}
    return {
        "roc_auc": measure("roc_auc", y, scores),
        "log_loss": measure("log_loss", y, scores),
        "calibration_error": calibration(y, scores),
    }


def calibration(y: np.ndarray, scores: np.ndarray) -> float:
    """The root of the debiased squared error of the confidences, 0 where chance explains it."""
    confidence, right = scores.max(axis=1), (scores.argmax(axis=1) == y).astype(np.float64)
    return float(np.sqrt(max(0.0, squared_error(confidence, right, equal_bins(confidence)))))


@dataclass(frozen=True)
class Answers:
    """A contender's answers to the test rows of one seed.

    Attributes
    ----------
    y : ndarray of shape (n,)
    scores : ndarray of shape (n, k) or (n, 1)
    rows : ndarray of int64, shape (n,)
        The place in the table of each of them.
    """

    y: np.ndarray
    scores: np.ndarray
    rows: np.ndarray


def drawn_metric(metric: str, y: np.ndarray, scores: np.ndarray) -> Statistic:
    """A metric as a function of weights of shape (draws, n), giving shape (draws,)."""
    if metric == "roc_auc":
        return drawn_auc(y, scores[:, 1])
    if metric == "log_loss":
        losses = -np.log(np.clip(np.asarray(scores[np.arange(len(y)), y], dtype=np.float64), LOWEST, 1.0))
        return lambda weights: np.asarray(weights @ losses / weights.sum(axis=1))
    squared = (scores[:, 0] - y) ** 2
    return lambda weights: np.asarray(np.sqrt(weights @ squared / weights.sum(axis=1)))


def drawn_auc(y: np.ndarray, score: np.ndarray) -> Statistic:
    """The area under the ROC curve of two classes, ties counting half; not a number without both."""
    order = np.argsort(-score, kind="stable")
    ordered, positive = score[order], y[order].astype(np.float64)
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))

    def areas(weights: np.ndarray) -> np.ndarray:
        here = weights[:, order]
        positives = np.add.reduceat(here * positive, starts, axis=1)
        negatives = np.add.reduceat(here, starts, axis=1) - positives
        above = np.cumsum(positives, axis=1) - positives / 2
        both = positives.sum(axis=1) * negatives.sum(axis=1)
        won = np.einsum("ij,ij->i", above, negatives)
        shares: np.ndarray = np.divide(won, both, out=np.full(len(won), np.nan), where=both > 0)
        return shares

    return areas


@dataclass(frozen=True)
class Gain:
    """By how much one contender is better than another; positive is better, whatever the metric.

    Attributes
    ----------
    estimate, lower, upper : float
        With 95 % confidence.
    """

    estimate: float
    lower: float
    upper: float

    @property
    def verdict(self) -> str:
        """In a word."""
        return "better" if self.lower > 0 else "worse" if self.upper < 0 else "level"


def gain(metric: str, ours: Sequence[Answers], theirs: Sequence[Answers], *, draws: int = DRAWS, seed: int = 0) -> Gain:
    """The mean over seeds of the difference, with a paired bootstrap over the rows of the table.

    A row that judges under several seeds is drawn for all of them together, with a Poisson weight (Chamandy et al.
    2012): the answers to it go up and down together. The interval speaks of other rows, not of other seeds.

    Parameters
    ----------
    metric : {"roc_auc", "log_loss", "rmse"}
    ours, theirs : sequence of Answers
        For each seed, to the same rows.
    draws, seed : int
    """
    sign = 1 if GREATER[metric] else -1
    table, places = np.unique(np.concatenate([one.rows for one in ours]), return_inverse=True)
    cuts = np.split(places, np.cumsum([len(one.rows) for one in ours])[:-1])
    pairs = [
        (drawn_metric(metric, mine.y, mine.scores), drawn_metric(metric, other.y, other.scores))
        for mine, other in zip(ours, theirs, strict=True)
    ]

    def differences(weights: np.ndarray) -> np.ndarray:
        each = [mine(weights[:, cut]) - other(weights[:, cut]) for (mine, other), cut in zip(pairs, cuts, strict=True)]
        mean: np.ndarray = np.mean(each, axis=0)
        return sign * mean

    generator = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            differences(generator.poisson(1.0, (min(AT_ONCE, draws - start), len(table))).astype(np.float64))
            for start in range(0, draws, AT_ONCE)
        ]
    )
    lower, upper = np.nanquantile(drawn, [0.025, 0.975])
    return Gain(float(differences(np.ones((1, len(table))))[0]), float(lower), float(upper))


def ranks(values: Mapping[str, float | None], *, greater: bool) -> dict[str, float]:
    """The rank of each contender, 1 the best; equals share theirs, and those that failed share the last.

    >>> ranks({"a": 0.9, "b": 0.8, "c": None, "d": None}, greater=True)
    {'a': 1.0, 'b': 2.0, 'c': 3.5, 'd': 3.5}
    """
    worst = -np.inf if greater else np.inf
    order = np.array([worst if value is None else value for value in values.values()])
    found = rankdata(-order if greater else order)
    return dict(zip(values, found.tolist(), strict=True))


def mean_ranks(races: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean rank of each contender over races that all of them ran."""
    held = list(races)
    return {name: float(np.mean([race[name] for race in held])) for name in held[0]} if held else {}
