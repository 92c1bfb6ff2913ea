"""A failed check is overridden, shown and withdrawn by typing it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.leak import run_with_leak


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_with_leak(tmp_path_factory.mktemp("typed"))


def types(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "understudy", *words, "--task", "claims"]
    wide = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=wide)


def test_a_check_is_overridden_shown_and_withdrawn(root: Path) -> None:
    done = types(root, "override", "latest", "--check", "US003", "--reason", "Known before.", "--actor", "ann")
    assert done.returncode == 0, done.stderr
    assert "US003 No suspected leak failed: It uses settled" in done.stdout
    assert "Overridden by ann on" in done.stdout
    assert "of claims: it is the champion, at level shadow." in done.stdout
    assert "failed, overridden: US003 by ann" in types(root, "models").stdout
    status = types(root, "status").stdout
    assert "overridden" in status
    assert "Known before." in status
    taken = types(root, "override", "champion", "--check", "us003", "--withdraw", "--json")
    found = json.loads(taken.stdout)
    assert (found["overrides"], found["deployed"]["level"], found["deployed"]["champion"]) == ([], "human", "")
