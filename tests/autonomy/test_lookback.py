"""What a stretch of automation has cost, in numbers and in words; and that a second look never counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evidence.promises import kept
from understudy.autonomy.lookback import look_back, lookback_text, span, worst_beginning
from understudy.autonomy.truth import Past, known_truth
from understudy.autonomy.verdict import LOOK_BACK, Verdict, drawn, verdict
from understudy.core.evidence import Evidence
from understudy.core.nouns import Decider, Review
from understudy.core.task import Autonomy, Cost, Decision, Task, Truth
from understudy.core.task import Review as ReviewSettings
from understudy.evidence.budget import BudgetPlan, BudgetState, fold_budget
from understudy.evidence.change import DetectorPlan, alarmed, fold_detector, open_detector
from understudy.evidence.means import mean_bounds
from understudy.evidence.stretch import stretch_errors

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
TASK = Task(decision=DECISION, autonomy=Autonomy(max_error=0.1, confidence=0.9))
PRICED = replace(TASK, cost=Cost(mistakes={"no -> yes": 40.0, "yes -> no": 10.0}))


def drawn_losses(n: int = 2000, rate: float = 0.2, risk: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < rate, (rng.random(n) < risk).astype(float), np.nan), np.full(n, rate)


def test_the_figures_are_the_stretch_s_less_what_was_promised() -> None:
    loss, propensity = drawn_losses()
    found = look_back(TASK, loss, propensity, before=30, unsettled=50)
    errors = stretch_errors(loss, propensity, before=30, alpha=1 - 0.9)
    assert (found.cases, found.settled, found.looked) == (2050, 2000, int((~np.isnan(loss)).sum()))
    assert (found.errors, found.allowed, found.cost) == (errors, 200.0, None)
    for name in ("estimate", "lower", "upper"):
        assert getattr(found.excess, name) == pytest.approx(getattr(errors, name) - 200)
        assert getattr(found.rate, name) == pytest.approx(getattr(errors, name) / 2000 - 0.1)
    assert found.found == np.nansum(loss)


def test_costs_are_losses_at_the_dearest_price() -> None:
    loss = np.repeat([1.0, 0.25, 0.0], [4, 8, 88])
    found = look_back(PRICED, loss, np.ones(100))
    assert found.cost is not None
    assert found.cost.upper == pytest.approx(4 * 40 + 8 * 10 - 0.1 * 100 * 40)
    text = lookback_text(PRICED, look_back(PRICED, np.ones(100), np.ones(100)))
    assert text[1].startswith("Their mistakes weigh as much as 100 of the dearest, where 10.0 were promised at most")
    assert text[2] == "At the task's prices that costs 3,600 more than was promised."


def test_words_say_what_is_known_and_what_is_bounded() -> None:
    exact = lookback_text(TASK, look_back(TASK, np.repeat([1.0, 0.0], [30, 70]), np.ones(100), unsettled=1))
    assert exact == (
        "Since then it decided 101 cases by itself; 100 of them are settled, and 100 of these were looked at.",
        "Of the settled ones 30 were wrong, where 10.0 were promised at most: 20 too many, or 20 in 100.",
    )
    bounded = lookback_text(TASK, look_back(TASK, *drawn_losses()))
    assert bounded[1].endswith("in 100, with 90 % confidence, wherever one begins.")
    assert "between" in bounded[1]


def test_nothing_decided_and_nothing_settled_have_words_too() -> None:
    none = np.array([])
    assert lookback_text(TASK, look_back(TASK, none, none)) == ("Since then it has decided nothing by itself.",)
    waiting = look_back(TASK, none, none, unsettled=3)
    assert (waiting.rate.upper, len(lookback_text(TASK, waiting))) == (0.0, 1)


def test_less_than_was_promised_is_told_as_none_too_many() -> None:
    text = lookback_text(TASK, look_back(TASK, np.repeat([1.0, 0.0], [3, 97]), np.ones(100)))[1]
    assert text.endswith("3 were wrong, where 10.0 were promised at most: 0 too many, or 0 in 100.")


def test_numbers_are_off_or_not() -> None:
    number = replace(TASK, decision=replace(DECISION, kind="regression", tolerance=5.0, goal="rmse"))
    assert "were off by more than the tolerance" in lookback_text(number, look_back(number, np.ones(9), np.ones(9)))[1]


@given(lower=st.floats(-50, 2000), width=st.floats(0.001, 500), digits=st.integers(0, 2))
def test_bounds_are_rounded_outwards(lower: float, width: float, digits: int) -> None:
    found = Evidence(estimate=lower, lower=lower, upper=lower + width, confidence=0.9, n=1, method="")
    words = span(found, digits)
    if words.startswith("between"):
        low, high = (float(word.replace(",", "")) for word in words.removeprefix("between ").split(" and "))
        assert low <= max(lower, 0) + 1e-6
        assert high >= lower + width - 1e-6


@given(seed=st.integers(0, 200))
def test_the_worst_beginning_is_where_the_account_climbed_highest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plan = BudgetPlan(max_error=0.1, delta=0.02, pi_min=0.2, limit=400)
    n = int(rng.integers(1, 120))
    propensity = rng.choice([0.2, 0.5], n)
    loss = np.where(rng.random(n) < propensity, rng.random(n) < 0.3, np.nan)
    begin, climb = worst_beginning(plan, loss, propensity)
    assert climb == pytest.approx(fold_budget(BudgetState(), plan, loss, propensity).climb, abs=1e-8)
    later = fold_budget(BudgetState(), plan, loss[begin:], propensity[begin:])
    assert later.highest == pytest.approx(climb, abs=1e-8)
    begins = [fold_budget(BudgetState(), plan, loss[k:], propensity[k:]).highest for k in range(n + 1)]
    assert max(begins) == pytest.approx(climb, abs=1e-8)


def test_a_look_that_proves_too_little_counts_as_a_mistake_there_too() -> None:
    plan = BudgetPlan(max_error=0.1, delta=0.02, pi_min=0.5, limit=400)
    loss, propensity = np.zeros(30), np.repeat([1.0, 0.1], [20, 10])
    assert worst_beginning(plan, loss, propensity)[0] == 20


def look(kind: str, value: str, seq: int = 1) -> Review:
    return Review(
        seq=seq,
        case_seq=1,
        user=f"u{seq}",
        kind=kind,
        action="decide",
        value=value,
        blind=True,
        shown_version=None,
        note=None,
        opened_at=None,
        at=seq,
        supersedes=None,
    )


@pytest.mark.parametrize(("correct", "decision", "by"), [(True, "no", Decider.PERSON), (False, "yes", Decider.MODEL)])
def test_a_second_look_corrects_a_decision_where_audits_do(correct: bool, decision: str, by: Decider) -> None:
    first = Verdict(decision="yes", by=Decider.MODEL, at=0)
    found = verdict(first, [look(LOOK_BACK, "no")], wanted=1, correct=correct)
    assert found is not None
    assert (found.decision, found.by) == (decision, by)


@given(
    source=st.sampled_from(["outcome", "review", "blind_review"]),
    hides=st.sampled_from([(), ("yes",), ("no",)]),
    kind=st.sampled_from(["none", "audit", "decide"]),
    blind=st.booleans(),
    outcome=st.sampled_from([None, "yes", "no"]),
    overdue=st.booleans(),
    wanted=st.integers(1, 2),
    given_=st.lists(
        st.tuples(st.sampled_from(["decide", "audit", "caller"]), st.sampled_from(["yes", "no"])), max_size=2
    ),
    chosen=st.lists(st.sampled_from(["yes", "no"]), max_size=3),
    correct=st.booleans(),
)
def test_no_look_that_somebody_chose_changes_what_is_true(
    source: str,
    hides: tuple[str, ...],
    kind: str,
    blind: bool,
    outcome: str | None,
    overdue: bool,
    wanted: int,
    given_: list[tuple[str, str]],
    chosen: list[str],
    correct: bool,
) -> None:
    task = replace(TASK, truth=Truth(source=source, hides_outcome=hides), review=ReviewSettings(wanted=wanted))
    plain = tuple(look(kind_, value, seq) for seq, (kind_, value) in enumerate(given_, 1))
    more = (*plain, *(look(LOOK_BACK, value, seq) for seq, value in enumerate(chosen, 10)))
    first = None if kind == "decide" else Verdict(decision="yes", by=Decider.MODEL, at=0)

    def truth(reviews: tuple[Review, ...]):
        stands = first or verdict(None, drawn(reviews), wanted=wanted, correct=correct)
        past = Past(
            review_kind=kind,
            review_propensity=0.3,
            blind=blind,
            decision=None if stands is None else stands.decision,
            reviews=reviews,
            outcome=outcome,
            overdue=overdue,
        )
        return known_truth(task, past)

    assert truth(more) == truth(plain)


def test_if_it_counted_a_second_look_would_choose_whose_outcome_is_known() -> None:
    """A refused loan shows no outcome. Paid after all, since somebody chose to look, it would, and with π = 1."""
    task = replace(TASK, truth=Truth(hides_outcome=("no",)))
    first, again = Verdict(decision="no", by=Decider.MODEL, at=0), (look(LOOK_BACK, "yes"),)
    sources = []
    for counted in (again, drawn(again)):
        stands = verdict(first, counted, wanted=1, correct=True)
        assert stands is not None
        past = Past(
            review_kind="none",
            review_propensity=0.1,
            blind=True,
            decision=stands.decision,
            reviews=again,
            outcome="yes",
            overdue=True,
        )
        truth = known_truth(task, past)
        assert truth is not None
        sources.append((truth.source, truth.propensity))
    assert sources == [("outcome", 1.0), ("nobody", 0.1)]


def alarmed_stretches(risks: tuple[float, float], *, runs: int = 250, n: int = 3000) -> list[tuple]:
    """Of runs that alarm: the stretch since the detector's change, looks before it, and the real sum of its losses."""
    rng = np.random.default_rng(4)
    plan, found = DetectorPlan(max_error=0.1, mean_run=100), []
    for _ in range(runs):
        loss = (rng.random(n) < np.repeat(risks, n // 2)).astype(float)
        told = np.where(rng.random(n) < 0.3, loss, np.nan)
        state = fold_detector(open_detector(plan), plan, told, np.ones(n))
        if alarmed(state):
            part = slice(state.began_row, state.alarm_row)
            found.append((told[part], int((~np.isnan(told[: part.start])).sum()), loss[part].sum()))
    return found


@pytest.mark.parametrize("risks", [(0.1, 0.1), (0.05, 0.3)])
def test_the_bounds_hold_since_the_change_that_an_alarm_tells_of_be_it_false_or_not(risks: tuple) -> None:
    found = alarmed_stretches(risks)
    assert len(found) > 200
    reports = [look_back(TASK, told, np.full(len(told), 0.3), before=before).errors for told, before, _ in found]
    broken = [not told.lower <= real <= told.upper for told, (_, _, real) in zip(reports, found, strict=True)]
    assert kept(np.array(broken), 0.1)


def test_bounds_that_take_the_beginning_for_fixed_are_broken_by_false_alarms() -> None:
    """Nothing has changed: the risk is .1 throughout. An alarm picks stretches that look otherwise."""
    found = alarmed_stretches((0.1, 0.1))
    broken = [mean_bounds(told, alpha=0.1).lower > 0.1 for told, _, _ in found]
    assert not kept(np.array(broken), 0.1)
