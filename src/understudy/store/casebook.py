"""Cases: what was asked, what models thought of it, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.core.nouns import Decider, Level, Review
from understudy.store.database import insert_many, lock_reviews, take_numbers
from understudy.store.schema import cases, claims, inbox, inputs, predictions, queue, reviews

MOST_NAMES = 500
"""How many ids one query names; databases bound the number of parameters."""


class NewPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """What one version thinks of a case; `scores` are float32 in the order of its labels."""

    version: str
    role: str
    prediction: str
    confidence: float
    scores: bytes


class NewCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that is about to be recorded.

    Attributes
    ----------
    id : str
    received_at : int
    digest : bytes
        HMAC-SHA256 of the canonical inputs under `salt`.
    salt, body : bytes
        The key of the digest, and the canonical inputs; both can be erased.
    subject : bytes, optional
        Keyed hash of the person whom it is about.
    revision, level, version
        The deployment under which it was decided.
    reasons : tuple of str
    review_kind, review_propensity, blind
        Who looks at it; see `Route`.
    decision, decided_by : optional
        What was decided at once, if anything was.
    confidence, strangeness : float, optional
        The champion's.
    predictions : tuple of NewPrediction
    due_at, wanted : int
        For cases that go to people: when the answer is due, and how many must agree.
    """

    id: str
    received_at: int
    digest: bytes
    salt: bytes
    body: bytes
    subject: bytes | None
    revision: int
    level: Level
    version: str | None
    reasons: tuple[str, ...]
    review_kind: str
    review_propensity: float
    blind: bool
    decision: str | None
    decided_by: Decider | None
    confidence: float | None
    strangeness: float | None
    predictions: tuple[NewPrediction, ...]
    due_at: int
    wanted: int


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A case as it is recorded; `body` is None once it has been erased."""

    seq: int
    id: str
    received_at: int
    digest: bytes
    revision: int
    level: Level
    version: str | None
    reasons: tuple[str, ...]
    review_kind: str
    review_propensity: float
    blind: bool
    decision: str | None
    decided_by: Decider | None
    confidence: float | None
    strangeness: float | None
    salt: bytes | None
    body: bytes | None
    prediction: str | None
    scores: bytes | None
    reviews: tuple[Review, ...] = ()


AUDIT_PRIORITY, DECIDE_PRIORITY, ESCALATED_PRIORITY = 0, 10, 20


def append_cases(connection: sa.Connection, task: int, new: Sequence[NewCase]) -> None:
    """Record cases with their inputs and predictions, and queue those that a person must see.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        One of the ids is taken.
    """
    numbered = list(zip(take_numbers(connection, "cases", len(new)), new, strict=True))
    insert_many(connection, cases, [case_row(task, seq, case) for seq, case in numbered])
    bodies = [{"seq": seq, "salt": case.salt, "body": case.body, "erased_at": None} for seq, case in numbered]
    insert_many(connection, inputs, bodies)
    guesses = [
        {
            "seq": seq,
            "version": guess.version,
            "role": guess.role,
            "prediction": guess.prediction,
            "confidence": guess.confidence,
            "scores": guess.scores,
        }
        for seq, case in numbered
        for guess in case.predictions
    ]
    if guesses:
        insert_many(connection, predictions, guesses)
    waiting = [queue_row(task, seq, case) for seq, case in numbered if case.review_kind != "none"]
    if waiting:
        insert_many(connection, queue, waiting)


def case_row(task: int, seq: int, case: NewCase) -> dict[str, Any]:
    """The row of the table `cases`."""
    return {
        "seq": seq,
        "task": task,
        "id": case.id,
        "received_at": case.received_at,
        "digest": case.digest,
        "subject": case.subject,
        "revision": case.revision,
        "level": case.level.value,
        "version": case.version,
        "reasons": " ".join(case.reasons),
        "review_kind": case.review_kind,
        "review_propensity": case.review_propensity,
        "blind": case.blind,
        "decision": case.decision,
        "decided_by": None if case.decided_by is None else case.decided_by.value,
        "confidence": case.confidence,
        "strangeness": case.strangeness,
    }


def queue_row(task: int, seq: int, case: NewCase) -> dict[str, Any]:
    """The row of the table `queue`."""
    return {
        "case_seq": seq,
        "task": task,
        "kind": case.review_kind,
        "priority": AUDIT_PRIORITY if case.review_kind == "audit" else DECIDE_PRIORITY,
        "due_at": case.due_at,
        "wanted": case.wanted,
        "given": 0,
    }


def find_cases(connection: sa.Connection, task: int, ids: Iterable[str]) -> dict[str, CaseRecord]:
    """Those of the ids that are recorded, with their reviews."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, CaseRecord] = {}
    for start in range(0, len(wanted), MOST_NAMES):
        query = CASES.where(cases.c.task == task, cases.c.id.in_(wanted[start : start + MOST_NAMES]))
        rows = list(connection.execute(query))
        told = read_reviews(connection, [row.seq for row in rows])
        found |= {row.id: as_record(row, told.get(row.seq, ())) for row in rows}
    return found


