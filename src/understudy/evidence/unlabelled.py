"""How right is the model on cases whose truth is not known, if its probabilities are?

If scores are calibrated, each case is decided rightly with a known probability, and how many are right in all follows a
Poisson-binomial law (average confidence; Kivimäki, Białek, Nurminen & Kuberski 2024, arXiv:2407.08649); so does each
entry of the confusion matrix (CBPE; Kivimäki, Białek & Kuberski 2025, arXiv:2505.05295). Where the inputs moved, scores
are calibrated anew on labelled cases weighted to look like the new ones (PAPE; Białek, Kivimäki, Kuberski & Perrakis
2025, "Estimating model performance under covariate shift without labels", NeurIPS).

These estimates raise suspicion and certify nothing. A changed relation between inputs and truth leaves no trace in the
scores, so that the estimate stays where it was while the model fails. To know, ask for labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from scipy import fft, optimize, stats

from understudy.core.evidence import Evidence
from understudy.evidence.betting import refuse

SUSPICION = "suspicion only, never a certificate"
"""What every method here says of itself."""

FEWEST = 150.0
"""The effective number of labelled cases that a new calibration needs."""

MOST_OUTSIDE = 0.05
"""The share of new cases that may score outside the range of the labelled ones."""

FOLDS = 5
"""Into how many parts labelled cases are cut to see what the new calibration misses."""

SUM_TOLERANCE = 1e-3
"""How far from 1 the probabilities of a case may add up, as they do in single precision."""


def poisson_binomial(chance: np.ndarray) -> np.ndarray:
    """The law of the number of successes in independent trials with unequal chances.

    Products of generating functions by halves with the fast Fourier transform; exact but for rounding (about 1e-15).

    Parameters
    ----------
    chance : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n + 1,)
        The probability of 0, 1, …, n successes.

    >>> poisson_binomial(np.array([0.5, 0.2])).round(3).tolist()
    [0.4, 0.5, 0.1]
    """
    leaves = 1 << max(len(chance) - 1, 0).bit_length()
    law = np.zeros((leaves, 2))
    law[:, 0] = 1.0
    law[: len(chance), 0], law[: len(chance), 1] = 1 - chance, chance
    while len(law) > 1:
        size = 2 * law.shape[1] - 1
        spectrum = fft.rfft(law, fft.next_fast_len(size, real=True), axis=1)
        law = fft.irfft(spectrum[::2] * spectrum[1::2], fft.next_fast_len(size, real=True), axis=1)[:, :size]
    found = np.maximum(law[0, : len(chance) + 1], 0.0)
    return np.asarray(found / found.sum())


def estimated_accuracy(scores: np.ndarray, predicted: np.ndarray, *, alpha: float = 0.05) -> Evidence:
    """The share of these cases that were predicted rightly (CBPE), if the scores are calibrated on them.

    The bounds are about these very cases. They do not cover that the calibration itself was learned from samples.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
        Calibrated probabilities of the classes.
    predicted : ndarray of int, shape (n,)
        The class that was predicted, from 0.
    alpha : float

    Raises
    ------
    ValueError
        Scores are no probabilities, or a prediction is no class.

    >>> found = estimated_accuracy(np.tile([0.9, 0.1], (100, 1)), np.zeros(100, dtype=int))
    >>> round(found.estimate, 2), found.lower, found.upper, found.method
    (0.9, 0.84, 0.95, 'CBPE, Poisson-binomial: suspicion only, never a certificate')
    """
    check_cases(scores, predicted, "predicted")
    return count_share(scores[np.arange(len(scores)), predicted], len(scores), alpha)


def estimated_confusion(
    scores: np.ndarray, predicted: np.ndarray, *, alpha: float = 0.05
) -> tuple[tuple[Evidence, ...], ...]:
    """The share of all these cases that were predicted as one class (first place) and are of another (second place).

    Parameters and errors as for `estimated_accuracy`. Each entry has bounds of its own.

    >>> found = estimated_confusion(np.tile([0.9, 0.1], (100, 1)), np.zeros(100, dtype=int))
    >>> found[0][1].lower, found[0][1].upper, found[1][0].upper
    (0.05, 0.16, 0.0)
    """
    check_cases(scores, predicted, "predicted")
    classes = range(scores.shape[1])
    return tuple(
        tuple(count_share(scores[predicted == said, truth], len(scores), alpha) for truth in classes)
        for said in classes
    )


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Cases whose truth is known and which the model was not trained on.

    Attributes
    ----------
    scores : ndarray of shape (m, k)
        Probabilities of the classes.
    labels, predicted : ndarray of int, shape (m,)
        True and predicted classes, from 0.
    weight : ndarray of shape (m,)
        How much likelier such a case is among the new ones, up to a factor; not negative. See `importance`.
    """

    scores: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    weight: np.ndarray


