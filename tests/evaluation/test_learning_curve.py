"""The worth of more rows is bounded as promised, and nothing is said where nothing can be told."""

import msgspec
import numpy as np
import pytest
from scipy import optimize

from evidence.promises import kept
from understudy.evaluation import learning_curve
from understudy.evaluation.learning_curve import LearningCurve, drawn_rows, error_curve, fitted_curve, metric_curve

RUNS = 200
COLUMNS = 12
SIZES = [50, 100, 200, 400, 800]
DRAWN = [50, 50, 50, 100, 100, 100, 200, 200, 200, 400, 400, 800]


def judged(law, rng: np.random.Generator, tests: int = 1500, spread: float = 0.5) -> np.ndarray:
    """Losses of models whose expected error follows a law: they share most of the luck of the test rows."""
    shared = rng.random(tests)
    losses = []
    for n in DRAWN:
        expected = law(n)
        error = expected + rng.normal(0, spread * np.sqrt(expected * (1 - expected) / n))
        own = np.where(rng.random(tests) < 0.8, shared, rng.random(tests))
        losses.append(own < error)
    return np.array(losses, dtype=np.float64)


def missed(a: float, b: float, c: float, **options: float) -> np.ndarray:
    """In which runs the worth of doubling lies outside its bounds."""
    true = b * (800.0**-c - 1600.0**-c)
    out = []
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        found = error_curve(DRAWN, judged(lambda n: a + b * n**-c, rng, **options), now=800).doubling
        out.append(found is not None and not found.lower - 1e-9 <= true <= found.upper + 1e-9)
    return np.array(out)


