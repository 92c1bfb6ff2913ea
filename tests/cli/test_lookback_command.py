"""`understudy lookback` and `understudy status` say what was decided, what it cost, and what is promised."""

import json
from pathlib import Path

import pytest

from flows.desk import FRESH, ask, desk, other, said, tell, to_level
from understudy.cli.lookback import lookback
from understudy.cli.status import status
from understudy.core.nouns import Level
from understudy.flows.head import load_head
from understudy.flows.learn import learn
from understudy.flows.moves import set_level

NAMES = [f"c{number}" for number in range(30)]


@pytest.fixture
def root(ran, tmp_path) -> Path:
    """It decided thirty cases; two of those that are known were wrong, and it was taken back by hand."""
    library = desk(ran[0], tmp_path, ("strange_limit = 0.99", "strange_limit = 0.999999"))
    to_level(library, Level.PARTIAL, {"yes": 0.0, "no": 0.0})
    ask(load_head(library, "claims"), NAMES, FRESH)
    answers = said(library, NAMES)
    tell(library, NAMES[:25], [*answers[:20], *map(other, answers[20:22]), *answers[22:25]])
    learn(library, "claims")
    set_level(library.work, "claims", Level.ASSIST, actor="ann", why="Complaints.")
    learn(library, "claims")
    return library.work.root


def test_it_tells_what_it_cost_and_lists_the_cases(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lookback("claims", workspace=root, limit=7)
    told = capsys.readouterr().out
    assert "Since then it decided 10 cases by itself; 5 of them are settled, and 5 of these were looked at." in told
    assert "Of the settled ones 2 were wrong, where 0.2 were promised at most: 1.8 too many, or 35 in 100." in told
    listed = [line.split()[0] for line in told.splitlines() if line.startswith("c2")]
    assert listed == NAMES[20:27]
    after = told.split("--after ")[1].strip()
    lookback("claims", workspace=root, after=int(after))
    rest = capsys.readouterr().out
    assert [line.split()[0] for line in rest.splitlines() if line.startswith("c2")] == NAMES[27:]
    assert "More:" not in rest


def test_it_puts_them_back_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lookback("claims", workspace=root, review=True)
    first = capsys.readouterr().out
    assert " cases were put back into the queue; " in first
    lookback("claims", workspace=root, review=True, json=True)
    again = json.loads(capsys.readouterr().out)
    assert again["queued"] == 0
    assert 0 < again["waiting"] <= 5
    lookback("claims", workspace=root, json=True)
    report = json.loads(capsys.readouterr().out)
    assert [case["again"] for case in report["cases"]].count("waits") == again["waiting"]


def test_where_nothing_was_decided_it_says_so(ran, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    library = desk(ran[0], tmp_path)
    lookback("claims", workspace=library.work.root)
    assert "It has never decided anything by itself." in capsys.readouterr().out


def test_status_tells_the_owner_s_sentence(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status("claims", workspace=root)
    told = capsys.readouterr().out
    assert "in short" in told
    assert "It suggests and decides nothing: people decide every case." in told
