"""Cases that are settled and then change: what is taken back, what is judged by which rule, and whose group it is."""

import pytest
import sqlalchemy as sa

from conftest import claims
from flows.desk import ask, desk, other, said, tell, to_level
from understudy.autonomy.groups import group_part
from understudy.core.nouns import Level
from understudy.flows.erase import erase
from understudy.flows.head import Head, Library, load_head
from understudy.flows.learn import learn, replay
from understudy.flows.moves import apply_task
from understudy.flows.review import decide_outside, give_review, undo_review
from understudy.flows.settle import TODAY, Progress, read_progress
from understudy.store.ledger import Entry, of_cases
from understudy.store.schema import inbox, losses, states

ROWS = claims(60, seed=43).drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(ROWS.height)]
DAY = 86_400_000_000
SOON = ('mature_after = "30d"', 'mature_after = "5d"')
BY_REVIEW = ('source = "outcome"', 'source = "blind_review"')


@pytest.fixture
def reviewed(ran, tmp_path) -> Library:
    """A task whose truth are blind reviews."""
    return desk(ran[0], tmp_path, SOON, BY_REVIEW)


def head_of(library: Library) -> Head:
    return load_head(library, "claims")


def come(library: Library, first: int, last: int) -> None:
    ask(head_of(library), NAMES[first:last], ROWS[first:last])


def wait(library: Library, days: float) -> None:
    library.work.clock.at += int(days * DAY)


def edit(library: Library, *edits: tuple[str, str]) -> None:
    """Change the task file, and apply it."""
    file = library.work.task_file("claims")
    text = file.read_text()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)
    apply_task(library.work, "claims", actor="ann")


def held(library: Library, *, today: bool = False) -> list[Entry]:
    """What holds of the champion's answers, or of what decides today, case by case."""
    with library.work.store.reading() as connection:
        seqs = connection.execute(sa.select(losses.c.case_seq).distinct()).scalars().all()
        found = of_cases(connection, 1, seqs)
    chosen = [entry for (_, version), entry in found.items() if (version == TODAY) is today]
    return sorted(chosen, key=lambda entry: entry.case_seq)


def sources(library: Library) -> list[str]:
    return [entry.source for entry in held(library)]


def labels(library: Library) -> list[str | None]:
    return [entry.label for entry in held(library)]


def progress(library: Library) -> Progress:
    with library.work.store.reading() as connection:
        return read_progress(connection, 1)


def review(library: Library, first: int, last: int) -> None:
    """Ann answers yes to some cases, in their order."""
    for name in NAMES[first:last]:
        give_review(head_of(library), "ann", name, "yes")


def test_a_label_that_was_taken_back_and_never_came_again_is_missing(reviewed) -> None:
    come(reviewed, 0, 1)
    review(reviewed, 0, 1)
    learn(reviewed, "claims")
    assert sources(reviewed) == ["review"]
    undo_review(head_of(reviewed), "ann")
    learn(reviewed, "claims")
    wait(reviewed, 4.9)
    learn(reviewed, "claims")
    assert labels(reviewed) == ["yes"]
    wait(reviewed, 0.2)
    learn(reviewed, "claims")
    assert [(entry.source, entry.label, entry.loss) for entry in held(reviewed)] == [("missing", None, 1.0)]
    kept, anew = replay(reviewed, "claims")
    assert kept == anew
    assert kept.champion.errors == 1.0


def test_a_label_that_was_taken_back_and_comes_again_counts(reviewed) -> None:
    come(reviewed, 0, 2)
    review(reviewed, 0, 2)
    learn(reviewed, "claims")
    undo_review(head_of(reviewed), "ann")
    learn(reviewed, "claims")
    assert len(progress(reviewed).reopened) == 1
    give_review(head_of(reviewed), "bob", NAMES[1], "no")
    learn(reviewed, "claims")
    assert labels(reviewed) == ["yes", "no"]
    wait(reviewed, 30)
    learn(reviewed, "claims")
    assert labels(reviewed) == ["yes", "no"]
    assert progress(reviewed).reopened == ()


def test_while_a_label_is_taken_back_nothing_is_held_up_and_nothing_is_written_again(reviewed) -> None:
    come(reviewed, 0, 3)
    review(reviewed, 0, 3)
    learn(reviewed, "claims")
    undo_review(head_of(reviewed), "ann")
    assert learn(reviewed, "claims").settled == 0
    before = written(reviewed)
    wait(reviewed, 1)
    learn(reviewed, "claims")
    assert written(reviewed) == before
    come(reviewed, 3, 5)
    review(reviewed, 3, 5)
    assert learn(reviewed, "claims").settled == 2
    assert progress(reviewed).reopened == (held(reviewed)[2].case_seq,)


