"""Pseudo-outcomes are those of the papers, and what a log lacks is named."""

import numpy as np
import pytest

from understudy.evidence.pseudo_outcomes import (
    CLIPS,
    ValuePlan,
    doubly_robust,
    ips,
    left_to_predictions,
    predict_forward,
)


def test_ips_by_hand() -> None:
    plan = ValuePlan(alpha=0.1, policies=2, largest=5.0, low=-1.0, high=3.0)
    scores = ips(plan, np.array([1.0]), np.array([0.25]), np.array([[0.5, 0.0]]))
    assert scores.weight.tolist() == [[2.0, 0.0]]
    assert scores.outcome.tolist() == [[1.0, 0.0]]
    assert plan.floors == (0.0, 2.0, 4.0)
    assert scores.stake[0, 0, 0] == pytest.approx([2 * 0.5, 0.5 + 2 * 0.0 + 2.0, 1 + 2 * (0.5 - 1) + 4.0])
    assert scores.stake[0, 1, 0] == pytest.approx([0.0, 0.5 + 2.0, 1 + 4.0])


def test_pseudo_outcomes_have_the_value_as_their_mean() -> None:
    logging, target = np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.1, 0.3])
    reward, predicted = np.array([0.9, 0.2, 0.4]), np.array([0.3, 0.8, 0.4])
    rows = np.ones((3, 1))
    plan = ValuePlan(alpha=0.1, clips=(0.0, 0.2, 1.0, 5.0))
    scores = doubly_robust(plan, reward, np.arange(3), rows * logging, rows * target, rows * predicted)
    value = target @ reward
    assert logging @ scores.outcome[:, 0] == pytest.approx(value)
    for side, mean in enumerate((value, 1 - value)):
        np.testing.assert_allclose(logging @ scores.stake[:, 0, side] - plan.clips, np.full(4, mean), atol=1e-12)
    switched = ValuePlan(alpha=0.1, clips=CLIPS, limit=2.0)  # the first action has a weight of 3
    scores = doubly_robust(switched, reward, np.arange(3), rows * logging, rows * target, rows * predicted)
    assert logging @ scores.outcome[:, 0] == pytest.approx(value + 0.6 * (0.3 - 0.9))
    np.testing.assert_allclose(logging @ scores.stake[:, 0, 0] - CLIPS, np.full(3, value - 0.6 * 0.9), atol=1e-12)
    np.testing.assert_allclose(logging @ scores.stake[:, 0, 1] - CLIPS, np.full(3, 1 - value - 0.6 * 0.1), atol=1e-12)
    assert left_to_predictions(switched, rows * logging, rows * target) == pytest.approx([0.6])


def test_doubly_robust_by_hand() -> None:
    plan = ValuePlan(alpha=0.1, policies=2, clips=(0.0, 0.5), low=0.0, high=10.0)
    logging, predicted = np.array([[0.2, 0.8]]), np.array([[4.0, 6.0]])
    target = np.array([[[0.6, 0.4], [0.0, 1.0]]])  # weights 3 and 0.5; 0 and 1.25
    scores = doubly_robust(plan, np.array([5.0]), np.array([0]), logging, target, predicted)
    assert scores.weight.tolist() == [[pytest.approx(3), 0]]
    assert scores.outcome[0] == pytest.approx([3 * (0.5 - 0.4) + 0.6 * 0.4 + 0.4 * 0.6, 0.6])
    cut = 0.5 / 3  # of 0.4; 0.6 is below 0.5 / 0.5
    gain = 3 * (0.5 - cut) + 0.6 * cut + 0.4 * 0.6
    turned = 3 * (0.5 - cut) + 0.6 * cut + 0.4 * 0.4  # of 0.6; 0.4 is below 1
    assert scores.stake[0, 0] == pytest.approx(np.array([[1.5, gain + 0.5], [1.5, turned + 0.5]]))
    assert scores.stake[0, 1] == pytest.approx(np.array([[0, 0.4 + 0.5], [0, 0.4 + 0.5]]))  # 0.5 / 1.25 is below 0.6


