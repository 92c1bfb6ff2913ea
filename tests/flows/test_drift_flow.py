"""Inputs that drift raise one alarm and a suspicion that lasts, others none; at any pace of counting the same."""

import shutil
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from conftest import claims
from flows.desk import Hands, ask, desk, to_level
from understudy.core.errors import ConflictError
from understudy.core.nouns import Level, Move
from understudy.flows import drift
from understudy.flows.drift import DRIFT, WEEK, Monitor, read_monitor, read_suspicion, watch_inputs
from understudy.flows.erase import erase
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn
from understudy.flows.moves import apply_task
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.status import task_status
from understudy.flows.workspace import Workspace, open_workspace
from understudy.store.events import read_events
from understudy.store.ledger import Key, drop_states
from understudy.store.registry import move_to
from understudy.store.schema import states

DAY = WEEK // 7
TABLE = claims(6000, seed=11).sample(fraction=1, shuffle=True, seed=0)
SAID = TABLE["pay"].to_list()
SAME = TABLE.drop("pay", "paid_amount")
DEARER = SAME.with_columns(amount=(pl.col("amount").cast(pl.Float64) * 3).round(2).cast(pl.String))


@pytest.fixture(scope="module")
def base(ran, tmp_path_factory) -> Path:
    """A workspace that watches, without a case."""
    place = tmp_path_factory.mktemp("drift")
    desk(ran[0], place, ("on_drift = false", "on_drift = true"))
    return place / "work"


@pytest.fixture
def library(base: Path, tmp_path: Path) -> Library:
    return copy(base, tmp_path / "work")


def copy(base: Path, place: Path, at: int = int(2e15)) -> Library:
    """The workspace once more, with a clock of its own."""
    shutil.copytree(base, place)
    found = open_workspace(place)
    return Library(Workspace(found.root, found.settings, found.store, found.artifacts, found.engine, Hands(at)))


def come(
    library: Library,
    table: pl.DataFrame,
    first: int,
    last: int,
    weeks: float = 1.0,
    *,
    parts: int = 3,
    learns: bool = True,
) -> list[str]:
    """Cases come in some parts, spread over the time; the alarms that are raised meanwhile."""
    alarms: list[str] = []
    for part in range(parts):
        start, end = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        ask(load_head(library, "claims"), [f"c{place}" for place in range(start, end)], table[start:end])
        library.work.clock.at += round(weeks * WEEK / parts)
        alarms += drift_alarms(library) if learns else []
    return alarms


def drift_alarms(library: Library) -> list[str]:
    return [alarm for alarm in learn(library, "claims").alarms if "drifted" in alarm]


def told(library: Library) -> list[dict]:
    with library.work.store.reading() as connection:
        return [event.body for event in read_events(connection, 1) if event.kind == DRIFT]


def monitor(library: Library) -> Monitor | None:
    with library.work.store.reading() as connection:
        return read_monitor(connection, 1, load_head(library, "claims").deployed.champion)


def test_inputs_that_stay_the_same_raise_nothing(library) -> None:
    assert come(library, SAME, 0, 3500, weeks=5, parts=10) == []
    assert told(library) == []
    assert learn(library, "claims").standing.suspicions == ()
    assert monitor(library).first == 2801  # four batches were judged, the fifth is open


def test_inputs_that_drift_are_told_once_and_suspected_until_they_are_calm(library) -> None:
    come(library, SAME, 0, 600)
    assert come(library, DEARER, 600, 1800, weeks=2, parts=4) != []
    (body,) = told(library)
    assert (body["cases"], body["reference"], body["figures"][0]["name"]) == (600, 269, "amount")
    assert body["reasons"][0].startswith("amount has drifted: ")
    assert body["figures"][0]["psi"] > 0.5
    standing = learn(library, "claims").standing
    assert standing.suspicions[0].startswith("amount has drifted: ")
    assert task_status(library.work, "claims").suspicions == standing.suspicions
    assert come(library, SAME, 1800, 3000, weeks=2, parts=4) == []  # the first calm batch is over
    assert learn(library, "claims").standing.suspicions != ()
    come(library, SAME, 3000, 3601, weeks=1.1, parts=2)  # and the second
    assert learn(library, "claims").standing.suspicions == task_status(library.work, "claims").suspicions == ()
    assert len(told(library)) == 1
    assert come(library, DEARER, 3601, 5400, weeks=3, parts=3) != []
    assert len(told(library)) == 2


def test_a_suspicion_raises_the_audits(library) -> None:
    deployed = to_level(library, Level.PARTIAL, {"yes": 0.5, "no": 0.5}).deployed
    calm = Move(kind="audit", to=replace(deployed, audit_rate=0.02), reasons=("Calm times.",))
    with library.work.store.writing() as connection:
        move_to(connection, 1, calm, actor="ann", at=library.work.clock.at)
    come(library, DEARER, 0, 900, weeks=1.5)
    learn(library, "claims")
    assert load_head(library, "claims").deployed.audit_rate >= 0.1
    with library.work.store.reading() as connection:
        log = read_events(connection, 1)
    assert [event.kind for event in log[-2:]] == [DRIFT, "moved.audit"]
    assert log[-2].body["reasons"][0] in log[-1].body["reasons"]


def test_a_few_cases_a_week_make_a_batch_of_several_weeks(library) -> None:
    come(library, DEARER, 0, 600, weeks=5, parts=5)
    assert (told(library), monitor(library).ends - monitor(library).began) == ([], 5 * WEEK)
    come(library, DEARER, 600, 640, parts=1)
    assert told(library)[0]["cases"] == 600
    assert told(library)[0]["level"] == pytest.approx(35 / 365.25)
    assert (monitor(library).first, monitor(library).batch.cases) == (601, 0)