def find_case(connection: sa.Connection, task: int, case_id: str) -> CaseRecord | None:
    """A case by its id, or None."""
    return find_cases(connection, task, [case_id]).get(case_id)


def find_seqs(connection: sa.Connection, task: int, ids: Iterable[str]) -> dict[str, int]:
    """The numbers of those of the ids that are recorded."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), MOST_NAMES):
        names = wanted[start : start + MOST_NAMES]
        query = sa.select(cases.c.id, cases.c.seq).where(cases.c.task == task, cases.c.id.in_(names))
        found |= {row.id: row.seq for row in connection.execute(query)}
    return found


def get_case(connection: sa.Connection, task: int, seq: int) -> CaseRecord:
    """A case by its number."""
    row = connection.execute(CASES.where(cases.c.task == task, cases.c.seq == seq)).one()
    return as_record(row, read_reviews(connection, [seq]).get(seq, ()))


_champion = sa.and_(predictions.c.seq == cases.c.seq, predictions.c.version == cases.c.version)
CASES = (
    sa.select(
        *(column for column in cases.c if column.name not in ("task", "subject")),
        inputs.c.salt,
        inputs.c.body,
        predictions.c.prediction,
        predictions.c.scores,
    )
    .join(inputs, inputs.c.seq == cases.c.seq)
    .outerjoin(predictions, _champion)
)


def as_recorded(case: NewCase) -> CaseRecord:
    """A case that has just been recorded, as it would be read back; its number aside."""
    champion = next((guess for guess in case.predictions if guess.version == case.version), None)
    return CaseRecord(
        seq=0,
        id=case.id,
        received_at=case.received_at,
        digest=case.digest,
        revision=case.revision,
        level=case.level,
        version=case.version,
        reasons=case.reasons,
        review_kind=case.review_kind,
        review_propensity=case.review_propensity,
        blind=case.blind,
        decision=case.decision,
        decided_by=case.decided_by,
        confidence=case.confidence,
        strangeness=case.strangeness,
        salt=case.salt,
        body=case.body,
        prediction=None if champion is None else champion.prediction,
        scores=None if champion is None else champion.scores,
    )


def as_record(row: Any, told: tuple[Review, ...]) -> CaseRecord:
    """A row of the query as a record."""
    plain: Mapping[str, Any] = row._mapping
    return CaseRecord(
        **{str(key): value for key, value in plain.items() if key not in ("reasons", "level", "decided_by")},
        reasons=tuple(plain["reasons"].split()),
        level=Level(plain["level"]),
        decided_by=None if plain["decided_by"] is None else Decider(plain["decided_by"]),
        reviews=told,
    )


REVIEW_COLUMNS = [column for column in reviews.c if column.name != "task"]


def read_reviews(connection: sa.Connection, seqs: Sequence[int]) -> dict[int, tuple[Review, ...]]:
    """The reviews of some cases, by case, the oldest first."""
    found: dict[int, list[Review]] = {}
    for start in range(0, len(seqs), MOST_NAMES):
        query = sa.select(*REVIEW_COLUMNS).where(reviews.c.case_seq.in_(seqs[start : start + MOST_NAMES]))
        for row in connection.execute(query.order_by(reviews.c.seq)):
            found.setdefault(row.case_seq, []).append(Review(**row._mapping))
    return {seq: tuple(rows) for seq, rows in found.items()}


def append_review(connection: sa.Connection, task: int, review: Mapping[str, Any]) -> int:
    """Record what somebody did with a case, wake the steward, and return the record's number."""
    lock_reviews(connection, task, shared=True)
    seq = take_numbers(connection, "reviews", 1)[0]
    connection.execute(reviews.insert().values(task=task, seq=seq, **review))
    wake(connection, task, "review", seq)
    return seq


def wake(connection: sa.Connection, task: int, kind: str, seq: int) -> None:
    """Tell the steward that something has come."""
    connection.execute(inbox.insert().values(kind=kind, seq=seq, task=task))


def leave_queue(connection: sa.Connection, seq: int) -> None:
    """The case needs nobody any more."""
    connection.execute(queue.delete().where(queue.c.case_seq == seq))
    connection.execute(claims.delete().where(claims.c.case_seq == seq))
