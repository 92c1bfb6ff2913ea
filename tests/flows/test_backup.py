"""A backup holds all that a workspace is made of, and nothing else can be restored from it."""

import io
import os
import stat
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.desk import Hands, ask, desk
from understudy.core.errors import ConflictError, DataError, StoreError
from understudy.core.task import duration
from understudy.flows.archive import archive
from understudy.flows.backup import backup, restore
from understudy.flows.golive import RunResult
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn
from understudy.flows.review import give_review
from understudy.flows.verify import verify
from understudy.flows.version import load_version
from understudy.flows.workspace import open_workspace
from understudy.store.schema import cases
from understudy.store.seals import seal


@pytest.fixture
def library(ran: tuple[Path, RunResult], tmp_path: Path) -> Library:
    """Two archived cases, and one that waits."""
    clock = Hands()
    library = desk(ran[0], tmp_path, ('# keep = "730d"', 'keep = "10d"'), clock=clock)
    head = load_head(library, "claims")
    ask(head, "ab")
    for name in "ab":
        give_review(head, "ann", name, "yes")
    with library.work.store.writing() as connection:
        seal(connection, head.number, clock.now())
    clock.at += duration("31d")
    learn(library, "claims")
    archive(library.work, "claims")
    ask(head, "c")
    (library.work.root / "understudy.toml").write_text("[engine]\nthreads = 1\n")
    return library


def test_what_a_task_file_names_beside_it_is_backed_up_and_nothing_else_there(library: Library, tmp_path: Path) -> None:
    tasks = library.work.root / "tasks"
    for name in ("claims-cases.csv", "notes.txt", "old cases.csv"):
        (tasks / name).write_text("amount,answer\n3,yes\n")
    assert backup(library.work, tmp_path / "b.tar").tasks == 1
    restore(tmp_path / "b.tar", tmp_path / "back")
    found = {place.name for place in (tmp_path / "back" / "tasks").iterdir()}
    assert found == {"claims.toml", "claims-cases.csv"}


def test_a_restored_workspace_is_the_same_and_answers(library: Library, tmp_path: Path) -> None:
    done = backup(library.work, tmp_path / "b.tar")
    assert (done.tasks, done.archives) == (1, 4)
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    assert sorted(place.name for place in tmp_path.iterdir()) == ["b.tar", "work"]
    back = restore(tmp_path / "b.tar", tmp_path / "back")
    assert back.aside == ""
    assert list(back.tasks) == verify(library.work)
    assert back.tasks[0].faults == ()
    assert back.tasks[0].archived["cases"] == 2
    work = open_workspace(tmp_path / "back")
    assert work.settings.engine.threads == 1
    assert work.read_task("claims") == library.work.read_task("claims")
    assert load_version(work, "claims").digest == load_version(library.work, "claims").digest
    left = {path.name for path in (tmp_path / "back").iterdir()}
    assert left == {".understudy", "tasks", "understudy.toml"}


def test_what_is_decided_while_it_is_backed_up_is_in_it_whole_or_not_at_all(library: Library, tmp_path: Path) -> None:
    stop = threading.Event()
    asked: list[str] = []

    def decide() -> None:
        head = load_head(library, "claims")
        while not stop.is_set():
            names = [f"x{len(asked) + n}" for n in range(20)]
            ask(head, names)
            asked.extend(names)

    thread = threading.Thread(target=decide)
    thread.start()
    try:
        while len(asked) < 100:
            stop.wait(0.01)
        before = len(asked)
        backup(library.work, tmp_path / "b.tar")
    finally:
        stop.set()
        thread.join()
    back = restore(tmp_path / "b.tar", tmp_path / "back")
    assert back.tasks[0].faults == ()
    with open_workspace(tmp_path / "back").store.reading() as connection:
        kept = set(connection.execute(sa.select(cases.c.id).where(cases.c.id.like("x%"))).scalars())
    assert set(asked[:before]) <= kept
    assert len(kept) % 20 == 0


def test_artifacts_that_are_missing_stop_a_backup_and_no_file_appears(library: Library, tmp_path: Path) -> None:
    next((library.work.root / ".understudy" / "objects").glob("*/*")).unlink()
    with pytest.raises(StoreError, match="is missing"):
        backup(library.work, tmp_path / "b.tar")
    assert [place.name for place in tmp_path.iterdir()] == ["work"]


def test_a_file_that_is_there_and_a_folder_that_is_not_are_refused(library: Library, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("precious")
    with pytest.raises(ConflictError, match="is there already"):
        backup(library.work, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_text() == "precious"
    with pytest.raises(DataError, match="There is no directory"):
        backup(library.work, tmp_path / "none" / "b.tar")


@pytest.mark.parametrize("name", [".understudy", "tasks", "understudy.toml"])
def test_a_directory_that_holds_a_workspace_is_left_alone(library: Library, tmp_path: Path, name: str) -> None:
    backup(library.work, tmp_path / "b.tar")
    (tmp_path / "back" / name).mkdir(parents=True)
    with pytest.raises(ConflictError, match="holds a workspace already"):
        restore(tmp_path / "b.tar", tmp_path / "back")
    assert [place.name for place in (tmp_path / "back").rglob("*")] == [name]


def add(tar: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    member.size = 1 if kind == tarfile.REGTYPE else 0
    tar.addfile(member, io.BytesIO(b"x"))


@pytest.mark.parametrize(
    "poison",
    [
        lambda tar: add(tar, "../evil"),
        lambda tar: add(tar, "/etc/evil"),
        lambda tar: add(tar, "tasks/../../evil.toml"),
        lambda tar: add(tar, "objects/" + "a" * 64, tarfile.SYMTYPE, "/etc/passwd"),
        lambda tar: add(tar, "objects/" + "a" * 64, tarfile.LNKTYPE, "store.db"),
        lambda tar: add(tar, "tasks/pipe.toml", tarfile.FIFOTYPE),
        lambda tar: add(tar, "sitecustomize.py"),
    ],
    ids=["above", "absolute", "through", "symlink", "hardlink", "pipe", "unknown"],
)
def test_a_file_with_anything_but_known_names_is_no_backup(
    library: Library, tmp_path: Path, poison: Callable[[tarfile.TarFile], None]
) -> None:
    backup(library.work, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar", "a") as tar:
        poison(tar)
    with pytest.raises(DataError, match="is no backup of a workspace"):
        restore(tmp_path / "b.tar", tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_what_is_no_tar_file_or_not_there_is_answered_in_words(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(os.urandom(5000))
    with pytest.raises(DataError, match="is no backup that can be read"):
        restore(tmp_path / "b.tar", tmp_path / "back")
    with pytest.raises(DataError, match="There is no file"):
        restore(tmp_path / "none.tar", tmp_path / "back")


def test_settings_that_name_another_store_stand_aside(library: Library, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (library.work.root / "understudy.toml").write_text(f'[store]\nartifacts = "{elsewhere}"\n')
    backup(library.work, tmp_path / "b.tar")
    back = restore(tmp_path / "b.tar", tmp_path / "back")
    assert back.aside.endswith("understudy.toml.from-backup")
    assert back.tasks[0].faults == ()
    assert not (tmp_path / "back" / "understudy.toml").exists()


def test_a_postgresql_store_is_left_to_pg_dump(postgres: Callable[[], str], tmp_path: Path) -> None:
    (tmp_path / "understudy.toml").write_text(f'[store]\nurl = "{postgres()}"\n')
    with pytest.raises(ConflictError, match="Use pg_dump, and copy"):
        backup(open_workspace(tmp_path), tmp_path / "b.tar")
