"""A rehearsal of the whole loop, in invented worlds whose risk is known."""

import hashlib
import shutil
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

import understudy
from flows.desk import ask, desk, to_level
from understudy.core.errors import DataError, InputError
from understudy.core.nouns import Level
from understudy.evaluation.rehearsal import Backtest, conclusion
from understudy.flows.backtest import Rehearsal, backtest
from understudy.flows.head import load_head
from understudy.flows.rehearsal_data import NEVER, as_history, due_times, steps
from understudy.flows.review import give_review, next_review, review_many
from understudy.models.search import Budget
from understudy.store.schema import claims as claims_table
from understudy.store.schema import inbox, queue, reviews

N, DAYS, FLAW = 8000, 40, 0.01
PLAN = Rehearsal(budget=Budget(trials=2), delay="2d", reviewers=1)


def world(*, flips_at: int | None = None, seed: int = 0) -> pl.DataFrame:
    """Whether a part is sound follows its width; one in a hundred is told wrongly, and after a flip everything is."""
    rng = np.random.default_rng(seed)
    width = rng.uniform(-1, 1, N)
    sound = (width > 0) ^ (rng.random(N) < FLAW)
    if flips_at is not None:
        sound[flips_at:] = ~sound[flips_at:]
    start = np.datetime64("2024-01-01T08:00:00")
    when = start + (np.arange(N) * (DAYS * 86400 / N)).astype("timedelta64[s]")
    return pl.DataFrame(
        {
            "when": when.astype(str),
            "width": width,
            "weight": rng.normal(10, 1, N),
            "colour": rng.choice(["red", "green"], N),
            "sound": np.where(sound, "yes", "no"),
        }
    )


def rehearsed(place: Path, table: pl.DataFrame, plan: Rehearsal = PLAN) -> Backtest:
    table.write_csv(place / "parts.csv")
    return backtest(place / "parts.csv", target="sound", workspace=place / "work", plan=plan, time="when")


