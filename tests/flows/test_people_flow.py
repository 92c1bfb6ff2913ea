"""Reviewers: what the log tells of how well they agree and how often they err."""

import pytest

from conftest import claims
from flows.desk import ask, desk, other, said, to_level
from understudy.core.nouns import Level
from understudy.flows import people
from understudy.flows.head import load_head
from understudy.flows.learn import learn, replay
from understudy.flows.people import read_people
from understudy.flows.review import give_review, next_review, review_many, undo_review
from understudy.flows.status import task_status

CASES = claims(400, seed=31).drop("pay", "paid_amount")
NAMES = [f"p{number}" for number in range(CASES.height)]
BLIND = ('source = "outcome"', 'source = "blind_review"')
TWO = ("wanted = 1", "wanted = 2")


@pytest.fixture
def library(ran, tmp_path):
    return desk(ran[0], tmp_path, BLIND, TWO)


def reviewed(library, first: int, last: int, wrong: dict[str, int]) -> None:
    """Ann, Bob and Cid answer in turns; each is wrong in one of so many cases, and never two of the same."""
    names = NAMES[first:last]
    head = load_head(library, "claims")
    ask(head, names, CASES[first:last])
    right = dict(zip(names, said(library, names), strict=True))
    place = {name: number for number, name in enumerate(names)}

    def says(user: str, name: str) -> str:
        errs = place[name] % wrong[user] == list(wrong).index(user)
        return other(right[name]) if errs else right[name]

    for turn in range(3):
        users = [*list(wrong)[turn:], *list(wrong)[:turn]]
        most = len(names) if turn < 2 else 10 * len(names)
        review_many(head, users, says, most=most)


def found(library):
    head = load_head(library, "claims")
    with library.work.store.reading() as connection:
        return read_people(connection, head.task, head.number)


def test_the_status_says_how_they_agree_and_who_errs_how_often(library) -> None:
    reviewed(library, 0, 300, {"ann": 60, "bob": 30, "cid": 6})
    assert task_status(library.work, "claims").people == ()  # nobody has looked yet
    learn(library, "claims")
    told = task_status(library.work, "claims").people
    known = found(library)
    assert told[0].startswith(f"Two reviewers differ in {known.differ} of 300 cases")
    assert told[1].startswith("Of 100 cases each errs, as far as the others' answers tell: cid in ")
    assert [one.user for one in known.reviewers] == ["cid", "bob", "ann"]
    kept, anew = replay(library, "claims")
    assert kept == anew


def test_they_are_looked_at_anew_only_when_much_has_come(library, monkeypatch) -> None:
    looked = []
    monkeypatch.setattr(people, "read_people", lambda *given: looked.append(1) or read_people(*given))
    wrong = {"ann": 60, "bob": 30, "cid": 6}
    for first, last in ((0, 5), (5, 150), (150, 155), (155, 200), (200, 200)):
        reviewed(library, first, last, wrong)
        learn(library, "claims")
        looked.append(0)
    assert looked == [0, 1, 0, 0, 1, 0, 0]


def test_nothing_is_written_where_another_process_is_the_steward(library) -> None:
    reviewed(library, 0, 60, {"ann": 60, "bob": 30, "cid": 6})
    people.watch_people(load_head(library, "claims"), now=1, may=lambda _: False)
    assert task_status(library.work, "claims").people == ()


def test_an_answer_that_was_taken_back_does_not_count(library) -> None:
    head = load_head(library, "claims")
    ask(head, NAMES[:2], CASES)
    for user in ("ann", "bob"):
        next_review(head, user)
        give_review(head, user, "p0", "yes")
    undo_review(head, "bob")
    assert (found(library).cases, found(library).twice) == (1, 0)


def test_whether_suggestions_move_them_is_told_from_assist_on(library) -> None:
    to_level(library, Level.ASSIST)
    head = load_head(library, "claims")
    answers = ask(head, NAMES[:60], CASES)
    names = [answer.id for answer in answers]
    for name, guess in zip(names, said(library, names), strict=True):
        give_review(head, "ann", name, guess)
    gap = found(library).anchoring
    assert gap.n == 60
    assert gap.estimate == 0
