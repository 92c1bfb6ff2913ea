"""How far do people agree with each other, how often do they err, and how much do they follow what they are shown?

Agreement beyond chance is 1 − D, where D is the disagreement observed over the one expected if answers were shuffled.
Its bounds come from how much each case moves ln D (the infinitesimal jackknife; Efron 1982), so that cases and not
answers count as independent; they are approximate and for one look. The error of reviewers and their anchoring are
shares of cases, with bounds that hold at all times together.
"""

from __future__ import annotations

from math import exp, log, nan, sqrt
from typing import Literal

import numpy as np
from scipy import optimize, special, stats

from understudy.core.evidence import Evidence
from understudy.evidence.betting import refuse


def cohen_kappa(first: np.ndarray, second: np.ndarray, *, alpha: float = 0.05) -> Evidence:
    """The agreement beyond chance of two reviewers who saw the same cases (Cohen 1960, Educ. Psychol. Meas. 20(1)).

    Parameters
    ----------
    first, second : ndarray of shape (n,)
        Their answers, case by case.
    alpha : float

    Raises
    ------
    ValueError
        There are not as many answers of both.

    >>> found = cohen_kappa(np.array(["pay", "pay", "no", "no"] * 20), np.array(["pay", "no", "no", "no"] * 20))
    >>> round(found.lower, 2), found.estimate, round(found.upper, 2)
    (0.3, 0.5, 0.64)
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"both reviewers answer the same cases; got {first.shape} and {second.shape} answers")
    n = len(first)
    _, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    one, other = codes[:n], codes[n:]
    ours, theirs = (np.bincount(answers, minlength=len(codes)) / max(n, 1) for answers in (one, other))
    by_chance = 1 - float(ours @ theirs)
    moves = 2 * (1 - by_chance) - theirs[one] - ours[other]
    return beyond_chance((one != other).astype(float), by_chance, moves, 1.0, alpha, "Cohen's kappa")


def fleiss_kappa(counts: np.ndarray, *, alpha: float = 0.05) -> Evidence:
    """The agreement beyond chance of several reviewers per case, who may change (Fleiss 1971, Psychol. Bull. 76(5)).

    Parameters
    ----------
    counts : ndarray of int, shape (n, k)
        How many reviewers gave each answer to each case; equally many reviewers for every case, two at least. Where
        they are not equally many, use `krippendorff_alpha`.
    alpha : float

    Raises
    ------
    ValueError
        Cases have unequally many answers, fewer than two, or negative counts.

    >>> found = fleiss_kappa(np.repeat([[3, 0], [2, 1], [0, 3], [0, 3]], 10, axis=0))
    >>> round(found.lower, 2), round(found.estimate, 2), round(found.upper, 2)
    (0.41, 0.66, 0.8)
    """
    if counts.ndim != 2:
        raise ValueError(f"expected counts of answers, cases by answers; got shape {counts.shape}")
    refuse(counts, counts < 0, "counts of answers are not negative")
    answers = counts.sum(axis=1)
    if len(counts) and not (answers.min() == answers.max() >= 2):
        raise ValueError(
            f"each case needs as many answers, two at least; there are {answers.min()} to {answers.max()}: "
            "leave some out, or use krippendorff_alpha"
        )
    pairs = answers * (answers - 1)
    differs = 1 - (counts * (counts - 1)).sum(axis=1) / pairs
    shares = counts.sum(axis=0) / max(counts.sum(), 1)
    by_chance = 1 - float(shares @ shares)
    moves = 2 * (1 - by_chance - counts @ shares / answers)
    return beyond_chance(differs, by_chance, moves, 1.0, alpha, "Fleiss' kappa")


def krippendorff_alpha(
    answers: np.ndarray,
    *,
    scale: Literal["nominal", "ordinal", "interval"] = "nominal",
    alpha: float = 0.05,
) -> Evidence:
    """The agreement beyond chance of any number of reviewers, with gaps (Krippendorff 2019, Content Analysis, ch. 12).

    Parameters
    ----------
    answers : ndarray of float, shape (n, reviewers)
        NaN where a reviewer did not see a case. Cases with one answer only do not count.
        Memory grows with the square of the number of distinct answers.
    scale : "nominal", "ordinal" or "interval"
        Whether answers differ, differ by rank, or by their squared distance.
    alpha : float
        The chance that the bounds miss, as everywhere; not the statistic.

    >>> answers = np.array([[1, 1, np.nan], [2, 2, 2], [3, 3, 3], [2, 3, 2], [1, 1, 1]] * 10)
    >>> found = krippendorff_alpha(answers)
    >>> round(found.lower, 2), round(found.estimate, 2), round(found.upper, 2), found.n
    (0.62, 0.79, 0.88, 50)
    """
    if answers.ndim != 2:
        raise ValueError(f"expected answers of cases by reviewers, got shape {answers.shape}")
    refuse(answers, np.isinf(answers), "an answer is finite, or NaN where a reviewer did not see the case")
    seen = ~np.isnan(answers)
    double = seen.sum(axis=1) >= 2
    answers, seen = answers[double], seen[double]
    values, codes = np.unique(answers[seen], return_inverse=True)
    counts = np.zeros((len(answers), len(values)))
    np.add.at(counts, (np.nonzero(seen)[0], codes), 1)
    given, total = counts.sum(axis=1), counts.sum(axis=0)
    apart, all_given = distances(values, total, scale), max(float(total.sum()), 2.0)
    weight = given * len(given) / all_given  # of a case, 1 on average
    differs = weight * ((counts @ apart) * counts).sum(axis=1) / (given * (given - 1))
    pairs = float(total @ apart @ total)
    by_chance = pairs / (all_given * (all_given - 1))
    moves = by_chance * (2 * len(given) * (counts @ apart @ total) / pairs - weight - 1) if pairs else weight
    worst = float(apart.max(initial=0.0))
    return beyond_chance(differs, by_chance, moves, worst, alpha, f"Krippendorff's alpha, {scale}")


def distances(values: np.ndarray, total: np.ndarray, scale: str) -> np.ndarray:
    """How far apart two answers are on a scale, shape (k, k); `total` counts how often each was given."""
    if scale == "nominal":
        return 1 - np.eye(len(values))
    if scale == "interval":
        return np.asarray((values[:, None] - values) ** 2)
    if scale != "ordinal":
        raise ValueError(f"the scale is nominal, ordinal or interval, not {scale!r}")
    middle = total.cumsum() - total / 2  # the mean rank of each answer
    return np.asarray((middle[:, None] - middle) ** 2)


def beyond_chance(
    differs: np.ndarray, by_chance: float, moves: np.ndarray, worst: float, alpha: float, method: str
) -> Evidence:
    """1 − D with bounds from the spread of ln D, or exact ones of a share where nobody ever disagreed.

    Parameters
    ----------
    differs : ndarray of shape (n,)
        The disagreement within each case; its mean is the observed one.
    by_chance : float
        The one that is expected.
    moves : ndarray of shape (n,)
        By how much each case moves the expected one, times n.
    worst : float
        The largest disagreement within a case.
    alpha : float
    method : str
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    n, tail = len(differs), alpha / 2
    if n < 2 or by_chance <= 0:
        return Evidence(estimate=nan, lower=-1.0, upper=1.0, confidence=1 - alpha, n=n, method=method)
    observed = float(differs.mean())
    if observed == 0:
        ratio, least, most = 0.0, 0.0, (1 - tail ** (1 / n)) * worst / by_chance
    else:
        ratio = observed / by_chance
        influence = differs / observed - 1 - moves / by_chance
        reach = float(stats.t.isf(tail, n - 1)) * sqrt(float((influence**2).sum()) / (n * (n - 1)))
        least, most = ratio * exp(-reach), ratio * exp(reach)
    return Evidence(
        estimate=1 - ratio,
        lower=max(-1.0, 1 - most),
        upper=min(1.0, 1 - least),
        confidence=1 - alpha,
        n=n,
        method=method,
    )


