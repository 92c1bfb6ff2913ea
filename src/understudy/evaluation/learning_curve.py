"""How the error falls with the number of training rows, and what twice as many would be worth.

Learning curves of well-behaved models fall like a power law with a floor (Viering & Loog 2022, "The shape of learning
curves: a review", section 4),

    e(n) = a + b·n^−c,   b ≥ 0, 0 < c ≤ 1.5.

With c near 0 and a below 0 it falls like a logarithm, as where no floor is in sight; a is therefore not held to be an
error that could be. (Held at 0 or above, the bounds missed in 9 % of simulated runs where the truth is a law without a
floor, instead of in 5 %.)

Models fitted on n rows are judged on the same test rows. What they show differs from e(n) by the luck of the test rows,
which the fits share, and by the luck of their training rows, which they don't, as draws of one size have no row in
common. Both are estimated, and the law is fitted by generalised least squares. Its parameters are poorly known each by
itself, so what follows from them is bounded by profile likelihood: every value for which some law with that value fits
not much worse than the best one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evaluation.changes import percents
from understudy.evaluation.intervals import bootstrap_weights, group_codes, independent
from understudy.evaluation.measures import METRICS
from understudy.evaluation.words import bounds

POWERS = np.geomspace(0.02, 1.5, 120)
STEPS = 400
BAND, BAND_STEPS, BAND_POWERS = 25, 200, 5
"""The band is drawn at so many places, and searched more coarsely: so many values, and every fifth power."""
DRAWS = 200
FEWEST_SIZES, FEWEST_FITS = 4, 6
FURTHEST = 8
"""A law is not continued to more than so many times the rows that it was seen on."""
MISFIT = 0.01
TINY = 1e-12


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of the fits on `rows` rows, with bounds for what such fits show on average, and how many there are."""

    rows: int
    value: float
    lower: float
    upper: float
    draws: int


class CurveBand(msgspec.Struct, frozen=True, kw_only=True):
    """The fitted law at a number of rows, with bounds for this place by itself."""

    rows: int
    value: float
    lower: float
    upper: float


class LearningCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Error against training rows.

    Attributes
    ----------
    metric : str
        "error", or the metric of the task, turned round so that less is better where more is.
    title : str
        The same for people.
    rows : int
        How many rows the model learns from now.
    points : tuple of CurvePoint
    band : tuple of CurveBand
        The law from the fewest rows to twice as many as there are; empty where it was not fitted.
    doubling : Evidence, optional
        By how much twice the rows would lower the error, at least 0; None where that cannot be told.
    floor, scale, power : float
        a, b and c of the law; 0 where it was not fitted.
    reason : str
        Why nothing can be told.
    """

    metric: str
    title: str
    rows: int
    points: tuple[CurvePoint, ...]
    band: tuple[CurveBand, ...] = ()
    doubling: Evidence | None = None
    floor: float = 0.0
    scale: float = 0.0
    power: float = 0.0
    reason: str = ""

    @property
    def level(self) -> float:
        """What the law says at the rows that there are; what the last point shows where there is no law."""
        return self.floor + self.scale * self.rows**-self.power if self.band else self.points[-1].value

    @property
    def words(self) -> str:
        """What twice the data would be worth, in a sentence."""
        if self.doubling is None:
            return f"What more rows would be worth cannot be told: {self.reason}."
        by = percents(self.doubling) if self.metric == "error" else bounds(self.doubling)
        what = self.title.replace("Distance", "distance") if self.metric != "error" else "error"
        said = f"Twice the {self.rows:,} rows would lower the {what} by {by}"
        tested = self.points[-1].rows
        far = f", extrapolated from fits on at most {tested:,} rows" if self.rows > 1.5 * tested else ""
        guess = f"{self.doubling.estimate:.2%}" if self.metric == "error" else f"{self.doubling.estimate:.2g}"
        return f"{said} (best guess {guess}){far}."


@dataclass(frozen=True)
class Law:
    """What is known of a law: the sums that its misfit is made of, and how large a misfit is believable.

    Attributes
    ----------
    rows, values : ndarray of shape (m,)
        Each fit's rows and what it showed.
    inverse : ndarray of shape (m, m)
        Of the covariance of the values.
    freedom : int
        How many degrees of freedom the spread between draws was estimated with.
    confidence : float
    """

    rows: np.ndarray
    values: np.ndarray
    inverse: np.ndarray
    freedom: int
    confidence: float

    @property
    def falls(self) -> np.ndarray:
        """n^−c for each power and each fit, of shape (p, m)."""
        return np.asarray(self.rows ** -POWERS[:, None])

    @property
    def tolerated(self) -> float:
        """By how much a believable law may fit worse than the best one."""
        return float(stats.f.ppf(self.confidence, 1, self.freedom))

    def of_drop(self, n: int, drops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Misfit, a and b of the best law for each power and each drop e(n) − e(2n), of shape (p, d)."""
        gone = float(n) ** -POWERS * (1 - 2**-POWERS)
        b = drops[None] / gone[:, None]
        left, ones = self.inverse @ self.values, self.inverse.sum(axis=1)
        falls = self.falls
        bent = falls @ self.inverse
        ee, e1, eu = self.values @ left, left.sum(), (falls @ left)[:, None]
        u1, uu = (falls @ ones)[:, None], np.sum(bent * falls, axis=1)[:, None]
        a = (e1 - b * u1) / ones.sum()
        misfit = ee - 2 * a * e1 - 2 * b * eu + a**2 * ones.sum() + 2 * a * b * u1 + b**2 * uu
        return misfit, a, b

    def of_value(self, n: float, values: np.ndarray) -> np.ndarray:
        """Misfit of the best law through each value at n rows, of shape (v,)."""
        some = slice(None, None, BAND_POWERS)
        here = n ** -POWERS[some]
        bend = self.falls[some] - here[:, None]
        bent = bend @ self.inverse
        off = self.values[None] - values[:, None]
        straight = np.sum((off @ self.inverse) * off, axis=1)
        along, square = bent @ off.T, np.sum(bent * bend, axis=1)[:, None]
        b = np.maximum(along / np.maximum(square, TINY), 0.0)
        return np.asarray((straight[None] - 2 * b * along + b**2 * square).min(axis=0))


