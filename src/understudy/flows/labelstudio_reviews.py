"""Annotations become reviews: the same rules as on the review page, and blind only where the log can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from understudy.autonomy.verdict import PEOPLE, standing
from understudy.core.errors import Fault, InputError
from understudy.core.nouns import Review
from understudy.core.task import duration
from understudy.flows.facts import UNDO_WITHIN, is_blind
from understudy.flows.head import Head
from understudy.flows.labelstudio_annotations import Annotation, Faulty, read_annotations
from understudy.flows.labelstudio_marks import last_of, last_said, mark, marked, name_of
from understudy.flows.labelstudio_record import blind_since
from understudy.flows.review import back_into_queue, check_answer, plain_review, settle
from understudy.store.casebook import CaseRecord, append_review, find_seqs, get_case
from understudy.store.events import append_event
from understudy.store.queue import Place, close_claim, read_place
from understudy.store.schema import cases

Result = Literal[
    "recorded",
    "skipped",
    "corrected",
    "withdrawn",
    "duplicate",
    "superseded",
    "settled",
    "unknown",
    "erased",
    "invalid",
]
IMPORTED = "labelstudio.imported"
AT_ONCE = 20
"""Tasks in one transaction: decisions wait for it, and each costs a write to disk."""

CLOCKS = 60_000_000
"""By how much the clocks of two machines may differ, in microseconds."""

SETTLED = "The case waits for nobody any more, and what was answered can no longer be taken back."
SEEN = (
    "The case had not gone out from here without a suggestion when this was answered: it counts as seen with one, and "
    "never as evidence."
)


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an annotation.

    `recorded`: it is a review now. `skipped`: so is the skip. `corrected`: it replaces what was said before.
    `withdrawn`: it was deleted, and the case waits again. `duplicate`: it was known. `superseded`: a later one is known
    already. `settled`: the case waits for nobody any more. `unknown`: there is no such case, or no such annotation.
    `erased`: the case was erased. `invalid`: `faults` say why.

    Attributes
    ----------
    annotation : str
        Its id in Label Studio.
    case : str, optional
    result : str
    blind : bool, optional
        Whether the review counts as blind; None where there is no new one.
    hint : str
    faults : tuple of Fault
    """

    annotation: str
    case: str | None
    result: Result
    blind: bool | None = None
    hint: str = ""
    faults: tuple[Fault, ...] = ()


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file: how many annotations had each result, and each of them in order."""

    counts: dict[str, int]
    annotations: tuple[Entered, ...]
    dry_run: bool


class RehearsedError(Exception):
    """Ends a transaction of which nothing is to be kept."""


@dataclass(frozen=True)
class Intake:
    """Where annotations come in.

    Attributes
    ----------
    connection : sa.Connection
        A writing transaction.
    head : Head
    by : str
        Which Label Studio they come from: its users review under this name and their own, such as `label-studio/7`.
    since : mapping of int to int
        When each case first went out without a suggestion.
    now : int
    """

    connection: sa.Connection
    head: Head
    by: str
    since: Mapping[int, int]
    now: int


def import_annotations(
    head: Head, tasks: Sequence[dict[str, Any]], *, by: str, actor: str, dry_run: bool = False
) -> Imported:
    """Record the annotations of an export as reviews, some tasks at a time; again, nothing changes.

    Parameters
    ----------
    head : Head
    tasks : sequence of dict
        As `read_file` gives them.
    by : str
        Which Label Studio it is.
    actor : str
        Who imports.
    dry_run : bool
        Whether everything is tried and nothing is kept.
    """
    work = head.library.work
    with work.store.reading() as connection:
        since = blind_since(connection, head.number)
    found: list[Entered] = []
    for start in range(0, len(tasks), AT_ONCE):
        given = [read_annotations(task, start + place) for place, task in enumerate(tasks[start : start + AT_ONCE], 1)]
        found += enter_all(head, [one for some in given for one in some], by=by, since=since, dry_run=dry_run)
    counts: dict[str, int] = dict(Counter(entered.result for entered in found))
    if counts and not dry_run:
        with work.store.writing() as connection:
            body = {"as": by, "results": counts}
            append_event(connection, head.number, at=work.clock.now(), actor=actor, kind=IMPORTED, body=body)
    return Imported(counts=counts, annotations=tuple(found), dry_run=dry_run)


def enter_all(
    head: Head,
    given: Sequence[Annotation | Faulty],
    *,
    by: str,
    since: Mapping[int, int] | None = None,
    dry_run: bool = False,
) -> list[Entered]:
    """Record annotations that come together, in one transaction, the oldest first; the results are in their order.

    `since` is read from the log where it is not given.
    """
    work = head.library.work
    found = {place: faulty(one) for place, one in enumerate(given) if isinstance(one, Faulty)}
    sound = [(place, one) for place, one in enumerate(given) if isinstance(one, Annotation)]
    try:
        with work.store.writing() as connection:
            went = blind_since(connection, head.number) if since is None else since
            intake = Intake(connection, head, by, went, work.clock.now())
            for place, one in sorted(sound, key=lambda pair: pair[1].updated_at):
                found[place] = enter(intake, one)
            if dry_run:
                raise RehearsedError
    except RehearsedError:
        pass
    return [found[place] for place in range(len(given))]


def enter(intake: Intake, said: Annotation) -> Entered:
    """Record one annotation."""
    head = intake.head
    if said.case is None or said.task not in (None, head.name):
        other = "names no case" if said.case is None else f"belongs to the task {said.task!r}"
        return told(said, "unknown", f"Its task {other}: export the tasks from here.")
    case = locked_case(intake.connection, head, said.case)
    if case is None:
        return told(said, "unknown", f"The task {head.name!r} has no such case.")
    if case.body is None:
        return told(said, "erased", "What was known of the case was erased.")
    try:
        value = None if said.value is None else check_answer(head, said.value)
    except InputError as error:
        fault = Fault(where=f"annotation {said.id}: result", found=repr(said.value)[:80], expected=error.hint)
        return msgspec.structs.replace(told(said, "invalid"), faults=(fault,))
    last = last_said(case.reviews, intake.by, said)
    if last is not None and (last.action, last.value) == ("skip" if value is None else "decide", value):
        return told(said, "duplicate")
    if last is not None and said.updated_at <= marked(last)[1]:
        return told(said, "superseded", "What is known of it is as new or newer.")
    return review(intake, case, said, value, last)


def review(intake: Intake, case: CaseRecord, said: Annotation, value: str | None, last: Review | None) -> Entered:
    """Record an answer, or a skip (`value` is None), that says something else than `last` did."""
    connection, head = intake.connection, intake.head
    held = last if last in standing(case.reviews) else None
    place = read_place(connection, case.seq)
    if place is None and (held is None or not may_undo(head, held, intake.now)):
        return told(said, "settled", SETTLED)
    if held is not None and (place is None or value is None):
        place = take_back(intake, case, held, mark(said.id, said.updated_at))
        case = get_case(connection, head.number, case.seq)
    if place is None:
        return told(said, "settled", SETTLED)
    row = row_of(intake, case, said, "skip" if value is None else "decide") | {"kind": place.kind}
    if value is None:
        append_review(connection, head.number, row)
        return told(said, "skipped")
    hidden = is_blind(case)
    blind = hidden and went_blind(case, said, row["user"], intake.since.get(case.seq))
    same = (look.seq for look in standing(case.reviews) if look.user == row["user"] or look == held)
    row |= {"value": value, "blind": blind, "shown_version": None if hidden else case.version}
    append_review(connection, head.number, row | {"supersedes": next(same, None)})
    settle(connection, case.seq, place)
    return told(said, "recorded" if held is None else "corrected", SEEN if hidden and not blind else "", blind)


def row_of(intake: Intake, case: CaseRecord, said: Annotation, action: str) -> dict[str, Any]:
    """A record of what an annotation did, without its answer."""
    user = name_of(intake.by, said)
    opened = close_claim(intake.connection, case.seq, user)
    if said.lead is not None:
        opened = intake.now - said.lead
    return plain_review(case, user, action, opened, intake.now) | {"note": mark(said.id, said.updated_at)}


def faulty(one: Faulty) -> Entered:
    """What becomes of an annotation that cannot be read."""
    return Entered(annotation=one.id, case=one.case, result="invalid", faults=one.faults)


def told(said: Annotation, result: Result, hint: str = "", blind: bool | None = None) -> Entered:
    """What became of an annotation."""
    return Entered(annotation=said.id, case=said.case, result=result, blind=blind, hint=hint)


def withdraw_all(head: Head, ids: Sequence[str | Faulty], *, by: str) -> list[Entered]:
    """Take back the answers whose annotations were deleted."""
    work = head.library.work
    with work.store.writing() as connection:
        intake = Intake(connection, head, by, {}, work.clock.now())
        return [faulty(one) if isinstance(one, Faulty) else withdraw(intake, one) for one in ids]


def withdraw(intake: Intake, name: str) -> Entered:
    """Take back the answer or skip of an annotation that was deleted, as long as a reviewer could undo it."""
    connection, head = intake.connection, intake.head
    last = last_of(connection, head.number, name, intake.by)
    if last is None:
        return Entered(annotation=name, case=None, result="unknown", hint="No such annotation has come.")
    case = get_case(connection, head.number, last.case_seq)
    gone = Entered(annotation=name, case=case.id, result="withdrawn")
    if last.action == "undo":
        return msgspec.structs.replace(gone, result="duplicate")
    if case.body is None:
        return msgspec.structs.replace(gone, result="erased")
    waits = read_place(connection, case.seq) is not None
    if last.seq in {look.supersedes for look in case.reviews} or not (waits or may_undo(head, last, intake.now)):
        return msgspec.structs.replace(gone, result="settled", hint=SETTLED)
    take_back(intake, case, last, mark(name, max(intake.now, marked(last)[1])))
    return gone


def locked_case(connection: sa.Connection, head: Head, case_id: str) -> CaseRecord | None:
    """A case that nobody else changes until the transaction ends, or None."""
    seq = find_seqs(connection, head.number, [case_id]).get(case_id)
    if seq is None:
        return None
    connection.execute(sa.select(cases.c.seq).where(cases.c.seq == seq).with_for_update())
    return get_case(connection, head.number, seq)


def went_blind(case: CaseRecord, said: Annotation, user: str, went: int | None) -> bool:
    """Whether the log knows that the user saw nothing of the model: a file can only say that he did."""
    before = all(look.blind for look in case.reviews if look.user == user and look.action == "decide")
    return went is not None and said.created_at + CLOCKS >= went and not said.seen and before


def may_undo(head: Head, last: Review, now: int) -> bool:
    """Whether a reviewer could still take this back."""
    return last.kind in PEOPLE and last.at >= now - max(UNDO_WITHIN, duration(head.task.review.release_after))


def take_back(intake: Intake, case: CaseRecord, last: Review, note: str) -> Place | None:
    """Undo an answer or a skip; the case waits again, at this place."""
    row = plain_review(case, last.user, "undo", None, intake.now)
    append_review(
        intake.connection, intake.head.number, row | {"supersedes": last.seq, "kind": last.kind, "note": note}
    )
    back_into_queue(intake.connection, intake.head, case, last.kind)
    return read_place(intake.connection, case.seq)
