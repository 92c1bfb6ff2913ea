"""What automation decided since the world may have changed: how much of it was wrong, beyond what was promised."""

from __future__ import annotations

from math import ceil, floor

import msgspec
import numpy as np
from msgspec.structs import replace

from understudy.core.evidence import Evidence
from understudy.core.task import Task
from understudy.evidence.budget import BudgetPlan, charges
from understudy.evidence.stretch import stretch_errors

BUDGET, ALARM, SUSPICION, ESTIMATE = "budget", "alarm", "suspicion", "estimate"
SINCE = {
    BUDGET: "The stretch in which the error budget was spent began",
    ALARM: "By the detector that alarmed, the change began",
    SUSPICION: "What is suspected began",
    ESTIMATE: "Nothing is proven; if anything has changed, it most likely began",
}
"""Where the beginning comes from, as the words before a time."""


class Lookback(msgspec.Struct, frozen=True, kw_only=True):
    """The cases that the machine decided by itself in a stretch, and what they cost.

    Losses are counted as the promise counts them: wrong answers, or, where the task prices mistakes, mistakes in parts
    of the dearest one. The statements hold from any beginning to any end: it is no matter who picked the stretch, and
    by what. They are about the cases that are settled.

    Attributes
    ----------
    cases, settled, looked : int
        All; those whose loss stands in the ledger, or does not since nobody looked; and those with a known loss.
    found : float
        The losses that are known.
    allowed : float
        The losses that were promised at most: r per settled case.
    errors : Evidence
        The losses of all settled cases, known or not.
    excess : Evidence
        The same beyond what was promised; negative where they were fewer.
    rate : Evidence
        The same per settled case.
    cost : Evidence, optional
        The excess at the task's prices; None where it has none.
    """

    cases: int
    settled: int
    looked: int
    found: float
    allowed: float
    errors: Evidence
    excess: Evidence
    rate: Evidence
    cost: Evidence | None


def look_back(task: Task, loss: np.ndarray, propensity: np.ndarray, *, before: int = 0, unsettled: int = 0) -> Lookback:
    """What a stretch of automation has cost.

    Parameters
    ----------
    task : Task
    loss : ndarray of shape (n,)
        Of each settled case, in [0, 1]; NaN where nobody looked. In decision order.
    propensity : ndarray of shape (n,)
        The probability of a look, in (0, 1].
    before : int
        Looks before the stretch, since its account of the error budget was opened.
    unsettled : int
        Cases whose truth may still come.

    >>> from understudy.core.task import Autonomy, Decision
    >>> decision = Decision(name="late", question="Late?", target="late", kind="classification", goal="roc_auc")
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95))
    >>> found = look_back(task, np.repeat([1.0, 0.0], [12, 88]), np.ones(100), unsettled=7)
    >>> found.cases, found.allowed, found.excess.lower, found.excess.upper, round(found.rate.estimate, 3)
    (107, 5.0, 7.0, 7.0, 0.07)
    """
    errors = stretch_errors(loss, propensity, before=before, alpha=1 - task.autonomy.confidence)
    allowed = task.autonomy.max_error * len(loss)
    excess = scaled(errors, 1.0, allowed)
    dearest = max(task.cost.mistakes.values(), default=0.0)
    known = ~np.isnan(loss)
    return Lookback(
        cases=len(loss) + unsettled,
        settled=len(loss),
        looked=int(known.sum()),
        found=float(loss[known].sum()),
        allowed=allowed,
        errors=errors,
        excess=excess,
        rate=scaled(excess, 1 / max(len(loss), 1)),
        cost=scaled(excess, dearest) if dearest else None,
    )


def scaled(found: Evidence, factor: float, less: float = 0.0) -> Evidence:
    """A statement in another unit, with a constant taken away."""
    numbers = {name: factor * (getattr(found, name) - less) for name in ("estimate", "lower", "upper")}
    return replace(found, **numbers)


def lookback_text(task: Task, found: Lookback) -> tuple[str, ...]:
    """A look-back in words; what is below nothing is told as 0."""
    if not found.cases:
        return ("Since then it has decided nothing by itself.",)
    settled = f"{found.settled:,} of them are settled, and {found.looked:,} of these were looked at"
    lines = [f"Since then it decided {found.cases:,} cases by itself; {settled}."]
    if found.settled:
        lines.append(errors_text(task, found))
    if found.settled and found.cost is not None:
        lines.append(f"At the task's prices that costs {span(found.cost)} more than was promised.")
    return tuple(lines)


def errors_text(task: Task, found: Lookback) -> str:
    """How much was wrong, what was promised, and the difference."""
    exact = found.errors.lower == found.errors.upper
    if task.cost.mistakes:
        told = f"Their mistakes weigh as much as {span(found.errors)} of the dearest"
    elif task.decision.kind == "regression":
        told = f"Of the settled ones {span(found.errors)} were off by more than the tolerance"
    else:
        told = f"Of the settled ones {span(found.errors)} were wrong"
    sure = "" if exact else f", with {100 * task.autonomy.confidence:g} % confidence, wherever one begins"
    many = f"{span(found.excess)} too many, or {span(scaled(found.rate, 100.0), 1)} in 100"
    return f"{told}, where {found.allowed:,.1f} were promised at most: {many}{sure}."


def span(found: Evidence, digits: int = 0) -> str:
    """Bounds in words: rounded outwards and not below 0; one number where it is known.

    >>> from understudy.core.evidence import Evidence
    >>> told = Evidence(estimate=6.0, lower=-3.2, upper=12.13, confidence=0.95, n=9, method="")
    >>> span(told), span(told, 1), span(replace(told, lower=6.5, upper=6.5))
    ('between 0 and 13', 'between 0.0 and 12.2', '6.5')
    """
    lower, upper, unit = max(found.lower, 0.0), max(found.upper, 0.0), 10**digits
    if lower == upper:
        return f"{lower:,.1f}".removesuffix(".0")
    return f"between {floor(lower * unit) / unit:,.{digits}f} and {ceil(upper * unit) / unit:,.{digits}f}"


def worst_beginning(plan: BudgetPlan, loss: np.ndarray, propensity: np.ndarray) -> tuple[int, float]:
    """After how many cases the stretch began in which an account climbed highest, and how high.

    Parameters
    ----------
    plan : BudgetPlan
        Of the account.
    loss, propensity : ndarray of shape (n,)
        Of its automated cases, as for `fold_accounts`.

    Returns
    -------
    begin : int
    climb : float
        The errors beyond r per case in that stretch, by their charges; without what nobody can rule out at first.

    >>> plan = BudgetPlan(max_error=0.1, delta=0.02, pi_min=1.0, limit=33)
    >>> worst_beginning(plan, np.repeat([0.0, 1.0, 0.0], [50, 9, 20]), np.ones(79))
    (50, 8.1)
    """
    poor = propensity < plan.pi_min
    lost, chance = np.where(poor, 1.0, loss), np.where(poor, 1.0, propensity)
    steps = charges(plan, lost, chance) / plan.theta - plan.max_error
    walk = np.concatenate([[0.0], np.cumsum(steps)])
    climb = walk - np.minimum.accumulate(walk)
    end = int(np.argmax(climb))
    return int(np.argmin(walk[: end + 1])), round(float(climb[end]), 9)
