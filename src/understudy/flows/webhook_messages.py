"""What a webhook is told: each message follows from a row of the log, and is the same each time it is sent."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa

from understudy.autonomy.announced import Announcement, announcements
from understudy.autonomy.router import told
from understudy.core.nouns import Decider, Deployment, Event
from understudy.core.task import Task, duration
from understudy.core.webhook import MessageType, Webhook
from understudy.flows.answers import as_value, first_verdict
from understudy.flows.moves import read_body
from understudy.store.casebook import CaseRecord
from understudy.store.events import read_events
from understudy.store.ledger import cases_by_number
from understudy.store.registry import read_deployments
from understudy.store.tasks import TaskRecord
from understudy.store.webhooks import Place, Row

EVENT_TYPES: dict[str, MessageType] = {"moved.": "task.moved", "alarm.": "task.alarmed"}
"""By how the kind of an event begins, what is sent of it; of others nothing is."""

CASE_TYPES: dict[str, MessageType] = {
    "pending": "case.pending",
    "decided": "case.decided",
    "corrected": "case.corrected",
}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message: its id, which stays the same however often it is sent; its type; and its body."""

    id: str
    type: str
    body: bytes


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A task as messages need it: its record, and its file read."""

    record: TaskRecord
    task: Task

    @property
    def number(self) -> int:
        """The task's number."""
        return self.record.number

    @property
    def release(self) -> int:
        """For how long a person's decision is held back, in microseconds."""
        return duration(self.task.review.release_after)


def desk_of(record: TaskRecord) -> Desk:
    """A task as messages need it."""
    return Desk(record=record, task=read_body(record))


def case_messages(connection: sa.Connection, desk: Desk, webhook: Webhook, rows: Sequence[Row]) -> dict[Place, Message]:
    """What is to be told of some cases or reviews; nothing of cases that were erased or archived."""
    found = cases_by_number(connection, desk.number, sorted({row.case_seq for row in rows}))
    known = {case.seq: case for case in found if case.body is not None}
    messages: dict[Place, Message] = {}
    for row in rows:
        case = known.get(row.case_seq)
        said = None if case is None else announcement(desk.task, case, row.place)
        if case is not None and said is not None:
            at = row.at if said.verdict is None else said.verdict.at
            data = case_data(desk.task, case, said, inputs=webhook.inputs)
            messages[row.place] = make_message(desk, webhook, row.place, CASE_TYPES[said.what], at, data)
    return messages


def announcement(task: Task, case: CaseRecord, place: Place) -> Announcement | None:
    """What a row says of its case, if anything is to be told."""
    review = task.review
    told_so = announcements(
        first_verdict(case),
        case.reviews,
        wanted=review.wanted,
        correct=review.dissent == "correct",
        release=duration(review.release_after),
    )
    number = None if place.source == "cases" else place.seq
    return next((each for each in told_so if each.review == number), None)


def case_data(task: Task, case: CaseRecord, said: Announcement, *, inputs: bool) -> dict[str, object]:
    """What a message says of a case: what its caller may read, and its inputs only where they are asked for."""
    verdict, kind = said.verdict, task.decision.kind
    by_model = verdict is not None and verdict.by is Decider.MODEL
    data: dict[str, object] = {
        "task": task.name,
        "id": case.id,
        "status": "pending" if verdict is None else "decided",
        "decision": None if verdict is None else as_value(verdict.decision, kind),
        "decided_by": None if verdict is None else verdict.by,
        "level": case.level,
        "reasons": case.reasons if by_model else told(case.reasons),
        "received_at": iso(case.received_at),
    }
    if by_model:
        data |= {"model": case.version, "confidence": case.confidence}
    if said.previous is not None:
        data["previous"] = as_value(said.previous, kind)
    if inputs and case.body is not None:
        data["inputs"] = msgspec.Raw(case.body)
    return data


def event_messages(
    connection: sa.Connection, desk: Desk, webhook: Webhook, found: Sequence[Event]
) -> dict[Place, Message]:
    """What is to be told of some events: of moves and alarms."""
    levels = {made.revision: made.level for made in read_deployments(connection, desk.number)}
    messages: dict[Place, Message] = {}
    for event in found:
        begins = next((each for each in EVENT_TYPES if event.kind.startswith(each)), None)
        if begins is None:
            continue
        data: dict[str, object] = {"task": desk.task.name, "event": event.seq}
        if begins == "moved.":
            data |= move_data(event, levels)
        else:
            data |= {"alarm": event.kind.removeprefix(begins), "details": event.body}
        place = Place(task=desk.number, source="events", seq=event.seq)
        messages[place] = make_message(desk, webhook, place, EVENT_TYPES[begins], event.at, data)
    return messages


def move_data(event: Event, levels: Mapping[int, str]) -> dict[str, object]:
    """What a message says of a move."""
    to = msgspec.convert(event.body["to"], Deployment)
    return {
        "move": event.kind.removeprefix("moved."),
        "from": levels.get(to.revision - 1, "human"),
        "to": to.level,
        "paused": to.paused,
        "model": to.champion or None,
        "revision": to.revision,
        "actor": event.actor,
        "reasons": event.body["reasons"],
    }


def message_at(
    connection: sa.Connection, desk: Desk, webhook: Webhook, place: Place, row: Row | None
) -> Message | None:
    """The message of one row, made once more; None where nothing is left to tell."""
    if place.source == "events":
        found = read_events(connection, desk.number, after=place.seq - 1, most=1)
        return event_messages(connection, desk, webhook, found).get(place)
    return None if row is None else case_messages(connection, desk, webhook, [row]).get(place)


def make_message(
    desk: Desk, webhook: Webhook, place: Place, kind: MessageType, at: int, data: Mapping[str, object]
) -> Message:
    """A message with its id and its bytes."""
    body = msgspec.json.encode({"type": kind, "timestamp": iso(at), "data": data})
    return Message(id=message_id(desk.record, webhook.name, place), type=kind, body=body)


def message_id(record: TaskRecord, webhook: str, place: Place) -> str:
    """The id of a message: it follows from what it is about, and nobody else can guess it."""
    about = f"webhook\0{webhook}\0{place.source}\0{place.seq}".encode()
    return f"msg_{hmac.digest(record.secret, about, 'sha256')[:16].hex()}"


def iso(at: int) -> str:
    """A time as receivers read it.

    >>> iso(1_700_000_000_123_456)
    '2023-11-14T22:13:20.123456Z'
    """
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def wanted_tasks(records: list[TaskRecord], webhook: Webhook) -> list[TaskRecord]:
    """The tasks that a webhook hears of."""
    return [record for record in records if not webhook.tasks or record.name in webhook.tasks]
