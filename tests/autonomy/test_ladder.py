"""Moves by hand, and what a task file binds."""

import pytest
from msgspec.structs import replace

from understudy.autonomy.ladder import (
    override,
    pause,
    previous_champion,
    resume,
    rollback,
    step_down,
    under,
)
from understudy.core.errors import ConflictError, InputError
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Autonomy, Decision, Task

TASK = Task(
    decision=Decision(name="late", question="Late?", target="late", kind="classification", goal="roc_auc"),
    autonomy=Autonomy(max_error=0.05, confidence=0.95, audit_rate=0.3),
)
SHADOW = Deployment(level=Level.SHADOW, champion="a" * 64, task_revision=1, epoch=1)
PARTIAL = replace(SHADOW, level=Level.PARTIAL, thresholds={"yes": 0.9})


def test_a_task_file_binds_level_rates_and_limits_and_opens_an_epoch_when_it_changes() -> None:
    bound = under(TASK, replace(PARTIAL, level=Level.FULL), 2)
    assert (bound.level, bound.audit_rate, bound.blind_rate) == (Level.PARTIAL, 0.3, 0.2)
    assert (bound.task_revision, bound.epoch) == (2, 2)
    assert under(TASK, bound, 2) == bound


def test_the_audit_rate_never_falls_below_its_floor() -> None:
    settings = replace(TASK.autonomy, audit_rate=0.01, audit_floor=0.05)
    assert under(replace(TASK, autonomy=settings), PARTIAL, 2).audit_rate == 0.05


def test_a_step_down_ends_certificates_below_partial_and_needs_no_permission() -> None:
    down = step_down(PARTIAL, Level.ASSIST, "It errs.")
    assert (down.to.level, down.to.thresholds, down.reasons) == (Level.ASSIST, {}, ("It errs.",))
    with pytest.raises(ConflictError, match="full is not below partial"):
        step_down(PARTIAL, Level.FULL, "")


@pytest.mark.parametrize(
    ("deployed", "level", "thresholds", "why", "message"),
    [
        (SHADOW, Level.PARTIAL, {"yes": 0.9}, " ", "needs a reason"),
        (SHADOW, Level.FULL, {}, "trust me", "allows no level above partial"),
        (SHADOW, Level.PARTIAL, {}, "trust me", "partial needs thresholds"),
        (Deployment(), Level.ASSIST, {}, "trust me", "no champion"),
    ],
)
def test_an_override_has_its_bounds(
    deployed: Deployment, level: Level, thresholds: dict[str, float], why: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        override(deployed, TASK, level, thresholds, why)


def test_an_override_says_that_nothing_proves_it() -> None:
    move = override(SHADOW, TASK, Level.PARTIAL, {"yes": 0.9}, "A trial for a week.")
    assert move.kind == "override"
    assert move.reasons == ("Without proof, by the owner's word.", "A trial for a week.")
    assert (move.to.level, move.to.epoch) == (Level.PARTIAL, 2)


def test_pause_and_resume_change_nothing_else() -> None:
    assert resume(pause(PARTIAL, "").to, "").to == PARTIAL


def test_a_rollback_goes_to_assist_at_most() -> None:
    assert rollback(PARTIAL, "b" * 64, "").to.level is Level.ASSIST
    assert rollback(SHADOW, "b" * 64, "").to.level is Level.SHADOW
    back = rollback(replace(PARTIAL, challengers=("b" * 64, "c" * 64)), "b" * 64, "").to
    assert (back.champion, back.challengers) == ("b" * 64, ("c" * 64,))


def test_the_previous_champion_is_the_last_other_one() -> None:
    history = [replace(SHADOW, champion=name) for name in ("", "a", "b", "b", "c", "c")]
    assert previous_champion(history) == "b"
    assert previous_champion([*history, replace(SHADOW, champion="b")]) == "a"
    with pytest.raises(ConflictError, match="no earlier champion"):
        previous_champion(history[:2])
