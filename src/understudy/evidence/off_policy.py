"""What would another policy have earned on the cases that were logged, at any time?

Each case brings pseudo-outcomes φ ≥ −k, whose mean given the past is what the target policy earns there
(`pseudo_outcomes`). A gambler with a fixed bet d owns after n cases, against "their mean value is at most v",

    Π (1 + d·(φᵢ + k)) / (1 + d·(v + k))ⁿ

whose mean is at most 1 if that is true, whatever the values of the single cases are, since the logarithm is concave. So
a mixture of bets refutes it with a probability of at most α at all times together (Ville's inequality). The smallest
value that is not refuted is the lower bound; the same with rewards turned around gives the upper one. The logging
policy may have learned meanwhile, and no bound on the weights needs to be known (Waudby-Smith, Wu, Ramdas,
Karampatziakis & Mineiro 2024, "Anytime-valid off-policy inference for contextual bandits", ACM/IMS J. Data Sci. 1(3);
for bets see Karampatziakis, Mineiro & Ramdas 2021, "Off-policy confidence sequences", ICML).

The bounds hold for the mean over the logged cases of what the policy earns at each, in a changing world too: they speak
of the cases that came and not of those to come. The target policy and the predictions for a case may depend on earlier
cases only. Rows stand in decision order, and none may be left out for its reward.
"""

from __future__ import annotations

from math import inf, log, nan, sqrt

import msgspec
import numpy as np
from scipy.special import logsumexp

from understudy.core.evidence import Evidence
from understudy.evidence.asymptotic import AsymptoticPlan
from understudy.evidence.betting import nested, running
from understudy.evidence.pseudo_outcomes import PseudoOutcomes, ValuePlan, same_rows, scaled, weights

BETS = tuple(4.0**power for power in range(-6, 6))
"""A bet d is about the best one where the lead is d times the mean square of φ + k."""

CELLS = 2**20
"""How many numbers are worked on at once: a bound on memory, without effect on the result."""


class ValueState(msgspec.Struct, frozen=True, kw_only=True):
    """What the log has come to; p policies, 2·v·b bets.

    Attributes
    ----------
    rows : int
    weight, square, total : tuple of p floats
        The sums of weights, of their squares, and of the estimator's pseudo-outcomes.
    stakes : p tuples of 2·v·b floats
        Σ ln(1 + d·(φ + k)) of every bet.
    """

    rows: int
    weight: tuple[float, ...]
    square: tuple[float, ...]
    total: tuple[float, ...]
    stakes: tuple[tuple[float, ...], ...]


def open_values(plan: ValuePlan) -> ValueState:
    """The state before the first case."""
    none = (0.0,) * plan.policies
    stakes = ((0.0,) * (2 * len(plan.floors) * len(BETS)),) * plan.policies
    return ValueState(rows=0, weight=none, square=none, total=none, stakes=stakes)


