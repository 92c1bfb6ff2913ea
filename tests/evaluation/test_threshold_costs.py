"""The cost of thresholds by plain loops, and what a better one saves, told on rows that did not choose it."""

import msgspec
import numpy as np
import pytest
from scipy import stats

from understudy.evaluation.cells import cell_counts
from understudy.evaluation.measure_actions import threshold_actions
from understudy.evaluation.measures_answers import price_table
from understudy.evaluation.thresholds import (
    ABOVE_PRESENT,
    NEVER,
    CrossFit,
    Thresholds,
    cheapest,
    folds,
    per_threshold,
    switch_evidence,
    threshold_costs,
)

EVEN = price_table({}, ("no", "yes"))
DEAR = price_table({"no -> yes": 1.0, "yes -> no": 9.0}, ("no", "yes"))


def world(seed: int, n: int, bend: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right where `bend` is 1, and else too low or too high, and the truth."""
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    return (rng.random(n) < p).astype(np.int64), p**bend


@pytest.mark.parametrize("prices", [EVEN, DEAR])
def test_each_point_costs_what_a_loop_says(prices: np.ndarray) -> None:
    y, p = world(0, 400)
    found = threshold_costs(y, p, prices, priced=True)
    for point in found.points[::7]:
        said = (p >= point.threshold).astype(int)
        assert point.cost == pytest.approx(np.mean([prices[t, a] for t, a in zip(y, said, strict=True)]))
        assert point.lower <= point.cost <= point.upper
    assert found.optimum_cost == pytest.approx(min(np.mean(prices[y, (p >= at).astype(int)]) for at in [*p, NEVER]))
    assert found.present.estimate == pytest.approx(np.mean(prices[y, (p > 0.5).astype(int)]))


def test_the_optimum_of_calibrated_probabilities_is_that_of_theory() -> None:
    found = threshold_costs(*world(1, 30_000), DEAR, priced=True)
    assert found.by_theory == 0.1
    assert found.optimum.lower <= 0.1 <= found.optimum.upper
    assert found.optimum.upper - found.optimum.lower < 0.1
    assert len(found.points) <= 200


def test_a_threshold_that_costs_less_is_found_and_its_saving_is_that_on_new_rows() -> None:
    found = threshold_costs(*world(2, 3000, bend=2.5), EVEN, priced=False)
    y, p = world(3, 300_000, bend=2.5)
    saved = np.mean((p > 0.5) != y) - np.mean((p >= found.optimum.estimate) != y)
    assert found.better
    assert found.saving.lower <= saved <= found.saving.upper
    assert found.fewer_wrong == found.saving


def test_no_row_is_judged_by_a_threshold_that_it_chose() -> None:
    y, p = world(4, 500)
    groups = np.repeat(np.arange(100), 5)
    fold = folds(500, 0, groups)
    assert all(len(set(fold[groups == one])) == 1 for one in range(100))
    edges = np.unique([*p, ABOVE_PRESENT, NEVER])
    answers = CrossFit.of(y, p, edges, EVEN, seed=0, groups=groups).later
    for one in range(5):
        turned = np.where(fold == one, 1 - y, y)
        again = CrossFit.of(turned, p, edges, EVEN, seed=0, groups=groups).later
        assert np.array_equal(answers[fold == one], again[fold == one])


def certain(seed: int, *, cross: bool) -> bool:
    """Whether a saving is shown where the present threshold is the best there is."""
    rng = np.random.default_rng(seed)
    p, y = 0.5 + 0.01 * (rng.random(300) - 0.5), rng.integers(0, 2, 300)
    edges = np.unique([*p, ABOVE_PRESENT, NEVER])
    if cross:
        return CrossFit.of(y, p, edges, EVEN, seed=seed, groups=None).saving(EVEN).lower > 0
    later = p >= min(edges, key=lambda edge: np.mean((p >= edge) != y))
    return switch_evidence(y, p > 0.5, later, EVEN, None).lower > 0


def test_where_the_present_threshold_is_best_a_saving_is_rarely_shown_and_often_without_cross_fitting() -> None:
    shown = sum(certain(seed, cross=True) for seed in range(120))
    assert shown <= stats.binom.ppf(0.999, 120, 0.025)
    flattered = sum(certain(seed, cross=False) for seed in range(100))
    assert flattered > stats.binom.ppf(0.999, 100, 0.025)


def test_bounds_of_the_saving_hold_what_it_is() -> None:
    """With probabilities that are bent, the cost of each threshold is known."""

    def cost(threshold: float) -> float:
        at = min(threshold, 1.0) ** 0.4
        return at**2 / 2 + (1 - at) ** 2 / 2

    missed = 0
    for seed in range(120):
        y, p = world(seed, 500, bend=2.5)
        edges = np.unique([*p, ABOVE_PRESENT, NEVER])
        cross = CrossFit.of(y, p, edges, EVEN, seed=seed, groups=None)
        found = cross.saving(EVEN)
        best = edges[cheapest(edges, per_threshold(cell_counts(y, p, edges), EVEN))]
        missed += not found.lower <= cost(0.5) - cost(best) <= found.upper
    assert missed <= stats.binom.ppf(0.999, 120, 0.05)


def test_few_changed_answers_are_judged_exactly() -> None:
    y = np.array([1] * 8 + [0] * 92)
    now, later = np.zeros(100, dtype=bool), np.arange(100) < 10
    found = switch_evidence(y, now, later, EVEN, None)
    assert found.estimate == pytest.approx(0.06)
    low, high = stats.beta.ppf(0.025, 8, 3), stats.beta.ppf(0.975, 9, 2)
    assert (found.lower, found.upper) == pytest.approx(((20 * low - 10) / 100, (20 * high - 10) / 100))


def test_an_answer_that_never_changes_saves_nothing() -> None:
    same = np.ones(50, dtype=bool)
    found = switch_evidence(np.ones(50, dtype=np.int64), same, same, EVEN, None)
    assert (found.estimate, found.lower, found.upper) == (0, 0, 0)


def test_the_action_says_what_is_saved_in_money_and_in_mistakes() -> None:
    y, p = world(5, 5000)
    found = threshold_costs(y, p, DEAR, priced=True)
    (action,) = threshold_actions(found, "yes")
    assert action.kind == "change threshold"
    assert action.gain.lower > 0
    assert action.gain.estimate == pytest.approx(found.saving.estimate / found.mean_price)
    assert "more are decided wrongly" in action.why
    assert "a case then costs" in action.why
    assert threshold_actions(threshold_costs(y, p, EVEN, priced=False), "yes") == ()


def test_where_nothing_may_be_told_there_are_no_thresholds() -> None:
    y, p = world(6, 50)
    assert threshold_costs(np.zeros(50, dtype=np.int64), p, EVEN, priced=False) is None
    assert threshold_costs(y, p, np.zeros((2, 2)), priced=True) is None
    assert threshold_costs(y, p, EVEN, priced=False, groups=np.zeros(50)) is None
    assert threshold_actions(None, "yes") == ()


@pytest.mark.parametrize("n", [2, 12, 500])
def test_thresholds_survive_as_json(n: int) -> None:
    y, p = world(7, n)
    y[:2] = [0, 1]
    found = threshold_costs(y, p, DEAR, priced=True)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Thresholds) == found
    assert (found.saving is None) == (n < 10)


def test_if_nothing_is_worth_a_yes_it_is_never_said() -> None:
    rng = np.random.default_rng(8)
    y, p = (rng.random(2000) < 0.05).astype(np.int64), rng.random(2000)
    found = threshold_costs(y, p, EVEN, priced=False)
    assert found.by_theory == 0.5
    (action,) = threshold_actions(found, "yes")
    assert action.gain.estimate == pytest.approx(0.45, abs=0.03)