def drawn_rows(
    n: int, sizes: Sequence[int], draws: int, seed: int, groups: np.ndarray | None = None
) -> list[np.ndarray]:
    """Training rows of each size, in increasing order of size: draws of one size have no row in common.

    Parameters
    ----------
    n : int
        How many rows there are to draw from.
    sizes : sequence of int
        At most n each.
    draws : int
        How many draws of each size are wanted; there are as many as fit.
    seed : int
    groups : ndarray of shape (n,), optional
        Rows of one group stand together as far as a size allows.

    >>> [len(rows) for rows in drawn_rows(100, [25, 50, 100], 3, seed=0)]
    [25, 25, 25, 50, 50, 100]
    """
    generator = np.random.default_rng(seed)
    made = []
    for size in sorted(sizes):
        if groups is None:
            order = generator.permutation(n)
        else:
            units, member = group_codes(groups)
            order = np.lexsort((generator.random(n), generator.permutation(units)[member]))
        made += [np.sort(order[k * size : (k + 1) * size]) for k in range(min(draws, n // size))]
    return made


def error_curve(
    rows: Sequence[int], losses: np.ndarray, *, now: int, groups: np.ndarray | None = None, confidence: float = 0.95
) -> LearningCurve:
    """The error rate against training rows.

    Parameters
    ----------
    rows : sequence of int, length m
        How many rows each of m models learned from.
    losses : ndarray of shape (m, t)
        What each of them lost on each of t test rows, in [0, 1].
    now : int
        How many rows the model learns from that all this is about.
    groups : ndarray of shape (t,), optional
        Test rows of one group are not independent.
    confidence : float

    >>> rng = np.random.default_rng(0)
    >>> rows = [100, 100, 200, 200, 400, 400, 800]
    >>> losses = [rng.random(4000) < 0.1 + 3 / n for n in rows]
    >>> found = error_curve(rows, np.array(losses, dtype=float), now=800)
    >>> found.doubling.lower < 3 / 800 - 3 / 1600 < found.doubling.upper
    True
    """
    losses = np.asarray(losses, dtype=np.float64)
    if losses.ndim != 2 or len(losses) != len(rows) or losses.shape[1] < 2 or not np.isfinite(losses).all():
        raise ValueError(f"losses are of shape ({len(rows)}, t) with t ≥ 2, without NaN; got {losses.shape}")
    off = losses - losses.mean(axis=1, keepdims=True)
    units = losses.shape[1]
    if groups is not None:
        units, member = group_codes(groups)
        off = np.stack([np.bincount(member, one, minlength=units) for one in off])
    spread = off @ off.T / losses.shape[1] ** 2 * (units / max(1, units - 1))
    return fitted_curve(
        np.array(rows),
        losses.mean(axis=1),
        spread,
        metric="error",
        title="Error",
        now=now,
        n=units,
        confidence=confidence,
    )


def metric_curve(
    name: str,
    rows: Sequence[int],
    y: np.ndarray,
    scores: Sequence[np.ndarray],
    *,
    now: int,
    groups: np.ndarray | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> LearningCurve:
    """A metric of the task against training rows; one of which more is better as its distance from 1.

    Parameters
    ----------
    name : str
        A key of `METRICS`.
    rows : sequence of int, length m
    y : ndarray of shape (t,)
    scores : sequence of m ndarrays of shape (t, k)
    now, groups, confidence
        As in `error_curve`.
    seed : int
        Of the bootstrap that tells how the metric varies with the test rows.
    """
    metric = METRICS[name]
    prepared = [metric.prepare(y, one) for one in scores]
    drawn = np.array([[one(w) for one in prepared] for w in bootstrap_weights(len(y), DRAWS, seed, groups)])
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    values = np.array([one(np.ones(len(y))) for one in prepared])
    title = f"Distance of {metric.title} from 1" if metric.greater_is_better else metric.title
    enough = len(drawn) > 2 * len(values)
    spread = np.atleast_2d(np.cov(drawn.T)) if enough else np.full((len(values),) * 2, np.nan)
    return fitted_curve(
        np.array(rows),
        1 - values if metric.greater_is_better else values,
        spread,
        metric=name,
        title=title,
        now=now,
        n=independent(len(y), groups),
        confidence=confidence,
    )


def fitted_curve(
    rows: np.ndarray,
    values: np.ndarray,
    spread: np.ndarray,
    *,
    metric: str,
    title: str,
    now: int,
    n: int,
    confidence: float,
) -> LearningCurve:
    """The law through what m fits showed; `spread` of shape (m, m) is how that varies with the test rows."""
    order = np.argsort(rows, kind="stable")
    rows, values, spread = rows[order], values[order], spread[np.ix_(order, order)]
    sizes = np.unique(rows)
    bare = LearningCurve(metric=metric, title=title, rows=now, points=())
    if not (np.isfinite(spread).all() and np.isfinite(values).all()):
        return msgspec.structs.replace(bare, reason=f"the {title.lower()} is not defined on these rows")
    noise, freedom = training_noise(rows, values, spread)
    covariance = spread + np.diag(noise / rows)
    points = tuple(curve_point(int(size), values, rows == size, covariance, confidence) for size in sizes)
    bare = msgspec.structs.replace(bare, points=points)
    if len(sizes) < FEWEST_SIZES or len(rows) < FEWEST_FITS or freedom < 1:
        return msgspec.structs.replace(
            bare,
            reason=f"{len(rows)} fits at {len(sizes)} sizes are too few ({FEWEST_FITS} at {FEWEST_SIZES} are needed)",
        )
    if now > FURTHEST * sizes[-1]:
        far = f"models were fitted on at most {sizes[-1]:,} rows, and it learns from {now:,}"
        return msgspec.structs.replace(bare, reason=far)
    regular = covariance + np.eye(len(rows)) * (TINY + 1e-6 * np.trace(covariance) / len(rows))
    law = Law(rows.astype(np.float64), values, np.linalg.inv(regular), freedom, confidence)
    return through(law, bare, now, n)


def training_noise(rows: np.ndarray, values: np.ndarray, spread: np.ndarray) -> tuple[float, int]:
    """What draws of one size differ by beyond the luck of the test rows, times the size, and its degrees of freedom.

    The variance is taken to fall like 1/n. Where models get steady faster, it is overstated where rows are many.
    """
    total, freedom = 0.0, 0
    for size in np.unique(rows):
        same = np.flatnonzero(rows == size)
        m = len(same)
        if m > 1:
            block = spread[np.ix_(same, same)]
            luck = (np.trace(block) - block.sum() / m) / (m - 1)
            total += (m - 1) * size * (float(np.var(values[same], ddof=1)) - luck)
            freedom += m - 1
    return max(0.0, total / freedom) if freedom else 0.0, freedom


def curve_point(
    size: int, values: np.ndarray, there: np.ndarray, covariance: np.ndarray, confidence: float
) -> CurvePoint:
    """The mean of the fits of one size."""
    m = int(there.sum())
    value = float(values[there].mean())
    half = float(stats.norm.ppf((1 + confidence) / 2) * np.sqrt(covariance[np.ix_(there, there)].sum()) / m)
    return CurvePoint(rows=size, value=value, lower=max(0.0, value - half), upper=value + half, draws=m)


def through(law: Law, bare: LearningCurve, now: int, n: int) -> LearningCurve:
    """The curve with its law, its band and what doubling is worth, unless no law fits."""
    highest = 1.2 * float(law.values.max()) + TINY
    drops = np.linspace(0, 1, STEPS) ** 2 * highest
    misfit, a, b = law.of_drop(now, drops)
    power, place = np.unravel_index(int(misfit.argmin()), misfit.shape)
    best = float(misfit[power, place])
    beyond = len(law.rows) - 3
    if beyond > 0 and stats.f.sf(best / beyond, beyond, law.freedom) < MISFIT:
        return msgspec.structs.replace(bare, reason="the errors do not follow a power law")
    believed = drops[misfit.min(axis=0) <= best + law.tolerated]
    floor, scale = float(a[power, place]), float(b[power, place])
    c = float(POWERS[power])
    doubling = Evidence(
        estimate=float(drops[place]),
        lower=float(believed.min()),
        upper=float(believed.max()),
        confidence=law.confidence,
        n=n,
        method="power law, profile likelihood",
    )
    sizes = np.unique(np.geomspace(law.rows.min(), 2 * now, BAND).round().astype(int))
    band = []
    grid = np.linspace(0, highest, BAND_STEPS)
    for size in sizes.tolist():
        fits = grid[law.of_value(float(size), grid) <= best + law.tolerated]
        value = max(0.0, floor + scale * size**-c)
        low, high = (float(fits.min()), float(fits.max())) if len(fits) else (value, value)
        band.append(CurveBand(rows=size, value=value, lower=min(low, value), upper=max(high, value)))
    return msgspec.structs.replace(bare, band=tuple(band), doubling=doubling, floor=floor, scale=scale, power=c)
