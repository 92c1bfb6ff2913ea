"""Verifying finds every way in which a record can be tampered with, and nothing where nobody did."""

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.desk import Hands, ask, desk
from understudy.core.canonical import canonical, chain
from understudy.core.errors import InputError
from understudy.flows.golive import RunResult
from understudy.flows.head import Head, load_head
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.review import give_review
from understudy.flows.verify import Verified, verify
from understudy.flows.workspace import Workspace
from understudy.store.events import line_bytes
from understudy.store.schema import cases, events, heads, inputs, models, outcomes, reviews, snapshots
from understudy.store.seals import seal

IDS = ("a", "b", "c", "d")


def sealed(work: Workspace, head: Head) -> None:
    with work.store.writing() as connection:
        seal(connection, head.number, work.clock.now())


@pytest.fixture
def work(ran: tuple[Path, RunResult], tmp_path: Path) -> Workspace:
    """Four cases with a review and an outcome, all sealed, and a fifth that is not."""
    library = desk(ran[0], tmp_path, clock=Hands())
    head = load_head(library, "claims")
    ask(head, IDS)
    give_review(head, "ann", "a", "yes", note="he called")
    give_outcomes(head, "bob", [Outcome(id="a", outcome="no")])
    sealed(library.work, head)
    ask(head, ["e"])
    return library.work


def change(work: Workspace, statement: sa.Executable) -> None:
    with work.store.writing() as connection:
        assert connection.execute(statement).rowcount > 0


def faults(work: Workspace) -> list[str]:
    return list(only(work).faults)


def only(work: Workspace, **options: str) -> Verified:
    (found,) = verify(work, **options)
    return found


def test_what_nobody_touched_is_sound_and_counted(work: Workspace) -> None:
    found = only(work)
    assert found.faults == ()
    assert (found.seals, found.erased) == (1, 0)
    assert found.sealed == {"cases": 4, "reviews": 1, "outcomes": 1}
    assert found.unsealed == {"cases": 1, "reviews": 0, "outcomes": 0}


def test_verifying_changes_nothing(work: Workspace) -> None:
    assert only(work) == only(work)


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        (
            cases.update().where(cases.c.id == "b").values(decision="no", decided_by="model"),
            "1 to 4 of cases .* edited",
        ),
        (cases.update().where(cases.c.id == "b").values(id="z"), "1 to 4 of cases .* edited"),
        (reviews.update().values(value="no"), "1 to 1 of reviews .* edited"),
        (reviews.update().values(seq=99), "1 to 1 of reviews .* 1 missing"),
        (outcomes.delete(), "1 to 1 of outcomes .* 1 missing"),
        (cases.update().where(cases.c.id == "e").values(seq=0), "1 to 4 of cases .* 1 added"),
    ],
    ids=["decision", "id", "review", "moved", "outcome", "added"],
)
def test_a_sealed_row_that_was_tampered_with_is_told_by_table_and_range(
    work: Workspace, tampering: sa.Executable, words: str
) -> None:
    with work.store.writing() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        assert connection.execute(tampering).rowcount == 1
        for table, column in (("queue", "case_seq"), ("inputs", "seq"), ("predictions", "seq")):
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = 0 WHERE {column} NOT IN (SELECT seq FROM cases)")
    (fault,) = faults(work)
    assert re.search(words, fault), fault


def test_a_note_may_be_erased_without_breaking_a_seal(work: Workspace) -> None:
    change(work, reviews.update().values(note=None))
    assert faults(work) == []


def test_inputs_that_were_changed_or_vanish_are_told_by_the_id_of_their_case(work: Workspace) -> None:
    of_b = inputs.c.seq == sa.select(cases.c.seq).where(cases.c.id == "b").scalar_subquery()
    change(work, inputs.update().where(of_b).values(body=b"{}"))
    assert faults(work) == ["The inputs of 1 cases are not those that were recorded: 'b'."]
    change(work, inputs.delete().where(of_b))
    assert faults(work) == ["The inputs of 1 cases are not those that were recorded: 'b'."]


