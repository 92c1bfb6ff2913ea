"""Who answers a case."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec.structs import replace

from understudy.autonomy.router import Facts, Route, route, told
from understudy.core.nouns import Decider, Deployment, Level

SURE = Facts(
    answer="pay",
    confidence=0.97,
    strangeness=0.5,
    outside=(),
    allowed=True,
    rule=None,
    rules_fill=False,
    audit_draw=0.5,
    blind_draw=0.5,
)
AT_PARTIAL = Deployment(
    level=Level.PARTIAL,
    champion="v",
    thresholds={"pay": 0.9, "refuse": 0.99},
    strange_limit=0.99,
    audit_rate=0.1,
    blind_rate=0.2,
)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"confidence": 0.89}, "unsure"),
        ({"confidence": float("nan")}, "unsure"),
        ({"answer": "refuse", "confidence": 0.98}, "unsure"),  # each side has its own threshold
        ({"answer": "refer", "confidence": 1.0}, "unsure"),  # nothing was certified for this answer
        ({"strangeness": 0.995}, "strange"),
        ({"strangeness": float("nan")}, "strange"),
        ({"allowed": False}, "answer_not_allowed"),
        ({"outside": ("mandate_limit",)}, "mandate_limit"),
        ({"answer": None}, "no_prediction"),
    ],
)
def test_in_partial_one_objection_sends_a_case_to_a_person(changed: dict[str, object], reason: str) -> None:
    found = route(AT_PARTIAL, replace(SURE, **changed))
    assert (found.decided_by, found.decision, found.reasons) == (None, None, (reason,))


@pytest.mark.parametrize("level", [Level.HUMAN, Level.SHADOW, Level.ASSIST])
def test_below_partial_the_model_decides_nothing(level: Level) -> None:
    found = route(replace(AT_PARTIAL, level=level), SURE)
    assert found.decided_by is None
    assert found.reasons == (f"level_{level.value}",)


def test_what_would_bar_a_case_is_recorded_below_partial_too() -> None:
    found = route(replace(AT_PARTIAL, level=Level.SHADOW), replace(SURE, outside=("mandate_limit",), strangeness=1.0))
    assert found.reasons == ("level_shadow", "mandate_limit", "strange")


def test_in_full_only_strangeness_and_the_mandate_stop_it() -> None:
    full = replace(AT_PARTIAL, level=Level.FULL, thresholds={})
    assert route(full, replace(SURE, confidence=0.34)).decided_by is Decider.MODEL
    assert route(full, replace(SURE, strangeness=0.999)).decided_by is None
    assert route(full, replace(SURE, outside=("mandate_never",))).decided_by is None


def test_a_pause_stops_it_at_once() -> None:
    assert route(replace(AT_PARTIAL, paused=True), SURE).reasons == ("paused",)


@pytest.mark.parametrize(("draw", "kind"), [(0.0, "audit"), (0.0999, "audit"), (0.1, "none"), (0.9, "none")])
def test_the_audit_takes_what_its_draw_says_and_logs_the_rate(draw: float, kind: str) -> None:
    found = route(AT_PARTIAL, replace(SURE, audit_draw=draw))
    assert (found.review_kind, found.review_propensity, found.blind) == (kind, 0.1, True)


def test_a_share_of_what_people_decide_stays_blind_and_below_assist_all_of_it() -> None:
    unsure = replace(SURE, confidence=0.1)
    assert route(AT_PARTIAL, replace(unsure, blind_draw=0.19)).blind
    assert not route(AT_PARTIAL, replace(unsure, blind_draw=0.2)).blind
    shadow = route(replace(AT_PARTIAL, level=Level.SHADOW), replace(unsure, blind_draw=0.99))
    assert (shadow.blind, shadow.review_propensity) == (True, 1.0)


def test_the_rules_of_today_decide_while_it_only_watches_and_everywhere_without_reviewers() -> None:
    by_rule = replace(SURE, rule="refuse")
    found = route(replace(AT_PARTIAL, level=Level.SHADOW), by_rule)
    assert (found.decided_by, found.decision, found.reasons) == (Decider.RULE, "refuse", ("rule", "level_shadow"))
    unsure = replace(by_rule, confidence=0.1)
    assert route(AT_PARTIAL, unsure).decided_by is None
    assert route(AT_PARTIAL, replace(unsure, rules_fill=True)).decided_by is Decider.RULE


facts = st.builds(
    Facts,
    answer=st.sampled_from([None, "pay", "refuse", 3.5]),
    confidence=st.floats(0, 1),
    strangeness=st.floats(0, 1),
    outside=st.sampled_from([(), ("mandate_limit",), ("mandate_expired", "mandate_never")]),
    allowed=st.booleans(),
    rule=st.sampled_from([None, "pay"]),
    rules_fill=st.booleans(),
    audit_draw=st.floats(0, 1, exclude_max=True),
    blind_draw=st.floats(0, 1, exclude_max=True),
)
deployments = st.builds(
    Deployment,
    level=st.sampled_from(list(Level)),
    thresholds=st.dictionaries(st.sampled_from(["pay", "refuse", "*"]), st.floats(0, 1)),
    strange_limit=st.floats(0, 1),
    audit_rate=st.floats(0.02, 1),
    blind_rate=st.floats(0, 1),
    paused=st.booleans(),
)


@given(deployments, facts)
def test_whatever_comes_the_model_decides_only_inside_everything_that_binds_it(
    deployed: Deployment, case: Facts
) -> None:
    found: Route = route(deployed, case)
    if found.decided_by is Decider.MODEL:
        assert deployed.level.height >= Level.PARTIAL.height
        assert not deployed.paused
        assert not case.outside
        assert case.allowed
        assert case.strangeness <= deployed.strange_limit
        if deployed.level is Level.PARTIAL:
            side = case.answer if isinstance(case.answer, str) else "*"
            assert case.confidence >= deployed.thresholds[side]
    assert (found.decision is None) == (found.decided_by is None)
    assert (found.review_kind == "decide") == (found.decided_by is None)


@given(deployments, facts)
def test_what_is_told_before_a_decision_does_not_depend_on_what_the_model_thinks(
    deployed: Deployment, case: Facts
) -> None:
    other = replace(case, answer="refuse" if case.answer == "pay" else "pay", confidence=1 - case.confidence)
    one, two = route(deployed, replace(case, answer=case.answer or "pay")), route(deployed, other)
    if one.decided_by is None and two.decided_by is None:
        assert told(one.reasons) == told(two.reasons)
