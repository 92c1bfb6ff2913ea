"""What is erased is gone from every place that held it, and evidence and seals stay."""

import io
import json
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

import understudy
from flows.desk import Hands, ask, desk
from understudy.core.errors import ErasedError, InputError, NotFoundError
from understudy.flows.erase import Erased, erase
from understudy.flows.golive import RunResult
from understudy.flows.head import Library, load_head
from understudy.flows.models import list_models, snapshot_purged
from understudy.flows.report import write_report
from understudy.flows.review import give_review
from understudy.flows.verify import verify
from understudy.flows.workspace import Workspace
from understudy.store.events import read_events
from understudy.store.schema import claims, inputs, queue, reviews, snapshots
from understudy.store.seals import seal

PERSON = "C00003"
SUBJECT = ('# subject = "customer_id"', 'subject = "claim_id"')
ID = ('# id = "claim_id"', 'id = "claim_id"')


@pytest.fixture
def library(ran: tuple[Path, RunResult], tmp_path: Path) -> Library:
    """Cases a to f, of which d is about the person, with a review of d; all sealed; and a quarantined row."""
    library = desk(ran[0], tmp_path, SUBJECT, ID, clock=Hands())
    head = load_head(library, "claims")
    ask(head, "abcdef")
    give_review(head, "ann", "d", "yes", note="she lives at the old mill")
    with library.work.store.writing() as connection:
        seal(connection, head.number, library.work.clock.now())
    rejected = library.work.root / ".understudy" / "rejected"
    rejected.mkdir()
    for name in ("claims-123.csv", "claims-2-123.csv", "claims.csv"):
        (rejected / name).write_text("row,column,value\n")
    return library


def snapshot_frames(work: Workspace) -> list[pl.DataFrame]:
    with work.store.reading() as connection:
        names = connection.execute(sa.select(snapshots.c.digest).where(snapshots.c.purged_at.is_(None))).scalars()
        return [pl.read_parquet(io.BytesIO(work.artifacts.get(name))) for name in names]


def on_disk(work: Workspace) -> bytes:
    return b"".join(place.read_bytes() for place in (work.root / ".understudy").rglob("*") if place.is_file())


def test_a_person_is_gone_from_cases_notes_queue_snapshots_and_quarantine(library: Library) -> None:
    work = library.work
    with work.store.reading() as connection:
        (old,) = connection.execute(sa.select(snapshots.c.digest)).scalars()
    done = erase(work, "claims", subject=PERSON, actor="ann")
    assert (done.found, done.cases, done.notes, done.snapshots, done.rows, done.rejected) == (1, 1, 1, 1, 1, 1)
    assert (done.unread, done.shared, done.unknown, done.remains) == ((), (), (), False)
    with work.store.reading() as connection:
        empty = connection.execute(sa.select(inputs).where(inputs.c.body.is_(None))).one()
        assert (empty.seq, empty.salt) == (4, None)
        assert empty.erased_at == work.clock.now()
        assert connection.execute(sa.select(reviews.c.note)).scalars().all() == [None]
        assert 4 not in connection.execute(sa.select(queue.c.case_seq)).scalars().all()
        assert connection.execute(sa.select(claims)).all() == []
        purged = connection.execute(sa.select(snapshots.c.digest).where(snapshots.c.purged_at.is_not(None))).scalars()
        assert purged.all() == [old]
    (frame,) = snapshot_frames(work)
    assert frame.height == 599
    assert PERSON not in frame["claim_id"].to_list()
    assert not (work.root / ".understudy" / "objects" / old[:2] / old[2:]).exists()
    assert {place.name for place in (work.root / ".understudy" / "rejected").iterdir()} == {
        "claims-2-123.csv",
        "claims.csv",
    }
    assert verify(work)[0].faults == ()


def test_nothing_that_was_erased_is_left_in_any_file_of_the_store(library: Library) -> None:
    note = b"she lives at the old mill"
    assert note in on_disk(library.work)
    with library.work.store.reading() as connection:
        body = connection.execute(sa.select(inputs.c.body).where(inputs.c.seq == 4)).scalar_one()
        other = connection.execute(sa.select(inputs.c.body).where(inputs.c.seq == 3)).scalar_one()
    assert body in on_disk(library.work)
    erase(library.work, "claims", subject=PERSON)
    assert body not in on_disk(library.work)
    assert note not in on_disk(library.work)
    assert other in on_disk(library.work)


