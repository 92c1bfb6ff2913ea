"""A batch of cases: checked, predicted, routed, recorded, answered."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.desk import FRESH, Hands, ask, desk, to_level
from understudy.core.draws import draw
from understudy.core.errors import BusyError, ConflictError, ContractError, ErasedError
from understudy.core.nouns import Decider, Level
from understudy.flows.answers import Answer
from understudy.flows.decide import Asked, decide_batch
from understudy.flows.head import load_head
from understudy.flows.moves import set_level, set_paused
from understudy.store.casebook import find_cases
from understudy.store.schema import cases, inputs, predictions, queue

IDS = [f"c{number}" for number in range(200)]
EVERY = {"yes": 0.0, "no": 0.0}


@pytest.fixture
def library(ran, tmp_path):
    return desk(ran[0], tmp_path)


def counted(library, table) -> int:
    with library.work.store.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_in_shadow_a_case_waits_its_prediction_is_recorded_and_nothing_of_it_is_told(library) -> None:
    head = load_head(library, "claims")
    answers = ask(head, IDS[:5])
    assert [answer.status for answer in answers] == ["pending"] * 5
    assert {(a.decision, a.confidence, a.probabilities, a.strangeness, a.model) for a in answers} == {(None,) * 5}
    assert [counted(library, table) for table in (cases, inputs, predictions, queue)] == [5, 5, 5, 5]


def test_the_recorded_prediction_is_what_the_version_says(library) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:3])
    with library.work.store.reading() as connection:
        found = find_cases(connection, head.number, IDS[:3])
    for name, row in zip(IDS[:3], FRESH.iter_rows(named=True), strict=False):
        said = head.champion.predict_row({column: row[column] for column in head.champion.inputs})
        case = found[name]
        assert (case.prediction, case.confidence, case.strangeness) == (
            said.prediction,
            said.confidence,
            said.strangeness,
        )


def test_the_same_case_again_gets_the_same_answer_and_is_recorded_once(library) -> None:
    head = to_level(library, Level.PARTIAL, EVERY)
    first = ask(head, IDS[:50])
    assert ask(head, IDS[:50]) == first
    assert counted(library, cases) == 50


def test_inputs_that_mean_the_same_are_the_same(library) -> None:
    head = load_head(library, "claims")
    row = FRESH.row(0, named=True)
    ask(head, ["a"])
    spelled = row | {"amount": float(row["amount"]), "age": row["age"] and int(row["age"])}
    assert decide_batch(head, [Asked("a", True, spelled)])[0][0].status == "pending"


def test_other_inputs_under_the_same_id_are_a_conflict_in_and_between_batches(library) -> None:
    head = load_head(library, "claims")
    rows = [FRESH.row(0, named=True), FRESH.row(1, named=True)]
    together = decide_batch(head, [Asked("a", True, rows[0]), Asked("a", True, rows[1]), Asked("a", True, rows[0])])[0]
    assert isinstance(together[1], ConflictError)
    assert together[0] == together[2]
    assert isinstance(decide_batch(head, [Asked("a", True, rows[1])])[0][0], ConflictError)
    assert counted(library, cases) == 1


def test_a_case_that_breaks_the_contract_fails_alone_with_every_fault(library) -> None:
    head = load_head(library, "claims")
    row = FRESH.row(0, named=True)
    good, bad = decide_batch(
        head, [Asked("a", True, row), Asked("b", True, row | {"amount": "much", "colour": "red"})]
    )[0]
    assert good.status == "pending"
    assert isinstance(bad, ContractError)
    assert [fault.where for fault in bad.faults] == ["amount", "colour"]
    assert counted(library, cases) == 1


def test_in_partial_it_decides_past_its_thresholds_and_audits_at_its_rate(library) -> None:
    head = to_level(library, Level.PARTIAL, {"yes": 0.7, "no": 0.7})
    answers = dict(zip(IDS, ask(head, IDS), strict=True))
    decided = [answer for answer in answers.values() if answer.decided_by is Decider.MODEL]
    assert 20 < len(decided) < 180
    assert min(answer.confidence for answer in decided) >= 0.7
    assert all(
        answer.probabilities[answer.decision] == pytest.approx(answer.confidence, abs=1e-6) for answer in decided
    )
    with library.work.store.reading() as connection:
        found = find_cases(connection, head.number, IDS)
    for name in (answer.id for answer in decided):
        audited = draw(head.secret, name, "audit") < head.deployed.audit_rate
        assert found[name].review_kind == ("audit" if audited else "none")
        assert found[name].review_propensity == head.deployed.audit_rate


def test_a_batch_judged_under_an_old_deployment_is_decided_under_the_new_one(library) -> None:
    head = to_level(library, Level.PARTIAL, EVERY)
    set_level(library.work, "claims", Level.SHADOW, actor="ann", why="It errs.")
    results, now = decide_batch(head, [Asked("a", True, FRESH.row(0, named=True))])
    assert (results[0].status, results[0].level) == ("pending", Level.SHADOW)
    assert now.deployed.level is Level.SHADOW


def test_no_case_is_decided_under_a_level_after_the_move_away_from_it_has_committed(library) -> None:
    """Four threads decide while the level goes up and down; the log tells when each move was made."""
    work = library.work
    stop = threading.Event()
    wrong: list[str] = []
    lowered = threading.Event()

    def work_on(worker: int) -> None:
        head, turn = load_head(library, "claims"), 0
        while not stop.is_set():
            turn += 1
            low = lowered.is_set()  # the step down had committed before this batch was asked for
            results, head = decide_batch(head, [Asked(f"{worker}-{turn}", False, FRESH.row(turn % 400, named=True))])
            if low and lowered.is_set() and results[0].decided_by is Decider.MODEL:
                wrong.append(results[0].id)

    threads = [threading.Thread(target=work_on, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        lowered.clear()
        set_level(work, "claims", Level.PARTIAL, actor="ann", why="up", thresholds=EVERY, overriding=True)
        set_level(work, "claims", Level.SHADOW, actor="ann", why="down")
        lowered.set()
        stop.wait(0.03)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_pause_reaches_the_next_batch(library) -> None:
    head = to_level(library, Level.PARTIAL, EVERY)
    set_paused(library.work, "claims", True, actor="bob")
    assert {answer.decided_by for answer in ask(head, IDS)} == {None}


def test_an_erased_case_is_gone_for_its_caller(library) -> None:
    head = load_head(library, "claims")
    ask(head, ["a"])
    with library.work.store.writing() as connection:
        connection.execute(inputs.update().values(salt=None, body=None, erased_at=1))
    assert isinstance(ask(head, ["a"])[0], ErasedError)


def test_today_s_rules_decide_while_it_watches_and_where_none_holds_a_person_does(ran, tmp_path) -> None:
    rules = '[today]\nrules = [{ when = "amount < 100", then = "yes" }, { when = "amount < 150", then = "no" }]'
    head = load_head(desk(ran[0], tmp_path, ("[today]", rules)), "claims")
    for answer, amount in zip(ask(head, IDS), FRESH["amount"].cast(float), strict=False):
        expected = "yes" if amount < 100 else "no" if amount < 150 else None
        assert answer.decision == expected
        assert answer.decided_by == (None if expected is None else Decider.RULE)
        assert answer.confidence is None


def test_a_condition_that_cannot_be_told_grants_nothing(ran, tmp_path) -> None:
    for number, mandate in enumerate(
        ('limit = ["weight < 3"]', 'limit = ["region < 3"]', 'never = ["weight > 3"]', 'limit = ["age > 0"]')
    ):
        key = mandate.partition(" ")[0]
        head = to_level(desk(ran[0], tmp_path / str(number), (f"{key} = []", mandate)), Level.PARTIAL, EVERY)
        answers = ask(head, IDS)
        for answer, age in zip(answers, FRESH["age"], strict=False):
            decided = answer.decided_by is Decider.MODEL
            assert decided == (number == 3 and bool(age)) or (not decided and "strange" in answer.reasons)


def test_a_mandate_that_has_expired_grants_nothing(ran, tmp_path) -> None:
    clock = Hands()
    library = desk(ran[0], tmp_path, ('# expires = "2027-12-31"', 'expires = "2023-11-14"'), clock=clock)
    head = to_level(library, Level.PARTIAL, EVERY)
    assert Decider.MODEL in {answer.decided_by for answer in ask(head, IDS[:100])}
    clock.at += 2 * 86_400_000_000
    later = [f"later {name}" for name in IDS[:100]]
    assert {answer.reasons[0] for answer in ask(head, later)} == {"mandate_expired"}


def test_a_damaged_model_leaves_cases_to_people_and_says_why(library) -> None:
    head = to_level(library, Level.PARTIAL, EVERY)
    root = library.work.root / ".understudy" / "objects"
    for path in root.rglob("*"):
        if path.is_file() and path.name == head.champion.manifest.files["head.json"][2:]:
            path.write_bytes(b"{}")
    library.versions.clear()
    broken = load_head(library, "claims")
    assert "is damaged" in broken.trouble
    (answer,) = ask(broken, ["a"])
    assert (answer.status, answer.reasons) == ("pending", ("no_prediction",))
    set_level(library.work, "claims", Level.HUMAN, actor="ann")  # down needs no model


def test_a_store_that_is_locked_away_says_busy_and_the_same_ids_are_safe_afterwards(library) -> None:
    head = load_head(library, "claims")
    file = library.work.root / ".understudy" / "store.db"
    library.work.store.close()
    gone = file.with_name("gone.db")
    file.rename(gone)
    file.mkdir()
    with pytest.raises(BusyError, match="cannot do this now"):
        ask(head, ["a"])
    file.rmdir()
    gone.rename(file)
    assert ask(head, ["a"])[0].status == "pending"
    assert counted(library, cases) == 1


def test_a_full_disk_says_busy_and_nothing_is_half_written(library) -> None:
    head = load_head(library, "claims")
    ask(head, ["before"])
    with library.work.store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    @sa.event.listens_for(library.work.store.engine, "connect")
    def limit(connection, _) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + 2}")

    library.work.store.close()
    batches = iter([f"{turn}-{name}" for name in IDS] for turn in range(100))
    with pytest.raises(BusyError, match="full"):
        any(ask(head, batch) is None for batch in batches)
    with library.work.store.reading() as connection:
        seqs = set(connection.execute(sa.select(cases.c.seq)).scalars())
        assert set(connection.execute(sa.select(inputs.c.seq)).scalars()) == seqs
        assert set(connection.execute(sa.select(queue.c.case_seq)).scalars()) == seqs
    assert "before" in {answer.id for answer in ask(head, ["before"])}


def test_a_clock_that_jumps_back_changes_no_order(library) -> None:
    head = load_head(library, "claims")
    ask(head, ["a"])
    library.work.clock.at -= 10**13
    ask(head, ["b"])
    with library.work.store.reading() as connection:
        found = find_cases(connection, head.number, ["a", "b"])
    assert found["a"].seq < found["b"].seq


def test_before_any_model_people_decide_whatever_comes(tmp_path: Path) -> None:
    from understudy.flows.head import Library
    from understudy.flows.moves import apply_task
    from understudy.flows.workspace import open_workspace

    work = open_workspace(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "door.toml").write_text(
        '[task]\nname = "door"\nquestion = "Open?"\ntarget = "open"\nkind = "classification"\ngoal = "accuracy"\n'
        "[autonomy]\nmax_error = 0.05\nconfidence = 0.95\n"
    )
    apply_task(work, "door", actor="ann")
    head = load_head(Library(work), "door")
    good, bad = decide_batch(head, [Asked("a", True, {"who": "Ann"}), Asked("b", True, {"who": ["Ann"]})])[0]
    assert isinstance(good, Answer)
    assert (good.status, good.reasons) == ("pending", ("level_human",))
    assert isinstance(bad, ContractError)
