"""The rehearsal and the demonstration as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import claims
from understudy.core.errors import DataError
from understudy.evaluation.rehearsal import Backtest
from understudy.flows import demo


def understudy(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "understudy", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rehearsal")
    claims().write_csv(root / "claims.csv")
    return root


OPTIONS = ("--target", "pay", "--drop", "paid_amount", "--trials", 1, "--start", 0.5, "--delay", 30)


def test_machines_get_every_figure(place: Path) -> None:
    done = understudy("backtest", "claims.csv", *OPTIONS, "--days", 30, "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == set(Backtest.__struct_fields__)
    assert (result["rows"], result["trained_on"], result["cases"]) == (600, 300, 300)
    assert result["errors"]["max_error"] == 0.05
    assert set(result["seconds"]) == {"training", "rehearsal"}
    assert result["moves"][0]["by"] == "rehearsal"
    assert Path(result["report"]).is_file()


def test_people_get_a_timeline_and_a_conclusion(place: Path) -> None:
    done = understudy("backtest", "claims.csv", *OPTIONS, "--time", "day", "--task", "paying", cwd=place)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    for part in ("paying", "known after 30 further cases", "shadow", "2024-", "understudy pause --task paying"):
        assert part in said
    assert not (place / "tasks").exists()
    assert not (place / ".understudy").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--delay", "soon"), "neither a number of cases, a duration nor a column"),
        (("--start", "1.0"), "between 0 and 1"),
        (("--start", "0.01"), "would be known at the start"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_a_sentence(place: Path, words: tuple, message: str) -> None:
    done = understudy("backtest", "claims.csv", "--target", "pay", "--trials", 1, *words, cwd=place)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demonstration_finds_its_flights_or_says_where_they_are(monkeypatch, tmp_path: Path) -> None:
    assert demo.find_flights().is_file()
    assert 0.1 < demo.winter_share(demo.find_flights()) < 0.2
    monkeypatch.setattr(demo, "FLIGHTS", Path("elsewhere") / "flights.csv.gz")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="part of the repository"):
        demo.find_flights()
