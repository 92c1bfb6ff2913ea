"""What the owner reads says no more than is known, whatever is promised and however it came to decide."""

import pytest
from msgspec.structs import replace

from understudy.autonomy.sentence import VOIDED, Budgeted, Decided, Figures, owner_sentence, share
from understudy.core.nouns import Level
from understudy.core.task import Autonomy, Cost, Decision, Rule, Task, Today, Truth

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
TASK = Task(decision=DECISION, autonomy=Autonomy(max_error=0.05, confidence=0.95))
DECIDED = Decided(cases=1000, alone=410, since="2027-03-03")
BUDGET = Budgeted(allowed=1239.2, bound=83.0, unsettled=0)
PROVEN = Figures(level=Level.PARTIAL, decided=DECIDED, proven=("yes", "no"), budget=BUDGET)
BUDGETED = "whatever the world does, the errors that it has made this year stay under 1,240, or it stops."


def promise(task: Task, figures: Figures = PROVEN) -> str:
    return owner_sentence(task, figures)[1]


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        (Truth(), "against the outcome, with"),
        (
            Truth(hides_outcome=("no",)),
            "against the outcome and, where an answer hides it, against blind reviewers, with",
        ),
        (Truth(source="review"), "against reviewers, with"),
        (Truth(source="blind_review"), "against blind reviewers, with"),
    ],
)
def test_it_says_against_whom(truth: Truth, words: str) -> None:
    assert words in promise(replace(TASK, truth=truth))


def test_it_promises_what_the_task_counts() -> None:
    assert promise(TASK).startswith("Of 100 that it decides, at most 5 are wrong, ")
    number = replace(TASK, decision=replace(DECISION, kind="regression", goal="rmse", tolerance=10.0))
    assert "at most 5 are off by more than 10, " in promise(number, replace(PROVEN, proven=("*",)))
    priced = replace(TASK, cost=Cost(mistakes={"no -> yes": 40.0}))
    assert "the mistakes cost at most as much as 5 of the dearest, " in promise(priced)
    assert promise(priced).endswith("its mistakes of this year weigh less than 1,240 of the dearest, or it stops.")
    rare = replace(TASK, autonomy=Autonomy(max_error=0.002, confidence=0.99))
    assert promise(rare).startswith("Of 1,000 that it decides, at most 2 are wrong, against the outcome, with 99 % ")
    odd = replace(TASK, autonomy=Autonomy(max_error=1 / 3, confidence=0.9))
    assert promise(odd).startswith("Of 100 that it decides, at most 33.3 are wrong")


def test_what_is_proven_and_what_is_not_stand_apart() -> None:
    word = "the word of ann on 2027-03-03 (“A trial.”)"
    mixed = owner_sentence(TASK, replace(PROVEN, proven=("yes",), unproven=("no",), word=word))
    assert mixed[1].startswith("Of 100 that it says 'yes', at most 5 are wrong")
    assert mixed[2] == f"'no' it says without proof, by {word}."
    none = owner_sentence(TASK, replace(PROVEN, proven=(), unproven=("yes", "no"), word=word))
    assert none[1] == f"Nothing proves that it is good enough: it decides by {word}."
    assert none[2] == f"W{BUDGETED[1:]}"
    assert "at most 5" not in " ".join(none)
    void = owner_sentence(TASK, replace(PROVEN, proven=(), unproven=("yes",)))
    assert void[1].endswith(f"it decides by {VOIDED}.")


def test_before_anything_is_folded_no_number_is_told() -> None:
    lines = owner_sentence(TASK, replace(PROVEN, budget=None))
    assert lines[1].endswith("as long as cases stay as they were.")
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (BUDGET, "By what was looked at they are at most 83 so far."),
        (replace(BUDGET, unsettled=1), "83 so far; 1 of its decisions is not settled yet."),
        (replace(BUDGET, unsettled=10_000, many=True), "; more than 10,000 of its decisions are not settled yet."),
    ],
)
def test_what_is_not_counted_yet_is_told(budget: Budgeted, words: str) -> None:
    assert owner_sentence(TASK, replace(PROVEN, budget=budget))[2].endswith(words)


def test_coverage_is_told_with_its_cases() -> None:
    assert owner_sentence(TASK, PROVEN)[0] == (
        "It may decide 41 % by itself: 410 of the newest 1,000 cases, since 2027-03-03."
    )
    none = replace(PROVEN, decided=Decided(cases=0, alone=0, since="2027-03-03"))
    assert owner_sentence(TASK, none)[0] == "It may decide by itself; no case has come since 2027-03-03."
    full = owner_sentence(TASK, replace(PROVEN, level=Level.FULL, proven=("*",)))
    assert full[0].startswith("It may decide 41 % by itself, all but what is strange or outside its mandate: ")


@pytest.mark.parametrize("part", [0.0, 0.0004, 0.004, 0.006, 0.5, 0.994, 0.996, 0.9999, 1.0])
def test_a_part_is_nothing_or_all_only_where_it_is(part: float) -> None:
    assert (share(part) == "0 %") == (part == 0)
    assert (share(part) == "100 %") == (part == 1)


def test_where_it_decides_nothing_nothing_is_promised() -> None:
    ruled = replace(TASK, today=Today(rules=(Rule(when="amount < 1", then="yes"),)))
    assert owner_sentence(ruled, Figures(level=Level.HUMAN, champion=False))[0] == (
        "No model has passed its checks: the rules of today and people decide every case."
    )
    held = Figures(level=Level.ASSIST, certified=("'yes' from a confidence of 0.812 on",))
    told = "It is proven good enough to decide 'yes' from a confidence of 0.812 on; "
    assert owner_sentence(TASK, held)[1] == f"{told}the task file or a person holds it back."
    for level in (Level.HUMAN, Level.SHADOW, Level.ASSIST):
        assert "Of 100" not in " ".join(owner_sentence(TASK, replace(PROVEN, level=level)))


def test_stopped_or_ended_it_promises_nothing_and_says_the_way_out() -> None:
    assert owner_sentence(TASK, replace(PROVEN, paused=True))[-1].endswith("understudy resume --task pay")
    assert len(owner_sentence(TASK, replace(PROVEN, paused=True))) == 2
    assert "Of 100" not in " ".join(owner_sentence(TASK, replace(PROVEN, expired=True)))
