"""What history may justify: bounds that hold whatever the hidden outcomes were, and never more than `assist`."""

from math import isnan

import msgspec
import numpy as np
import pytest

from evidence.promises import kept
from understudy.core.evidence import Evidence
from understudy.core.nouns import Level
from understudy.evaluation.retrospect import (
    NEVER,
    VERDICTS,
    Compared,
    Losses,
    Retrospect,
    Terms,
    aside_text,
    compare,
    error_of,
    headers,
    justified,
    lead_of,
    per_unit,
    rows,
    share,
    sides,
)
from understudy.evidence.fixed import clopper_pearson

DELTA = 0.1
TERMS = Terms(max_error=0.05, confidence=1 - DELTA)
N = 200


def flags(rng: np.random.Generator, share_: float, n: int = N) -> np.ndarray:
    return (rng.random(n) < share_).astype(float)


def known(loss: np.ndarray) -> np.ndarray:
    return loss[:, None]


def ways(model: np.ndarray, people: np.ndarray, terms: Terms = TERMS) -> tuple[Compared, ...]:
    return compare(Losses("model", "the model", model), [Losses("person", "the clerk", people)], terms)


# What is said of one way.


def test_a_share_of_mistakes_is_bounded_exactly_and_fractions_by_betting() -> None:
    exact = error_of(known(np.repeat([1.0, 0.0], [30, 70])), TERMS, None)
    assert exact == clopper_pearson(30, 100, alpha=DELTA)
    mean = error_of(known(np.tile([0.2, 0.4], 50)), TERMS, None)
    assert (mean.method, mean.n, mean.estimate) == ("betting", 100, pytest.approx(0.3))
    assert 0.2 < mean.lower < 0.3 < mean.upper < 0.4


def test_hidden_outcomes_widen_the_bounds_to_the_worst_and_the_best_and_leave_no_estimate() -> None:
    loss = np.concatenate([np.tile([[0.0, 0.0]], (60, 1)), np.tile([[0.0, 1.0]], (40, 1))])
    found = error_of(loss, TERMS, None)
    assert isnan(found.estimate)
    assert (found.lower, found.n) == (0.0, 100)
    assert found.upper == clopper_pearson(40, 100, alpha=DELTA).upper


def test_where_both_would_have_done_the_same_a_hidden_outcome_makes_no_difference() -> None:
    hidden = np.tile([[0.0, 1.0]], (100, 1))
    told = lead_of(hidden - hidden, TERMS, None)
    assert told.estimate == 0
    apart = lead_of(hidden[:, ::-1] - hidden, TERMS, None)
    assert isnan(apart.estimate)
    assert apart.lower < -0.9
    assert apart.upper > 0.9


def test_cases_that_nobody_decided_are_left_out() -> None:
    people = known(np.repeat([1.0, 0.0, np.nan], [10, 30, 60]))
    model = known(np.zeros(100))
    first, second = ways(model, people)
    assert (first.error.n, second.error.n, second.lead.n) == (100, 40, 40)
    assert second.lead.estimate == 0.25


def test_cases_of_one_unit_count_as_one() -> None:
    values, units = np.array([1.0, 0.0, 0.0, np.nan, 1.0]), np.array([9, 9, 9, 2, 4])
    assert per_unit(values, units).tolist() == pytest.approx([1 / 3, 1.0])
    assert per_unit(values, None).tolist() == [1.0, 0.0, 0.0, 1.0]
    assert error_of(known(values), TERMS, units).n == 2


def test_nothing_is_said_of_an_answer_that_it_may_not_give() -> None:
    said = np.array(["grant"] * 50 + ["refuse"] * 50)
    grant, refuse = sides(said, said == "grant", known(np.zeros(100)), TERMS)
    assert (grant.cases, grant.error) == (50, clopper_pearson(0, 50, alpha=DELTA))
    assert (refuse.cases, refuse.error) == (50, None)


# What is promised.


def level(model: np.ndarray, people: np.ndarray, terms: Terms) -> Level:
    found = ways(model, people, terms)
    return justified(found, found[1], terms)[0]


