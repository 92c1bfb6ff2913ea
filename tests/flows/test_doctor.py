"""Each check fails when what it checks is wrong, and names the way out."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import sqlalchemy as sa

from understudy.flows import doctor as checks
from understudy.flows.doctor import Finding, doctor
from understudy.flows.golive import RunResult
from understudy.flows.workspace import open_workspace
from understudy.store.schema import events


@pytest.fixture
def root(ran: tuple[Path, RunResult], tmp_path: Path) -> Path:
    shutil.copytree(ran[0], tmp_path / "work")
    return tmp_path / "work"


def found(root: Path, name: str) -> Finding:
    (one,) = (one for one in doctor(root) if one.name == name)
    return one


def write(root: Path, statement: sa.Executable | str) -> None:
    with open_workspace(root).store.writing() as connection:
        connection.execute(sa.text(statement) if isinstance(statement, str) else statement)


def test_a_sound_workspace_passes_every_check(root: Path) -> None:
    seen = doctor(root)
    assert [one for one in seen if one.state != "pass" and one.name != "space"] == []
    names = ["versions", "directory", "space", "settings", "store", "durability", "task files", "event logs"]
    assert [one.name for one in seen] == [*names, "artifacts", "clock"]
    assert [one.way_out for one in seen if one.name != "space"] == [""] * 9


def test_an_empty_directory_stays_empty(tmp_path: Path) -> None:
    one = found(tmp_path, "store")
    assert (one.state, one.way_out) == ("fail", "Begin with: understudy run DATA --target COLUMN")
    assert list(tmp_path.iterdir()) == []
    assert found(tmp_path / "none", "directory").state == "fail"


def test_a_store_of_another_understudy_is_named_and_not_upgraded(root: Path) -> None:
    write(root, "UPDATE understudy_version SET version_num = '9999'")
    one = found(root, "store")
    assert (one.state, one.detail) == ("fail", "has schema 9999")
    assert one.way_out == "Upgrade: pip install --upgrade understudy"
    shutil.rmtree(root / ".understudy")
    (root / ".understudy").mkdir()
    (root / ".understudy" / "store.db").write_text("this is no database at all " * 50)
    assert "cannot be opened: file is not a database" in found(root, "store").detail


def test_a_task_file_with_a_fault_is_named(root: Path) -> None:
    file = root / "tasks" / "claims.toml"
    file.write_text(file.read_text().replace("max_error = 0.05", "max_error = 7"))
    one = found(root, "task files")
    assert one.state == "fail"
    assert "claims.toml" in one.detail
    assert "max_error" in one.detail


def test_a_broken_event_log_and_a_missing_artifact_are_named(root: Path) -> None:
    write(root, events.update().where(events.c.seq == 2).values(actor="eve"))
    next((root / ".understudy" / "objects").glob("*/*")).unlink()
    assert "claims: The event log is broken at event 2" in found(root, "event logs").detail
    assert "is missing from" in found(root, "artifacts").detail


def test_a_clock_behind_the_newest_record_is_told(root: Path) -> None:
    write(root, events.update().where(events.c.seq == 1).values(at=4_000_000_000_000_000))
    one = found(root, "clock")
    assert one.state == "fail"
    assert "minutes behind the newest record" in one.detail


def test_a_password_that_others_can_read_is_told(root: Path) -> None:
    settings = root / "understudy.toml"
    settings.write_text('[store]\nurl = "postgresql://ann:secret@127.0.0.1:1/none"\n')
    settings.chmod(0o644)
    one = found(root, "settings")
    assert (one.state, one.way_out) == ("fail", f"chmod 600 {settings}")
    settings.chmod(0o600)
    assert found(root, "settings").state == "pass"
    assert "cannot be opened" in found(root, "store").detail
    assert "secret" not in str(doctor(root))
    settings.write_text("[stor]\n")
    assert found(root, "settings").state == "fail"


def test_little_room_is_a_warning(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: usage(0, 0, 10**9 - 1))
    assert found(root, "space").state == "warn"
