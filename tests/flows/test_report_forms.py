"""A report is written in each form, opens with the worklist as it stands, and stays as it was where there is none."""

from pathlib import Path

import msgspec
import pytest

import understudy
from listed import copied, without_worklist
from understudy.core.errors import DataError, NotFoundError
from understudy.flows.golive import RunResult
from understudy.flows.models import beside
from understudy.flows.next import Said, note
from understudy.flows.report import load_report, report_text, write_report
from understudy.flows.workspace import Workspace


@pytest.fixture(scope="module")
def work(ran: tuple[Path, RunResult], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = copied(ran[0], tmp_path_factory.mktemp("forms") / "w")
    note("claims", Said(tags={"pay": ("noise",)}), actor="ada", workspace=made.root)
    return made


def test_a_version_without_a_worklist_has_the_page_that_was_registered(
    ran: tuple[Path, RunResult], tmp_path: Path
) -> None:
    work = copied(ran[0], tmp_path / "w")
    without_worklist(work)
    place = write_report("claims", tmp_path / "r.html", workspace=work.root)
    assert place.read_bytes() == beside(work, "claims", "latest", "report.html")
    assert load_report("claims", workspace=work.root).worklist is None


def test_the_page_has_the_worklist_as_it_stands_and_the_chapters(work: Workspace) -> None:
    page = report_text("claims", workspace=work.root)
    assert "Collect more from the north" in page
    assert '<span class="pill">noise</span>' in page
    assert "Claims from the north." in page
    assert "<dt>Snapshot</dt><dd>" in page


def test_json_is_every_figure_and_the_worklist(work: Workspace) -> None:
    values = msgspec.json.decode(report_text("claims", "json", workspace=work.root))
    assert values["evaluation"]["metrics"]["log_loss"]["estimate"] > 0
    assert values["worklist"]["items"][1]["tags"] == ["noise"]
    assert values["snapshot_purged"] is False


def test_markdown_and_card_are_written_and_a_card_may_be_a_page(work: Workspace, tmp_path: Path) -> None:
    text = report_text("claims", "markdown", workspace=work.root)
    assert "Collect more from the north" in text
    assert "Claims from the north." in text
    card = write_report("claims", tmp_path / "card.md", form="card", workspace=work.root).read_text()
    assert card.startswith("# Model card: ")
    assert "Collect more from the north" in card
    page = write_report("claims", tmp_path / "card.html", form="card", workspace=work.root).read_text()
    assert page.startswith("<!doctype html>")


def test_the_public_name_loads_it(work: Workspace) -> None:
    report = understudy.load_report("claims", workspace=work.root)
    assert isinstance(report, understudy.Report)
    assert report.frame("worklist")["subject"].to_list()[0] == "region = north"
    assert report.task is not None


def test_a_place_or_a_task_that_is_not_there_is_named(work: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no directory .*nowhere"):
        write_report("claims", tmp_path / "nowhere" / "r.html", workspace=work.root)
    with pytest.raises(NotFoundError, match="no task 'other'"):
        load_report("other", workspace=work.root)
