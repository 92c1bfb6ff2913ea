"""How often does each class occur now, told from scores alone?

If only the shares of the classes moved, and cases of one class look as they always did, the scores on new cases are a
mixture of what they were per class, and the shares that make the new scores likeliest are found by expectation
maximisation (MLLS; Saerens, Latinne & Decaestecker 2002, Neural Computation 14(1)). Scores must be calibrated; then it
beats inverting the confusion matrix (BBSE; Lipton, Wang & Smola 2018, ICML), which serves as a check (Alexandari,
Kundaje & Shrikumar 2020, ICML; Garg, Wu, Balakrishnan & Lipton 2020, NeurIPS).

The assumptions are tested. No share is stated where no mixture of the labelled scores looks like the new ones, or where
the same estimate misses much on labelled cases weighted to the shares found: then the scores are not calibrated. What
it misses there, for scores are never calibrated perfectly, stretches the bounds. What passes may still be wrong, if
cases of a class changed so that they look like cases of another one.
"""

from __future__ import annotations

from math import nan

import msgspec
import numpy as np
from scipy import linalg, stats

from understudy.core.evidence import Evidence

FEWEST = 20
"""The labelled cases that each class needs, and the new cases."""

BINS = 5
"""Into how many parts the confidence of each predicted class is cut for the test of fit, at most."""

ROWS_PER_BIN = 50
"""The labelled cases in each part, at least."""

SMALLEST_CELL = 5
"""The new cases that a cell of the test of fit is expected to have, at least."""

FIT_LEVEL = 0.01
"""How often the test of fit rejects a pure shift of labels, at most."""

SUM_TOLERANCE = 1e-3
"""How far from 1 the probabilities of a case may add up, as they do in single precision."""

LARGEST_BIAS = 2.0
"""By how many standard errors the estimate may miss on labelled cases."""

LARGEST_CONDITION = 50.0
"""The condition number of the confusion matrix beyond which its inverse says nothing."""


class LabelShift(msgspec.Struct, frozen=True, kw_only=True):
    """The shares of k classes among new cases.

    Attributes
    ----------
    shares : tuple of k Evidence
        By MLLS; the bounds of all classes hold together. NaN within [0, 1] where nothing can be said.
    check : tuple of k Evidence
        The same by BBSE, which uses the predicted classes only. NaN within [0, 1] where it says nothing.
    fit_p : float
        The p-value of "a mixture of the labelled scores with these shares looks like the new scores"; NaN if untested.
    shift_p : float
        The p-value of "the new predictions are distributed as the labelled ones"; NaN if untested.
    refused : str
        Why nothing is said; empty where shares are stated.
    """

    shares: tuple[Evidence, ...]
    check: tuple[Evidence, ...]
    fit_p: float
    shift_p: float
    refused: str


def label_shift(scores: np.ndarray, labels: np.ndarray, new_scores: np.ndarray, *, alpha: float = 0.05) -> LabelShift:
    """The shares of the classes among new cases without labels, and whether they can be told.

    Parameters
    ----------
    scores : ndarray of shape (m, k)
        Calibrated probabilities of labelled cases that the model was not trained on.
    labels : ndarray of int, shape (m,)
        Their classes, from 0.
    new_scores : ndarray of shape (n, k)
    alpha : float
        The chance that the bounds of any class miss its share, in (0, 1); approximate (asymptotic), for one look.

    Raises
    ------
    ValueError
        Scores are no probabilities, shapes do not fit, or a label is no class.

    >>> rng = np.random.default_rng(0)
    >>> def scored(labels):
    ...     odds = np.exp(2 * rng.normal(2 * labels) - 2)  # of class 1, by Bayes
    ...     return np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    >>> labels, moved = np.repeat([0, 1], 1000), np.repeat([0, 1], [300, 700])
    >>> found = label_shift(scored(labels), labels, scored(moved))
    >>> found.shares[1].lower < 0.7 < found.shares[1].upper, found.shift_p < 0.001, found.refused
    (True, True, '')
    """
    check_scores(scores, labels, new_scores, alpha)
    classes, n = scores.shape[1], len(new_scores)
    per_class, prior = np.bincount(labels, minlength=classes), scores.sum(axis=0) / max(len(scores), 1)
    shift_p = fit_p = nan
    reason = too_few(per_class, n)
    if not reason and not prior.min() > 0:
        reason = f"the labelled scores give class {prior.argmin()} no chance at all: they are not calibrated"
    if not reason:
        shift_p = same_counts(*(np.bincount(some.argmax(axis=1), minlength=classes) for some in (scores, new_scores)))
        shares = likeliest_shares(new_scores / prior)
        padded = np.concatenate([new_scores / prior, np.eye(classes)])  # a made-up, sure case of each class
        centre = likeliest_shares(padded)
        spread = likelihood_spread(padded, centre, scores)
        bias = miscalibration(scores, labels, shares)
        fit_p = fit(scores, labels, new_scores, shares)
        reason = misfit(spread, fit_p, bias)
    if reason:
        silent = nothing(classes, alpha, n, "MLLS")
        return LabelShift(shares=silent, check=silent, fit_p=fit_p, shift_p=shift_p, refused=reason)
    stated = statements(shares, centre, spread, alpha, n, "MLLS, asymptotic", stretch=bias)
    check = black_box_shares(scores, labels, new_scores, alpha=alpha)
    return LabelShift(shares=stated, check=check, fit_p=fit_p, shift_p=shift_p, refused="")


