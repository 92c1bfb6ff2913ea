"""Two real versions are compared on rows that neither has learned from, and every figure can be found again."""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import understudy
from conftest import claims
from understudy.cli.main import app
from understudy.core.errors import ConflictError, InputError, NotFoundError
from understudy.evaluation.comparison import Comparison, conclusion, headline
from understudy.flows import compare as flow
from understudy.flows.compare import compare, write_comparison
from understudy.flows.head import Library, load_head
from understudy.flows.judged import comparable, find_judged, repeated, untouched
from understudy.flows.version import load_version
from understudy.flows.workspace import open_workspace

ROWS = claims(1600, seed=3).drop("paid_amount", "report")
GIVEN = {"target": "pay", "name": "claims", "time": "day", "seed": 0}
BUDGET = understudy.Budget(trials=1)
runner = CliRunner()


def trained(rows: pl.DataFrame, place: Path, recipe: str) -> str:
    """A version of these rows."""
    source = place / f"{recipe}{rows.height}.csv"
    rows.write_csv(source)
    result = understudy.run(source, workspace=place, budget=BUDGET, recipes=(recipe,), single=True, **GIVEN)
    return result.model.version


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, str]:
    """A workspace with a version of the first 1,000 rows, one of all of them, and another one of all of them."""
    work = tmp_path_factory.mktemp("compared")
    early = trained(ROWS.head(1000), work, "tree")
    file = work / "tasks" / "claims.toml"
    file.write_text(file.read_text().replace("groups = []", 'groups = ["region"]', 1))
    return work, early, trained(ROWS, work, "logistic"), trained(ROWS, work, "bayes")


@pytest.fixture(scope="module")
def found(place: tuple[Path, str, str, str]) -> Comparison:
    work, early, late, _ = place
    return compare(early[:10], late, workspace=work)


def parts(place: tuple[Path, str, str, str], version: str):
    head = load_head(Library(open_workspace(place[0])), "claims")
    return find_judged(head, load_version(head.library.work, "claims", version))


def test_the_rows_are_those_of_the_later_version_that_the_earlier_did_not_learn_from(
    place: tuple[Path, str, str, str], found: Comparison
) -> None:
    early, late = parts(place, place[1]), parts(place, place[2])
    learned = set(early.data.source["claim_id"].gather(early.learned).to_list())
    judged = late.data.source["claim_id"].gather(late.parts.test).to_list()
    assert found.compared is not None
    assert found.compared.n == len([one for one in judged if one not in learned])
    assert not learned & set(late.data.source["claim_id"].gather(untouched_rows(place)).to_list())


def untouched_rows(place: tuple[Path, str, str, str]) -> np.ndarray:
    head = load_head(Library(open_workspace(place[0])), "claims")
    return untouched(parts(place, place[2]), parts(place, place[1]), head.task)


def test_each_figure_is_found_again_from_the_versions_themselves(
    place: tuple[Path, str, str, str], found: Comparison
) -> None:
    work, early, late, _ = place
    rows = parts(place, late).data.source[untouched_rows(place)]
    y = (rows["pay"] == "yes").to_numpy()
    one, two = (
        understudy.load("claims", version=name, workspace=work).predict(rows).scores[:, 1] for name in (early, late)
    )
    compared = found.compared
    assert compared is not None
    auc = next(change for change in compared.metrics if change.metric == "roc_auc")
    assert auc.first.estimate == pytest.approx(roc_auc_score(y, one))
    assert auc.second.estimate == pytest.approx(roc_auc_score(y, two))
    assert auc.gain.estimate == pytest.approx(roc_auc_score(y, two) - roc_auc_score(y, one))
    was, now = (one > 0.5) == y, (two > 0.5) == y
    assert (compared.all.mended, compared.all.broken) == (int((~was & now).sum()), int((was & ~now).sum()))
    north = (rows["region"] == "north").to_numpy()
    told = next(group for group in compared.groups["region"] if group.of == "north")
    assert (told.n, told.mended, told.broken) == (north.sum(), (~was & now & north).sum(), (was & ~now & north).sum())


def test_what_became_better_one_way_became_worse_the_other_way(
    place: tuple[Path, str, str, str], found: Comparison
) -> None:
    back = compare(place[2], place[1], workspace=place[0])
    assert back.compared is not None
    assert found.compared is not None
    assert back.compared.all.gain.estimate == -found.compared.all.gain.estimate
    assert (back.compared.all.mended, back.compared.n) == (found.compared.all.broken, found.compared.n)
    assert (back.added, back.dropped) == (found.dropped, found.added)


