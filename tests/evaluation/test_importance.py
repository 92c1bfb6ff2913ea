"""What each column is worth to a model: against hand-made worlds, scikit-learn, and thousands of worlds of noise."""

from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance

from understudy.evaluation.importance import Importances, importances, influence, interval_of

Predict = Callable[[pl.DataFrame], np.ndarray]


def linear(*weights: float) -> Predict:
    return lambda frame: (frame.to_numpy() @ np.array(weights))[:, None]


def world(n: int = 3000, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    y = 2 * X[:, 0] + X[:, 1] + rng.normal(size=n)
    return pl.DataFrame(X, schema=["strong", "weak", "noise", "unused"], orient="row"), y


def measured(frame: pl.DataFrame, y: np.ndarray, predict: Predict, **more: object) -> Importances:
    settings: dict[str, object] = {"kind": "regression", "goal": "rmse", "tolerance": 1.0} | more
    return importances(predict, frame, y, **settings)  # type: ignore[arg-type]


def test_what_matters_is_found_in_its_order_and_what_is_unused_loses_exactly_nothing() -> None:
    frame, y = world()
    found = measured(frame, y, linear(2, 1, 0.05, 0))
    assert [one.columns[0] for one in found.columns[:2]] == ["strong", "weak"]
    assert all(one.shown for one in found.columns[:2])
    unused = next(one for one in found.columns if one.columns == ("unused",))
    assert (unused.metric.estimate, unused.metric.lower, unused.metric.upper) == (0, 0, 0)
    assert not unused.shown
    # Var after − Var before of the residual is twice the variance of the dealt-out part.
    assert found.columns[0].metric.estimate == pytest.approx(np.sqrt(1 + 2 * 4) - 1, rel=0.06)
    assert found.whole.estimate == pytest.approx(np.sqrt(1 + 2 * 5) - 1, rel=0.06)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Importances) == found


class Weighted(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X: np.ndarray, y: np.ndarray) -> "Weighted":
        self.fitted_ = True
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(X @ np.array([2, 1, 0.3, 0]))


def test_it_agrees_with_scikit_learn() -> None:
    frame, y = world()
    found = measured(frame, y, linear(2, 1, 0.3, 0))
    other = permutation_importance(
        Weighted().fit(frame.to_numpy(), y),
        frame.to_numpy(),
        y,
        scoring="neg_root_mean_squared_error",
        n_repeats=20,
        random_state=0,
    )
    own = {one.columns[0]: one.metric for one in found.columns}
    for name, mean in zip(frame.columns, other["importances_mean"], strict=True):
        assert own[name].lower - 1e-9 <= mean <= own[name].upper + 1e-9
        assert own[name].estimate == pytest.approx(mean, abs=0.04)


def test_a_goal_that_is_not_defined_gives_way() -> None:
    frame, _ = world(200)
    one_class = np.zeros(200, dtype=np.int64)

    def undecided(rows: pl.DataFrame) -> np.ndarray:
        return np.full((rows.height, 2), 0.5)

    found = importances(undecided, frame, one_class, kind="classification", goal="roc_auc")
    assert found.metric == "log_loss"
    assert not any(one.shown for one in found.columns)


def test_columns_that_stand_for_each_other_are_dealt_out_together_too() -> None:
    frame, y = world()
    twins = frame.with_columns((pl.col("strong") * 1.0001).alias("twin"))
    found = measured(twins, y, linear(1, 1, 0, 0, 1))
    (pair,) = found.together
    assert set(pair.columns) == {"strong", "twin"}
    assert pair.association > 0.99
    alone = {one.columns[0]: one.metric.estimate for one in found.columns}
    assert pair.metric.estimate > 1.5 * alone["strong"]


def trial(seed: int, n: int = 300, d: int = 8, copies: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals after dealing out d columns of noise that the model wrongly uses: their true importance is 0."""
    rng = np.random.default_rng(seed)
    X, y = np.repeat(rng.normal(size=(n, d)), copies, axis=0), np.repeat(rng.normal(size=n), copies)
    return X, y, np.repeat(np.arange(n), copies)


def false_alarms(copies: int, *, told: bool) -> int:
    """In how many of 300 worlds of noise any column is said to matter; with copies of rows, which may not be told."""
    alarms = 0
    for seed in range(300):
        X, y, groups = trial(seed, n=300 // copies, copies=copies)
        rng = np.random.default_rng(seed)
        orders = np.array([rng.permutation(len(y)) for _ in range(3)])
        for column in X.T:
            before = (y - 0.3 * column) ** 2
            after = np.array([(y - 0.3 * column[order]) ** 2 for order in orders])
            worse = after.mean(axis=1) - before.mean()
            pulls = after - after.mean(axis=1, keepdims=True) - (before - before.mean())
            bound = interval_of(worse, influence(pulls, orders), groups if told else None, 0.05 / 8)
            if bound.lower > 0:
                alarms += 1
                break
    return alarms


def test_noise_is_said_to_matter_in_at_most_one_of_twenty_worlds() -> None:
    assert false_alarms(1, told=True) <= stats.binom.ppf(0.999, 300, 0.05)
    assert false_alarms(3, told=True) <= stats.binom.ppf(0.999, 300, 0.05)


def test_without_the_groups_of_dependent_rows_it_would_be_said_more_often() -> None:
    assert false_alarms(3, told=False) > stats.binom.ppf(0.999, 300, 0.05)


def test_the_bounds_hold_the_true_importance() -> None:
    held = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=200)
        y = x + rng.normal(size=200)
        orders = np.array([rng.permutation(200) for _ in range(3)])
        before, after = (y - x) ** 2, np.array([(y - x[order]) ** 2 for order in orders])
        pulls = after - after.mean(axis=1, keepdims=True) - (before - before.mean())
        bound = interval_of(after.mean(axis=1) - before.mean(), influence(pulls, orders), None, 0.05)
        held += bound.lower <= 2.0 <= bound.upper
    assert held >= stats.binom.ppf(0.001, 300, 0.93)


def test_forgetting_the_lent_values_would_make_the_bounds_too_narrow() -> None:
    held = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = 3 * rng.standard_t(5, 200)
        y = x + rng.normal(size=200)
        orders = np.array([rng.permutation(200) for _ in range(10)])
        before, after = (y - x) ** 2, np.array([(y - x[order]) ** 2 for order in orders])
        pulls = (after - after.mean(axis=1, keepdims=True) - (before - before.mean())).mean(axis=0)
        bound = interval_of(after.mean(axis=1) - before.mean(), pulls, None, 0.05)
        held += bound.lower <= 2 * 9 * 5 / 3 <= bound.upper
    assert held < stats.binom.ppf(0.001, 300, 0.93)
