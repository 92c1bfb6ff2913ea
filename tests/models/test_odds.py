"""Effects are those of the likelihood, and their intervals hold what they promise, if the rows did not choose."""

from dataclasses import replace

import numpy as np
import pytest

from evidence.promises import kept
from understudy.core.errors import ModelError
from understudy.models.odds import effects, independent
from understudy.models.recipes import RECIPES, Effort, Rows

EFFORT = Effort(0, 1)
ALPHA = 0.1
RUNS = 200


def drawn(rng, n, weights, *, logistic=True):
    """Rows with known weights; the last feature has none."""
    X = rng.normal(size=(n, len(weights))).astype(np.float32)
    z = X @ weights
    if not logistic:
        return Rows("regression", 0, X, z + rng.normal(size=n), ["number"] * len(weights))
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(np.int64)
    return Rows("classification", 2, X, y, ["number"] * len(weights))


def test_odds_ratios_are_those_worked_out_by_hand():
    """20 of 30 against 10 of 30: the odds ratio is (20/10)/(10/20) = 4, the variance of its log 2/20 + 2/10."""
    X = np.repeat([[1.0], [0.0]], 30, axis=0).astype(np.float32)
    y = np.array([1] * 20 + [0] * 10 + [1] * 10 + [0] * 20)
    rows = Rows("classification", 2, X, y, ["flag"])
    found = effects(RECIPES["logistic"].fit({"C": 1.0}, rows, EFFORT), rows)[0]
    assert found.state == "estimated"
    assert found.effect.estimate == pytest.approx(4.0, rel=1e-3)
    width = 1.959964 * np.sqrt(2 / 20 + 2 / 10)
    assert np.log(found.effect.upper) == pytest.approx(np.log(4) + width, rel=0.03)
    assert found.weight == pytest.approx(RECIPES["logistic"].fit({"C": 1.0}, rows, EFFORT).estimator.coef_[0, 0])


@pytest.mark.parametrize("logistic", [True, False])
def test_intervals_hold_the_true_effect_as_often_as_they_say(logistic):
    """The penalty of the model itself is strong, and does not matter."""
    truth, rng, misses = np.array([0.8, -0.4, 0.0]), np.random.default_rng(0), []
    name, params = ("logistic", {"C": 0.05}) if logistic else ("ridge", {"alpha": 100.0})
    for _ in range(RUNS):
        rows = drawn(rng, 300, truth, logistic=logistic)
        for one in effects(RECIPES[name].fit(params, rows, EFFORT), rows, confidence=1 - ALPHA):
            bounds = np.array([one.effect.lower, one.effect.upper])
            bounds = np.log(bounds) if logistic else bounds
            misses.append(not bounds[0] <= truth[one.feature] <= bounds[1])
    assert kept(np.array(misses), 1.15 * ALPHA)  # Wald's intervals hold for many rows; here are 300
    assert not kept(np.array(misses), ALPHA / 2)


def test_unlike_spreads_are_covered_though_the_textbook_formula_misses_them():
    rng, missed, textbook = np.random.default_rng(1), [], []
    for _ in range(RUNS):
        x = rng.normal(size=(200, 1)).astype(np.float32)
        y = x[:, 0] + np.abs(x[:, 0]) ** 1.5 * rng.normal(size=200)
        rows = Rows("regression", 0, x, y, ["number"])
        one = effects(RECIPES["ridge"].fit({"alpha": 1.0}, rows, EFFORT), rows, confidence=1 - ALPHA)[0].effect
        missed.append(not one.lower <= 1.0 <= one.upper)
        design = np.column_stack([x, np.ones(200)])
        residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        width = 1.6449 * np.sqrt(np.linalg.inv(design.T @ design)[0, 0] * (residuals**2).sum() / 198)
        textbook.append(not one.estimate - width <= 1.0 <= one.estimate + width)
    assert kept(np.array(missed), 1.3 * ALPHA)  # few rows with large residuals
    assert not kept(np.array(textbook), 1.3 * ALPHA)


def test_columns_that_the_same_rows_chose_look_surer_than_they_are():
    """Among 20 columns of noise the lasso keeps those that happened to fit: on fresh rows they are noise again."""
    rng, same, fresh = np.random.default_rng(2), [], []
    for _ in range(150):
        rows, new = (drawn(rng, 200, np.zeros(20)) for _ in range(2))
        fitted = RECIPES["lasso"].fit({"strength": 0.6}, rows, EFFORT)
        for own, other in zip(effects(fitted, rows, confidence=0.9), effects(fitted, new, confidence=0.9), strict=True):
            if own.effect is not None and other.effect is not None:
                same.append(not own.effect.lower <= 1 <= own.effect.upper)
                fresh.append(not other.effect.lower <= 1 <= other.effect.upper)
    assert len(same) > 100
    assert kept(np.array(fresh), 1.15 * ALPHA)
    assert not kept(np.array(same), 3 * ALPHA)


def test_weights_that_are_0_have_no_effect_and_say_so():
    rows = drawn(np.random.default_rng(3), 400, np.array([2.0, 0.0, 0.0, 0.0]))
    found = effects(RECIPES["lasso"].fit({"strength": 0.5}, rows, EFFORT), rows)
    assert [one.state for one in found] == ["estimated", "zero", "zero", "zero"]
    assert found[1].effect is None


