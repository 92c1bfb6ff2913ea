"""How many labels are wrong beyond what honest doubt explains?

A label that contradicts the model may be wrong, or the case may be in doubt. Where the model is surer, honest doubt
fades; wrong labels, which do not ask how sure a model is, stay. So the chance that a label contradicts the likeliest
class is taken to be

    (1 − q)(1 − ρ/(k − 1)) + ρq,   q = σ(b·s + a_j),

where s is the log odds of the likeliest class j, b and a_j temper and shift what the model says of itself (Platt 1999;
Guo, Pleiss, Sun & Weinberger 2017), and ρ is the share of labels that were exchanged for any other of the k (as the
floor of the four-parameter logistic model, Barton & Lord 1981). If labels come from the probabilities themselves, or
from tempered ones (b ≥ 0.2), ρ is 0. Its bounds are those of the profile likelihood; at ρ = 0 they are cautious, since
ρ cannot be lower (Self & Liang 1987).

A model that has learned wrong labels has their share in its probabilities: then the likelihood sees part of it only.
So the upper bound is at least the one of a count that assumes nothing: no more labels are exchanged at random than
contradict the model where it is surest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, log

import numpy as np
from msgspec.structs import replace
from scipy import optimize, special, stats

from understudy.core.evidence import Evidence
from understudy.evidence.fixed import clopper_pearson

CELLS = 200
"""Into how many values the log odds are cut: a million rows cost no more than a thousand."""

STARTS = (0.0, 0.0005, 0.002, 0.005, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.45)
MOST = 0.9
"""The largest ρ that is tried, as a share of (k − 1)/k, where labels say nothing."""

LEAST_SLOPE = log(0.2)
"""The smallest log b: log odds that are five times too large are tempered, but none are made to say nothing.

Without this end doubt could be the same for all answers, however sure, which is what wrong labels look like.
"""

WEAK = 1e-3
"""A weak pull of temperature and shifts to what the model says, where nothing tells."""

STEPS, LEAST_STEP, ENOUGH = 60, 1e-8, 1e-5
"""Of the scoring: the most steps, the smallest share of one that is tried, and a gain at which it has arrived."""

LARGEST = 20.0
"""The largest log temperature and shift."""

SUREST = (0.1, 0.02)
"""The shares of rows, of each likeliest class, that count as the surest."""

FEWEST_SUREST, MANY_SUREST = 50, 200


@dataclass(frozen=True)
class Contradictions:
    """Of n rows how sure the model is of its likeliest class, and whether the label is another one.

    Attributes
    ----------
    odds : ndarray of shape (n,)
        The log odds of the likeliest class, at most ln n: a rarer error cannot be told from n rows.
    likeliest : ndarray of int64, shape (n,)
    off : ndarray of bool, shape (n,)
        Whether the label is another class.
    classes : int
        k.
    groups : ndarray of int64, shape (n,), optional
        Rows of one group are not independent.
    """

    odds: np.ndarray
    likeliest: np.ndarray
    off: np.ndarray
    classes: int
    groups: np.ndarray | None = None


@dataclass
class Profile:
    """The likelihood of ρ, all else at its likeliest.

    Attributes
    ----------
    n : int
    classes : int
    odds, kind, wrong, right : ndarray of shape (cells,)
        Cells of equal likeliest class and about equal log odds: both, and how many rows contradict it or not.
    inflation : float
        By how much dependent rows inflate differences of the log likelihood.
    """

    n: int
    classes: int
    odds: np.ndarray
    kind: np.ndarray
    wrong: np.ndarray
    right: np.ndarray
    inflation: float = 1.0
    known: dict[float, tuple[float, np.ndarray]] = field(default_factory=dict)

    @property
    def most(self) -> float:
        """The largest ρ that is tried."""
        return MOST * (self.classes - 1) / self.classes

    def at(self, rho: float) -> float:
        """The log likelihood at a ρ, over the inflation."""
        return self.fitted(rho)[0] / self.inflation

    def fitted(self, rho: float) -> tuple[float, np.ndarray]:
        """The log likelihood at a ρ, and the logarithm of the temperature with the shifts at which it is reached.

        Fisher scoring, begun at the nearest ρ that is known; a step that does not help is halved.
        """
        if rho not in self.known:
            near = min(self.known, key=lambda other: abs(other - rho), default=None)
            shape = np.zeros(self.classes + 1) if near is None else self.known[near][1]
            loss, step = self.scored(shape, rho)
            size, taken = 1.0, 0
            while size > LEAST_STEP and taken < STEPS:
                tried = np.clip(shape - size * step, -LARGEST, LARGEST)
                tried[0] = max(tried[0], LEAST_SLOPE)
                after, next_step = self.scored(tried, rho)
                gained = loss - after
                if gained < 0:
                    size /= 4
                    continue
                shape, loss, step, size, taken = tried, after, next_step, 1.0, taken + 1
                if gained < ENOUGH:
                    break
            self.known[rho] = (-loss, shape)
        return self.known[rho]

    def scored(self, shape: np.ndarray, rho: float) -> tuple[float, np.ndarray]:
        """Minus the log likelihood, with the weak pull, and the step of Fisher scoring that is to be subtracted."""
        slope = float(np.exp(shape[0]))
        sure = special.expit(slope * self.odds + shape[1:][self.kind])
        off = np.clip(contradicted(sure, rho, self.classes), 1e-12, 1 - 1e-12)
        fit = float(self.wrong @ np.log(off) + self.right @ np.log1p(-off))
        moves = (rho / (self.classes - 1) + rho - 1) * sure * (1 - sure)
        by_off = -(self.wrong / off - self.right / (1 - off)) * moves
        known = (self.wrong + self.right) / (off * (1 - off)) * moves**2
        tilt = slope * self.odds
        gradient = np.concatenate([[by_off @ tilt], np.bincount(self.kind, by_off, minlength=self.classes)])
        shifts = np.bincount(self.kind, known, minlength=self.classes) + WEAK
        both = np.bincount(self.kind, known * tilt, minlength=self.classes)
        gradient += WEAK * shape
        # the information is an arrow: one row and column for the temperature, a diagonal for the shifts
        left = float(known @ tilt**2) + WEAK - float(both @ (both / shifts))
        first = (gradient[0] - float(both @ (gradient[1:] / shifts))) / max(left, WEAK)
        if shape[0] <= LEAST_SLOPE and first > 0:
            first = 0.0
        step = np.concatenate([[first], (gradient[1:] - both * first) / shifts])
        return WEAK * float(shape @ shape) / 2 - fit, step


@dataclass(frozen=True)
class Chance:
    """What wrong labels and what honest doubt explain.

    Attributes
    ----------
    wrong : Evidence
        The share of wrong labels; the lower bound is above 0 only where honest doubt does not explain them.
    surest : Evidence
        How often labels contradict the model where it is surest.
    profile : Profile
    """

    wrong: Evidence
    surest: Evidence
    profile: Profile

    def sure(self, rows: Contradictions, rho: float) -> np.ndarray:
        """How likely each row's likeliest class is to be right if a share ρ of labels is wrong, shape (n,)."""
        shape = self.profile.fitted(rho)[1]
        return np.asarray(special.expit(np.exp(shape[0]) * rows.odds + shape[1:][rows.likeliest]))

    def wrong_chance(self, rows: Contradictions, rho: float) -> np.ndarray:
        """How likely each label is wrong and the likeliest class right, shape (n,); 0 where they are the same."""
        sure = self.sure(rows, rho)
        off = np.maximum(contradicted(sure, rho, rows.classes), 1e-12)
        return np.where(rows.off, rho * sure / off, 0.0)


