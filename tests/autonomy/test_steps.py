"""Steps down, back and up, with their reasons."""

import numpy as np
import pytest
from msgspec.structs import replace

from understudy.autonomy.standing import Standing
from understudy.autonomy.steps import step_down, step_up, take_back
from understudy.autonomy.watch import Watch
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Autonomy, Decision, Task
from understudy.evidence.budget import BudgetPlan, BudgetState, fold_budget, spent

PLAN = BudgetPlan(max_error=0.05, delta=0.02, pi_min=1.0, limit=33)
SPENT = spent(fold_budget(BudgetState(), PLAN, np.ones(20), np.ones(20)), PLAN)
PARTIAL = Deployment(level=Level.PARTIAL, champion="v", thresholds={"yes": 0.8, "no": 0.7}, audit_rate=0.02, epoch=3)
SHADOW = Deployment(level=Level.SHADOW, champion="v", epoch=3)


def task(**autonomy: object) -> Task:
    decision = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
    return Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95, **autonomy))


def stands(certified: dict[str, float] | None = None, **changes: object) -> Standing:
    plain = Standing(certified=certified or {}, distances={}, settled=900, looked=300, errors=9.0)
    return replace(plain, **changes)


def lead(lower: float, upper: float = 0.3) -> Evidence:
    return Evidence(estimate=0.1, lower=lower, upper=upper, confidence=0.97, n=700, method="paired, betting")


def test_a_step_down_ends_what_was_certified_and_says_why() -> None:
    move = step_down(task(), PARTIAL, stands({"yes": 0.8}, budget=SPENT, alarm=True), ())
    assert (move.kind, move.to.level, move.to.thresholds, move.to.epoch) == ("step_down", Level.ASSIST, {}, 4)
    assert move.reasons == (
        "The error budget is spent: over its worst stretch automation may have made 39 errors more than it may.",
        "The audits say that the risk has risen above what was promised.",
        "300 of 900 cases were looked at; their losses add up to 9.0.",
    )


def test_a_suspicion_that_looks_bear_out_steps_down() -> None:
    drift = "More cases are strange than expected."
    found = stands(PARTIAL.thresholds, suspicions=(drift,), watch=Watch(rate=0.1, looks=500, loss=40.0))
    move = step_down(task(), replace(PARTIAL, audit_rate=0.1), found, ())
    assert move.reasons[0] == drift
    assert "500 looks at an audit rate of 10 %" in move.reasons[1]
    assert step_down(task(), PARTIAL, found, ()) is None  # the rate was not raised yet


def test_nothing_steps_down_from_where_nothing_is_automated() -> None:
    assert step_down(task(), SHADOW, stands(budget=SPENT, alarm=True), ()) is None


def back(certified: dict[str, float], deployed: Deployment = PARTIAL, word: Deployment | None = None) -> Move | None:
    return take_back(task(), deployed, stands(certified, word=word), ())


def test_a_voided_threshold_goes_back_to_what_is_still_certified_without_a_new_epoch() -> None:
    move = back({"yes": 0.8, "no": 0.9})
    assert (move.kind, move.to) == ("take_back", replace(PARTIAL, thresholds={"yes": 0.8, "no": 0.9}))
    assert move.reasons[:2] == (
        "'no' from a confidence of 0.700 on is no longer certified: a correction has changed what it rested on.",
        "What holds: 'yes' from 0.800 on, 'no' from 0.900 on.",
    )


def test_an_answer_without_any_certificate_left_is_taken_back_alone_and_the_last_one_ends_partial() -> None:
    assert back({"yes": 0.8}).to.thresholds == {"yes": 0.8}
    move = back({})
    assert (move.kind, move.to) == ("step_down", replace(PARTIAL, level=Level.ASSIST, thresholds={}))
    assert "Nothing else is certified." in move.reasons


def test_what_is_certified_further_down_is_never_taken_back() -> None:
    assert back({"yes": 0.5, "no": 0.7}) is None
    assert back({}, SHADOW) is None


def test_what_an_override_granted_stays_and_no_more_than_that() -> None:
    assert back({}, word=PARTIAL) is None
    lower = replace(PARTIAL, thresholds={"yes": 0.6, "no": 0.7})
    assert back({"yes": 0.6}, lower, word=PARTIAL) is None
    assert back({}, lower, word=PARTIAL).to.thresholds == PARTIAL.thresholds
    assert back({}, word=SHADOW).to.level is Level.ASSIST  # what opened the epoch let it decide nothing


def test_full_is_taken_back_where_it_no_longer_covers_everything() -> None:
    full = replace(PARTIAL, level=Level.FULL, thresholds={"yes": 0.0, "no": 0.0})
    sure = stands({"yes": 0.0, "no": 0.0}, whole=True)
    assert take_back(task(), full, sure, ()) is None
    move = take_back(task(), full, stands({"yes": 0.4}), ())
    assert (move.kind, move.to.level, move.to.thresholds) == ("take_back", Level.PARTIAL, {"yes": 0.4})
    assert take_back(task(), full, stands(), ()).to.level is Level.ASSIST
    assert take_back(task(), full, stands(word=full), ()) is None