def test_the_most_frequent_level_is_what_the_others_are_compared_with():
    rng = np.random.default_rng(4)
    codes = rng.choice(3, 600, p=(0.2, 0.5, 0.3))
    X = np.column_stack([rng.normal(size=600), codes == 0, codes == 1, codes == 2]).astype(np.float32)
    y = (rng.random(600) < np.array([0.6, 0.3, 0.3])[codes]).astype(np.int64)
    rows = Rows("classification", 2, X, y, ["number", "level", "level", "level"])
    found = effects(RECIPES["logistic"].fit({"C": 1.0}, rows, EFFORT), rows)
    assert [one.state for one in found] == ["estimated", "estimated", "reference", "estimated"]
    share = [y[codes == code].mean() for code in (0, 1)]
    expected = share[0] / (1 - share[0]) / (share[1] / (1 - share[1]))
    assert found[1].effect.estimate == pytest.approx(expected, rel=0.05)
    assert found[1].effect.lower > 1


def test_of_columns_that_say_the_same_the_first_is_kept():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(50, 2))
    X = np.column_stack([x, x[:, 0] * 2 + 1, x[:, 0] - x[:, 1], np.ones(50)])
    assert independent(X, ["number"] * 5).tolist() == [0, 1]


def test_answers_that_are_parted_without_error_have_an_effect_without_bound():
    X = np.linspace(-1, 1, 60, dtype=np.float32)[:, None]
    rows = Rows("classification", 2, X, (X[:, 0] > 0).astype(np.int64), ["number"])
    one = effects(RECIPES["logistic"].fit({"C": 1.0}, rows, EFFORT), rows)[0].effect
    assert one.lower < 1 < 1e6 < one.upper


def test_weights_count_as_rows():
    rng = np.random.default_rng(6)
    rows = drawn(rng, 200, np.array([1.0, -1.0]))
    fitted = RECIPES["logistic"].fit({"C": 1.0}, rows, EFFORT)
    twice = effects(fitted, replace(rows, weights=np.full(200, 2.0)))
    assert twice[0].effect.estimate == pytest.approx(effects(fitted, rows)[0].effect.estimate, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "k", "message"),
    [
        ("forest", 2, "those of a linear model of a number or of two answers"),
        ("logistic", 3, "those of a linear model of a number or of two answers"),
    ],
)
def test_other_models_are_refused(name, k, message, make_rows, effort):
    rows = make_rows(k)
    with pytest.raises(ModelError, match=message):
        effects(RECIPES[name].fit(RECIPES[name].portfolio[0], rows, effort), rows)


def test_too_few_rows_and_rows_of_one_class_are_refused(make_rows, effort):
    rows = make_rows(2)
    fitted = RECIPES["logistic"].fit({"C": 1.0}, rows, effort)
    with pytest.raises(ModelError, match="5 rows are too few for the effects of"):
        effects(fitted, replace(rows, X=rows.X[:5], y=rows.y[:5]))
    with pytest.raises(ModelError, match="all of one class"):
        effects(fitted, replace(rows, y=np.zeros(400, dtype=np.int64)))


def test_of_columns_that_a_step_has_kept_effects_are_told_by_their_own_places():
    weights = np.zeros(30)
    weights[[0, 11]] = 1.0, -1.0
    rows = drawn(np.random.default_rng(0), 800, weights)
    kept_only = RECIPES["lasso"].fit({"strength": 0.01, "steps": "stable"}, rows, EFFORT)
    assert kept_only.steps
    found = {one.feature: one for one in effects(kept_only, rows)}
    assert found[0].effect.lower > 1
    assert found[11].effect.upper < 1


def test_beside_a_curve_an_effect_is_adjusted_for_it_and_beside_a_straight_line_it_is_not():
    """A flag that goes with both ends of a number, and a number whose ends pay: the flag itself does nothing."""
    rng = np.random.default_rng(1)
    number = rng.normal(size=4000)
    flag = rng.random(4000) < np.where(np.abs(number) > 1, 0.9, 0.1)
    X = np.column_stack([number, flag]).astype(np.float32)
    y = 3 * np.abs(number) + rng.normal(size=4000)
    rows = Rows("regression", 0, X, y, ["number", "flag"])
    curved, straight = (
        RECIPES["ridge"].fit({"alpha": 1.0, "steps": name}, rows, EFFORT) for name in ("curves", "plain")
    )
    flags = [next(one for one in effects(fitted, rows) if one.feature == 1) for fitted in (curved, straight)]
    assert flags[0].effect.lower < 0.05
    assert flags[1].effect.lower > 1
    assert [one.state for one in effects(curved, rows) if one.feature == 0] == ["curve"]


def test_of_products_it_is_said_that_they_are_no_single_figures():
    rows = drawn(np.random.default_rng(0), 800, np.array([1.0, -1.0, 0.0]))
    crossed = replace(rows, y=(rows.X[:, 0] * rows.X[:, 1] > 0).astype(np.int64))
    with pytest.raises(ModelError, match=r"multiplied[\s\S]*lasso"):
        effects(RECIPES["logistic"].fit({"C": 1.0, "steps": "curves+crosses"}, crossed, EFFORT), crossed)
