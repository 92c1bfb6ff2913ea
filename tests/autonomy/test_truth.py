"""What today's way decided, and a truth against which it may be held."""

import pytest
from msgspec.structs import replace

from understudy.autonomy.truth import Past, Today, by_today, known_truth, loss_today, untold
from understudy.core.nouns import Review
from understudy.core.task import Autonomy, Decision, Rule, Task, Truth
from understudy.core.task import Review as Reviewing
from understudy.core.task import Today as TodayRules

RULES = TodayRules(rules=(Rule(when="amount < 100", then="pay"),))


def task(
    source: str = "outcome", *, wanted: int = 1, rules: bool = False, kind: str = "classification", **truth
) -> Task:
    decision = Decision(name="pay", question="Pay?", target="pay", kind=kind, goal="roc_auc", tolerance=1.0)
    return Task(
        decision=decision,
        today=RULES if rules else TodayRules(),
        truth=Truth(source=source, **truth),
        review=Reviewing(wanted=wanted),
        autonomy=Autonomy(max_error=0.05, confidence=0.95),
    )


def look(seq: int, value: str, kind: str = "decide") -> Review:
    plain = {"action": "decide", "blind": True, "shown_version": None, "note": None}
    plain |= {"opened_at": None, "supersedes": None, "at": seq}
    return Review(seq=seq, case_seq=1, user=f"u{seq}", kind=kind, value=value, **plain)


def past(*said: str, outcome: str | None = None, **changes: object) -> Past:
    looks = tuple(look(seq, value) for seq, value in enumerate(said, 1))
    plain = Past(
        review_kind="decide",
        review_propensity=1.0,
        blind=True,
        decision=said[0] if said else None,
        reviews=looks,
        outcome=outcome,
        overdue=False,
        alone=True,
    )
    return replace(plain, **changes)


def held(found: Task, case: Past) -> tuple[str, float | None] | None:
    """What today decided, and what that cost."""
    truth = known_truth(found, case)
    assert truth is not None
    today = by_today(found, case, truth)
    return None if today is None else (today.decision, loss_today(found, today))


@pytest.mark.parametrize(
    ("found", "case", "expected"),
    [
        (task(), past("pay", outcome="pay"), ("pay", 0.0)),
        (task(), past("pay", outcome="refuse"), ("pay", 1.0)),
        (task(), past(outcome="refuse"), ("", 0.0)),  # who has not decided counts as right
        (task(), past("pay", overdue=True), ("pay", 1.0)),  # a missing outcome counts as a mistake, of both
        (task(silence="pay"), past("refuse", overdue=True), ("refuse", 1.0)),
        (task(), past("pay", outcome="pay", alone=False), None),  # a suggestion was shown
        (task(hides_outcome=("refuse",)), past("refuse"), ("refuse", 0.0)),  # people are their own truth: right
        (task("blind_review"), past("pay"), None),
        (task("blind_review", wanted=2), past("pay", "pay"), ("pay", 0.0)),
        (task("blind_review", wanted=2), past("pay", "refuse", "refuse"), ("pay", 1.0)),
        (task("blind_review", wanted=2), past("pay", "refuse", "pay"), ("pay", 1.0)),  # not its own second
        (task("blind_review", rules=True), past("pay"), ("pay", 0.0)),
        (task("blind_review", rules=True), past("refuse", ruled="pay", review_kind="audit"), ("pay", 1.0)),
        (task("blind_review", rules=True), past(ruled="pay", review_kind="none"), ("pay", None)),
        (task("outcome", rules=True), past(ruled="pay", review_kind="none", outcome="pay"), ("pay", 0.0)),
        (task("outcome", kind="regression"), past("3.0", outcome="9.0"), ("3.0", 1.0)),
        (task("blind_review", kind="regression", wanted=2), past("3.0", "3.0"), None),
    ],
)
def test_what_today_cost(found: Task, case: Past, expected: tuple[str, float | None] | None) -> None:
    assert held(found, case) == expected


def test_the_second_reviewer_is_the_truth_for_the_first() -> None:
    found, case = task("blind_review", wanted=2), past("pay", "refuse", "pay")
    truth = known_truth(found, case)
    today = by_today(found, case, truth)
    assert truth.label == "pay"
    assert isinstance(today, Today)
    assert today.truth.label == "refuse"


def test_where_people_are_their_own_truth_the_reason_says_what_would_tell() -> None:
    assert "a second blind reviewer ([review] wanted = 2)" in untold(task("review"))
    assert untold(task("blind_review", kind="regression", wanted=2))
    assert untold(task()) == untold(task("review", wanted=2)) == untold(task("review", rules=True)) == ""