def black_box_shares(
    scores: np.ndarray, labels: np.ndarray, new_scores: np.ndarray, *, alpha: float = 0.05
) -> tuple[Evidence, ...]:
    """The shares of the classes by inverting the confusion matrix (BBSE), with bounds by the delta method.

    Needs no calibration and uses less of the scores. Says nothing where the condition number of the matrix is above
    `LARGEST_CONDITION`, where a class has no labelled case, or where there is no new one.

    Parameters and errors as for `label_shift`.
    """
    check_scores(scores, labels, new_scores, alpha)
    classes, n = scores.shape[1], len(new_scores)
    if not n or not np.bincount(labels, minlength=classes).all():
        return nothing(classes, alpha, n, "BBSE")
    confusion = histograms(scores.argmax(axis=1), labels, classes, classes)
    if not np.linalg.cond(confusion) < LARGEST_CONDITION:
        return nothing(classes, alpha, n, "BBSE")
    inverse = np.linalg.inv(confusion.T)
    shares = np.asarray(inverse @ np.bincount(new_scores.argmax(axis=1), minlength=classes) / n)
    possible = np.clip(shares, 0, 1) / np.clip(shares, 0, 1).sum()
    noise = mixture_noise(confusion, np.bincount(labels, minlength=classes), possible, n)
    spread = np.sqrt(np.diag(inverse @ noise @ inverse.T))
    return statements(shares, shares, spread, alpha, n, "BBSE, asymptotic")


def likeliest_shares(
    ratio: np.ndarray, weight: np.ndarray | None = None, *, tolerance: float = 1e-9, steps: int = 5000
) -> np.ndarray:
    """The shares of a mixture that make the rows likeliest, by accelerated expectation maximisation.

    Two steps of EM (Saerens et al. 2002) are drawn out along their curve (SQUAREM; Varadhan & Roland 2008, Scand. J.
    Stat. 35(2)), unless that would leave the simplex or make the rows less likely. The likelihood is concave.

    Parameters
    ----------
    ratio : ndarray of shape (n, k)
        How likely each row is in each class, up to a factor per row: a calibrated score over the class's share where
        it was calibrated.
    weight : ndarray of shape (n,), optional
        How much each row counts, 1 in all.
    tolerance : float
        The change of a share at which it ends.
    steps : int
        The steps after which it ends in any case.

    Returns
    -------
    ndarray of shape (k,)

    >>> likeliest_shares(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])).round(3).tolist()
    [0.667, 0.333]
    """
    shares = np.full(ratio.shape[1], 1 / ratio.shape[1])
    weight = np.full(len(ratio), 1 / len(ratio)) if weight is None else weight
    for _ in range(steps):
        once, _ = em_step(ratio, weight, shares)
        twice, likelihood = em_step(ratio, weight, once)
        first, second = once - shares, twice - 2 * once + shares
        if abs(first).max() < tolerance:
            break
        shares = twice
        bend = float(np.linalg.norm(second))
        if bend > 0:
            length = max(1.0, float(np.linalg.norm(first)) / bend)
            far = once - first + 2 * length * first + length**2 * second
            if far.min() > 0:
                beyond, reached = em_step(ratio, weight, far)
                shares = beyond if reached >= likelihood else twice
    return np.asarray(shares / shares.sum())


