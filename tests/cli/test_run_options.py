"""What `understudy run` offers to say of its search, and how it shows it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from conftest import claims
from understudy.cli.leaderboard import leaderboard
from understudy.models.search import Standing, Trial


def understudy(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "understudy", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    path = tmp_path_factory.mktemp("work")
    claims(300).write_csv(path / "claims.csv")
    return path


ASKED = ("run", "claims.csv", "--target", "pay", "--drop", "paid_amount")


def test_the_json_of_a_run_carries_it_all_and_its_version_names_it_for_a_replay(workspace):
    options = ("--trials", 3, "--recipes", "logistic,ridge", "--recipes", "tree", "--single", "--json")
    done = understudy(*ASKED, *options, cwd=workspace)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {row["recipe"] for row in result["leaderboard"]} == {"logistic", "tree"}
    assert max(row["weight"] for row in result["leaderboard"]) == 1.0
    assert 0 < result["training_seconds"] <= result["seconds"]
    assert result["reused"] == ""
    version = result["model"]["version"]
    again = understudy("run", "claims.csv", "--replay", version[:12], "--json", cwd=workspace)
    assert json.loads(again.stdout)["model"]["version"] == version


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--recipes", "forrest"), "There is no recipe 'forrest'"),
        (("--strategy", "guess"), "portfolio+tpe, grid, random"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(options, said, workspace):
    done = understudy(*ASKED, "--trials", 1, *options, cwd=workspace)
    assert done.returncode in (1, 2)
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def trial(number, state, score=None, folds=(), error=""):
    return Trial(
        number=number,
        recipe="logistic",
        params={},
        stage="search",
        state=state,
        score=score,
        fold_scores=folds,
        seconds=1.25,
        error=error,
    )


def drawn(standing, rows=12):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(leaderboard(standing, rows))
    return console.export_text().splitlines()


def test_the_leaderboard_ranks_trials_by_how_far_they_came_and_by_loss():
    trials = (
        trial(0, "failed", error="the matrix is singular"),
        trial(1, "running", 0.30, (0.30,)),
        trial(2, "complete", 0.50, (0.5, 0.5, 0.5)),
        trial(3, "complete", 0.40, (0.4, 0.4, 0.4)),
    )
    lines = drawn(Standing(trials=trials, weights={3: 0.75, 2: 0.25}, folds=3, running=1, left=10.0))
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert ["0.4" in lines[1], "75%" in lines[1], "3 of 3" in lines[1]] == [True] * 3
    assert "25%" in lines[2]
    assert "1 of 3" in lines[3]
    assert "failed: the matrix is singular" in lines[4]


def test_a_long_leaderboard_is_cut():
    trials = tuple(trial(number, "complete", 0.1 * number, (0.1 * number,)) for number in range(20))
    lines = drawn(Standing(trials=trials, weights={}, folds=1, running=0, left=0.0), rows=5)
    assert len(lines) == 7
    assert "and 15 more" in lines[-1]