def test_predictions_see_the_past_only() -> None:
    seen: list[tuple[int, int]] = []

    def learn(past: slice, block: slice) -> np.ndarray:
        seen.append((past.stop, block.start))
        return np.full((block.stop - block.start, 2), past.stop)

    predicted = predict_forward(1000, 2, learn, first=50, growth=2.0, default=-1.0)
    assert all(past == block for past, block in seen)
    assert (predicted[:50] == -1).all()
    assert (predicted[50:, 0] <= np.arange(50, 1000)).all()
    assert predict_forward(10, 2, learn, first=50).shape == (10, 2)


PLAIN = {"reward": [1.0, 0.0], "propensity": [0.5, 0.5], "target": [0.5, 1.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propensity": [0.5, 0.0]}, "row 11: expected a propensity above 0 and at most 1, got 0"),
        ({"propensity": [1.5, 0.5]}, "row 10: expected a propensity"),
        ({"propensity": [0.5, np.nan]}, "row 11: expected a propensity"),
        ({"target": [0.5, 1.1]}, "row 11: expected a target probability from 0 to 1, got 1.1"),
        ({"reward": [np.nan, 0.0]}, "row 10: expected a reward from 0 to 1, got nan"),
        ({"reward": [1.0, -2.0]}, "row 11: expected a reward from 0 to 1, got -2"),
        ({"propensity": [0.5, 0.1]}, "row 11: expected at most 5, the plan's largest weight, got 10"),
        ({"reward": [1.0]}, "all arrays need 1 rows"),
        ({"target": np.ones((2, 3))}, "the plan has 1 policies, the target probabilities are for 3"),
    ],
)
def test_a_faulty_row_is_named(change: dict[str, list[float]], message: str) -> None:
    given = {name: np.array(column) for name, column in {**PLAIN, **change}.items()}
    with pytest.raises(ValueError, match=message):
        ips(ValuePlan(alpha=0.05, largest=5.0), **given, first_row=10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"logging": [[1.0, 0.0], [0.5, 0.5]]},
            "row 0: policy 0 takes action 1 with probability 0.5, which was logged",
        ),
        ({"logging": [[0.5, 0.4], [0.5, 0.5]]}, "row 0: expected logging probabilities that add up to 1, got 0.9"),
        ({"target": [[0.5, 0.5], [0.9, 0.2]]}, "row 1: expected target probabilities that add up to 1, got 1.1"),
        ({"target": [[1.0, 0.0], [1.0, 0.0]], "logging": [[1.0, 0.0], [1.0, 0.0]]}, "row 1: expected an action with"),
        ({"action": [0, 2]}, "row 1: expected an action from 0 to 1, got 2"),
        ({"predicted": [[0.5, 0.5], [0.5, 1.5]]}, "row 1: expected a reward from 0 to 1, got 1.5"),
        ({"action": [0]}, "all arrays need 2 rows"),
    ],
)
def test_a_fault_of_support_is_named(change: dict[str, list[float]], message: str) -> None:
    even = [[0.5, 0.5], [0.5, 0.5]]
    plain = {"reward": [1.0, 0.0], "action": [0, 1], "logging": even, "target": even, "predicted": even}
    given = {name: np.array(column) for name, column in {**plain, **change}.items()}
    with pytest.raises(ValueError, match=message):
        doubly_robust(ValuePlan(alpha=0.05, clips=CLIPS), **given)


@pytest.mark.parametrize(
    "change",
    [
        *({"alpha": 0.0}, {"alpha": 1.0}, {"policies": 0}, {"low": 1.0}, {"high": np.inf}, {"low": np.nan}),
        *({"largest": 0.5}, {"limit": 3.0}, {"clips": (-1.0,)}, {"clips": (0.0,), "largest": 3.0}),
    ],
)
def test_a_plan_without_meaning_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"alpha lies|finite range|at least 1|is for"):
        ValuePlan(**{"alpha": 0.05, **change})


def test_each_estimator_refuses_the_plan_of_the_other() -> None:
    one = np.ones(1)
    with pytest.raises(ValueError, match="belong to doubly_robust"):
        ips(ValuePlan(alpha=0.05, clips=CLIPS), one, one, one)
    with pytest.raises(ValueError, match="give it CLIPS"):
        doubly_robust(ValuePlan(alpha=0.05), one, np.zeros(1, dtype=int), one[:, None], one[:, None], one[:, None])
    with pytest.raises(ValueError, match="growth above 1"):
        predict_forward(10, 2, lambda past, block: np.zeros((0, 2)), growth=1.0)
