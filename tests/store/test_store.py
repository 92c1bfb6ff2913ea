"""What is remembered, and that nothing of it is half."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from understudy.core.canonical import digest
from understudy.core.errors import InputError, StoreError
from understudy.core.nouns import Deployment, Level, Move
from understudy.store.artifacts import open_artifacts
from understudy.store.database import Store, open_store
from understudy.store.events import append_event, first_broken_event, read_events
from understudy.store.registry import (
    VersionRecord,
    current,
    find_version,
    keep_snapshot,
    list_versions,
    move_to,
    register,
)
from understudy.store.schema import events, metadata, models
from understudy.store.tasks import save_task, task_number


def record(name: str, at: int = 1) -> VersionRecord:
    return VersionRecord(
        version=digest(name.encode()),
        recipe="lightgbm",
        snapshot="s",
        served="onnx",
        seed=0,
        passed=True,
        environment={"python": "3.11"},
        beside={"report.json": "r"},
        at=at,
    )


def saved(store: Store, body: bytes = b"[task]") -> int:
    with store.writing() as connection:
        return save_task(connection, "late", body, secret=b"s" * 32, actor="ann", at=1)[0]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/store.db"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


def test_the_migrations_make_exactly_the_schema(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "understudy_version"})
        assert compare_metadata(context, metadata) == []


def test_sqlite_loses_nothing_that_it_has_acknowledged(store: Store) -> None:
    with store.reading() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_store_of_a_newer_understudy_is_refused(url: str, store: Store) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE understudy_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"written by a newer Understudy \(schema 9999\)\.\nUpgrade"):
        open_store(url)


def test_what_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is no database at all " * 50)
    with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
        open_store(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(InputError, match=r"mysql://ann:[*]{3}@host/db is not supported"):
        open_store("mysql://ann:secret@host/db")
    with pytest.raises(InputError, match="'nonsense' cannot be read"):
        open_store("nonsense")


def test_a_task_is_revised_only_when_its_text_differs(store: Store) -> None:
    assert saved(store) == saved(store) == saved(store, b"[task] # other")
    with store.reading() as connection:
        number = task_number(connection, "late")
        assert [event.kind for event in read_events(connection, number)] == ["task.saved", "task.saved"]
        with pytest.raises(StoreError, match=r"knows no task 'early' \(tasks: late\)"):
            task_number(connection, "early")


def test_a_version_is_found_by_its_beginning_by_latest_and_by_champion(store: Store) -> None:
    number = saved(store)
    first, second = record("first", 1), record("second", 2)
    with store.writing() as connection:
        keep_snapshot(connection, number, digest="s", source="x.csv", rows=3, at=1)
        keep_snapshot(connection, number, digest="s", source="x.csv", rows=3, at=2)
        assert register(connection, number, first, actor="ann")
        assert register(connection, number, second, actor="ann")
        assert not register(connection, number, first, actor="ann")
        move = Move(
            kind="shadow",
            to=Deployment(level=Level.SHADOW, champion=first.version),
            reasons=("all checks passed",),
        )
        move_to(connection, number, move, actor="ann", at=3)
    with store.reading() as connection:
        assert list_versions(connection, number) == [second, first]
        assert find_version(connection, number, "latest") == second
        assert find_version(connection, number, "champion") == first
        assert find_version(connection, number, first.version[:8]) == first
        assert current(connection, number).level is Level.SHADOW
        with pytest.raises(StoreError, match="2 versions begin with ''"):
            find_version(connection, number, "")
        with pytest.raises(StoreError, match='There is no version "\' OR 1=1 --"'):
            find_version(connection, number, "' OR 1=1 --")


def test_a_task_without_versions_says_what_to_do(store: Store) -> None:
    number = saved(store)
    with store.reading() as connection, pytest.raises(StoreError, match="no version yet"):
        find_version(connection, number, "latest")


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        (events.update().where(events.c.seq == 2).values(actor="eve"), 2),
        (events.update().where(events.c.seq == 3).values(body=b"{}"), 3),
        (events.delete().where(events.c.seq == 2), 2),
        (events.delete().where(events.c.seq == 4), 4),
    ],
)
def test_an_edited_or_missing_line_shows(store: Store, damage: sa.Executable, broken: int) -> None:
    number = saved(store)
    with store.writing() as connection:
        for at in range(3):
            append_event(connection, number, at=at, actor="ann", kind="noted", body={"n": at})
        assert first_broken_event(connection, number) is None
        connection.execute(damage)
    with store.reading() as connection:
        assert first_broken_event(connection, number) == broken


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_store import *
store = open_store({url!r})
number = saved(store)
with store.writing() as connection:
    register(connection, number, record("half"), actor="ann")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_while_it_registers_leaves_nothing_half_registered(url: str) -> None:
    code = KILLED.format(tests=str(Path(__file__).parent), url=url)
    done = subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    with open_store(url).reading() as connection:
        number = task_number(connection, "late")
        assert connection.execute(sa.select(models)).all() == []
        assert [event.kind for event in read_events(connection, number)] == ["task.saved"]
        assert first_broken_event(connection, number) is None


def test_a_second_writer_waits_for_the_first(url: str, store: Store) -> None:
    number = saved(store)
    other = open_store(url)
    for writer in (store, other) * 5:
        with writer.writing() as connection:
            append_event(connection, number, at=0, actor="ann", kind="noted", body={})
    with other.reading() as connection:
        assert len(read_events(connection, number)) == 11


def test_artifacts_are_kept_once_checked_and_named_by_content_alone(tmp_path: Path) -> None:
    files = open_artifacts(str(tmp_path))
    name = files.put(b"model")
    assert files.put(b"model") == name == digest(b"model")
    assert files.get(name) == b"model"
    place = tmp_path / "objects" / name[:2] / name[2:]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [place]
    place.write_bytes(b"modem")
    with pytest.raises(StoreError, match="is damaged: its content has another hash"):
        files.get(name)
    place.unlink()
    with pytest.raises(StoreError, match=f"{name[:12]} is missing"):
        files.get(name)
    with pytest.raises(StoreError, match="is not the name of an artifact"):
        files.get("../../etc/passwd")
