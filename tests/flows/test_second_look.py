"""After a step down: what was decided since the change, what it cost, and a second look that never counts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import claims
from flows.desk import Hands, ask, desk, other, said, tell, to_level
from understudy.autonomy.lookback import ALARM, BUDGET, ESTIMATE, SUSPICION
from understudy.autonomy.verdict import LOOK_BACK
from understudy.core.errors import ConflictError
from understudy.core.nouns import Decider, Level
from understudy.flows.answers import answer_of
from understudy.flows.drift import Suspicion
from understudy.flows.erase import erase
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn, replay
from understudy.flows.lookback import open_lookback, read_lookback
from understudy.flows.migrate import migrate_store
from understudy.flows.moves import set_level
from understudy.flows.rereview import QUEUED, review_again
from understudy.flows.review import give_review, next_review, require_case, skip_review, undo_review
from understudy.flows.status import task_status
from understudy.flows.stretch import OPENED, begin_stretch, last_automation
from understudy.store.database import open_store
from understudy.store.events import read_events
from understudy.store.schema import events, losses, queue

CASES = claims(900, seed=23).drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(CASES.height)]
EVERY = {"yes": 0.0, "no": 0.0}
LOOSE = ("strange_limit = 0.99", "strange_limit = 0.999999")
BLIND = ('source = "outcome"', 'source = "blind_review"')
AUDITED = ("# audit_rate = 0.05", "audit_rate = 0.5")
PRICED = ("mistakes = {}", 'mistakes = { "yes -> no" = 40.0, "no -> yes" = 10.0 }')


class Shop:
    """A task whose machine decides everything."""

    def __init__(self, library: Library) -> None:
        self.library, self.came = library, 0
        to_level(library, Level.PARTIAL, EVERY)

    @property
    def head(self):
        return load_head(self.library, "claims")

    def come(self, count: int) -> list[str]:
        """Cases that the machine decides; strange ones go to people and are left out."""
        names = NAMES[self.came : self.came + count]
        answers = ask(self.head, names, CASES[self.came : self.came + count])
        self.came += count
        return [answer.id for answer in answers if answer.decided_by is Decider.MODEL]

    def hear(self, names: list[str], wrong: int = 0) -> None:
        """The first few were wrong."""
        answers = said(self.library, names)
        tell(self.library, names, [*map(other, answers[:wrong]), *answers[wrong:]])

    def audit(self, names: list[str], *, wrong: int = 0) -> list[str]:
        """People audit those that were drawn; the answers to the first few cases were wrong. Who was drawn."""
        drawn = self.queued("audit")
        for place, (name, answer) in enumerate(zip(names, said(self.library, names), strict=True)):
            if name in drawn:
                give_review(self.head, "ann", name, other(answer) if place < wrong else answer)
        return [name for name in names if name in drawn]

    def queued(self, kind: str) -> list[str]:
        with self.library.work.store.reading() as connection:
            query = sa.text("select id from queue join cases on seq = case_seq where kind = :kind order by seq")
            return list(connection.execute(query, {"kind": kind}).scalars())

    def learn(self):
        return learn(self.library, "claims")

    def report(self, **page: int):
        return read_lookback(self.library.work, "claims", **page)

    def events(self, kind: str):
        with self.library.work.store.reading() as connection:
            return [event for event in read_events(connection, 1) if event.kind == kind]


@pytest.fixture
def shop(ran, tmp_path) -> Shop:
    return Shop(desk(ran[0], tmp_path, LOOSE, ("tolerated_excess = 0.1", "tolerated_excess = 0.001")))


@pytest.fixture
def audited(ran, tmp_path) -> Shop:
    return Shop(desk(ran[0], tmp_path, LOOSE, BLIND, AUDITED))


def spend(shop: Shop) -> tuple[list[str], list[str], list[str]]:
    """Good cases, bad ones by which the budget is spent, and some whose truth may still come."""
    good, bad, late = shop.come(60), shop.come(60), shop.come(20)
    shop.hear(good)
    shop.hear(bad, wrong=len(bad))
    made = shop.learn().made
    assert (made.kind, made.to.level) == ("step_down", Level.ASSIST)
    return good, bad, late


def test_a_spent_budget_lists_the_cases_since_the_worst_moment_to_begin(shop: Shop) -> None:
    _, bad, late = spend(shop)
    report = shop.report(most=1000)
    assert report.why == BUDGET
    assert [case.id for case in report.cases] == [*bad, *late]
    assert [case.loss for case in report.cases] == [1.0] * len(bad) + [None] * len(late)
    assert all(case.truth == other(case.decision) for case in report.cases[: len(bad)])
    figures, count = report.figures, len(bad)
    assert (figures.cases, figures.settled, figures.looked) == (count + len(late), count, count)
    assert (figures.errors.lower, figures.errors.upper) == (count, count)  # outcomes tell of every case
    assert figures.excess.estimate == pytest.approx(0.95 * count)
    assert figures.rate.estimate == pytest.approx(0.95)
    assert figures.cost is None
    assert report.text[0].startswith("The stretch in which the error budget was spent began on 2023-11-14")


def test_the_step_down_carries_the_look_back_and_the_log_tells_it_once(shop: Shop) -> None:
    _, bad, late = spend(shop)
    told = shop.events("moved.step_down")[0].body["reasons"]
    assert f"Since then it decided {len(bad) + len(late)} cases by itself" in " ".join(told)
    assert f"{len(bad)} were wrong" in " ".join(told)
    shop.learn()
    (event,) = shop.events(OPENED)
    assert (event.body["why"], event.body["figures"]["settled"]) == (BUDGET, len(bad))
    assert event.body["moved"] == shop.head.deployed.revision
    assert set(event.body["text"]) <= set(told)


def test_more_is_known_later_and_the_cases_stay_the_same(shop: Shop) -> None:
    _, bad, late = spend(shop)
    shop.hear(late, wrong=3)
    shop.come(30)  # people decide these
    shop.learn()
    figures = shop.report().figures
    assert (figures.cases, figures.settled, figures.errors.upper) == (len(bad + late), len(bad + late), len(bad) + 3)


def test_pages_follow_each_other(shop: Shop) -> None:
    _, bad, late = spend(shop)
    found, after = [], 0
    while after is not None:
        report = shop.report(after=after, most=13)
        found += [case.id for case in report.cases]
        after = report.next
    assert found == [*bad, *late]


def test_an_alarm_lists_the_cases_since_the_detector_s_change(ran, tmp_path) -> None:
    shop = Shop(desk(ran[0], tmp_path, LOOSE))  # the budget tolerates more than comes to pass here
    good, bad = shop.come(100), shop.come(60)
    shop.hear(good, wrong=2)
    shop.hear(bad, wrong=25)
    learned = shop.learn()
    assert (learned.standing.alarm, learned.standing.budget.over) == (True, False)
    report = shop.report(most=1000)
    assert (report.why, [case.id for case in report.cases]) == (ALARM, bad)
    assert report.figures.errors.upper == 25


def test_by_hand_without_any_sign_there_is_little_to_look_back_on(shop: Shop) -> None:
    good, late = shop.come(40), shop.come(5)
    shop.hear(good)
    shop.learn()
    assert shop.report().why == ESTIMATE
    set_level(shop.library.work, "claims", Level.ASSIST, actor="ann")
    report = shop.report()
    assert [case.id for case in report.cases] == late
    assert "Nothing is proven" in report.text[0]
    shop.learn()
    assert [event.body["why"] for event in shop.events(OPENED)] == [ESTIMATE]


def test_while_it_decides_it_looks_back_from_now(shop: Shop) -> None:
    good, bad = shop.come(60), shop.come(2)
    shop.hear(good)
    shop.hear(bad, wrong=2)
    shop.learn()
    assert shop.head.deployed.level is Level.PARTIAL
    assert [case.id for case in shop.report().cases] == bad
    assert shop.events(OPENED) == []


def test_a_second_run_of_automation_has_a_look_back_of_its_own(shop: Shop) -> None:
    spend(shop)
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.hear(shop.come(40))
    set_level(shop.library.work, "claims", Level.HUMAN, actor="ann")
    assert shop.report().why == ESTIMATE
    shop.learn()
    assert [event.body["why"] for event in shop.events(OPENED)] == [BUDGET, ESTIMATE]


def test_an_empty_run_has_nothing_of_the_one_before(shop: Shop) -> None:
    spend(shop)
    shop.hear(NAMES[: shop.came])
    shop.learn()
    to_level(shop.library, Level.PARTIAL, EVERY)
    set_level(shop.library.work, "claims", Level.ASSIST, actor="ann")
    report = shop.report()
    assert (report.cases, report.text[1]) == ((), "Since then it has decided nothing by itself.")
    assert shop.learn().made is None


def test_what_is_suspected_begins_with_the_drift_also_when_that_is_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = shop.come(40)
    shop.hear(good)
    shop.learn()
    with shop.library.work.store.reading() as connection:
        drifted = require_case(connection, shop.head, good[25]).seq
    found = Suspicion(reasons=("amount has drifted.",), first=drifted, last=99, since=0)
    monkeypatch.setattr("understudy.flows.stretch.read_suspicion", lambda *_: found)
    set_level(shop.library.work, "claims", Level.ASSIST, actor="ann")
    shop.learn()
    monkeypatch.setattr("understudy.flows.stretch.read_suspicion", lambda *_: None)
    report = shop.report(most=1000)
    assert (report.why, [case.id for case in report.cases]) == (SUSPICION, good[25:])
    assert report.text[0].startswith("What is suspected began on 2023-11-14")


@pytest.mark.parametrize("parts", [(5, 30, 2**62), (3, 4, 2**62)])
def test_however_much_is_read_at_once_it_begins_at_the_same_case(
    shop: Shop, parts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bad, _ = spend(shop)
    monkeypatch.setattr("understudy.flows.stretch.PARTS", parts)
    with shop.library.work.store.reading() as connection:
        found = begin_stretch(connection, 1, *last_automation(connection, 1))
        assert (found.why, found.first) == (BUDGET, require_case(connection, shop.head, bad[0]).seq)


def test_where_it_never_decided_there_is_nothing(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path)
    ask(load_head(library, "claims"), NAMES[:5], CASES)
    learn(library, "claims")
    report = read_lookback(library.work, "claims")
    assert (report.text, report.cases, report.figures) == (("It has never decided anything by itself.",), (), None)
    with pytest.raises(ConflictError, match="never decided"):
        review_again(library.work, "claims", actor="ann")


def test_what_it_costs_is_told_at_the_task_s_prices(ran, tmp_path) -> None:
    shop = Shop(desk(ran[0], tmp_path, LOOSE, PRICED, ("tolerated_excess = 0.1", "tolerated_excess = 0.001")))
    good, bad = shop.come(60), shop.come(100)
    shop.hear(good)
    shop.hear(bad, wrong=len(bad))
    shop.learn()
    found = shop.report(most=1000)
    dear = sum({"yes": 10.0, "no": 40.0}[case.decision] for case in found.cases)
    assert found.figures.cost.upper == pytest.approx(dear - 0.05 * 40 * len(bad))
    assert f"weigh as much as {dear / 40:,.1f}".removesuffix(".0") in " ".join(found.text)


def test_audits_bound_what_nobody_has_seen(audited: Shop) -> None:
    good, bad = audited.come(200), audited.come(200)
    drawn = audited.audit(good)
    assert 50 < len(drawn) < 150
    caught = audited.audit(bad, wrong=len(bad))
    assert audited.learn().made.to.level is Level.ASSIST
    report = audited.report(most=1000)
    cases = [case.id for case in report.cases]
    assert set(bad) <= set(cases)
    assert cases[0] == good[good.index(drawn[-1]) + 1] if drawn[-1] != good[-1] else cases[0] == bad[0]
    figures = report.figures
    assert (figures.looked, figures.found) == (len(caught), len(caught))
    assert len(caught) < figures.errors.lower < len(bad) <= figures.errors.upper <= len(cases)
    assert "wherever one begins" in report.text[2]


def test_a_second_look_is_blind_and_leaves_out_what_is_known(audited: Shop) -> None:
    good, bad = audited.come(100), audited.come(120)
    audited.audit(good)
    audited.audit(bad[:100], wrong=100)
    pending = audited.queued("audit")
    audited.learn()
    listed = audited.report(most=1000).cases
    unseen = [case.id for case in listed if case.loss is None and case.id not in pending]
    found = review_again(audited.library.work, "claims", actor="ann")
    assert (found.queued, found.waiting) == (len(unseen), len(unseen))
    assert audited.queued(LOOK_BACK) == unseen
    assert audited.queued("audit") == pending  # these were drawn, and stay drawn
    assert review_again(audited.library.work, "claims", actor="ann").queued == 0
    assert [event.body["cases"] for event in audited.events(QUEUED)] == [len(unseen)]
    for _ in pending:  # audits come first: they have a day
        audited.audit([next_review(audited.head, "bob").id])
    task = next_review(audited.head, "bob")
    assert (task.id, task.blind, task.suggestion) == (unseen[0], True, None)


def second_look(shop: Shop, answer) -> list[str]:
    """Every case of the look-back is looked at once more."""
    review_again(shop.library.work, "claims", actor="ann")
    again = shop.queued(LOOK_BACK)
    for name, said_ in zip(again, said(shop.library, again), strict=True):
        give_review(shop.head, "bob", name, answer(said_))
    return again


def ledger(shop: Shop) -> list[tuple]:
    with shop.library.work.store.reading() as connection:
        return [tuple(row) for row in connection.execute(sa.select(losses).order_by(losses.c.n))]


@pytest.mark.parametrize("correct", ["record", "correct"])
def test_a_look_that_somebody_chose_never_counts(ran, tmp_path, correct: str) -> None:
    dissent = ('dissent = "record"', f'dissent = "{correct}"')
    shop = Shop(desk(ran[0], tmp_path, LOOSE, BLIND, AUDITED, dissent))
    good, bad, late = shop.come(100), shop.come(100), shop.come(30)
    shop.audit(good)
    shop.audit(bad, wrong=100)
    shop.learn()
    before = ledger(shop)
    again = second_look(shop, other)
    assert set(again) & set(late)
    assert shop.learn().settled == 0
    assert ledger(shop) == before
    assert shop.audit(late)  # the rest is settled: of the late ones those count that were drawn, and no others
    shop.learn()
    looked = {row[2] for row in ledger(shop) if row[7] is not None}
    with shop.library.work.store.reading() as connection:
        chosen = {require_case(connection, shop.head, name).seq for name in again}
    assert not looked & chosen
    people = [name for name in NAMES[shop.came : shop.came + 20] if shop.come(1) == []]
    for name in people:
        give_review(shop.head, "ann", name, "yes")
    shop.learn()
    kept, anew = replay(shop.library, "claims")
    assert kept == anew
    report = shop.report(most=1000)
    assert (report.again, report.dissent, report.waiting) == (len(again), len(again), 0)
    assert f"{len(again)} were looked at once more, {len(again)} came out otherwise; 0 wait." in report.text
    with shop.library.work.store.reading() as connection:
        first = require_case(connection, shop.head, again[0])
        told = answer_of(shop.head, first, shop.library.work.clock.now())
    assert told.decided_by is (Decider.MODEL if correct == "record" else Decider.PERSON)


def test_a_second_look_does_not_make_an_outcome_count_that_the_decision_hid(ran, tmp_path) -> None:
    """What was refused shows no outcome. If a second look pays it after all, its outcome is one that was chosen."""
    hides = ("hides_outcome = []", 'hides_outcome = ["no"]')
    shop = Shop(desk(ran[0], tmp_path, LOOSE, hides, AUDITED, ('dissent = "record"', 'dissent = "correct"')))
    names = shop.come(80)
    answers = dict(zip(names, said(shop.library, names), strict=True))
    paid = [name for name in names if answers[name] == "yes"]
    tell(shop.library, paid, ["yes"] * len(paid))
    set_level(shop.library.work, "claims", Level.ASSIST, actor="ann")
    undrawn = [name for name in names if answers[name] == "no" and name not in shop.queued("audit")]
    review_again(shop.library.work, "claims", actor="ann")
    assert set(undrawn) <= set(shop.queued(LOOK_BACK))
    for name in undrawn:
        give_review(shop.head, "bob", name, "yes")
    tell(shop.library, undrawn, ["yes"] * len(undrawn))
    shop.library.work.clock.at += 40 * 86_400_000_000
    shop.learn()
    with shop.library.work.store.reading() as connection:
        chosen = {require_case(connection, shop.head, name).seq for name in undrawn}
    rows = [row for row in ledger(shop) if row[2] in chosen]
    assert rows
    assert {row[5] for row in rows} == {"nobody"}


def test_an_audit_that_overturns_an_answer_keeps_its_chance(ran, tmp_path) -> None:
    """Whether an outcome counts may not depend on what the audit found: dissent would lose its weight."""
    hides = ("hides_outcome = []", 'hides_outcome = ["no"]')
    shop = Shop(desk(ran[0], tmp_path, LOOSE, hides, AUDITED, ('dissent = "record"', 'dissent = "correct"')))
    names = shop.come(80)
    answers = dict(zip(names, said(shop.library, names), strict=True))
    drawn = [name for name in shop.queued("audit") if answers[name] == "no"]
    for name in drawn:
        give_review(shop.head, "bob", name, "yes")
    tell(shop.library, names, ["yes"] * len(names))
    shop.learn()
    with shop.library.work.store.reading() as connection:
        seqs = {require_case(connection, shop.head, name).seq for name in drawn}
        rows = connection.execute(sa.select(losses).where(losses.c.case_seq.in_(seqs))).all()
    assert drawn
    assert {(row.source, row.loss, row.propensity) for row in rows} == {("review", 1.0, shop.head.deployed.audit_rate)}


def test_a_skip_and_an_undo_bring_a_second_look_back_as_one(audited: Shop) -> None:
    names = audited.come(20)
    set_level(audited.library.work, "claims", Level.ASSIST, actor="ann")
    review_again(audited.library.work, "claims", actor="ann")
    waits = audited.queued(LOOK_BACK)
    audited.audit(names)
    audited.learn()
    head = audited.head
    assert next_review(head, "bob").id == waits[0]
    give_review(head, "bob", waits[0], "no")
    undo_review(head, "bob")
    skip_review(head, "bob", waits[0])
    undo_review(head, "bob")
    assert audited.queued(LOOK_BACK) == waits
    with audited.library.work.store.reading() as connection:
        assert set(connection.execute(sa.select(queue.c.priority)).scalars()) == {-10}


def test_erased_cases_are_listed_and_not_looked_at_again(shop: Shop) -> None:
    names = shop.come(20)
    set_level(shop.library.work, "claims", Level.ASSIST, actor="ann")
    erase(shop.library.work, "claims", ids=names[:3])
    review_again(shop.library.work, "claims", actor="ann")
    assert not set(names[:3]) & set(shop.queued(LOOK_BACK))
    assert [case.id for case in shop.report().cases] == names


def test_postgresql_tells_the_same(audited: Shop, postgres: Callable[[], str]) -> None:
    good, bad = audited.come(60), audited.come(60)
    audited.audit(good)
    audited.audit(bad, wrong=len(bad))
    audited.learn()
    expected, url = audited.report(most=1000), postgres()
    work = audited.library.work
    migrate_store(work, url)
    moved = replace(work, store=open_store(url))
    assert read_lookback(moved, "claims", most=1000) == expected
    assert review_again(moved, "claims", actor="ann").queued > 0
    assert read_lookback(moved, "claims").waiting > 0
    assert task_status(moved, "claims").sentence == task_status(work, "claims").sentence
    with moved.store.writing() as connection:
        connection.execute(sa.delete(events).where(events.c.kind == OPENED))
        assert begin_stretch(connection, 1, *last_automation(connection, 1)).why in (ALARM, BUDGET)


def test_the_report_is_plain_json(shop: Shop, tmp_path: Path) -> None:
    import msgspec

    spend(shop)
    told = json.loads(msgspec.json.encode(shop.report(most=2)))
    assert told["figures"]["errors"]["lower"] == told["figures"]["errors"]["upper"]
    assert len(told["cases"]) == 2


def test_doing_it_twice_changes_nothing(shop: Shop) -> None:
    spend(shop)
    task, work = shop.head.task, shop.library.work
    with work.store.writing() as connection:
        assert open_lookback(connection, task, 1, actor="ann", now=Hands().at) is None
    assert len(shop.events(OPENED)) == 1
