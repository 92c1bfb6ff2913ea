"""Is the challenger better than the champion, and by how much, at any time?

On every case with a known truth the difference d = ℓ_champion − ℓ_challenger lies in [−1, 1]. Where both predict the
same it is 0 without a look, with a probability of being known of 1; elsewhere it is known with a logged probability
π ≥ π_min. For each m of a grid a gambler bets against "the challenger is better by at most m", another against "by at
least m"; the leads that neither refutes are the bounds (a betting confidence sequence; Waudby-Smith & Ramdas 2024,
J. R. Stat. Soc. B 86(1), section 4, with a fixed mixture of bets). What the first gambler owns at the margin is an
e-value for the control of false discoveries over many challengers.

The champion may be a person: then the truth has to come from somewhere else, an outcome or a second, blind reviewer.
With a margin below 0 the question is whether the challenger is not worse by more than that (non-inferiority).

In simulations it finds a lead with a half to two thirds of the cases that the empirical Bernstein sequence of the same
paper takes.
"""

from __future__ import annotations

from math import log, nan

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evidence.betting import (
    check_bets,
    check_weights,
    chunks,
    log_gains,
    log_mixed,
    nested,
    refuse,
    running,
    summed,
)

BETS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""A bet f is about the best one where the lead is f times the mean square of the differences."""

STEPS = (
    *(0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.07),
    *(0.08, 0.1, 0.12, 0.14, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
)
"""How far from the margin leads are tested, on both sides."""


class PairPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How two versions are compared.

    Attributes
    ----------
    alpha : float
        The chance that the bounds ever miss the mean difference, in (0, 1).
    margin : float
        The lead that decides, in (−1, 1); −0.01 asks that the challenger errs at most once more in 100 cases.
    bets : tuple of float
        Shares of the largest bet.
    shares : tuple of float
        What each bet begins with.
    steps : tuple of float
        Positive and increasing.

    >>> PairPlan(alpha=0.1, margin=0.01, steps=(0.02, 0.5, 0.995)).leads
    (-0.985, -0.49, -0.01, 0.01, 0.03, 0.51)
    """

    alpha: float
    margin: float = 0.0
    bets: tuple[float, ...] = BETS
    shares: tuple[float, ...] = (1 / len(BETS),) * len(BETS)
    steps: tuple[float, ...] = STEPS

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and -1 < self.margin < 1):
            raise ValueError(f"alpha lies in (0, 1), margin in (-1, 1); got {self.alpha}, {self.margin}")
        check_bets(self.bets, self.shares)

    @property
    def leads(self) -> tuple[float, ...]:
        """The leads that are tested, increasing."""
        signed = (*(-step for step in reversed(self.steps)), 0.0, *self.steps)
        return tuple(self.margin + step for step in signed if -1 < self.margin + step < 1)

    @property
    def goal(self) -> float:
        """The log wealth that refutes a lead, ln(2/α): both bounds share α."""
        return log(2 / self.alpha)


class PairState(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison has come to; m leads, k bets.

    Attributes
    ----------
    rows, known : int
        Cases, and those among them with a known difference.
    weight, total : float
        The sums of weights and of weighted differences among those that are known.
    above, below : m tuples of k floats
        Log wealth of the bets against "at most this lead" and "at least this lead".
    """

    rows: int
    known: int
    weight: float
    total: float
    above: tuple[tuple[float, ...], ...]
    below: tuple[tuple[float, ...], ...]


def open_pairs(plan: PairPlan) -> PairState:
    """The state before the first case."""
    nothing = ((0.0,) * len(plan.bets),) * len(plan.leads)
    return PairState(rows=0, known=0, weight=0.0, total=0.0, above=nothing, below=nothing)


def fold_pairs(state: PairState, plan: PairPlan, difference: np.ndarray, weight: np.ndarray) -> PairState:
    """The comparison with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : PairState
    plan : PairPlan
    difference : ndarray of shape (n,)
        ℓ_champion − ℓ_challenger in [−1, 1], NaN where it is not known, in decision order.
    weight : ndarray of shape (n,)
        π_min/π in (0, 1]: the smallest probability of becoming known under the deployment that held, over the case's
        own, which is 1 where both predict the same. All 1 where every difference becomes known.

    Raises
    ------
    ValueError
        A difference or a weight lies outside its range.

    >>> plan = PairPlan(alpha=0.05)
    >>> state = fold_pairs(open_pairs(plan), plan, np.tile([1.0, 0.0, 0.0, 0.0], 100), np.ones(400))
    >>> statement = lead(state, plan)
    >>> statement.estimate, statement.lower, statement.upper
    (0.25, 0.16, 0.35)
    """
    refuse(difference, abs(difference) > 1, "a difference of losses lies between -1 and 1, or is NaN where not known")
    check_weights(weight)
    loss = (1 - difference) / 2
    seen = ~np.isnan(loss)
    loss, weight = loss[seen][:, None], weight[seen][:, None]
    leads = np.array(plan.leads)
    above, below, sums = np.array(state.above), np.array(state.below), np.array([state.weight, state.total])
    for part in chunks(len(loss)):
        kinds, which = np.unique((loss[part] + 1j * weight[part]).ravel(), return_inverse=True)  # pairs of both
        lost, counted = kinds.real[:, None], kinds.imag[:, None]
        above = summed(above, log_gains(lost, counted, (1 - leads) / 2, plan.bets), which)
        below = summed(below, log_gains(1 - lost, counted, (1 + leads) / 2, plan.bets), which)
        weighted = weight[part] * (1 - 2 * loss[part])
        sums = running(sums, np.concatenate([weight[part], weighted], axis=1))[-1]
    return PairState(
        rows=state.rows + len(seen),
        known=state.known + len(loss),
        weight=float(sums[0]),
        total=float(sums[1]),
        above=nested(above),
        below=nested(below),
    )


def lead(state: PairState, plan: PairPlan) -> Evidence:
    """By how much the challenger errs less than the champion, per case; positive means that the challenger is better.

    The bounds hold at all times together. The promise assumes one constant mean difference. They lie on the grid of
    leads, rounded outwards: the challenger may be promoted where `lower` is at least the margin, and be retired where
    `upper` is at most the margin.
    """
    leads = plan.leads
    above = log_mixed(np.array(state.above), plan.shares) >= plan.goal
    below = log_mixed(np.array(state.below), plan.shares) >= plan.goal
    return Evidence(
        estimate=state.total / state.weight if state.weight else nan,
        lower=max((value for value, refuted in zip(leads, above, strict=True) if refuted), default=-1.0),
        upper=min((value for value, refuted in zip(leads, below, strict=True) if refuted), default=1.0),
        confidence=1 - plan.alpha,
        n=state.known,
        method="paired, betting",
        anytime=True,
    )


def log_e(state: PairState, plan: PairPlan) -> float:
    """The log of the e-process against "the challenger is better by at most the margin".

    >>> plan = PairPlan(alpha=0.05)
    >>> abs(log_e(open_pairs(plan), plan)) < 1e-9
    True
    """
    return float(log_mixed(np.array(state.above[plan.leads.index(plan.margin)]), plan.shares))
