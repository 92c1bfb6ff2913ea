"""How many answers are audited; and that rates driven by past audits break neither the gate nor the budget."""

import numpy as np
import pytest
from msgspec.structs import replace

from evidence.promises import kept
from understudy.autonomy.audits import CALM, DOUBT, FEW, SUSPICION_RATE, borne_out, set_audits, suspicions
from understudy.autonomy.standing import Rung, Standing
from understudy.autonomy.thresholds import relax, tighten
from understudy.autonomy.watch import Watch
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Autonomy, Decision, Task
from understudy.evidence.betting import log_gains
from understudy.evidence.budget import BudgetPlan, charges

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
TASK = Task(decision=DECISION, autonomy=Autonomy(max_error=0.05, confidence=0.95))
PARTIAL = Deployment(level=Level.PARTIAL, champion="old", thresholds={"yes": 0.9}, audit_rate=0.2, epoch=3)
DRIFT = "The share of strange cases is above its bound."


def stands(rate: float, looks: int, loss: float, **changes: object) -> Standing:
    watch = Watch(rate=rate, looks=looks, loss=loss)
    plain = Standing(certified={"yes": 0.9}, distances={}, watch=watch, wanted=0.02, settled=0, looked=0, errors=0.0)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("rate", "standing", "then"),
    [
        (0.2, stands(0.2, 199, 0.0), None),  # calm, but not for long enough
        (0.2, stands(0.2, 200, 10.0), 0.1),  # as many errors as were promised
        (0.2, stands(0.2, 200, 11.0), None),  # more of them
        (0.2, stands(0.4, 900, 0.0), None),  # looks at another rate
        (0.1, stands(0.1, 200, 0.0), 0.05),
        (0.03, stands(0.03, 200, 0.0), 0.02),  # no lower than wanted
        (0.021, stands(0.021, 200, 0.0), None),  # not worth a move
        (0.02, stands(0.02, 900, 0.0), None),
        (0.02, stands(0.02, 900, 0.0, wanted=0.05), 0.05),  # twice as much is needed
        (0.02, stands(0.02, 900, 0.0, wanted=0.035), None),
        (0.02, stands(0.02, 99, 90.0), None),  # too few looks to suspect anything
        (0.02, stands(0.02, 100, 6.0), 0.1),
        (0.02, stands(0.02, 100, 0.0, suspicions=(DRIFT,)), 0.1),
        (0.02, stands(0.02, 100, 0.0, room=0.51), 0.1),
        (0.1, stands(0.1, 900, 0.0, suspicions=(DRIFT,)), None),  # stays while the suspicion lasts
        (0.3, stands(0.3, 900, 0.0, suspicions=(DRIFT,)), None),
    ],
)
def test_when_the_rate_moves(rate: float, standing: Standing, then: float | None) -> None:
    move = set_audits(TASK, replace(PARTIAL, audit_rate=rate), standing, ())
    assert (None if move is None else move.to.audit_rate) == then
    if move is not None:
        assert (move.kind, move.to.epoch, move.to.thresholds) == ("audit", 3, {"yes": 0.9})


def test_the_reasons_carry_their_numbers() -> None:
    down = set_audits(TASK, PARTIAL, stands(0.2, 240, 6.0), ())
    assert down.reasons == (
        "The audit rate falls from 20 % to 10 %.",
        "240 looks at this rate, 2.5 % of them wrong, and nothing is suspected.",
        "In calm times 2 % are enough.",
    )
    low = replace(PARTIAL, audit_rate=0.02)
    up = set_audits(TASK, low, stands(0.02, 150, 12.0, suspicions=(DRIFT,), room=0.75), ())
    assert up.reasons == (
        "The audit rate rises from 2 % to 10 %.",
        DRIFT,
        "Errors have used up 75 % of the room that the error budget leaves.",
        "Of the last 150 looks 8 % were wrong, above 5 %.",
    )


@pytest.mark.parametrize("level", [Level.HUMAN, Level.SHADOW, Level.ASSIST])
def test_nothing_is_changed_where_nothing_is_automated(level: Level) -> None:
    assert set_audits(TASK, replace(PARTIAL, level=level), stands(0.2, 900, 0.0), ()) is None


