"""People look at cases."""

import pytest

from flows.desk import FRESH, ask, desk, to_level
from understudy.core.errors import ConflictError, InputError, NotFoundError
from understudy.core.nouns import Decider, Level
from understudy.flows.answers import answer_of
from understudy.flows.decide import Asked, decide_batch
from understudy.flows.head import load_head
from understudy.flows.review import (
    CLAIM,
    decide_outside,
    give_review,
    next_review,
    require_case,
    skip_review,
    undo_review,
)
from understudy.store.queue import waiting

IDS = [f"c{number}" for number in range(40)]


@pytest.fixture
def library(ran, tmp_path):
    return desk(ran[0], tmp_path)


@pytest.fixture
def head(library):
    found = load_head(library, "claims")
    ask(found, IDS[:3])
    return found


def answer(head, case_id: str):
    with head.library.work.store.reading() as connection:
        case = require_case(connection, head, case_id)
    return answer_of(head, case, head.library.work.clock.now())


def left(head) -> int:
    with head.library.work.store.reading() as connection:
        return waiting(connection, head.number)


def test_a_review_decides_the_case(head) -> None:
    task = next_review(head, "ann")
    assert (task.id, task.answers, task.suggestion, task.blind, task.waiting) == ("c0", ("no", "yes"), None, True, 3)
    assert list(task.inputs) == [name for name in FRESH.columns if name in task.inputs]
    assert give_review(head, "ann", "c0", "no", "looks odd").status == "decided"
    found = answer(head, "c0")
    assert (found.status, found.decision, found.decided_by, found.confidence) == ("decided", "no", Decider.PERSON, None)
    assert next_review(head, "ann").id == "c1"


def test_two_reviewers_never_have_the_same_case_open_until_a_claim_expires(head) -> None:
    assert [next_review(head, name).id for name in ("ann", "bob", "ann", "cid")] == ["c0", "c1", "c0", "c2"]
    assert next_review(head, "dan") is None
    head.library.work.clock.at += CLAIM
    assert next_review(head, "dan").id == "c0"


def test_a_claim_from_a_clock_that_was_set_back_counts_no_more(head) -> None:
    next_review(head, "ann")
    head.library.work.clock.at -= 10**12
    assert next_review(head, "bob").id == "c0"


def test_a_skip_leaves_the_case_to_others_and_can_be_undone(head) -> None:
    next_review(head, "ann")
    skip_review(head, "ann", "c0")
    assert next_review(head, "ann").id == "c1"
    assert next_review(head, "bob").id == "c0"
    assert undo_review(head, "ann").id == "c0"


def test_an_undo_brings_the_case_back_to_whoever_answered_it(head) -> None:
    next_review(head, "ann")
    give_review(head, "ann", "c0", "no")
    assert left(head) == 2
    assert undo_review(head, "ann").id == "c0"
    assert answer(head, "c0").status == "pending"
    assert next_review(head, "ann").id == "c0"
    give_review(head, "ann", "c0", "yes")
    assert answer(head, "c0").decision == "yes"
    with head.library.work.store.reading() as connection:
        kept = require_case(connection, head, "c0").reviews
    assert [review.action for review in kept] == ["decide", "undo", "decide"]


def test_an_undo_has_its_time(head) -> None:
    give_review(head, "ann", "c0", "no")
    head.library.work.clock.at += 16 * 60_000_000
    with pytest.raises(ConflictError, match="nothing was done in the last 15 minutes"):
        undo_review(head, "ann")
    with pytest.raises(ConflictError, match="nothing to undo"):
        undo_review(head, "bob")


def test_the_same_answer_twice_is_one_and_a_late_second_opinion_is_refused(head) -> None:
    give_review(head, "ann", "c0", "no")
    assert give_review(head, "ann", "c0", "no").status == "decided"
    with pytest.raises(ConflictError, match="waits for nobody"):
        give_review(head, "bob", "c0", "yes")