def contradicted(sure: np.ndarray, rho: float, classes: int) -> np.ndarray:
    """The chance that a label is not the likeliest class, which is right with the chance `sure`."""
    return (1 - sure) * (1 - rho / (classes - 1)) + rho * sure


def contradictions(y: np.ndarray, probabilities: np.ndarray, groups: np.ndarray | None = None) -> Contradictions:
    """Where labels are not what the model finds likeliest.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
    probabilities : ndarray of shape (n, k)
    groups : ndarray of shape (n,), optional
    """
    n, k = probabilities.shape
    likeliest = probabilities.argmax(axis=1)
    sure = np.clip(probabilities.max(axis=1), 0.5 / k, 1 - 1 / (n + 1))
    codes = None if groups is None else np.unique(groups, return_inverse=True)[1]
    return Contradictions(odds=special.logit(sure), likeliest=likeliest, off=likeliest != y, classes=k, groups=codes)


def beyond_doubt(rows: Contradictions, *, alpha: float = 0.05) -> Chance:
    """The share of wrong labels beyond what honest doubt explains, with bounds.

    Parameters
    ----------
    rows : Contradictions
    alpha : float

    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(0.3, 0.3, 4000)
    >>> honest = (rng.random(4000) < p).astype(int)
    >>> flipped = np.where(rng.random(4000) < 0.05, 1 - honest, honest)
    >>> both = np.stack([1 - p, p], axis=1)
    >>> found = [beyond_doubt(contradictions(y, both)).wrong for y in (honest, flipped)]
    >>> [(round(one.lower, 3), one.upper > 0.05) for one in found]
    [(0.0, False), (0.033, True)]
    """
    profile = profile_of(rows)
    best = likeliest_share(profile)
    profile.inflation = inflation(rows, profile, best)
    limit = profile.at(best) - float(stats.chi2.isf(alpha, 1)) / 2
    lower = 0.0 if profile.at(0.0) >= limit else crossing(profile, limit, 0.0, best)
    upper = profile.most if profile.at(profile.most) >= limit else crossing(profile, limit, best, profile.most)
    least = surest(rows, alpha=alpha)
    wrong = Evidence(
        estimate=best if lower > 0 else 0.0,
        lower=lower,
        upper=max(upper, min(least.upper, profile.most)),
        confidence=1 - alpha,
        n=units(rows),
        method="tempered likelihood with exchanged labels; upper bound at least that of the surest rows",
    )
    return Chance(wrong=wrong, surest=least, profile=profile)


