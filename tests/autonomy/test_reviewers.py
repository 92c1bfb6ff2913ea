"""What is known of the people who review."""

import numpy as np
import pytest

from understudy.autonomy.reviewers import Looked, Reviewer, people_of, told_people
from understudy.autonomy.truth import Past, known_truth
from understudy.core.nouns import Review
from understudy.core.task import Autonomy, Decision, Task, Truth
from understudy.core.task import Review as Reviewing
from understudy.evidence.fixed import clopper_pearson

TASK = Task(
    decision=Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc"),
    autonomy=Autonomy(max_error=0.05, confidence=0.95),
    truth=Truth(source="blind_review"),
    review=Reviewing(wanted=2),
)
NUMBERS = Task(
    decision=Decision(name="eta", question="When?", target="eta", kind="regression", goal="rmse", tolerance=2.0),
    autonomy=Autonomy(max_error=0.05, confidence=0.95),
    truth=Truth(source="blind_review"),
    review=Reviewing(wanted=2),
)
ERRS = {"ann": 0.03, "bob": 0.08, "cid": 0.1, "dan": 0.3}


def review(seq: int, user: str, value: str, *, blind: bool = True, kind: str = "decide", **more: object) -> Review:
    plain = {"action": "decide", "shown_version": None, "note": None, "opened_at": None, "at": seq, "supersedes": None}
    return Review(seq=seq, case_seq=1, user=user, kind=kind, value=value, blind=blind, **(plain | more))


def looked(*said: tuple[str, str], guess: str | None = None, blind: bool = True) -> Looked:
    """What these people said, one after the other."""
    given = tuple(review(seq, user, value, blind=blind) for seq, (user, value) in enumerate(said))
    return Looked(reviews=given, guess=guess)


def crowd(cases: int, *, seed: int = 0) -> list[Looked]:
    """Two look at each case, and a third and a fourth where they differ."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(cases):
        truth, said = bool(rng.random() < 0.6), []
        for user in rng.permutation(list(ERRS)).tolist():
            said.append((user, ("no", "yes")[truth ^ (rng.random() < ERRS[user])]))
            answers = [value for _, value in said]
            if len(said) > 1 and 2 * max(answers.count("yes"), answers.count("no")) > len(said):
                break
        found.append(looked(*said))
    return found


def test_two_of_them_are_compared_and_never_the_third_who_was_asked_because_they_differ() -> None:
    people = people_of(TASK, crowd(600))
    assert (people.cases, people.twice) == (600, 600)
    assert people.error.n == 600
    mean = np.mean(list(ERRS.values()))
    assert people.error.lower < mean < people.error.upper
    assert people.differ / 600 == pytest.approx(0.22, abs=0.03)


def test_each_is_judged_by_the_others() -> None:
    people = people_of(TASK, crowd(900))
    assert people.reviewers[0].user == "dan"
    for one in people.reviewers:
        assert one.error.lower <= ERRS[one.user] <= one.error.upper
    first, second, *_ = told_people(people)
    assert first.startswith(f"Two reviewers differ in {people.differ} of 900 cases (Krippendorff's alpha 0.")
    assert second.startswith("Of 100 cases each errs, as far as the others' answers tell: dan in 2")


def test_a_consensus_never_becomes_the_truth() -> None:
    cases = [*crowd(900), *[looked(("dan", "yes"), ("cid", "no"), ("dan2", "yes"))] * 3]
    people = people_of(TASK, cases)
    assert people.contested > 0
    assert (
        f"the majority in {people.contested} of {people.together} cases; the majority counts." in told_people(people)[2]
    )
    for case in cases:
        past = Past(
            review_kind="audit", review_propensity=1.0, blind=True, decision=None, reviews=case.reviews, outcome=None,
            overdue=False,
        )  # fmt: skip
        answers = [look.value for look in case.reviews]
        most = max(set(answers), key=answers.count)
        found = known_truth(TASK, past)
        if found is not None:
            assert (found.label, answers.count(most) * 2 > len(answers)) == (most, True)


def test_looks_that_show_the_model_or_were_taken_back_do_not_count() -> None:
    undone = Looked(
        reviews=(
            review(1, "ann", "yes"),
            review(2, "bob", "no"),
            review(3, "bob", "", action="undo", supersedes=2),
            review(4, "cid", "yes"),
        ),
        guess=None,
    )
    people = people_of(TASK, [undone, looked(("ann", "yes"), ("bob", "no"), blind=False)])
    assert (people.cases, people.twice, people.differ) == (1, 1, 0)


def test_one_who_answers_again_counts_once() -> None:
    again = Looked(
        reviews=(review(1, "ann", "yes"), review(2, "ann", "no", supersedes=1), review(3, "bob", "no")), guess=None
    )
    people = people_of(TASK, [again] * 30)
    assert (people.cases, people.differ) == (30, 0)


def test_what_the_model_shows_moves_them() -> None:
    blind = [looked(("ann", "yes" if place % 3 else "no"), guess="yes") for place in range(300)]
    shown = [looked(("ann", "yes"), guess="yes", blind=False)] * 300
    people = people_of(TASK, [*blind, *shown])
    assert people.anchoring.estimate == pytest.approx(1 / 3)
    assert people.anchoring.lower > 0.2
    assert told_people(people)[-1].endswith("of 100 cases: it moves them.")
    assert people_of(TASK, [looked(("ann", "yes"))] * 9).anchoring.n == 0  # nothing was drawn there


def test_numbers_agree_within_the_tolerance_and_have_no_consensus() -> None:
    rng = np.random.default_rng(0)
    cases = [
        looked(("ann", str(t)), ("bob", str(t + d)))
        for t, d in zip(10 * rng.normal(size=60), [0, 1, 5] * 20, strict=True)
    ]
    people = people_of(NUMBERS, cases)
    assert (people.twice, people.differ, people.reviewers) == (60, 20, ())
    assert 0.8 < people.agreement.estimate < 1


def test_of_nothing_nothing_is_told() -> None:
    for task in (TASK, NUMBERS):
        for cases in ([], [looked()], [looked(("ann", "3"))], [looked(("ann", "3"), ("bob", "3"))] * 3):
            people = people_of(task, cases)
            assert told_people(people) == ()
            assert people.reviewers == ()


def test_those_who_err_most_are_named() -> None:
    people = people_of(TASK, crowd(900))
    many = tuple(Reviewer(user=f"r{n}", error=clopper_pearson(n, 100)) for n in range(9, 0, -1))
    told = told_people(
        type(people)(**{name: getattr(people, name) for name in people.__struct_fields__} | {"reviewers": many})
    )
    assert "r9 in " in told[1]
    assert "r5 in " in told[1]
    assert "r4" not in told[1]
