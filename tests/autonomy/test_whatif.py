"""What other settings would bring follows from the bounds, by figures that one can check by hand."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from understudy.autonomy.choices import Choice, possible
from understudy.autonomy.promise import wanted_audit_rate
from understudy.autonomy.whatif import Basis, WhatIf, offers, terms_of, what_if
from understudy.autonomy.whatif_words import assumed, conclusion, headline
from understudy.core.errors import InputError
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Autonomy, Cost, Decision, Mandate, Review, Task, Today, Truth
from understudy.evidence.bands import Answers

GRID = {"pay": (0.9, 0.7, 0.5), "refuse": (0.8, 0.5), "rare": ()}
DECISION = Decision(name="claims", question="Pay?", target="pay", kind="classification", goal="roc_auc")
TASK = Task(decision=DECISION, autonomy=Autonomy(max_error=0.05, confidence=0.95, min_coverage=0.1))
PRICES = Cost(mistakes={"no -> yes": 40.0, "yes -> no": 10.0}, review=2.0)
SHADOW = Deployment(level=Level.SHADOW, champion="v1")


def answers(levels: dict[float, tuple[int, int]], cases: int) -> Answers:
    """By confidence how many cases there are, and how many of them are wrong."""
    confidence = np.concatenate([np.empty(0), *(np.full(n, at) for at, (n, _) in levels.items())])
    loss = np.concatenate([np.empty(0), *(np.arange(n) < wrong for n, wrong in levels.values())]).astype(float)
    return Answers(confidence=confidence, loss=loss, weight=np.ones(len(loss)), cases=cases)


CASES = 10_000
BASIS = Basis(
    source="log",
    cases=CASES,
    grid=GRID,
    answers={
        "pay": answers({0.95: (3000, 15), 0.75: (2000, 100), 0.6: (1000, 200)}, CASES),
        "refuse": answers({0.85: (1000, 60), 0.55: (1000, 300)}, CASES),
        "rare": answers({}, CASES),
    },
)


def asked(task: Task = TASK, basis: Basis = BASIS, deployed: Deployment = SHADOW, **given: float) -> WhatIf:
    terms = terms_of(task, **given)
    return what_if(task, terms, basis, deployed, version="v1", certified={"pay": 0.9})


def test_the_most_is_chosen_that_keeps_the_promise_each_answer_for_itself() -> None:
    result = asked()
    assert result.chosen.thresholds == {"pay": 0.7}
    assert result.chosen.coverage.estimate == 0.5
    assert result.chosen.risk is not None
    assert result.chosen.risk.estimate == pytest.approx(115 / 5000)
    assert result.chosen.risk.upper <= 0.05
    assert asked(max_error=0.1).chosen.thresholds == {"pay": 0.5, "refuse": 0.8}
    assert asked(max_error=0.02).chosen.thresholds == {"pay": 0.9}


def test_answers_stand_in_the_order_of_their_share_and_those_without_a_grid_are_left_out() -> None:
    result = asked()
    assert [(side.answer, side.share) for side in result.sides] == [("pay", 0.6), ("refuse", 0.2)]
    assert [result.sides[0].covered(at) for at in result.sides[0].curve] == pytest.approx([1 / 2, 5 / 6, 1])
    assert (result.settings, result.cases, result.looked) == (5, CASES, 8000)


def test_the_bounds_do_not_depend_on_what_is_asked() -> None:
    first = [side.curve for side in asked().sides]
    for given in ({"max_error": 0.2}, {"review_cost": 9.0}, {"cases_per_day": 50.0}, {"min_coverage": 0.2}):
        assert [side.curve for side in asked(**given).sides] == first
    assert [side.curve for side in asked(confidence=0.99).sides] != first


def test_the_figures_of_a_choice_are_those_of_a_pocket_calculator() -> None:
    task = replace(TASK, cost=PRICES)
    result = asked(task, cases_per_day=200.0, minutes=3.0)
    chosen, risk = result.chosen, result.chosen.risk
    assert risk is not None
    rate = wanted_audit_rate(task, 200 * 365.25 * 0.5)
    assert chosen.audits == pytest.approx(500 * rate)
    assert chosen.reviews == pytest.approx(500 + 500 * rate)
    assert chosen.reviews_per_day == pytest.approx(200 * chosen.reviews / 1000)
    assert chosen.hours_saved_per_day == pytest.approx(200 * (1000 - chosen.reviews) / 1000 * 3 / 60)
    for bound in ("estimate", "lower", "upper"):
        mistakes = 500 * getattr(risk, bound) * 40.0  # a loss of 1 is the dearest mistake
        assert getattr(chosen.cost, bound) == pytest.approx(mistakes + chosen.reviews * 2.0)
    assert (result.people.reviews, result.people.cost.estimate, result.people.risk) == (1000, 2000, None)


def test_two_answers_are_mixed_as_they_were_seen() -> None:
    chosen = asked(max_error=0.1).chosen
    assert chosen.coverage.estimate == pytest.approx(0.7)
    assert chosen.risk is not None
    assert chosen.risk.estimate == pytest.approx((315 + 60) / 7000)
    parts = {side.answer: {at.threshold: at for at in side.curve} for side in asked().sides}
    pay, refuse = parts["pay"][0.5], parts["refuse"][0.8]
    assert chosen.risk.upper == pytest.approx((0.6 * pay.risk.upper + 0.1 * refuse.risk.upper) / 0.7)
    assert chosen.coverage.lower == pytest.approx(pay.coverage.lower + refuse.coverage.lower)


def test_each_threshold_says_what_it_would_bring_alone() -> None:
    for side in asked(replace(TASK, cost=PRICES)).sides:
        for at, alone in zip(side.curve, side.alone, strict=True):
            assert alone.thresholds == {side.answer: at.threshold}
            assert (alone.coverage.estimate, alone.max_error) == (at.coverage.estimate, at.risk.upper)
            assert alone.reviews >= 1000 * (1 - at.coverage.estimate)


def test_equal_prices_are_right_or_wrong_and_unequal_ones_are_costs() -> None:
    past = Basis("history", CASES, BASIS.grid, BASIS.answers)
    for prices, method in (({"a -> b": 7.0}, "Clopper"), ({"a -> b": 7.0, "b -> a": 1.0}, "Hoeffding")):
        result = asked(replace(TASK, cost=Cost(mistakes=prices)), past)
        assert result.sides[0].curve[0].risk.method.startswith(method)


def test_what_can_be_promised_only_grows_with_the_promise() -> None:
    frontier = asked().frontier
    assert [choice.max_error for choice in frontier] == sorted({choice.max_error for choice in frontier})
    shares = [choice.coverage.estimate for choice in frontier]
    assert shares == sorted(set(shares))
    for choice in frontier:
        same = asked(max_error=choice.max_error).chosen
        assert (same.thresholds, same.coverage) == (choice.thresholds, choice.coverage)
        assert possible(asked().sides, choice.max_error, "upper") == pytest.approx(choice.coverage.estimate)


def test_a_table_shows_usual_promises_that_add_something_and_the_one_asked_about() -> None:
    found = dict(offers(asked(max_error=0.065)))
    assert list(found) == sorted(found)
    assert all(choice.max_error <= promise for promise, choice in found.items())
    usual = [choice for promise, choice in found.items() if promise not in (0.05, 0.065)]
    assert len(usual) == len({choice.max_error for choice in usual})
    assert {0.05, 0.065} <= found.keys()
    assert 0.002 not in found


def test_the_cheapest_has_the_lowest_proven_cost_people_included() -> None:
    result = asked(replace(TASK, cost=PRICES))
    assert result.cheapest is not None
    assert result.cheapest.cost.upper == min(one.cost.upper for one in (*result.frontier, result.people))
    dear = asked(replace(TASK, cost=Cost(mistakes={"no -> yes": 1e6}, review=1.0)))
    assert dear.cheapest == dear.people
    assert any("Nothing is proven to cost less" in said for said in conclusion(dear))
    assert asked().cheapest is None


def test_thresholds_that_cover_too_little_are_left_to_people() -> None:
    result = asked(min_coverage=0.6)
    assert [at.threshold for at in result.sides[0].curve] == [0.7, 0.5]
    assert asked(min_coverage=0.6, max_error=0.02).chosen.thresholds == {}
    assert [at.threshold for at in asked(min_coverage=0.01).sides[0].curve] == [0.9, 0.7, 0.5]


@pytest.mark.parametrize(
    ("deployed", "thresholds"),
    [
        (SHADOW, None),
        (replace(SHADOW, level=Level.PARTIAL, thresholds={"pay": 0.7, "gone": 0.5}), {"pay": 0.7}),
        (replace(SHADOW, level=Level.PARTIAL, thresholds={"pay": 0.7}, paused=True), None),
        (replace(SHADOW, level=Level.FULL), {"pay": 0.0, "refuse": 0.0}),
        (replace(SHADOW, level=Level.PARTIAL, thresholds={"pay": 0.8}), {"pay": 0.8}),
    ],
)
def test_what_is_deployed_is_told_beside(deployed: Deployment, thresholds: dict[str, float] | None) -> None:
    now = asked(deployed=deployed).now
    assert (None if now is None else now.thresholds) == thresholds


def test_a_deployed_threshold_between_those_of_the_grid_has_bounds_of_its_own() -> None:
    now = asked(deployed=replace(SHADOW, level=Level.PARTIAL, thresholds={"pay": 0.8})).now
    assert now is not None
    assert now.coverage.estimate == 0.3
    assert now.risk is not None
    assert now.risk.estimate == pytest.approx(15 / 3000)
    assert now.risk.lower <= 0.005 <= now.risk.upper < 0.07


def test_held_out_rows_have_bounds_for_one_look_and_certify_nothing() -> None:
    result = asked(basis=Basis("history", CASES, BASIS.grid, BASIS.answers))
    assert not result.chosen.coverage.anytime
    assert result.chosen.risk is not None
    live = asked().chosen.risk
    assert live is not None
    assert result.chosen.risk.upper < live.upper
    assert conclusion(result)[-1] == "This is from history, not live: it certifies nothing."


def test_the_answer_is_said_in_sentences_with_its_numbers() -> None:
    said = conclusion(asked(replace(TASK, cost=PRICES), cases_per_day=200.0))
    assert said[0] == "It may decide 50 % of all cases by itself: 'pay' from 0.700 on."
    assert "at most 5 (about 2.3) are wrong" in said[1]
    assert "95 % confidence, whichever setting is picked, however often one looks" in said[1]
    assert said[2].startswith("People keep 'refuse': no threshold keeps 5 %; the closest is ")
    assert said[2].endswith(" at 50 % of its cases.")
    assert said[3].endswith("2,000 with people reviewing each.")
    assert said[4].startswith("People review 102 cases a day, 2 audits among them; that saves 3.3 hours a day")
    assert said[-1] == "Certified at the promise of 5 %: 'pay' from 0.900 on."
    assert headline(asked()) == "It may decide 50 of 100 cases, at most 5 of 100 wrong."


def test_where_no_threshold_keeps_it_the_closest_is_named() -> None:
    result = asked(max_error=0.002)
    assert result.chosen.thresholds == {}
    closest = result.sides[0].curve[0].risk.upper
    assert conclusion(result)[0] == (
        f"No threshold keeps 0.2 %; the closest is {100 * closest:.3g} % at 50 % of its cases, "
        "for 'pay' from a confidence of 0.900 on."
    )
    assert headline(result) == "No threshold keeps 0.2 %."


def test_without_a_look_or_a_row_it_says_that_nothing_can_be_told() -> None:
    blank = answers({0.95: (50, 0)}, 100)
    unseen = Answers(confidence=blank.confidence, loss=blank.loss * np.nan, weight=blank.weight, cases=100)
    result = asked(basis=Basis("log", 100, {"pay": (0.9, 0.0)}, {"pay": unseen}))
    assert (result.frontier, result.chosen.thresholds) == ((), {})
    assert "too few cases have been looked at" in conclusion(result)[0]
    nothing = asked(basis=Basis("history", 0, {}, {}))
    assert conclusion(nothing) == ("Nothing can be told: no held-out row shows which answers it would give.",)
    assert (nothing.sides, nothing.chosen.coverage.estimate, nothing.chosen.risk) == ((), 0, None)
    assert offers(nothing) == ()


def test_what_is_assumed_is_said() -> None:
    task = replace(TASK, cost=PRICES, review=Review(wanted=2), today=Today())
    said = " ".join(assumed(task, terms_of(task, min_coverage=0.05)))
    for part in ("begin at 10 %", "by its price", "reviewed 2 times", "--cases-per-day", "20 % of its answers"):
        assert part in said
    assert asked(task).people.reviews == 2000


@pytest.mark.parametrize(
    "given",
    [
        {"max_error": 0.0},
        {"max_error": 5.0},
        {"confidence": 0.5},
        {"min_coverage": 1.0},
        {"review_cost": -1.0},
        {"minutes": 0.0},
        {"cases_per_day": float("nan")},
    ],
)
def test_a_number_outside_its_range_is_named(given: dict[str, float]) -> None:
    [(name, value)] = given.items()
    with pytest.raises(InputError, match=f"^{name} is .*, not {value}"):
        terms_of(TASK, **given)


def test_all_of_it_goes_through_json() -> None:
    result = asked(replace(TASK, cost=PRICES, mandate=Mandate(), truth=Truth()), cases_per_day=10.0)
    again = msgspec.json.decode(msgspec.json.encode(result), type=WhatIf)
    assert again == result
    assert isinstance(again.chosen, Choice)
