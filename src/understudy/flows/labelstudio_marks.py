"""What is known of an annotation: the review that stems from it says so in its note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from understudy.core.nouns import Review
from understudy.flows.labelstudio_annotations import Annotation, as_moment
from understudy.store.casebook import REVIEW_COLUMNS
from understudy.store.schema import reviews

MARK = re.compile(r"Label Studio annotation (.+), ([0-9T:.+-]+)")


def name_of(by: str, said: Annotation) -> str:
    """The name under which a user of Label Studio reviews here."""
    return f"{by}/{said.user}"


def mark(name: str, updated_at: int) -> str:
    """The note of a review that stems from an annotation."""
    return f"Label Studio annotation {name}, {datetime.fromtimestamp(updated_at / 1e6, UTC).isoformat()}"


def marked(look: Review) -> tuple[str, int]:
    """The annotation that a review stems from, and when that was last changed; nothing where it stems from none.

    >>> look = Review(seq=1, case_seq=1, user="label-studio/7", kind="decide", action="decide", value="pay", blind=True,
    ...               shown_version=None, note="Label Studio annotation 17, 2026-03-01T09:30:00+00:00", opened_at=None,
    ...               at=5, supersedes=None)
    >>> marked(look)
    ('17', 1772357400000000)
    """
    found = MARK.fullmatch(look.note or "")
    return ("", 0) if found is None else (found[1], as_moment(found[2]))


def last_said(looks: Sequence[Review], by: str, said: Annotation) -> Review | None:
    """The newest that is known of an annotation, and of what its user has said otherwise and not taken back."""
    gone, user = {look.supersedes for look in looks}, name_of(by, said)
    known = [
        look
        for look in looks
        if look.user.startswith(f"{by}/")
        and marked(look)[0]
        and (marked(look)[0] == said.id or (look.user == user and look.action != "undo" and look.seq not in gone))
    ]
    return max(known, key=lambda look: (marked(look)[1], look.seq), default=None)


def last_of(connection: sa.Connection, task: int, name: str, by: str) -> Review | None:
    """The newest that is known of an annotation."""
    query = sa.select(*REVIEW_COLUMNS).where(
        reviews.c.task == task,
        reviews.c.user.startswith(f"{by}/", autoescape=True),
        reviews.c.note.startswith(f"Label Studio annotation {name}, ", autoescape=True),
    )
    row = connection.execute(query.order_by(reviews.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else Review(**row._mapping)