def everything(library: Library) -> list[tuple]:
    """What is kept of the monitor, and what was told."""
    with library.work.store.reading() as connection:
        kept = connection.execute(sa.select(states.c.n, states.c.body).where(states.c.name == "drift")).all()
    return [tuple(row) for row in kept] + [(body["first"], body["reasons"]) for body in told(library)]


def test_counting_at_any_pace_and_from_nothing_comes_to_the_same(base, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(drift, "PAGE", 150)
    daily, late = copy(base, tmp_path / "daily"), copy(base, tmp_path / "late")
    for library in (daily, late):
        come(library, SAME, 0, 1300, weeks=2, parts=6, learns=library is daily)
        come(library, DEARER, 1300, 2500, weeks=2, parts=6, learns=library is daily)
        learn(library, "claims")
    assert everything(daily) == everything(late)
    assert len(told(daily)) == 1
    with daily.work.store.writing() as connection:
        drop_states(connection, Key(task=1, name="drift", version=load_head(daily, "claims").deployed.champion), 0)
    learn(daily, "claims")
    assert everything(daily) == everything(late)  # without a second event


@pytest.mark.parametrize("page", [1, 2, 5, 9, 11])
def test_a_steward_that_is_killed_between_or_within_pages_loses_nothing(base, tmp_path, monkeypatch, page: int) -> None:
    monkeypatch.setattr(drift, "PAGE", 150)
    calm, killed = copy(base, tmp_path / "calm"), copy(base, tmp_path / "killed")
    for library in (calm, killed):
        come(library, SAME, 0, 700, learns=False)
        come(library, DEARER, 700, 1500, weeks=1.5, learns=False)
    learn(calm, "claims")
    writes, keep = iter(range(1, 1000)), drift.keep_state

    def dies(*arguments, **more) -> None:
        keep(*arguments, **more)
        if next(writes) == page:
            raise KeyboardInterrupt

    monkeypatch.setattr(drift, "keep_state", dies)
    with pytest.raises(KeyboardInterrupt):
        learn(killed, "claims")
    learn(killed, "claims")
    assert everything(killed) == everything(calm)
    assert len(told(calm)) == 1


def test_a_process_that_may_no_longer_write_writes_nothing(library) -> None:
    come(library, DEARER, 0, 900, weeks=1.5, learns=False)
    watched = watch_inputs(load_head(library, "claims"), actor="me", now=1, may=lambda _: False)
    assert (watched, monitor(library), told(library)) == ((), None, [])
    with pytest.raises(ConflictError, match="Another process"):
        learn(library, "claims", may=lambda _: False)


def test_erased_cases_are_not_counted(base, tmp_path) -> None:
    library = copy(base, tmp_path / "work")
    come(library, SAME, 0, 700, learns=False)
    erase(library.work, "claims", ids=[f"c{place}" for place in range(100)])
    come(library, DEARER, 700, 1500, weeks=1.5)
    assert told(library)[0]["first"] == 701
    with library.work.store.reading() as connection:
        suspicion = read_suspicion(connection, 1, load_head(library, "claims").deployed.champion)
    assert suspicion.first == 701


def test_cases_of_another_champion_are_not_counted(library) -> None:
    come(library, DEARER, 0, 400, learns=False)
    with library.work.store.writing() as connection:  # as if another version had been asked
        connection.execute(sa.text("UPDATE predictions SET version = 'other'"))
    come(library, SAME, 400, 700, learns=False)
    with library.work.store.writing() as connection:  # as if another version had answered, but it was asked too
        connection.execute(sa.text("UPDATE cases SET version = 'other'"))
    learn(library, "claims")
    assert monitor(library).first == 401
    come(library, SAME, 700, 1300, weeks=1.5)
    assert (told(library), monitor(library).first) == ([], 1101)


def test_a_version_without_held_out_counts_is_not_watched(library, monkeypatch) -> None:
    head = load_head(library, "claims")
    object.__setattr__(head.champion, "reference", replace(head.champion.reference, held_out=()))
    come(library, DEARER, 0, 900, weeks=1.5)
    assert (told(library), monitor(library)) == ([], None)


def test_a_new_version_is_due_once_drifted_cases_have_labels(library) -> None:
    come(library, SAME, 0, 700)
    come(library, DEARER, 700, 1500, weeks=1.5)
    assert learn(library, "claims").due == ""
    head = load_head(library, "claims")
    give_outcomes(head, "shop", [Outcome(id=f"c{place}", outcome=SAID[place]) for place in range(890)])
    assert learn(library, "claims").due == ""
    give_outcomes(head, "shop", [Outcome(id=f"c{place}", outcome=SAID[place]) for place in range(890, 1000)])
    due = "The inputs have drifted since the newest version, and 300 cases since then have a label; on_drift = true."
    assert learn(library, "claims").due == due
    with library.work.store.writing() as connection:  # a version that was registered since is the answer to it
        connection.execute(sa.text("UPDATE models SET at = :at"), {"at": library.work.clock.at})
    assert learn(library, "claims").due == ""
    file = library.work.task_file("claims")
    file.write_text(file.read_text().replace("on_drift = true", "on_drift = false"))
    apply_task(library.work, "claims", actor="ann")
    with library.work.store.writing() as connection:
        connection.execute(sa.text("UPDATE models SET at = 1"))
    assert learn(library, "claims").due == ""
