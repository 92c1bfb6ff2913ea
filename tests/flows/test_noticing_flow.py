"""How soon a doubling must be noticed sets the audit rate of a live task, and its status says what that comes to."""

import pytest

from flows.desk import ask, desk, to_level
from understudy.core.nouns import Level
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn
from understudy.flows.status import history, task_status

EVERY = {"yes": 0.0, "no": 0.0}
AUDITED = ('source = "outcome"', 'source = "blind_review"')
FIVE_DAYS = ('# notice = { "doubling_within" = "7d" }', 'notice = { doubling_within = "5d" }')


def stand(ran, place, *edits: tuple[str, str]) -> Library:
    library = desk(ran[0], place, AUDITED, *edits)
    to_level(library, Level.PARTIAL, EVERY)
    ask(load_head(library, "claims"), [f"c{number}" for number in range(300)])
    learn(library, "claims")
    return library


@pytest.fixture
def asked(ran, tmp_path) -> Library:
    return stand(ran, tmp_path, FIVE_DAYS)


def test_the_audit_rate_rises_to_what_the_wish_needs_and_says_why(asked) -> None:
    rate = load_head(asked, "claims").deployed.audit_rate
    assert 0.3 < rate < 0.8  # about 300 cases a day, four days before the last audit
    [move] = [event for event in history(asked.work, "claims") if event.kind == "moved.audit"]
    assert move.body["reasons"][1] == "As many cases as come now need more of them checked."
    assert learn(asked, "claims").made is None
    [told] = task_status(asked.work, "claims").noticing
    days = float(told.partition("within about ")[2].partition(" days")[0])
    assert days == pytest.approx(5.0, abs=0.5)


def test_without_the_wish_the_status_tells_how_soon_all_the_same(ran, tmp_path) -> None:
    library = stand(ran, tmp_path)
    assert load_head(library, "claims").deployed.audit_rate == 0.2
    [told] = task_status(library.work, "claims").noticing
    assert told.startswith("A doubling of the promised risk would be noticed within about ")


def test_where_outcomes_tell_or_nothing_is_automated_nothing_is_said(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path)
    ask(load_head(library, "claims"), ["a", "b"])
    learn(library, "claims")
    assert task_status(library.work, "claims").noticing == ()
