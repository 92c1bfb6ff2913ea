"""The commands that keep a store in order, as an owner types them."""

import hmac
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from understudy.flows.golive import RunResult
from understudy.flows.workspace import open_workspace
from understudy.store.casebook import append_cases
from understudy.store.schema import cases
from understudy.store.seals import seal
from understudy.testing.store_suite import NOW, bare_case


@pytest.fixture
def work(ran: tuple[Path, RunResult], tmp_path: Path) -> Path:
    """A workspace with a sealed case about nobody."""
    root = tmp_path / "work"
    shutil.copytree(ran[0], root)
    with open_workspace(root).store.writing() as connection:
        append_cases(connection, 1, [bare_case("a")])
        connection.execute(cases.update().values(digest=hmac.digest(b"s" * 16, b"{}", "sha256")))
        seal(connection, 1, NOW)
    return root


def types(work: Path, *words: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "understudy", *map(str, words)]
    wide = os.environ | {"COLUMNS": "160"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work, env=wide)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def gets(work: Path, *words: object, code: int = 0) -> Any:
    return json.loads(types(work, *words, "--json", code=code))


def test_verify_prints_the_head_and_what_is_sealed(work: Path) -> None:
    said = types(work, "verify")
    (one,) = gets(work, "verify")["tasks"]
    assert "claims: 4 events, 1 seals" in said
    assert "sealed: 1 cases" in said
    assert f"head: {one['head']}" in said
    assert gets(work, "verify", "--task", "claims", "--head", one["head"])["sound"] is True


def test_verify_ends_with_1_and_a_line_for_each_fault(work: Path) -> None:
    with open_workspace(work).store.writing() as connection:
        connection.execute(cases.update().values(decision="no"))
    assert "The rows 1 to 1 of cases are not as event 4 has sealed them: edited." in types(work, "verify", code=1)
    assert gets(work, "verify", code=1)["sound"] is False
    assert "No event has the hash aaaaaaaaaaaa…" in types(work, "verify", "-t", "claims", "--head", "a" * 64, code=1)
    assert "Say --task NAME --head HASH" in types(work, "verify", "--head", "a" * 64, code=2)


def test_erase_says_what_was_erased_and_models_and_report_remember(work: Path) -> None:
    file = work / "tasks" / "claims.toml"
    file.write_text(file.read_text().replace('# subject = "customer_id"', 'subject = "claim_id"'))
    types(work, "apply")
    assert "Inputs erased: 1 of 1 cases found" in types(work, "erase", "-t", "claims", "--id", "a")
    assert gets(work, "erase", "-t", "claims", "--id", "a")["cases"] == 0
    assert gets(work, "erase", "-t", "claims", "--subject", "C00001")["rows"] == 1
    assert "champion, shadow, snapshot purged" in types(work, "models", "-t", "claims")
    assert "snapshot purged" in types(work, "report", "-t", "claims")
    assert gets(work, "report", "-t", "claims")["snapshot_purged"] is True
    assert "holds nothing about this person" in types(work, "erase", "-t", "claims", "--subject", "nobody", code=2)
    assert "Say what to erase" in types(work, "erase", "-t", "claims", code=2)


def test_a_backup_is_restored_and_verified(work: Path, tmp_path: Path) -> None:
    assert "Backup → " in types(work, "backup", tmp_path / "b.tar")
    assert "is there already" in types(work, "backup", tmp_path / "b.tar", code=1)
    said = types(work, "restore", tmp_path / "b.tar", "--workspace", tmp_path / "back")
    assert "Restored → " in said
    assert "claims: 4 events, 1 seals" in said
    assert "holds a workspace already" in types(work, "restore", tmp_path / "b.tar", "-w", tmp_path / "back", code=1)


def test_archive_says_what_is_missing_or_that_nothing_can_leave_yet(work: Path) -> None:
    assert 'Write keep = "730d"' in types(work, "archive", "-t", "claims", code=2)
    file = work / "tasks" / "claims.toml"
    file.write_text(file.read_text().replace('# keep = "730d"', 'keep = "100000d"'))
    types(work, "apply")
    assert "Nothing can be archived yet" in types(work, "archive", "-t", "claims")
    file.write_text(file.read_text().replace('keep = "100000d"', 'keep = "1d"'))
    types(work, "apply")
    assert gets(work, "archive", "-t", "claims")["rows"] == {"cases": 1, "inputs": 1, "predictions": 0}
    assert gets(work, "verify")["tasks"][0]["archived"]["cases"] == 1


def test_gc_says_how_much_it_removed(work: Path) -> None:
    assert "0 artifacts would be removed, 0.0 MB." in types(work, "gc", "--dry-run")
    assert gets(work, "gc") == {"artifacts": 0, "bytes": 0, "removed": True}


def test_doctor_ends_with_1_where_a_check_fails(work: Path, tmp_path: Path) -> None:
    said = types(work, "doctor")
    assert "✓ store: opens, with schema" in said
    assert "✓ durability: SQLite's journal is wal, synchronous 2" in said
    empty = types(tmp_path, "doctor", "-w", tmp_path / "empty", code=1)
    assert "✕ directory:" in empty
    assert gets(tmp_path, "doctor", "-w", tmp_path / "empty", code=1)["sound"] is False
    assert not (tmp_path / "empty").exists()


def test_migrate_store_says_which_lines_to_write(work: Path, postgres: Callable[[], str]) -> None:
    url = postgres()
    said = types(work, "migrate-store", "--to", url)
    assert "rows copied to postgresql://" in said
    assert "[store]\nurl = " in said
    assert "not empty" in types(work, "migrate-store", "--to", url, code=1)
    (work / "understudy.toml").write_text(f'[store]\nurl = "{url}"\n')
    assert gets(work, "verify")["sound"] is True
