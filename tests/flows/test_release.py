"""What a release rests on is asked of the version as it is served, and looked up where it stands."""

import shutil
from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

from conftest import claims
from understudy.core.errors import DataError
from understudy.core.task import Checks, Data, MustPass, Task
from understudy.data.split import Split
from understudy.evaluation.checks import check_actions
from understudy.evaluation.checks_release import release_checks
from understudy.evaluation.release import Release
from understudy.flows.backtest import private_workspace
from understudy.flows.dataset import Dataset, assemble
from understudy.flows.rehearsal_stage import DataClock
from understudy.flows.release import (
    DAY,
    TIMED,
    newest_moment,
    read_must_pass,
    release_facts,
    required_answers,
)
from understudy.flows.version import Version, load_version
from understudy.flows.workspace import Workspace, open_workspace

CASE = {"day": "2024-03-01", "amount": "20", "region": "north", "age": "40", "report": "the window broke"}


class Ticking:
    """A clock on which each look takes a millisecond."""

    def __init__(self, at: int) -> None:
        self.at, self.looks = at, 0

    def now(self) -> int:
        return self.at

    def elapsed(self) -> float:
        self.looks += 1
        return self.looks / 1000


@pytest.fixture(scope="module")
def work(ran, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("release") / "work"
    shutil.copytree(ran[0], root)
    return open_workspace(root)


@pytest.fixture(scope="module")
def version(work: Workspace) -> Version:
    return load_version(work, "claims", "latest")


@pytest.fixture(scope="module")
def task(work: Workspace) -> Task:
    return work.read_task("claims")


@pytest.fixture(scope="module")
def data(work: Workspace, task: Task) -> Dataset:
    return assemble(claims(), task, seed=0)


@pytest.fixture(scope="module")
def parts(data: Dataset) -> Split:
    return data.split(0)


def asking(task: Task, **asked: object) -> Task:
    return msgspec.structs.replace(task, checks=Checks(**asked))


def facts(work: Workspace, task: Task, version: Version, data: Dataset, parts: Split) -> Release:
    return release_facts(work, task, version, data, parts, read_from="claims.csv", planned=True)


def test_an_ordinary_run_passes_what_is_asked_of_every_version(work, task, version, data, parts) -> None:
    found = facts(work, task, version, data, parts)
    verdicts = {check.code: check.verdict for check in release_checks(found)}
    assert {code for code, verdict in verdicts.items() if verdict != "pass"} == {"US025"}
    assert found.overlap is not None
    assert (found.overlap.late, found.overlap.judged) == (0, len(parts.test))
    assert (found.repeats.repeated, found.units) == (0, len(parts.test))
    assert found.lineage.kept
    assert found.lineage.snapshot == version.manifest.snapshot
    assert 0 < found.pace.p50 <= found.pace.p95 < 1
    assert found.pace.rows == len(parts.test[:TIMED])
    assert msgspec.json.decode(msgspec.json.encode(found), type=Release) == found


def test_rows_that_are_parted_at_random_although_they_have_a_time_are_found(work, task, version, data, parts) -> None:
    order = np.random.default_rng(0).permutation(data.frame.height)
    ends = np.cumsum([len(parts.train), len(parts.validation), len(parts.test)])
    train, validation, test, history = np.split(order, ends)
    mixed = Split(train=train, validation=validation, test=test, history=history, scheme="random", seed=0)
    found = facts(work, task, version, data, mixed)
    checks = release_checks(found)
    assert checks[0].verdict == "fail"
    fit = np.concatenate([train, validation])
    assert found.overlap is not None
    assert found.overlap.late == int((data.order[fit] > data.order[test].min()).sum())
    assert check_actions(checks)[0].subject == "US020 Learned before it was judged"


def test_rows_that_are_planted_in_both_parts_are_found(work, task, version, data, parts) -> None:
    ends = len(data.answers.y)
    rows = np.concatenate([np.arange(ends), parts.train[:40]])
    planted = replace(data.take(rows), copies=None)
    copied = replace(parts, test=np.concatenate([parts.test, np.arange(ends, ends + 40)]))
    found = facts(work, task, version, planted, copied)
    assert found.repeats.repeated == 40
    assert found.repeats.whole is not None
    scores = version.scorer.frame(planted.frame[copied.test])
    given = release_facts(work, task, version, planted, copied, read_from="claims.csv", planned=True, scores=scores)
    assert given.repeats == found.repeats


def test_the_version_is_timed_on_the_path_that_answers_live_cases(work, task, version, data, parts) -> None:
    ticking = replace(work, clock=Ticking(0))
    found = facts(ticking, asking(task, max_latency="0.9ms"), version, data, parts)
    assert (found.pace.p50, found.pace.p95) == (pytest.approx(0.001), pytest.approx(0.001))
    assert release_checks(found)[3].verdict == "fail"
    enough = facts(ticking, asking(task, max_latency="1.1ms"), version, data, parts)
    assert release_checks(enough)[3].verdict == "pass"


class Slow(Ticking):
    """A clock on which each look takes half a second."""

    def elapsed(self) -> float:
        self.looks += 1
        return self.looks / 2


def test_a_slow_model_is_not_timed_for_long(work, task, version, data, parts) -> None:
    clock = Slow(0)
    found = facts(replace(work, clock=clock), task, version, data, parts)
    assert found.pace.p95 == pytest.approx(0.5)
    assert 1 <= found.pace.rows <= 3


def test_cases_that_must_pass_are_asked_as_live_cases_are(work, task, version) -> None:
    said = version.predict_row(CASE).prediction
    other = "no" if said == "yes" else "yes"
    cases = (
        MustPass(inputs=CASE, answer=said, why="as ever"),
        MustPass(inputs=CASE, answer=other, why="the other way round"),
        MustPass(inputs=CASE, answer="maybe", why="an answer that nobody gives"),
        MustPass(inputs=CASE | {"amuont": 3}, answer=said, why="a slip of the pen"),
        MustPass(inputs=CASE | {"amount": "much"}, answer=said, why="no number"),
        MustPass(inputs=CASE | {"amount": 20, "age": 40.0}, answer=said, why="typed"),
    )
    found = required_answers(work, asking(task, must_pass=cases), version)
    assert [case.kept for case in found] == [True, False, False, False, False, True]
    assert (found[1].expected, found[1].answered) == (other, said)
    assert found[2].answered == f"{said} (the answers are no, yes)"
    assert "did you mean 'amount'?" in found[3].answered
    assert "amount: expected a finite number, got 'much'" in found[4].answered


def test_cases_that_must_pass_may_stand_in_a_file(work, task, version) -> None:
    said = version.predict_row(CASE).prediction
    rows = [CASE | {"answer": said, "why": "as ever"}, CASE | {"age": None, "answer": said, "why": None}]
    pl.DataFrame(rows).write_csv(work.root / "tasks" / "cases.csv")
    asked = asking(task, must_pass_file="cases.csv")
    first, second = read_must_pass(work, "cases.csv", asked)
    assert (first.why, second.why) == ("as ever", "cases.csv, row 2")
    assert "age" not in second.inputs
    assert required_answers(work, asked, version)[0].kept
    pl.DataFrame(rows).rename({"answer": "pay"}).write_csv(work.root / "tasks" / "named.csv")
    assert read_must_pass(work, "named.csv", asked)[0].answer == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("amount,why\n3,x\n", "has no column answer"),
        ("amount,answer\n3,\n4,yes\n", "no answer in row 1"),
        ("amount,answer,tolerance\n3,yes,a lot\n", "'a lot', and no number"),
        (None, "no file"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_check_and_loses_no_model(
    work: Workspace, task: Task, version: Version, text: str | None, words: str
) -> None:
    bad = work.root / "tasks" / "bad.csv"
    bad.unlink(missing_ok=True)
    if text is not None:
        bad.write_text(text)
    asked = asking(task, must_pass_file="bad.csv")
    with pytest.raises(DataError, match=words):
        read_must_pass(work, "bad.csv", asked)
    (broken,) = required_answers(work, asked, version)
    assert not broken.kept
    assert words in broken.answered


class Guess:
    """A version that always answers 12.5."""

    class manifest:  # noqa: N801
        labels = ()

    def read(self, row):
        return [1.0], ()

    def predict_values(self, rows):
        return [type("Said", (), {"prediction": 12.5})()]


@pytest.mark.parametrize(
    ("answer", "tolerance", "kept"),
    [
        (12.0, None, True),
        (11.0, None, False),
        (11.0, 2.0, True),
        (12, 0.4, False),
        ("12.3", None, True),
        ("?", None, False),
    ],
)
def test_a_number_must_be_within_its_tolerance(work, task, answer, tolerance, kept) -> None:
    number = msgspec.structs.replace(
        task, decision=msgspec.structs.replace(task.decision, kind="regression", tolerance=0.5)
    )
    case = MustPass(inputs={"a": 1}, answer=answer, why="by law", tolerance=tolerance)
    (found,) = required_answers(work, asking(number, must_pass=(case,)), Guess())
    assert (found.kept, found.answered) == (kept, "12.5")


def test_the_age_of_the_data_is_that_of_its_newest_row(work, task, version, data, parts) -> None:
    newest = int(pl.Series(data.source["day"]).str.to_datetime().max().timestamp() * 1e6)
    later = replace(work, clock=Ticking(newest + 30 * DAY))
    found = facts(later, asking(task, max_age="29d"), version, data, parts)
    assert found.age.newest == pytest.approx(30)
    assert found.age.limit == 29
    assert release_checks(found)[6].verdict == "fail"


@pytest.mark.parametrize(
    ("values", "when", "days"),
    [
        (["1970-01-02", "1970-01-05"], "day", 4),
        (["1970-01-02", None, "1970-01-05"], "day", 4),
        ([None, None], "day", None),
        (["02.01.1970", "13.01.1970"], "day", 12),
        ([1999, 2001], "day", None),
        (["x", "y"], "day", None),
        (["1970-01-02"], "row order", None),
        (["1970-01-02"], None, None),
        (["1970-01-02"], "other", None),
    ],
)
def test_the_newest_row_is_dated_where_the_time_is_a_date(values, when, days) -> None:
    found = newest_moment(pl.DataFrame({"day": values}), when)
    assert found == (None if days is None else days * DAY)


def test_times_with_a_zone_are_read_in_utc() -> None:
    times = pl.Series("at", ["1970-01-02T00:00:00"]).str.to_datetime(time_zone="Etc/GMT-2")
    assert newest_moment(times.to_frame(), "at") == DAY - 2 * 3_600_000_000


def test_a_snapshot_that_is_gone_or_damaged_fails(work, task, version, data, parts, tmp_path) -> None:
    shutil.copytree(work.root, tmp_path / "work")
    bare = open_workspace(tmp_path / "work")
    bare.artifacts.delete(version.manifest.snapshot)
    check = release_checks(facts(bare, task, version, data, parts))[4]
    assert (check.code, check.verdict) == ("US024", "fail")


def test_what_the_task_file_says_of_source_and_licence_is_told(work, task, version, data, parts) -> None:
    stated = msgspec.structs.replace(task, data=Data(source="the claims system", licence="CC-BY-4.0"))
    check = release_checks(facts(work, stated, version, data, parts))[5]
    assert (check.verdict, check.detail) == (
        "pass",
        "Learned from claims.csv, of the claims system, used under CC-BY-4.0.",
    )


def test_a_rehearsal_has_the_cases_that_must_pass_beside_its_copy_of_the_task_file(tmp_path) -> None:
    (tmp_path / "tasks").mkdir()
    for name in ("claims.toml", "cases.csv"):
        (tmp_path / "tasks" / name).write_text("x")
    with private_workspace(tmp_path, "claims", DataClock()) as found:
        assert {place.name for place in (found.root / "tasks").iterdir()} == {"claims.toml", "cases.csv"}
