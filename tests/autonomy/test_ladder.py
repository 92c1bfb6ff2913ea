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


def changed(section: str, **settings: object) -> Task:
    return replace(TASK, **{section: replace(getattr(TASK, section), **settings)})


def test_a_task_file_binds_level_rates_and_limits() -> None:
    bound = under(TASK, replace(PARTIAL, level=Level.FULL), 2, before=TASK)
    assert (bound.level, bound.thresholds, bound.blind_rate) == (Level.PARTIAL, {"yes": 0.9}, 0.2)
    assert (bound.task_revision, bound.epoch) == (2, 1)
    assert under(TASK, bound, 2) == bound
    assert under(changed("autonomy", max_level=Level.SHADOW), PARTIAL, 2, before=TASK).thresholds == {}


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("autonomy", {"max_error": 0.04}),
        ("autonomy", {"confidence": 0.9}),
        ("autonomy", {"strange_limit": 0.9}),
        ("autonomy", {"min_coverage": 0.3}),
        ("truth", {"silence": "no"}),
        ("mandate", {"allow": ("yes",)}),
        ("mandate", {"limit": ("amount < 9",)}),
        ("cost", {"mistakes": {"no -> yes": 3.0}}),
        ("review", {"wanted": 2}),
        ("traffic", {"mode": "split"}),
    ],
)
def test_another_promise_opens_an_epoch_in_which_nothing_is_certified_yet(section: str, settings: dict) -> None:
    bound = under(changed(section, **settings), PARTIAL, 2, before=TASK)
    assert (bound.level, bound.thresholds, bound.epoch) == (Level.ASSIST, {}, 2)
    assert under(changed(section, **settings), SHADOW, 2, before=TASK).level is Level.SHADOW


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("autonomy", {"audit_floor": 0.01}),
        ("autonomy", {"step_up": "auto"}),
        ("mandate", {"owner": "ann", "expires": "2030-01-31"}),
        ("review", {"per_day": 7}),
        ("retrain", {"every": "30d"}),
        ("cost", {"review": 2.0}),
    ],
)
def test_what_a_certificate_does_not_rest_on_changes_without_a_new_epoch(section: str, settings: dict) -> None:
    before = replace(PARTIAL, audit_rate=0.3)
    bound = under(changed(section, **settings), before, 2, before=TASK)
    assert bound == replace(before, task_revision=2, strange_limit=0.99, blind_rate=0.2)


def test_a_first_task_file_opens_the_first_epoch() -> None:
    assert under(TASK, Deployment(), 1).epoch == 1


def test_the_audit_rate_never_falls_below_its_floor_and_starts_anew_where_the_file_fixes_another() -> None:
    floor = changed("autonomy", audit_rate=0.01, audit_floor=0.05)
    assert under(floor, PARTIAL, 2).audit_rate == 0.05
    free = changed("autonomy", audit_rate=None)
    low = replace(PARTIAL, audit_rate=0.02)
    assert under(free, low, 2, before=TASK).audit_rate == 0.2
    assert under(free, low, 2, before=free).audit_rate == 0.02


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
    assert (move.to.level, move.to.epoch, move.to.audit_rate) == (Level.PARTIAL, 2, 0.3)


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


def test_the_end_of_sharing_the_cases_opens_no_epoch() -> None:
    bound = under(TASK, PARTIAL, 2, before=changed("traffic", mode="split"))
    assert (bound.level, bound.thresholds, bound.epoch) == (Level.PARTIAL, {"yes": 0.9}, 1)
