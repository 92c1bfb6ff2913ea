"""What is peculiar to SQLite, refused URLs, and artifacts; see test_store_suite.py for what holds on every database."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from understudy.core.canonical import digest
from understudy.core.errors import InputError, StoreError
from understudy.store.artifacts import open_artifacts
from understudy.store.database import Store, open_store
from understudy.store.events import append_event, first_broken_event, read_events
from understudy.store.schema import models
from understudy.store.tasks import save_task, task_number


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/store.db"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


def test_sqlite_loses_nothing_that_it_has_acknowledged(store: Store) -> None:
    with store.reading() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_what_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is no database at all " * 50)
    with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
        open_store(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(InputError, match=r"mysql://ann:[*]{3}@host/db is not supported"):
        open_store("mysql://ann:secret@host/db")
    with pytest.raises(InputError, match="'nonsense' cannot be read"):
        open_store("nonsense")


KILLED = """
import os, signal
from understudy.store.database import open_store
from understudy.store.registry import register
from understudy.testing.store_suite import record, saved
store = open_store({url!r})
number = saved(store)
with store.writing() as connection:
    register(connection, number, record("half"), actor="ann")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_while_it_registers_leaves_nothing_half_registered(url: str) -> None:
    code = KILLED.format(url=url)
    done = subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    with open_store(url).reading() as connection:
        number = task_number(connection, "late")
        assert connection.execute(sa.select(models)).all() == []
        assert [event.kind for event in read_events(connection, number)] == ["task.saved"]
        assert first_broken_event(connection, number) is None


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


def test_a_move_waits_its_turn_and_no_longer_while_others_write_without_a_pause(store: Store) -> None:
    with store.writing() as connection:
        number, _ = save_task(connection, "late", b"[task]", secret=b"s" * 32, actor="ann", at=1)
    stop, order = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            with store.writing() as connection:
                append_event(connection, number, at=0, actor="ann", kind="noted", body={})
                order.append("batch")

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            before = len(order)
            with store.writing() as connection:
                append_event(connection, number, at=0, actor="bob", kind="moved", body={})
                assert len(order) - before <= 8, "three writers, each at most once before its turn and those just going"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
