"""The bounds on the value of a policy that did not decide hold at all times, for all policies at once."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.off_policy import (
    BETS,
    ValueState,
    effective_size,
    fold_values,
    lowest_values,
    open_values,
    self_normalised,
    values,
)
from understudy.evidence.pseudo_outcomes import (
    CLIPS,
    PseudoOutcomes,
    ValuePlan,
    doubly_robust,
    ips,
    left_to_predictions,
    predict_forward,
)

RUNS, ROWS, ALPHA = 300, 2000, 0.1
LOOKS = np.unique(np.geomspace(5, ROWS, 20).astype(int))


def logged(
    rng: np.random.Generator, n: int, actions: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rewards, actions, logging, target and predicted of a plain log."""
    logging, target = rng.dirichlet(np.full(actions, 2.0), (2, n))
    action = (rng.random(n)[:, None] > logging.cumsum(axis=1)).sum(axis=1).clip(max=actions - 1)
    reward = (rng.random(n) < 0.2 + 0.3 * action).astype(float)
    return reward, action, logging, target, rng.random((n, actions))


def bounds_at_looks(plan: ValuePlan, scores: PseudoOutcomes, goals: list[float]) -> list[np.ndarray]:
    """For each goal the lower and upper bounds of every policy at every look, shape (looks, 2, p)."""
    state, done, found = open_values(plan), 0, [[] for _ in goals]
    for look in LOOKS[len(scores.weight) >= LOOKS]:
        part = slice(done, look)
        piece = PseudoOutcomes(weight=scores.weight[part], outcome=scores.outcome[part], stake=scores.stake[part])
        state, done = fold_values(state, plan, piece), look
        stakes = np.array(state.stakes).reshape(plan.policies, 2, len(plan.floors), len(BETS))
        for bounds, goal in zip(found, goals, strict=True):
            low, high = (lowest_values(stakes[:, side], state.rows, plan, goal) for side in (0, 1))
            bounds.append((low, 1 - high))
    return [np.array(bounds) for bounds in found]


def missed(plan: ValuePlan, scores: PseudoOutcomes, value: np.ndarray) -> np.ndarray:
    """Which runs, each a policy of the plan, ever miss the mean value so far; value of shape (n, runs)."""
    [bounds] = bounds_at_looks(plan, scores, [ValuePlan(alpha=ALPHA).goal])
    truth = (value.cumsum(axis=0) / np.arange(1, len(value) + 1)[:, None])[LOOKS - 1]
    return np.asarray(((bounds[:, 0] > truth + 1e-9) | (bounds[:, 1] < truth - 1e-9)).any(axis=0))


