"""At the rate that is computed, a doubling of the risk is noticed in time, with the chance that is said."""

import numpy as np
import pytest

from evidence.promises import kept
from understudy.autonomy.noticing import (
    NOTICED,
    cases_in_time,
    doubled,
    looks_to_notice,
    noticing_at,
    noticing_text,
    rate_to_notice,
)
from understudy.autonomy.promise import looks_per_year, wanted_audit_rate
from understudy.core.errors import TaskFileError
from understudy.core.task import Autonomy, Decision, Notice, Review, Task, Truth
from understudy.core.task_file import parse_task
from understudy.core.task_text import task_toml
from understudy.evidence.change import DetectorPlan, fold_detector, open_detector

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
WEEK, FIFTY = Notice(doubling_within="7d"), Notice(doubling_before=10)
YEAR = 365.25


def task(notice: Notice | None, r: float = 0.05) -> Task:
    promise = Autonomy(max_error=r, confidence=0.95, notice=notice, audit_floor=0.001)
    return Task(decision=DECISION, autonomy=promise, truth=Truth(source="blind_review"), review=Review())


def unnoticed(asked: Task, a_day: int, cases: int, *, share: float = 1.0, calm: bool = False) -> np.ndarray:
    """Whether a doubling goes unnoticed for so many cases, of which the computed share, or less, is audited."""
    rng, r, volume = np.random.default_rng(5), asked.autonomy.max_error, a_day * YEAR
    rate = wanted_audit_rate(asked, volume) * share
    plan = DetectorPlan(max_error=r, mean_run=looks_per_year(asked, volume))
    found = []
    for _ in range(300):
        looks = rng.binomial(cases, rate)
        risk = np.repeat([0.7 * r, 2 * r], [looks if calm else 0, looks])
        loss = (rng.random(len(risk)) < risk).astype(float)
        found.append(not fold_detector(open_detector(plan), plan, loss, np.ones(len(loss))).alarm_row)
    return np.array(found)


@pytest.mark.parametrize(("r", "a_day"), [(0.05, 10_000), (0.05, 500), (0.2, 200), (0.01, 3000)])
@pytest.mark.parametrize("calm", [False, True])
def test_a_doubling_is_noticed_within_the_time(r: float, a_day: int, calm: bool) -> None:
    asked = task(WEEK, r)
    assert wanted_audit_rate(asked, a_day * YEAR) < 1
    assert kept(unnoticed(asked, a_day, 6 * a_day, calm=calm), 1 - NOTICED)  # the last day is for the last audits


@pytest.mark.parametrize(("r", "wrong"), [(0.05, 80), (0.2, 60)])
def test_a_doubling_is_noticed_before_so_many_answers_are_wrong(r: float, wrong: int) -> None:
    asked = task(Notice(doubling_before=wrong), r)
    assert wanted_audit_rate(asked, 10 * YEAR) < 1
    assert kept(unnoticed(asked, 10, round(wrong / (2 * r) - 10)), 1 - NOTICED)


@pytest.mark.parametrize(("r", "a_day"), [(0.05, 10_000), (0.2, 200)])
def test_with_half_as_many_audits_it_would_not_be(r: float, a_day: int) -> None:
    assert not kept(unnoticed(task(WEEK, r), a_day, 6 * a_day, share=0.5), 1 - NOTICED)


def test_the_rate_is_not_far_above_what_it_must_be() -> None:
    assert not kept(unnoticed(task(WEEK), 10_000, 60_000, share=0.65), 1 - NOTICED)


def test_a_stricter_wish_and_fewer_cases_need_a_higher_rate() -> None:
    volume = 1000 * YEAR
    rates = [wanted_audit_rate(task(Notice(doubling_within=f"{days}d")), volume) for days in (30, 14, 7, 2)]
    assert rates == sorted(rates)
    assert wanted_audit_rate(task(WEEK), volume / 10) > wanted_audit_rate(task(WEEK), volume)
    few, many = (task(Notice(doubling_before=wrong)) for wrong in (200, 500))
    assert wanted_audit_rate(few, volume) > wanted_audit_rate(many, volume)
    assert wanted_audit_rate(task(WEEK), 1e9) == 0.001  # the floor


def test_where_outcomes_come_by_themselves_the_floor_is_enough() -> None:
    asked = Task(decision=DECISION, autonomy=Autonomy(max_error=0.05, confidence=0.95, notice=WEEK))
    assert wanted_audit_rate(asked, 1000 * YEAR) == 0.02


def test_more_than_every_case_cannot_be_looked_at_and_that_is_said() -> None:
    asked, volume = task(WEEK), 20 * YEAR
    assert wanted_audit_rate(asked, volume) == 1.0
    plan = DetectorPlan(max_error=0.05, mean_run=volume)
    found = noticing_at(asked, plan, rate=1.0, volume_per_year=volume)
    assert found.days > 7
    assert 'later than asked for (doubling_within = "7d")' in noticing_text(asked, found)[1]
    assert "later than asked for (doubling_before = 10)" in noticing_text(task(FIFTY), found)[1]
    assert len(noticing_text(task(None), found)) == 1
    assert len(noticing_text(asked, noticing_at(asked, plan, rate=1.0, volume_per_year=1e6))) == 1


def test_the_figures_fit_together() -> None:
    asked, plan, volume = task(WEEK), DetectorPlan(max_error=0.05, mean_run=5000.0), 1000 * YEAR
    found = noticing_at(asked, plan, rate=0.1, volume_per_year=volume)
    assert found.looks == pytest.approx(looks_to_notice(plan))
    assert (found.days - 1) * 1000 * 0.1 == pytest.approx(found.looks)
    assert found.wrong == pytest.approx(found.days * 1000 * doubled(0.05))
    cases = cases_in_time(asked, WEEK, volume)
    assert cases == pytest.approx(6000)
    rate = rate_to_notice(cases, 0.05, volume, alarms_per_year=1.0)
    again = DetectorPlan(max_error=0.05, mean_run=volume * rate)
    assert looks_to_notice(again) == pytest.approx(rate * cases)


def test_the_file_keeps_what_was_said() -> None:
    for notice in (WEEK, FIFTY, None):
        assert parse_task(task_toml(task(notice))) == task(notice)


BASE = """[task]
name = "pay"
question = "Pay?"
target = "pay"
kind = "classification"
goal = "roc_auc"
[autonomy]
max_error = 0.05
confidence = 0.95
"""
EITHER = '{ doubling_within = "7d" } or { doubling_before = 50 }'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("notice = {}", "notice: expected one of doubling_within and doubling_before, got neither"),
        ('notice = { doubling_within = "7d", doubling_before = 50 }', "got doubling_within and doubling_before"),
        ('notice = { doubling_within = "soon" }', EITHER),
        ("notice = { doubling_before = 0 }", EITHER),
        ("notice = { trebling = 5 }", EITHER),
        ('notice = "7d"', EITHER),
        ('notice = { doubling_within = "1d" }', 'a time longer than [review] answer_within, "1d"'),
        ('audit_rate = 0.1\nnotice = { doubling_within = "7d" }', "no audit_rate beside notice, which computes it"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(line: str, told: str) -> None:
    with pytest.raises(TaskFileError) as caught:
        parse_task(BASE + line)
    assert told in str(caught.value)


def test_more_than_half_of_all_answers_cannot_double() -> None:
    with pytest.raises(TaskFileError, match="a risk of twice as much must be possible"):
        parse_task(BASE.replace("0.05", "0.5") + "notice = { doubling_before = 50 }")
