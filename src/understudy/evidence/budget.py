"""How many errors automation has made at most, whatever the world does, and whether it may go on.

Each automated case is looked at with a logged probability π ≥ π_min. For a loss ℓ in [0, 1] and the charge
c = −ln(1 − (1 − e^−θ)/π), the expectation of exp(θℓ − Acℓ) over the draw A is at most 1: it is convex in ℓ, and 1 at
ℓ = 0 and at ℓ = 1. So exp(θΣℓ − ΣAcℓ) is a nonnegative supermartingale for any sequence of losses, also one that an
adversary picks by what was seen so far, and by Ville's inequality Σℓ ≤ (ΣAcℓ + ln(1/δ))/θ at all times together, except
with probability δ. Nothing is assumed about the losses.

The sum form lets a good spring pay for a bad autumn. The form that counts from the worst moment to begin (CUSUM; Page
1954, Biometrika 41) does not; it is the one that stops.
"""

from __future__ import annotations

from math import log

import msgspec
import numpy as np
from scipy import optimize

from understudy.core.evidence import Evidence
from understudy.evidence.betting import check_losses, refuse, running

LOOKS_TO_STOP = 50.0
"""About how many looks' worth of errors the limit holds: ln(1/δ)/θ with θ = 0.2 π_min, and room for chance.

For δ = 0.02: 19.6/π_min for the proof, 30.4/π_min as room. Simulated for r = 5 % and 10,000 looks a year (x = 10 %):
automation at 0.8 r is stopped by chance in 1 of 100 years, at 0.9 r in 4 of 10, and a doubled risk within 3 weeks after
half of the limit. With 33 instead it would be 40 and 90 of 100, and 2 weeks; with 66, none and 2 of 10, and 4 weeks.
"""

CAUTION = 0.2
"""θ over π_min. More makes the bound start lower and grow faster: by 12 % more than the errors, for small π.

Between 0.15 and 0.25 it hardly matters; at 0.1 the start, at 0.3 the growth stops honest models more often.
"""


class BudgetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What automation may cost.

    Attributes
    ----------
    max_error : float
        The errors per case that are allowed, r in (0, 1).
    delta : float
        The chance that the bound ever fails, in (0, 1).
    pi_min : float
        The smallest probability with which an automated case is looked at, in (0, 1].
    limit : float
        The errors beyond r per case that are allowed, B.
    """

    max_error: float
    delta: float
    pi_min: float
    limit: float

    def __post_init__(self) -> None:
        if not (0 < self.max_error < 1 and 0 < self.delta < 1 and 0 < self.pi_min <= 1):
            numbers = f"{self.max_error}, {self.delta} and {self.pi_min}"
            raise ValueError(f"max_error and delta lie between 0 and 1, pi_min above 0 and at most at 1; got {numbers}")

    @property
    def theta(self) -> float:
        """θ, which lies below −ln(1 − π_min)."""
        return CAUTION * self.pi_min

    @property
    def entry(self) -> float:
        """The errors that nobody can rule out even before the first case, ln(1/δ)/θ."""
        return -log(self.delta) / self.theta


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """What automation has cost.

    Attributes
    ----------
    cases, looked : int
        Automated cases, and those among them that somebody looked at.
    charged, weighted, seen : float
        ΣAcℓ, ΣAℓ/π and ΣAℓ.
    walk, lowest : float
        Σ(Acℓ/θ − r), and the lowest that it has been; their difference is the CUSUM form.
    highest, climb : float
        The highest that the sum form and the CUSUM form have been, without ln(1/δ)/θ.
    """

    cases: int = 0
    looked: int = 0
    charged: float = 0.0
    weighted: float = 0.0
    seen: float = 0.0
    walk: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0
    climb: float = 0.0


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """How the budget stands.

    Attributes
    ----------
    errors : Evidence
        The sum of losses of all automated cases, seen or not, with bounds.
    allowed : float
        r per case, and the limit.
    excess : float
        Errors beyond r per case since the first case, at most.
    stretch : float
        The same since the worst moment to begin.
    share : float
        The highest that `stretch` has been, over the limit. Automation stops where it is above 1.
    over : bool
        Whether it ever was.
    """

    errors: Evidence
    allowed: float
    excess: float
    stretch: float
    share: float
    over: bool


def charges(plan: BudgetPlan, loss: np.ndarray, propensity: np.ndarray) -> np.ndarray:
    """What each case adds to the bound, before division by θ: Acℓ.

    Parameters
    ----------
    plan : BudgetPlan
    loss : ndarray
        In [0, 1], NaN where nobody looked.
    propensity : ndarray of the same shape
        The probability of a look, fixed before it was drawn.

    >>> plan = BudgetPlan(max_error=0.05, delta=0.02, pi_min=0.5, limit=66)
    >>> charges(plan, np.array([1.0, 0.0, np.nan]), np.full(3, 0.5)).round(4).tolist()
    [0.2111, 0.0, 0.0]
    """
    return np.where(np.isnan(loss), 0.0, -np.log1p(np.expm1(-plan.theta) / propensity) * np.nan_to_num(loss))


def fold_budget(state: BudgetState, plan: BudgetPlan, loss: np.ndarray, propensity: np.ndarray) -> BudgetState:
    """The account with these automated cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : BudgetState
    plan : BudgetPlan
    loss : ndarray of shape (n,)
        In [0, 1], NaN where nobody looked, in decision order.
    propensity : ndarray of shape (n,)
        At least π_min.

    Raises
    ------
    ValueError
        A loss or a propensity lies outside its range.

    >>> plan = BudgetPlan(max_error=0.05, delta=0.02, pi_min=0.5, limit=66)
    >>> state = fold_budget(BudgetState(), plan, np.array([1.0, 0.0, np.nan]), np.full(3, 0.5))
    >>> state.cases, state.looked, state.weighted, round(state.walk, 3)
    (3, 2, 2.0, 1.961)
    """
    check_losses(loss, propensity)
    rule = f"an automated case was looked at with a probability of less than {plan.pi_min:g}, the plan's least"
    refuse(propensity, propensity < plan.pi_min, rule)
    if not len(loss):
        return state
    charge, known = charges(plan, loss, propensity), np.nan_to_num(loss)
    steps = np.column_stack([charge, known / propensity, known, charge / plan.theta - plan.max_error])
    start = np.array([state.charged, state.weighted, state.seen, state.walk])
    path = running(start, steps)
    walk = path[:, 3]
    lowest = np.minimum.accumulate(np.concatenate([[state.lowest], walk]))[1:]
    charged, weighted, seen, last = path[-1].tolist()
    return BudgetState(
        cases=state.cases + len(loss),
        looked=state.looked + int((~np.isnan(loss)).sum()),
        charged=charged,
        weighted=weighted,
        seen=seen,
        walk=last,
        lowest=float(lowest[-1]),
        highest=max(state.highest, float(walk.max())),
        climb=max(state.climb, float((walk - lowest).max())),
    )


def spent(state: BudgetState, plan: BudgetPlan) -> Spent:
    """How the budget stands.

    The bound on all errors since the first case holds at all times together with probability 1 − δ. For stretches it is
    proven for each beginning that is fixed beforehand; for all of them together it is simulated: an adversary who sees
    the audits, pauses when nearly caught and tries again, ten times a year, exceeds the limit in about 2 % at δ = 2 %.

    >>> plan = BudgetPlan(max_error=0.05, delta=0.02, pi_min=0.5, limit=66)
    >>> account = spent(fold_budget(BudgetState(), plan, np.zeros(1000), np.full(1000, 0.5)), plan)
    >>> round(account.stretch, 1), round(account.share, 2), account.over
    (39.1, 0.59, False)
    """
    upper = min(state.charged / plan.theta + plan.entry, state.cases - state.looked + state.seen)
    highest = state.climb + plan.entry
    return Spent(
        errors=Evidence(
            estimate=min(max(state.weighted, state.seen), upper),
            lower=state.seen,
            upper=upper,
            confidence=1 - plan.delta,
            n=state.looked,
            method="exponential supermartingale over audits",
            anytime=True,
        ),
        allowed=plan.max_error * state.cases + plan.limit,
        excess=state.walk + plan.entry,
        stretch=state.walk - state.lowest + plan.entry,
        share=highest / plan.limit if plan.limit > 0 else float("inf"),
        over=highest > plan.limit,
    )


def audit_rate(volume_per_year: float, max_error: float, tolerated_excess: float, floor: float) -> float:
    """The share of automated cases to look at so that a relative excess of errors is noticed within the year.

    About 50/(x·r) looks a year, whatever the volume.

    Parameters
    ----------
    volume_per_year : float
        Automated cases.
    max_error : float
        r.
    tolerated_excess : float
        x: errors in a year beyond r per case, as a share of those that r allows.
    floor : float
        The least share, in (0, 1].

    >>> round(audit_rate(3_650_000, 0.05, 0.1, 0.001) * 10_000, 1)
    27.4
    """
    looks = LOOKS_TO_STOP / (tolerated_excess * max_error)
    return float(np.clip(looks / volume_per_year if volume_per_year > 0 else 1.0, floor, 1.0))


def budget_limit(volume_per_year: float, max_error: float, tolerated_excess: float, pi_min: float) -> float:
    """The errors beyond r per case at which automation stops: what is tolerated, but no less than audits can tell.

    >>> round(budget_limit(3_650_000, 0.05, 0.1, 0.02))
    18250
    >>> round(budget_limit(3_650_000, 0.05, 0.1, 0.001))
    50000
    """
    return max(tolerated_excess * max_error * volume_per_year, LOOKS_TO_STOP / pi_min)


def stratified_rates(risk: np.ndarray, share: np.ndarray, *, rate: float, floor: float) -> np.ndarray:
    """The shares of cases to look at in each stratum that tell most about all errors, for as many looks.

    In proportion to √risk, between the floor and 1 (Neyman 1934, J. R. Stat. Soc. 97(4), for rare errors): then the
    estimate ΣAℓ/π varies least. They are exact propensities: a case is looked at with the rate of its stratum. The
    bound of the budget begins at ln(1/δ)/(0.2·floor), so a floor far below the mean rate costs it more than it gains.

    Parameters
    ----------
    risk : ndarray of shape (s,)
        What is expected of each stratum, at least 0; known before the case.
    share : ndarray of shape (s,)
        Of the cases, positive, of 1 in all.
    rate : float
        The mean share of cases to look at, in [floor, 1].
    floor : float
        The least share in any stratum, π_min in (0, 1].

    Raises
    ------
    ValueError
        A number lies outside its range.

    >>> rates = stratified_rates(np.array([0.01, 0.16]), np.array([0.5, 0.5]), rate=0.1, floor=0.02)
    >>> rates.round(3).tolist()
    [0.04, 0.16]
    """
    if not 0 < floor <= rate <= 1:
        raise ValueError(f"0 < floor <= rate <= 1 must hold, got a floor of {floor} and a rate of {rate}")
    if not ((risk >= 0).all() and (share > 0).all() and abs(share.sum() - 1) < 1e-6):
        raise ValueError(f"risks are at least 0, and shares positive and 1 in all; got {risk} and {share}")
    wish = np.sqrt(np.maximum(risk, 1e-9 * risk.max(initial=0.0)) if risk.any() else np.ones_like(share))

    def rates(scale: float) -> np.ndarray:
        found: np.ndarray = np.clip(scale * wish, floor, 1.0)
        return found

    scale = optimize.brentq(lambda scale: float(share @ rates(scale)) - rate, 0.0, 1 / wish.min())
    return rates(float(scale))
