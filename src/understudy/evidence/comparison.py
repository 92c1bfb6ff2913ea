"""Which of two versions errs less, where each case is given to one of them only?

Versions share the traffic by logged propensities (an A/B test, a bandit). A case that went to one of them with the
probability π ≥ π_min counts as y = ±2(ℓ − c) with the weight π_min/π: plus for the champion, minus for the challenger.
For any number c that is known before the case, the mean of weight·(y − m) over what may happen to the case is π_min
times 2(ℓ_champion − ℓ_challenger − m), so that `means` bounds the lead (inverse propensity weighting; Horvitz &
Thompson 1952). c is the mean loss so far: it takes away what varies from case to case and says nothing of the lead.

Where both predict on every case, `pairs` needs far fewer cases.
"""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec.structs import replace

from understudy.core.evidence import Evidence
from understudy.evidence.betting import check_losses, refuse, running
from understudy.evidence.means import WEIGHTS, MeanPlan, MeanState, fold_mean, mean_evidence, mean_log_e, open_mean

ROUNDING = 1e-9
"""By how much a propensity may lie below the least one, as 1 − 0.9 lies below 0.1."""


class UnpairedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How two versions are compared.

    Attributes
    ----------
    alpha : float
        The chance that the bounds ever miss the lead, in (0, 1).
    least : float
        π_min, the smallest probability with which a case goes to either version and its loss becomes known, in (0, 1].
    weights : tuple of float
        As in `MeanPlan`. For one split, π_min/π of both versions serves best: (0.25, 1.0) for 80 to 20.
    """

    alpha: float
    least: float
    weights: tuple[float, ...] = WEIGHTS

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise ValueError(f"the least propensity lies above 0 and is at most 1, not {self.least}")

    @property
    def means(self) -> MeanPlan:
        """How the mean of y is bounded."""
        return MeanPlan(alpha=self.alpha, low=-2.0, high=2.0, weights=self.weights)


class UnpairedState(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison has come to.

    Attributes
    ----------
    total : float
        The sum of losses so far, of both versions.
    means : MeanState
        About y.
    """

    total: float
    means: MeanState


def open_unpaired(plan: UnpairedPlan) -> UnpairedState:
    """The state before the first case."""
    return UnpairedState(total=0.0, means=open_mean(plan.means))


def fold_unpaired(
    state: UnpairedState, plan: UnpairedPlan, challenger: np.ndarray, loss: np.ndarray, propensity: np.ndarray
) -> UnpairedState:
    """The comparison with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : UnpairedState
    plan : UnpairedPlan
    challenger : ndarray of bool, shape (n,)
        Whether the case went to the challenger; otherwise it went to the champion. Cases that could not have gone to
        both are left out.
    loss : ndarray of shape (n,)
        In [0, 1], NaN where it is not known, in decision order.
    propensity : ndarray of shape (n,)
        The logged probability of what happened: that the case went to this version, times that its loss became known.

    Raises
    ------
    ValueError
        A loss or a propensity lies outside its range.

    >>> plan = UnpairedPlan(alpha=0.05, least=0.5)
    >>> challenger, loss = np.tile([True, False], 1000), np.tile([0.0, 0.0, 0.0, 1.0], 500)
    >>> statement = unpaired_lead(fold_unpaired(open_unpaired(plan), plan, challenger, loss, np.full(2000, 0.5)), plan)
    >>> round(statement.lower, 2), round(statement.estimate, 2), round(statement.upper, 2)
    (0.45, 0.5, 0.56)
    """
    check_losses(loss, propensity)
    rule = f"a case came to its version with a probability of less than {plan.least:g}, the plan's least"
    refuse(propensity, propensity < plan.least * (1 - ROUNDING), rule)
    if not len(loss) == len(challenger) == len(propensity):
        raise ValueError(f"one entry per case each, got {len(challenger)}, {len(loss)} and {len(propensity)}")
    seen = ~np.isnan(loss)
    known = loss[seen]
    if not len(known):
        return replace(state, means=replace(state.means, rows=state.means.rows + len(loss)))
    path = running(np.array(state.total), known)
    before = np.concatenate([[state.total], path[:-1]])
    usual = (0.5 + before) / (1 + state.means.known + np.arange(len(known)))
    signed = np.full(len(loss), np.nan)
    signed[seen] = np.where(challenger[seen], -2.0, 2.0) * (known - usual)
    return UnpairedState(
        total=float(path[-1]),
        means=fold_mean(state.means, plan.means, signed, np.minimum(1.0, plan.least / propensity)),
    )


def unpaired_lead(state: UnpairedState, plan: UnpairedPlan) -> Evidence:
    """By how much the challenger errs less than the champion, per case; positive means that the challenger is better.

    The bounds hold at all times together. The promise assumes one constant mean difference, given the past; what both
    lose may rise and fall.
    """
    statement = mean_evidence(state.means, plan.means)
    return replace(
        statement,
        estimate=min(max(statement.estimate, -1.0), 1.0) if state.means.known else statement.estimate,
        lower=max(statement.lower, -1.0),
        upper=min(statement.upper, 1.0),
        method="inverse propensity, betting",
    )


def unpaired_log_e(state: UnpairedState, plan: UnpairedPlan, margin: float = 0.0) -> float:
    """The log of the e-process against "the challenger is better by at most `margin`", a lead in (−1, 1).

    >>> plan = UnpairedPlan(alpha=0.05, least=0.5)
    >>> abs(unpaired_log_e(open_unpaired(plan), plan)) < 1e-9
    True
    """
    return mean_log_e(state.means, plan.means, margin, above=True)
