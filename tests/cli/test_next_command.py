"""`next` and `report` as a user types them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from listed import copied, without_worklist
from understudy.cli.main import app
from understudy.cli.show import console
from understudy.core.errors import InputError, NotFoundError
from understudy.flows.golive import RunResult
from understudy.flows.workspace import Workspace


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is wide enough for every line, whatever was imported before."""
    monkeypatch.setattr(console, "_width", 160)


@pytest.fixture
def work(ran: tuple[Path, RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = copied(ran[0], tmp_path / "w")
    monkeypatch.chdir(made.root)
    return made


def typed(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception:
        raise done.exception
    return done.stdout


def test_the_list_is_shown_with_its_reasons_and_figures(work: Workspace) -> None:
    text = typed("next", "-t", "claims")
    assert "It is wrong in 100 of 1,000 cases." in text
    lines = text.splitlines()
    first = next(line for line in lines if "Collect more from the north" in line)
    assert first.split()[0] == "1"
    assert "20" in first
    assert "40.0%" in first
    assert first.rstrip().endswith("days")
    assert text.index("Collect more") < text.index("Look at 12 labels") < text.index("Hand the north")
    assert "They contradict." in text
    assert "clean labels: pay" in text


def test_what_is_said_of_rows_is_kept_and_shown(work: Workspace) -> None:
    text = typed("next", "-t", "claims", "--effort", "pay=2d", "--tag", "pay=noise, season", "--done", "1")
    assert "[noise]  [season]" in text
    assert "16 h" in text
    assert "✓ done" in text
    found = json.loads(typed("next", "-t", "claims", "--json"))
    items = {
        item["action"]["subject"]: item for item in found["worklist"]["items"] if item["action"]["kind"] != "split off"
    }
    assert items["pay"]["hours"] == 16
    assert items["pay"]["tags"] == ["noise", "season"]
    assert items["region = north"]["state"] == "done"
    assert "✓ done" not in typed("next", "-t", "claims", "--undo", "collect data", "--effort", "pay=", "--tag", "pay=")


def test_the_page_with_the_list_as_it_stands_is_written(work: Workspace) -> None:
    assert "Report → n.html" in typed("next", "-t", "claims", "--tag", "1=mine", "--html", "n.html")
    assert '<span class="pill">mine</span>' in (work.root / "n.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--effort", "pay=soon"), r"'soon' is no effort[\s\S]*30m, 2d"),
        (("--effort", "pay=-1"), r"'-1' is no effort"),
        (("--effort", "pay=nan"), r"'nan' is no effort"),
        (("--effort", "6"), r"does not say which row"),
        (("--done", "nobody"), r"No one row"),
    ],
)
def test_what_cannot_be_said_is_answered_with_the_way_out(work: Workspace, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        typed("next", "-t", "claims", *words)


def test_an_older_version_says_that_it_has_no_list(work: Workspace) -> None:
    without_worklist(work)
    with pytest.raises(NotFoundError, match="before worklists were kept"):
        typed("next", "-t", "claims", "-w", work.root)


def test_each_form_of_the_report_has_its_file(work: Workspace) -> None:
    for words, name in (
        ((), "claims-report.html"),
        (("-f", "json"), "claims-report.json"),
        (("-f", "markdown"), "claims-report.md"),
        (("-f", "card"), "claims-card.md"),
        (("-o", "pr.md"), "pr.md"),
    ):
        assert f"Report → {name}" in typed("report", "-t", "claims", *words)
        assert (work.root / name).stat().st_size > 1000
    assert (work.root / "pr.md").read_text() == (work.root / "claims-report.md").read_text()


def test_a_report_goes_to_the_terminal_and_to_machines(work: Workspace) -> None:
    assert typed("report", "-t", "claims", "-f", "markdown", "-o", "-").startswith("# ")
    values = json.loads(typed("report", "-t", "claims", "--json"))
    assert values["task"] == "claims"
    assert len(values["worklist"]["items"]) == 3


def test_it_is_opened_where_that_is_asked_for(work: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    typed("report", "-t", "claims", "--open")
    assert opened == [str(work.root / "claims-report.html")]


def test_a_form_that_is_not_there_is_answered_with_those_that_are(work: Workspace) -> None:
    with pytest.raises(InputError, match=r"no format 'pdf'[\s\S]*html, json, markdown, card"):
        typed("report", "-t", "claims", "-f", "pdf")
