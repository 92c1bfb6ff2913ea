"""The ladder on a live task: audits that fall and rise, certificates that a correction voids, and the way to full."""

import pytest

from conftest import claims
from flows.desk import ask, desk, other, said, tell, to_level
from understudy.core.nouns import Level
from understudy.flows.head import Library, load_head
from understudy.flows.learn import approve, learn, replay
from understudy.flows.moves import apply_task
from understudy.flows.status import history, task_status

EVERY = {"yes": 0.0, "no": 0.0}
CASES = claims(1500, seed=13).drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(CASES.height)]
AUTO = ('step_up = "ask"', 'step_up = "auto"')
TWENTY = ("max_error = 0.05", "max_error = 0.2")


@pytest.fixture
def library(ran, tmp_path) -> Library:
    return desk(ran[0], tmp_path, TWENTY)


def come(library: Library, first: int, last: int, wrong: int = 0) -> None:
    """Cases come, and their outcomes; one in so many says that the champion was wrong, none by default."""
    ask(load_head(library, "claims"), NAMES[first:last], CASES[first:last])
    answers = said(library, NAMES[first:last])
    found = [other(answer) if wrong and place % wrong == 0 else answer for place, answer in enumerate(answers)]
    tell(library, NAMES[first:last], found)


def turn(library: Library, first: int, last: int) -> None:
    """Outcomes are corrected: the champion was wrong."""
    tell(library, NAMES[first:last], map(other, said(library, NAMES[first:last])))


def faithful(library: Library) -> bool:
    kept, anew = replay(library, "claims")
    return kept == anew


def deployed(library: Library):
    return load_head(library, "claims").deployed


def moves(library: Library) -> list[str]:
    return [event.kind for event in history(library.work, "claims") if event.kind.startswith("moved.")]


def test_audits_start_many_and_halve_with_every_fifty_looks_that_find_it_right(library) -> None:
    to_level(library, Level.PARTIAL, EVERY)
    rates = [deployed(library).audit_rate]
    for first in range(0, 420, 60):
        come(library, first, first + 60)
        learn(library, "claims")
        rates.append(deployed(library).audit_rate)
    assert rates[:6] == [0.2, 0.1, 0.05, 0.025, 0.02, 0.02]
    last = next(event for event in history(library.work, "claims") if event.kind == "moved.audit")
    assert last.body["reasons"][0] == "The audit rate falls from 20 % to 10 %."
    assert deployed(library).epoch == last.body["to"]["epoch"]
    assert faithful(library)


def test_errors_among_the_looks_raise_the_rate_again(library) -> None:
    to_level(library, Level.PARTIAL, EVERY)
    for first in range(0, 240, 60):
        come(library, first, first + 60)
        learn(library, "claims")
    assert deployed(library).audit_rate == 0.02
    come(library, 240, 270, wrong=4)
    assert learn(library, "claims").made.kind == "audit"
    assert deployed(library).audit_rate == 0.1
    assert "Of the last 30 looks 26.7 % were wrong" in history(library.work, "claims")[-1].body["reasons"][1]
    assert faithful(library)


def certify(library: Library) -> int:
    """Let cases come until something is certified, and approve it; how many came."""
    for first in range(0, 900, 100):
        come(library, first, first + 100, wrong=20)
        if learn(library, "claims").proposed:
            approve(library.work, "claims", actor="ann")
            return first + 100
    raise AssertionError("nothing was certified")


def test_a_correction_that_voids_a_certificate_takes_the_step_up_back_at_once(library) -> None:
    count = certify(library)
    before = deployed(library)
    assert before.level is Level.PARTIAL
    turn(library, 0, count)
    made = learn(library, "claims").made
    assert (made.kind, deployed(library).level, deployed(library).epoch) == ("step_down", Level.ASSIST, before.epoch)
    assert "is no longer certified: a correction has changed what it rested on." in made.reasons[0]
    assert faithful(library)


