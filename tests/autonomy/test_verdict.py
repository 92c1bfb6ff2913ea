"""What stands after people have looked."""

import pytest

from understudy.autonomy.verdict import Verdict, standing, verdict
from understudy.core.nouns import Decider, Review


def look(seq: int, user: str, value: str | None, **changed: object) -> Review:
    plain = {"kind": "decide", "action": "decide", "blind": True, "shown_version": None, "note": None}
    plain |= {"opened_at": None, "supersedes": None}
    return Review(seq=seq, case_seq=1, user=user, value=value, at=seq * 10, **(plain | changed))


BY_MODEL = Verdict(decision="pay", by=Decider.MODEL, at=1)


@pytest.mark.parametrize(
    ("reviews", "wanted", "decision"),
    [
        ([], 1, None),
        ([look(1, "ann", "pay")], 1, "pay"),
        ([look(1, "ann", None, action="skip")], 1, None),
        ([look(1, "ann", "pay"), look(2, "ann", None, action="undo", supersedes=1)], 1, None),
        ([look(1, "ann", "pay"), look(2, "ann", "refuse", supersedes=1)], 1, "refuse"),
        ([look(1, "ann", "pay")], 2, None),
        ([look(1, "ann", "pay"), look(2, "bob", "pay")], 2, "pay"),
        ([look(1, "ann", "pay"), look(2, "bob", "refuse")], 2, None),
        ([look(1, "ann", "pay"), look(2, "bob", "refuse"), look(3, "cid", "refuse")], 2, "refuse"),
        ([look(1, "shop", "refuse", kind="caller")], 3, "refuse"),
    ],
)
def test_the_decision_that_stands(reviews: list[Review], wanted: int, decision: str | None) -> None:
    found = verdict(None, reviews, wanted=wanted, correct=False)
    assert (None if found is None else found.decision) == decision


def test_an_audit_that_dissents_corrects_only_where_the_task_says_so() -> None:
    audit = [look(1, "ann", "refuse", kind="audit")]
    assert verdict(BY_MODEL, audit, wanted=1, correct=False) == BY_MODEL
    corrected = verdict(BY_MODEL, audit, wanted=1, correct=True)
    assert corrected == Verdict(decision="refuse", by=Decider.PERSON, at=10)


def test_an_audit_that_agrees_leaves_the_decision_with_who_made_it() -> None:
    audit = [look(1, "ann", "pay", kind="audit")]
    assert verdict(BY_MODEL, audit, wanted=1, correct=True) == BY_MODEL


def test_overdue_cases_that_the_rules_decided_say_so() -> None:
    found = verdict(None, [look(1, "rules", "pay", kind="rule")], wanted=1, correct=False)
    assert found is not None
    assert found.by is Decider.RULE


def test_what_was_undone_twice_stays_undone() -> None:
    first = [look(1, "ann", "pay"), look(2, "ann", None, action="undo", supersedes=1)]
    again = [*first, look(3, "ann", "refuse"), look(4, "ann", None, action="undo", supersedes=3)]
    assert standing(again) == ()
