"""Rates and plans that follow from a task file."""

import numpy as np
import pytest

from understudy.autonomy.promise import (
    FIRST_AUDIT_RATE,
    History,
    first_audit_rate,
    looks_per_year,
    make_plans,
    today_plan,
    wanted_audit_rate,
)
from understudy.core.task import Autonomy, Decision, Task, Truth
from understudy.evidence.budget import LOOKS_TO_STOP

NEEDED = LOOKS_TO_STOP / (0.1 * 0.05)
"""Looks a year that notice an excess of a tenth of 5 %."""

NOTHING = History(side=np.empty(0, dtype=object), confidence=np.empty(0), loss=np.empty(0))


def task(truth: Truth = Truth(source="blind_review"), **autonomy: object) -> Task:  # noqa: B008  frozen
    decision = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
    return Task(decision=decision, truth=truth, autonomy=Autonomy(max_error=0.05, confidence=0.95, **autonomy))


@pytest.mark.parametrize(
    ("found", "volume", "rate"),
    [
        (task(), 3_650_000.0, 0.02),  # the floor
        (task(audit_floor=0.001), 3_650_000.0, NEEDED / 3_650_000),
        (task(), 100_000.0, NEEDED / 100_000),
        (task(), 1000.0, FIRST_AUDIT_RATE),  # never more than after a step up
        (task(audit_rate=0.07), 1000.0, 0.07),
        (task(audit_rate=0.5), 3_650_000.0, 0.5),
        (task(Truth(source="outcome")), 1000.0, 0.02),  # outcomes tell by themselves
        (task(Truth(source="outcome", hides_outcome=("no",))), 100_000.0, NEEDED / 100_000),
    ],
)
def test_the_audit_rate_for_calm_times(found: Task, volume: float, rate: float) -> None:
    assert wanted_audit_rate(found, volume) == pytest.approx(rate)
    assert wanted_audit_rate(found, volume) <= max(first_audit_rate(found), found.autonomy.audit_floor)


def test_the_detector_s_false_alarms_are_counted_over_the_looks_of_a_year_with_a_step_up() -> None:
    assert looks_per_year(task(), 3_650_000.0) == 73_000 + 4 * 200  # 20, 10, 5, 2.5 %
    assert looks_per_year(task(), 500.0) == 100
    assert looks_per_year(task(Truth(source="outcome")), 5000.0) == 5000
    assert make_plans(task(), 1, NOTHING, 3_650_000.0).detector.mean_run == 73_800


def test_the_comparison_with_today_has_a_delta_of_its_own_and_the_margin_of_the_file() -> None:
    plans = [today_plan(task(margin_assist=0.02), epoch) for epoch in range(1, 40)]
    assert sum(plan.alpha for plan in plans) <= 0.05
    assert {plan.margin for plan in plans} == {-0.02}
    assert today_plan(task(margin_assist=1.0), 1).margin > -1
