"""What is told of a case, in every order in which people may look at it."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.autonomy.announced import announcements
from understudy.autonomy.verdict import Verdict, verdict
from understudy.core.nouns import Decider, Review

MODEL = Verdict(decision="pay", by=Decider.MODEL, at=0)


def looks(*steps: tuple) -> list[Review]:
    """Reviews at the given times: (at, user, answer), where `undo` takes the user's last answer back."""
    made: list[Review] = []
    numbers = count(1)
    for at, user, answer, *rest in steps:
        last = next((look.seq for look in reversed(made) if look.user == user and look.action == "decide"), None)
        undo = answer == "undo"
        made.append(
            Review(
                seq=next(numbers),
                case_seq=1,
                user=user,
                kind=rest[0] if rest else "decide",
                action="undo" if undo else "skip" if answer is None else "decide",
                value=None if undo else answer,
                blind=True,
                shown_version=None,
                note=None,
                opened_at=None,
                at=at,
                supersedes=last if undo else None,
            )
        )
    return made


def told(first, reviews, *, wanted=1, correct=False, release=0):
    found = announcements(first, reviews, wanted=wanted, correct=correct, release=release)
    return [(each.review, each.what, each.verdict and each.verdict.decision, each.previous) for each in found]


WAITS = (None, "pending", None, None)


@pytest.mark.parametrize(
    ("steps", "settings", "expected"),
    [
        ([(5, "ann", "pay")], {}, [(1, "decided", "pay", None)]),
        ([(5, "ann", None), (6, "bob", "pay")], {}, [(2, "decided", "pay", None)]),
        ([(5, "ann", "pay"), (6, "bob", "pay")], {"wanted": 2}, [(2, "decided", "pay", None)]),
        ([(5, "ann", "pay"), (6, "bob", "no"), (7, "cid", "no")], {"wanted": 2}, [(3, "decided", "no", None)]),
        (
            [(5, "ann", "pay"), (60, "ann", "undo"), (70, "ann", "no")],
            {},
            [(1, "decided", "pay", None), (2, "pending", None, None), (3, "corrected", "no", "pay")],
        ),
        (
            [(5, "ann", "pay"), (60, "ann", "undo"), (70, "bob", "pay")],
            {},
            [(1, "decided", "pay", None), (2, "pending", None, None), (3, "decided", "pay", None)],
        ),
        ([(5, "ann", "pay"), (9, "ann", "undo"), (70, "ann", "no")], {"release": 10}, [(3, "decided", "no", None)]),
        ([(5, "ann", "pay"), (9, "ann", "undo")], {"release": 10}, []),
        ([(5, "ann", "pay", "caller")], {}, [(1, "decided", "pay", None)]),
        ([(5, "rules", "pay", "rule"), (6, "bob", None)], {"release": 10}, [(1, "decided", "pay", None)]),
    ],
)
def test_of_a_case_that_waits(steps, settings, expected) -> None:
    assert told(None, looks(*steps), **settings) == [WAITS, *expected]


def test_a_dissenting_audit_is_told_only_where_it_corrects() -> None:
    audit = looks((5, "ann", "no", "audit"), (60, "ann", "undo", "audit"))
    assert told(MODEL, audit) == [(None, "decided", "pay", None)]
    assert told(MODEL, audit, correct=True) == [
        (None, "decided", "pay", None),
        (1, "corrected", "no", "pay"),
        (2, "corrected", "pay", "no"),
    ]


answers = st.sampled_from(["pay", "no", None, "undo"])
steps = st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["ann", "bob", "cid"]), answers), max_size=8)


@given(steps, st.sampled_from([None, MODEL]), st.integers(1, 2), st.booleans(), st.integers(0, 9))
def test_a_receiver_who_follows_knows_what_stands(gaps, first, wanted, correct, release) -> None:
    """The last thing told is what stands, nothing is told twice, and a correction names what was told before."""
    at, made = 0, []
    for gap, user, answer in gaps:
        at += gap
        made.append((at, user, answer))
    reviews = looks(*made)
    said = list(announcements(first, reviews, wanted=wanted, correct=correct, release=release))
    stands = verdict(first, reviews, wanted=wanted, correct=correct)
    last = said[-1].verdict
    assert (last and last.decision) == (stands and stands.decision)
    known = None
    for before, after in zip([None, *said], said, strict=False):
        assert before is None or (before.verdict and before.verdict.decision) != (
            after.verdict and after.verdict.decision
        )
        assert (after.what == "corrected") == (after.previous is not None)
        assert after.previous in (None, known)
        known = after.verdict.decision if after.verdict else known


@given(steps, st.integers(0, 9), st.integers(0, 8))
def test_what_was_told_stays_told_when_more_comes(gaps, release, cut) -> None:
    """Once a record is older than the hold, what it says no more depends on what comes later."""
    at, made = 0, []
    for gap, user, answer in gaps:
        at += gap
        made.append((at, user, answer))
    reviews = looks(*made)
    cut = min(cut, len(reviews))
    early = reviews[:cut]
    until = reviews[cut].at if cut < len(reviews) else 10**9
    final = {look.seq for look in early if look.at + release <= until}
    later = told(None, reviews, release=release)
    assert [each for each in told(None, early, release=release) if each[0] in final] == [
        each for each in later if each[0] in final
    ]
