"""Cases: what was asked, what models thought of it, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.core.nouns import Decider, Level, Review
from understudy.store.database import insert_rows, lock_reviews, take_numbers
from understudy.store.schema import cases, claims, inbox, inputs, predictions, queue, reviews

MOST_NAMES = 500
"""How many ids one query names; databases bound the number of parameters."""


class NewPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """What one version thinks of a case; `scores` are float32 in the order of its labels."""

    version: str
    role: str
    prediction: str
    confidence: float
    strangeness: float
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
    revision, level
        The deployment under which it was decided.
    version : str, optional
        The one that it was given to, if it predicted.
    arm_propensity : float
        The probability with which it was given to that one.
    unit : bytes, optional
        Keyed hash of what it was drawn for, where cases of one unit go to one version.
    reasons : tuple of str
    review_kind, review_propensity, blind
        Who looks at it; see `Route`.
    decision, decided_by : optional
        What was decided at once, if anything was.
    confidence, strangeness : float, optional
        Of the version that it was given to.
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
    arm_propensity: float
    unit: bytes | None
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

    @property
    def scores(self) -> bytes | None:
        """The scores of the version that it was given to."""
        return next((guess.scores for guess in self.predictions if guess.version == self.version), None)

    @property
    def reviews(self) -> tuple[Review, ...]:
        """None yet."""
        return ()


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A case as it is recorded; `body` is None once it has been erased."""

    seq: int
    id: str
    received_at: int
    digest: bytes
    revision: int
    level: Level
    version: str | None
    arm_propensity: float
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
    insert_rows(connection, cases, [case_row(task, seq, case) for seq, case in numbered])
    insert_rows(connection, inputs, [(seq, case.salt, case.body, None) for seq, case in numbered])
    guesses = [
        (seq, guess.version, guess.role, guess.prediction, guess.confidence, guess.strangeness, guess.scores)
        for seq, case in numbered
        for guess in case.predictions
    ]
    if guesses:
        insert_rows(connection, predictions, guesses)
    waiting = [queue_row(task, seq, case) for seq, case in numbered if case.review_kind != "none"]
    if waiting:
        insert_rows(connection, queue, waiting)


def case_row(task: int, seq: int, case: NewCase) -> tuple[Any, ...]:
    """The row of the table `cases`, in the order of its columns."""
    return (
        seq,
        task,
        case.id,
        case.received_at,
        case.digest,
        case.subject,
        case.revision,
        case.level.value,
        case.version,
        case.arm_propensity,
        case.unit,
        " ".join(case.reasons),
        case.review_kind,
        case.review_propensity,
        case.blind,
        case.decision,
        None if case.decided_by is None else case.decided_by.value,
        case.confidence,
        case.strangeness,
    )


def queue_row(task: int, seq: int, case: NewCase) -> tuple[Any, ...]:
    """The row of the table `queue`, in the order of its columns."""
    priority = AUDIT_PRIORITY if case.review_kind == "audit" else DECIDE_PRIORITY
    return (seq, task, case.review_kind, priority, case.due_at, case.wanted, 0)


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


_answering = sa.and_(predictions.c.seq == cases.c.seq, predictions.c.version == cases.c.version)
CASES = (
    sa.select(
        *(column for column in cases.c if column.name not in ("task", "subject", "unit")),
        inputs.c.salt,
        inputs.c.body,
        predictions.c.prediction,
        predictions.c.scores,
    )
    .join(inputs, inputs.c.seq == cases.c.seq)
    .outerjoin(predictions, _answering)
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
