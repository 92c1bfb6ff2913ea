"""The forecast of the queue: against a queue that is worked off case by case, and in words."""

from collections import deque

import pytest
from msgspec.structs import replace

from understudy.autonomy.capacity import Forecast, Shares, count, forecast, forecast_text, shares_under
from understudy.autonomy.router import Facts
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Autonomy, Decision, Review, Rule, Task, Today, Truth

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
TASK = Task(decision=DECISION, autonomy=Autonomy(max_error=0.05, confidence=0.95))
RULED = replace(TASK, today=Today(rules=(Rule(when="amount < 100", then="pay"),)))
STEPS = 200
"""Moments of a day in which cases come and are worked off."""


def reviewing(task: Task = TASK, **settings: object) -> Task:
    return replace(task, review=Review(**settings))  # type: ignore[arg-type]


def worked(decide: float, can: float, waiting: int, patience: float, *, leave: bool) -> tuple[list[float], float]:
    """Cases that wait after 1, 7 and 30 days, and the share of those that came and were, or will be, too late.

    The oldest goes first; with `leave`, who has waited for too long leaves. Those who waited already came just now.
    """
    queue: deque[tuple[float, float, bool]] = deque([(0.0, float(waiting), False)] if waiting else [])
    lengths, late, came = [], 0.0, 0.0
    for step in range(70 * STEPS):
        now = step / STEPS
        if now < 30:
            queue.append((now, decide / STEPS, True))
            came += decide / STEPS
        work = can / STEPS
        while queue and (work > 0 or (leave and now - queue[0][0] > patience)):
            at, many, counts = queue.popleft()
            gone = leave and now - at > patience
            done = many if gone else min(many, work)
            work -= 0 if gone else done
            late += done if counts and now - at > patience else 0
            if many - done > 1e-12:
                queue.appendleft((at, many - done, counts))
        if step + 1 in (STEPS, 7 * STEPS, 30 * STEPS):
            lengths.append(sum(many for _, many, _ in queue))
    late += sum(many for at, many, counts in queue if counts and 70 - at > patience)
    return lengths, late / came


FROM_NOTHING = [(310, 100, 0, "1d"), (90, 100, 0, "1d"), (101, 100, 0, "2d"), (50, 0, 0, "1d")]
WITH_A_QUEUE = [(90, 100, 250, "1d"), (100, 100, 300, "1d"), (150, 100, 40, "2d")]
"""Whether those who wait already are overdue the forecast does not know; where they are held it does not matter."""


@pytest.mark.parametrize(
    ("overdue", "decide", "can", "waiting", "within"),
    [("hold", *row) for row in FROM_NOTHING + WITH_A_QUEUE] + [("rules", *row) for row in FROM_NOTHING],
)
def test_the_forecast_is_what_comes_of_a_queue_that_is_worked_off(
    overdue: str, decide: int, can: int, waiting: int, within: str
) -> None:
    task = reviewing(RULED, per_day=can, answer_within=within, overdue=overdue)
    found = forecast(
        task, Shares(people=decide / 1000, model=0.0, rules=0.0), audit_rate=0, cases_a_day=1000, waiting=waiting
    )
    lengths, late = worked(decide, can, waiting, float(within[0]), leave=overdue == "rules")
    assert found.waiting == pytest.approx(lengths, abs=4)
    assert found.overdue == pytest.approx(late, abs=0.04)


def test_people_decide_before_they_audit() -> None:
    task = reviewing(per_day=100)
    some = forecast(task, Shares(people=0.08, model=0.9, rules=0.02), audit_rate=0.05, cases_a_day=1000, waiting=0)
    assert (some.decide, some.audit, some.undone) == (80, pytest.approx(46), pytest.approx(26 / 46))
    assert some.grows == pytest.approx(26)
    none = forecast(task, Shares(people=0.2, model=0.8, rules=0.0), audit_rate=0.05, cases_a_day=1000, waiting=0)
    assert (none.undone, none.grows) == (1.0, pytest.approx(140))


