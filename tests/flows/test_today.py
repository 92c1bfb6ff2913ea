"""Whether it is as good as what decides today, while it only watches: in the ledger, by replay, and to `assist`."""

import pytest

from conftest import claims
from flows.desk import ask, desk, other, said, tell, to_level
from understudy.core.nouns import Level
from understudy.flows.head import Library, load_head
from understudy.flows.learn import Learned, approve, learn, replay
from understudy.flows.review import give_review, undo_review
from understudy.flows.settle import TODAY
from understudy.store.ledger import each_page

CASES = claims(900, seed=17).drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(CASES.height)]


@pytest.fixture
def library(ran, tmp_path) -> Library:
    return desk(ran[0], tmp_path)


def decide(library: Library, names: list[str], answers: list[str], user: str = "ann") -> None:
    head = load_head(library, "claims")
    for name, answer in zip(names, answers, strict=True):
        give_review(head, user, name, answer)


def live(library: Library, first: int, last: int, *, champion: int, people: int) -> Learned:
    """Cases come; of the champion's answers and of people's one in so many turns out to be wrong."""
    names = NAMES[first:last]
    ask(load_head(library, "claims"), names, CASES[first:last])
    truth = [other(one) if place % champion == 0 else one for place, one in enumerate(said(library, names))]
    decide(library, names, [other(one) if place % people == 1 else one for place, one in enumerate(truth)])
    tell(library, names, truth)
    return learn(library, "claims")


def entries(library: Library) -> list:
    head = load_head(library, "claims")
    with library.work.store.reading() as connection:
        pages = each_page(connection, head.number, TODAY, head.deployed.epoch, after=0, size=1000)
        return [entry for page in pages for entry in page]


def compared(library: Library):
    """The comparison as it is kept, which equals what the ledger gives anew."""
    kept, anew = replay(library, "claims")
    assert kept == anew
    return kept.today


def test_who_errs_less_than_people_may_suggest_before_anything_is_certified(library) -> None:
    for first in range(0, 900, 60):
        learned = live(library, first, first + 60, champion=10, people=3)
        if learned.proposed is not None:
            break
    assert learned.standing.certified == {}
    assert (learned.proposed.kind, learned.proposed.to.level) == ("step_up", Level.ASSIST)
    assert "fewer mistakes per 100 cases than what decides today" in learned.proposed.reasons[0]
    assert compared(library).known == first + 60
    before = load_head(library, "claims").deployed
    after = approve(library.work, "claims", actor="ann")
    assert (after.level, after.epoch) == (Level.ASSIST, before.epoch)
    assert learn(library, "claims").standing.today is None  # the question is answered
    live(library, 840, 850, champion=10, people=3)
    assert len(entries(library)) == first + 60  # people see suggestions now
    assert compared(library) is None


def test_who_errs_more_than_people_stays_where_it_is(library) -> None:
    for first in range(0, 300, 60):
        learned = live(library, first, first + 60, champion=3, people=10)
        assert learned.proposed is None
    assert learned.standing.today.upper < 0
    assert compared(library).known == 300


def test_the_ledger_holds_what_today_decided_beside_the_champion(library) -> None:
    live(library, 0, 6, champion=3, people=3)
    found = entries(library)
    assert [entry.loss for entry in found] == [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    assert {(entry.role, entry.version, entry.automated, entry.propensity) for entry in found} == {
        ("today", "today", False, 1.0)
    }
    assert len({entry.place for entry in found}) == 6


def test_who_has_not_decided_counts_as_right_until_he_has(library) -> None:
    names = NAMES[:4]
    ask(load_head(library, "claims"), names, CASES[:4])
    truth = said(library, names)
    tell(library, names, truth)
    learn(library, "claims")
    assert [(entry.side, entry.loss) for entry in entries(library)] == [("", 0.0)] * 4
    assert compared(library).total == 0.0
    decide(library, names, [other(answer) for answer in truth])
    learn(library, "claims")
    assert [entry.loss for entry in entries(library)] == [1.0] * 4
    assert compared(library).total == 4.0
    undo_review(load_head(library, "claims"), "ann")
    learn(library, "claims")
    assert [entry.loss for entry in entries(library)] == [1.0, 1.0, 1.0, 0.0]
    assert compared(library).total == 3.0


def test_many_passes_and_one_come_to_the_same(ran, tmp_path) -> None:
    often, once = (desk(ran[0], tmp_path / name) for name in ("often", "once"))
    learn(once, "claims")
    for first in range(0, 90, 30):
        live(often, first, first + 30, champion=4, people=5)
    names = NAMES[:90]
    ask(load_head(once, "claims"), names, CASES[:90])
    for first in range(0, 90, 30):
        some = names[first : first + 30]
        truth = [other(one) if place % 4 == 0 else one for place, one in enumerate(said(once, some))]
        decide(once, some, [other(one) if place % 5 == 1 else one for place, one in enumerate(truth)])
        tell(once, some, truth)
    learn(once, "claims")
    assert compared(often) == compared(once)


def test_where_reviewers_are_the_truth_nothing_is_compared_and_the_reason_is_told(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path, ('source = "outcome"', 'source = "blind_review"'))
    names = NAMES[:20]
    ask(load_head(library, "claims"), names, CASES[:20])
    decide(library, names, said(library, names))
    standing = learn(library, "claims").standing
    assert (standing.today, entries(library)) == (None, [])
    assert "a second blind reviewer" in standing.untold


def test_a_second_blind_reviewer_is_the_truth_for_the_first(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path, ('source = "outcome"', 'source = "blind_review"'), ("wanted = 1", "wanted = 2"))
    names = NAMES[:12]
    ask(load_head(library, "claims"), names, CASES[:12])
    answers = said(library, names)
    decide(library, names, [other(one) if place < 4 else one for place, one in enumerate(answers)], "ann")
    decide(library, names, answers, "bob")
    decide(library, names[:4], answers[:4], "cid")
    learn(library, "claims")
    assert [entry.loss for entry in entries(library)] == [1.0] * 4 + [0.0] * 8
    assert compared(library).total == 4.0


def test_cases_that_came_while_it_suggested_are_not_compared(library) -> None:
    to_level(library, Level.ASSIST)
    live(library, 0, 20, champion=3, people=3)
    assert entries(library) == []
