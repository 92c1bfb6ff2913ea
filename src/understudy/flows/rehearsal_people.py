"""The people of a rehearsal: they work through the queue as far as they come, and err as often as they are said to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from understudy.core.draws import draw
from understudy.flows.head import Head
from understudy.flows.review import review_many

DAY = 86_400_000_000
A_DAY = 200
"""How many cases one reviewer looks at in a day."""

REVIEWER = "reviewer-"


@dataclass
class People:
    """Reviewers, and what they have done.

    Attributes
    ----------
    per_day : int
        How many answers they give in a day; what they do not use is lost.
    error : float
        The share of their answers that are wrong, where `answers` are the truth.
    answers : mapping
        What is right, or what people decided, by case. Where several people decided, each reviewer says what another
        one of them did. A case that is not there has no answer that the task knows.
    reviews, audits : int
        What they have done.
    """

    per_day: int
    error: float
    answers: Mapping[str, Sequence[str | float]]
    reviews: int = 0
    audits: int = 0
    _left: float = field(default=0.0, repr=False)

    def work(self, head: Head, passed: int) -> None:
        """Let them work for so many microseconds."""
        able = self.per_day * passed / DAY + self._left
        most = int(able)
        self._left = able - most
        if most == 0:
            return
        users = [f"{REVIEWER}{number}" for number in range(1, head.task.review.wanted + 4)]
        kinds = review_many(head, users, lambda user, case: self.say(head, user, case), most=most)
        self.reviews += len(kinds)
        self.audits += kinds.count("audit")

    def say(self, head: Head, user: str, case_id: str) -> str | float | None:
        """What a reviewer says of a case: the same whenever he is asked."""
        known = self.answers.get(case_id, ())
        turn = int(user.removeprefix(REVIEWER)) - 1 if len(known) > 1 else 0
        if turn >= len(known) or (head.labels and known[turn] not in head.labels):
            return None
        right = known[turn]
        if draw(head.secret, case_id, f"{user} errs") >= self.error:
            return right
        if isinstance(right, float):
            return right + 2 * (head.task.decision.tolerance or 1.0)
        others = [label for label in head.labels if label != right]
        return others[int(draw(head.secret, case_id, f"{user} says") * len(others))]
