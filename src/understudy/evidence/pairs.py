"""Is the challenger better than the champion, and by how much, at any time?

On every case with a known truth the difference d = ℓ_champion − ℓ_challenger lies in [−1, 1]. Where both predict the
same it is 0 without a look (its probability of being known is 1); elsewhere it is known with a logged probability
π ≥ π_min, and A·d/π has the same mean. A confidence sequence with the predictable plug-in empirical Bernstein bound
(Waudby-Smith & Ramdas 2024, J. R. Stat. Soc. B 86(1), theorem 2) holds that mean at all times together. Its width
follows the variance of the differences, which is small where the two seldom disagree. The same sums give an e-value
against any margin, for the control of false discoveries over many challengers.
"""

from __future__ import annotations

from math import log, nan

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evidence.betting import running

LARGEST_BET = 0.5
"""The truncation c of λ, 1/2 as in the paper."""


class PairPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How two versions are compared.

    Attributes
    ----------
    alpha : float
        The chance that the bounds ever miss the mean difference, in (0, 1).
    pi_min : float
        The smallest probability with which a disagreement becomes known, in (0, 1].

    >>> PairPlan(alpha=0.1)
    PairPlan(alpha=0.1, pi_min=1.0)
    """

    alpha: float
    pi_min: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and 0 < self.pi_min <= 1):
            raise ValueError(f"alpha lies in (0, 1), pi_min in (0, 1]; got {self.alpha}, {self.pi_min}")

    @property
    def price(self) -> float:
        """ln(2/α): both bounds share α."""
        return log(2 / self.alpha)


class PairState(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison has come to; x = (1 + π_min·A·d/π)/2 lies in [0, 1].

    Attributes
    ----------
    rows, known : int
        Cases, and those among them with a known difference.
    weighted : float
        ΣAd/π.
    total, spread : float
        Σx and Σ(x − μ̂)², with the running mean that includes x.
    staked, won, paid : float
        Σλ, Σλx and Σ4(x − μ̂)²ψ(λ), with the running mean before x.
    """

    rows: int = 0
    known: int = 0
    weighted: float = 0.0
    total: float = 0.0
    spread: float = 0.0
    staked: float = 0.0
    won: float = 0.0
    paid: float = 0.0


def fold_pairs(state: PairState, plan: PairPlan, difference: np.ndarray, propensity: np.ndarray) -> PairState:
    """The comparison with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : PairState
    plan : PairPlan
    difference : ndarray of shape (n,)
        ℓ_champion − ℓ_challenger in [−1, 1], NaN where it is not known, in decision order.
    propensity : ndarray of shape (n,)
        The probability with which the difference became known: 1 where both predict the same, elsewhere at least π_min.

    Raises
    ------
    ValueError
        A difference or a propensity lies outside its range.

    >>> plan = PairPlan(alpha=0.05)
    >>> state = fold_pairs(PairState(), plan, np.tile([1.0, 0.0, 0.0, 0.0], 100), np.ones(400))
    >>> statement = lead(state, plan)
    >>> round(statement.estimate, 2), round(statement.lower, 2), round(statement.upper, 2)
    (0.25, 0.17, 0.33)
    """
    if (np.abs(difference) > 1).any():
        raise ValueError("a difference of losses lies between -1 and 1, or is NaN where it is not known")
    if not ((propensity >= plan.pi_min) & (propensity <= 1)).all():
        raise ValueError(f"a difference became known with a probability below {plan.pi_min} or above 1")
    if not len(difference):
        return state
    weighted = np.nan_to_num(difference) / propensity
    x = (1 + plan.pi_min * weighted) / 2
    count = state.rows + np.arange(len(x) + 1)
    total = np.concatenate([[state.total], running(np.array(state.total), x)])
    mean = (0.5 + total) / (count + 1)
    spread = np.concatenate([[state.spread], running(np.array(state.spread), (x - mean[1:]) ** 2)])
    variance = (0.25 + spread[:-1]) / count[1:]
    bet = np.minimum(LARGEST_BET, np.sqrt(2 * plan.price / (variance * count[1:] * np.log1p(count[1:]))))
    paid = (x - mean[:-1]) ** 2 * (-np.log1p(-bet) - bet)
    start = np.array([state.weighted, state.staked, state.won, state.paid])
    sums = running(start, np.column_stack([weighted, bet, bet * x, paid]))[-1].tolist()
    return PairState(
        rows=state.rows + len(x),
        known=state.known + int((~np.isnan(difference)).sum()),
        weighted=sums[0],
        total=float(total[-1]),
        spread=float(spread[-1]),
        staked=sums[1],
        won=sums[2],
        paid=sums[3],
    )


def lead(state: PairState, plan: PairPlan) -> Evidence:
    """By how much the challenger errs less than the champion, per case; positive means that the challenger is better.

    The bounds hold at all times together. The promise assumes one constant mean difference; if it moves, they hold the
    mean of those so far, weighted by the bets.
    """
    if not state.rows:
        center, radius, estimate = 0.0, 2.0, nan
    else:
        scale = plan.pi_min / 2
        center = (state.won / state.staked - 0.5) / scale
        radius = (plan.price + state.paid) / state.staked / scale
        estimate = state.weighted / state.rows
    lower, upper = max(center - radius, -1.0), min(center + radius, 1.0)
    return Evidence(
        estimate=min(max(estimate, lower), upper) if state.rows else estimate,
        lower=lower,
        upper=upper,
        confidence=1 - plan.alpha,
        n=state.known,
        method="paired, empirical Bernstein, predictable plug-in",
        anytime=True,
    )


def log_e(state: PairState, plan: PairPlan, margin: float = 0.0) -> float:
    """The log of an e-process against "the challenger is better by no more than `margin`".

    The lower bound of `lead` exceeds the margin exactly when it exceeds ln(2/α).

    >>> plan = PairPlan(alpha=0.05)
    >>> log_e(PairState(), plan)
    0.0
    """
    return state.won - (1 + plan.pi_min * margin) / 2 * state.staked - state.paid
