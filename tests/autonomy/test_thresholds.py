"""Thresholds that a suspicion raises, and that come back once it has passed."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from understudy.autonomy import challengers, ladder, steps
from understudy.autonomy.audits import borne_out, set_audits
from understudy.autonomy.proposal import propose, waits
from understudy.autonomy.standing import Rung, Standing
from understudy.autonomy.steps import step_up
from understudy.autonomy.thresholds import certified_rungs, relax, tighten
from understudy.autonomy.watch import Watch
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Autonomy, Decision, Task
from understudy.evidence.gate import GatePlan, Rows, certified, fold_gate, open_gate

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
TASK = Task(decision=DECISION, autonomy=Autonomy(max_error=0.05, confidence=0.95, max_level=Level.FULL))
DRIFT = "The share of strange cases is above its bound."
RUNGS = {
    "yes": tuple(Rung(threshold=low, cases=cases) for low, cases in ((0.95, 100), (0.9, 450), (0.8, 700), (0.7, 1000))),
    "no": (Rung(threshold=0.6, cases=300),),
}
LOW = {"yes": 0.7, "no": 0.6}
HIGH = {"yes": 0.9, "no": 0.6}
PARTIAL = Deployment(level=Level.PARTIAL, champion="old", thresholds=LOW, audit_rate=0.1, epoch=3)
RAISED = replace(PARTIAL, thresholds=HIGH, raised_from=LOW)


def stands(looks: int, loss: float, *, rate: float = 0.1, raised: bool = False, **changes: object) -> Standing:
    watch = Watch(rate=rate, raised=raised, looks=looks, loss=loss)
    plain = Standing(
        certified=LOW, rungs=RUNGS, distances={}, watch=watch, wanted=0.02, settled=0, looked=0, errors=0.0
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("rate", "standing", "then"),
    [
        (0.1, stands(200, 11.0), True),  # the looks alone are a suspicion
        (0.1, stands(200, 11.0, suspicions=(DRIFT,)), True),
        (0.1, stands(199, 30.0, suspicions=(DRIFT,)), False),  # too few looks at this rate
        (0.1, stands(900, 45.0, suspicions=(DRIFT,)), False),  # they clear it
        (0.05, stands(900, 90.0, rate=0.05), False),  # the audit rate comes first
        (0.1, stands(900, 90.0, rate=0.05), False),  # looks before it was raised
        (0.1, stands(200, 11.0, rungs={"yes": RUNGS["yes"][-1:]}), False),  # nothing stricter is certified
    ],
)
def test_when_thresholds_are_raised(rate: float, standing: Standing, then: bool) -> None:
    move = tighten(TASK, replace(PARTIAL, audit_rate=rate), standing, ())
    assert (move is not None) == then
    if move is not None:
        assert (move.kind, move.to) == ("tighten", replace(RAISED, audit_rate=rate))


def test_they_go_where_about_half_of_the_cases_are_left_and_the_reasons_say_so() -> None:
    move = tighten(TASK, PARTIAL, stands(200, 15.0, suspicions=(DRIFT,)), ())
    assert move.reasons == (
        "'yes' only from a confidence of 0.900 on, no longer from 0.700 on.",
        DRIFT,
        "Of the last 200 looks 7.5 % were wrong, above 5 %.",
        "200 looks at an audit rate of 10 % have not cleared the suspicion: 7.5 % were wrong.",
        "Nothing new has to be proven for that. The thresholds from before come back once the suspicion has passed.",
    )


def test_full_goes_down_to_partial_where_it_rests_on_certificates() -> None:
    whole = {"yes": (*RUNGS["yes"], Rung(threshold=0.0, cases=1200))}
    full = replace(PARTIAL, level=Level.FULL, thresholds={"yes": 0.0})
    found = stands(200, 15.0, rungs=whole, certified={"yes": 0.0}, whole=True)
    move = tighten(TASK, full, found, ())
    assert (move.to.level, move.to.thresholds, move.to.raised_from) == (Level.PARTIAL, {"yes": 0.9}, {"yes": 0.0})
    assert move.reasons[0] == "'yes' only from a confidence of 0.900 on, no longer always."
    assert tighten(TASK, full, replace(found, whole=False), ()) is None


@pytest.mark.parametrize(
    ("standing", "then"),
    [
        (stands(200, 0.0, raised=True), True),
        (stands(199, 0.0, raised=True), False),  # not for long enough
        (stands(900, 0.0), False),  # looks before they were raised
        (stands(900, 0.0, raised=True, suspicions=(DRIFT,)), False),
        (stands(900, 0.0, raised=True, room=0.6), False),
        (stands(900, 46.0, raised=True), False),
    ],
)
def test_when_they_come_back(standing: Standing, then: bool) -> None:
    move = relax(TASK, RAISED, standing, ())
    assert (move is not None) == then
    if move is not None:
        assert (move.kind, move.to) == ("relax", PARTIAL)
        assert move.reasons[1] == "As before: 'yes' from a confidence of 0.700 on, 'no' from a confidence of 0.600 on."


def test_only_what_still_holds_comes_back() -> None:
    calm = stands(300, 0.0, raised=True)
    void = replace(calm, certified={"yes": 0.8, "no": 0.6})
    assert relax(TASK, RAISED, void, ()).to.thresholds == {"yes": 0.8, "no": 0.6}
    worse = replace(calm, certified={"yes": 0.95, "no": 0.6})  # the next rule in order takes 0.9 back as well
    assert relax(TASK, RAISED, worse, ()).to.thresholds == HIGH
    better = replace(calm, certified={"yes": 0.5, "no": 0.5})  # that is a step up, and waits for its own leave
    assert relax(TASK, RAISED, better, ()).to.thresholds == LOW
    taken = replace(RAISED, thresholds={"yes": 0.9})
    assert relax(TASK, taken, calm, ()).to.thresholds == {"yes": 0.7}


def test_the_rungs_in_their_order_audits_then_thresholds_then_down() -> None:
    found = stands(99, 20.0, rate=0.02, suspicions=(DRIFT,))
    first = propose(TASK, replace(PARTIAL, audit_rate=0.02), found)
    assert (first.kind, first.to.audit_rate) == ("audit", 0.1)
    assert propose(TASK, first.to, found) is None
    second = propose(TASK, first.to, stands(200, 15.0, suspicions=(DRIFT,)))
    assert (second.kind, second.to.thresholds) == ("tighten", HIGH)
    assert propose(TASK, second.to, stands(200, 15.0, suspicions=(DRIFT,))) is None
    assert propose(TASK, second.to, stands(199, 15.0, raised=True, suspicions=(DRIFT,))) is None
    third = propose(TASK, second.to, stands(200, 15.0, raised=True, suspicions=(DRIFT,)))
    assert (third.kind, third.to.level, third.to.raised_from) == ("step_down", Level.ASSIST, {})
    assert third.reasons[1] == "200 looks at an audit rate of 10 % have not cleared the suspicion: 7.5 % were wrong."


def test_without_a_stricter_certificate_the_step_down_needs_as_many_looks_in_all() -> None:
    doubted = stands(399, 30.0, suspicions=(DRIFT,), rungs={})
    assert propose(TASK, PARTIAL, doubted) is None
    assert propose(TASK, PARTIAL, stands(400, 30.0, suspicions=(DRIFT,), rungs={})).kind == "step_down"


def test_calm_undoes_them_in_the_opposite_order() -> None:
    calm = stands(200, 0.0, raised=True)
    assert set_audits(TASK, RAISED, calm, ()) is None
    back = propose(TASK, RAISED, calm)
    assert back.kind == "relax"
    assert propose(TASK, back.to, stands(200, 0.0)).kind == "audit"


def test_neither_waits_for_a_person_and_nothing_steps_up_meanwhile() -> None:
    better = stands(0, 0.0, raised=True, certified={"yes": 0.5}, whole=True)
    assert step_up(TASK, RAISED, better, ()) is None
    for kind, before in (("tighten", PARTIAL), ("relax", RAISED)):
        assert not waits(TASK, before, Move(kind=kind, to=before, reasons=()))


def test_whatever_else_changes_what_it_decides_forgets_them() -> None:
    owner = Evidence(estimate=0.5, lower=0.4, upper=0.6, confidence=0.94, n=900, method="paired, betting")
    better = [challengers.Rival(version="new", lead=owner, certified={"yes": 0.8}, distances={})]
    other = replace(TASK, autonomy=replace(TASK.autonomy, max_error=0.1))
    nothing = stands(0, 0.0, certified={})
    after = [
        ladder.step_down(RAISED, Level.ASSIST, "By hand.").to,
        ladder.override(RAISED, TASK, Level.PARTIAL, {"yes": 0.5}, "A trial.").to,
        ladder.rollback(RAISED, "older", "By hand.").to,
        ladder.under(other, RAISED, 7, before=TASK),
        steps.take_back(TASK, RAISED, nothing, ()).to,
        challengers.promote(TASK, RAISED, nothing, better).to,
    ]
    assert [found.raised_from for found in after] == [{}] * len(after)
    assert ladder.under(TASK, RAISED, 7, before=TASK).raised_from == LOW


def test_borne_out_counts_only_looks_since_they_were_raised() -> None:
    assert borne_out(TASK, RAISED, stands(900, 90.0, suspicions=(DRIFT,))) == ()


def test_every_rung_is_a_threshold_that_is_certified_and_counts_its_cases() -> None:
    rng = np.random.default_rng(2)
    plan = GatePlan(sides=("yes", "no"), grid=((0.9, 0.6, 0.3, 0.0), (0.8, 0.0)), max_error=0.05, delta=0.03)
    sure = rng.random(5000)
    loss = (rng.random(5000) < 0.3 * (1 - sure)).astype(float)
    state = fold_gate(
        open_gate(plan), plan, Rows(side=np.zeros(5000, int), confidence=sure, loss=loss, weight=np.ones(5000))
    )
    [(name, rungs)] = certified_rungs(plan, state).items()
    assert (name, rungs[-1].threshold) == ("yes", certified(state, plan)["yes"])
    assert [rung.cases for rung in rungs] == [int((sure >= rung.threshold).sum()) for rung in rungs]
    assert all(state.sides[0].peak[plan.grid[0].index(rung.threshold)] >= plan.goal for rung in rungs)


def test_an_old_deployment_has_none() -> None:
    plain = {key: value for key, value in msgspec.to_builtins(PARTIAL).items() if key != "raised_from"}
    assert msgspec.convert(plain, Deployment) == PARTIAL
