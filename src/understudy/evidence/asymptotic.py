"""What is the mean of numbers without limits, such as rewards, costs or values over small propensities?

No bound holds exactly for such numbers. An asymptotic confidence sequence is to the confidence sequence what the
interval of the central limit theorem is to an exact one: right at all times together where enough was seen before the
first look (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, "Time-uniform central limit theory and asymptotic
confidence sequences", Ann. Stat. 52(6), section 2). With n values, their mean μ̂ and standard deviation σ̂ it is

    μ̂ ± σ̂ √(2(nρ² + 1)/(n²ρ²) · ln(√(nρ² + 1)/α)).

Rare large values break it: where one in a thousand makes the mean, the first thousands tell too small a σ̂. Numbers with
limits are better served by `means`, which is exact.
"""

from __future__ import annotations

from math import exp, inf, log, nan, sqrt

import msgspec
import numpy as np
from scipy import special

from understudy.core.evidence import Evidence
from understudy.evidence.betting import check_weights, refuse, running


class AsymptoticPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a mean is bounded, fixed before the first case.

    Attributes
    ----------
    alpha : float
        The chance, in the limit, that the bounds ever miss the mean, in (0, 1).
    best_at : int
        The number of values at which the bounds are tightest for their α.
    first : int
        The number of values before which nothing is said, at least 2.

    >>> round(AsymptoticPlan(alpha=0.05).rho, 4)
    0.0906
    """

    alpha: float
    best_at: int = 1000
    first: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not at {self.alpha}")
        if self.first < 2 or self.best_at < 1:
            raise ValueError(f"first is at least 2 and best_at at least 1; got {self.first} and {self.best_at}")

    @property
    def rho(self) -> float:
        """ρ, which makes the bounds tightest at `best_at`: √((−W₋₁(−α²/e) − 1)/n) with Lambert's W."""
        branch = float(special.lambertw(-(self.alpha**2) * exp(-1), k=-1).real)
        return sqrt((-branch - 1) / self.best_at)


class AsymptoticState(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the values.

    Attributes
    ----------
    n : int
    shift : float
        The first value, from which all are counted, so that no digits are lost.
    total, squares : float
        Of the values less the first.
    """

    n: int = 0
    shift: float = 0.0
    total: float = 0.0
    squares: float = 0.0


def fold_asymptotic(
    state: AsymptoticState, values: np.ndarray, propensity: np.ndarray | None = None
) -> AsymptoticState:
    """The sums with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : AsymptoticState
        Begun with `AsymptoticState()`.
    values : ndarray of shape (n,)
        Finite, NaN where nobody looked.
    propensity : ndarray of shape (n,), optional
        The probability with which each case was looked at, in (0, 1], fixed before it was drawn. A case then counts as
        its value over this probability, and as 0 where nobody looked (Horvitz & Thompson 1952). Left out where each
        case is known, or each with the same probability.

    Raises
    ------
    ValueError
        A value is infinite, or a propensity lies outside its range.

    >>> rewards = np.tile([2.0, 4.0, 9.0], 100)
    >>> plan = AsymptoticPlan(alpha=0.05, best_at=300)
    >>> statement = asymptotic_evidence(fold_asymptotic(AsymptoticState(), rewards), plan)
    >>> round(statement.lower, 2), statement.estimate, round(statement.upper, 2), statement.method
    (4.48, 5.0, 5.52, 'Gaussian mixture, asymptotic')
    """
    refuse(values, np.isinf(values), "a value is finite, or NaN where nobody looked")
    if propensity is None:
        counted = values[~np.isnan(values)]
    else:
        if propensity.shape != values.shape:
            raise ValueError(f"each case needs a propensity; got {values.shape} values and {propensity.shape}")
        check_weights(propensity)
        counted = np.nan_to_num(values) / propensity
    if not len(counted):
        return state
    shift = state.shift if state.n else float(counted[0])
    away = counted - shift
    sums = running(np.array([state.total, state.squares]), np.column_stack([away, away**2]))
    total, squares = sums[-1].tolist()
    return AsymptoticState(n=state.n + len(counted), shift=shift, total=total, squares=squares)


def asymptotic_evidence(state: AsymptoticState, plan: AsymptoticPlan) -> Evidence:
    """The mean, with bounds that hold, in the limit, at all times from `first` values on together.

    The promise is about values with a finite variance, each with the same mean given those before it.
    """
    n, rho = state.n, plan.rho
    estimate = state.shift + state.total / n if n else nan
    reach = inf
    if n >= plan.first:
        deviation = sqrt(max(0.0, state.squares / n - (state.total / n) ** 2))
        reach = deviation * sqrt(2 * (n * rho**2 + 1) / (n * rho) ** 2 * log(sqrt(n * rho**2 + 1) / plan.alpha))
    return Evidence(
        estimate=estimate,
        lower=estimate - reach if n else -inf,
        upper=estimate + reach if n else inf,
        confidence=1 - plan.alpha,
        n=n,
        method="Gaussian mixture, asymptotic",
        anytime=True,
    )