def em_step(ratio: np.ndarray, weight: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean responsibility of each class under these shares, and their mean log likelihood."""
    mixed = ratio @ shares
    return shares * (ratio.T @ (weight / mixed)), float(weight @ np.log(mixed))


def likelihood_spread(ratio: np.ndarray, shares: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The standard errors of likeliest shares.

    The inverse information on the simplex for the new cases, and the delta method for the shares p of the labelled
    ones, since the likelihood of a row is Σ q·f/p.

    Parameters
    ----------
    ratio : ndarray of shape (n, k)
        f/p of the new cases, and one sure case of each class, so that there is some information about each.
    shares : ndarray of shape (k,)
        Those that make them likeliest.
    scores : ndarray of shape (m, k)
        Of the labelled cases, whose mean is p.

    Returns
    -------
    ndarray of shape (k,)
    """
    slope = ratio / (ratio @ shares)[:, None]
    information = slope.T @ slope / len(slope)
    along = linalg.null_space(np.ones((1, len(shares))))
    inverse = along @ np.linalg.inv(along.T @ information @ along) @ along.T
    response = inverse @ ((information * shares - np.diag(slope.mean(axis=0))) / scores.mean(axis=0))
    covariance = inverse / len(ratio) + response @ np.cov(scores.T) @ response.T / len(scores)
    return np.asarray(np.sqrt(np.diag(covariance)))


def miscalibration(scores: np.ndarray, labels: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """By how much the likeliest shares are off where the truth is known: among labelled cases weighted to `shares`."""
    weight = (shares / np.bincount(labels, minlength=len(shares)))[labels]
    return np.asarray(abs(likeliest_shares(scores / scores.mean(axis=0), weight) - shares))


def fit(scores: np.ndarray, labels: np.ndarray, new_scores: np.ndarray, shares: np.ndarray) -> float:
    """The p-value of "the histogram of the new scores is the mixture of the labelled histograms with these shares".

    Cells are predicted classes cut by confidence. The chi-square statistic allows for the labelled cases being a
    sample. Its degrees of freedom ignore that the shares were fitted, so that it rejects too seldom, if anything. 1
    where there is one cell only.
    """
    n, classes = len(new_scores), scores.shape[1]
    cell, new_cell = cells(scores, new_scores)
    count = int(cell.max()) + 1
    table = histograms(cell, labels, count, classes)
    new = np.bincount(np.minimum(new_cell, count - 1), minlength=count)
    expected = n * (shares @ table)
    kept = expected >= SMALLEST_CELL
    if kept.sum() < 2:
        return 1.0
    smallest = np.flatnonzero(kept)[expected[kept].argmin()]
    merged = np.eye(count)[np.where(kept, np.arange(count), smallest)][:, kept]
    table = table @ merged
    off = (new @ merged / n - shares @ table)[1:]
    noise = mixture_noise(table, np.bincount(labels, minlength=classes), shares, n)[1:, 1:]
    return float(stats.chi2.sf(off @ np.linalg.solve(noise, off), len(off)))


def cells(scores: np.ndarray, new_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell of every labelled and new case, from 0: its predicted class, and the part of its confidence.

    The parts of a class hold equally many labelled cases, about.
    """
    confidence, predicted = scores.max(axis=1), scores.argmax(axis=1)
    new_confidence, new_predicted = new_scores.max(axis=1), new_scores.argmax(axis=1)
    cell, new_cell = predicted * BINS, new_predicted * BINS
    for label in range(scores.shape[1]):
        own, new_own = predicted == label, new_predicted == label
        bins = int(np.clip(own.sum() // ROWS_PER_BIN, 1, BINS))
        edges = np.quantile(confidence[own], np.arange(1, bins) / bins) if bins > 1 else np.array([])
        cell[own] += np.searchsorted(edges, confidence[own], side="right")
        new_cell[new_own] += np.searchsorted(edges, new_confidence[new_own], side="right")
    return cell, new_cell


def histograms(cell: np.ndarray, labels: np.ndarray, count: int, classes: int) -> np.ndarray:
    """The share of each cell (column) in each class (row)."""
    counts = np.bincount(labels * count + cell, minlength=classes * count).reshape(classes, count)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def mixture_noise(table: np.ndarray, per_class: np.ndarray, shares: np.ndarray, n: int) -> np.ndarray:
    """The covariance of observed shares of cells minus the mixture's: both of them are samples.

    Parameters
    ----------
    table : ndarray of shape (k, c)
    per_class : ndarray of shape (k,)
    shares : ndarray of shape (k,)
    n : int

    Returns
    -------
    ndarray of shape (c, c)
    """
    noise = multinomial(shares @ table) / n
    for row, size, share in zip(table, per_class, shares, strict=True):
        noise += share**2 * multinomial(row) / size
    return noise


def multinomial(chance: np.ndarray) -> np.ndarray:
    """The covariance of one draw."""
    return np.asarray(np.diag(chance) - np.outer(chance, chance))


def same_counts(counts: np.ndarray, new_counts: np.ndarray) -> float:
    """The chi-square p-value of "both were drawn with the same chances"."""
    seen = counts + new_counts > 0
    if seen.sum() < 2:
        return 1.0
    return float(stats.chi2_contingency(np.stack([counts[seen], new_counts[seen]]), correction=False).pvalue)


def statements(
    estimate: np.ndarray,
    centre: np.ndarray,
    spread: np.ndarray,
    alpha: float,
    n: int,
    method: str,
    *,
    stretch: np.ndarray | float = 0.0,
) -> tuple[Evidence, ...]:
    """One statement per class; two classes share one risk of a miss, more divide it."""
    classes = len(estimate)
    divided = alpha / (classes if classes > 2 else 1)
    reach = stats.norm.isf(divided / 2) * spread + stretch
    return tuple(
        Evidence(
            estimate=float(np.clip(value, 0, 1)),
            lower=float(np.clip(middle - half, 0, 1)),
            upper=float(np.clip(middle + half, 0, 1)),
            confidence=1 - alpha,
            n=n,
            method=method,
        )
        for value, middle, half in zip(estimate, centre, reach, strict=True)
    )


def nothing(classes: int, alpha: float, n: int, method: str) -> tuple[Evidence, ...]:
    """What is said of each class where nothing can be said."""
    silent = Evidence(estimate=nan, lower=0.0, upper=1.0, confidence=1 - alpha, n=n, method=f"{method}, refused")
    return (silent,) * classes


def too_few(per_class: np.ndarray, n: int) -> str:
    """Why there are too few cases, if there are."""
    if per_class.min() < FEWEST:
        return f"class {per_class.argmin()} has {per_class.min()} labelled cases and needs {FEWEST}"
    return f"there are {n} new cases and {FEWEST} are needed" if n < FEWEST else ""


def misfit(spread: np.ndarray, fit_p: float, bias: np.ndarray) -> str:
    """Why the shares cannot be trusted, if so."""
    if fit_p < FIT_LEVEL:
        return (
            f"no shares of the classes explain the new scores (p = {fit_p:.2g}): cases of a class look different now, "
            "or the scores are not calibrated"
        )
    if (bias > LARGEST_BIAS * spread).any():
        return (
            f"the scores are not calibrated well enough: on labelled cases the same estimate misses the share of class "
            f"{(bias / spread).argmax()} by {bias[(bias / spread).argmax()]:.2g}"
        )
    return ""


def check_scores(scores: np.ndarray, labels: np.ndarray, new_scores: np.ndarray, alpha: float) -> None:
    """Scores are probabilities of the same classes, and each labelled case has one of them.

    Raises
    ------
    ValueError
        They are not.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    if scores.ndim != 2 or new_scores.ndim != 2 or scores.shape[1] != new_scores.shape[1] or scores.shape[1] < 2:
        raise ValueError(f"scores need one column per class, at least 2; got {scores.shape} and {new_scores.shape}")
    if labels.shape != scores.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are whole numbers, one for each of {len(scores)} labelled cases; got {labels.shape}")
    if ((labels < 0) | (labels >= scores.shape[1])).any():
        raise ValueError(f"labels lie from 0 to {scores.shape[1] - 1}, got {labels.min()} to {labels.max()}")
    for name, some in (("scores", scores), ("new_scores", new_scores)):
        wrong = np.flatnonzero(~((some >= 0).all(axis=1) & (abs(some.sum(axis=1) - 1) < SUM_TOLERANCE)))
        if len(wrong):
            raise ValueError(f"{name}, row {wrong[0]}: expected probabilities that add up to 1, got {some[wrong[0]]}")
