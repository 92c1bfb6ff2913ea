"""Champion against challenger, from the first paired case to the promotion, and what the ledger makes of it again."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

import understudy
from conftest import claims
from flows.desk import Hands, ask, desk, to_level
from understudy.core.errors import ConflictError, ContractError
from understudy.core.nouns import Level
from understudy.flows.alarms import MOST_NEW_LABELS, NEW_LABEL, NO_OUTCOMES
from understudy.flows.answers import Answer
from understudy.flows.decide import Asked, decide_batch
from understudy.flows.head import Library, load_head
from understudy.flows.learn import Learned, approve, learn, replay, replay_rivals
from understudy.flows.moves import apply_task, roll_back
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.rivals import differences
from understudy.flows.workspace import Workspace, open_workspace
from understudy.models.search import Budget
from understudy.store.events import read_events
from understudy.store.ledger import Entry
from understudy.store.registry import current
from understudy.store.schema import losses, states

TABLE = claims(900, seed=7)
CASES = TABLE.drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(TABLE.height)]
SAID = TABLE["pay"].to_list()
TURNED = ["no" if answer == "yes" else "yes" for answer in SAID]
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def arena(ran, tmp_path_factory) -> Path:
    """A workspace with a champion and a challenger that has learned the opposite, and forty cases in the ledger."""
    place = tmp_path_factory.mktemp("arena")
    library = desk(ran[0], place)
    come(library, SAID, 0, 40)
    learn(library, "claims")
    table = claims().with_columns(pay=pl.when(pl.col("pay") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")))
    table.write_csv(place / "turned.csv")
    understudy.run(place / "turned.csv", name="claims", workspace=place / "work", budget=Budget(trials=1))
    return place / "work"


def copy(arena: Path, place: Path, at: int = 1_700_000_000_000_000) -> Library:
    """The workspace once more, with a clock of its own."""
    shutil.copytree(arena, place)
    found = open_workspace(place)
    return Library(Workspace(found.root, found.settings, found.store, found.artifacts, found.engine, Hands(at)))


@pytest.fixture
def library(arena: Path, tmp_path: Path) -> Library:
    return copy(arena, tmp_path / "work")


def come(library: Library, answers: list[str], first: int, last: int) -> None:
    """Cases come, and their outcomes."""
    ask(load_head(library, "claims"), NAMES[first:last], CASES[first:last])
    tell(library, answers, first, last)


def tell(library: Library, answers: list[str], first: int, last: int) -> None:
    """Outcomes come."""
    given = zip(NAMES[first:last], answers[first:last], strict=True)
    give_outcomes(load_head(library, "claims"), "shop", [Outcome(id=name, outcome=answer) for name, answer in given])


def deployed(library: Library):
    with library.work.store.reading() as connection:
        return current(connection, 1)


def kinds(library: Library) -> list[str]:
    with library.work.store.reading() as connection:
        return [event.kind for event in read_events(connection, 1)]


def faithful(library: Library) -> bool:
    """Whether everything that is kept equals what the ledger gives anew, bit by bit."""
    kept, anew = replay(library, "claims")
    return kept == anew and all(one == other for one, other in replay_rivals(library, "claims").values())


def test_a_better_challenger_waits_for_a_person_and_becomes_champion_by_approval(library) -> None:
    before = deployed(library)
    come(library, TURNED, 40, 240)
    learned = learn(library, "claims")
    assert (learned.made, learned.proposed.kind) == (None, "promote")
    assert learned.rivals[0].lead.lower > 0
    assert deployed(library) == before
    after = approve(library.work, "claims", actor="ann")
    assert (after.champion, after.challengers) == (before.challengers[0], (before.champion,))
    assert (after.level, after.epoch) == (Level.SHADOW, before.epoch + 1)
    assert kinds(library)[-1] == "moved.promote"
    assert ask(load_head(library, "claims"), ["z"])[0].status == "pending"


def test_a_promotion_goes_by_itself_where_the_task_says_so(arena, tmp_path) -> None:
    library = copy(arena, tmp_path / "work")
    file = library.work.task_file("claims")
    file.write_text(file.read_text().replace('step_up = "ask"', 'step_up = "auto"'))
    apply_task(library.work, "claims", actor="ann")
    come(library, TURNED, 40, 240)
    assert learn(library, "claims").made.kind == "promote"
    assert learn(library, "claims").made is None


def test_a_worse_challenger_is_retired_at_once_and_a_few_cases_do_not_retire_it(library) -> None:
    come(library, SAID, 40, 400)
    assert learn(library, "claims").made is None
    come(library, SAID, 400, 640)
    learned = learn(library, "claims")
    assert learned.made.kind == "retire"
    assert learned.rivals[0].lead.upper <= 0
    assert deployed(library).challengers == ()
    assert learn(library, "claims").rivals == ()


def test_a_new_champion_brings_what_it_earned_and_no_other(library) -> None:
    come(library, TURNED, 40, 540)
    earned = learn(library, "claims").rivals[0]
    approve(library.work, "claims", actor="ann")
    standing = learn(library, "claims").standing
    assert standing.settled == 500
    assert standing.certified == earned.certified
    assert {side: far.best for side, far in standing.distances.items()} == {
        side: far.best for side, far in earned.distances.items()
    }
    assert standing.budget is None  # nothing was ever automated
    assert faithful(library)


def test_cases_under_way_when_it_was_promoted_count_once_and_first(library) -> None:
    come(library, TURNED, 40, 240)
    ask(load_head(library, "claims"), NAMES[240:300], CASES[240:300])
    learn(library, "claims")
    approve(library.work, "claims", actor="ann")
    learn(library, "claims")
    ask(load_head(library, "claims"), NAMES[300:360], CASES[300:360])
    tell(library, TURNED, 300, 360)
    assert learn(library, "claims").settled == 0  # the earlier ones still wait
    tell(library, TURNED, 240, 300)
    learned = learn(library, "claims")
    assert (learned.settled, learned.standing.settled) == (120, 320)
    assert faithful(library)


def test_a_version_that_goes_back_does_not_bring_what_it_earned_beside_the_other(library) -> None:
    come(library, TURNED, 40, 240)
    learn(library, "claims")
    old = deployed(library).champion
    approve(library.work, "claims", actor="ann")
    come(library, TURNED, 240, 300)
    learn(library, "claims")
    roll_back(library.work, "claims", actor="ann", version=old)
    assert learn(library, "claims").standing.settled == 0


def test_a_proposal_ends_when_something_else_is_deployed(library) -> None:
    come(library, TURNED, 40, 240)
    learn(library, "claims")
    to_level(library, Level.ASSIST)
    with pytest.raises(ConflictError, match="Something else was deployed"):
        approve(library.work, "claims", actor="ann")


FOLDED = ("folded", "rival", "plans", "rival plans", "budget", "today")


def everything(library: Library) -> list[tuple]:
    """Every folded state that is kept, the furthest of each."""
    columns = (states.c.name, states.c.version, states.c.epoch, states.c.n, states.c.body)
    with library.work.store.reading() as connection:
        rows = connection.execute(sa.select(*columns).order_by(*columns[:4]))
        return [tuple(row) for row in rows if row.name in FOLDED]


def test_one_pass_or_many_over_the_same_log_give_the_same_bits(arena, tmp_path) -> None:
    at_once, bit_by_bit = copy(arena, tmp_path / "one"), copy(arena, tmp_path / "many")
    for library in (at_once, bit_by_bit):
        learn(library, "claims")
    come(at_once, SAID, 40, 400)
    learn(at_once, "claims")
    for first in range(40, 400, 30):
        come(bit_by_bit, SAID, first, first + 30)
        learn(bit_by_bit, "claims")
    assert everything(at_once) == everything(bit_by_bit)
    assert faithful(bit_by_bit)


def test_late_repeated_corrected_and_overdue_outcomes_replay_to_the_last_bit(library) -> None:
    head = load_head(library, "claims")
    ask(head, NAMES[40:300], CASES[40:300])
    tell(library, TURNED, 60, 300)
    assert learn(library, "claims").settled == 0  # the first twenty hold up all that follow
    library.work.clock.at += 31 * DAY
    learned = learn(library, "claims")
    assert learned.settled == 260
    worse = learned.rivals[0].lead.estimate
    tell(library, TURNED, 40, 60)  # missing at maturity, and known after all
    tell(library, TURNED, 40, 200)  # said again
    learned = learn(library, "claims")
    assert learned.settled == 0
    assert learned.rivals[0].lead.estimate > worse
    assert faithful(library)
    tell(library, SAID, 100, 120)  # corrected
    corrected = learn(library, "claims")
    assert corrected.rivals[0].lead.estimate < learned.rivals[0].lead.estimate
    assert faithful(library)
    approve(library.work, "claims", actor="ann")
    learn(library, "claims")
    tell(library, TURNED, 100, 110)  # and back, of the epoch before
    come(library, TURNED, 300, 360)
    learn(library, "claims")
    assert faithful(library)
    assert learn(library, "claims").settled == 0


def test_corrections_in_any_number_of_passes_end_at_the_same_bits(arena, tmp_path) -> None:
    slow, fast = copy(arena, tmp_path / "slow"), copy(arena, tmp_path / "fast")
    for library in (slow, fast):
        learn(library, "claims")
        ask(load_head(library, "claims"), NAMES[40:240], CASES[40:240])
    for answers, first, last in ((SAID, 40, 240), (TURNED, 90, 130), (TURNED, 50, 60), (SAID, 100, 110)):
        tell(slow, answers, first, last)
        learn(slow, "claims")
        tell(fast, answers, first, last)
    learn(fast, "claims")
    assert faithful(slow)
    assert faithful(fast)
    pairs = [replay_rivals(library, "claims").popitem()[1][0] for library in (slow, fast)]
    assert pairs[0] == pairs[1]


def pair(champion: str, challenger: str, label: str | None, propensity: float) -> tuple[Entry, Entry]:
    """Two entries for one case."""

    def entry(side: str) -> Entry:
        lost = None if label is None else float(side != label)
        return Entry(
            n=1,
            place=1,
            case_seq=1,
            version="v",
            role="r",
            source="review",
            label=label,
            loss=lost,
            propensity=propensity,
            confidence=0.9,
            strangeness=0.1,
            side=side,
            eligible=True,
            automated=False,
            revision=1,
            epoch=1,
            at=1,
        )

    return entry(challenger), entry(champion)


def test_where_both_say_the_same_the_difference_is_known_without_a_look() -> None:
    pairs = [
        pair("yes", "yes", None, 0.2),
        pair("yes", "no", None, 0.2),
        pair("yes", "no", "no", 0.2),
        pair("yes", "no", "yes", 0.5),
    ]
    difference, weight = differences(pairs, {1: 0.2}, named=True)
    assert np.array_equal(difference, [0.0, np.nan, 1.0, -1.0], equal_nan=True)
    assert weight.tolist() == [0.2, 1.0, 1.0, 0.4]


def test_numbers_are_compared_where_somebody_looked() -> None:
    difference, weight = differences([pair("*", "*", None, 0.2), pair("*", "*", "*", 0.2)], {1: 0.2}, named=False)
    assert np.array_equal(difference, [np.nan, 0.0], equal_nan=True)
    assert weight.tolist() == [1.0, 1.0]


def test_a_challenger_s_cases_without_the_champion_s_answer_are_no_pairs() -> None:
    entry, _ = pair("yes", "no", "no", 1.0)
    difference, weight = differences([(entry, None)], {1: 1.0}, named=True)
    assert len(difference) == len(weight) == 0


def alarms(library: Library, kind: str) -> list[dict]:
    with library.work.store.reading() as connection:
        return [event.body for event in read_events(connection, 1) if event.kind == kind]


def test_an_unknown_answer_among_outcomes_is_told_once_with_its_count(library) -> None:
    ask(load_head(library, "claims"), NAMES[40:50], CASES[40:50])
    head = load_head(library, "claims")
    given = [Outcome(id=name, outcome=value) for name, value in zip(NAMES[40:45], "aabaa", strict=True)]
    assert {one.result for one in give_outcomes(head, "shop", given)} == {"invalid"}
    said = learn(library, "claims").alarms
    assert [text.split(",")[0] for text in said] == ["4 outcomes say 'a'", "1 outcomes say 'b'"]
    give_outcomes(head, "shop", [*given[:1], Outcome(id=NAMES[46], outcome="c")])
    assert len(learn(library, "claims").alarms) == 1
    assert learn(library, "claims").alarms == ()
    assert [(body["value"], body["count"]) for body in alarms(library, NEW_LABEL)] == [("a", 4), ("b", 1), ("c", 1)]
    with library.work.store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).where(losses.c.label == "a")).scalar_one() == 0


def test_a_broken_feed_does_not_flood_the_log(library) -> None:
    head = load_head(library, "claims")
    give_outcomes(head, "shop", [Outcome(id=f"x{number}", outcome=f"v{number}") for number in range(100)])
    assert len(learn(library, "claims").alarms) == MOST_NEW_LABELS


def test_outcomes_that_stay_away_while_cases_come_are_told_once_for_each_stretch(library) -> None:
    def day_by_day(first: int, days: int) -> list[Learned]:
        found = []
        for day in range(days):
            library.work.clock.at += DAY
            ask(
                load_head(library, "claims"), NAMES[first + day : first + day + 1], CASES[first + day : first + day + 1]
            )
            found.append(learn(library, "claims"))
        return found

    passes = day_by_day(40, 40)
    assert [bool(one.alarms) for one in passes].index(True) == 30
    assert sum(len(one.alarms) for one in passes) == 1
    tell(library, SAID, 79, 80)
    assert sum(len(one.alarms) for one in day_by_day(80, 40)) == 1
    assert len(alarms(library, NO_OUTCOMES)) == 2


def test_a_task_to_which_no_cases_come_is_not_alarming(library) -> None:
    library.work.clock.at += 400 * DAY
    assert learn(library, "claims").alarms == ()


def test_a_column_that_goes_missing_is_allowed_where_it_may_be_and_else_refused_at_the_door(library) -> None:
    head = load_head(library, "claims")
    row = CASES.row(50, named=True)
    fine = {name: value for name, value in row.items() if name != "age"}
    broken = {name: value for name, value in row.items() if name != "amount"}
    answers = decide_batch(head, [Asked("fine", True, fine), Asked("broken", True, broken)])[0]
    assert isinstance(answers[0], Answer)
    assert isinstance(answers[1], ContractError)
    assert [(fault.where, fault.expected) for fault in answers[1].faults] == [("amount", "a value")]


def test_the_reason_for_a_new_version_is_told_once_enough_labels_have_come(arena, tmp_path) -> None:
    library = copy(arena, tmp_path / "work", at=int(2e15))
    file = library.work.task_file("claims")
    file.write_text(file.read_text().replace("# after_labels = 1000", "after_labels = 100"))
    apply_task(library.work, "claims", actor="ann")
    come(library, SAID, 40, 120)
    assert learn(library, "claims").due == ""
    come(library, SAID, 120, 140)
    assert learn(library, "claims").due.startswith("100 new labels")
