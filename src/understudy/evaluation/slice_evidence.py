"""Is a slice really worse? A test on rows that had no part in finding it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence

Control = Literal["holm", "bh"]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """By how much the mean loss inside a slice lies above that outside.

    Attributes
    ----------
    inside, outside : float
        The mean losses.
    error : float
        The standard error of their difference.
    df : float
        Its degrees of freedom.
    n : int
        How many independent observations there are inside.
    effect : float
        √2 times the difference over the root of both variances' sum.
    """

    inside: float
    outside: float
    error: float
    df: float
    n: int
    effect: float

    @property
    def estimate(self) -> float:
        """The excess."""
        return self.inside - self.outside

    @property
    def p(self) -> float:
        """Two-sided, and 1 where the slice is no worse than the rest."""
        if self.estimate <= 0:
            return 1.0
        return float(2 * stats.t.sf(self.estimate / self.error, self.df))

    def bounds(self, alpha: float) -> tuple[float, float]:
        """Where the true excess lies; each bound is wrong with a chance of half of alpha."""
        half = float(stats.t.isf(alpha / 2, self.df)) * self.error
        return self.estimate - half, self.estimate + half


def gap(
    loss: np.ndarray, inside: np.ndarray, weights: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Gap | None:
    """The excess of a slice, by Welch's t (Welch 1947, "The generalization of 'Student's' problem", Biometrika 34).

    Weights count as those of a survey, rows of one group as one observation (Liang & Zeger 1986, Biometrika 73).
    Neither side's variance counts as smaller than that of all rows: else a few rows that are all wrong would seem sure.

    Parameters
    ----------
    loss : ndarray of shape (n,)
    inside : ndarray of bool, shape (n,)
    weights : ndarray of shape (n,), optional
        Above 0.
    groups : ndarray of int, shape (n,), optional
        Each row's group, as a number from 0.

    Returns
    -------
    Gap, or None where one side holds less than two independent observations.

    >>> found = gap(np.array([1.0, 1.0, 0.0, 1.0] * 10 + [0.0, 0.0, 0.0, 1.0] * 50), np.arange(240) < 40)
    >>> round(found.estimate, 3), round(found.error, 3), found.n
    (0.5, 0.082, 40)
    """
    u = np.ones(len(loss)) if weights is None else weights / weights.mean()
    sides = [side(loss, u, groups, mask) for mask in (inside, ~inside)]
    if any(one.units < 2 for one in sides):
        return None
    least = float(u @ (loss - u @ loss / u.sum()) ** 2 / u.sum()) if np.ptp(loss) else 0.0
    parts = [max(one.square, least / one.rows) for one in sides]
    together = sum(parts)
    if groups is not None:  # one group may lie on both sides
        joint = np.bincount(groups, sides[0].pull - sides[1].pull)
        together += float(joint @ joint) - sum(one.square for one in sides)
    fewer = sum(part**2 / (one.units - 1) for part, one in zip(parts, sides, strict=True))
    both = sum(part * one.rows for part, one in zip(parts, sides, strict=True))
    apart = sides[0].mean - sides[1].mean if least else 0.0
    return Gap(
        inside=sides[1].mean + apart,
        outside=sides[1].mean,
        error=math.sqrt(together) if least else 0.0,
        df=sum(parts) ** 2 / fewer if least else 1.0,
        n=round(sides[0].units),
        effect=math.sqrt(2 / both) * apart if least else 0.0,
    )


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes
    ----------
    mean, square : float
        The mean, and its squared standard error.
    rows, units : float
        How many rows and how many independent observations of equal weight it is worth.
    pull : ndarray of shape (n,)
        By how much each row pulls the mean away from the truth; 0 on the other side.
    """

    mean: float
    square: float
    rows: float
    units: float
    pull: np.ndarray


def side(loss: np.ndarray, u: np.ndarray, groups: np.ndarray | None, mask: np.ndarray) -> Side:
    """The mean of some rows, and how it varies from group to group."""
    w = np.where(mask, u, 0.0)
    total = float(w.sum())
    if not total:
        return Side(mean=0.0, square=0.0, rows=0.0, units=0.0, pull=w)
    mean = float(w @ loss) / total
    weight = w if groups is None else np.bincount(groups, w)
    units = total**2 / float(weight @ weight)
    if units < 2:
        return Side(mean=mean, square=0.0, rows=units, units=units, pull=w)
    pull = w * (loss - mean) * (math.sqrt(units / (units - 1)) / total)
    by_unit = pull if groups is None else np.bincount(groups, pull)
    return Side(mean=mean, square=float(by_unit @ by_unit), rows=total**2 / float(w @ w), units=units, pull=pull)


def adjusted(p: np.ndarray, control: Control) -> np.ndarray:
    """P-values to be held against alpha itself, however many hypotheses there are.

    `holm`: one false discovery or more has a chance of alpha (Holm 1979, "A simple sequentially rejective multiple test
    procedure", Scand. J. Stat. 6). `bh`: of the discoveries a share of alpha is false, on average, where tests are
    independent or positively dependent (Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57).

    >>> adjusted(np.array([0.01, 0.04, 0.03]), "holm").round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    if not len(p):
        return p
    if control == "bh":
        return np.asarray(stats.false_discovery_control(p, method="bh"))
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    back = np.empty(len(p))
    back[order] = stepped
    return back


def gap_evidence(found: Gap, *, times: float, alpha: float, tested: int, above_zero: bool) -> Evidence:
    """An excess, times some number, with bounds that hold for all slices that were tested together.

    Parameters
    ----------
    found : Gap
    times : float
        What to multiply by, as the share of all cases.
    alpha : float
        The chance that any of the bounds is wrong.
    tested : int
        How many slices there are.
    above_zero : bool
        Whether Holm's procedure has shown that there is an excess; then the lower bound is 0 at least (Guilbaud 2008,
        "Simultaneous confidence regions corresponding to Holm's step-down procedure", Biometrical J. 50).
    """
    lower, upper = found.bounds(alpha / tested)
    return Evidence(
        estimate=times * found.estimate,
        lower=times * (max(lower, 0.0) if above_zero else lower),
        upper=times * upper,
        confidence=1 - alpha,
        n=found.n,
        method=f"Welch t, {tested} slices together" if tested > 1 else "Welch t",
    )
