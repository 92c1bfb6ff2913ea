"""Metrics of an order: whether positive cases score higher than negative ones."""

from __future__ import annotations

import numpy as np

from understudy.evaluation.statistic import Prepared, Statistic


def one_versus_rest(binary: Prepared) -> Prepared:
    """A binary metric for any number of classes: of the last of two, else the mean over the classes that occur."""

    def metric(y: np.ndarray, scores: np.ndarray) -> Statistic:
        k = scores.shape[1]
        classes = [1] if k == 2 else np.unique(y).tolist()
        each = [binary((y == label).astype(np.float64), scores[:, label]) for label in classes]

        def mean(weights: np.ndarray) -> float:
            values = np.array([one(weights) for one in each])
            if k == 2:
                return float(values[0])
            defined = values[np.isfinite(values)]  # a class may be missing from a bootstrap draw
            return float(defined.mean()) if len(defined) else float("nan")

        def pull() -> np.ndarray:
            return np.asarray(sum(one.pull() for one in each) / len(each))

        return Statistic(value=mean, pull=pull)

    return metric


class Ranking:
    """Scores in order, so that weights can be summed at each distinct score from the highest one down."""

    def __init__(self, y: np.ndarray, score: np.ndarray) -> None:
        self.order = np.argsort(-score, kind="stable")
        ordered, self.positive = score[self.order], y[self.order]
        self.starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))

    def sums(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weights of positives and of negatives at each distinct score."""
        ordered = weights[self.order]
        positives = np.add.reduceat(ordered * self.positive, self.starts)
        return positives, np.add.reduceat(ordered, self.starts) - positives

    def back(self, of_positives: np.ndarray, of_negatives: np.ndarray) -> np.ndarray:
        """Figures of each distinct score, by class, as figures of each row in the rows' own order."""
        lengths = np.diff(np.append(self.starts, len(self.order)))
        values = np.where(self.positive > 0, np.repeat(of_positives, lengths), np.repeat(of_negatives, lengths))
        rows = np.empty(len(values))
        rows[self.order] = values
        return rows


def binary_roc_auc(y: np.ndarray, score: np.ndarray) -> Statistic:
    """The chance that a positive case scores higher than a negative one, ties counting half.

    The pull of a row is how its own share of wins lies to the mean (DeLong, DeLong & Clarke-Pearson 1988, "Comparing
    the areas under two or more correlated receiver operating characteristic curves", Biometrics 44).
    """
    ranking = Ranking(y, score)

    def auc(weights: np.ndarray) -> float:
        positives, negatives = ranking.sums(weights)
        p, n = positives.sum(), negatives.sum()
        if not p or not n:
            return float("nan")
        above = np.cumsum(positives) - positives
        return float(negatives @ (above + positives / 2) / (p * n))

    def pull() -> np.ndarray:
        positives, negatives = ranking.sums(np.ones(len(y)))
        p, n = positives.sum(), negatives.sum()
        beaten = (n - np.cumsum(negatives) + negatives / 2) / n
        beating = (np.cumsum(positives) - positives / 2) / p
        area = float(positives @ beaten / p)
        return ranking.back((beaten - area) * len(y) / p, (beating - area) * len(y) / n)

    return Statistic(value=auc, pull=pull)


def binary_pr_auc(y: np.ndarray, score: np.ndarray) -> Statistic:
    """Average precision: the mean precision over the positives, from the highest score down."""
    ranking = Ranking(y, score)

    def average_precision(weights: np.ndarray) -> float:
        positives, negatives = ranking.sums(weights)
        p = positives.sum()
        if not p:
            return float("nan")
        precision, _ = precisions(positives, negatives)
        return float(positives @ precision / p)

    def pull() -> np.ndarray:
        positives, negatives = ranking.sums(np.ones(len(y)))
        p = positives.sum()
        precision, total = precisions(positives, negatives)
        # a row changes the precision at its own score and at all lower ones
        gained = np.cumsum((positives * (1 - precision) / total)[::-1])[::-1]
        lost = np.cumsum((positives * precision / total)[::-1])[::-1]
        area = positives @ precision / p
        return ranking.back((precision - area + gained) * len(y) / p, -lost * len(y) / p)

    return Statistic(value=average_precision, pull=pull)


def precisions(positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At each distinct score the share of positives from there up, and how much lies there; 0 where nothing does."""
    found, total = np.cumsum(positives), np.cumsum(positives + negatives)
    return np.divide(found, total, out=np.zeros_like(found), where=total > 0), total
