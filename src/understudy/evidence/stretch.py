"""How many errors were made since a moment that the looks themselves chose, whatever the world did?

Each case is looked at with a logged probability π. For a loss ℓ in [0, 1] and θ > 0 the expectations of
exp(θℓ − Acℓ) with c = −ln(1 − (1 − e^−θ)/π), and of exp(Ac'ℓ − θℓ) with c' = ln(1 + (e^θ − 1)/π), over the draw A are
at most 1: both are convex in ℓ, and 1 at ℓ = 0 and at ℓ = 1. So, as for the error budget (`budget`), sums of the
charges bound the sum of the losses from above and from below at all times together, by Ville's inequality, and nothing
is assumed about the losses.

Whoever looks back begins where it looks worst. That is paid for: a beginning may be right after any look, and the one
after k looks is granted a part w_k of α, all of them together 1. So the bounds hold for all beginnings together,
however one was picked. Beginnings after fewer looks cost less; in logs the price is about ln k + 2 ln ln k.
"""

from __future__ import annotations

from math import log

import numpy as np

from understudy.core.evidence import Evidence
from understudy.evidence.betting import check_losses, log_mixed
from understudy.evidence.means import last_refuted

ABOVE = tuple(0.9 * 2.0**-power for power in range(13))
"""Values of 1 − e^−θ for the upper bound; the one that is about half as large as π is best."""

BELOW = tuple(4 * 2.0**-power for power in range(15))
"""Values of e^θ − 1 for the lower bound; the one that is about as large as π is best."""

ALL_BEGINNINGS = 2.11
"""Σ 1/(k ln² k) over k from 2 on, rounded upwards."""


def stretch_errors(loss: np.ndarray, propensity: np.ndarray, *, before: int = 0, alpha: float = 0.05) -> Evidence:
    """The sum of the losses of all cases of a stretch, seen or not, with bounds.

    The stretch must begin right after a look, or where beginnings are counted from. Where every case is looked at the
    sum is known. The estimate of a stretch that was picked because it looked bad is too high; the bounds are not.

    Parameters
    ----------
    loss : ndarray of shape (n,)
        In [0, 1], NaN where nobody looked, in decision order. Whether somebody looked was drawn, never chosen.
    propensity : ndarray of shape (n,)
        The probability of a look, in (0, 1], fixed before it was drawn.
    before : int
        How many looks there were before the stretch, counted from a case that was fixed beforehand.
    alpha : float
        The chance that the bounds of any stretch with the same count ever miss its sum, in (0, 1).

    Raises
    ------
    ValueError
        A number lies outside its range.

    >>> loss = np.where(np.arange(5000) % 10 == 0, 0.0, np.nan)
    >>> loss[:2000:100] = 1.0
    >>> found = stretch_errors(loss, np.full(5000, 0.1), before=40)
    >>> round(found.lower), found.estimate, round(found.upper), found.n
    (56, 200.0, 517, 500)
    """
    check_losses(loss, propensity)
    if before < 0 or not 0 < alpha < 1:
        raise ValueError(f"before is at least 0, alpha between 0 and 1; got {before} and {alpha}")
    seen, drawn = ~np.isnan(loss), propensity < 1
    goal = log(2 / alpha) - log_share(before)
    known, unseen = float(loss[seen].sum()), float((~seen).sum())
    looked, chance = loss[seen & drawn], propensity[seen & drawn]
    lower, upper = known, known
    if drawn.any():
        beside = float(loss[seen & ~drawn].sum())
        lower = max(known, beside + sum_below(looked, chance, goal))
        upper = min(known + unseen, beside + sum_above(looked, chance, propensity[drawn], goal))
    weighted = float((loss[seen] / propensity[seen]).sum())
    return Evidence(
        estimate=min(max(weighted, lower), upper),
        lower=lower,
        upper=upper,
        confidence=1 - alpha,
        n=int(seen.sum()),
        method="exponential supermartingales over audits, from any beginning",
        anytime=True,
    )


def log_share(before: int) -> float:
    """The log of the part of α that is granted to the beginning after so many looks.

    >>> from math import exp
    >>> sum(exp(log_share(k)) for k in range(100_000)) < 1
    True
    """
    return -log(ALL_BEGINNINGS * (before + 2)) - 2 * log(log(before + 2))


def sum_above(loss: np.ndarray, chance: np.ndarray, propensity: np.ndarray, goal: float) -> float:
    """The upper bound on the sum of losses of cases that were drawn for a look.

    For a θ that is too large for a case, ℓ ≤ 1 is all that is used of it.

    Parameters
    ----------
    loss, chance : ndarray of shape (m,)
        Of those that were looked at: the loss, and the probability of the look.
    propensity : ndarray of shape (n,)
        Of all.
    goal : float
        The log of what refutes.
    """
    steep = np.array(ABOVE)
    theta = -np.log1p(-steep)
    usable = chance[:, None] > steep
    charge = -np.log1p(-np.where(usable, steep, 0.0) / chance[:, None])
    charged = (loss[:, None] * charge).sum(axis=0)
    blunt = (propensity[:, None] <= steep).sum(axis=0)
    shares = (1 / len(steep),) * len(steep)

    def refuted(total: float) -> bool:
        return bool(log_mixed(theta * (total - blunt) - charged, shares) > goal)

    most = float(len(propensity))
    return last_refuted(refuted, most, 0.0) if refuted(most) else most


def sum_below(loss: np.ndarray, chance: np.ndarray, goal: float) -> float:
    """The lower bound on the sum of losses of cases that were drawn for a look; parameters as for `sum_above`."""
    rise = np.array(BELOW)
    theta = np.log1p(rise)
    charged = (loss[:, None] * np.log1p(rise / chance[:, None])).sum(axis=0)
    shares = (1 / len(rise),) * len(rise)

    def refuted(total: float) -> bool:
        return bool(log_mixed(charged - theta * total, shares) > goal)

    return last_refuted(refuted, 0.0, float((loss / chance).sum())) if refuted(0.0) else 0.0