def test_several_reviewers_a_case_make_less_of_the_day() -> None:
    task, some = reviewing(wanted=2), Shares(people=0.6, model=0.4, rules=0)
    found = forecast(task, some, audit_rate=0, cases_a_day=100, waiting=0)
    assert (found.can, found.grows) == (50, 10)
    told = forecast_text(task, found)[0]
    assert told.endswith("60 cases a day, each by 2 people; 50 a day can be reviewed: the queue grows by 10 a day.")


def test_the_words_are_the_ones_that_an_owner_understands() -> None:
    found = forecast(reviewing(), Shares(people=0.31, model=0.69, rules=0), audit_rate=0, cases_a_day=1000, waiting=0)
    work, late = forecast_text(TASK, found)
    assert work == "People would decide about 310 cases a day; 100 a day can be reviewed: the queue grows by 210 a day."
    assert late == (  # 98 % = 1 − (100 / 210) / 30
        "1,500 would wait after a week and 6,300 after 30 days; "
        "98 % of those that come until then are answered later than 1d: they are held."
    )
    calm = forecast(reviewing(), Shares(people=0.05, model=0.95, rules=0), audit_rate=0.02, cases_a_day=1000, waiting=0)
    assert forecast_text(TASK, calm) == (
        "People would decide about 50 cases a day and audit about 19; 100 a day can be reviewed: they keep up.",
    )


@pytest.mark.parametrize(
    ("task", "overdue", "words"),
    [
        (TASK, "hold", "they are held."),
        (TASK, "escalate", "they then come before all others."),
        (RULED, "rules", "the rules of today decide them, where one holds."),
        (TASK, "rules", "there are no rules to decide them."),
    ],
)
def test_what_becomes_of_overdue_cases_is_told(task: Task, overdue: str, words: str) -> None:
    task = reviewing(task, overdue=overdue)
    found = forecast(task, Shares(people=0.5, model=0.5, rules=0), audit_rate=0, cases_a_day=1000, waiting=0)
    assert forecast_text(task, found)[1].endswith(words)


def test_audits_that_nobody_does_count_as_mistakes_unless_outcomes_tell() -> None:
    found = forecast(TASK, Shares(people=0.2, model=0.8, rules=0), audit_rate=0.1, cases_a_day=1000, waiting=0)
    assert forecast_text(TASK, found)[-1] == "There is no time for 80 of the 80 audits a day."
    blind = replace(TASK, truth=Truth(source="blind_review"))
    assert forecast_text(blind, found)[-1].endswith("each counts as a mistake once 30d have passed.")


def test_without_reviewers_that_is_said() -> None:
    task = reviewing(per_day=0)
    found = forecast(task, Shares(people=0.1, model=0.5, rules=0.4), audit_rate=0, cases_a_day=1000, waiting=0)
    assert forecast_text(task, found)[0] == (
        "People would decide about 100 cases a day; nobody can review any ([review] per_day = 0)."
    )


def fact(confidence: float, **other: object) -> Facts:
    plain = {"answer": "pay", "strangeness": 0.2, "outside": (), "allowed": True, "rule": None, "rules_fill": False}
    return Facts(confidence=confidence, audit_draw=1.0, blind_draw=1.0, **(plain | other))  # type: ignore[arg-type]


def test_who_decides_is_what_the_router_says() -> None:
    facts = [fact(0.99), fact(0.95), fact(0.7), fact(0.99, strangeness=1.0), fact(0.99, outside=("mandate_never",))]
    partial = Deployment(level=Level.PARTIAL, champion="v", thresholds={"pay": 0.9}, strange_limit=0.99)
    assert shares_under(partial, facts) == Shares(people=0.6, model=0.4, rules=0.0)
    assert shares_under(replace(partial, level=Level.FULL), facts).model == 0.6
    assert shares_under(replace(partial, paused=True), facts).people == 1
    ruled = [replace(one, rule="pay", rules_fill=True) for one in facts]
    assert shares_under(partial, ruled) == Shares(people=0.0, model=0.4, rules=0.6)


def test_nothing_to_do_is_no_trouble() -> None:
    found = forecast(TASK, Shares(people=0, model=1, rules=0), audit_rate=0, cases_a_day=0, waiting=0)
    assert found == Forecast(decide=0, audit=0, can=100, grows=0, waiting=(0, 0, 0), overdue=0, undone=0)
    assert count(0) == "0"