@pytest.mark.parametrize(
    ("case_id", "value", "error"), [("c0", "maybe", InputError), ("c0", 3.0, InputError), ("x", "no", NotFoundError)]
)
def test_what_cannot_be_answered_says_so(head, case_id: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        give_review(head, "ann", case_id, value)


def test_with_two_wanted_a_third_decides_where_they_disagree(ran, tmp_path) -> None:
    head = load_head(desk(ran[0], tmp_path, ("wanted = 1", "wanted = 2")), "claims")
    ask(head, ["c0"])
    assert [next_review(head, name).id for name in ("ann", "bob")] == ["c0", "c0"]
    assert next_review(head, "cid") is None
    assert give_review(head, "ann", "c0", "no").status == "pending"
    assert give_review(head, "bob", "c0", "yes").status == "pending"
    assert next_review(head, "cid").id == "c0"
    assert give_review(head, "cid", "c0", "yes").status == "decided"
    assert answer(head, "c0").decision == "yes"


def test_in_assist_the_suggestion_is_shown_but_never_in_the_blind_share(library) -> None:
    head = to_level(library, Level.ASSIST)
    ask(head, IDS)
    shown = 0
    for _ in IDS:
        task = next_review(head, "ann")
        with library.work.store.reading() as connection:
            case = require_case(connection, head, task.id)
        assert (task.suggestion is None) == case.blind == task.blind
        if task.suggestion is not None:
            shown += 1
            assert task.suggestion.decision == case.prediction
            assert sum(task.suggestion.probabilities.values()) == pytest.approx(1)
        give_review(head, "ann", task.id, "no")
    assert 20 <= shown < 40


@pytest.mark.parametrize(("dissent", "decision"), [("record", "by model"), ("correct", "by person")])
def test_a_dissenting_audit_is_recorded_or_corrects(ran, tmp_path, dissent: str, decision: str) -> None:
    library = desk(ran[0], tmp_path, ('dissent = "record"', f'dissent = "{dissent}"'))
    head = to_level(library, Level.PARTIAL, {"yes": 0.0, "no": 0.0})
    answers = {found.id: found for found in ask(head, IDS)}
    task = next_review(head, "ann")
    first = answers[task.id]
    assert (first.decided_by, task.suggestion, task.blind) == (Decider.MODEL, None, True)
    other = "no" if first.decision == "yes" else "yes"
    give_review(head, "ann", task.id, other)
    found = answer(head, task.id)
    expected = first.decision if decision == "by model" else other
    assert (found.decision, f"by {found.decided_by}") == (expected, decision)
    undo_review(head, "ann")
    assert answer(head, task.id) == first


def test_a_caller_s_own_decision_stands_and_another_is_a_conflict(head) -> None:
    found = decide_outside(head, "shop", "c0", "yes")
    assert (found.decision, found.decided_by) == ("yes", Decider.PERSON)
    assert decide_outside(head, "shop", "c0", "yes") == found
    with pytest.raises(ConflictError, match="decided already"):
        decide_outside(head, "shop", "c0", "no")
    assert decide_outside(head, "shop", "c1", "no", by="rule").decided_by is Decider.RULE
    assert left(head) == 1


def test_a_decision_that_can_be_recalled_is_not_released(ran, tmp_path) -> None:
    head = load_head(desk(ran[0], tmp_path, ('release_after = "0m"', 'release_after = "30m"')), "claims")
    ask(head, ["c0"])
    give_review(head, "ann", "c0", "no")
    assert answer(head, "c0").status == "pending"
    head.library.work.clock.at += 29 * 60_000_000
    undo_review(head, "ann")
    give_review(head, "ann", "c0", "yes")
    head.library.work.clock.at += 30 * 60_000_000
    assert answer(head, "c0").decision == "yes"


def test_a_number_is_answered_with_a_number(tmp_path) -> None:
    import polars as pl

    import understudy
    from understudy.flows.head import Library
    from understudy.flows.workspace import open_workspace

    size = [float(number % 37) for number in range(300)]
    table = pl.DataFrame({"size": size, "price": [3.0 * value + index * 31 % 47 for index, value in enumerate(size)]})
    table.write_csv(tmp_path / "flats.csv")
    understudy.run(tmp_path / "flats.csv", target="price", workspace=tmp_path / "w", budget=understudy.Budget(trials=1))
    head = load_head(Library(open_workspace(tmp_path / "w")), "flats")
    assert decide_batch(head, [Asked("a", True, {"size": 12})])[0][0].status == "pending"
    assert next_review(head, "ann").answers == ()
    with pytest.raises(InputError, match="no number"):
        give_review(head, "ann", "a", "many")
    give_review(head, "ann", "a", 38)
    assert answer(head, "a").decision == 38.0
