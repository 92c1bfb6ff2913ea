"""`learn`, `approve` and `retrain`, as cron and people call them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import claims
from understudy.flows.decide import Asked, decide_batch
from understudy.flows.head import Library, load_head
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.workspace import open_workspace

TABLE = claims(200, seed=7)


@pytest.fixture
def work(ran, tmp_path: Path) -> Path:
    """A workspace whose task asks for a new version after 100 labels, with 120 cases and their outcomes."""
    root = tmp_path / "work"
    shutil.copytree(ran[0], root)
    file = root / "tasks" / "claims.toml"
    text = file.read_text().replace("# after_labels = 1000", "after_labels = 100")
    file.write_text(text.replace("max_error = 0.05", "max_error = 0.6"))
    types(root, "apply")
    head = load_head(Library(open_workspace(root)), "claims")
    rows = TABLE.drop("pay", "paid_amount").head(120).iter_rows(named=True)
    decide_batch(head, [Asked(f"c{number}", True, row) for number, row in enumerate(rows)])
    told = [Outcome(id=f"c{number}", outcome=answer) for number, answer in enumerate(TABLE["pay"].head(120))]
    give_outcomes(head, "shop", told)
    return root


def types(work: Path, *words: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "understudy", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=work, env=os.environ | {"COLUMNS": "160"}
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def gets(work: Path, *words: object, code: int = 0) -> Any:
    return json.loads(types(work, *words, "--json", code=code))


def test_a_pass_settles_once_proposes_and_the_move_is_made_by_approval(work: Path) -> None:
    said = types(work, "learn")
    assert "120 cases settled." in said
    assert "Waits for you: step_up, to partial." in said
    assert "understudy approve --task claims" in said
    assert "A new version is due. 120 new labels" in said
    (again,) = gets(work, "learn", "--task", "claims")["tasks"]
    assert (again["settled"], again["proposed"]["kind"], again["made"]) == (0, "step_up", None)
    assert gets(work, "approve", "--task", "claims", "--why", "Fine.")["level"] == "partial"
    assert "Fine." in types(work, "history", "--task", "claims")
    assert "No move waits" in types(work, "approve", "--task", "claims", code=1)


def test_learn_retrains_where_it_is_due_and_then_not_again(work: Path) -> None:
    (first,) = gets(work, "learn", "--retrain", "--trials", 1)["tasks"]
    assert first["due"].startswith("120 new labels")
    (second,) = gets(work, "learn", "--retrain", "--trials", 1)["tasks"]
    assert (second["due"], second["retrained"]) == ("", None)
    assert [one["version"] for one in second["challengers"]] == [first["retrained"]["model"]["version"]]


def test_retrain_trains_by_hand_and_shows_what_came_of_it(work: Path) -> None:
    assert "No live case of claims has a label yet" in types(work, "retrain", "-t", "claims", code=1)
    types(work, "learn")
    result = gets(work, "retrain", "-t", "claims", "--trials", 1)
    assert result["rows"] == 720
    assert "challenger" in types(work, "history", "-t", "claims")
