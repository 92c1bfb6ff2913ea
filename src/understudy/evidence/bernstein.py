"""What is the mean of numbers with known limits: bounds in closed form, at any time.

An empirical-Bernstein confidence sequence with predictable bets (Waudby-Smith & Ramdas 2024, "Estimating means of
bounded random variables by betting", J. R. Stat. Soc. B 86(1), Theorem 2). With X in [0, 1], bets λ and
ψ(λ) = (−ln(1 − λ) − λ)/4 the bounds are

    Σλx/Σλ ± (ln(2/α) + Σ 4(x − μ̂)²ψ(λ))/Σλ,

where μ̂ and λ = min(½, √(2 ln(2/α)/(σ̂² t ln(1 + t)))) come from the cases before. They are mostly wider than those
of `means`; what speaks for them is that each is a sum that can be checked by hand.
"""

from __future__ import annotations

from math import log, nan

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evidence.betting import refuse, running

LARGEST = 0.5
"""The largest bet λ."""


class BernsteinPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a mean is bounded, fixed before the first case.

    Attributes
    ----------
    alpha : float
        The chance that the bounds ever miss the mean, in (0, 1).
    low, high : float
        The limits of the values.
    """

    alpha: float
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not at {self.alpha}")
        if not -np.inf < self.low < self.high < np.inf:
            raise ValueError(f"values need finite limits, low below high; got {self.low} and {self.high}")

    @property
    def goal(self) -> float:
        """ln(2/α): both bounds share α."""
        return log(2 / self.alpha)


class BernsteinState(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the values seen, scaled to [0, 1].

    Attributes
    ----------
    rows, known : int
        Cases, and those among them with a value.
    total, squares : float
        Σx and Σ(x − μ̂)², the mean of each with the case itself.
    bets, staked, charge : float
        Σλ, Σλx and Σ4(x − μ̂)²ψ(λ), the mean of each without the case itself.
    """

    rows: int = 0
    known: int = 0
    total: float = 0.0
    squares: float = 0.0
    bets: float = 0.0
    staked: float = 0.0
    charge: float = 0.0


def fold_bernstein(state: BernsteinState, plan: BernsteinPlan, values: np.ndarray) -> BernsteinState:
    """The sums with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : BernsteinState
        Begun with `BernsteinState()`.
    plan : BernsteinPlan
    values : ndarray of shape (n,)
        Within the limits of the plan, in order; NaN where nobody looked, with the same probability everywhere.

    Raises
    ------
    ValueError
        A value lies outside its range.

    >>> plan = BernsteinPlan(alpha=0.05)
    >>> state = fold_bernstein(BernsteinState(), plan, np.tile([1.0, 0.0, 0.0, np.nan], 100))
    >>> statement = bernstein_evidence(state, plan)
    >>> statement.n, round(statement.lower, 3), round(statement.estimate, 3), round(statement.upper, 3)
    (300, 0.237, 0.333, 0.434)
    """
    outside = (values < plan.low) | (values > plan.high)
    refuse(values, outside, f"a value lies between {plan.low:g} and {plan.high:g}, or is NaN where nobody looked")
    known = (values[~np.isnan(values)] - plan.low) / (plan.high - plan.low)
    if not len(known):
        return msgspec.structs.replace(state, rows=state.rows + len(values))
    mean, spread, path = before(state, known)
    turn = state.known + np.arange(1, len(known) + 1)
    bet = np.minimum(LARGEST, np.sqrt(2 * plan.goal / (spread * turn * np.log1p(turn))))
    charge = (known - mean) ** 2 * (-np.log1p(-bet) - bet)
    start = np.array([state.bets, state.staked, state.charge])
    bets, staked, charged = running(start, np.column_stack([bet, bet * known, charge]))[-1].tolist()
    total, squares = path[-1].tolist()
    return BernsteinState(
        rows=state.rows + len(values),
        known=state.known + len(known),
        total=total,
        squares=squares,
        bets=bets,
        staked=staked,
        charge=charged,
    )


def before(state: BernsteinState, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and variance before each case, both drawn a little to those of a fair coin; and their sums after it."""
    turn = state.known + np.arange(1, len(known) + 1)
    total = running(np.array(state.total), known)
    squares = running(np.array(state.squares), (known - (0.5 + total) / (turn + 1)) ** 2)
    path = np.column_stack([total, squares])
    earlier = np.concatenate([[[state.total, state.squares]], path[:-1]])
    return (0.5 + earlier[:, 0]) / turn, (0.25 + earlier[:, 1]) / turn, path


def bernstein_evidence(state: BernsteinState, plan: BernsteinPlan) -> Evidence:
    """The mean, with bounds that hold at all times together.

    The promise assumes that the mean of each case, given those before it, is the same one.
    """
    estimate, lower, upper = nan, 0.0, 1.0
    if state.known:
        estimate = state.total / state.known
        center, reach = state.staked / state.bets, (plan.goal + state.charge) / state.bets
        lower, upper = max(0.0, center - reach), min(1.0, center + reach)
    width = plan.high - plan.low
    return Evidence(
        estimate=plan.low + width * estimate,
        lower=plan.low + width * lower,
        upper=plan.low + width * upper,
        confidence=1 - plan.alpha,
        n=state.known,
        method="empirical Bernstein",
        anytime=True,
    )
