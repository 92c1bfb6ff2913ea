"""A failed check keeps a version out until somebody overrides it, by name and with a reason; and that can be undone."""

import shutil
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

import understudy
from conftest import claims
from flows.desk import Hands, ask, tell
from flows.leak import run_with_leak
from understudy.core.errors import ConflictError, InputError, NotFoundError, StoreError
from understudy.core.nouns import Level
from understudy.evaluation.checks import check_actions
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn
from understudy.flows.models import list_models, read_report
from understudy.flows.moves import roll_back, set_level
from understudy.flows.override import OVERRIDDEN, WITHDRAWN, override_check, withdraw_override
from understudy.flows.status import history, task_status
from understudy.flows.verify import verify
from understudy.flows.workspace import Workspace, open_workspace
from understudy.store.database import open_store
from understudy.store.events import append_event, read_events
from understudy.store.registry import current, register
from understudy.store.tasks import read_task, save_task

CODE, WHY = "US003", "The handler sees it before the decision; asked on Monday."
FRESH = claims(200, seed=5).drop("pay", "paid_amount").with_columns(settled=pl.lit("no"))


@pytest.fixture(scope="module")
def kept_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose only version took a leak, because its task insisted on it."""
    return run_with_leak(tmp_path_factory.mktemp("leak"))


@pytest.fixture
def work(kept_out: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(kept_out, tmp_path / "work")
    found = open_workspace(tmp_path / "work")
    return Workspace(found.root, found.settings, found.store, found.artifacts, found.engine, Hands())


def deployed(work: Workspace):
    with work.store.reading() as connection:
        return current(connection, read_task(connection, "claims").number)


def overridden(work: Workspace):
    return override_check(work, "claims", "latest", CODE, actor="ann", reason=WHY)


def test_a_planted_leak_that_was_taken_fails_and_the_worklist_names_it(work: Workspace) -> None:
    checks = read_report("claims", workspace=work.root).checks
    failed = [check for check in checks if check.blocks]
    assert [check.code for check in failed] == [CODE]
    assert "settled" in failed[0].detail
    (action,) = check_actions(checks)
    assert (action.kind, action.subject, action.blocking) == ("fix leak", "settled", True)
    assert deployed(work).champion == ""


def test_an_override_lets_the_version_watch_as_if_it_had_passed(work: Workspace) -> None:
    found = overridden(work)
    assert found.blocking == ()
    assert found.role == "it is the champion, at level shadow"
    assert (deployed(work).level, deployed(work).champion) == (Level.SHADOW, found.version)
    library = Library(work)
    answers = ask(load_head(library, "claims"), ["c1", "c2"], FRESH)
    assert [answer.id for answer in answers] == ["c1", "c2"]


def test_the_log_keeps_who_which_check_its_figures_and_why(work: Workspace) -> None:
    version = overridden(work).version
    said, moved = history(work, "claims")[-2:]
    assert (said.kind, said.actor, said.at) == (OVERRIDDEN, "ann", work.clock.now())
    assert said.body["version"] == version
    assert said.body["reason"] == WHY
    assert said.body["check"]["code"] == CODE
    assert said.body["check"]["figures"] == {"suspected": 1.0, "used": 1.0}
    assert moved.kind == "moved.shadow"
    assert f"Overridden by ann on 2023-11-14: {WHY}" in moved.body["reasons"][0]
    others = [reason[:5] for reason in moved.body["reasons"][1:]]
    assert others == sorted(others)
    assert {"US001", "US002", "US004"} <= set(others)
    assert CODE not in others
    assert verify(work, task="claims")[0].faults == ()


def test_an_override_that_is_changed_in_the_log_is_found(work: Workspace) -> None:
    overridden(work)
    with work.store.writing() as connection:
        changed = sa.text("UPDATE events SET actor = 'bob' WHERE kind = :kind")
        connection.execute(changed, {"kind": OVERRIDDEN})
    assert any("event" in fault for fault in verify(work, task="claims")[0].faults)


def test_status_and_the_list_of_versions_show_the_override(work: Workspace) -> None:
    assert task_status(work, "claims").overridden == ()
    version = overridden(work).version
    (words,) = task_status(work, "claims").overridden
    assert words.startswith(f"Version {version[:12]}: US003 No suspected leak failed: It uses settled")
    assert words.endswith(f"Overridden by ann on 2023-11-14: {WHY}")
    listing = list_models("claims", workspace=work.root)
    assert [(made.version, made.actor, made.check.code) for made in listing.overrides] == [(version, "ann", CODE)]
    assert not listing.versions[0].passed


def test_withdrawn_the_version_leaves_and_people_decide(work: Workspace) -> None:
    version = overridden(work).version
    set_level(work, "claims", Level.PARTIAL, actor="ann", why="A trial.", thresholds={"yes": 0.9}, overriding=True)
    library = Library(work)
    ask(load_head(library, "claims"), ["c1"], FRESH)
    tell(library, ["c1"], ["yes"])
    learn(library, "claims")
    found = withdraw_override(work, "claims", version[:10], "us003", actor="bob", reason="It is known afterwards.")
    assert found.overrides == ()
    assert [check.code for check in found.blocking] == [CODE]
    assert found.role == "it is kept out by US003"
    now = deployed(work)
    assert (now.level, now.champion, now.thresholds) == (Level.HUMAN, "", {})
    said, moved = history(work, "claims")[-2:]
    assert (said.kind, said.actor) == (WITHDRAWN, "bob")
    assert moved.kind == "moved.step_down"
    assert moved.body["reasons"][0].endswith("by ann is withdrawn: It is known afterwards.")
    assert ask(load_head(library, "claims"), ["c2"], FRESH)[0].id == "c2"  # people decide, and callers go on asking
    learn(library, "claims")
    assert deployed(work).champion == ""
    with pytest.raises(ConflictError, match="failed US003, which nobody overrides"):
        roll_back(work, "claims", actor="bob", version=version[:10])
    with pytest.raises(InputError, match="no champion"):
        set_level(work, "claims", Level.SHADOW, actor="bob", why="A trial.", overriding=True)


def test_after_a_withdrawal_it_may_be_overridden_again(work: Workspace) -> None:
    overridden(work)
    withdraw_override(work, "claims", "latest", CODE, actor="bob")
    again = override_check(work, "claims", "latest", CODE, actor="cid", reason="Asked once more.")
    assert [made.actor for made in again.overrides] == ["cid"]
    assert deployed(work).champion == again.version


def test_beside_a_champion_with_evidence_it_becomes_a_challenger_and_leaves_again(work: Workspace) -> None:
    first = overridden(work).version
    library = Library(work)
    ask(load_head(library, "claims"), ["c1"], FRESH)
    tell(library, ["c1"], ["yes"])
    learn(library, "claims")
    result = understudy.run(
        work.root / "claims.csv", name="claims", workspace=work.root, budget=understudy.Budget(trials=2), seed=4
    )
    assert result.model.version != first
    assert deployed(work).challengers == ()
    found = overridden(work)
    assert found.role == "it is compared with the champion, as a challenger"
    assert deployed(work).challengers == (result.model.version,)
    assert len(task_status(work, "claims").overridden) == 2
    withdraw_override(work, "claims", "latest", CODE, actor="bob")
    assert (deployed(work).champion, deployed(work).challengers) == (first, ())
    assert history(work, "claims")[-1].kind == "moved.retire"


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"reason": " "}, InputError, "needs a reason"),
        ({"actor": ""}, InputError, "has a name"),
        ({"code": "leak"}, InputError, "'leak' is no code of a check"),
        ({"code": "US999"}, NotFoundError, r"has no check US999 \(checks: US001"),
        ({"code": "US001"}, ConflictError, r"US001 \(Beats today's baseline\) does not keep version"),
        ({"version": "ffff"}, NotFoundError, "There is no version 'ffff'"),
        ({"version": "champion"}, NotFoundError, "no champion"),
    ],
)
def test_what_cannot_be_overridden_is_refused_and_nothing_is_written(
    work: Workspace, asked: dict[str, str], error: type[Exception], words: str
) -> None:
    given = {"version": "latest", "code": CODE, "actor": "ann", "reason": WHY} | asked
    before = len(history(work, "claims"))
    with pytest.raises(error, match=words):
        override_check(work, "claims", given["version"], given["code"], actor=given["actor"], reason=given["reason"])
    assert len(history(work, "claims")) == before


def test_overriding_twice_or_withdrawing_what_is_not_there_is_refused(work: Workspace) -> None:
    with pytest.raises(NotFoundError, match="US003 is not overridden"):
        withdraw_override(work, "claims", "latest", CODE, actor="ann")
    overridden(work)
    with pytest.raises(ConflictError, match="already, by ann: The handler"):
        override_check(work, "claims", "latest", CODE, actor="bob", reason="Me too.")
    with pytest.raises(InputError, match="has a name"):
        withdraw_override(work, "claims", "latest", CODE, actor=" ")


def test_a_version_that_cannot_be_loaded_is_not_let_in(work: Workspace) -> None:
    work.artifacts.delete(list_models("claims", workspace=work.root).versions[0].version)
    with pytest.raises(StoreError):
        overridden(work)
    assert deployed(work).champion == ""


def test_on_postgresql_it_is_the_same(kept_out: Path, tmp_path: Path, postgres) -> None:
    shutil.copytree(kept_out, tmp_path / "work")
    found = open_workspace(tmp_path / "work")
    store = open_store(postgres())
    work = Workspace(found.root, found.settings, store, found.artifacts, found.engine, Hands())
    record = list_models("claims", workspace=work.root).versions[0]
    with store.writing() as connection:
        body = work.task_file("claims").read_bytes()
        number, _ = save_task(connection, "claims", body, secret=b"s" * 32, actor="ann", at=1)
        register(connection, number, record, actor="ann")
        append_event(connection, number, at=1, actor="ann", kind="something.else", body={})
    assert overridden(work).role == "it is the champion, at level shadow"
    with store.reading() as connection:
        kinds = [event.kind for event in read_events(connection, number, kinds=(OVERRIDDEN,))]
    assert kinds == [OVERRIDDEN]
    assert withdraw_override(work, "claims", "latest", CODE, actor="bob").deployed.level is Level.HUMAN
    store.close()
