"""What would other settings bring: how much is decided alone, how often wrong, at what price, with how many reviews?

The bounds do not depend on what is asked, but for the confidence, so asking again costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from msgspec.structs import replace

from understudy.autonomy.choices import Choice, Side, Terms, choose, keeping, pareto
from understudy.core.errors import InputError
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Task
from understudy.evidence.bands import Answers, BandPlan, between, history_bands, live_bands

Source = Literal["log", "history"]


@dataclass(frozen=True)
class Basis:
    """What is answered from.

    Attributes
    ----------
    source : {"log", "history"}
        Live cases of the present epoch, or held-out rows of the version.
    cases : int
        How many there are, those included that the machine may not decide.
    grid : dict of tuple of float
        By answer the thresholds that may be picked, fixed before the live cases came.
    answers : dict of Answers
        By answer the cases that the machine may decide.
    """

    source: Source
    cases: int
    grid: Mapping[str, tuple[float, ...]]
    answers: Mapping[str, Answers]


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What other settings would bring.

    Attributes
    ----------
    task, question, version : str
    level : Level
    source : {"log", "history"}
    cases, looked : int
        Cases that it rests on, and those among them whose truth is known.
    settings : int
        How many thresholds the bounds hold for together.
    promised : float
        The `max_error` of the task file.
    terms : Terms
    priced : bool
        Whether the task file prices mistakes.
    sides : tuple of Side
        With the thresholds that cover enough of an answer's cases.
    frontier : tuple of Choice
        For each promise at which something changes the most that keeps it, the strictest promise first.
    chosen : Choice
        The most that keeps the promise asked about.
    people : Choice
        Everything left to people.
    now : Choice, optional
        What is deployed; None where people decide.
    cheapest : Choice, optional
        The one, of the frontier or people, whose cost is proven to be lowest; None where mistakes have no price.
    certified : dict of float
        By answer the threshold that the gate has certified.
    notes : tuple of str
        What the figures rest on.
    """

    task: str
    question: str
    version: str
    level: Level
    source: Source
    cases: int
    looked: int
    settings: int
    promised: float
    terms: Terms
    priced: bool
    sides: tuple[Side, ...]
    frontier: tuple[Choice, ...]
    chosen: Choice
    people: Choice
    now: Choice | None
    cheapest: Choice | None
    certified: dict[str, float]
    notes: tuple[str, ...] = ()


def terms_of(
    task: Task,
    *,
    max_error: float | None = None,
    confidence: float | None = None,
    min_coverage: float | None = None,
    review_cost: float | None = None,
    minutes: float = 2.0,
    cases_per_day: float | None = None,
) -> Terms:
    """What is asked about; what is left out is as the task file says.

    Raises
    ------
    InputError
        A number lies outside its range.
    """
    autonomy = task.autonomy
    terms = Terms(
        max_error=autonomy.max_error if max_error is None else max_error,
        confidence=autonomy.confidence if confidence is None else confidence,
        min_coverage=autonomy.min_coverage if min_coverage is None else min_coverage,
        review_cost=task.cost.review if review_cost is None else review_cost,
        minutes=minutes,
        cases_per_day=cases_per_day,
    )
    ranges = {
        "max_error": (terms.max_error, 0 < terms.max_error < 1, "above 0 and below 1, such as 0.05 for 5 of 100"),
        "confidence": (terms.confidence, 0.5 < terms.confidence < 1, "above 0.5 and below 1, such as 0.95"),
        "min_coverage": (terms.min_coverage, 0 < terms.min_coverage < 1, "above 0 and below 1, such as 0.1"),
        "review_cost": (terms.review_cost, 0 <= terms.review_cost < 1e12, "a price, 0 or more"),
        "minutes": (terms.minutes, 0 < terms.minutes < 1e6, "a number of minutes above 0"),
        "cases_per_day": (cases_per_day, cases_per_day is None or 0 < cases_per_day < 1e12, "a number above 0"),
    }
    for name, (value, fine, expected) in ranges.items():
        if not fine:
            raise InputError(f"{name} is {expected}, not {value}")
    return terms


