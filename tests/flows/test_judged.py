"""The rows of a version are found again, from a file or the log, or it is said that they cannot be."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import understudy
from conftest import claims
from flows.desk import Hands, ask, desk
from understudy.core.errors import ConflictError
from understudy.flows.compare import compare
from understudy.flows.erase import erase
from understudy.flows.golive import RunResult
from understudy.flows.head import Library, load_head
from understudy.flows.judged import Judged, find_judged, untouched
from understudy.flows.learn import learn
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.retrain import retrain
from understudy.flows.version import load_version
from understudy.flows.workspace import open_workspace

TABLE = claims(300, seed=7)
NAMES = [f"c{number}" for number in range(TABLE.height)]
ONE = understudy.Budget(trials=1)


def again(library: Library, version: str, task: str = "claims") -> Judged:
    return find_judged(load_head(library, task), load_version(library.work, task, version))


@pytest.fixture
def lived(ran: tuple[Path, RunResult], tmp_path: Path) -> tuple[Library, str]:
    """A desk that has decided cases, got their outcomes, and learned a challenger from them."""
    library = desk(ran[0], tmp_path, clock=Hands(2_000_000_000_000_000))  # after the run
    head = load_head(library, "claims")
    ask(head, NAMES[:160], TABLE.drop("pay", "paid_amount")[:160])
    given = zip(NAMES[:160], TABLE["pay"][:160], strict=True)
    give_outcomes(head, "shop", [Outcome(id=name, outcome=answer) for name, answer in given])
    learn(library, "claims")
    return library, retrain(library, "claims", actor="ann", budget=ONE, seed=2).model.version


def test_a_version_from_the_log_is_compared_on_live_cases_too(lived: tuple[Library, str]) -> None:
    library, challenger = lived
    found = again(library, challenger)
    assert sorted(found.cases[found.cases >= 0].tolist()) == list(range(1, 161))
    champion = again(library, "champion")
    rows = untouched(found, champion, load_head(library, "claims").task)
    own = champion.data.source["claim_id"].gather(champion.learned).to_list()
    read = rows[found.cases[rows] < 0]  # live cases have names of their own
    told = found.data.source["claim_id"].gather(read).to_list()
    assert told
    assert not set(told) & set(own)
    live = found.cases[found.parts.test] >= 0
    assert live.any()
    assert set(rows) >= set(found.parts.test[live])
    result = compare("champion", challenger, workspace=library.work.root)
    assert result.compared is not None
    assert result.compared.n == len(rows)
    assert (result.first.role, result.second.role) == ("champion", "challenger")


def test_erased_cases_are_not_guessed(lived: tuple[Library, str]) -> None:
    library, challenger = lived
    erase(library.work, "claims", ids=NAMES[:3])
    with pytest.raises(ConflictError, match="3 live cases were erased"):
        again(library, challenger)


def test_a_purged_snapshot_is_told(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    library = desk(ran[0], tmp_path, ('# subject = "customer_id"', 'subject = "claim_id"'))
    erase(library.work, "claims", subject="C00599")
    with pytest.raises(ConflictError, match="were erased since"):
        again(library, "champion")


def test_rows_in_groups_and_numbers_are_found_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = claims(700, seed=4).drop("pay", "report", "day")
    rows = rows.with_columns(clerk=pl.Series([f"p{one}" for one in rng.integers(0, 90, 700)]))
    source = tmp_path / "paid.csv"
    pl.concat([rows, rows.head(40)]).write_csv(source)
    given = {"target": "paid_amount", "split_group": "clerk", "time": "none", "workspace": tmp_path, "budget": ONE}
    for recipe in ("ridge", "tree"):
        understudy.run(source, recipes=(recipe,), single=True, **given)
    library = Library(open_workspace(tmp_path))
    found = again(library, "latest", "paid")
    parted = [set(found.data.source["clerk"].gather(part).to_list()) for part in (found.learned, found.parts.test)]
    assert not parted[0] & parted[1]
    result = compare("previous", "latest", workspace=tmp_path)
    assert result.compared is not None
    assert result.compared.all.p is None
    assert result.tolerance is not None
    assert any("Some rows belong together" in note for note in result.notes)


def test_a_group_that_the_earlier_one_learned_from_is_left_out(tmp_path: Path) -> None:
    """Other rows of the same clerks: none of them is the same, but their clerks have been met."""
    rows = claims(900, seed=4).drop("paid_amount", "report", "day")
    rows = rows.with_columns(clerk=pl.Series([f"p{place % 120}" for place in range(900)]))
    given = {
        "target": "pay",
        "split_group": "clerk",
        "name": "pay",
        "time": "none",
        "workspace": tmp_path,
        "budget": ONE,
    }
    for place, part in enumerate((rows.head(450), rows.tail(450))):
        source = tmp_path / f"part{place}.csv"
        part.write_csv(source)
        understudy.run(source, recipes=("tree",), single=True, seed=place, **given)
    library = Library(open_workspace(tmp_path))
    early, late = again(library, first_of(library), "pay"), again(library, "latest", "pay")
    kept = untouched(late, early, load_head(library, "pay").task)
    met = set(early.data.source["clerk"].gather(early.learned).to_list())
    assert 0 < len(kept) < len(late.parts.test)
    assert not met & set(late.data.source["clerk"].gather(kept).to_list())


def first_of(library: Library) -> str:
    return compare("previous", "latest", workspace=library.work.root).first.version
