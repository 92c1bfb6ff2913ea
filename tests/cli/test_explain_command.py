"""`understudy explain` shows why one case is answered as it is."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import claims
from understudy.cli.main import app
from understudy.core.errors import InputError, NotFoundError
from understudy.flows.golive import RunResult

ROW = {name: value for name, value in claims(1, 3).to_dicts()[0].items() if name not in ("pay", "paid_amount")}


def said(ran: tuple[Path, RunResult], *more: str) -> str:
    result = CliRunner().invoke(app, ["explain", "--task", "claims", "--workspace", str(ran[0]), *more])
    if result.exception:
        raise result.exception
    return result.output


def test_the_facts_come_first_and_every_column_has_its_bar(ran: tuple[Path, RunResult]) -> None:
    text = said(ran, "--case", json.dumps(ROW))
    assert "It answers " in text
    assert " moved it towards " in text
    rows = [line for line in text.splitlines() if "│" in line]
    assert len(rows) == 6, "five columns and the head"
    assert all("█" in line for line in rows[1:3])


def test_as_json_it_holds_every_column(ran: tuple[Path, RunResult]) -> None:
    found = json.loads(said(ran, "--case", json.dumps(ROW), "--json"))
    reasons = found["reasons"]
    total = sum(fact["contribution"] for fact in reasons["facts"])
    assert total == pytest.approx(reasons["score"] - reasons["base"])
    assert {fact["column"] for fact in reasons["facts"]} == {"day", "amount", "region", "age", "report"}


def test_what_is_no_case_is_told_so(ran: tuple[Path, RunResult]) -> None:
    with pytest.raises(NotFoundError, match="no case 'C77'"):
        said(ran, "--case", "C77")
    with pytest.raises(InputError, match="no JSON object"):
        said(ran, "--case", "{amount")