def importance(chance: np.ndarray, labelled: int, new: int) -> np.ndarray:
    """Weights of labelled cases from a classifier that tells new cases from labelled ones.

    (m/n)·h/(1 − h), with 1 − h kept above 0.05 and weights above 0.001, so that no case rules and none is lost.

    Parameters
    ----------
    chance : ndarray of shape (m,)
        h, the probability of being new that the classifier gives each labelled case, on which it was not trained.
    labelled, new : int
        How many cases of both kinds it was trained on.

    >>> importance(np.array([0.5, 0.8, 1.0]), 100, 200).round(2).tolist()
    [0.5, 2.0, 10.0]
    """
    refuse(chance, ~((chance >= 0) & (chance <= 1)), "the classifier's probabilities lie between 0 and 1")
    if labelled < 1 or new < 1:
        raise ValueError(f"it needs cases of both kinds, not {labelled} labelled and {new} new ones")
    return np.asarray(np.maximum(labelled / new * chance / np.maximum(1 - chance, 0.05), 0.001))


def adapted_accuracy(
    labelled: Labelled,
    new_scores: np.ndarray,
    new_predicted: np.ndarray,
    *,
    alpha: float = 0.05,
    fewest: float = FEWEST,
) -> Evidence:
    """The share of new cases that were predicted rightly, after the inputs moved (PAPE).

    The scores are calibrated anew on the weighted labelled cases, and what that misses on labelled cases that it did
    not see is added. The bounds are normal and approximate, and add the variance of that miss to the Poisson-binomial
    one; they take the weights as known. It says nothing, with NaN within [0, 1], where the weighted cases are worth
    fewer than `fewest` with equal weights, (Σw)²/Σw², or where more than `MOST_OUTSIDE` of the new cases score outside
    the range of the labelled ones. `n` is that effective size.

    Parameters
    ----------
    labelled : Labelled
    new_scores : ndarray of shape (n, k)
    new_predicted : ndarray of int, shape (n,)
    alpha, fewest : float

    Raises
    ------
    ValueError
        Scores are no probabilities, a class does not exist, or weights are negative or all 0.

    >>> rng = np.random.default_rng(0)
    >>> sure = rng.uniform(0.5, 1.0, 2000)
    >>> scores, predicted = np.stack([sure, 1 - sure], axis=1), np.zeros(2000, dtype=int)
    >>> labels = (rng.random(2000) > sure - 0.2).astype(int)  # less often right than it says
    >>> labelled = Labelled(scores=scores, labels=labels, predicted=predicted, weight=np.ones(2000))
    >>> found = adapted_accuracy(labelled, scores, predicted)
    >>> found.lower < 0.55 < found.upper, found.n
    (True, 2000)
    """
    size = effective_size(labelled, new_scores, new_predicted)
    if unlike(labelled, new_scores, size, fewest):
        return refusal(alpha, size)
    told, new_told = recalibrated(labelled, new_scores)
    right = labelled.labels == labelled.predicted
    old = told[np.arange(len(told)), labelled.predicted]
    new = new_told[np.arange(len(new_told)), new_predicted]
    return shared_share(new, right - old, labelled.weight, len(new), alpha, size)


def adapted_confusion(
    labelled: Labelled,
    new_scores: np.ndarray,
    new_predicted: np.ndarray,
    *,
    alpha: float = 0.05,
    fewest: float = FEWEST,
) -> tuple[tuple[Evidence, ...], ...]:
    """The share of all new cases predicted as one class (first place) that are of another (second place), by PAPE.

    Parameters, errors and refusals as for `adapted_accuracy`.
    """
    size, classes = effective_size(labelled, new_scores, new_predicted), range(new_scores.shape[1])
    if unlike(labelled, new_scores, size, fewest):
        return ((refusal(alpha, size),) * len(classes),) * len(classes)
    told, new_told = recalibrated(labelled, new_scores)
    rows: list[tuple[Evidence, ...]] = []
    for said in classes:
        own, new_own = labelled.predicted == said, new_predicted == said
        misses = [own * ((labelled.labels == truth) - told[:, truth]) for truth in classes]
        rows.append(
            tuple(
                shared_share(new_told[new_own, truth], misses[truth], labelled.weight, len(new_told), alpha, size)
                for truth in classes
            )
        )
    return tuple(rows)


def effective_size(labelled: Labelled, new_scores: np.ndarray, new_predicted: np.ndarray) -> float:
    """How many labelled cases with equal weights the weighted ones are worth, (Σw)²/Σw², after a check of all input."""
    check_cases(labelled.scores, labelled.labels, "labels")
    check_cases(labelled.scores, labelled.predicted, "predicted")
    check_cases(new_scores, new_predicted, "new_predicted")
    weight = labelled.weight
    if new_scores.shape[1] != labelled.scores.shape[1]:
        raise ValueError(f"{labelled.scores.shape[1]} classes were labelled, new scores have {new_scores.shape[1]}")
    if weight.shape != labelled.labels.shape or not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
        raise ValueError("weights are finite and not negative, one per labelled case and not all 0")
    return float(weight.sum() ** 2 / (weight**2).sum())


