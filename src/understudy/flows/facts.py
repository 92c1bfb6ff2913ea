"""The facts behind an answer, for those who may see them: nobody who is still to judge a case blindly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.core.errors import ConflictError, ErasedError, NotFoundError, UnderstudyError
from understudy.core.nouns import Level
from understudy.core.task import duration
from understudy.flows.answers import Answer, as_value
from understudy.flows.head import Head
from understudy.flows.reasons import Explainer, Fact, explainer
from understudy.store.casebook import CaseRecord, find_case
from understudy.store.schema import queue

UNDO_WITHIN = 15 * 60_000_000
"""How long a reviewer can take an answer back, in microseconds; longer where the task releases answers later."""

UNSEEN = (Level.HUMAN, Level.SHADOW)


def is_blind(case: CaseRecord) -> bool:
    """Whether its reviewers see nothing of the model; below `assist`, nobody does."""
    return case.blind or case.review_kind == "audit" or case.prediction is None or case.level in UNSEEN


def explainer_of(head: Head, version: str) -> Explainer | None:
    """What explains a version, laid down once for each process; None where the version cannot be loaded."""
    known = head.library.explainers
    if version not in known:
        loaded = head.library.get(head.name, version)
        if loaded is None:
            return None
        known[version] = explainer(loaded)
    return known[version]


def facts_for(head: Head, version: str, inputs: Mapping[str, object], answer: str | float | None) -> tuple[Fact, ...]:
    """The three facts that moved a version to an answer; none where they cannot be told."""
    try:
        found = explainer_of(head, version)
        if found is None:
            return ()
        values, faults = found.version.read({name: inputs.get(name) for name in found.version.inputs})
        return () if faults else found.explain(values, answer).moved
    except UnderstudyError:  # an endpoint may be away, and the answer is good without its reasons
        return ()


def with_facts(head: Head, answers: Sequence[object], inputs: Sequence[Mapping[str, object]]) -> list[Any]:
    """Answers with their facts where the model decided; the others stay as they are, without facts."""
    return [
        replace(answer, facts=() if answer.model is None else facts_for(head, answer.model, row, answer.decision))
        if isinstance(answer, Answer)
        else answer
        for answer, row in zip(answers, inputs, strict=True)
    ]


def awaits_blind_look(connection: sa.Connection, head: Head, case: CaseRecord, now: int) -> bool:
    """Whether somebody is still to judge a case without seeing the model, or may take such a judgement back."""
    if not is_blind(case):
        return False
    waits = connection.execute(sa.select(sa.exists().where(queue.c.case_seq == case.seq))).scalar_one()
    back = max(UNDO_WITHIN, duration(head.task.review.release_after))
    return bool(waits) or any(look.at + back >= now for look in case.reviews)


def case_to_explain(head: Head, case_id: str) -> tuple[Mapping[str, object], str, str | float | None]:
    """A recorded case's inputs, the version that spoke of it, and what that said; whoever decided it.

    Raises
    ------
    NotFoundError
        There is no such case.
    ErasedError
        It was erased.
    ConflictError
        Somebody is still to judge it blindly.
    """
    now = head.library.work.clock.now()
    with head.library.work.store.reading() as connection:
        case = find_case(connection, head.number, case_id)
        if case is None:
            raise NotFoundError(f"The task {head.name!r} has no case {case_id[:80]!r}.")
        blind = awaits_blind_look(connection, head, case, now)
    if case.body is None:
        raise ErasedError(f"The case {case_id!r} was erased.")
    if blind:
        raise ConflictError(
            f"The case {case_id!r} is still judged by somebody who sees nothing of the model.",
            hint="Ask again once the review is done and can no longer be taken back.",
        )
    said = None if case.prediction is None else as_value(case.prediction, head.task.decision.kind)
    return msgspec.json.decode(case.body), case.version or "", said