@pytest.mark.parametrize(
    ("rate", "standing", "ends"),
    [
        (0.1, stands(0.1, 400, 21.0, suspicions=(DRIFT,)), True),
        (0.1, stands(0.1, 399, 21.0, suspicions=(DRIFT,)), False),  # not enough looks yet
        (0.1, stands(0.1, 900, 45.0, suspicions=(DRIFT,)), False),  # they clear it
        (0.1, stands(0.02, 900, 90.0, suspicions=(DRIFT,)), False),  # looks before the rate was raised
        (0.02, stands(0.02, 900, 90.0, suspicions=(DRIFT,)), False),  # not raised yet
        (0.1, stands(0.1, 900, 90.0), False),  # what looks alone say, the detector and the budget judge
        (0.1, stands(0.1, 400, 21.0, room=0.8), True),
    ],
)
def test_when_a_suspicion_ends_automation(rate: float, standing: Standing, ends: bool) -> None:
    assert bool(borne_out(TASK, replace(PARTIAL, audit_rate=rate), standing)) == ends


def test_a_suspicion_that_is_borne_out_says_by_how_many_looks() -> None:
    why = borne_out(TASK, replace(PARTIAL, audit_rate=0.1), stands(0.1, 410, 41.0, suspicions=(DRIFT,)))
    assert why == (DRIFT, "410 looks at an audit rate of 10 % have not cleared the suspicion: 10 % were wrong.")


R, FLOOR, BLIND, DELTA = 0.2, 0.02, 0.5, 0.3
SIMPLE = Task(decision=DECISION, autonomy=Autonomy(max_error=R, confidence=0.95, audit_floor=FLOOR))