def up(deployed: Deployment, found: Standing, **autonomy: object) -> Move | None:
    return step_up(task(**autonomy), deployed, found, ())


def test_a_step_up_to_partial_starts_with_many_audits() -> None:
    for level in (Level.SHADOW, Level.ASSIST):
        move = up(replace(SHADOW, level=level, audit_rate=0.02), stands({"yes": 0.8}))
        assert (move.kind, move.to.level, move.to.thresholds) == ("step_up", Level.PARTIAL, {"yes": 0.8})
        assert (move.to.audit_rate, move.to.epoch) == (0.2, 3)
    assert up(SHADOW, stands({"yes": 0.8}), audit_rate=0.05).to.audit_rate == 0.05


def test_from_human_only_a_person_steps_up_and_without_a_champion_nobody() -> None:
    assert up(replace(SHADOW, level=Level.HUMAN), stands({"yes": 0.8})) is None
    assert up(replace(SHADOW, champion=""), stands({"yes": 0.8})) is None


def test_max_level_bounds_every_step() -> None:
    sure = stands({"yes": 0.0}, whole=True)
    assert up(SHADOW, sure, max_level=Level.SHADOW) is None
    assert up(SHADOW, sure, max_level=Level.ASSIST).to.level is Level.ASSIST
    assert up(replace(SHADOW, level=Level.ASSIST), sure, max_level=Level.ASSIST) is None


def test_lower_thresholds_and_further_answers_are_asked_for_one_by_one_in_words() -> None:
    move = up(PARTIAL, stands({"yes": 0.6, "no": 0.7}))
    assert (move.kind, move.to) == ("thresholds", replace(PARTIAL, thresholds={"yes": 0.6, "no": 0.7}))
    assert len(move.reasons) == 2
    assert move.reasons[0].startswith("'yes' from a confidence of 0.600 on: certified, at most 5 of 100 wrong")
    assert up(PARTIAL, stands(PARTIAL.thresholds)) is None


def test_evidence_never_raises_what_an_owner_granted() -> None:
    word = replace(PARTIAL, thresholds={"yes": 0.6})
    assert up(word, stands({"yes": 0.9}, word=word)) is None
    move = up(word, stands({"yes": 0.9, "no": 0.7}, word=word))
    assert move.to.thresholds == {"yes": 0.6, "no": 0.7}


ALL = {"yes": 0.0, "no": 0.0}


@pytest.mark.parametrize(
    ("whole", "silent", "most", "rises"),
    [
        (True, (), Level.FULL, True),
        (True, (), Level.PARTIAL, False),
        (False, (), Level.FULL, False),
        (True, ("later",), Level.FULL, False),  # an answer of which nothing is known
    ],
)
def test_full_needs_every_answer_certified_at_every_confidence(
    whole: bool, silent: tuple[str, ...], most: Level, rises: bool
) -> None:
    deployed = replace(PARTIAL, thresholds=ALL)
    move = up(deployed, stands(ALL, whole=whole, silent=silent), max_level=most)
    assert (move is not None) == rises
    if rises:
        assert (move.kind, move.to.level, move.to.audit_rate) == ("step_up", Level.FULL, 0.2)
        assert "This step needs a person." in move.reasons[-2]


def test_assist_is_for_who_is_certified_over_all_cases_where_the_task_allows_no_more() -> None:
    move = up(SHADOW, stands(ALL, whole=True), max_level=Level.ASSIST)
    assert (move.kind, move.to) == ("step_up", replace(SHADOW, level=Level.ASSIST))
    assert up(SHADOW, stands(ALL), max_level=Level.ASSIST) is None


@pytest.mark.parametrize(
    ("margin", "lower", "rises"),
    [(0.0, 0.0, True), (0.0, -0.001, False), (0.02, -0.02, True), (0.02, -0.021, False)],
)
def test_assist_is_for_who_is_not_worse_than_today_by_more_than_the_margin(
    margin: float, lower: float, rises: bool
) -> None:
    found = stands(today=lead(lower))
    move = up(SHADOW, found, margin_assist=margin)
    assert (move is not None) == rises
    assert up(replace(SHADOW, level=Level.ASSIST), found, margin_assist=margin) is None


def test_the_comparison_with_today_is_told_by_its_interval() -> None:
    move = up(SHADOW, stands(today=lead(-0.01)), margin_assist=0.02)
    assert move.reasons[0].startswith("It makes between -1.0 and 30.0 fewer mistakes per 100 cases than what decides")
    assert move.reasons[0].endswith("today, with 97 % confidence, by 700 cases.")
    assert move.reasons[1] == "The task asks that it makes at most 2 more per 100 than what decides today."


def test_what_is_certified_goes_straight_to_partial_whatever_today_is() -> None:
    assert up(SHADOW, stands({"yes": 0.8}, today=lead(0.1))).to.level is Level.PARTIAL