def what_if(
    task: Task,
    terms: Terms,
    basis: Basis,
    deployed: Deployment,
    *,
    version: str,
    certified: Mapping[str, float],
) -> WhatIf:
    """What other settings would bring.

    Parameters
    ----------
    task : Task
        As the task file says.
    terms : Terms
        What is asked about instead.
    basis : Basis
    deployed : Deployment
    version : str
    certified : dict of float
        By answer the threshold that the gate has certified.
    """
    sides = bounded(task, terms, basis)
    able = tuple(worth(task, terms, side) for side in sides)
    frontier, people = pareto(task, terms, able), choose(task, terms, terms.max_error, {})
    priced = bool(task.cost.mistakes)
    return WhatIf(
        task=task.name,
        question=task.decision.question,
        version=version,
        level=deployed.level,
        source=basis.source,
        cases=basis.cases,
        looked=sum(int((~np.isnan(answers.loss)).sum()) for answers in basis.answers.values()),
        settings=sum(len(side.curve) for side in sides),
        promised=task.autonomy.max_error,
        terms=terms,
        priced=priced,
        sides=able,
        frontier=frontier,
        chosen=keeping(task, terms, able, terms.max_error),
        people=people,
        now=deployed_now(task, terms, sides, basis, deployed),
        cheapest=min((people, *frontier), key=lambda choice: choice.cost.upper) if priced else None,
        certified=dict(certified),
    )


def bounded(task: Task, terms: Terms, basis: Basis) -> tuple[Side, ...]:
    """Each answer with its bounds, the most frequent one first; of what is asked only `confidence` changes them."""
    names = [name for name, grid in basis.grid.items() if grid]
    if not names:
        return ()
    plan = BandPlan(grid=tuple(basis.grid[name] for name in names), alpha=1 - terms.confidence)
    answers = [basis.answers[name] for name in names]
    prices = task.cost.mistakes.values()
    parts = any(0 < price < max(prices) for price in prices)
    curves = live_bands(plan, answers) if basis.source == "log" else history_bands(plan, answers, costs=parts)
    sides = [
        Side(answer=name, share=len(given.confidence) / max(basis.cases, 1), curve=curve)
        for name, given, curve in zip(names, answers, curves, strict=True)
    ]
    return tuple(sorted(sides, key=lambda side: (-side.share, side.answer)))


def worth(task: Task, terms: Terms, side: Side) -> Side:
    """The thresholds of an answer that cover enough of its cases; the grid itself begins where the task file says."""
    least = terms.min_coverage - 1e-9 if terms.min_coverage > task.autonomy.min_coverage else 0.0
    curve = tuple(at for at in side.curve if side.covered(at) >= least)
    alone = tuple(choose(task, terms, at.risk.upper, {side.answer: at}) for at in curve)
    return replace(side, curve=curve, alone=alone)


def deployed_now(task: Task, terms: Terms, sides: Sequence[Side], basis: Basis, deployed: Deployment) -> Choice | None:
    """What is deployed, as a choice; its thresholds may lie between those of the grid."""
    if deployed.level.height < Level.PARTIAL.height or deployed.paused:
        return None
    whole = deployed.level is Level.FULL
    found = {
        side.answer: between(side.curve, basis.answers[side.answer], 0.0 if whole else deployed.thresholds[side.answer])
        for side in sides
        if whole or side.answer in deployed.thresholds
    }
    return choose(task, terms, task.autonomy.max_error, found)


PROMISES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)
"""The promises that a table shows, beside the one of the task file and the one asked about."""


def offers(result: WhatIf) -> tuple[tuple[float, Choice], ...]:
    """Promises with the most that keeps each, without those that nothing keeps, or that add nothing."""
    wanted = {result.promised, result.terms.max_error, *((result.cheapest.max_error,) if result.cheapest else ())}
    found: list[tuple[float, Choice]] = []
    for promise in sorted({*PROMISES, *wanted}):
        within = [choice for choice in result.frontier if choice.max_error <= promise]
        if within and (promise in wanted or not found or within[-1] != found[-1][1]):
            found.append((promise, within[-1]))
    return tuple(found)
