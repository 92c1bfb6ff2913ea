"""What is known of the truth of a case, and what the model's answer was worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from understudy.autonomy.verdict import majority, standing
from understudy.core.nouns import Review
from understudy.core.task import Task

Source = Literal["outcome", "review", "silence", "missing", "nobody"]


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A case as the ledger needs it.

    Attributes
    ----------
    review_kind : {"decide", "audit", "none"}
    review_propensity : float
        The probability of a blind look.
    blind : bool
        Whether that look was drawn, for a case that people decide.
    decision : str, optional
        What was decided first: at once, or by people. A look that overturns it does not count: whether it hides its
        outcome would then depend on what the look found.
    reviews : tuple of Review
    outcome : str, optional
        The outcome that holds.
    overdue : bool
        Whether the day has passed by which the truth must be known.
    ruled : str, optional
        What the rules of today decided at once, if they did.
    alone : bool
        Whether today's way decides at this level, and nothing of the model is shown.
    """

    review_kind: str
    review_propensity: float
    blind: bool
    decision: str | None
    reviews: tuple[Review, ...]
    outcome: str | None
    overdue: bool
    ruled: str | None = None
    alone: bool = False


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a case.

    Attributes
    ----------
    source : {"outcome", "review", "silence", "missing", "nobody"}
        Where the label comes from; `missing` where it should be there and is not, which counts as a mistake; `nobody`
        where this case was not drawn for a look.
    label : str, optional
    propensity : float
        The probability with which somebody looks at a case like this one.
    """

    source: Source
    label: str | None
    propensity: float


def known_truth(task: Task, past: Past) -> Truth | None:
    """What is known of a case's truth, or None while it may still come.

    The task says what counts. Outcomes count for every case, unless the decision hides them; then, as where reviews
    are the truth, only blind looks that were drawn beforehand count: a look that somebody chose never does.
    """
    hidden = past.decision is not None and past.decision in task.truth.hides_outcome
    if task.truth.source == "outcome" and not hidden:
        return by_outcome(task, past)
    return by_review(task, past)


def by_outcome(task: Task, past: Past) -> Truth | None:
    """The outcome; when its day has passed without one, what silence means, or a mistake."""
    if past.outcome is not None:
        return Truth(source="outcome", label=past.outcome, propensity=1.0)
    if not past.overdue:
        return None
    if task.truth.silence is not None:
        return Truth(source="silence", label=task.truth.silence, propensity=1.0)
    return Truth(source="missing", label=None, propensity=1.0)


def by_review(task: Task, past: Past) -> Truth | None:
    """What blind reviewers say, of the cases that were drawn for them."""
    drawn = past.review_kind == "audit" or (past.review_kind == "decide" and past.blind)
    if not drawn:
        return Truth(source="nobody", label=None, propensity=past.review_propensity)
    agreed = majority(looks(task, past.reviews), task.review.wanted)
    if agreed is not None:
        return Truth(source="review", label=agreed.decision, propensity=past.review_propensity)
    if past.overdue:
        return Truth(source="missing", label=None, propensity=past.review_propensity)
    return None


def looks(task: Task, reviews: Sequence[Review]) -> tuple[Review, ...]:
    """The answers that count: blind ones, by reviewers; where any review is the truth, by the caller's people too."""
    kinds = ("decide", "audit", "caller") if task.truth.source == "review" else ("decide", "audit")
    return tuple(review for review in standing(reviews) if review.blind and review.kind in kinds)


def loss(task: Task, prediction: str, truth: Truth) -> float | None:
    """What an answer cost, between 0 and 1; None where nobody looked.

    Wrong or right; where the task prices mistakes, the price over the highest one; for numbers, whether the answer is
    off by more than the tolerance. A label that is missing counts as 1.

    >>> from understudy.core.task import Autonomy, Cost, Decision
    >>> decision = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95),
    ...             cost=Cost(mistakes={"no -> yes": 10.0, "yes -> no": 2.0}))
    >>> loss(task, "no", Truth(source="outcome", label="yes", propensity=1.0))
    0.2
    """
    if truth.source == "nobody":
        return None
    if truth.label is None:
        return 1.0
    if task.decision.kind == "regression":
        return float(not abs(float(prediction) - float(truth.label)) <= (task.decision.tolerance or 0.0))
    if prediction == truth.label:
        return 0.0
    prices = task.cost.mistakes
    highest = max(prices.values(), default=0.0)
    return prices.get(f"{truth.label} -> {prediction}", highest) / highest if highest > 0 else 1.0


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """What today's way decided of a case, empty where it has not yet, and a truth against which to hold it."""

    decision: str
    truth: Truth


def untold(task: Task) -> str:
    """Why it cannot be told whether the model is as good as what decides today; empty where it can."""
    second = task.review.wanted > 1 and task.decision.kind == "classification"
    if task.truth.source == "outcome" or task.today.rules or second:
        return ""
    return (
        "Whether it is as good as people cannot be told: the truth is what they say themselves. An outcome would tell,"
        " or a second blind reviewer ([review] wanted = 2)."
    )


def by_today(task: Task, past: Past, truth: Truth) -> Today | None:
    """What today's way decided, beside a truth that does not depend on it; None where nothing can be told.

    A rule is held against outcomes and audits, people against outcomes and, where two are asked, the first one against
    the second. Where people are their own truth, as for answers that hide their outcome, and while they have not
    decided, they count as right: so the model is never found to be better than it is.
    """
    if not past.alone or untold(task):
        return None
    if past.ruled is not None:
        return Today(decision=past.ruled, truth=truth)
    given = looks(task, past.reviews)
    if (
        truth.source == "review"
        and task.review.wanted > 1
        and len(given) > 1
        and task.decision.kind == "classification"
    ):
        return Today(decision=given[0].value or "", truth=msgspec.structs.replace(truth, label=given[1].value))
    if past.decision is None:
        return Today(decision="", truth=truth)
    return Today(decision=past.decision, truth=truth)


def loss_today(task: Task, today: Today) -> float | None:
    """What today's decision cost; None where nobody looked, 0 while there is none."""
    return loss(task, today.decision, today.truth) if today.decision else 0.0