def next_rates(rate: np.ndarray, looks: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The rule of the ladder for many tasks at once."""
    mean = loss / np.maximum(looks, 1)
    suspected = (looks >= FEW / R) & (mean > R)
    calm = (looks >= CALM / R) & (mean <= R)
    lower = np.maximum(rate / 2, FLOOR)
    return np.where(suspected, np.maximum(rate, SUSPICION_RATE), np.where(calm & (lower <= 0.9 * rate), lower, rate))


def test_the_rule_that_is_simulated_is_the_rule_of_the_ladder() -> None:
    rng = np.random.default_rng(3)
    for rate in (0.2, 0.1, 0.05, 0.025, 0.02):
        for looks in (0, 24, 25, 49, 50, 51, 200):
            loss = float(rng.integers(0, looks // 2 + 1))
            standing = stands(rate, looks, loss, wanted=FLOOR)
            move = set_audits(SIMPLE, replace(PARTIAL, audit_rate=rate), standing, ())
            then = rate if move is None else move.to.audit_rate
            assert next_rates(np.array([rate]), np.array([looks]), np.array([loss]))[0] == pytest.approx(then)


def test_so_is_the_rule_for_thresholds() -> None:
    rungs = {"yes": (Rung(threshold=0.95, cases=10), Rung(threshold=0.9, cases=100))}
    for rate in (0.2, 0.1, 0.05):
        for looks in (24, 49, 50, 51, 200):
            for loss in (0.0, looks * R, looks * R + 1):
                for raised in (False, True):
                    now = replace(PARTIAL, audit_rate=rate, raised_from={"yes": 0.9} if raised else {})
                    watch = Watch(rate=rate, raised=raised, looks=looks, loss=loss)
                    standing = stands(rate, looks, loss, rungs=rungs, watch=watch)
                    moved = (tighten(SIMPLE, now, standing, ()) or relax(SIMPLE, now, standing, ())) is not None
                    found = next_raised(*(np.array([value]) for value in (rate, raised, looks, loss)))[0]
                    assert found == (raised != moved), (rate, looks, loss, raised)


def next_raised(rate: np.ndarray, raised: np.ndarray, looks: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Whether thresholds are raised afterwards: by looks that clear nothing, until as many find nothing."""
    wrong, many = loss > R * looks, looks >= DOUBT / R
    return np.where(raised, wrong | ~many, (rate >= SUSPICION_RATE) & wrong & many)


class Crowd:
    """Many tasks at `partial`, whose audit rates and thresholds follow what their audits have found."""

    def __init__(self, runs: int) -> None:
        self.rate, self.looks, self.loss = np.full(runs, 0.2), np.zeros(runs), np.zeros(runs)
        self.lowest, self.raised, self.tightened = self.rate.copy(), np.zeros(runs, bool), np.zeros(runs, bool)

    def note(self, audited: np.ndarray, loss: np.ndarray) -> None:
        self.looks += audited
        self.loss += audited * loss
        then = next_rates(self.rate, self.looks, self.loss)
        then = np.where(self.raised, np.maximum(then, self.rate), then)
        raised = next_raised(self.rate, self.raised, self.looks, self.loss)
        same = (then == self.rate) & (raised == self.raised)
        self.rate, self.looks, self.loss = then, self.looks * same, self.loss * same
        self.raised, self.tightened = raised, self.tightened | raised
        self.lowest = np.minimum(self.lowest, then)


def certified_falsely(*, weighted: bool, runs: int = 1000, steps: int = 4000) -> np.ndarray:
    """Whether a threshold below the deployed one, at a risk of exactly r, is ever certified.

    Half of its cases are decided by the machine, a quarter while a suspicion has raised the deployed threshold, and
    audited at a rate that moves; the others are reviewed blind.
    """
    rng = np.random.default_rng(11)
    crowd, wealth, peak = Crowd(runs), np.zeros(runs), np.zeros(runs)
    for _ in range(steps):
        sure = rng.random(runs)
        automated = sure < np.where(crowd.raised, 0.25, 0.5)
        chance, least = np.where(automated, crowd.rate, BLIND), np.minimum(crowd.rate, BLIND)
        looked = rng.random(runs) < chance
        loss = (rng.random(runs) < np.where(sure < 0.5, R + 0.03, R - 0.03)).astype(float)
        weight = least / chance if weighted else np.ones(runs)
        wealth += np.where(looked, log_gains(loss, weight, R, (0.2,))[:, 0], 0.0)
        peak = np.maximum(peak, wealth)
        crowd.note(looked & automated, loss)
    assert (crowd.lowest <= 0.05).mean() > 0.2  # the rates have moved
    assert crowd.tightened.mean() > 0.5  # and the thresholds
    return peak >= -np.log(0.05)


def test_audit_rates_and_thresholds_that_follow_past_audits_certify_nothing_falsely() -> None:
    assert kept(certified_falsely(weighted=True), 0.05)


def test_without_the_weights_they_would() -> None:
    assert not kept(certified_falsely(weighted=False), 0.05)


def errors_beyond_the_bound(*, logged: bool, runs: int = 1000, steps: int = 8000) -> np.ndarray:
    """Whether the errors ever exceed the budget's bound, in a world that errs where few look."""
    rng = np.random.default_rng(12)
    plan = BudgetPlan(max_error=R, delta=DELTA, pi_min=FLOOR, limit=1e9)
    crowd, real, charged, broken = Crowd(runs), np.zeros(runs), np.zeros(runs), np.zeros(runs, bool)
    for _ in range(steps):
        loss = (rng.random(runs) < np.where(crowd.rate > 0.03, 0.05, 0.9)).astype(float)
        looked = rng.random(runs) < crowd.rate
        chance = crowd.rate if logged else np.full(runs, 0.2)
        charged += charges(plan, np.where(looked, loss, np.nan), chance)
        real += loss
        broken |= real > charged / plan.theta + plan.entry
        crowd.note(looked, loss)
    assert (crowd.lowest < 0.03).mean() > 0.9
    return broken


def test_the_budget_holds_where_a_world_errs_as_soon_as_few_look() -> None:
    assert kept(errors_beyond_the_bound(logged=True), DELTA)


def test_with_the_first_rate_in_place_of_the_logged_one_it_would_not() -> None:
    assert not kept(errors_beyond_the_bound(logged=False), DELTA)


def test_a_suspicion_is_told_in_full() -> None:
    assert suspicions(TASK, stands(0.1, 900, 9.0)) == ()
    assert suspicions(TASK, stands(0.1, 900, 90.0, suspicions=(DRIFT,)))[0] == DRIFT