def reviewer_error(disagreed: int, twice: int, *, alpha: float = 0.05) -> Evidence:
    """How often a reviewer errs, from cases that two of them decided independently.

    Where two answers differ, one of them at least is wrong: so the mean error of reviewers is half their disagreement
    d or more. That is the lower bound, and assumes nothing. The estimate and the upper bound solve d = 2e(1 − e), which
    assumes that each reviewer errs with the same probability of at most 1/2 on every case, independently of the other.
    Cases that are hard for everybody, or a shared habit, break this: then errors are shared, do not show as
    disagreement, and are more frequent than the upper bound says. With more than two answers to choose from, the same
    disagreement means less error.

    The bounds hold at all times together. The cases must have been drawn, and the second review be blind to the first.

    Parameters
    ----------
    disagreed, twice : int
        Cases with differing answers among those reviewed twice.
    alpha : float

    Raises
    ------
    ValueError
        The counts contradict each other.

    >>> found = reviewer_error(18, 100)
    >>> round(found.lower, 3), round(found.estimate, 3), round(found.upper, 3)
    (0.039, 0.1, 0.204)
    """
    low, high = share_bounds(disagreed, twice, alpha)
    return Evidence(
        estimate=error_behind(disagreed / twice) if twice else nan,
        lower=low / 2,
        upper=error_behind(high) if high < 0.5 else 1.0,
        confidence=1 - alpha,
        n=twice,
        method="double reviews, beta-binomial mixture; upper bound for independent errors",
        anytime=True,
    )