def adaptive(rng: np.random.Generator, means: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Rewards and propensities of action 1 under a greedy policy that learns, for many runs side by side.

    `means` has shape (n, 2): the chance of a reward of each action, which may change over time. The propensity returned
    is negative where action 0 was taken.
    """
    n, won, tried = len(means), np.ones((2, RUNS)), np.full((2, RUNS), 2.0)
    reward, propensity = np.empty((n, RUNS)), np.empty((n, RUNS))
    for row in range(n):
        one = np.where(won[1] / tried[1] > won[0] / tried[0], 1 - floor, floor)
        took = rng.random(RUNS) < one
        reward[row] = rng.random(RUNS) < np.where(took, means[row, 1], means[row, 0])
        propensity[row] = np.where(took, one, -(1 - one))
        won[took.astype(int), np.arange(RUNS)] += reward[row]
        tried[took.astype(int), np.arange(RUNS)] += 1
    return reward, propensity


def side_by_side(plan: ValuePlan, score: Callable[[ValuePlan, int], PseudoOutcomes]) -> PseudoOutcomes:
    """The pseudo-outcomes of many runs, each put where the plan has a policy."""
    one = msgspec.structs.replace(plan, policies=1)
    runs = [score(one, run) for run in range(plan.policies)]
    return PseudoOutcomes(
        weight=np.concatenate([run.weight for run in runs], axis=1),
        outcome=np.concatenate([run.outcome for run in runs], axis=1),
        stake=np.concatenate([run.stake for run in runs], axis=1),
    )


def drifting(kind: str) -> np.ndarray:
    """The chance of a reward of two actions at each row."""
    time = np.linspace(0, 1, ROWS)
    return {
        "constant": np.tile([0.5, 0.3], (ROWS, 1)),
        "rare": np.tile([0.02, 0.01], (ROWS, 1)),
        "jump": np.stack([np.where(time < 0.3, 0.9, 0.1), np.where(time < 0.3, 0.05, 0.95)], axis=1),
        "creep": np.stack([0.9 - 0.8 * time, 0.1 + 0.8 * time], axis=1),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "largest"),
    [("constant", np.inf), ("rare", np.inf), ("jump", np.inf), ("creep", np.inf), ("constant", 10.0), ("jump", 10.0)],
)
def test_ips_misses_as_seldom_as_promised_though_the_logging_policy_learns_and_the_world_changes(
    kind: str, largest: float
) -> None:
    means = drifting(kind)
    reward, propensity = adaptive(np.random.default_rng(1), means, 0.1)
    plan = ValuePlan(alpha=ALPHA, policies=RUNS, largest=largest)
    scores = side_by_side(
        plan, lambda one, run: ips(one, reward[:, run], abs(propensity[:, run]), (propensity[:, run] > 0).astype(float))
    )
    assert kept(missed(plan, scores, np.tile(means[:, 1:], RUNS)), ALPHA)


def test_without_the_propensities_the_value_is_missed() -> None:
    means = drifting("constant")
    reward, _ = adaptive(np.random.default_rng(2), means, 0.1)
    plan = ValuePlan(alpha=ALPHA, policies=RUNS)
    ones = np.ones(ROWS)
    scores = side_by_side(plan, lambda one, run: ips(one, reward[:, run], ones, ones))
    assert missed(plan, scores, np.tile(means[:, 1:], RUNS)).mean() > 0.9


def test_propensities_of_another_time_miss_the_value() -> None:
    means = drifting("jump")
    reward, propensity = adaptive(np.random.default_rng(3), means, 0.1)
    stale = np.where(propensity > 0, (propensity > 0).mean(axis=0), 1)  # the mean share of action 1, not its draw's
    plan = ValuePlan(alpha=ALPHA, policies=RUNS)
    scores = side_by_side(
        plan, lambda one, run: ips(one, reward[:, run], stale[:, run], (propensity[:, run] > 0).astype(float))
    )
    assert missed(plan, scores, np.tile(means[:, 1:], RUNS)).mean() > 0.5


@pytest.mark.parametrize(("largest", "holds"), [(np.inf, True), (1.4, False)])
def test_only_without_a_largest_weight_may_a_policy_take_what_could_not_be_logged(largest: float, holds: bool) -> None:
    rng = np.random.default_rng(16)
    took = rng.random((ROWS, RUNS)) < 0.5  # the target takes this action with 0.7, and one that is never logged
    reward, half = (rng.random((ROWS, RUNS)) < 0.6).astype(float), np.full(ROWS, 0.5)
    plan = ValuePlan(alpha=ALPHA, policies=RUNS, largest=largest)
    scores = side_by_side(plan, lambda one, run: ips(one, reward[:, run], half, np.where(took[:, run], 0.7, 0.0)))
    for unknown in (0.0, 1.0):
        broken = missed(plan, scores, np.full((ROWS, RUNS), 0.7 * 0.6 + 0.3 * unknown))
        assert kept(broken, ALPHA) == holds


@pytest.mark.parametrize("largest", [np.inf, 200.0])
def test_heavy_weights_make_bounds_wide_but_not_wrong(largest: float) -> None:
    rng = np.random.default_rng(4)
    chance = np.exp(rng.uniform(np.log(0.005), 0, (ROWS, RUNS)))  # so that weights reach 200
    took = rng.random((ROWS, RUNS)) < chance
    reward = (rng.random((ROWS, RUNS)) < 0.3) * took
    plan = ValuePlan(alpha=ALPHA, policies=RUNS, largest=largest)
    propensity = np.where(took, chance, 1 - chance)
    scores = side_by_side(
        plan, lambda one, run: ips(one, reward[:, run] * 1.0, propensity[:, run], took[:, run].astype(float))
    )
    assert kept(missed(plan, scores, np.full((ROWS, RUNS), 0.3)), ALPHA)


def contextual(rng: np.random.Generator, runs: int) -> dict[str, np.ndarray]:
    """A log of three actions whose rewards depend on the case; all arrays begin with (runs, n)."""
    x = rng.random((runs, ROWS))
    chance = np.stack([0.2 + 0.6 * x, 0.8 - 0.6 * x, np.full_like(x, 0.3)], axis=2)
    logging = np.broadcast_to([0.6, 0.3, 0.1], chance.shape)
    draws = rng.random((runs, ROWS, 1))
    action = (draws > logging.cumsum(axis=2)).sum(axis=2).clip(max=2)
    reward = (rng.random((runs, ROWS)) < np.take_along_axis(chance, action[..., None], 2)[..., 0]).astype(float)
    return {"x": x, "chance": chance, "logging": logging, "action": action, "reward": reward}


@pytest.mark.parametrize("guess", ["true", "half", "wrong", "learned"])
def test_doubly_robust_bounds_hold_whatever_the_predictions_are(guess: str) -> None:
    rng, runs = np.random.default_rng(5), 150
    log = contextual(rng, runs)
    target = np.eye(3)[log["chance"].argmin(axis=2)] * 0.9 + 0.1 / 3

    def predicted(run: int) -> np.ndarray:
        if guess == "learned":
            action, reward = log["action"][run], log["reward"][run]
            return predict_forward(ROWS, 3, lambda past, block: by_action(action[past], reward[past], block))
        return {"true": log["chance"][run], "half": np.full((ROWS, 3), 0.5), "wrong": 1 - log["chance"][run]}[guess]

    plan = ValuePlan(alpha=ALPHA, policies=runs, clips=CLIPS)
    scores = side_by_side(
        plan,
        lambda one, run: doubly_robust(
            one, log["reward"][run], log["action"][run], log["logging"][run], target[run], predicted(run)
        ),
    )
    assert kept(missed(plan, scores, (target * log["chance"]).sum(axis=2).T), ALPHA)


def by_action(action: np.ndarray, reward: np.ndarray, block: slice) -> np.ndarray:
    """The mean reward of each action so far, for all rows of the block."""
    mean = [reward[action == place].mean() if (action == place).any() else 0.5 for place in range(3)]
    return np.tile(mean, (block.stop - block.start, 1))


def test_predictions_that_saw_the_reward_break_the_bounds() -> None:
    rng, runs = np.random.default_rng(6), 100
    log = contextual(rng, runs)
    target = np.full((ROWS, 3), 1 / 3)
    plan = ValuePlan(alpha=ALPHA, policies=runs, clips=CLIPS)

    def cheat(one: ValuePlan, run: int) -> PseudoOutcomes:
        seen = np.repeat(log["reward"][run][:, None], 3, axis=1)
        return doubly_robust(one, log["reward"][run], log["action"][run], log["logging"][run], target, seen)

    scores = side_by_side(plan, cheat)
    assert missed(plan, scores, np.full((ROWS, runs), log["chance"].mean())).mean() > 0.5


def test_good_predictions_narrow_the_bounds() -> None:
    log = contextual(np.random.default_rng(7), 1)
    target = np.eye(3)[log["chance"][0].argmax(axis=1)]
    reward = log["chance"][0][np.arange(ROWS), log["action"][0]]  # no chance is left where predictions are true
    given = reward, log["action"][0], log["logging"][0], target
    widths = []
    for predicted in (log["chance"][0], 1 - log["chance"][0]):
        plan = ValuePlan(alpha=ALPHA, clips=CLIPS)
        [statement] = values(fold_values(open_values(plan), plan, doubly_robust(plan, *given, predicted)), plan)
        widths.append(statement.upper - statement.lower)
    assert widths[0] < 0.7 * widths[1]


def test_switching_to_wrong_predictions_biases_the_estimate_and_not_the_bounds() -> None:
    rng, runs = np.random.default_rng(8), 100
    log = contextual(rng, runs)
    target = np.tile([0.1, 0.1, 0.8], (ROWS, 1))  # whose action 2 has a weight of 8
    wrong = np.ones((ROWS, 3))
    plan = ValuePlan(alpha=ALPHA, policies=runs, clips=CLIPS, limit=5.0)
    scores = side_by_side(
        plan,
        lambda one, run: doubly_robust(one, log["reward"][run], log["action"][run], log["logging"][run], target, wrong),
    )
    value = (target * log["chance"]).sum(axis=2).T
    assert kept(missed(plan, scores, value), ALPHA)
    bias = scores.outcome.mean() - value.mean()
    one = msgspec.structs.replace(plan, policies=1)
    [left] = left_to_predictions(one, log["logging"][0], target)
    assert left == pytest.approx(0.8)
    assert 0.5 < bias <= left


def test_switching_values_actions_that_could_not_be_logged() -> None:
    plan = ValuePlan(alpha=0.05, clips=CLIPS, limit=10.0)
    rng = np.random.default_rng(9)
    logging, target = np.tile([0.5, 0.5, 0.0], (3000, 1)), np.tile([0.8, 0.0, 0.2], (3000, 1))
    action = rng.integers(0, 2, 3000)
    reward = (rng.random(3000) < 0.5).astype(float)
    scores = doubly_robust(plan, reward, action, logging, target, np.full((3000, 3), 0.5))
    [statement] = values(fold_values(open_values(plan), plan, scores), plan)
    assert statement.lower < 0.4  # 0.8 · 0.5, and 0.2 of nobody knows what
    assert statement.upper > 0.6
    assert (statement.upper - statement.lower) < 0.35
    assert statement.method == "switch-DR at 10, betting"


def grid_of_equals(seed: int, runs: int, policies: int, n: int) -> PseudoOutcomes:
    """Policies that act at random, so that each is worth 0.5, run after run."""
    rng = np.random.default_rng(seed)
    weight = 2.0 * (rng.random((n, runs * policies)) < 0.5)
    reward = np.repeat(rng.random((n, runs)) < 0.5, policies, axis=1).astype(float)
    stake = np.stack([weight * reward, weight * (1 - reward)], axis=2)[..., None]
    return PseudoOutcomes(weight=weight, outcome=weight * reward, stake=stake)


def test_bands_hold_for_all_policies_at_once_and_pointwise_bounds_of_the_best_do_not() -> None:
    runs, policies = 60, 100
    scores, plan = grid_of_equals(10, runs, policies, 1000), ValuePlan(alpha=ALPHA, policies=runs * policies)
    goals = [ValuePlan(alpha=ALPHA, policies=count).goal for count in (policies, 1)]
    band, pointwise = (bounds.reshape(-1, 2, runs, policies) for bounds in bounds_at_looks(plan, scores, goals))
    assert kept(((band[:, 0] > 0.5) | (band[:, 1] < 0.5)).any(axis=(0, 2)), ALPHA)
    best = pointwise[:, 0].max(axis=2)  # of the policy that somebody picks for its lower bound at that look
    assert not kept((best > 0.5).any(axis=0), ALPHA / 2)
    assert not kept(((pointwise[:, 0] > 0.5) | (pointwise[:, 1] < 0.5)).any(axis=(0, 2)), ALPHA)


def naive_wealth(stake: np.ndarray, floor: float, value: float) -> float:
    """The mean over bets of the product of factors, one by one."""
    owned = []
    for bet in BETS:
        share, wealth = bet / (1 + floor), 1.0
        for amount in stake:
            wealth *= (1 + share * amount) / (1 + share * (value + floor))
        owned.append(wealth)
    return float(np.mean(owned))


def test_the_bounds_are_where_the_wealth_by_hand_reaches_the_goal() -> None:
    rng = np.random.default_rng(12)
    plan = ValuePlan(alpha=0.1, largest=4.0)
    took = rng.random(60) < 0.25
    reward, propensity = rng.random(60), np.where(took, 0.25, 0.75)
    scores = ips(plan, reward, propensity, took.astype(float))
    [statement] = values(fold_values(open_values(plan), plan, scores), plan)
    weight = took / propensity
    assert statement.estimate == pytest.approx(np.mean(weight * reward))
    for bound, gain in ((statement.lower, reward), (1 - statement.upper, 1 - reward)):
        owned = [naive_wealth(base + weight * (gain - base) + 3 * base, 3 * base, bound) for base in (0.0, 0.5, 1.0)]
        assert np.mean(owned) == pytest.approx(20, rel=1e-6)


@given(cut=cuts(200), seed=st.integers(0, 30), doubly=st.booleans())
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int, doubly: bool) -> None:
    reward, action, logging, target, predicted = logged(np.random.default_rng(seed), 200)
    plan = ValuePlan(alpha=0.05, policies=2, clips=CLIPS if doubly else ())
    both = np.stack([target, logging], axis=1)
    place = np.arange(200)

    def score(part: slice) -> PseudoOutcomes:
        if doubly:
            return doubly_robust(plan, reward[part], action[part], logging[part], both[part], predicted[part])
        taken = logging[place, action], both[place, :, action]
        return ips(plan, reward[part], taken[0][part], taken[1][part])

    state = open_values(plan)
    for part in batches(cut, 200):
        folded = fold_values(state, plan, score(part))
        state = msgspec.json.decode(msgspec.json.encode(folded), type=ValueState)
    whole = fold_values(open_values(plan), plan, score(slice(None)))
    assert state == whole
    assert effective_size(whole)[1] == pytest.approx(200)  # the logging policy itself
    [_, own] = values(whole, plan)
    assert doubly or own.estimate == pytest.approx(reward.mean())


def test_a_range_of_rewards_only_moves_and_stretches() -> None:
    reward, action, logging, target, predicted = logged(np.random.default_rng(13), 500)
    plain, wide = ValuePlan(alpha=0.05, clips=CLIPS), ValuePlan(alpha=0.05, clips=CLIPS, low=-20.0, high=80.0)
    [one] = values(
        fold_values(open_values(plain), plain, doubly_robust(plain, reward, action, logging, target, predicted)), plain
    )
    scores = doubly_robust(wide, 100 * reward - 20, action, logging, target, 100 * predicted - 20)
    [other] = values(fold_values(open_values(wide), wide, scores), wide)
    for name in ("estimate", "lower", "upper"):
        assert getattr(other, name) == pytest.approx(100 * getattr(one, name) - 20)
    assert (one.method, one.anytime, one.confidence) == ("DR, betting", True, 0.95)


def test_before_the_first_case_anything_is_possible() -> None:
    plan = ValuePlan(alpha=0.05, policies=2, low=-1.0, high=3.0)
    empty = ips(plan, np.array([]), np.array([]), np.empty((0, 2)))
    assert fold_values(open_values(plan), plan, empty) == open_values(plan)
    for statement in values(open_values(plan), plan):
        assert (statement.lower, statement.upper, statement.n) == (-1.0, 3.0, 0)
        assert np.isnan(statement.estimate)


def test_a_policy_that_was_never_followed_says_nothing() -> None:
    plan = ValuePlan(alpha=0.05)
    scores = ips(plan, np.ones(100), np.full(100, 0.5), np.zeros(100))
    state = fold_values(open_values(plan), plan, scores)
    [statement] = values(state, plan)
    assert (statement.lower, statement.upper, statement.n) == (0.0, 1.0, 0)
    assert effective_size(state).tolist() == [0.0]


def test_unequal_weights_shrink_the_effective_size() -> None:
    plan = ValuePlan(alpha=0.05)
    scores = ips(plan, np.ones(4), np.array([1.0, 0.5, 0.25, 0.25]), np.array([1.0, 0.5, 0.25, 1.0]))
    assert effective_size(fold_values(open_values(plan), plan, scores))[0] == pytest.approx(7**2 / 19)


def self_normalised_misses(seed: int, chance: float, runs: int, *, weighted: bool = True) -> np.ndarray:
    """Which runs ever miss the value 0.3 of an action that is taken with `chance`."""
    rng, missed_ever = np.random.default_rng(seed), []
    plan = ValuePlan(alpha=ALPHA)
    for _ in range(runs):
        good = rng.random(ROWS) < 0.5
        propensity = np.where(good, chance, 0.5)
        took = rng.random(ROWS) < propensity
        reward = ((rng.random(ROWS) < np.where(good, 0.5, 0.1)) & took).astype(float)
        used = np.where(took, propensity, 1 - propensity) if weighted else np.ones(ROWS)
        found = [self_normalised(plan, reward[:n], used[:n], took[:n].astype(float)) for n in LOOKS]
        missed_ever.append(any(not one.lower <= 0.3 <= one.upper for one in found))
    return np.array(missed_ever)


@pytest.mark.parametrize("chance", [0.5, 0.1])
def test_self_normalised_bounds_miss_about_as_seldom_as_they_say(chance: float) -> None:
    assert kept(self_normalised_misses(14, chance, 300), ALPHA)


def test_self_normalised_bounds_need_the_propensities() -> None:
    assert self_normalised_misses(15, 0.1, 50, weighted=False).mean() > 0.9


def test_self_normalised_says_nothing_for_few_rows_and_does_not_take_equal_rewards_for_certain() -> None:
    plan = ValuePlan(alpha=0.05, low=0.0, high=2.0)
    few = self_normalised(plan, np.ones(20), np.ones(20), np.ones(20))
    assert (few.lower, few.estimate, few.upper, few.n) == (0.0, 1.0, 2.0, 20)
    equal = self_normalised(plan, np.full(1000, 2.0), np.ones(1000), np.ones(1000))
    assert 1.98 < equal.lower < 1.9975
    assert equal.upper == equal.estimate == 2.0
    none = self_normalised(plan, np.array([]), np.array([]), np.array([]))
    assert (none.lower, none.upper, none.n) == (0.0, 2.0, 0)
