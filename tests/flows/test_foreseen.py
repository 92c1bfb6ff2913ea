"""What a move leaves to people is among its reasons, by the cases that came last."""

import pytest
from msgspec.structs import replace

from conftest import claims
from flows.desk import ask, desk, said, tell, to_level
from understudy.core.nouns import Decider, Level, Move
from understudy.flows.capacity import MOST, WITHIN, foresee, foreseen, routing
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn
from understudy.flows.review import give_review
from understudy.flows.status import task_status
from understudy.store.counts import DAY

CASES = claims(600, seed=31).drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(CASES.height)]


@pytest.fixture
def library(ran, tmp_path) -> Library:
    return desk(ran[0], tmp_path, ("per_day = 100", "per_day = 40"))


def found(library: Library, to) -> object:
    head = load_head(library, "claims")
    with library.work.store.reading() as connection:
        return foresee(connection, head, to, library.work.clock.now())


def week(library: Library) -> None:
    """A hundred cases a day for five days."""
    for day in range(5):
        ask(load_head(library, "claims"), NAMES[100 * day : 100 * day + 100], CASES[100 * day : 100 * day + 100])
        library.work.clock.at += DAY


def test_what_is_foreseen_is_what_comes_to_pass(library: Library) -> None:
    week(library)
    to = replace(
        load_head(library, "claims").deployed, level=Level.PARTIAL, thresholds={"yes": 0.8, "no": 0.9}, audit_rate=0.1
    )
    told = found(library, to)
    head = to_level(library, Level.PARTIAL, {"yes": 0.8, "no": 0.9})
    answers = ask(head, [f"again {name}" for name in NAMES[:500]], CASES[:500])
    people = sum(answer.decided_by is not Decider.MODEL for answer in answers)
    assert 0 < people < 500
    assert told.decide == pytest.approx(people / 5)
    assert told.audit == pytest.approx((500 - people) / 5 * 0.1)
    assert told.waiting[0] == pytest.approx(max(0, 500 + people / 5 - 40))  # 500 wait already


def test_a_move_that_changes_who_decides_tells_it_and_another_does_not(library: Library) -> None:
    week(library)
    head = load_head(library, "claims")
    up = Move(kind="step_up", to=replace(head.deployed, level=Level.ASSIST, audit_rate=0.5), reasons=("Why.",))
    same = Move(kind="retire", to=replace(head.deployed, challengers=(), epoch=9), reasons=("Why.",))
    with library.work.store.reading() as connection:
        told = foreseen(connection, head, head.deployed, up, library.work.clock.now())
        assert foreseen(connection, head, head.deployed, same, library.work.clock.now()) == same
    assert told.reasons[:2] == (
        "Why.",
        "People would decide about 100 cases a day; 40 a day can be reviewed: the queue grows by 60 a day.",
    )
    assert routing(head.deployed) == routing(replace(head.deployed, revision=7, epoch=3))


def test_a_proposal_shows_it(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path, ("margin_assist = 0.0", "margin_assist = 0.9"))
    names = NAMES[:150]
    ask(load_head(library, "claims"), names, CASES)
    for name in names:
        give_review(load_head(library, "claims"), "ann", name, "yes")
    tell(library, names, said(library, names))
    proposed = learn(library, "claims").proposed
    assert proposed.to.level is Level.ASSIST
    work = "People would decide about 150 cases a day; 100 a day can be reviewed: the queue grows by 50 a day."
    assert work in proposed.reasons
    assert read_status(library) == proposed


def read_status(library: Library) -> Move:
    """What waits for a person, as everybody sees it."""
    return task_status(library.work, "claims").proposed


def test_where_no_case_has_come_nothing_is_foreseen(library: Library) -> None:
    assert found(library, load_head(library, "claims").deployed) is None
    week(library)
    library.work.clock.at += WITHIN + DAY
    assert found(library, load_head(library, "claims").deployed) is None


def test_the_newest_cases_count(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 500
    week(library)
    monkeypatch.setattr("understudy.flows.capacity.MOST", 100)
    assert found(library, load_head(library, "claims").deployed).decide == pytest.approx(100)
