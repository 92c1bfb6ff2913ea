"""The commands as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import claims
from understudy.cli.main import COMMANDS


def understudy(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "understudy", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_a_first_day_from_init_to_export(tmp_path: Path) -> None:
    claims().write_csv(tmp_path / "claims.csv")
    first = understudy("init", "claims.csv", "--target", "pay", "--drop", "paid_amount", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "Task file →" in first.stdout
    ran = understudy("run", "claims.csv", "--trials", 1, "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert result["model"]["compiled"] is True
    listed = json.loads(understudy("models", "--task", "claims", "--json", cwd=tmp_path).stdout)
    assert [record["version"] for record in listed["versions"]] == [result["model"]["version"]]
    scored = understudy("predict", "claims.csv", "-t", "claims", "-o", "out.csv", cwd=tmp_path)
    assert "600 rows scored by" in scored.stdout
    assert understudy("report", "-t", "claims", cwd=tmp_path).returncode == 0
    assert understudy("export", "-t", "claims", cwd=tmp_path).returncode == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"out.csv", "claims-report.html", "claims-onnx.zip", "reports", "tasks", ".understudy"} <= names


def test_explain_says_what_was_done_and_why(tmp_path: Path) -> None:
    claims().write_csv(tmp_path / "claims.csv")
    done = understudy("run", "claims.csv", "--target", "pay", "--trials", 1, "--explain", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    steps = ["read", "contract", "split", "searched", "compiled", "evaluated", "checked", "registered"]
    places = [done.stderr.index(f"{step}") for step in steps]
    assert places == sorted(places)
    assert "left out claim_id (different in every row)" in done.stderr
    assert "Next:" in done.stdout or "does not go to shadow" in done.stdout


@pytest.mark.parametrize(
    "words", [("run", "none.csv", "--target", "x"), ("predict", "a.csv", "-t", "none", "-o", "o.csv")]
)
def test_errors_are_sentences_without_a_stack_trace(words: tuple, tmp_path: Path) -> None:
    done = understudy(*words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_errors_are_objects_for_machines(tmp_path: Path) -> None:
    done = understudy("run", "none.csv", "--target", "x", "--json", cwd=tmp_path)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "DataError"
    assert error["message"] == "There is no file none.csv."


def test_every_command_has_help_and_a_mistyped_one_is_answered() -> None:
    listing = understudy("--help").stdout
    for name, command in COMMANDS.items():
        assert name in listing
        assert command.help[:30] in listing
        assert understudy(name, "--help").returncode == 0
    assert "Did you mean run?" in understudy("rnu").stderr
    assert understudy("--version").stdout.strip()
