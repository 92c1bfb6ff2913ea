"""One choice of thresholds, and what it would bring: coverage, risk, cost, reviews.

Choices are made from bounds that hold for all thresholds together (`evidence.bands`), so that picking what pleases
costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from understudy.autonomy.promise import LEAST_VOLUME, wanted_audit_rate
from understudy.core.evidence import Evidence
from understudy.core.task import Task
from understudy.evidence.bands import Curve, SelectiveRisk, widest_kept

PER = 1000
"""Costs and reviews are told for so many cases."""

DAYS_A_YEAR = 365.25


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked about.

    Attributes
    ----------
    max_error, confidence : float
        The promise.
    min_coverage : float
        The share of an answer's cases below which it is left to people.
    review_cost : float
        What a review costs.
    minutes : float
        How long a review takes.
    cases_per_day : float, optional
        How many cases come; None where nobody knows.
    """

    max_error: float
    confidence: float
    min_coverage: float
    review_cost: float
    minutes: float
    cases_per_day: float | None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold for some answers, and what it would bring.

    Attributes
    ----------
    max_error : float
        The promise for which it was chosen: each answer keeps it.
    thresholds : dict of float
        By answer; the other answers are left to people.
    coverage : Evidence
        The share of all cases that the machine decides.
    risk : Evidence, optional
        The mean loss of these, in the mix of answers that was seen; None where there are none.
    cost : Evidence
        Of 1,000 cases: mistakes of the machine, if they are priced, and reviews. Mistakes of people are not in it.
    reviews, audits : float
        Of 1,000 cases: answers that people give, and how many of these check an answer of the machine in calm times.
    reviews_per_day, hours_saved_per_day : float, optional
        Against people reviewing each case; None where nobody knows how many cases come.
    """

    max_error: float
    thresholds: dict[str, float]
    coverage: Evidence
    risk: Evidence | None
    cost: Evidence
    reviews: float
    audits: float
    reviews_per_day: float | None
    hours_saved_per_day: float | None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One answer along its thresholds.

    Attributes
    ----------
    answer : str
        `*` for numbers.
    share : float
        Of all cases, those that would get this answer and may be decided by the machine.
    curve : tuple of SelectiveRisk
        Coverage is the share of all cases. The thresholds fall.
    alone : tuple of Choice
        For each of them what it would bring if the machine gave no other answer.
    """

    answer: str
    share: float
    curve: Curve
    alone: tuple[Choice, ...] = ()

    def covered(self, at: SelectiveRisk) -> float:
        """The share of this answer's cases that are at or above a threshold."""
        return at.coverage.estimate / self.share if self.share else 0.0


def pareto(task: Task, terms: Terms, sides: Sequence[Side]) -> tuple[Choice, ...]:
    """What can be promised: for each promise at which more becomes possible the most that keeps it."""
    promises = sorted({at.risk.upper for side in sides for at in side.curve if at.risk.upper < 1})
    found: list[Choice] = []
    for promise in promises:
        choice = keeping(task, terms, sides, promise)
        if not found or choice.thresholds != found[-1].thresholds:
            found.append(choice)
    return tuple(found)


def keeping(task: Task, terms: Terms, sides: Sequence[Side], max_error: float) -> Choice:
    """The most that keeps a promise, each answer for itself."""
    kept = {side.answer: widest_kept(side.curve, max_error) for side in sides}
    return choose(task, terms, max_error, {name: at for name, at in kept.items() if at is not None})


def choose(task: Task, terms: Terms, max_error: float, found: Mapping[str, SelectiveRisk]) -> Choice:
    """What it would bring if these thresholds were deployed."""
    coverage, risk = total_coverage(terms, list(found.values())), mixed_risk(terms, list(found.values()))
    rate = audit_share(task, terms, max_error, coverage.estimate)
    audits = PER * coverage.estimate * rate * task.review.wanted if found else 0.0
    reviews = PER * (1 - coverage.estimate) * task.review.wanted + audits
    per_day = terms.cases_per_day
    spared = PER * task.review.wanted - reviews
    return Choice(
        max_error=max_error,
        thresholds={name: at.threshold for name, at in found.items()},
        coverage=coverage,
        risk=risk,
        cost=cost_of(task, terms, coverage.estimate, risk, reviews),
        reviews=reviews,
        audits=audits,
        reviews_per_day=None if per_day is None else per_day * reviews / PER,
        hours_saved_per_day=None if per_day is None else per_day * spared / PER * terms.minutes / 60,
    )


def total_coverage(terms: Terms, points: Sequence[SelectiveRisk]) -> Evidence:
    """The share of all cases that are decided; bounds that hold together add up."""
    return Evidence(
        estimate=sum(at.coverage.estimate for at in points),
        lower=sum(at.coverage.lower for at in points),
        upper=min(1.0, sum(at.coverage.upper for at in points)),
        confidence=terms.confidence,
        n=max((at.coverage.n for at in points), default=0),
        method=points[0].coverage.method if points else "nothing is decided",
        anytime=all(at.coverage.anytime for at in points),
    )


def mixed_risk(terms: Terms, points: Sequence[SelectiveRisk]) -> Evidence | None:
    """The mean loss of the cases that are decided, in the mix of answers that was seen."""
    total = sum(at.coverage.estimate for at in points)
    if not total > 0:
        return None
    shares = [at.coverage.estimate / total for at in points]

    def mixed(numbers: Sequence[float]) -> float:
        return sum(share * number for share, number in zip(shares, numbers, strict=True) if share)

    return Evidence(
        estimate=mixed([at.risk.estimate for at in points]),
        lower=mixed([at.risk.lower for at in points]),
        upper=mixed([at.risk.upper for at in points]),
        confidence=terms.confidence,
        n=sum(at.risk.n for at in points),
        method=points[0].risk.method,
        anytime=all(at.risk.anytime for at in points),
    )


def audit_share(task: Task, terms: Terms, max_error: float, coverage: float) -> float:
    """The share of its own answers that people check in calm times, under this promise."""
    promised = replace(task, autonomy=replace(task.autonomy, max_error=min(max_error, 0.999)))
    volume = LEAST_VOLUME if terms.cases_per_day is None else terms.cases_per_day * DAYS_A_YEAR * coverage
    return wanted_audit_rate(promised, max(volume, LEAST_VOLUME))


def cost_of(task: Task, terms: Terms, coverage: float, risk: Evidence | None, reviews: float) -> Evidence:
    """What 1,000 cases cost, with the bounds of the risk; a loss of 1 is the dearest mistake."""
    price = max(task.cost.mistakes.values(), default=0.0) * coverage * PER
    given = reviews * terms.review_cost
    estimate, lower, upper = (0.0, 0.0, 0.0) if risk is None else (risk.estimate, risk.lower, risk.upper)
    return Evidence(
        estimate=given + price * estimate if price else given,
        lower=given + price * lower,
        upper=given + price * upper,
        confidence=terms.confidence,
        n=0 if risk is None else risk.n,
        method="no mistakes" if risk is None else risk.method,
        anytime=risk is None or risk.anytime,
    )


def possible(sides: Sequence[Side], max_error: float, bound: Literal["estimate", "lower", "upper"]) -> float:
    """The share of all cases that would be decided if the risk were as the estimate, or a bound, says."""
    kept = ([at.coverage.estimate for at in side.curve if getattr(at.risk, bound) <= max_error] for side in sides)
    return sum(max(each, default=0.0) for each in kept)
