"""Who shares the cases, within what bounds, and when that changes."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from msgspec.structs import replace
from scipy import stats

from evidence.promises import batches, cuts
from understudy.autonomy.bandits import thompson
from understudy.autonomy.ladder import override, pause, rollback, step_down
from understudy.autonomy.traffic import (
    GROWTH,
    STEP,
    Tally,
    bound,
    chances,
    fold_tally,
    open_tally,
    propose_traffic,
    sharing,
    wanted_traffic,
)
from understudy.core.nouns import Deployment, Level, Traffic
from understudy.core.task import Autonomy, Decision, Task
from understudy.core.task import Traffic as Settings

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
OWN = {"yes": 0.8}
TRAFFIC = Traffic(epoch=3, shares={"old": 0.7, "new": 0.2, "raw": 0.1}, thresholds={"new": OWN})
PARTIAL = Deployment(
    level=Level.PARTIAL,
    champion="old",
    challengers=("new", "raw"),
    thresholds={"yes": 0.6, "no": 0.9},
    epoch=3,
    traffic=TRAFFIC,
)


def task(mode: str = "split", **settings: object) -> Task:
    promised = Autonomy(max_error=0.05, confidence=0.95, max_level=Level.FULL)
    return Task(decision=DECISION, autonomy=promised, traffic=Settings(mode=mode, adverse=True, **settings))


def tally(won: list[float], lost: list[float], weight: float = 1000.0) -> Tally:
    loss = tuple(2 * many for many in lost)
    return Tally(weight=weight, loss=loss, expected=(0.1 * weight,) * len(won), won=tuple(won), lost=tuple(lost))


@pytest.mark.parametrize(
    ("changed", "shares"),
    [
        ({}, {"old": 0.7, "new": 0.2}),  # raw has no thresholds of its own
        ({"level": Level.FULL}, {"old": 0.7, "new": 0.2}),
        ({"level": Level.ASSIST}, {"old": 0.7, "new": 0.2, "raw": 0.1}),  # people decide
        ({"level": Level.SHADOW}, {}),  # nobody is shown anything
        ({"level": Level.HUMAN}, {}),
        ({"paused": True}, {}),
        ({"epoch": 4}, {}),  # what it was made for is over
        ({"traffic": None}, {}),
        ({"challengers": ("raw",)}, {}),  # new has left
        ({"champion": "new", "challengers": ("old",)}, {}),
        ({"traffic": replace(TRAFFIC, shares={"new": 1.0})}, {}),
        ({"traffic": replace(TRAFFIC, shares={"old": 1.0, "new": 0.0})}, {}),
    ],
)
def test_only_who_may_answer_shares_the_cases(changed: dict[str, object], shares: dict[str, float]) -> None:
    assert sharing(task(), replace(PARTIAL, **changed)) == shares


def test_a_task_file_that_gives_all_to_the_champion_holds_at_once() -> None:
    assert sharing(task("champion"), PARTIAL) == {}


@pytest.mark.parametrize(
    "move",
    [
        step_down(PARTIAL, Level.ASSIST, "It errs."),
        override(PARTIAL, task(), Level.FULL, {}, "By my word."),
        rollback(PARTIAL, "older", ""),
        pause(PARTIAL, ""),
    ],
    ids=lambda move: move.kind,
)
def test_a_move_by_hand_gives_all_cases_to_the_champion_until_the_next_pass(move) -> None:
    assert sharing(task(), move.to) == {}


def test_a_challenger_never_has_more_than_its_own_thresholds() -> None:
    assert bound(PARTIAL, "old") is PARTIAL
    for level in (Level.PARTIAL, Level.FULL):
        limits = bound(replace(PARTIAL, level=level), "new")
        assert (limits.level, limits.thresholds) == (Level.PARTIAL, OWN)
        assert bound(replace(PARTIAL, level=level), "raw").thresholds == {}
    assert bound(replace(PARTIAL, level=Level.ASSIST), "new").level is Level.ASSIST


def test_a_version_without_a_prediction_leaves_its_share_to_the_others() -> None:
    sure = np.array([[0.9, 0.9, 0.9], [0.9, np.nan, 0.9]])
    found = chances(TRAFFIC, ("old", "new", "raw"), sure, floor=0.05)
    assert found == pytest.approx(np.array([[0.7, 0.2, 0.1], [0.875, 0.0, 0.125]]))


def test_by_case_a_version_gets_more_where_it_expects_less_loss_than_it_was_seen_to_have() -> None:
    traffic = replace(TRAFFIC, gamma=40.0, offsets={"old": 0.0, "new": 0.3})
    sure = np.array([[0.6, 0.95], [0.95, 0.6], [0.5, 0.8]])
    found = chances(traffic, ("old", "new"), sure, floor=0.0)
    assert found[:, 1] == pytest.approx([1 - 1 / (2 + 40 * 0.05), 1 / (2 + 40 * 0.65), 0.5])


numbers = st.floats(0, 1).map(lambda number: round(number, 3))
lost = st.one_of(st.sampled_from([0.0, 1.0, np.nan]), numbers)
row = st.tuples(lost, lost, lost, numbers, numbers, numbers, st.floats(0.1, 1))
table = st.integers(0, 20).flatmap(lambda n: st.tuples(st.lists(row, min_size=n, max_size=n), cuts(n)))


@given(table)
def test_a_tally_is_the_same_to_the_last_bit_for_any_cutting_into_batches(found: tuple) -> None:
    rows = np.array(found[0]).reshape(-1, 7)
    state = open_tally(3)
    for part in batches(found[1], len(rows)):
        state = fold_tally(state, rows[part, :3], rows[part, 3:6], rows[part, 6])
    assert state == fold_tally(open_tally(3), rows[:, :3], rows[:, 3:6], rows[:, 6])
    known = rows[~np.isnan(rows[:, :3]).any(axis=1)]
    assert state.loss == pytest.approx((known[:, :3] * known[:, 6:]).sum(axis=0))
    assert state.weight == pytest.approx(known[:, 6].sum())


def test_cases_on_which_all_lose_the_same_say_nothing_about_which_is_best() -> None:
    loss = np.array([[1.0, 1.0], [0.0, 0.0], [0.3, 0.3], [1.0, 0.0], [0.2, 0.8]])
    found = fold_tally(open_tally(2), loss, np.full((5, 2), 0.9), np.array([1.0, 1.0, 1.0, 0.5, 1.0]))
    assert found.won == pytest.approx((0.4, 0.35))
    assert found.lost == pytest.approx((0.35, 0.4))
    assert found.weight == 4.5


@pytest.mark.parametrize("wins", [(6, 4), (30, 20), (230, 200)])
def test_halves_say_how_sure_one_can_be_and_whole_cases_would_say_more_than_is_known(wins: tuple[int, int]) -> None:
    """Of two versions that differ on so many cases: the share of wins has one Beta posterior, not two."""
    more, fewer = wins
    exact = stats.beta(1 + more, 1 + fewer).sf(0.5)
    loss = np.repeat([[0.0, 1.0], [1.0, 0.0]], wins, axis=0)
    found = fold_tally(open_tally(2), loss, np.full((sum(wins), 2), 0.9), np.ones(sum(wins)))
    halves = thompson(np.array(found.won), np.array(found.lost), floor=0.0)[0]
    wholes = thompson(2 * np.array(found.won), 2 * np.array(found.lost), floor=0.0)[0]
    assert halves == pytest.approx(exact, abs=0.025)
    assert wholes > exact + 0.03


@pytest.mark.parametrize(("loss", "weight"), [([[2.0, 0.0]], [1.0]), ([[0.0, 1.0]], [0.0]), ([[0.0, 1.0]], [2.0])])
def test_losses_and_weights_outside_their_range_are_refused(loss: list, weight: list) -> None:
    with pytest.raises(ValueError, match="lies"):
        fold_tally(open_tally(2), np.array(loss), np.ones((1, 2)), np.array(weight))


NOTHING = open_tally(3)


@pytest.mark.parametrize("mode", ["champion", "split", "bandit", "contextual"])
@pytest.mark.parametrize("level", list(Level))
def test_cases_are_shared_from_assist_on_and_by_the_certified_from_partial_on(mode: str, level: Level) -> None:
    able = 3 if level is Level.ASSIST else 2
    found = wanted_traffic(task(mode), replace(PARTIAL, level=level), {"new": OWN, "raw": {}}, open_tally(able))
    if mode == "champion" or level.height < Level.ASSIST.height:
        assert found is None
        return
    assert set(found.shares) == ({"old", "new", "raw"} if level is Level.ASSIST else {"old", "new"})
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.thresholds == ({} if level is Level.ASSIST else {"new": OWN})
    assert found.epoch == 3


def test_without_a_challenger_that_may_answer_there_is_nothing_to_share() -> None:
    assert wanted_traffic(task(), PARTIAL, {}, open_tally(1)) is None
    assert wanted_traffic(task(), replace(PARTIAL, level=Level.ASSIST, challengers=()), {}, open_tally(1)) is None


def test_a_split_gives_each_challenger_its_share() -> None:
    at_assist = replace(PARTIAL, level=Level.ASSIST)
    assert wanted_traffic(task(share=0.2), at_assist, {}, NOTHING).shares == {
        "old": pytest.approx(0.6),
        "new": 0.2,
        "raw": 0.2,
    }


def test_a_bandit_gives_more_to_the_better_one_and_the_floor_to_the_worst() -> None:
    at_assist = replace(PARTIAL, level=Level.ASSIST)
    assert wanted_traffic(task("bandit"), at_assist, {}, NOTHING).shares == pytest.approx(
        dict.fromkeys(("old", "new", "raw"), 1 / 3)
    )
    found = wanted_traffic(task("bandit", floor=0.04), at_assist, {}, tally([50, 80, 10], [50, 20, 90])).shares
    assert found == pytest.approx({"old": 0.04, "new": 0.92, "raw": 0.04}, abs=1e-3)


def test_a_contextual_bandit_starts_equal_and_learns_how_far_each_is_off() -> None:
    at_assist = replace(PARTIAL, level=Level.ASSIST)
    first = wanted_traffic(task("contextual"), at_assist, {}, NOTHING)
    assert (first.gamma, first.offsets) == (0.0, {})
    found = wanted_traffic(task("contextual"), at_assist, {}, tally([50, 80, 10], [50, 20, 90]))
    assert found.gamma == pytest.approx(np.sqrt(3 * 1000))
    assert found.offsets == pytest.approx({"old": 0.0, "new": -0.06, "raw": 0.08})


def moved(mode: str, deployed: Deployment, counts: Tally, certified: dict | None = None, **settings: object):
    return propose_traffic(task(mode, **settings), deployed, certified or {"new": OWN}, counts)


def test_a_move_is_made_once_and_opens_no_epoch() -> None:
    plain = replace(PARTIAL, traffic=None)
    move = moved("split", plain, open_tally(2))
    assert move.kind == "traffic"
    assert replace(move.to, traffic=None) == plain
    assert move.reasons == ("Version old answers 90 % of the cases.", "Version new answers 10 % of the cases.")
    assert moved("split", move.to, open_tally(2)) is None
    assert moved("split", move.to, open_tally(2), share=0.11) is not None


def test_a_bandit_moves_by_steps_and_says_why() -> None:
    first = moved("bandit", replace(PARTIAL, traffic=None), open_tally(2)).to
    assert moved("bandit", first, tally([10, 10.1], [10.1, 10])) is None
    later = moved("bandit", first, tally([20, 30], [30, 20]))
    assert abs(later.to.traffic.shares["new"] - 0.5) >= STEP
    why = "where they differ, it was right 60 times of 100."
    assert later.reasons[1] == f"Version new answers 92.9 % of the cases: {why}"


def test_a_contextual_bandit_moves_when_it_has_twice_as_many_cases() -> None:
    one = moved("contextual", replace(PARTIAL, traffic=None), tally([5, 6], [6, 5], 1000)).to
    assert moved("contextual", one, tally([5, 6], [6, 5], 1000 * GROWTH - 1)) is None
    two = moved("contextual", one, tally([5, 6], [6, 5], 1000 * GROWTH + 1))
    why = "where all expect the same loss; so far it lost 0.006 on average."
    assert two.reasons[0] == f"Version old answers 50 % of the cases {why}"
    assert moved("contextual", one, tally([5, 6], [6, 5], 999)) is not None  # a correction
    assert moved("split", one, open_tally(2)) is not None


def test_thresholds_follow_the_evidence_at_once_and_without_them_a_challenger_leaves() -> None:
    now = moved("split", replace(PARTIAL, traffic=None), open_tally(2)).to
    lower = moved("split", now, open_tally(2), {"new": {"yes": 0.7, "no": 0.9}})
    assert lower.to.traffic.thresholds == {"new": {"yes": 0.7, "no": 0.9}}
    void = moved("split", now, open_tally(1), {"new": {}})
    assert (void.to.traffic, void.reasons) == (None, ("The champion answers all cases.",))
    assert moved("split", void.to, open_tally(1), {"new": {}}) is None


def test_what_was_shared_in_another_epoch_is_shared_anew() -> None:
    now = moved("split", replace(PARTIAL, traffic=None), open_tally(2)).to
    assert moved("split", replace(now, epoch=4), open_tally(2)).to.traffic.epoch == 4
    assert moved("champion", now, open_tally(2)).to.traffic is None
    assert moved("split", replace(now, level=Level.SHADOW), open_tally(2)).to.traffic is None