def test_two_versions_of_the_same_rows_are_compared_on_the_whole_test_part(place: tuple[Path, str, str, str]) -> None:
    work, _, late, last = place
    found = compare("previous", "latest", workspace=work)
    assert (found.first.version, found.second.version) == (late, last)
    assert found.compared is not None
    assert found.compared.n == len(parts(place, last).parts.test)
    assert "neither has learned from any of them" in found.rows
    assert {pair.code for pair in found.checks} >= {"US001", "US002", "US003", "US004"}
    assert found.second.milliseconds is not None
    assert 0 < found.second.milliseconds < 1000
    assert found.second.bytes > 1000


def test_a_result_survives_being_stored(found: Comparison) -> None:
    assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found


def test_where_no_row_is_left_it_says_why(place: tuple[Path, str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "untouched", lambda *_: np.empty(0, dtype=np.int64))
    found = compare("previous", "latest", workspace=place[0])
    assert found.compared is None
    assert "There is no row that neither has learned from" in found.rows
    assert headline(found) == "They cannot be compared yet."
    assert conclusion(found) == (found.rows,)


def test_rows_that_cannot_be_found_again_are_not_guessed(place: tuple[Path, str, str, str], tmp_path: Path) -> None:
    work = Path(shutil.copytree(place[0], tmp_path / "work"))
    file = work / "tasks" / "claims.toml"
    file.write_text(file.read_text().replace('time = "day"', 'time = "none"', 1))
    flow.open_workspace(work)
    applied = runner.invoke(app, ["apply", "--workspace", str(work)])
    assert applied.exit_code == 0, applied.output
    with pytest.raises(ConflictError, match="cannot be found again") as caught:
        compare("previous", "latest", workspace=work)
    assert "time, id and split_group" in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second", "error", "said"),
    [
        ("latest", "latest", InputError, "are the same version"),
        ("latest", "ffff", NotFoundError, "There is no version"),
    ],
)
def test_versions_that_cannot_be_compared_are_refused(
    place: tuple[Path, str, str, str], first: str, second: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        compare(first, second, workspace=place[0])


def test_the_task_is_asked_for_where_it_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Which task is meant") as caught:
        compare("latest", "previous", workspace=tmp_path)
    assert "none yet" in str(caught.value)


def test_the_same_row_is_known_however_its_numbers_are_written() -> None:
    here = pl.DataFrame({"a": ["1", "2.50", "3"], "b": ["x", "y ", None], "c": ["1", "", "2"]})
    there = pl.DataFrame({"a": [2.5, 3.0, 9.0], "b": ["Y", None, "x"], "c": ["", "2", "1"]})
    assert repeated(here, there, ["a", "b", "c"]).tolist() == [False, True, True]
    assert repeated(here, there, ["b"], missing=False).tolist() == [True, True, False]
    one, two = comparable(pl.Series(["007"]), pl.Series([7]))
    assert one.to_list() == two.to_list() == [7.0]


def test_the_page_holds_every_chapter_and_no_row(
    place: tuple[Path, str, str, str], found: Comparison, tmp_path: Path
) -> None:
    page = write_comparison(found, tmp_path / "page.html").read_text()
    for title in ("Which answers changed", "How good they are", "Where it gained and lost most", "Go-live checks"):
        assert title in page
    assert headline(found) in page
    assert not any(name in page for name in ROWS["claim_id"])
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert len(page) < 300_000
    with pytest.raises(InputError, match=r"written as \.html"):
        write_comparison(found, tmp_path / "page.pdf")


def test_the_command_says_it_in_words_as_json_and_as_a_page(place: tuple[Path, str, str, str], tmp_path: Path) -> None:
    words = ["compare", "previous", "latest", "--task", "claims", "--workspace", str(place[0])]
    done = runner.invoke(app, [*words, "--html", str(tmp_path / "c.html")])
    assert done.exit_code == 0, done.output
    shown = " ".join(done.output.split())
    found = compare("previous", "latest", workspace=place[0])
    assert headline(found) in shown
    assert " ".join(conclusion(found)[1].split()) in shown
    assert (tmp_path / "c.html").is_file()
    body = json.loads(runner.invoke(app, [*words, "--json"]).output)
    assert body["compared"]["all"]["mended"] == found.compared.all.mended  # type: ignore[union-attr]
    assert body["headline"] == headline(found)
