"""Would another seed or another fold have given another model?"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from scipy import special

from understudy.core.evidence import Evidence
from understudy.evaluation.slice_evidence import side
from understudy.evidence.fixed import clopper_pearson

FEWEST = 2


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One fold: its rows, and the mean loss of the model that did not see them, with 95 % bounds."""

    n: int
    loss: Evidence


class FoldSpread(msgspec.Struct, frozen=True, kw_only=True):
    """Whether folds differ by more than their rows' chance explains.

    Attributes
    ----------
    folds : tuple of Fold
    mean : float
        The mean loss over all folds, by their certainty.
    q, p : float
        Cochran's Q, and its p-value for no difference between folds.
    between : float
        The standard deviation of the true mean losses of folds; 0 where chance explains all of the spread.
    """

    folds: tuple[Fold, ...]
    mean: float
    q: float
    p: float
    between: float


class Churn(msgspec.Struct, frozen=True, kw_only=True):
    """How two models differ that were fitted alike, but for their seeds.

    Attributes
    ----------
    changed : Evidence
        The share of cases with another answer (a number: apart by more than the tolerance).
    errors : tuple of float
        How often each is wrong.
    seeds : tuple of int
    """

    changed: Evidence
    errors: tuple[float, float]
    seeds: tuple[int, int]


class Stability(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model's stability; None where nothing was measured."""

    spread: FoldSpread | None = None
    churn: Churn | None = None


def fold_spread(loss: np.ndarray, folds: np.ndarray, groups: np.ndarray | None = None) -> FoldSpread | None:
    """Do folds differ beyond chance, given each row's loss by the model that did not see it?

    Cochran's Q with the variance of all rows in each fold, which for losses of 0 and 1 is the χ² test of homogeneity
    (Cochran 1954, "The combination of estimates from different experiments", Biometrics 10); what lies between folds by
    DerSimonian & Laird 1986, Control. Clin. Trials 7. Folds in time differ also because the world does.

    Parameters
    ----------
    loss : ndarray of shape (n,)
        NaN where there is none.
    folds : ndarray of int64, shape (n,)
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent; no group lies in two folds.

    Returns
    -------
    FoldSpread, or None with less than two folds of two independent rows.

    >>> wrong = np.array([1.0] * 10 + [0.0] * 90 + [1.0] * 30 + [0.0] * 70)
    >>> found = fold_spread(wrong, np.repeat([0, 1], 100))
    >>> round(found.q, 2), round(found.p, 5), round(found.between, 3)
    (12.5, 0.00041, 0.136)
    """
    known = np.isfinite(loss)
    loss, folds = loss[known], folds[known]
    clusters = None if groups is None else np.unique(groups[known], return_inverse=True)[1]
    sides = [side(loss, np.ones(len(loss)), clusters, folds == fold) for fold in np.unique(folds)]
    sides = [one for one in sides if one.units >= FEWEST]
    if len(sides) < FEWEST:
        return None
    means, sizes = np.array([one.mean for one in sides]), np.array([one.units for one in sides])
    rows = np.array([one.rows for one in sides])
    spread = float(loss.var())
    if clusters is not None:  # what one cluster is worth, from all folds together
        spread = float(np.sum([one.square * one.units * (one.units - 1) for one in sides]) / np.sum(sizes - 1))
    variances = spread / (sizes if clusters is not None else rows)
    weights = 1 / variances if spread else np.ones(len(sides))
    mean = float(weights @ means / weights.sum())
    q = float(weights @ (means - mean) ** 2) if spread else 0.0
    df = len(sides) - 1
    excess = (q - df) / float(weights.sum() - weights @ weights / weights.sum()) if spread else 0.0
    told = tuple(
        Fold(n=round(row), loss=fold_evidence(one.mean, variance, units))
        for one, variance, units, row in zip(sides, variances.tolist(), sizes.tolist(), rows.tolist(), strict=True)
    )
    return FoldSpread(
        folds=told, mean=mean, q=q, p=float(special.chdtrc(df, q)), between=float(np.sqrt(max(0.0, excess)))
    )


def fold_evidence(mean: float, variance: float, units: float) -> Evidence:
    """One fold's mean loss."""
    half = -float(special.stdtrit(units - 1, 0.025)) * float(np.sqrt(variance))
    return Evidence(
        estimate=mean, lower=mean - half, upper=mean + half, confidence=0.95, n=round(units), method="Student's t"
    )


def churn(
    refit: Callable[[int], np.ndarray], y: np.ndarray, *, seeds: tuple[int, int], tolerance: float | None = None
) -> Churn:
    """How many answers another seed changes (Milani Fard, Cormier, Canini & Gupta 2016, "Launch and iterate", NIPS 29).

    Parameters
    ----------
    refit : callable
        From a seed to the scores, of shape (n, k) or (n, 1), of a model that was fitted with it, on cases that neither
        model was fitted on.
    y : ndarray of shape (n,)
        Class indices or numbers.
    seeds : tuple of two int
    tolerance : float, optional
        For numbers.

    Raises
    ------
    ValueError
        Both seeds are the same, or there are no cases.

    >>> def refit(seed):
    ...     return np.random.default_rng(seed).dirichlet([1, 1], 1000)
    >>> round(churn(refit, np.zeros(1000, dtype=int), seeds=(0, 1)).changed.estimate, 2)
    0.51
    """
    if seeds[0] == seeds[1] or not len(y):
        raise ValueError(f"churn needs two different seeds and one case at least; got {seeds} and {len(y)} cases")
    one, other = (answers(refit(seed), tolerance) for seed in seeds)
    changed = int(differ(one, other, tolerance).sum())
    return Churn(
        changed=clopper_pearson(changed, len(y)),
        errors=(float(differ(one, y, tolerance).mean()), float(differ(other, y, tolerance).mean())),
        seeds=seeds,
    )


def answers(scores: np.ndarray, tolerance: float | None) -> np.ndarray:
    """Class indices or numbers."""
    return np.asarray(scores.argmax(axis=1) if tolerance is None else scores[:, 0])


def differ(one: np.ndarray, other: np.ndarray, tolerance: float | None) -> np.ndarray:
    """Where answers are not the same."""
    return np.asarray(one != other if tolerance is None else ~(np.abs(one - other) <= tolerance))