def test_inputs_that_are_emptied_without_an_erasure_in_the_log_are_told(work: Workspace) -> None:
    change(work, inputs.update().where(inputs.c.seq == 2).values(salt=None, body=None, erased_at=1))
    assert faults(work) == ["The inputs of 1 cases are erased, but the event log says 0."]


def test_an_edited_event_is_told_by_its_number(work: Workspace) -> None:
    change(work, events.update().where(events.c.seq == 2).values(actor="eve"))
    assert faults(work) == ["The event log is broken at event 2: it was changed, added or removed."]


def test_a_tail_that_was_cut_off_with_its_head_shows_only_beside_a_head_that_was_kept(work: Workspace) -> None:
    kept = only(work).head
    assert only(work, task="claims", head=kept).faults == ()
    with work.store.writing() as connection:
        last = connection.execute(sa.select(events).order_by(events.c.seq.desc()).limit(2)).all()
        connection.execute(events.delete().where(events.c.seq == last[0].seq))
        connection.execute(heads.update().values(event_seq=last[1].seq, event_hash=last[1].hash))
    assert only(work).faults == ()
    (fault,) = only(work, task="claims", head=kept).faults
    assert "the log was cut or written anew" in fault
    assert only(work, task="claims", head=last[1].hash).faults == ()


def test_a_log_that_was_written_anew_as_a_whole_shows_only_beside_a_head_that_was_kept(work: Workspace) -> None:
    kept = only(work).head
    with work.store.writing() as connection:
        previous = ""
        for row in connection.execute(sa.select(events).order_by(events.c.seq)).all():
            line = chain(previous, line_bytes(seq=row.seq, at=row.at, actor="eve", kind=row.kind, body=row.body))
            mine = events.c.seq == row.seq
            connection.execute(events.update().where(mine).values(actor="eve", previous=previous, hash=line))
            previous = line
        connection.execute(heads.update().values(event_hash=previous))
    assert only(work).faults == ()
    assert len(only(work, task="claims", head=kept).faults) == 1


def test_a_seal_that_is_none_is_told(work: Workspace) -> None:
    change(work, events.update().where(events.c.kind == "sealed").values(body=canonical({"cases": 7})))
    assert any("is no seal that can be read" in fault for fault in faults(work))


@pytest.mark.parametrize("which", ["version", "report.html", "snapshot"])
def test_an_artifact_that_is_missing_or_damaged_is_named(work: Workspace, which: str) -> None:
    with work.store.reading() as connection:
        row = connection.execute(sa.select(models)).one()
        snapshot = connection.execute(sa.select(snapshots.c.digest)).scalar_one()
    beside: dict[str, str] = json.loads(row.beside)
    name = {"version": row.version, "snapshot": snapshot}.get(which) or beside[which]
    place = work.root / ".understudy" / "objects" / name[:2] / name[2:]
    whole = place.read_bytes()
    place.write_bytes(whole + b" ")
    (fault,) = faults(work)
    assert name[:2] in fault
    assert "damaged" in fault
    place.unlink()
    (fault,) = faults(work)
    assert f"The artifact {name[:12]} is missing" in fault


def test_every_file_of_a_version_is_looked_at(work: Workspace) -> None:
    objects = sorted((work.root / ".understudy" / "objects").glob("*/*"))
    for place in objects:
        whole = place.read_bytes()
        place.write_bytes(b"")
        assert len(faults(work)) == 1, place
        place.write_bytes(whole)


@pytest.mark.parametrize("options", [{"head": "a" * 64}, {"task": "claims", "head": "abc"}])
def test_a_head_that_is_none_or_belongs_to_no_task_is_refused(work: Workspace, options: dict[str, str]) -> None:
    with pytest.raises(InputError, match="A head is the hash"):
        verify(work, **options)
