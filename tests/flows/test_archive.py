"""Archived rows leave the store in whole seals, and stay verified and erasable."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.desk import Hands, ask, desk
from understudy.core.errors import InputError, StoreError
from understudy.core.task import duration
from understudy.flows.archive import archive
from understudy.flows.erase import erase
from understudy.flows.golive import RunResult
from understudy.flows.head import Head, Library, load_head
from understudy.flows.learn import learn, replay
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.review import give_review
from understudy.flows.verify import verify
from understudy.store import archives
from understudy.store.copies import count_rows
from understudy.store.schema import cases, reviews
from understudy.store.seals import seal

KEEP = ('# keep = "730d"', 'keep = "10d"')
SUBJECT = ('# subject = "customer_id"', 'subject = "claim_id"')
MATURE = ('mature_after = "30d"', 'mature_after = "1d"')
NOTE = "she lives at the old mill"


class Office:
    """A task with cases that people decide, and a clock that can be turned."""

    def __init__(self, library: Library, clock: Hands) -> None:
        self.library, self.work, self.clock = library, library.work, clock
        self.folder = library.work.root / ".understudy" / "archive" / "claims"

    @property
    def head(self) -> Head:
        return load_head(self.library, "claims")

    def decide(self, ids: str, *, seal_too: bool = True) -> None:
        ask(self.head, ids)
        for name in ids:
            give_review(self.head, "ann", name, "yes", note=NOTE)
        give_outcomes(self.head, "bob", [Outcome(id=ids[0], outcome="no")])
        if seal_too:
            self.seal()

    def seal(self) -> None:
        with self.work.store.writing() as connection:
            seal(connection, self.head.number, self.work.clock.now())

    def pass_days(self, days: int, *, learning: bool = True) -> None:
        self.clock.at += duration(f"{days}d")
        if learning:
            learn(self.library, "claims")

    def rows(self) -> dict[str, int]:
        with self.work.store.reading() as connection:
            counts = count_rows(connection)
        return {name: counts[name] for name in ("cases", "inputs", "reviews", "outcomes", "inbox")}

    def faults(self) -> tuple[str, ...]:
        return verify(self.work)[0].faults


@pytest.fixture
def office(ran: tuple[Path, RunResult], tmp_path: Path) -> Office:
    clock = Hands()
    return Office(desk(ran[0], tmp_path, KEEP, SUBJECT, MATURE, clock=clock), clock)


def test_old_decided_cases_move_to_files_that_verify_covers(office: Office) -> None:
    office.decide("abcd")
    office.pass_days(11)
    office.decide("ef")
    done = archive(office.work, "claims", actor="ann")
    assert (done.seals, done.rows["cases"], done.rows["inputs"], done.rows["reviews"]) == (1, 4, 4, 4)
    assert office.rows() == {"cases": 2, "inputs": 2, "reviews": 2, "outcomes": 1, "inbox": 3}
    (found,) = verify(office.work)
    assert found.faults == ()
    assert found.archived == {"cases": 4, "reviews": 4, "outcomes": 1}
    assert found.sealed == {"cases": 2, "reviews": 2, "outcomes": 1}
    assert archive(office.work, "claims").seals == 0
    office.pass_days(11)
    assert archive(office.work, "claims").seals == 1
    assert office.faults() == ()


def test_nothing_moves_that_is_young_or_unsealed_or_waits(office: Office) -> None:
    office.decide("ab")
    office.pass_days(9)
    assert archive(office.work, "claims").seals == 0
    office.pass_days(2)
    ask(office.head, "c")
    office.seal()
    office.decide("d", seal_too=False)
    office.pass_days(11)
    assert archive(office.work, "claims").seals == 1
    assert office.rows()["cases"] == 2
    give_review(office.head, "ann", "c", "yes")
    assert archive(office.work, "claims").seals == 0
    office.seal()
    office.pass_days(11)
    assert archive(office.work, "claims").seals == 2
    assert office.rows()["cases"] == 0


def test_nothing_moves_before_it_is_in_the_ledger(office: Office) -> None:
    office.decide("ab")
    office.pass_days(11, learning=False)
    assert archive(office.work, "claims").seals == 0
    office.pass_days(0)
    office.decide("cd")
    office.pass_days(1, learning=False)
    give_outcomes(office.head, "bob", [Outcome(id="b", outcome="no")])  # a correction that nobody has taken in
    office.seal()
    office.pass_days(11, learning=False)
    before = office.rows()
    assert archive(office.work, "claims").seals == 0
    assert office.rows() == before
    office.pass_days(0)
    assert archive(office.work, "claims").seals == 3
    kept, anew = replay(office.library, "claims")
    assert kept == anew
    assert (kept.champion.settled, office.faults()) == (4, ())


def test_an_erased_case_no_longer_waits_and_may_leave(office: Office) -> None:
    ask(office.head, "ab")
    office.seal()
    office.pass_days(11)
    assert archive(office.work, "claims").seals == 0
    erase(office.work, "claims", ids=["a", "b"])
    assert archive(office.work, "claims").seals == 1
    assert office.faults() == ()
    assert verify(office.work)[0].erased == 2


def test_a_task_without_keep_is_told_what_to_write(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    with pytest.raises(InputError, match='Write keep = "730d" under'):
        archive(desk(ran[0], tmp_path).work, "claims")


def test_rows_that_are_not_as_they_were_sealed_stay(office: Office) -> None:
    office.decide("ab")
    office.pass_days(11)
    with office.work.store.writing() as connection:
        connection.execute(reviews.update().values(value="no"))
    before = office.rows()
    with pytest.raises(StoreError, match="rows 1 to 2 of reviews are not as event"):
        archive(office.work, "claims")
    assert office.rows() == before


@pytest.mark.parametrize("table", ["cases", "inputs", "predictions", "reviews", "outcomes"])
def test_a_file_of_the_archive_that_is_missing_or_changed_is_named(office: Office, table: str) -> None:
    office.decide("ab")
    office.pass_days(11)
    archive(office.work, "claims")
    (place,) = office.folder.glob(f"*-{table}.parquet")
    whole = place.read_bytes()
    place.write_bytes(whole[:-1] + b"x")
    assert any(f"{place.name} has another content" in fault for fault in office.faults())
    place.unlink()
    assert any(f"{place.name} is missing" in fault for fault in office.faults())


def test_rows_that_come_back_among_archived_ones_are_told(office: Office) -> None:
    office.decide("ab")
    office.pass_days(11)
    archive(office.work, "claims")
    office.decide("c")
    with office.work.store.writing() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for table in ("inputs", "predictions"):
            connection.exec_driver_sql(f"UPDATE {table} SET seq = 1")
        connection.execute(cases.update().values(seq=1))
    assert any("1 rows of cases were added among 1 to 2, which are archived" in fault for fault in office.faults())


def test_archived_inputs_and_notes_can_be_erased(office: Office) -> None:
    office.decide("abcd")
    office.pass_days(11)
    archive(office.work, "claims")
    before = {place.name for place in office.folder.iterdir()}
    done = erase(office.work, "claims", subject="C00002")  # this is c
    assert (done.found, done.cases, done.archives) == (1, 1, 2)
    after = {place.name for place in office.folder.iterdir()}
    assert {name.split("-")[1].removesuffix(".parquet") for name in after - before} == {"inputs", "reviews"}
    assert len(after) == len(before)
    (inputs_file,) = (place for place in office.folder.iterdir() if "inputs" in place.name)
    rows = [row for part in archives.read_file(inputs_file) for row in part]
    assert [row["body"] is None for row in rows] == [False, False, True, False]
    (reviews_file,) = (place for place in office.folder.iterdir() if "reviews" in place.name)
    notes = [row["note"] for part in archives.read_file(reviews_file) for row in part]
    assert notes == [NOTE, NOTE, None, NOTE]
    (found,) = verify(office.work)
    assert (found.faults, found.erased) == ((), 1)
    again = erase(office.work, "claims", ids=["c"])
    assert (again.found, again.cases, again.archives) == (1, 0, 0)


def test_files_that_a_killed_process_left_are_removed_by_the_next(office: Office) -> None:
    office.decide("ab")
    office.pass_days(11)
    office.folder.mkdir(parents=True)
    (office.folder / "9-inputs.parquet").write_bytes(b"half")
    archive(office.work, "claims")
    assert not (office.folder / "9-inputs.parquet").exists()


def test_a_move_that_fails_halfway_leaves_every_row_in_the_store(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.decide("ab")
    office.pass_days(11)
    before = office.rows()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("understudy.flows.archive.note_archive", fail)
    with pytest.raises(ZeroDivisionError):
        archive(office.work, "claims")
    assert office.rows() == before
    assert office.faults() == ()
    monkeypatch.undo()
    assert archive(office.work, "claims").seals == 1


def test_every_column_of_a_row_reads_back_from_the_archive_as_it_was(office: Office) -> None:
    office.decide("ab")
    with office.work.store.reading() as connection:
        before = [dict(row._mapping) for row in connection.execute(sa.select(cases).order_by(cases.c.seq))]
    office.pass_days(11)
    archive(office.work, "claims")
    (place,) = office.folder.glob("*-cases.parquet")
    assert [row for part in archives.read_file(place) for row in part] == before