def test_corrections_take_back_as_much_as_they_void_and_no_more(library) -> None:
    count = certify(library)
    learn(library, "claims")
    while deployed(library).level is Level.PARTIAL:
        before = deployed(library)
        turn(library, count - 5, count)
        count -= 5
        learned = learn(library, "claims")
        after = deployed(library)
        assert after.epoch == before.epoch
        assert after.thresholds.items() <= before.thresholds.items() or learned.made.kind == "take_back"
        assert all(low >= before.thresholds[answer] for answer, low in after.thresholds.items())
        assert all(low >= learned.standing.certified[answer] for answer, low in after.thresholds.items())
    assert moves(library)[-1] == "moved.step_down"
    assert faithful(library)


def test_what_an_owner_granted_stays_whatever_is_corrected(library) -> None:
    to_level(library, Level.PARTIAL, {"yes": 0.95})
    come(library, 0, 300, wrong=20)
    learn(library, "claims")
    turn(library, 0, 60)
    learn(library, "claims")
    assert deployed(library).thresholds.get("yes", 2.0) <= 0.95
    assert "moved.take_back" not in moves(library)


def test_full_waits_for_a_person_even_where_the_task_is_auto(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path, TWENTY, AUTO, ('max_level = "partial"', 'max_level = "full"'))
    proposed = None
    for first in range(0, 1500, 150):
        come(library, first, first + 150)
        proposed = learn(library, "claims").proposed
        if proposed is not None:
            break
    assert (proposed.kind, proposed.to.level) == ("step_up", Level.FULL)
    assert deployed(library).level is Level.PARTIAL
    assert deployed(library).thresholds == EVERY
    assert approve(library.work, "claims", actor="ann").level is Level.FULL
    assert learn(library, "claims").proposed is None


def test_the_status_says_what_is_missing(library) -> None:
    assert task_status(library.work, "claims").far_off == ()  # no pass has been made
    come(library, 0, 30, wrong=3)
    learn(library, "claims")
    told = task_status(library.work, "claims").far_off
    assert any(text.startswith("'no': no threshold keeps 20 %; the closest is") for text in told)
    assert any("fewer mistakes per 100 cases than what decides today" in text for text in told)


def test_a_task_file_that_promises_something_else_ends_what_was_certified(library) -> None:
    certify(library)
    file = library.work.task_file("claims")
    file.write_text(file.read_text().replace("per_day = 100", "per_day = 90"))
    apply_task(library.work, "claims", actor="ann")
    assert deployed(library).level is Level.PARTIAL
    before = deployed(library)
    file.write_text(file.read_text().replace("max_error = 0.2", "max_error = 0.1"))
    apply_task(library.work, "claims", actor="ann")
    after = deployed(library)
    assert (after.level, after.thresholds, after.epoch) == (Level.ASSIST, {}, before.epoch + 1)
    assert "evidence is gathered anew" in history(library.work, "claims")[-1].body["reasons"][1]


def test_a_suspicion_raises_the_thresholds_and_calm_brings_them_back(library) -> None:
    """Audits first; then thresholds, since looks at the raised rate do not clear it; and back after calm ones."""
    certify(library)
    before = deployed(library)
    come(library, 900, 935, wrong=4)
    learned = learn(library, "claims")
    assert deployed(library).audit_rate >= 0.1
    for first in range(935, 1200, 15):
        if learned.made is not None and learned.made.kind == "tighten":
            break
        come(library, first, first + 15, wrong=4)
        learned = learn(library, "claims")
    raised = deployed(library)
    assert (moves(library)[-1], raised.level, raised.epoch) == ("moved.tighten", Level.PARTIAL, before.epoch)
    certified = learned.standing.rungs
    assert raised.thresholds != before.thresholds
    assert all(low >= before.thresholds[answer] for answer, low in raised.thresholds.items())
    assert all(low in [rung.threshold for rung in certified[answer]] for answer, low in raised.thresholds.items())
    reasons = history(library.work, "claims")[-1].body["reasons"]
    assert any("have not cleared the suspicion" in reason for reason in reasons)
    assert any(reason.startswith("People would decide about") for reason in reasons)  # the forecast of the queue
    status = task_status(library.work, "claims")
    assert status.raised_from == before.thresholds
    assert "Something is suspected: until that has passed, it must be surer than before to decide." in status.sentence
    assert faithful(library)
    last = 1200
    while deployed(library).raised_from:
        come(library, last, last + 30)
        learn(library, "claims")
        last += 30
    assert deployed(library).thresholds == before.thresholds
    assert "moved.relax" in moves(library)
    assert faithful(library)
