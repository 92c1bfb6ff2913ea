"""Cases as tasks of Label Studio, and the suggestion only where a reviewer may see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.autonomy.verdict import PEOPLE, standing
from understudy.core.nouns import Review
from understudy.flows.answers import as_value
from understudy.flows.facts import awaits_blind_look, is_blind
from understudy.flows.head import Head
from understudy.flows.labelstudio_config import ANSWER, CASE, FACTS, text_columns
from understudy.flows.review import in_order
from understudy.store.casebook import CaseRecord
from understudy.store.ledger import cases_after, cases_by_number
from understudy.store.queue import read_place
from understudy.store.schema import queue

AT_ONCE = 500


def read_cases(head: Head, *, queued: bool) -> Iterator[list[CaseRecord]]:
    """All cases, or those that wait for people with the first due first, some at a time.

    The order tells nothing of what the model thinks: audits stand among the others.
    """
    store, last = head.library.work.store, 0
    if queued:
        query = sa.select(queue.c.case_seq).where(queue.c.task == head.number)
        with store.reading() as connection:
            waiting = list(connection.execute(query.order_by(queue.c.due_at, queue.c.case_seq)).scalars())
        for start in range(0, len(waiting), AT_ONCE):
            some = waiting[start : start + AT_ONCE]
            with store.reading() as connection:
                found = {case.seq: case for case in cases_by_number(connection, head.number, some)}
            yield [found[seq] for seq in some if seq in found]
        return
    while True:
        with store.reading() as connection:
            page = cases_after(connection, head.number, last, AT_ONCE)
        if not page:
            return
        yield page
        last = page[-1].seq


def task_of(head: Head, case: CaseRecord, annotations: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """A case as a task; with a prediction only where its reviewers may see the suggestion."""
    said = prediction_of(head, case)
    return {
        "id": case.seq,
        "data": data_of(head, case.id, msgspec.json.decode(case.body or b"{}")),
        "meta": {"task": head.name, CASE: case.id},
        "predictions": [] if said is None else [said],
        "annotations": list(annotations),
    }


def data_of(head: Head, case_id: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a case: its id, its facts in the contract's order, its long texts; what is missing is empty."""
    ordered = {name: "" if value is None else value for name, value in in_order(head, dict(inputs)).items()}
    texts = text_columns(head)
    facts = {name: value for name, value in ordered.items() if name not in texts.values()}
    return {CASE: case_id, FACTS: facts} | {place: str(ordered.get(name, "")) for place, name in texts.items()}


def inputs_of(head: Head, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a model reads of a task's data: those of `data_of`, or plain columns."""
    facts = data.get(FACTS)
    plain = (
        dict(data)
        if not isinstance(facts, dict)
        else facts | {name: data.get(place) for place, name in text_columns(head).items()}
    )
    return {name: plain[name] for name in head.columns if plain.get(name) not in (None, "")}


def prediction_of(head: Head, case: CaseRecord) -> dict[str, Any] | None:
    """The suggestion for a case, or None where its reviewers see nothing of the model."""
    if is_blind(case) or case.body is None or case.prediction is None:
        return None
    value = as_value(case.prediction, head.task.decision.kind)
    return as_prediction(value, case.confidence or 0.0, case.version or "", f"prediction-{case.seq}")


def as_prediction(value: str | float, confidence: float, version: str, name: str) -> dict[str, Any]:
    """An answer of a model as Label Studio has it; its result bears the name."""
    return {"model_version": version, "score": confidence, "result": [as_result(value, name)]}


def as_result(value: str | float, name: str) -> dict[str, Any]:
    """An answer as the result of the control that is answered.

    >>> as_result("pay", "a1")["value"], as_result(2.5, "a2")["value"]
    ({'choices': ['pay']}, {'number': 2.5})
    """
    kind, found = ("choices", {"choices": [value]}) if isinstance(value, str) else ("number", {"number": value})
    return {"id": name, "type": kind, "from_name": ANSWER, "to_name": CASE, "value": found}


def annotations_of(connection: sa.Connection, head: Head, case: CaseRecord, now: int) -> list[dict[str, Any]]:
    """What people have answered to a case; nothing while it waits, or while a blind answer can be taken back."""
    if read_place(connection, case.seq) is not None or awaits_blind_look(connection, head, case, now):
        return []
    return [as_annotation(head, look) for look in standing(case.reviews) if look.kind in PEOPLE]


def as_annotation(head: Head, look: Review) -> dict[str, Any]:
    """A person's answer as Label Studio has it; who gave it stays here."""
    lead = None if look.opened_at is None else max(look.at - look.opened_at, 0) / 1e6
    moment = datetime.fromtimestamp(look.at / 1e6, UTC).isoformat()
    return {
        "id": look.seq,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": moment,
        "updated_at": moment,
        "lead_time": lead,
        "result": [as_result(as_value(look.value or "", head.task.decision.kind), f"annotation-{look.seq}")],
    }