def fold_values(state: ValueState, plan: ValuePlan, scores: PseudoOutcomes) -> ValueState:
    """The values with these cases added; the same for any cutting of the same cases into batches.

    >>> from understudy.evidence.pseudo_outcomes import ips
    >>> rng = np.random.default_rng(0)
    >>> plan = ValuePlan(alpha=0.05, largest=2.0)
    >>> action = rng.random(2000) < 0.5
    >>> reward = (rng.random(2000) < np.where(action, 0.8, 0.6)).astype(float)
    >>> scores = ips(plan, reward, np.full(2000, 0.5), action.astype(float))
    >>> [statement] = values(fold_values(open_values(plan), plan, scores), plan)
    >>> round(statement.lower, 2), round(statement.upper, 2), statement.n
    (0.77, 0.86, 1007)
    """
    bets = scaled_bets(plan)
    stakes = np.array(state.stakes)
    sums = np.array([state.weight, state.square, state.total])
    step = max(1, CELLS // stakes.size)
    for first in range(0, len(scores.weight), step):
        part = slice(first, first + step)
        gains = np.log1p(scores.stake[part][..., None] * bets)
        stakes = running(stakes, gains.reshape(len(gains), *stakes.shape))[-1]
        weight = scores.weight[part]
        sums = running(sums, np.stack([weight, weight**2, scores.outcome[part]], axis=1))[-1]
    weights_so_far, squares, totals = nested(sums)
    return ValueState(
        rows=state.rows + len(scores.weight),
        weight=weights_so_far,
        square=squares,
        total=totals,
        stakes=nested(stakes),
    )


def values(state: ValueState, plan: ValuePlan) -> tuple[Evidence, ...]:
    """The mean reward that each policy would have had on the cases so far.

    The bounds of all policies hold at all times together, also those of the one that somebody picks for its bounds. The
    estimate is moved into them where it lies outside. Where a lower bound is above the upper one, the log contradicts
    itself: its propensities are wrong. `n` is the effective sample size.
    """
    stakes = np.array(state.stakes).reshape(plan.policies, 2, len(plan.floors), len(BETS))
    lower = lowest_values(stakes[:, 0], state.rows, plan, plan.goal)
    upper = 1 - lowest_values(stakes[:, 1], state.rows, plan, plan.goal)
    size, width = effective_size(state), plan.high - plan.low
    together = f", {plan.policies} policies at once" if plan.policies > 1 else ""
    return tuple(
        Evidence(
            estimate=plan.low + width * float(np.clip(total / state.rows, low, high)) if state.rows else nan,
            lower=plan.low + width * float(low),
            upper=plan.low + width * float(high),
            confidence=1 - plan.alpha,
            n=round(float(rows)),
            method=f"{plan.method}, betting{together}",
            anytime=True,
        )
        for total, low, high, rows in zip(state.total, lower, upper, size, strict=True)
    )


def effective_size(state: ValueState) -> np.ndarray:
    """How many cases with equal weights the log is worth for each policy: (Σw)²/Σw² (Kong 1992), shape (p,)."""
    weight, square = np.array(state.weight), np.array(state.square)
    size: np.ndarray = np.divide(weight**2, square, out=np.zeros_like(weight), where=square > 0)
    return size


def lowest_values(stakes: np.ndarray, rows: int, plan: ValuePlan, goal: float) -> np.ndarray:
    """The smallest values in [0, 1] that a mixture of all bets does not refute at the log wealth `goal`.

    The log wealth is convex and falling in the value. So Newton's steps from a value that is refuted never pass the
    bound: wherever they end, the bound holds.

    Parameters
    ----------
    stakes : ndarray of shape (p, v, b)
    rows : int
    plan : ValuePlan
    goal : float

    Returns
    -------
    ndarray of shape (p,)
    """
    if not rows:
        return np.zeros(len(stakes))
    bets, floors = scaled_bets(plan), np.array(plan.floors)[:, None]
    grown = stakes - log(bets.size) - goal
    alone = np.expm1(grown / rows) / bets - floors
    value: np.ndarray = np.maximum(alone.max(axis=(1, 2)), 0.0)
    for _ in range(100):
        level = 1 + bets * (value[:, None, None] + floors)
        wealth = grown - rows * np.log(level)
        over = logsumexp(wealth, axis=(1, 2))
        slope = (np.exp(wealth - over[:, None, None]) * rows * bets / level).sum(axis=(1, 2))
        step = np.maximum(over / slope, 0.0)
        value = value + step
        if step.max() < 1e-12:
            break
    lowest: np.ndarray = np.minimum(value, 1.0)
    return lowest


def scaled_bets(plan: ValuePlan) -> np.ndarray:
    """The bets of each view, relative to the size of its stakes, shape (v, b)."""
    bets: np.ndarray = np.array(BETS) / (1 + np.array(plan.floors)[:, None])
    return bets


def self_normalised(
    plan: ValuePlan,
    reward: np.ndarray,
    propensity: np.ndarray,
    target: np.ndarray,
    *,
    best_at: int = 1000,
    fewest: int = 50,
) -> Evidence:
    """Self-normalised IPS, Σ wR/Σ w (Swaminathan & Joachims 2015, NeurIPS): steady, and its bounds hold for many rows.

    An asymptotic confidence sequence, as in `asymptotic`, with the variance of the ratio by the delta method. One
    made-up case at each end of the range is added to it, so that equal rewards do not look certain. It may be looked at
    often but promises nothing for few rows or rare, large weights: below an effective size of `fewest` it says nothing.
    The value must not change over time.

    Parameters
    ----------
    plan : ValuePlan
        One policy; its alpha and range of rewards count.
    reward, propensity, target : ndarray of shape (n,)
        As for `ips`.
    best_at : int
        The number of rows at which the bounds are tightest.
    fewest : int
        The effective sample size below which the bounds are the range.

    >>> plan = ValuePlan(alpha=0.05)
    >>> reward, half = np.tile([1.0, 0.0], 500), np.full(1000, 0.5)
    >>> statement = self_normalised(plan, reward, half, half)
    >>> round(statement.lower, 3), statement.estimate, round(statement.upper, 3), statement.method
    (0.452, 0.5, 0.548, 'SNIPS, asymptotic')
    """
    same_rows(reward, propensity, target)
    gain, weight = scaled(plan, reward), weights(propensity, target)[:, 0]
    total, squares = float(weight.sum()), float((weight**2).sum())
    size = total**2 / squares if squares else 0.0
    estimate = float(weight @ gain) / total if total else nan
    half = inf
    if size >= fewest:
        made_up = (total / len(gain)) ** 2 * (estimate**2 + (1 - estimate) ** 2)
        error = sqrt(float((weight**2) @ (gain - estimate) ** 2) + made_up) / total
        spread = len(gain) * AsymptoticPlan(alpha=plan.alpha, best_at=best_at).rho ** 2
        half = error * sqrt(2 * (1 + 1 / spread) * log(sqrt(spread + 1) / plan.alpha))
    width = plan.high - plan.low
    return Evidence(
        estimate=plan.low + width * estimate,
        lower=plan.low + width * max(0.0, estimate - half) if half < inf else plan.low,
        upper=plan.low + width * min(1.0, estimate + half) if half < inf else plan.high,
        confidence=1 - plan.alpha,
        n=round(size),
        method="SNIPS, asymptotic",
        anytime=True,
    )