def written(library: Library) -> tuple[object, ...]:
    """What a pass writes of cases that are settled; nothing waits for the steward."""
    with library.work.store.reading() as connection:
        assert connection.execute(sa.select(inbox)).all() == []
        kept = connection.execute(sa.select(states).where(states.c.name == "settled")).all()
        return kept, connection.execute(sa.select(losses)).all()


def test_where_a_late_decision_hides_the_outcome_a_missing_look_weighs_as_a_look(ran, tmp_path) -> None:
    """Without a decision the outcome is missing, of every case; after it the blind look is, of those drawn for one."""
    library = desk(ran[0], tmp_path, SOON, ("hides_outcome = []", 'hides_outcome = ["no"]'))
    rate = to_level(library, Level.ASSIST).deployed.blind_rate
    come(library, 0, 30)
    wait(library, 6)
    learn(library, "claims")
    assert {(entry.source, entry.propensity) for entry in held(library)} == {("missing", 1.0)}
    for name in NAMES[:30]:
        decide_outside(head_of(library), "clerk", name, "no", "person")
    learn(library, "claims")
    assert {(entry.source, entry.propensity) for entry in held(library)} == {("missing", rate), ("nobody", rate)}


@pytest.mark.parametrize("looked", [True, False])
def test_a_case_is_judged_by_the_rule_under_which_it_came(ran, tmp_path, looked: bool) -> None:
    """What counts as truth changes; of cases that came before, outcomes still tell, whenever they were settled."""
    library = desk(ran[0], tmp_path, SOON)
    come(library, 0, 3)
    thought = said(library, NAMES[:3])
    tell(library, NAMES[:2], thought[:2])
    if looked:
        learn(library, "claims")
    edit(library, BY_REVIEW, ('mature_after = "5d"', 'mature_after = "60d"'))
    tell(library, NAMES[:1], [other(thought[0])])
    come(library, 3, 4)
    review(library, 0, 4)
    learn(library, "claims")
    assert labels(library) == [other(thought[0]), thought[1]]
    wait(library, 6)
    learn(library, "claims")
    assert sources(library) == ["outcome", "outcome", "missing", "review"]
    assert [entry.loss for entry in held(library)[:3]] == [1.0, 0.0, 1.0]
    assert [entry.source for entry in held(library, today=True)] == ["outcome", "outcome", "missing"]
    tell(library, NAMES[2:3], thought[2:3])
    learn(library, "claims")
    assert sources(library) == ["outcome"] * 3 + ["review"]
    assert len({entry.epoch for entry in held(library)}) == 2


def test_mistakes_are_priced_as_when_the_case_came(ran, tmp_path) -> None:
    prices = ("mistakes = {}", 'mistakes = { "yes -> no" = 40.0, "no -> yes" = 10.0 }')
    library = desk(ran[0], tmp_path, SOON, prices)
    come(library, 0, 20)
    thought = said(library, NAMES[:20])
    tell(library, NAMES[:20], thought)
    learn(library, "claims")
    edit(library, ('"yes -> no" = 40.0', '"yes -> no" = 20.0'))
    tell(library, NAMES[:20], [other(answer) for answer in thought])
    learn(library, "claims")
    assert [entry.loss for entry in held(library)] == [0.25 if answer == "yes" else 1.0 for answer in thought]


def test_a_case_stays_in_the_group_that_it_was_settled_in_when_its_inputs_are_erased(ran, tmp_path) -> None:
    grouped = (("groups = []", 'groups = ["region"]'), ('groups = "whole"', 'groups = "shared"'))
    library = desk(ran[0], tmp_path, SOON, *grouped)
    come(library, 0, 4)
    thought = said(library, NAMES[:4])
    tell(library, NAMES[:4], thought)
    learn(library, "claims")
    sides = [(entry.side, entry.version) for entry in held(library)]
    erase(library.work, "claims", ids=NAMES[:2], actor="ann")
    tell(library, NAMES[:4], [other(answer) for answer in thought])
    learn(library, "claims")
    assert [(entry.side, entry.version) for entry in held(library)] == sides
    assert [group_part(side) for side, _ in sides] == [f"region = {region}" for region in ROWS["region"][:4]]
    assert [entry.loss for entry in held(library)] == [1.0] * 4