def profile_of(rows: Contradictions) -> Profile:
    """The rows in cells of about equal log odds."""
    edges = np.unique(np.quantile(rows.odds, np.linspace(0, 1, CELLS + 1)[1:-1]))
    cell = rows.likeliest * (len(edges) + 1) + np.searchsorted(edges, rows.odds, side="left")
    size = rows.classes * (len(edges) + 1)
    n = np.bincount(cell, minlength=size)
    filled = n > 0
    odds = np.bincount(cell, rows.odds, minlength=size)[filled] / n[filled]
    wrong = np.bincount(cell, rows.off, minlength=size)[filled]
    kind = np.flatnonzero(filled) // (len(edges) + 1)
    return Profile(n=len(rows.odds), classes=rows.classes, odds=odds, kind=kind, wrong=wrong, right=n[filled] - wrong)


def likeliest_share(profile: Profile) -> float:
    """The ρ of the largest likelihood."""
    tried = [start for start in STARTS if start < profile.most] + [profile.most]
    fits = [profile.at(start) for start in tried]
    place = int(np.argmax(fits))
    low, high = tried[max(place - 1, 0)], tried[min(place + 1, len(tried) - 1)]
    found = optimize.minimize_scalar(
        lambda rho: -profile.at(float(rho)), bounds=(low, high), method="bounded", options={"xatol": 1e-3 * high}
    )
    return float(found.x) if -float(found.fun) > fits[place] else tried[place]


def crossing(profile: Profile, limit: float, low: float, high: float) -> float:
    """Where the likelihood crosses a limit."""

    def over(rho: float) -> float:
        return profile.at(float(rho)) - limit

    return float(optimize.brentq(over, low, high, xtol=1e-5, rtol=1e-3))


def inflation(rows: Contradictions, profile: Profile, rho: float) -> float:
    """By how much rows that are not independent spread the likelihood's slope in ρ; 1 where they are.

    Differences of the log likelihood are divided by it (Chandler & Bate 2007, Biometrika 94(1)).
    """
    if rows.groups is None:
        return 1.0
    shape = profile.fitted(rho)[1]
    sure = special.expit(np.exp(shape[0]) * rows.odds + shape[1:][rows.likeliest])
    off = np.clip(contradicted(sure, rho, rows.classes), 1e-9, 1 - 1e-9)
    slope = (sure - (1 - sure) / (rows.classes - 1)) * (rows.off - off) / (off * (1 - off))
    together = np.bincount(rows.groups, slope)
    alone = float(np.sum(slope**2))
    return max(1.0, float(np.sum(together**2)) / alone) if alone else 1.0


def units(rows: Contradictions) -> int:
    """How many independent observations there are."""
    return len(rows.odds) if rows.groups is None else int(rows.groups.max()) + 1


def surest(rows: Contradictions, *, alpha: float = 0.05) -> Evidence:
    """How often labels contradict the model where it is surest: the surest tenth of each likeliest class.

    If labels are exchanged without regard to the case, no more of them are than this upper bound. Of many rows the
    surest fiftieth is looked at, too, and the lower bound of both is taken, each with half of `alpha`.
    """
    n = len(rows.odds)
    tried = [share for share in SUREST if share == SUREST[0] or share * n >= MANY_SUREST]
    found = [contradicted_among(rows, share, alpha / len(tried)) for share in tried]
    return replace(min(found, key=lambda one: one.upper), confidence=1 - alpha)


def contradicted_among(rows: Contradictions, share: float, alpha: float) -> Evidence:
    """How often labels contradict the model in the surest share of each likeliest class."""
    order = np.lexsort((-rows.odds, rows.likeliest))
    sizes = np.bincount(rows.likeliest, minlength=rows.classes)
    least = min(1.0, max(share, FEWEST_SUREST / len(rows.odds)))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    chosen = np.concatenate(
        [order[start : start + ceil(least * size)] for start, size in zip(starts, sizes, strict=True)]
    )
    n = len(chosen)
    effective = n if rows.groups is None else len(np.unique(rows.groups[chosen]))
    observed = float(rows.off[chosen].mean())
    known = clopper_pearson(round(observed * effective), effective, alpha=alpha)
    return Evidence(
        estimate=observed,
        lower=min(known.lower, observed),
        upper=max(known.upper, observed),
        confidence=1 - alpha,
        n=effective,
        method="Clopper–Pearson over the surest rows of each class",
    )
