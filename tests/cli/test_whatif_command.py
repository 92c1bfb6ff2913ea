"""`understudy whatif` shows the answer, what can be promised, and what it rests on; in text and JSON."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import understudy
from understudy.autonomy.whatif_words import conclusion
from understudy.cli.main import app, main
from understudy.flows.golive import RunResult

runner = CliRunner()


@pytest.fixture(scope="module")
def place(ran: tuple[Path, RunResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of its own, since opening a store may write."""
    return Path(shutil.copytree(ran[0], tmp_path_factory.mktemp("whatif") / "work"))


def shown(place: Path, *words: str) -> str:
    done = runner.invoke(app, ["whatif", "--task", "claims", "--workspace", str(place), *words])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_it_says_the_answer_and_what_it_rests_on(place: Path) -> None:
    result = understudy.whatif("claims", workspace=place, max_error=0.3)
    said = shown(place, "--max-error", "0.3")
    for sentence in (*conclusion(result), *result.notes):
        assert " ".join(sentence.split()) in said
    assert "From history, not live" in said
    assert "wrong cost of" in said


def test_a_promise_that_nothing_keeps_is_answered_with_the_closest(place: Path) -> None:
    said = shown(place, "--max-error", "0.001")
    assert "No threshold keeps 0.1 %; the closest is " in said


def test_json_holds_the_conclusion_and_every_figure(place: Path) -> None:
    options = ["--min-coverage", "0.2", "--review-cost", "2", "--confidence", "0.9", "--cases-per-day", "40"]
    found = json.loads(shown(place, "--json", *options))
    assert found["terms"]["confidence"] == 0.9
    assert found["people"]["cost"]["estimate"] == 2000
    assert found["people"]["reviews_per_day"] == 40
    assert {"conclusion", "sides", "frontier", "chosen", "notes", "certified"} <= found.keys()


def test_a_file_is_written_and_named(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "what.svg"
    assert f"Picture → {out}" in shown(place, "--out", str(out))
    assert out.read_text(encoding="utf-8").startswith("<svg")


def test_a_number_outside_its_range_ends_with_status_2(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["understudy", "whatif", "--task", "claims", "--workspace", str(place), "--max-error", "5", "--json"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "max_error is above 0" in json.loads(capsys.readouterr().out)["error"]["message"]