@pytest.fixture(autouse=True, scope="module")
def no_band():
    """The band costs as much as all else, and these tests look at one of it only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning_curve, "BAND", 3)
        yield


@pytest.mark.parametrize(
    ("a", "b", "c"),
    [(0.1, 1.0, 0.5), (0.0, 0.6, 0.2), (0.25, 0.0, 0.5)],
)
def test_the_worth_of_doubling_lies_within_its_bounds_as_often_as_promised(a, b, c):
    assert kept(missed(a, b, c), 0.05)


def test_bounds_that_hold_the_floor_above_zero_break_the_promise(monkeypatch):
    """Where no floor is in sight."""

    class Floored(learning_curve.Law):
        def of_drop(self, n, drops):
            _, a, b = super().of_drop(n, drops)
            a = np.maximum(a, 0)
            off = self.values - a[..., None] - b[..., None] * self.falls[:, None, :]
            return np.einsum("pdi,ij,pdj->pd", off, self.inverse, off, optimize=True), a, b

    monkeypatch.setattr(learning_curve, "Law", Floored)
    monkeypatch.setattr(learning_curve, "POWERS", learning_curve.POWERS[::4])
    monkeypatch.setattr(learning_curve, "STEPS", 120)
    out = missed(0.0, 0.6, 0.2)
    assert out.mean() > 0.06  # one-sided, where a half of 5 % is promised


def test_bounds_that_forget_the_luck_of_the_training_rows_break_the_promise(monkeypatch):
    monkeypatch.setattr(learning_curve, "training_noise", lambda rows, values, spread: (0.0, 1000))
    monkeypatch.setattr(learning_curve, "MISFIT", 0.0)
    assert not kept(missed(0.1, 1.0, 0.5, spread=1.5), 0.05)


def test_bounds_at_a_lower_confidence_break_the_promise_of_a_higher_one(monkeypatch):
    real = learning_curve.fitted_curve
    monkeypatch.setattr(learning_curve, "fitted_curve", lambda *a, **k: real(*a, **{**k, "confidence": 0.4}))
    assert not kept(missed(0.1, 1.0, 0.5), 0.05)


def world(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, COLUMNS))
    y = X[:, :4].sum(axis=1) + np.abs(X[:, 5]) > 0.8
    return np.column_stack([np.ones(n), X]), np.where(rng.random(n) < 0.1, ~y, y)


def least_squares(X: np.ndarray, y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    return Z @ np.linalg.solve(X.T @ X + 1e-3 * np.eye(X.shape[1]), X.T @ (2.0 * y - 1)) > 0


def true_error(n: int, runs: int = 500) -> float:
    errors = []
    for seed in range(runs):
        rng = np.random.default_rng(10_000 + seed)
        (X, y), (Z, t) = world(rng, n), world(rng, 2000)
        errors.append(np.mean(least_squares(X, y, Z) != t))
    return float(np.mean(errors))


def test_of_a_real_model_it_lies_within_its_bounds_as_often_as_promised():
    """The rows are drawn from a finite table; the truth comes from hundreds of others."""
    true, out = true_error(400) - true_error(800), []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        (X, y), (Z, t) = world(rng, 400), world(rng, 800)
        draws = drawn_rows(400, [25, 50, 100, 200, 400], 3, seed)
        losses = np.array([least_squares(X[rows], y[rows], Z) != t for rows in draws], dtype=float)
        found = error_curve([len(rows) for rows in draws], losses, now=400).doubling
        out.append(found is None or not found.lower <= true <= found.upper)
    assert kept(np.array(out), 0.05)


def test_rows_of_one_group_do_not_count_as_many():
    """Test rows that come four by four say as much as a quarter of them."""
    losses = judged(lambda n: 0.1 + n**-0.5, np.random.default_rng(0), tests=500)
    once = error_curve(DRAWN, losses, now=800)
    again = error_curve(DRAWN, np.repeat(losses, 4, axis=1), now=800, groups=np.repeat(np.arange(500), 4))
    assert again.doubling.lower == pytest.approx(once.doubling.lower, abs=1e-9)
    assert again.doubling.n == once.doubling.n == 500


def test_the_law_is_that_of_a_plain_weighted_least_squares_fit():
    rows = np.array(DRAWN)
    rng = np.random.default_rng(1)
    values = 0.08 + 1.5 * rows**-0.6 + rng.normal(0, 0.002, len(rows))
    spread = np.diag(np.full(len(rows), 1e-6))
    found = fitted_curve(rows, values, spread, metric="error", title="Error", now=800, n=900, confidence=0.95)
    noise = np.sqrt(np.diag(spread) + learning_curve.training_noise(rows, values, spread)[0] / rows)
    (a, b, c), _ = optimize.curve_fit(
        lambda n, a, b, c: a + b * n**-c,
        rows.astype(float),
        values,
        (0.1, 1, 0.5),
        sigma=noise,
        bounds=([-9, 0, 0], [1, 9, 1.5]),
    )
    assert found.power == pytest.approx(c, abs=0.03)
    assert found.doubling.estimate == pytest.approx(b * (800**-c - 1600**-c), rel=0.03)
    assert found.floor == pytest.approx(a, abs=0.01)


def test_the_bounds_are_those_of_a_search_over_all_laws():
    """An independent route: the least misfit at each worth of doubling, by a general optimiser."""
    losses = judged(lambda n: 0.1 + n**-0.5, np.random.default_rng(3))
    rows, values = np.array(DRAWN), losses.mean(axis=1)
    spread = np.cov(losses) / losses.shape[1]
    found = error_curve(DRAWN, losses, now=800)
    noise, freedom = learning_curve.training_noise(rows, values, spread)
    inverse = np.linalg.inv(spread + np.diag(noise / rows))

    def misfit(drop):
        def of(theta):
            a, c = theta
            off = values - a - drop / (800**-c - 1600**-c) * rows**-c
            return off @ inverse @ off

        starts = [(-0.2, 0.1), (0.0, 0.2), (0.05, 0.5), (0.1, 1.0)]
        return min(optimize.minimize(of, s, bounds=[(-9, 1), (0.02, 1.5)]).fun for s in starts)

    least = misfit(found.doubling.estimate)
    limit = learning_curve.stats.f.ppf(0.95, 1, freedom)
    for bound in (found.doubling.lower, found.doubling.upper):
        assert misfit(bound) - least == pytest.approx(limit, rel=0.1)


def test_the_points_are_the_mean_errors():
    losses = judged(lambda n: 0.2, np.random.default_rng(0))
    found = error_curve(DRAWN, losses, now=800)
    assert [one.rows for one in found.points] == SIZES
    assert found.points[0].value == pytest.approx(losses[:3].mean())
    assert [one.draws for one in found.points] == [3, 3, 3, 2, 1]
    assert all(one.lower < one.value < one.upper for one in found.points)
    assert all(one.lower <= one.value <= one.upper for one in found.band)
    assert found.band[0].rows == 50
    assert found.band[-1].rows == 1600


def test_a_metric_of_which_more_is_better_is_turned_round():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    scores = []
    for n in DRAWN:
        p = 1 / (1 + np.exp(-((2 * y - 1) * (2 - 12 * n**-0.5) + rng.normal(0, 2, 600))))
        scores.append(np.column_stack([1 - p, p]))
    found = metric_curve("roc_auc", DRAWN, y, scores, now=800)
    assert found.doubling is not None
    assert found.points[0].value > found.points[-1].value
    assert "distance of ROC AUC from 1" in found.words


@pytest.mark.parametrize(
    ("rows", "now", "reason"),
    [
        ([50, 50, 100, 100], 800, "too few"),
        ([50, 100, 200, 400, 800, 1600], 1600, "too few"),  # nothing tells how draws differ
        (DRAWN, 100_000, "learns from 100,000"),
    ],
)
def test_where_it_cannot_be_told_it_says_why(rows, now, reason):
    rng = np.random.default_rng(0)
    found = error_curve(rows, (rng.random((len(rows), 400)) < 0.2).astype(float), now=now)
    assert found.doubling is None
    assert reason in found.reason
    assert found.words.startswith("What more rows would be worth cannot be told")


def test_errors_that_follow_no_power_law_are_not_continued():
    """A model that gets worse with more rows."""
    rng = np.random.default_rng(0)
    found = error_curve(DRAWN, (rng.random((12, 4000)) < np.array(DRAWN)[:, None] / 1600).astype(float), now=800)
    assert found.doubling is None
    assert "power law" in found.reason
    assert len(found.points) == 5


def test_a_model_that_is_never_wrong_gains_nothing():
    found = error_curve(DRAWN, np.zeros((12, 300)), now=800)
    assert found.doubling.estimate == found.doubling.lower == 0
    assert np.isfinite(found.doubling.upper)


def test_draws_of_one_size_have_no_row_in_common():
    draws = drawn_rows(100, SIZES[:2], 5, seed=0)
    first = np.concatenate(draws[:2])
    assert [len(rows) for rows in draws] == [50, 50, 100]
    assert len(np.unique(first)) == 100
    assert [a.tolist() for a in draws] == [a.tolist() for a in drawn_rows(100, SIZES[:2], 5, seed=0)]


def test_draws_keep_groups_together():
    groups = np.repeat(np.arange(50), 4)
    rows = drawn_rows(200, [100], 1, seed=0, groups=groups)[0]
    assert len(np.unique(groups[rows])) == 25


def test_bad_losses_are_refused():
    with pytest.raises(ValueError, match="without NaN"):
        error_curve([10, 20], np.array([[0.0, np.nan], [0.0, 1.0]]), now=20)


def test_it_survives_being_stored():
    found = error_curve(DRAWN, judged(lambda n: 0.1 + n**-0.5, np.random.default_rng(0)), now=800)
    assert msgspec.json.decode(msgspec.json.encode(found), type=LearningCurve) == found


def test_one_fit_is_a_point_and_no_curve() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 300)
    positive = np.clip(0.3 + 0.4 * y + rng.normal(0, 0.2, 300), 0, 1)
    found = metric_curve("roc_auc", [200], y, [np.column_stack([1 - positive, positive])], now=400)
    assert [point.rows for point in found.points] == [200]
    assert found.doubling is None
    assert "1 fits at 1 sizes are too few" in found.reason
