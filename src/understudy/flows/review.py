"""People look at cases: the next one, an answer, a skip, an undo; and what a caller's own people decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.verdict import LOOK_BACK, PEOPLE, majority, standing
from understudy.core.errors import ConflictError, ErasedError, InputError, NotFoundError
from understudy.core.nouns import Review
from understudy.core.task import duration
from understudy.flows.answers import Answer, answer_of, as_text, as_value, by_label, verdict_of
from understudy.flows.facts import UNDO_WITHIN, facts_for, is_blind
from understudy.flows.head import Head
from understudy.flows.reasons import Fact
from understudy.store.casebook import (
    AUDIT_PRIORITY,
    DECIDE_PRIORITY,
    MOST_NAMES,
    CaseRecord,
    append_review,
    find_case,
    get_case,
    leave_queue,
    read_reviews,
)
from understudy.store.database import insert_many, take_numbers
from understudy.store.ledger import cases_by_number
from understudy.store.queue import (
    LOOK_BACK_PRIORITY,
    PLACE,
    Place,
    add_place,
    claim_next,
    close_claim,
    keep_place,
    last_review,
    open_claim,
    read_place,
    waiting,
)
from understudy.store.schema import claims, inbox, queue, reviews

CLAIM = 10 * 60_000_000
"""How long nobody else gets a case that a reviewer has opened, in microseconds."""

PRIORITIES = {"decide": DECIDE_PRIORITY, "audit": AUDIT_PRIORITY, LOOK_BACK: LOOK_BACK_PRIORITY}


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """What the model thinks, where a reviewer may see it."""

    decision: str | float
    confidence: float | None
    probabilities: dict[str, float] | None
    model: str
    facts: tuple[Fact, ...] = ()


class ReviewTask(msgspec.Struct, frozen=True, kw_only=True):
    """A case for a reviewer.

    Attributes
    ----------
    id, question : str
    inputs : dict
    answers : tuple of str
        What may be answered; empty for numbers.
    suggestion : Suggestion, optional
        None in blind reviews.
    blind : bool
        Whether nothing of the model is shown.
    due_at, expires_at : int
        When the answer is due, and until when nobody else gets the case; microseconds since 1970 UTC.
    waiting : int
        How many cases wait.
    """

    id: str
    question: str
    inputs: dict[str, Any]
    answers: tuple[str, ...]
    suggestion: Suggestion | None
    blind: bool
    due_at: int
    expires_at: int
    waiting: int


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a case by a review: `decided` where it needs nobody any more."""

    id: str
    status: Literal["decided", "pending"]


def next_review(head: Head, user: str) -> ReviewTask | None:
    """The most urgent case that this reviewer has not seen, kept for ten minutes; None where none waits."""
    work = head.library.work
    now = work.clock.now()
    with work.store.writing() as connection:
        place = claim_next(connection, head.number, user, now=now, until=now + CLAIM)
        if place is None:
            return None
        case = get_case(connection, head.number, place.case_seq)
        left = waiting(connection, head.number)
    return ReviewTask(
        id=case.id,
        question=head.task.decision.question,
        inputs=in_order(head, msgspec.json.decode(case.body or b"{}")),
        answers=head.labels,
        suggestion=None if is_blind(case) else suggestion_of(head, case),
        blind=is_blind(case),
        due_at=place.due_at,
        expires_at=now + CLAIM,
        waiting=left,
    )


