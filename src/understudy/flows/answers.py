"""What a caller is told of a case."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Literal

import msgspec

from understudy.autonomy.router import told
from understudy.autonomy.verdict import Verdict, verdict
from understudy.core.errors import ErasedError
from understudy.core.nouns import Decider, Level
from understudy.core.task import duration
from understudy.flows.head import Head
from understudy.flows.reasons import Fact
from understudy.store.casebook import CaseRecord, NewCase


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A case as its caller sees it.

    Attributes
    ----------
    id : str
    status : {"decided", "pending"}
    decision : str or float, optional
        None until the case is decided.
    decided_by : {"model", "person", "rule"}, optional
    confidence, probabilities, strangeness, model : optional
        What the model said, where the model decided; None otherwise, so that nobody is led by it.
    level : Level
        The level under which the case came in.
    reasons : tuple of str
        Codes of the route. Those that would tell what the model thinks are left out unless the model decided; where
        nothing else is left, `not_automated`.
    facts : tuple of Fact
        Only where they are asked for: the three that moved the model most, where it decided; none otherwise.
    """

    id: str
    status: Literal["decided", "pending"]
    decision: str | float | None = None
    decided_by: Decider | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    strangeness: float | None = None
    level: Level
    model: str | None = None
    reasons: tuple[str, ...] = ()
    facts: tuple[Fact, ...] | msgspec.UnsetType = msgspec.UNSET


def as_text(decision: str | float) -> str:
    """A decision as it is stored."""
    return decision if isinstance(decision, str) else repr(decision)


def as_value(text: str, kind: str) -> str | float:
    """A stored decision as callers read it."""
    return float(text) if kind == "regression" else text


Recorded = CaseRecord | NewCase
"""A case as it is read back, or as it has just been recorded."""


def first_verdict(case: Recorded) -> Verdict | None:
    """What was decided at once, if anything was."""
    if case.decision is None or case.decided_by is None:
        return None
    return Verdict(decision=case.decision, by=case.decided_by, at=case.received_at)


def verdict_of(head: Head, case: Recorded) -> Verdict | None:
    """The decision that stands for a case, or None while it waits."""
    review = head.task.review
    return verdict(first_verdict(case), case.reviews, wanted=review.wanted, correct=review.dissent == "correct")


def released(head: Head, found: Verdict | None, now: int) -> Verdict | None:
    """The decision once nobody can recall it any more."""
    if found is None or (found.by is Decider.PERSON and now < found.at + duration(head.task.review.release_after)):
        return None
    return found


def answer_of(head: Head, case: Recorded, now: int) -> Answer:
    """What the caller of a recorded case is told.

    Raises
    ------
    ErasedError
        Its inputs were erased.
    """
    if case.body is None:
        raise ErasedError(f"The case {case.id!r} was erased.")
    found = released(head, verdict_of(head, case), now)
    if found is None:
        return Answer(id=case.id, status="pending", level=case.level, reasons=told(case.reasons))
    decision = as_value(found.decision, head.task.decision.kind)
    if found.by is not Decider.MODEL:
        reasons = told(case.reasons)
        return Answer(
            id=case.id, status="decided", decision=decision, decided_by=found.by, level=case.level, reasons=reasons
        )
    labels = head.library.labels_of(case.version or "")
    return Answer(
        id=case.id,
        status="decided",
        decision=decision,
        decided_by=found.by,
        confidence=case.confidence,
        probabilities=by_label(labels, array("f", case.scores or b"")),
        strangeness=case.strangeness,
        level=case.level,
        model=case.version,
        reasons=case.reasons,
    )


def by_label(labels: Sequence[str], scores: Sequence[float]) -> dict[str, float] | None:
    """Probabilities by answer; None for numbers."""
    return dict(zip(labels, scores, strict=True)) if labels else None
