"""Metrics of the answers, the most probable class being the answer: all follow from how often which truth got which.

A rule takes three arrays of shape (k,): how often each class was the truth, how often it was the answer, and how often
it was both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from understudy.evaluation.statistic import Prepared, Statistic

Rule = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
STEP = 1e-6


def of_answers(rule: Rule) -> Prepared:
    """A rule as a metric."""

    def metric(y: np.ndarray, scores: np.ndarray) -> Statistic:
        answers, k = scores.argmax(axis=1), scores.shape[1]
        hits = answers == y

        def counts(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            truth, said = (np.bincount(labels, weights=weights, minlength=k) for labels in (y, answers))
            return truth, said, np.bincount(y[hits], weights=weights[hits], minlength=k)

        def pull() -> np.ndarray:
            truth, said, both = slopes(rule, *counts(np.ones(len(y))))
            return np.asarray(len(y) * (truth[y] + said[answers] + np.where(hits, both[y], 0.0)))

        return Statistic(value=lambda weights: rule(*counts(weights)), pull=pull)

    return metric


def slopes(rule: Rule, truth: np.ndarray, said: np.ndarray, both: np.ndarray) -> list[np.ndarray]:
    """How a rule changes with each of its counts, by differences to both sides; 0 for a class that does not occur."""
    counts = [truth.astype(np.float64), said.astype(np.float64), both.astype(np.float64)]
    step = STEP * truth.sum()
    found = [np.zeros(len(truth)) for _ in counts]
    for label in np.flatnonzero(truth + said):
        for count, slope in zip(counts, found, strict=True):
            middle = count[label]
            count[label] = middle + step
            above = rule(*counts)
            count[label] = middle - step
            slope[label] = (above - rule(*counts)) / (2 * step)
            count[label] = middle
    return found


def shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """One count over another, and 0 where there is nothing."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0))


def of_classes(values: np.ndarray, truth: np.ndarray, said: np.ndarray) -> float:
    """The figure of the second of two classes; of more the mean over those that occur as truth or as answer."""
    return float(values[1]) if len(values) == 2 else float(values[truth + said > 0].mean())


def accuracy(truth: np.ndarray, _said: np.ndarray, both: np.ndarray) -> float:
    """The share of right answers."""
    return float(both.sum() / truth.sum())


def balanced_accuracy(truth: np.ndarray, _said: np.ndarray, both: np.ndarray) -> float:
    """The mean, over the classes that occur, of the share of their cases that are found."""
    return float(shares(both, truth)[truth > 0].mean())


def precision(truth: np.ndarray, said: np.ndarray, both: np.ndarray) -> float:
    """Of the cases answered so, the share that are; 0 if none is answered so."""
    return of_classes(shares(both, said), truth, said)


def recall(truth: np.ndarray, said: np.ndarray, both: np.ndarray) -> float:
    """Of the cases that are so, the share answered so; 0 if none is."""
    return of_classes(shares(both, truth), truth, said)


def f_beta(beta: float) -> Rule:
    """Precision and recall in one, recall counting `beta` times as much (van Rijsbergen 1979, ch. 7)."""
    b = beta**2

    def rule(truth: np.ndarray, said: np.ndarray, both: np.ndarray) -> float:
        return of_classes(shares((1 + b) * both, b * truth + said), truth, said)

    return rule


def mcc(truth: np.ndarray, said: np.ndarray, both: np.ndarray) -> float:
    """The correlation of truth and answer (Matthews 1975; for many classes Gorodkin 2004, Comput. Biol. Chem. 28).

    0 where only one class is answered, or only one occurs.
    """
    n = truth.sum()
    spread = (n**2 - truth @ truth) * (n**2 - said @ said)
    return float((both.sum() * n - truth @ said) / np.sqrt(spread)) if spread > 0 else 0.0


def price_table(costs: dict[str, float], labels: tuple[str, ...]) -> np.ndarray:
    """What each answer to each truth costs, of shape (k, k); a mistake without a price costs as much as the dearest.

    Without prices every mistake costs 1.

    >>> price_table({"no -> yes": 10.0, "yes -> no": 2.0}, ("no", "yes")).tolist()
    [[0.0, 10.0], [2.0, 0.0]]
    """
    dearest = max(costs.values(), default=1.0)
    table = np.array([[costs.get(f"{truth} -> {answer}", dearest) for answer in labels] for truth in labels])
    np.fill_diagonal(table, 0.0)
    return table.reshape(len(labels), len(labels))
