"""How soon a doubled risk is noticed: with how many looks, and so at what audit rate.

Noticed means that the detector alarms, which steps down at once; the error budget and the looks themselves may notice
sooner. Its wealth grows by g nats per look on average, with variance s² (`change.looks_to_alarm`), so that the looks
that it takes vary by about mean·s²/g² (first passage of a random walk; Wald 1947, "Sequential analysis"); how many are
drawn within a time varies by its mean.
"""

from __future__ import annotations

from math import log, sqrt

import msgspec
from scipy import optimize, stats

from understudy.core.task import Notice, Task, duration
from understudy.evidence.change import DetectorPlan, looks_to_alarm

NOTICED = 0.9
"""The chance with which a doubling is noticed in time."""

COUNTED = 0.95
"""The chance that is reckoned with, since the looks that it takes are more skewed than a normal law: in simulations at
r = 1 to 20 % it comes to .89 to .99."""

STEP = 1.25
"""Audit rates follow the number of cases that come in steps of so much; less than that is not worth a word."""

DAY = duration("1d")


def doubled(max_error: float) -> float:
    """Twice the promised risk; half-way to 1 where that would be no risk.

    >>> doubled(0.05), doubled(0.8)
    (0.1, 0.9)
    """
    return min(2 * max_error, (1 + max_error) / 2)


def looks_to_notice(plan: DetectorPlan) -> float:
    """How many looks must be drawn on average, so that a doubling is noticed within them with the chance `NOTICED`.

    >>> round(looks_to_notice(DetectorPlan(max_error=0.05, mean_run=5000)))
    485
    """
    risk, odds = doubled(plan.max_error), (1 - plan.max_error) / plan.max_error
    mean = looks_to_alarm(plan, risk)

    def gain(bet: float) -> float:
        return risk * log(1 + bet * odds) + (1 - risk) * log(1 - bet)

    bet = max(plan.bets, key=gain)
    step = log(1 + bet * odds) - log(1 - bet)
    spread, z = mean * risk * (1 - risk) * (step / gain(bet)) ** 2, float(stats.norm.ppf(COUNTED))
    return z**2 / 2 + mean + z * sqrt(z**2 / 4 + mean + spread)


def cases_in_time(task: Task, notice: Notice, volume_per_year: float) -> float:
    """How many automated cases may come after a doubling before it must be noticed.

    Those still count that come while reviewers are at the last audit: `answer_within` is taken off.
    """
    a_day, delay = volume_per_year / 365.25, duration(task.review.answer_within) / DAY
    if notice.doubling_within is not None:
        return a_day * max(duration(notice.doubling_within) / DAY - delay, 0.0)
    return max((notice.doubling_before or 0) / doubled(task.autonomy.max_error) - a_day * delay, 0.0)


def rate_to_notice(cases: float, max_error: float, volume_per_year: float, *, alarms_per_year: float) -> float:
    """The share of automated cases to look at so that a doubling is noticed within so many of them; 1 at most.

    More looks a year make the detector slower, since its false alarms are bounded by the year.

    >>> round(rate_to_notice(7 * 10_000, 0.05, 3_650_000, alarms_per_year=1.0), 4)
    0.0089
    """

    def missing(rate: float) -> float:
        plan = DetectorPlan(max_error=max_error, mean_run=max(2.0, volume_per_year * rate / alarms_per_year))
        return looks_to_notice(plan) - rate * cases

    if missing(1.0) >= 0:
        return 1.0
    return float(optimize.brentq(missing, 1e-9, 1.0))


class Noticing(msgspec.Struct, frozen=True, kw_only=True):
    """How soon a doubling would be noticed.

    Attributes
    ----------
    rate : float
        The audit rate.
    looks, days, wrong : float
        Looks, days and wrong answers until then, with the chance `NOTICED`.
    """

    rate: float
    looks: float
    days: float
    wrong: float


def noticing_at(task: Task, plan: DetectorPlan, *, rate: float, volume_per_year: float) -> Noticing:
    """How soon a doubling would be noticed at an audit rate, by the detector that is folded."""
    looks, a_day = looks_to_notice(plan), volume_per_year / 365.25
    days = looks / (rate * a_day) + duration(task.review.answer_within) / DAY
    return Noticing(rate=rate, looks=looks, days=days, wrong=days * a_day * doubled(plan.max_error))


def noticing_text(task: Task, found: Noticing) -> tuple[str, ...]:
    """How soon a doubling would be noticed, and whether that is what the owner asked for.

    >>> from understudy.core.task import Autonomy, Decision, Truth
    >>> decision = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
    >>> asked = Autonomy(max_error=0.05, confidence=0.95, notice=Notice(doubling_within="7d"))
    >>> task = Task(decision=decision, autonomy=asked, truth=Truth(source="blind_review"))
    >>> print(*noticing_text(task, Noticing(rate=0.2, looks=500, days=9.3, wrong=232.5)), sep=chr(10))
    A doubling of the promised risk would be noticed within about 9.3 days, or 232 wrong answers, in 9 of 10 cases.
    That is later than asked for (doubling_within = "7d"): too few cases come, or too few of its answers are audited.
    """
    within = f"within about {found.days:,.3g} days, or {found.wrong:,.0f} wrong answers"
    lines = [f"A doubling of the promised risk would be noticed {within}, in {10 * NOTICED:g} of 10 cases."]
    notice = task.autonomy.notice
    if notice is None:
        return tuple(lines)
    if notice.doubling_within is not None:
        wish, late = (
            f'doubling_within = "{notice.doubling_within}"',
            found.days / (duration(notice.doubling_within) / DAY),
        )
    else:
        wish, late = f"doubling_before = {notice.doubling_before}", found.wrong / (notice.doubling_before or 1)
    if late > STEP:
        why = "too few cases come, or too few of its answers are audited"
        lines.append(f"That is later than asked for ({wish}): {why}.")
    return tuple(lines)
