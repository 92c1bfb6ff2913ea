"""What is told of a case to those who listen: that it waits, what was decided, and what was corrected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from understudy.autonomy.verdict import Verdict, verdict
from understudy.core.nouns import Decider, Review


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is told.

    Attributes
    ----------
    review : int, optional
        The number of the review that brought it about; None where the case itself did.
    what : {"pending", "decided", "corrected"}
    verdict : Verdict, optional
        What stands now; None where the case waits.
    previous : str, optional
        The decision that was told before, where it is another one.
    """

    review: int | None
    what: Literal["pending", "decided", "corrected"]
    verdict: Verdict | None
    previous: str | None = None


def announcements(
    first: Verdict | None, reviews: Sequence[Review], *, wanted: int, correct: bool, release: int
) -> Iterator[Announcement]:
    """Everything that is told of a case, in order; the same reviews always give the same.

    What a person decided is told once nobody can recall it any more. A decision that is taken back later makes the
    case pending again, and what is decided then is told as a correction, once, or as decided where it is the same.

    Parameters
    ----------
    first : Verdict, optional
        What was decided at once, by the model or by a rule.
    reviews : sequence of Review
        Everything that people did with the case, the oldest first.
    wanted, correct
        As for `verdict`.
    release : int
        For how long a person's decision is held back, in microseconds.

    >>> look = Review(seq=7, case_seq=1, user="ann", kind="decide", action="decide", value="pay", blind=True,
    ...               shown_version=None, note=None, opened_at=None, at=5, supersedes=None)
    >>> [(told.review, told.what) for told in announcements(None, [look], wanted=1, correct=False, release=0)]
    [(None, 'pending'), (7, 'decided')]
    """
    yield Announcement(review=None, what="pending" if first is None else "decided", verdict=first)
    shown, last = first, None if first is None else first.decision
    for count, review in enumerate(reviews, 1):
        found = verdict(first, reviews[:count], wanted=wanted, correct=correct)
        following = reviews[count].at if count < len(reviews) else None
        if alike(found, shown) or recalled(found, following, release):
            continue
        shown = found
        if found is None:
            yield Announcement(review=review.seq, what="pending", verdict=None)
        elif last is None or found.decision == last:
            yield Announcement(review=review.seq, what="decided", verdict=found)
        else:
            yield Announcement(review=review.seq, what="corrected", verdict=found, previous=last)
        last = last if found is None else found.decision


def alike(found: Verdict | None, shown: Verdict | None) -> bool:
    """Whether what stands is what was told."""
    if found is None or shown is None:
        return found is shown
    return found.decision == shown.decision


def recalled(found: Verdict | None, following: int | None, release: int) -> bool:
    """Whether something was done with a case while a person's decision was still held back."""
    if found is None or found.by is not Decider.PERSON or following is None:
        return False
    return following < found.at + release