def error_behind(disagreement: float) -> float:
    """The error e with 2e(1 − e) equal to the disagreement; 1/2 where it is larger than any such error explains."""
    return (1 - sqrt(max(1 - 2 * disagreement, 0.0))) / 2


def anchoring(blind_agreed: int, blind: int, assisted_agreed: int, assisted: int, *, alpha: float = 0.05) -> Evidence:
    """How much oftener people agree with the model when they see its answer: the assisted share minus the blind one.

    A positive gap means that they follow it, or that it helps them; only the truth can tell which. Whether a case is
    shown blind must be drawn without regard to the case. The bounds hold at all times together, while both shares are
    constant.

    Two e-processes, one for each share, are multiplied, and the gaps of all pairs of shares that the product does not
    refute are the bounds. That is narrower than the difference of two intervals.

    Parameters
    ----------
    blind_agreed, blind, assisted_agreed, assisted : int
        Reviews that agreed with the model's answer, and all of them, of both kinds.
    alpha : float

    Raises
    ------
    ValueError
        The counts contradict each other.

    >>> found = anchoring(160, 200, 720, 800)
    >>> round(found.lower, 3), round(found.estimate, 3), round(found.upper, 3)
    (-0.015, 0.1, 0.244)
    """
    goal = goal_of(alpha)
    for agreed, n in ((blind_agreed, blind), (assisted_agreed, assisted)):
        check_counts(agreed, n)
    lower = least_gap((blind_agreed, blind), (assisted_agreed, assisted), goal)
    upper = -least_gap((assisted_agreed, assisted), (blind_agreed, blind), goal)
    return Evidence(
        estimate=assisted_agreed / assisted - blind_agreed / blind if blind and assisted else nan,
        lower=lower,
        upper=upper,
        confidence=1 - alpha,
        n=blind + assisted,
        method="beta-binomial mixtures, two shares jointly",
        anytime=True,
    )


def share_bounds(count: int, n: int, alpha: float) -> tuple[float, float]:
    """The shares that `count` in `n` leave believable at all times together (Robbins 1970, Ann. Math. Stat. 41(5)).

    >>> low, high = share_bounds(5, 100, 0.05)
    >>> round(low, 3), round(high, 3)
    (0.007, 0.16)
    """
    check_counts(count, n)
    return believable(count, n, goal_of(alpha))


def believable(count: int, n: int, goal: float) -> tuple[float, float]:
    """The shares at which the uniform mixture of likelihood ratios is below e^goal."""
    if not n:
        return 0.0, 1.0
    middle = count / n
    if log_wealth(middle, count, n) >= goal:
        return middle, middle

    def over(share: float) -> float:
        return min(log_wealth(share, count, n), 1e300) - goal

    low = float(optimize.brentq(over, 0.0, middle)) if count else 0.0
    high = float(optimize.brentq(over, middle, 1.0)) if count < n else 1.0
    return low, high


def log_wealth(share: float, count: int, n: int) -> float:
    """The log wealth of a uniform mixture of all shares against this one; convex in the share."""
    against = special.xlogy(count, share) + special.xlogy(n - count, 1 - share)
    return float(special.betaln(count + 1, n - count + 1) - against)


def least_gap(first: tuple[int, int], second: tuple[int, int], goal: float) -> float:
    """The smallest second share minus first share that both e-processes together do not refute at e^goal."""

    def rest(count: int, n: int) -> float:
        return goal - (log_wealth(count / n, count, n) if n else 0.0)

    def gap(share: float) -> float:
        spent = log_wealth(share, *first) if first[1] else 0.0
        return believable(*second, goal - spent)[0] - share

    low, high = believable(*first, rest(*second))
    found = optimize.minimize_scalar(gap, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    return float(max(-1.0, min(found.fun, gap(low), gap(high))))


def goal_of(alpha: float) -> float:
    """The log wealth that refutes, ln(1/α)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    return -log(alpha)


def check_counts(count: int, n: int) -> None:
    """Counts are not negative, and a part is no larger than the whole."""
    if not 0 <= count <= n:
        raise ValueError(f"expected a count from 0 to {n}, the number of cases, got {count}")