def unlike(labelled: Labelled, new_scores: np.ndarray, size: float, fewest: float) -> bool:
    """Whether the labelled cases do not speak of the new ones."""
    if not len(new_scores) or size < max(fewest, 2.0):
        return True
    used = labelled.scores[labelled.weight > 0]
    beyond = (new_scores < used.min(axis=0) - SUM_TOLERANCE) | (new_scores > used.max(axis=0) + SUM_TOLERANCE)
    return float(beyond.any(axis=1).mean()) > MOST_OUTSIDE


def recalibrated(labelled: Labelled, new_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both kinds of scores after the new calibration; each labelled case without its own fold, so that misses show."""
    weight = labelled.weight
    told, fold = np.empty(labelled.scores.shape), np.cumsum(weight > 0) % FOLDS
    for part in range(FOLDS):
        told[fold == part] = calibrated(labelled, weight * (fold != part), labelled.scores[fold == part])
    return told, calibrated(labelled, weight, new_scores)


def calibrated(labelled: Labelled, weight: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores after a weighted isotonic calibration: one class against the rest, then divided by their sum."""
    told = np.empty(scores.shape)
    for label in range(scores.shape[1]):
        knots, heights = isotonic(labelled.scores[:, label], labelled.labels == label, weight)
        told[:, label] = np.interp(scores[:, label], knots, heights)
    return normalised(told)


def isotonic(score: np.ndarray, hit: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The increasing function of the score that is nearest to the weighted hits: distinct scores and its values."""
    used = weight > 0
    knots, place = np.unique(score[used], return_inverse=True)
    mass = np.bincount(place, weight[used])
    mean = np.bincount(place, weight[used] * hit[used]) / mass
    return knots, np.asarray(optimize.isotonic_regression(mean, weights=mass).x)


def normalised(scores: np.ndarray) -> np.ndarray:
    """Each row over its sum; equal probabilities where all are 0."""
    total = scores.sum(axis=1, keepdims=True)
    return np.where(total > 0, scores / np.where(total > 0, total, 1), 1 / scores.shape[1])


def count_share(chance: np.ndarray, n: int, alpha: float) -> Evidence:
    """How many of the trials succeed, over n, with the central quantiles of the exact law."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    method = f"CBPE, Poisson-binomial: {SUSPICION}"
    if not n:
        return Evidence(estimate=nan, lower=0.0, upper=1.0, confidence=1 - alpha, n=0, method=method)
    cumulative, mean = poisson_binomial(chance).cumsum(), float(chance.sum()) / n
    tail = alpha / 2
    return Evidence(
        estimate=mean,  # of a rare event it may lie above the quantile, which is then 0
        lower=min(mean, int(np.searchsorted(cumulative, tail, side="right")) / n),
        upper=max(mean, min(int(np.searchsorted(cumulative, 1 - tail)), len(chance)) / n),
        confidence=1 - alpha,
        n=n,
        method=method,
    )


def shared_share(
    chance: np.ndarray, miss: np.ndarray, weight: np.ndarray, n: int, alpha: float, size: float
) -> Evidence:
    """The mean chance, plus what the calibration missed on weighted labelled cases, with bounds for both.

    Without the second part an isotonic calibration would flatter: it lies too high where scores are high.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    estimate = float(np.clip(chance.sum() / n + weight @ miss / weight.sum(), 0, 1))
    drawn = float((chance * (1 - chance)).sum()) / n**2
    learned = float((weight**2 * miss**2).sum()) / float(weight.sum()) ** 2
    half = float(stats.norm.isf(alpha / 2)) * sqrt(drawn + learned)
    return Evidence(
        estimate=estimate,
        lower=max(0.0, estimate - half),
        upper=min(1.0, estimate + half),
        confidence=1 - alpha,
        n=round(size),
        method=f"PAPE, normal: {SUSPICION}",
    )


def refusal(alpha: float, size: float) -> Evidence:
    """What is said where the labelled cases do not speak of the new ones."""
    return Evidence(
        estimate=nan,
        lower=0.0,
        upper=1.0,
        confidence=1 - alpha,
        n=round(size),
        method=f"PAPE, refused for want of like cases: {SUSPICION}",
    )


def check_cases(scores: np.ndarray, classes: np.ndarray, name: str) -> None:
    """Scores are probabilities, and each case has one of their classes.

    Raises
    ------
    ValueError
        They are not.
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"scores need one column per class, at least 2; got {scores.shape}")
    if classes.shape != scores.shape[:1] or not np.issubdtype(classes.dtype, np.integer):
        raise ValueError(f"{name}: expected one whole number for each of {len(scores)} cases, got {classes.shape}")
    wrong = np.flatnonzero((classes < 0) | (classes >= scores.shape[1]))
    if len(wrong):
        raise ValueError(f"{name}, row {wrong[0]}: expected 0 to {scores.shape[1] - 1}, got {classes[wrong[0]]}")
    wrong = np.flatnonzero(~((scores >= 0).all(axis=1) & (abs(scores.sum(axis=1) - 1) < SUM_TOLERANCE)))
    if len(wrong):
        raise ValueError(f"scores, row {wrong[0]}: expected probabilities that add up to 1, got {scores[wrong[0]]}")
