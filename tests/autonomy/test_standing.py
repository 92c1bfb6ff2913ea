"""How far it is from the next step, in words."""

from math import inf

import pytest

from understudy.autonomy.standing import Standing, far_off
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Autonomy, Decision, Task
from understudy.evidence.gate import Distance

TASK = Task(
    decision=Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc"),
    autonomy=Autonomy(max_error=0.05, confidence=0.95),
)
SHADOW = Deployment(level=Level.SHADOW, champion="v")


def far(estimate: float, upper: float, n: int, missing: float) -> Distance:
    risk = Evidence(estimate=estimate, lower=0.0, upper=upper, confidence=0.98, n=n, method="betting", anytime=True)
    return Distance(threshold=0.9, coverage=0.12, risk=risk, progress=0.1, best=0.2, missing=missing)


def stands(**changes: object) -> Standing:
    return Standing(**({"certified": {}, "distances": {}, "settled": 9, "looked": 9, "errors": 0.0} | changes))


@pytest.mark.parametrize(
    ("distance", "closest", "more"),
    [
        (far(0.02, 0.0914, 200, 311.6), "at most 9.14 %", "about 312 more looks at today's quality"),
        (far(0.061, 0.09, 200, inf), "at most 9 %", "at today's quality, 6.1 %, no number of looks will do"),
        (far(0.02, 1.0, 3, 1000.0), "about 2 %", "about 1,000 more looks at today's quality"),
    ],
)
def test_infeasible_says_how_far_off_it_is(distance: Distance, closest: str, more: str) -> None:
    words = f"no threshold keeps 5 %; the closest is {closest} at 12 % of its cases; {more}."
    assert far_off(TASK, SHADOW, stands(distances={"yes": distance})) == (f"'yes': {words}",)
    assert far_off(TASK, SHADOW, stands(distances={"*": distance})) == (f"Any answer: {words}",)


def test_an_answer_that_no_case_has_counted_for_says_so() -> None:
    nothing = far(float("nan"), 1.0, 0, inf)
    (only,) = far_off(TASK, SHADOW, stands(distances={"yes": nothing}))
    assert only == "'yes': no threshold keeps 5 %; no case has counted for it yet."


def test_an_answer_that_is_certified_is_not_far_off() -> None:
    both = {"yes": far(0.02, 0.04, 900, 0.0), "no": far(0.2, 0.3, 900, inf)}
    (only,) = far_off(TASK, SHADOW, stands(distances=both, certified={"yes": 0.9}))
    assert only.startswith("'no': ")


def test_a_version_without_held_out_answers_is_told() -> None:
    (only,) = far_off(TASK, SHADOW, stands())
    assert "no held-out row shows" in only
    assert far_off(TASK, Deployment(), stands()) == ()


def test_while_it_watches_the_comparison_with_today_is_told_or_why_there_is_none() -> None:
    sure = stands(distances={"yes": far(0.0, 0.04, 900, 0.0)}, certified={"yes": 0.9})
    lead = Evidence(estimate=0.1, lower=-0.02, upper=0.1, confidence=0.97, n=40, method="paired, betting")
    found = Standing(**{name: getattr(sure, name) for name in sure.__struct_fields__} | {"today": lead})
    assert far_off(TASK, SHADOW, found)[0].startswith("It makes between -2.0 and 10.0 fewer mistakes per 100 cases")
    none = Standing(**{name: getattr(sure, name) for name in sure.__struct_fields__} | {"untold": "Nobody can tell."})
    assert far_off(TASK, SHADOW, none) == ("Nobody can tell.",)
    assert far_off(TASK, Deployment(level=Level.ASSIST, champion="v"), none) == ()
