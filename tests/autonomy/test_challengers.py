"""Challengers: who is compared, at what level of proof, and what becomes of them."""

import pytest
from msgspec.structs import replace

from understudy.autonomy.challengers import (
    FEWEST_PAIRS,
    MOST_CHALLENGERS,
    Rival,
    Turn,
    brings_evidence,
    challenge,
    given_word,
    lead_text,
    pair_plan,
    promote,
    retire,
    turn_of,
)
from understudy.autonomy.ladder import override, rollback
from understudy.autonomy.standing import Standing
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Autonomy, Decision, Task

STANDS = Standing(certified={}, distances={}, settled=900, looked=900, errors=9.0)


def task(**autonomy: object) -> Task:
    decision = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
    return Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95, **autonomy))


def rival(version: str, lower: float, upper: float, n: int = 1000, certified: dict[str, float] | None = None) -> Rival:
    lead = Evidence(estimate=0.5, lower=lower, upper=upper, confidence=0.94, n=n, method="paired, betting")
    return Rival(version=version, lead=lead, certified=certified or {}, distances={})


def at(level: Level, *challengers: str, **changes: object) -> Deployment:
    plain = Deployment(level=level, champion="old", challengers=challengers, epoch=3, thresholds={"yes": 0.9})
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("level", "certified", "ends"),
    [
        (Level.SHADOW, {"yes": 0.8}, Level.SHADOW),
        (Level.ASSIST, {"yes": 0.8}, Level.ASSIST),
        (Level.PARTIAL, {"yes": 0.8}, Level.PARTIAL),
        (Level.PARTIAL, {}, Level.ASSIST),
        (Level.FULL, {"yes": 0.8}, Level.PARTIAL),
        (Level.FULL, {}, Level.ASSIST),
    ],
)
def test_a_new_champion_decides_alone_only_with_thresholds_of_its_own(
    level: Level, certified: dict, ends: Level
) -> None:
    before = at(level, "other", "new")
    move = promote(task(), before, STANDS, [rival("new", 0.1, 0.2, certified=certified)])
    assert move.to.level is ends
    assert move.to.thresholds == (certified if ends is Level.PARTIAL else {})
    assert (move.to.champion, move.to.challengers, move.to.epoch) == ("new", ("other", "old"), before.epoch + 1)


def test_of_two_that_are_better_the_one_with_the_higher_lower_bound_wins() -> None:
    both = [rival("a", 0.01, 0.5), rival("b", 0.02, 0.03)]
    assert promote(task(), at(Level.SHADOW, "a", "b"), STANDS, both).to.champion == "b"


def test_a_gain_is_told_by_its_interval_and_never_by_the_estimate() -> None:
    text = lead_text(rival("new", 0.011, 0.034))
    assert "between 1.1 and 3.4 fewer mistakes per 100 cases" in text
    assert "50" not in text


def test_the_oldest_of_three_challengers_leaves_with_its_reason() -> None:
    move = challenge(at(Level.SHADOW, "a", "b"), "c", ("US001 fine",))
    assert move.to.challengers == ("b", "c")
    assert len(move.to.challengers) == MOST_CHALLENGERS
    assert (move.to.epoch, move.to.champion) == (3, "old")
    assert any("Version a, the oldest" in reason for reason in move.reasons)


def test_each_challenger_of_an_epoch_has_a_place_and_a_number_that_are_never_given_again() -> None:
    history = [
        at(Level.SHADOW, epoch=1),
        at(Level.SHADOW, "a", epoch=1),
        at(Level.SHADOW, "a", "b", epoch=1),
        at(Level.SHADOW, "b", "c", epoch=1),
        at(Level.SHADOW, "b", "old", epoch=2, champion="c"),
    ]
    turns = [turn_of(history, version, 1) for version in ("a", "b", "c")]
    assert turns == [Turn(0, 1, 0), Turn(1, 2, 0), Turn(2, 3, 0)]
    assert turn_of(history, "b", 2) == Turn(0, 4, 1)
    assert turn_of(history, "old", 2) == Turn(1, 5, 1)
    assert turn_of(history, "new", 2) == Turn(2, 6, 1)


def test_all_comparisons_together_spend_no_more_than_their_budget() -> None:
    spent_all = sum(pair_plan(task(), Turn(0, number, 0)).alpha for number in range(1, 2000))
    assert 0.09 < spent_all < 0.1
    assert pair_plan(task(), Turn(0, 1, 50)).alpha == 0.1
    assert pair_plan(task(margin_promote=0.02), Turn(0, 1, 0)).margin == 0.02


def test_only_a_promotion_brings_evidence_into_its_epoch() -> None:
    before = at(Level.SHADOW, "new", "other")
    promoted = promote(task(), before, STANDS, [rival("new", 0.1, 0.2)]).to
    assert brings_evidence([before, promoted], promoted)
    assert brings_evidence([before, promoted, replace(promoted, paused=True)], promoted)
    back = rollback(promoted, "old", "").to
    assert not brings_evidence([before, promoted, replace(back, challengers=())], back)
    assert not brings_evidence([before], before)
    assert not brings_evidence([before, replace(before, epoch=4)], replace(before, epoch=4))


def test_a_new_champion_is_audited_as_after_a_step_up() -> None:
    before = at(Level.PARTIAL, "new", audit_rate=0.02)
    found = promote(task(), before, STANDS, [rival("new", 0.1, 0.2, certified={"yes": 0.8})])
    assert (found.to.level, found.to.audit_rate) == (Level.PARTIAL, 0.2)
    watching = promote(task(), at(Level.SHADOW, "new", audit_rate=0.02), STANDS, [rival("new", 0.1, 0.2)])
    assert watching.to.audit_rate == 0.02


def test_a_challenger_leaves_on_enough_pairs_only() -> None:
    assert retire(task(), at(Level.SHADOW, "new"), STANDS, [rival("new", -0.3, 0.0, FEWEST_PAIRS - 1)]) is None
    assert retire(task(), at(Level.SHADOW, "new"), STANDS, [rival("new", -0.3, 0.0)]).to.challengers == ()


def test_what_an_epoch_opens_with_holds_by_word_unless_a_promotion_opened_it() -> None:
    before = at(Level.SHADOW, "new", thresholds={})
    promoted = promote(task(), before, STANDS, [rival("new", 0.1, 0.2)]).to
    assert given_word([before, promoted], promoted) is None
    granted = override(before, task(), Level.PARTIAL, {"yes": 0.7}, "A trial.").to
    later = replace(granted, thresholds={"yes": 0.6})
    assert given_word([before, granted, later], later) == granted
    assert given_word([], before) is None