def in_order(head: Head, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs in the order of the contract, as people know their table; missing ones are null."""
    if head.reader is None:
        return inputs
    columns = [column.name for column in head.reader.contract.columns if column.used or column.name in inputs]
    return {name: inputs.get(name) for name in columns}


def suggestion_of(head: Head, case: CaseRecord) -> Suggestion:
    """What the champion thought of a case."""
    version = case.version or ""
    scores = np.frombuffer(case.scores or b"", dtype=np.float32).tolist()
    decision = as_value(case.prediction or "", head.task.decision.kind)
    return Suggestion(
        decision=decision,
        confidence=case.confidence,
        probabilities=by_label(head.library.labels_of(version), scores),
        model=version,
        facts=facts_for(head, version, msgspec.json.decode(case.body or b"{}"), decision),
    )


def give_review(head: Head, user: str, case_id: str, decision: str | float, note: str | None = None) -> Reviewed:
    """Record a reviewer's answer. The same answer again changes nothing; another one replaces the first.

    Raises
    ------
    NotFoundError
        There is no such case.
    ConflictError
        The case waits for nobody any more.
    ErasedError
        The case was erased.
    InputError
        This cannot be answered.
    """
    work, value = head.library.work, check_answer(head, decision)
    now = work.clock.now()
    with work.store.writing() as connection:
        case = require_case(connection, head, case_id)
        earlier = next((look for look in standing(case.reviews) if look.user == user), None)
        if earlier is not None and earlier.value == value:
            return Reviewed(id=case_id, status="pending" if read_place(connection, case.seq) else "decided")
        place = read_place(connection, case.seq)
        if place is None:
            raise ConflictError(f"The case {case_id!r} waits for nobody any more.", hint="Undo your answer first.")
        blind = is_blind(case)
        review = {
            "case_seq": case.seq,
            "user": user,
            "kind": place.kind,
            "action": "decide",
            "value": value,
            "blind": blind,
            "shown_version": None if blind else case.version,
            "note": note,
            "opened_at": close_claim(connection, case.seq, user),
            "at": now,
            "supersedes": None if earlier is None else earlier.seq,
        }
        append_review(connection, head.number, review)
        return Reviewed(id=case_id, status=settle(connection, case.seq, place))


def settle(connection: sa.Connection, case_seq: int, place: Place) -> Literal["decided", "pending"]:
    """Take a case out of the queue once enough people agree; ask one more where they do not."""
    given = standing(read_reviews(connection, [case_seq])[case_seq])
    if majority(given, place.wanted) is not None:
        leave_queue(connection, case_seq)
        return "decided"
    wanted = max(place.wanted, len(given) + 1)
    keep_place(connection, replace(place, given=len(given), wanted=wanted))
    return "pending"


def review_many(
    head: Head, users: Sequence[str], answer: Callable[[str, str], str | float | None], *, most: int
) -> list[str]:
    """Let reviewers work through the queue: at once what `next_review` and `give_review` would write one by one.

    Parameters
    ----------
    head : Head
    users : sequence of str
        Who reviews; the next one is asked where a case needs another answer.
    answer : callable
        What a user says of the case with an id; None where he skips it, which then waits for somebody else.
    most : int
        How many answers they give.

    Returns
    -------
    list of str
        The kind of each answer that was given: `decide` or `audit`.
    """
    work = head.library.work
    now = work.clock.now()
    rows: list[dict[str, Any]] = []
    with work.store.writing() as connection:
        places = {place.case_seq: place for place in offered(connection, head.number, most)}
        cases = {case.seq: case for case in cases_by_number(connection, head.number, list(places))}
        settled: list[int] = []
        for seq, place in places.items():
            if len(rows) >= most:
                break
            looks, done = look_at(head, cases[seq], place, users, answer, most - len(rows), now)
            rows += looks
            if done:
                settled.append(seq)
            elif looks:
                given = len(standing(cases[seq].reviews)) + sum(row["action"] == "decide" for row in looks)
                keep_place(connection, replace(place, given=given, wanted=max(place.wanted, given + 1)))
        append_reviews(connection, head.number, rows)
        leave_queue_all(connection, settled)
    return [row["kind"] for row in rows if row["action"] == "decide"]


def offered(connection: sa.Connection, task: int, most: int) -> list[Place]:
    """The most urgent cases that nobody has skipped, in the order in which they are offered."""
    skipped = sa.exists().where(reviews.c.case_seq == queue.c.case_seq, reviews.c.action == "skip")
    query = PLACE.where(queue.c.task == task, ~skipped).limit(most)
    ordered = query.order_by(queue.c.priority.desc(), queue.c.due_at, queue.c.case_seq)
    return [Place(**row._mapping) for row in connection.execute(ordered)]


def look_at(
    head: Head,
    case: CaseRecord,
    place: Place,
    users: Sequence[str],
    answer: Callable[[str, str], str | float | None],
    most: int,
    now: int,
) -> tuple[list[dict[str, Any]], bool]:
    """The answers to one case, one user after the other until enough agree; and whether they do."""
    given = list(standing(case.reviews))
    seen = {look.user for look in given}
    blind = is_blind(case)
    rows: list[dict[str, Any]] = []
    for user in users:
        if user in seen or len(rows) >= most:
            continue
        said = answer(user, case.id)
        row = plain_review(case, user, "skip" if said is None else "decide", now, now)
        if said is None:
            return [*rows, row], False
        row |= {"kind": place.kind, "value": check_answer(head, said), "blind": blind}
        row |= {"shown_version": None if blind else case.version}
        rows.append(row)
        given.append(Review(seq=0, **row))
        if majority(given, place.wanted) is not None:
            return rows, True
    return rows, False


def append_reviews(connection: sa.Connection, task: int, rows: Sequence[dict[str, Any]]) -> None:
    """Record many answers, and wake the steward for each."""
    if not rows:
        return
    numbered = list(zip(take_numbers(connection, "reviews", len(rows)), rows, strict=True))
    insert_many(connection, reviews, [{"task": task, "seq": seq, **row} for seq, row in numbered])
    insert_many(connection, inbox, [{"kind": "review", "seq": seq, "task": task} for seq, _ in numbered])


def leave_queue_all(connection: sa.Connection, seqs: Sequence[int]) -> None:
    """These cases need nobody any more."""
    for start in range(0, len(seqs), MOST_NAMES):
        some = seqs[start : start + MOST_NAMES]
        connection.execute(queue.delete().where(queue.c.case_seq.in_(some)))
        connection.execute(claims.delete().where(claims.c.case_seq.in_(some)))


def skip_review(head: Head, user: str, case_id: str) -> Reviewed:
    """Leave a case to others: it is not offered to this reviewer again, unless he undoes the skip."""
    work = head.library.work
    with work.store.writing() as connection:
        case = require_case(connection, head, case_id)
        place = read_place(connection, case.seq)
        if place is None:
            raise ConflictError(f"The case {case_id!r} waits for nobody any more.")
        review = plain_review(case, user, "skip", close_claim(connection, case.seq, user), work.clock.now())
        append_review(connection, head.number, review | {"kind": place.kind})
    return Reviewed(id=case_id, status="pending")


def undo_review(head: Head, user: str) -> Reviewed:
    """Take back the last answer or skip of a reviewer, and offer him the case again.

    Raises
    ------
    ConflictError
        There is nothing to undo, or it was too long ago.
    """
    work = head.library.work
    now = work.clock.now()
    with work.store.writing() as connection:
        last = last_review(connection, head.number, user)
        within = max(UNDO_WITHIN, duration(head.task.review.release_after))
        if last is None or last.kind not in PEOPLE or last.at < now - within:
            raise ConflictError(
                f"There is nothing to undo: nothing was done in the last {within // 60_000_000} minutes."
            )
        case = get_case(connection, head.number, last.case_seq)
        if case.body is None:
            raise ErasedError(f"The case {case.id!r} was erased.")
        review = plain_review(case, user, "undo", None, now) | {"supersedes": last.seq, "kind": last.kind}
        append_review(connection, head.number, review)
        back_into_queue(connection, head, case, last.kind)
        open_claim(connection, case.seq, user, now=now, until=now + CLAIM)
    return Reviewed(id=case.id, status="pending")


def back_into_queue(connection: sa.Connection, head: Head, case: CaseRecord, kind: str) -> None:
    """A case after an answer was taken back: it waits for one answer more."""
    given = len(standing(read_reviews(connection, [case.seq])[case.seq]))
    place = read_place(connection, case.seq)
    if place is not None:
        keep_place(connection, replace(place, given=given))
        return
    review = head.task.review
    fresh = Place(
        case_seq=case.seq,
        kind=kind,
        priority=PRIORITIES[kind],
        due_at=case.received_at + duration(review.answer_within),
        wanted=max(review.wanted, given + 1),
        given=given,
    )
    add_place(connection, head.number, fresh)


def decide_outside(
    head: Head, actor: str, case_id: str, decision: str | float, by: Literal["person", "rule"] = "person"
) -> Answer:
    """Record what the caller's own people or rules decided; the same decision again changes nothing.

    Raises
    ------
    NotFoundError
        There is no such case.
    ConflictError
        It was decided otherwise.
    ErasedError
        The case was erased.
    InputError
        This cannot be decided.
    """
    work, value = head.library.work, check_answer(head, decision)
    now = work.clock.now()
    with work.store.writing() as connection:
        case = require_case(connection, head, case_id)
        found = verdict_of(head, case)
        if found is not None and found.decision != value:
            raise ConflictError(f"The case {case_id!r} was decided already.", hint="Report the truth as an outcome.")
        if found is None:
            kind = "caller" if by == "person" else "rule"
            review = plain_review(case, actor, "decide", None, now) | {"kind": kind, "value": value}
            append_review(connection, head.number, review)
            leave_queue(connection, case.seq)
            case = get_case(connection, head.number, case.seq)
    return answer_of(head, case, now)


def plain_review(case: CaseRecord, user: str, action: str, opened_at: int | None, at: int) -> dict[str, Any]:
    """A record without an answer; a caller is shown nothing of the model, so what its people say is blind."""
    return {
        "case_seq": case.seq,
        "user": user,
        "kind": case.review_kind if case.review_kind != "none" else "decide",
        "action": action,
        "value": None,
        "blind": True,
        "shown_version": None,
        "note": None,
        "opened_at": opened_at,
        "at": at,
        "supersedes": None,
    }


def require_case(connection: sa.Connection, head: Head, case_id: str) -> CaseRecord:
    """A case that is there and was not erased."""
    case = find_case(connection, head.number, case_id)
    if case is None:
        raise NotFoundError(f"The task {head.name!r} has no case {case_id[:80]!r}.")
    if case.body is None:
        raise ErasedError(f"The case {case_id!r} was erased.")
    return case


def check_answer(head: Head, decision: str | float) -> str:
    """An answer as it is stored.

    Raises
    ------
    InputError
        The task knows no such answer.
    """
    if head.task.decision.kind == "regression":
        if isinstance(decision, bool | str) or not math.isfinite(decision):
            raise InputError(f"The answer {decision!r} is no number.", hint="Give a finite number.")
        return repr(float(decision))
    if head.labels and decision not in head.labels:
        raise InputError(f"The answer {decision!r} is unknown.", hint=f"The answers are: {', '.join(head.labels)}.")
    if not isinstance(decision, str):
        raise InputError(f"The answer {decision!r} is no text.", hint="Give it in quotes.")
    return as_text(decision)