@pytest.fixture(scope="module")
def stable(tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    return rehearsed(tmp_path_factory.mktemp("stable"), world())


def same(result: Backtest) -> bytes:
    """A result without how long it took and where its report stands."""
    return msgspec.json.encode(msgspec.structs.replace(result, seconds={}, report=""))


def test_in_a_stable_world_it_climbs_and_keeps_its_promise(stable: Backtest) -> None:
    assert [move.kind for move in stable.moves][:2] == ["shadow", "step_up"]
    assert (stable.level, stable.step_downs) == (Level.PARTIAL, ())
    assert stable.share > 0.3
    assert stable.errors.kept
    assert (stable.errors.overall.error or 0) < 0.03
    assert stable.cases == N - stable.trained_on == 5600
    assert sum(month.cases for month in stable.months) == stable.cases
    assert sum(tally.cases for tally in stable.errors.sides.values()) == stable.automated


def test_the_same_seed_gives_the_same_timeline(stable: Backtest, tmp_path: Path) -> None:
    assert same(rehearsed(tmp_path, world())) == same(stable)


def test_what_people_were_spared_is_what_the_model_decided_unaudited(stable: Backtest) -> None:
    work = stable.work
    assert work.saved == stable.automated - work.audits
    assert work.hours_saved == pytest.approx(work.saved / 30)
    assert work.reviews + work.saved + work.waiting == stable.cases


def test_a_world_that_flips_is_followed_by_a_step_down(tmp_path: Path) -> None:
    flips_at = 6000
    result = rehearsed(tmp_path, world(flips_at=flips_at))
    (down,) = result.step_downs
    up = next(move for move in result.moves if move.kind == "step_up")
    assert up.case < flips_at - result.trained_on < down.case
    assert down.before.wrong > down.allowed
    assert result.level == Level.ASSIST
    assert f"{down.before.wrong:,} were wrong" in conclusion(result)


def test_the_report_tells_it_without_scripts_or_the_network(stable: Backtest) -> None:
    page = Path(stable.report).read_text()
    assert conclusion(stable).split(".")[0] in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert page.count("<svg") == 3


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_nothing_of_the_real_workspace_changes_but_the_report(tmp_path: Path) -> None:
    world().write_csv(tmp_path / "parts.csv")
    file = understudy.init(tmp_path / "parts.csv", target="sound", workspace=tmp_path / "work", time="when")
    file.write_text(file.read_text().replace("max_error = 0.05", "max_error = 0.02"))
    copy = shutil.copytree(tmp_path / "work", tmp_path / "copy")  # nobody has its store open
    before = digests(copy)
    result = backtest(tmp_path / "parts.csv", workspace=copy, plan=PLAN)
    after = digests(copy)
    assert after.keys() - before.keys() == {"reports/parts-backtest.html"}
    assert {name: after[name] for name in before} == before
    assert result.errors.max_error == 0.02


def test_where_reviewers_are_the_truth_their_looks_certify(tmp_path: Path) -> None:
    world().write_csv(tmp_path / "parts.csv")
    file = understudy.init(tmp_path / "parts.csv", target="sound", workspace=tmp_path / "work", time="when")
    file.write_text(file.read_text().replace('source = "outcome"', 'source = "blind_review"'))
    plan = Rehearsal(budget=Budget(trials=2), reviewers=1, reviewer_error=0.005)
    result = backtest(tmp_path / "parts.csv", workspace=tmp_path / "work", plan=plan)
    assert result.automated > 0
    assert result.work.audits > 0
    assert result.errors.kept
    assert "blind reviewers" in conclusion(result)


def test_nobody_reviews_nothing_is_certified(tmp_path: Path) -> None:
    world().write_csv(tmp_path / "parts.csv")
    file = understudy.init(tmp_path / "parts.csv", target="sound", workspace=tmp_path / "work", time="when")
    file.write_text(file.read_text().replace('source = "outcome"', 'source = "blind_review"'))
    plan = Rehearsal(budget=Budget(trials=1), reviewers=0)
    result = backtest(tmp_path / "parts.csv", workspace=tmp_path / "work", plan=plan)
    assert (result.automated, result.work.waiting) == (0, result.cases)
    assert "decided none by itself" in conclusion(result)


def timeless(ran):
    """The task of the claims, without the time that was found in them."""
    task = understudy.open_workspace(ran[0]).read_task("claims")
    return msgspec.structs.replace(task, decision=msgspec.structs.replace(task.decision, time=None))


def test_rows_without_a_calendar_are_spread_evenly_and_it_says_so(ran) -> None:
    task = timeless(ran)
    table = pl.DataFrame({"pay": ["yes", "no"] * 100})
    history = as_history(table, task, start=0.5, days=100, seed=0)
    assert set(np.diff(history.at)) == {43_200_000_000}
    assert any("100 days" in note for note in history.notes)
    assert any("names no time" in note for note in history.notes)


def made(task, **columns) -> tuple:
    table = pl.DataFrame({"pay": ["yes", "no"] * 50, **columns})
    return as_history(table, task, start=0.5, days=100, seed=0)


def test_the_truth_is_due_after_rows_or_time(ran) -> None:
    history = made(timeless(ran))
    day = 86_400_000_000
    assert set(due_times(history, "3") - history.at) == {3 * day}
    assert set(due_times(history, "12h") - history.at) == {day // 2}
    with pytest.raises(InputError, match="neither a number of cases, a duration nor a column"):
        due_times(history, "soon")
    with pytest.raises(InputError, match="only if it and the task's time are dates"):
        due_times(history, "pay")


def test_the_truth_is_due_when_a_column_says_and_never_where_it_is_empty(ran) -> None:
    task = understudy.open_workspace(ran[0]).read_task("claims")
    dated = msgspec.structs.replace(task, decision=msgspec.structs.replace(task.decision, time="day"))
    days = [f"2024-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(100)]
    told = [None if i == 7 else f"2024-{6 + i // 28:02}-{1 + i % 28:02}" for i in range(100)]
    due = due_times(made(dated, day=days, told=told), "told")
    assert due[7] == NEVER
    assert (np.delete(due, 7) > np.delete(made(dated, day=days).at, 7)).all()


def test_time_goes_in_steps_no_longer_than_the_delay_and_no_case_is_left_out(ran) -> None:
    history = made(timeless(ran))
    for delay in ("12h", "3d", "1", "30"):
        due = due_times(history, delay)
        found = list(steps(history.at, due, delay))
        assert [place for step in found for place in range(step.first, step.last)] == list(range(100))
        assert all(early.now < late.now for early, late in pairwise(found))
        assert found[-1].now >= due.max()


def test_too_few_rows_at_the_start_are_refused(ran) -> None:
    task = timeless(ran)
    with pytest.raises(DataError, match="10 would be known at the start"):
        as_history(pl.DataFrame({"pay": ["yes", "no"] * 50}), task, start=0.1, days=100, seed=0)


def rows_of(library, *tables) -> list:
    with library.work.store.reading() as connection:
        return [[tuple(row) for row in connection.execute(table.select())] for table in tables]


@pytest.mark.parametrize(("wanted", "most"), [(1, 5), (2, 7)])
def test_many_reviews_at_once_leave_the_same_rows_as_one_by_one(ran, tmp_path: Path, wanted: int, most: int) -> None:
    """Both desks see the same cases in the same order; reviewers disagree about one of them."""
    edit = ("wanted = 1 ", f"wanted = {wanted} ")
    left = []
    for place in ("one", "many"):
        (tmp_path / place).mkdir()
        library = desk(ran[0], tmp_path / place, edit)
        head = load_head(library, "claims")
        ask(head, [f"c{i}" for i in range(9)])
        if place == "many":
            kinds = review_many(head, USERS, say, most=most)
            assert len(kinds) == most
        else:
            one_by_one(head, most)
        left.append(rows_of(library, reviews, inbox, queue, claims_table))
    assert left[0] == left[1]


USERS = ("ann", "bob", "cid", "dan")


def say(user: str, case_id: str) -> str:
    return "no" if (user, case_id) == ("bob", "c1") else "yes"


def one_by_one(head, most: int) -> None:
    """Case by case, the next reviewer where one more is wanted."""
    given = 0
    for case in [f"c{i}" for i in range(9)]:
        for user in USERS:
            if given == most:
                return
            task = next_review(head, user)
            assert task is not None
            assert task.id == case
            given += 1
            if give_review(head, user, case, say(user, case)).status == "decided":
                break


def test_a_skipped_case_is_not_offered_again(ran, tmp_path: Path) -> None:
    head = to_level(desk(ran[0], tmp_path), Level.ASSIST)
    ask(head, ["a", "b"])
    review_many(head, ["ann"], lambda _, case: None if case == "a" else "yes", most=5)
    assert review_many(head, ["bob"], say, most=5) == []
