"""What stands after people have looked at a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from understudy.core.nouns import Decider, Review

LOOK_BACK = "lookback"
"""The kind of a review that somebody asked for after a step down: it may correct a decision, and never counts."""

PEOPLE = ("decide", "audit", LOOK_BACK)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that stands: what, by whom, and since when."""

    decision: str
    by: Decider
    at: int


def standing(reviews: Sequence[Review]) -> tuple[Review, ...]:
    """The answers that hold: given, and neither undone nor replaced."""
    replaced = {review.supersedes for review in reviews}
    return tuple(review for review in reviews if review.action == "decide" and review.seq not in replaced)


def verdict(first: Verdict | None, reviews: Sequence[Review], *, wanted: int, correct: bool) -> Verdict | None:
    """The decision that stands, or None while the case waits.

    Parameters
    ----------
    first : Verdict, optional
        What was decided at once, by the model or by a rule.
    reviews : sequence of Review
        Everything that people did with the case, the oldest first.
    wanted : int
        How many different people must have answered; more are asked until more than half agree.
    correct : bool
        Whether an audit that dissents replaces what was decided at once.

    >>> look = Review(seq=1, case_seq=1, user="ann", kind="decide", action="decide", value="pay", blind=True,
    ...               shown_version=None, note=None, opened_at=None, at=5, supersedes=None)
    >>> verdict(None, [look], wanted=1, correct=False)
    Verdict(decision='pay', by=<Decider.PERSON: 'person'>, at=5)
    >>> verdict(None, [look], wanted=2, correct=False) is None
    True
    """
    if not reviews:
        return first
    given = standing(reviews)
    told = [review for review in given if review.kind not in PEOPLE]
    if told:
        by = Decider.RULE if told[0].kind == "rule" else Decider.PERSON
        return Verdict(decision=told[0].value or "", by=by, at=told[0].at)
    agreed = majority(given, wanted)
    if agreed is None or (first is not None and (not correct or agreed.decision == first.decision)):
        return first
    return agreed


def majority(given: Sequence[Review], wanted: int) -> Verdict | None:
    """What more than half of the people say, once enough of them have answered."""
    if len(given) < max(wanted, 1):
        return None
    value, votes = Counter(review.value or "" for review in given).most_common(1)[0]
    if 2 * votes <= len(given):
        return None
    return Verdict(decision=value, by=Decider.PERSON, at=max(review.at for review in given))


def drawn(reviews: Sequence[Review]) -> tuple[Review, ...]:
    """The reviews without those that somebody asked for afterwards: what counts may not depend on such a choice."""
    return tuple(review for review in reviews if review.kind != LOOK_BACK)