@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_assist_is_seldom_justified_where_the_model_is_too_bad(margin: float) -> None:
    """Its risk lies just above the promise, and it is just too much worse than people: either claim would be false."""
    terms, rng, risk = msgspec.structs.replace(TERMS, max_error=0.3, margin=margin), np.random.default_rng(1), 0.301
    broken = []
    for _ in range(700):
        model, people = flags(rng, risk), flags(rng, risk - margin - 0.001)
        broken.append(level(known(model), known(people), terms) is Level.ASSIST)
    assert kept(np.array(broken), DELTA)


def test_assist_is_usually_justified_where_the_model_is_much_better() -> None:
    rng = np.random.default_rng(2)
    held = [level(known(flags(rng, 0.1)), known(flags(rng, 0.35)), TERMS) is Level.ASSIST for _ in range(50)]
    assert np.mean(held) > 0.9


def refusing_world(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """People refuse half of the cases, rightly in 90 of 100, and so hide the outcome; the model would grant all.

    Where they grant, both do, and the model sees through some bad ones. Of all cases it gets far more wrong.
    """
    refused, bad = rng.random(N) < 0.5, rng.random(N)
    people = np.where(refused, bad < 0.1, bad < 0.2).astype(float)
    model = np.where(refused, bad >= 0.1, bad < 0.1).astype(float)
    worth = np.stack([people, model])
    hidden_people, hidden_model = np.array([0.0, 1.0]), np.array([1.0, 0.0])  # if the loan is bad, if it is good
    told = np.where(refused[None, :, None], np.stack([hidden_people, hidden_model])[:, None, :], worth[:, :, None])
    return told[0], told[1]


def lower_bounds(*, dropping: bool) -> np.ndarray:
    """Whether the lower bound of the lead lies above the true one, which is that of all cases."""
    rng, truth, found = np.random.default_rng(3), 0.5 * (0.1 - 0.9) + 0.5 * (0.2 - 0.1), []
    for _ in range(400):
        people, model = refusing_world(rng)
        hidden = people[:, 0] != people[:, 1]
        if dropping:
            people, model = people[~hidden], model[~hidden]
        found.append(lead_of(people - model, TERMS, None).lower > truth)
    return np.array(found)


def test_bounds_hold_over_all_cases_although_what_people_did_hides_outcomes() -> None:
    assert kept(lower_bounds(dropping=False), DELTA / 2)


def test_without_the_hidden_cases_they_would_not() -> None:
    assert not kept(lower_bounds(dropping=True), DELTA / 2)


def judged_world(rng: np.random.Generator, judges: int = 20) -> np.ndarray:
    """Whether each of some people is wrong about each case: some cases are hard for all of them; 40 % in the mean."""
    hard = rng.random((N, 1)) < 0.5
    return (rng.random((N, judges)) < np.where(hard, 0.75, 0.05)).astype(float)


def misses(*, as_cases: bool) -> np.ndarray:
    """Whether the bounds on one person's mistakes miss 40 %."""
    rng, found = np.random.default_rng(4), []
    for _ in range(400):
        judged = judged_world(rng)
        told = share(judged.ravel() if as_cases else judged.mean(axis=1), DELTA)
        found.append(not told.lower <= 0.4 <= told.upper)
    return np.array(found)


def test_one_person_is_bounded_over_cases_although_many_judged_each() -> None:
    assert kept(misses(as_cases=False), DELTA)


def test_decisions_counted_as_if_they_were_cases_would_break_it() -> None:
    assert not kept(misses(as_cases=True), DELTA)


# What follows.


def evidence(estimate: float, lower: float, upper: float, n: int = 500) -> Evidence:
    return Evidence(estimate=estimate, lower=lower, upper=upper, confidence=0.95, n=n, method="by hand")


def by_hand(upper: float, lead_lower: float) -> tuple[Compared, Compared]:
    model = Compared(way="model", name="the model", error=evidence(0.04, 0.02, upper))
    lead = evidence(0.03, lead_lower, 0.1)
    return model, Compared(way="person", name="the clerk", error=evidence(0.07, 0.05, 0.1), lead=lead)


@pytest.mark.parametrize(
    ("upper", "lead_lower", "margin", "failed", "most", "expected"),
    [
        (0.2, -0.01, 0.0, (), Level.PARTIAL, Level.SHADOW),  # nothing is shown
        (0.2, 0.0, 0.0, (), Level.PARTIAL, Level.ASSIST),  # not worse than people
        (0.2, -0.01, 0.01, (), Level.PARTIAL, Level.ASSIST),  # by no more than the margin
        (0.05, -0.5, 0.0, (), Level.PARTIAL, Level.ASSIST),  # within the promise over all cases
        (0.001, 0.09, 0.0, (), Level.FULL, Level.ASSIST),  # never more, however good
        (0.001, 0.09, 0.0, ("US002",), Level.FULL, Level.HUMAN),  # a check failed
        (0.001, 0.09, 0.0, (), Level.SHADOW, Level.SHADOW),  # the task allows no more
    ],
)
def test_the_level_that_history_justifies(upper, lead_lower, margin, failed, most, expected) -> None:
    model, people = by_hand(upper, lead_lower)
    terms = Terms(max_error=0.05, confidence=0.95, margin=margin, max_level=most)
    found, reasons = justified((model, people), people, terms, failed=failed)
    assert found is expected
    assert any("500 cases" in reason for reason in reasons)


def test_the_reasons_carry_their_numbers() -> None:
    model, people = by_hand(0.2, -0.01)
    _, (risk, lead) = justified((model, people), people, Terms(max_error=0.05, confidence=0.95))
    assert risk == "Over 500 cases its risk is 4 of 100 (between 2 and 20 of 100); that it is at most 5 is not shown."
    assert lead == (
        "It makes between -1 and 10 fewer mistakes per 100 cases than the clerk, with 95 % confidence, by 500 cases:"
        " that it makes no more is not shown."
    )


def test_where_the_truth_is_what_people_decided_it_says_so() -> None:
    model, _ = by_hand(0.04, 0.0)
    found, reasons = justified((model,), None, Terms(max_error=0.05, confidence=0.95), untold="It cannot be told.")
    assert (found, reasons[-1]) == (Level.ASSIST, "It cannot be told.")


def test_no_case_at_all_justifies_nothing_but_to_watch() -> None:
    found = ways(np.empty((0, 1)), np.empty((0, 1)))
    assert justified(found, found[1], TERMS)[0] is Level.SHADOW


def test_never_partial_is_part_of_the_verdict() -> None:
    assert NEVER.startswith("Never partial")
    assert set(VERDICTS) == {Level.HUMAN, Level.SHADOW, Level.ASSIST}


def result(ways_: tuple[Compared, ...], **changes: object) -> Retrospect:
    plain = {"held_out": 600, "cases": 500, "hidden": 0, "aside": {}, "sides": (), "today": "the clerk"}
    told = plain | {"level": Level.SHADOW, "reasons": ()} | changes
    return Retrospect(ways=ways_, **told)  # type: ignore[arg-type]


def test_the_table_tells_what_is_right_and_no_estimate_where_outcomes_are_hidden() -> None:
    model, people = by_hand(0.2, -0.01)
    first, second = rows(result((model, people)))
    assert msgspec.structs.astuple(first) == ("the model", "96", "80 to 98", "")
    assert msgspec.structs.astuple(second) == ("the clerk", "93", "90 to 95", "-1 to 10")
    unknown = msgspec.structs.replace(model, error=evidence(np.nan, 0.1, 0.5))
    assert rows(result((unknown,)))[0].achieved == "unknown"


def test_prices_stay_losses() -> None:
    model, _ = by_hand(0.2, 0.0)
    priced = result((model,), priced=True)
    assert (rows(priced)[0].achieved, headers(priced)[1]) == ("4", "lost of 100")


def test_what_does_not_count_is_told() -> None:
    model, _ = by_hand(0.2, 0.0)
    assert aside_text(result((model,))) == ""
    told = aside_text(result((model,), aside={"break the contract": 100}, hidden=7))
    assert told == (
        "Of 600 held-out cases 100 break the contract: they do not count."
        " Of the 500 that do, 7 have no outcome, because of what was decided."
    )


def test_it_reads_back_from_json() -> None:
    model, people = by_hand(0.2, -0.01)
    told = result((model, people))
    assert msgspec.json.decode(msgspec.json.encode(told), type=Retrospect) == told
