"""The rules of the ladder in their order, and which of their moves wait for a person."""

import numpy as np
import pytest
from msgspec.structs import replace

from understudy.autonomy.challengers import FEWEST_PAIRS, Rival
from understudy.autonomy.proposal import AT_ONCE, RULES, propose, waits
from understudy.autonomy.schedule import due
from understudy.autonomy.standing import Standing
from understudy.autonomy.watch import Watch
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Autonomy, Decision, Retrain, Task
from understudy.evidence.budget import BudgetPlan, BudgetState, fold_budget, spent

DAY = 86_400_000_000
PLAN = BudgetPlan(max_error=0.05, delta=0.02, pi_min=1.0, limit=33)
FRESH = spent(BudgetState(), PLAN)
SPENT = spent(fold_budget(BudgetState(), PLAN, np.ones(20), np.ones(20)), PLAN)


def task(**autonomy: object) -> Task:
    decision = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
    return Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95, **autonomy))


def standing(certified: dict[str, float] | None = None, **changes: object) -> Standing:
    plain = Standing(certified=certified or {}, distances={}, budget=FRESH, settled=900, looked=900, errors=9.0)
    return replace(plain, **changes)


def rival(version: str, lower: float, upper: float, n: int = 1000, certified: dict[str, float] | None = None) -> Rival:
    lead = Evidence(estimate=0.5, lower=lower, upper=upper, confidence=0.94, n=n, method="paired, betting")
    return Rival(version=version, lead=lead, certified=certified or {}, distances={})


def at(level: Level, *challengers: str, **changes: object) -> Deployment:
    plain = Deployment(level=level, champion="old", challengers=challengers, epoch=3, thresholds={"yes": 0.9})
    return replace(plain, **changes)


SURE = {"yes": 0.9}
"""What is deployed at `partial`."""


@pytest.mark.parametrize(
    ("level", "own", "lower", "upper", "n", "kind"),
    [
        (Level.SHADOW, {}, -0.1, 0.3, 1000, None),  # not proven
        (Level.SHADOW, {}, 0.0, 0.3, 1000, "promote"),  # "at most the margin" is refuted
        (Level.SHADOW, {}, -0.3, 0.0, 1000, "retire"),
        (Level.SHADOW, {}, -0.3, 0.0, FEWEST_PAIRS - 1, None),  # worse, but on few cases
        (Level.SHADOW, {"yes": 0.8}, -0.1, 0.3, 1000, "step_up"),
        (Level.SHADOW, {"yes": 0.8}, 0.1, 0.3, 1000, "promote"),  # the champion steps up no more once it is beaten
        (Level.PARTIAL, SURE, -0.3, -0.1, 1000, "retire"),
        (Level.PARTIAL, {"yes": 0.8}, -0.1, 0.1, 1000, "thresholds"),
        (Level.PARTIAL, SURE, -0.1, 0.1, 1000, None),
        (Level.PARTIAL, {}, 0.1, 0.3, 1000, "step_down"),  # nothing is certified any more, and that comes first
        (Level.PARTIAL, {"yes": 0.95}, 0.1, 0.3, 1000, "take_back"),
    ],
)
def test_moves(level: Level, own: dict, lower: float, upper: float, n: int, kind: str | None) -> None:
    move = propose(task(), at(level, "new"), standing(own), [rival("new", lower, upper, n)])
    assert (None if move is None else move.kind) == kind


def test_the_first_rule_that_asks_for_a_move_decides() -> None:
    better = [rival("new", 0.2, 0.3)]
    calm = Watch(rate=0.2, looks=900, loss=0.0)
    spent_too = standing({"yes": 0.8}, budget=SPENT, watch=calm, wanted=0.02)
    steps = [
        (spent_too, "step_down"),
        (replace(spent_too, budget=FRESH, alarm=True), "step_down"),
        (replace(spent_too, budget=FRESH, certified={"yes": 0.95}), "take_back"),
        (replace(spent_too, budget=FRESH), "audit"),
        (replace(spent_too, budget=FRESH, watch=Watch()), "promote"),
    ]
    for stands, kind in steps:
        assert propose(task(), at(Level.PARTIAL, "new", audit_rate=0.2), stands, better).kind == kind


def test_the_rules_are_told_in_words_on_one_screen() -> None:
    assert len(RULES) < 10
    assert all(len(words) < 120 and words.endswith(".") for words, _ in RULES)


@pytest.mark.parametrize(
    ("kind", "level", "step_up", "asks"),
    [
        ("step_up", Level.PARTIAL, "ask", True),
        ("step_up", Level.PARTIAL, "auto", False),
        ("step_up", Level.FULL, "auto", True),  # never by itself
        ("thresholds", Level.PARTIAL, "ask", True),
        ("promote", Level.PARTIAL, "ask", True),
        *((kind, Level.ASSIST, "ask", False) for kind in AT_ONCE),
    ],
)
def test_which_moves_wait_for_a_person(kind: str, level: Level, step_up: str, asks: bool) -> None:
    before = at(Level.PARTIAL)
    move = Move(kind=kind, to=replace(before, level=level), reasons=())
    assert waits(task(step_up=step_up), before, move) == asks


def test_the_margin_is_asked_of_both_bounds() -> None:
    asked = task(margin_promote=0.05)
    assert propose(asked, at(Level.SHADOW, "new"), standing(), [rival("new", 0.04, 0.2)]) is None
    assert propose(asked, at(Level.SHADOW, "new"), standing(), [rival("new", 0.05, 0.2)]).kind == "promote"
    assert propose(asked, at(Level.SHADOW, "new"), standing(), [rival("new", 0.01, 0.05)]).kind == "retire"


@pytest.mark.parametrize(
    ("settings", "waited", "labels", "is_due"),
    [
        ({}, 900 * DAY, 10**6, False),
        ({"every": "30d"}, 29 * DAY, 100, False),
        ({"every": "30d"}, 30 * DAY, 100, True),
        ({"every": "30d"}, 30 * DAY, 0, False),  # nothing new to learn from
        ({"after_labels": 500}, 0, 499, False),
        ({"after_labels": 500}, 0, 500, True),
        ({"every": "30d", "after_labels": 500}, DAY, 500, True),
        ({"on_drift": True}, 900 * DAY, 10**6, False),  # no monitor says so yet
    ],
)
def test_when_a_new_version_is_due(settings: dict, waited: int, labels: int, is_due: bool) -> None:
    assert bool(due(Retrain(**settings), waited=waited, labels=labels)) == is_due