def test_the_event_holds_no_personal_data(library: Library) -> None:
    erase(library.work, "claims", subject=PERSON, actor="ann")
    with library.work.store.reading() as connection:
        event = read_events(connection, load_head(library, "claims").number)[-1]
    assert (event.kind, event.actor) == ("erased", "ann")
    assert set(event.body) == {"cases", "snapshots", "archives", "ids_digest"}
    assert event.body["cases"] == 1
    assert PERSON not in json.dumps(event.body)


def test_erasing_twice_is_fine_and_erases_nothing(library: Library) -> None:
    erase(library.work, "claims", subject=PERSON)
    with library.work.store.reading() as connection:
        before = read_events(connection, load_head(library, "claims").number)
    assert erase(library.work, "claims", subject=PERSON) == Erased(task="claims", found=1)
    with library.work.store.reading() as connection:
        assert read_events(connection, load_head(library, "claims").number) == before


def test_a_person_who_stands_only_in_training_data_is_erased_once_and_found_no_more(library: Library) -> None:
    done = erase(library.work, "claims", subject="C00500")
    assert (done.found, done.cases, done.snapshots, done.rows) == (0, 0, 1, 1)
    assert erase(library.work, "claims", subject="C00500") == Erased(task="claims")
    with pytest.raises(NotFoundError, match="holds nothing about this person"):
        erase(library.work, "claims", subject="C99999")


def test_cases_are_erased_by_their_ids_and_unknown_ids_are_named(library: Library) -> None:
    done = erase(library.work, "claims", ids=["a", "b", "zz"])
    assert (done.found, done.cases, done.unknown, done.snapshots) == (2, 2, ("zz",), 0)
    by_id = erase(library.work, "claims", ids=["C00007"])
    assert (by_id.found, by_id.rows, by_id.unknown) == (0, 1, ("C00007",))
    with pytest.raises(NotFoundError, match="holds nothing with these ids"):
        erase(library.work, "claims", ids=["zz"])
    (again,) = ask(load_head(library, "claims"), ["a"])
    assert isinstance(again, ErasedError)
    assert verify(library.work)[0].erased == 2


@pytest.mark.parametrize("asked", [{}, {"ids": ["a"], "subject": "b"}, {"subject": ""}])
def test_it_must_be_said_what_to_erase(library: Library, asked: dict) -> None:
    with pytest.raises(InputError, match="Say what to erase"):
        erase(library.work, "claims", **asked)


def test_versions_trained_on_erased_rows_say_that_their_snapshot_was_purged(library: Library, tmp_path: Path) -> None:
    work = library.work
    assert list_models("claims", workspace=work.root).purged == ()
    erase(work, "claims", subject=PERSON)
    (record,) = list_models("claims", workspace=work.root).versions
    assert list_models("claims", workspace=work.root).purged == (record.version,)
    assert snapshot_purged("claims", workspace=work.root)
    page = write_report("claims", tmp_path / "report.html", workspace=work.root).read_text()
    assert f"<strong>snapshot purged</strong> <code>{record.snapshot}</code>" in page
    assert load_head(library, "claims").champion is not None


def test_a_snapshot_that_another_task_holds_too_is_kept_for_it_and_named(library: Library, claims_csv: Path) -> None:
    work = library.work
    budget = understudy.Budget(trials=1)
    understudy.run(claims_csv, target="pay", name="second", workspace=work.root, budget=budget, drop=("paid_amount",))
    done = erase(work, "claims", subject=PERSON)
    assert len(done.shared) == 1
    assert [found.faults for found in verify(work)] == [(), ()]


def test_a_snapshot_that_cannot_be_read_is_named_and_hinders_nothing(library: Library) -> None:
    with library.work.store.reading() as connection:
        (name,) = connection.execute(sa.select(snapshots.c.digest)).scalars()
    (library.work.root / ".understudy" / "objects" / name[:2] / name[2:]).unlink()
    done = erase(library.work, "claims", subject=PERSON)
    assert (done.cases, done.unread) == (1, (name,))
