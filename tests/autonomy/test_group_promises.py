"""A promise for each group by itself: who is in which group, and that no group is certified falsely."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from msgspec.structs import replace

from evidence.promises import kept
from understudy.autonomy.groups import (
    FEWEST_ROWS,
    MOST_GROUPS,
    answer_of,
    by_cell,
    cell,
    group_of,
    group_part,
    groups_of,
    known_groups,
    places,
    side_of,
)
from understudy.autonomy.ladder import keeps_promise
from understudy.autonomy.promise import History, gate_plan
from understudy.autonomy.router import Facts, route
from understudy.autonomy.standing import Standing, far_off
from understudy.core.errors import TaskFileError
from understudy.core.nouns import Decider, Deployment, Level
from understudy.core.task import Autonomy, Decision, Task
from understudy.core.task_file import parse_task
from understudy.evidence.gate import GatePlan, Rows, certified, fold_gate, how_far, open_gate

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc", groups=("sex",))
R, DELTA, RUNS = 0.2, 0.1, 250
GROUPS = ("sex = f", "sex = m", "sex = x")


def task(groups: str) -> Task:
    return Task(decision=DECISION, autonomy=Autonomy(max_error=R, confidence=0.95, groups=groups))


@pytest.mark.parametrize(
    ("inputs", "group"),
    [
        ({"sex": "f"}, "sex = f"),
        ({"sex": 1}, "sex = 1"),
        ({"sex": 1.0}, "sex = 1"),
        ({"sex": "1"}, "sex = 1"),
        ({"sex": 1.5}, "sex = 1.5"),
        ({"sex": True}, "sex = true"),
        ({"sex": None}, "sex missing"),
        ({"sex": ""}, "sex missing"),
        ({}, "sex missing"),
        ({"sex": "missing"}, "sex = missing"),  # is told apart from none
    ],
)
def test_a_group_is_the_same_from_a_file_and_from_a_request(inputs: dict, group: str) -> None:
    assert group_of(task("own"), inputs) == group_of(task("shared"), inputs) == group
    assert group_of(task("whole"), inputs) == ""


@given(answer=st.text(st.characters(codec="ascii")), group=st.text())
def test_a_cell_tells_its_answer_and_its_group(answer: str, group: str) -> None:
    name = cell(answer, group)
    assert answer_of(name) == answer
    assert group_part(name) == group


def test_groups_are_those_that_history_shows_often_and_no_more_than_twenty() -> None:
    rows = [f"g{number:02d}" for number in range(30) for _ in range(FEWEST_ROWS + number)]
    found = known_groups([*rows, *["few"] * (FEWEST_ROWS - 1), *[""] * 99])
    assert found == tuple(f"g{number:02d}" for number in range(30 - MOST_GROUPS, 30))
    assert known_groups([]) == ()


def history(mode: str, rng: np.random.Generator) -> History:
    group = rng.choice(GROUPS, 900)
    sides = [cell("yes", name) if mode == "own" else "yes" for name in group]
    shared = group.astype(object) if mode == "shared" else None
    return History(
        side=np.array(sides, dtype=object), confidence=rng.integers(1, 5, 900) / 5, loss=np.zeros(900), group=shared
    )


def plan_of(mode: str, rng: np.random.Generator) -> GatePlan:
    plan = gate_plan(task(mode), history(mode, rng), DELTA)
    assert plan is not None
    return plan


def test_own_thresholds_divide_delta_and_shared_ones_do_not() -> None:
    own, shared = (plan_of(mode, np.random.default_rng(1)) for mode in ("own", "shared"))
    assert own.sides == tuple(cell("yes", group) for group in GROUPS)
    assert (own.groups, own.side_delta) == (("",), DELTA / 3)
    assert (shared.sides, shared.groups, shared.side_delta) == (("yes",), GROUPS, DELTA)
    for plan in (own, shared):
        assert set(places(plan)) == {cell("yes", group) for group in GROUPS}
        assert groups_of(plan) == GROUPS
        assert side_of(plan, cell("yes", "sex = f")) in plan.sides
    assert by_cell(shared, {"yes": 0.4}) == dict.fromkeys(places(shared), 0.4)
    assert by_cell(own, {own.sides[0]: 0.4}) == {own.sides[0]: 0.4}


def certify(mode: str, *, pooled: bool = False) -> np.ndarray:
    """By run and group whether anything is certified for it, in a world in which the first one is wrong just too often.

    It is wrong with the chance r whatever the confidence, the others never. Pooled, the groups are thrown together.
    """
    found = np.zeros((RUNS, len(GROUPS)), dtype=bool)
    for run in range(RUNS):
        rng = np.random.default_rng(run)
        plan = plan_of("shared" if mode == "shared" and not pooled else "own", rng)
        if pooled:
            plan = replace(plan, sides=("yes",), grid=plan.grid[:1])
        known, n = places(plan), 900
        group, confidence = rng.integers(0, 3, n), rng.integers(1, 5, n) / 5
        loss = ((rng.random(n) < R) & (group == 0)).astype(float)
        where = [known["yes" if pooled else cell("yes", GROUPS[number])] for number in group]
        rows = Rows(
            side=np.array([side for side, _ in where]),
            group=np.array([number for _, number in where]),
            confidence=confidence,
            loss=loss,
            weight=np.ones(n),
        )
        cells = by_cell(plan, certified(fold_gate(open_gate(plan), plan, rows), plan))
        found[run] = [("yes" if pooled else cell("yes", name)) in cells for name in GROUPS]
    return found


def test_no_group_at_the_limit_is_certified_more_often_than_was_promised_and_the_others_are() -> None:
    found = certify("own")
    assert kept(found[:, 0], DELTA / 3)
    assert found[:, 1:].mean() > 0.95


def test_a_shared_threshold_waits_for_the_worst_group() -> None:
    assert kept(certify("shared").any(axis=1), DELTA)


def test_thrown_together_the_bad_group_would_hide_behind_the_others() -> None:
    assert not kept(certify("own", pooled=True)[:, 0], DELTA)


FACTS = Facts(
    answer="yes",
    confidence=0.9,
    strangeness=0.1,
    outside=(),
    allowed=True,
    rule=None,
    rules_fill=False,
    audit_draw=0.9,
    blind_draw=0.9,
)


@pytest.mark.parametrize(
    ("level", "thresholds", "group", "decides"),
    [
        (Level.PARTIAL, {"yes · sex = f": 0.8}, "sex = f", True),
        (Level.PARTIAL, {"yes · sex = f": 0.95}, "sex = f", False),
        (Level.PARTIAL, {"yes · sex = f": 0.8}, "sex = m", False),
        (Level.PARTIAL, {"yes · sex = f": 0.8}, "sex missing", False),
        (Level.PARTIAL, {"yes": 0.8}, "sex = m", True),  # an owner's word names no group
        (Level.PARTIAL, {"yes": 0.8, "yes · sex = m": 0.95}, "sex = m", False),
        (Level.FULL, {"yes · sex = f": 0.0}, "sex = f", True),
        (Level.FULL, {"yes · sex = f": 0.0}, "sex = m", False),
        (Level.FULL, {}, "sex = m", True),  # by an owner's word
        (Level.FULL, {"yes": 0.99}, "", True),
    ],
)
def test_the_router_decides_for_groups_that_are_certified(level, thresholds: dict, group: str, decides: bool) -> None:
    deployed = Deployment(level=level, champion="v", thresholds=thresholds)
    found = route(deployed, replace(FACTS, group=group))
    assert (found.decided_by is Decider.MODEL) == decides
    assert decides or found.reasons == ("unsure",)


def test_whom_the_promise_is_for_belongs_to_the_epoch() -> None:
    whole, own = task("whole"), task("own")
    other = replace(own, decision=replace(DECISION, groups=("sex", "region")))
    assert not keeps_promise(whole, own)
    assert not keeps_promise(own, task("shared"))
    assert not keeps_promise(own, other)
    assert keeps_promise(whole, replace(whole, decision=other.decision))  # there they only name what is checked


def test_how_far_off_is_told_by_group_and_not_of_what_is_certified() -> None:
    plan = plan_of("own", np.random.default_rng(1))
    state = open_gate(plan)
    deployed = Deployment(level=Level.ASSIST, champion="v")
    done = {cell("yes", "sex = f"): 0.5}
    standing = Standing(certified=done, distances=how_far(state, plan), settled=0, looked=0, errors=0.0)
    told = far_off(task("own"), deployed, standing)
    assert [text.partition(":")[0] for text in told] == ["'yes · sex = m'", "'yes · sex = x'"]
    shared = plan_of("shared", np.random.default_rng(1))
    certain = by_cell(shared, {"yes": 0.5})
    standing = replace(standing, certified=certain, distances=how_far(open_gate(shared), shared))
    assert far_off(task("shared"), deployed, standing) == ()
    none = replace(standing, certified={}, distances={})
    assert far_off(task("own"), deployed, none) == ("Nothing can be certified: no group has 30 held-out rows.",)


def test_groups_must_be_named() -> None:
    text = (
        '[task]\nname = "pay"\nquestion = "Pay?"\ntarget = "pay"\nkind = "classification"\ngoal = "roc_auc"\n'
        '[autonomy]\nmax_error = 0.05\nconfidence = 0.95\ngroups = "own"\n'
    )
    with pytest.raises(TaskFileError, match=r"columns in \[task\] groups for which the promise is to hold"):
        parse_task(text)
    assert parse_task(text.replace('goal = "roc_auc"', 'goal = "roc_auc"\ngroups = ["sex"]')).autonomy.groups == "own"
