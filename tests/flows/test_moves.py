"""Changes of the deployment by hand."""

import threading

import pytest

from flows.desk import desk, to_level
from understudy.core.errors import ConflictError, InputError, NotFoundError, TaskFileError
from understudy.core.nouns import Level
from understudy.flows.head import load_head
from understudy.flows.moves import apply_task, roll_back, set_level, set_paused
from understudy.flows.status import history, task_status

EVERY = {"yes": 0.9}


@pytest.fixture
def library(ran, tmp_path):
    return desk(ran[0], tmp_path)


def kinds(library) -> list[str]:
    return [event.kind for event in history(library.work, "claims") if event.kind.startswith("moved.")]


def test_a_step_up_without_proof_needs_an_override_which_the_log_keeps(library) -> None:
    with pytest.raises(ConflictError, match="a step up to partial is not proven"):
        set_level(library.work, "claims", Level.PARTIAL, actor="ann", thresholds=EVERY)
    to_level(library, Level.PARTIAL, EVERY)
    last = history(library.work, "claims")[-1]
    assert (last.kind, last.actor) == ("moved.override", "ann")
    assert last.body["reasons"] == ["Without proof, by the owner's word.", "A trial on the tests' own claims."]
    assert last.body["to"]["thresholds"] == EVERY


def test_a_threshold_for_an_answer_that_is_never_given_is_refused(library) -> None:
    with pytest.raises(InputError, match=r"'yse' is unknown.\nThe answers are: no, yes"):
        to_level(library, Level.PARTIAL, {"yse": 0.9})


def test_pausing_twice_is_one_move(library) -> None:
    set_paused(library.work, "claims", True, actor="ann")
    set_paused(library.work, "claims", True, actor="bob")
    assert task_status(library.work, "claims").paused
    set_paused(library.work, "claims", False, actor="ann")
    assert kinds(library)[-2:] == ["moved.pause", "moved.resume"]


def test_applying_an_unchanged_file_changes_nothing(library) -> None:
    before = kinds(library)
    assert not apply_task(library.work, "claims", actor="ann").changed
    assert kinds(library) == before


def test_a_changed_file_binds_at_once_and_lowers_a_level_that_it_no_longer_allows(library) -> None:
    to_level(library, Level.PARTIAL, EVERY)
    file = library.work.task_file("claims")
    file.write_text(file.read_text().replace('max_level = "partial"', 'max_level = "shadow"'))
    applied = apply_task(library.work, "claims", actor="ann")
    assert (applied.changed, applied.level, applied.revision) == (True, Level.SHADOW, 2)
    assert load_head(library, "claims").task.autonomy.max_level is Level.SHADOW


def test_a_faulty_file_changes_nothing(library) -> None:
    file = library.work.task_file("claims")
    file.write_text(file.read_text().replace("max_error = ", "max_eror = "))
    with pytest.raises(TaskFileError, match="max_error"):
        apply_task(library.work, "claims", actor="ann")
    assert load_head(library, "claims").deployed.level is Level.SHADOW


def test_there_is_no_way_back_to_a_version_that_never_served(library) -> None:
    with pytest.raises(ConflictError, match="no earlier champion"):
        roll_back(library.work, "claims", actor="ann")
    with pytest.raises(NotFoundError, match="There is no version 'ffff'"):
        roll_back(library.work, "claims", actor="ann", version="ffff")


def test_unknown_tasks_are_named(library) -> None:
    with pytest.raises(NotFoundError, match=r"knows no task 'claim' \(tasks: claims\)"):
        set_level(library.work, "claim", Level.HUMAN, actor="ann")
    with pytest.raises(InputError, match="There is no task 'claim'"):
        apply_task(library.work, "claim", actor="ann")


def test_moves_by_several_hands_at_once_are_all_made_one_after_the_other(library) -> None:
    def toggle(actor: str) -> None:
        for turn in range(10):
            set_paused(library.work, "claims", turn % 2 == 0, actor=actor)

    threads = [threading.Thread(target=toggle, args=(name,)) for name in ("ann", "bob", "cid")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [kind for kind in kinds(library) if kind in ("moved.pause", "moved.resume")]
    assert made[::2] == ["moved.pause"] * len(made[::2])
    assert made[1::2] == ["moved.resume"] * len(made[1::2])


def test_a_rollback_brings_the_earlier_champion_back_after_it_has_loaded(library, claims_csv) -> None:
    import understudy

    first = load_head(library, "claims").deployed.champion
    root = library.work.root
    second = understudy.run(claims_csv, name="claims", workspace=root, budget=understudy.Budget(trials=2), seed=3)
    assert load_head(library, "claims").deployed.champion == second.model.version != first
    deployed = roll_back(library.work, "claims", actor="ann", why="The new one is worse.")
    assert (deployed.champion, deployed.level) == (first, Level.SHADOW)
    assert roll_back(library.work, "claims", actor="ann", version=first[:8]) == deployed
