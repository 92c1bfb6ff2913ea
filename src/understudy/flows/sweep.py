"""What is due by the clock: overdue cases, and the seals of the log."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from understudy.flows.head import Head
from understudy.flows.review import plain_review
from understudy.flows.workspace import Workspace
from understudy.store.casebook import ESCALATED_PRIORITY, append_review, get_case, leave_queue
from understudy.store.queue import keep_place, overdue, read_place
from understudy.store.seals import seal
from understudy.store.tasks import task_number

MOST_AT_ONCE = 500
BY_RULES = "rules"
"""Who decided, in the record of a case that the rules decided because it was overdue."""


def sweep(head: Head) -> int:
    """Do with overdue cases what the task says, and count them: hold them, let the rules decide, or escalate them."""
    if head.task.review.overdue == "hold":
        return 0
    by_rules = head.task.review.overdue == "rules"
    work = head.library.work
    now = work.clock.now()
    done = 0
    with work.store.writing() as connection:
        for place in overdue(connection, head.number, now, below=ESCALATED_PRIORITY, most=MOST_AT_ONCE):
            value = rule_for(head, get_case(connection, head.number, place.case_seq).body) if by_rules else None
            if read_place(connection, place.case_seq) is None:  # answered by somebody meanwhile
                continue
            if value is None:
                keep_place(connection, replace(place, priority=ESCALATED_PRIORITY))
            else:
                case = get_case(connection, head.number, place.case_seq)
                review = plain_review(case, BY_RULES, "decide", None, now) | {"kind": "rule", "value": value}
                append_review(connection, head.number, review)
                leave_queue(connection, place.case_seq)
            done += 1
    return done


def seal_all(work: Workspace, task: str) -> int:
    """Seal every finished row of a task that no seal covers yet, and say how many seals that took."""
    seals = 0
    while True:
        with work.store.writing() as connection:
            if seal(connection, task_number(connection, task), work.clock.now()) is None:
                return seals
        seals += 1


def rule_for(head: Head, body: bytes | None) -> str | None:
    """What the rules of today answer to a case; None where none holds."""
    held = head.rules.hold([msgspec.json.decode(body or b"{}")])[0]
    return next((rule.then for rule, holds in zip(head.task.today.rules, held, strict=True) if holds), None)
