"""Honest doubt is never called a wrong label, and wrong labels are."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, special

from evidence.promises import kept
from understudy.evaluation.label_chance import (
    Chance,
    Contradictions,
    Profile,
    beyond_doubt,
    contradicted,
    contradictions,
    profile_of,
    surest,
)

RUNS = 100
World = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def drawn(rng: np.random.Generator, p: np.ndarray) -> np.ndarray:
    """Labels from probabilities."""
    return np.minimum((p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1), p.shape[1] - 1)


def two(p: np.ndarray) -> np.ndarray:
    return np.stack([1 - p, p], axis=1)


def sharp(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    p = two(rng.beta(0.3, 0.6, n))
    return drawn(rng, p), p


def ambiguous(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    p = two(rng.beta(4, 4, n))
    return drawn(rng, p), p


def many(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    p = rng.dirichlet([0.3, 0.5, 0.2, 0.4], n)
    return drawn(rng, p), p


def overconfident(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The model says four times the log odds that hold."""
    p = rng.beta(0.8, 0.8, n)
    return drawn(rng, two(p)), two(special.expit(4 * special.logit(np.clip(p, 1e-9, 1 - 1e-9))))


def exchanged(y: np.ndarray, share: float, k: int, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(y)) < share, (y + rng.integers(1, k, len(y))) % k, y)


def false_alarms(world: World, n: int = 1200, runs: int = RUNS) -> np.ndarray:
    found = [beyond_doubt(contradictions(*world(np.random.default_rng(seed), n))) for seed in range(runs)]
    return np.array([one.wrong.lower > 0 for one in found])


@pytest.mark.parametrize("world", [sharp, ambiguous, many, overconfident])
def test_labels_drawn_from_the_probabilities_are_no_wrong_labels(world: World) -> None:
    assert kept(false_alarms(world), 0.05)


def test_without_tempering_an_overconfident_model_would_raise_false_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Profile, "fitted", as_said)
    assert not kept(false_alarms(overconfident, runs=40), 0.05)


def as_said(self: Profile, rho: float) -> tuple[float, np.ndarray]:
    """The likelihood of what the model says, not tempered."""
    shape = np.zeros(self.classes + 1)
    return -self.scored(shape, rho)[0], shape


@pytest.mark.parametrize(("world", "k", "share"), [(sharp, 2, 0.05), (many, 4, 0.05), (sharp, 2, 0.2)])
def test_the_bounds_hold_the_share_of_exchanged_labels(world: World, k: int, share: float) -> None:
    missed, seen = [], []
    for seed in range(RUNS // 2):
        rng = np.random.default_rng(seed)
        y, p = world(rng, 2000)
        wrong = beyond_doubt(contradictions(exchanged(y, share, k, rng), p)).wrong
        missed.append(not wrong.lower <= share <= wrong.upper)
        seen.append(wrong.lower > 0)
    assert kept(np.array(missed), 0.05)
    assert np.mean(seen) > 0.5


def test_a_model_that_has_learned_the_wrong_labels_is_still_covered_by_the_surest_rows() -> None:
    missed = []
    for seed in range(RUNS // 2):
        rng = np.random.default_rng(seed)
        y, p = sharp(rng, 2000)
        learned = 0.05 + 0.9 * p  # what the labels are drawn from, once 5 % are exchanged
        wrong = beyond_doubt(contradictions(exchanged(y, 0.05, 2, rng), learned)).wrong
        missed.append(not wrong.lower <= 0.05 <= wrong.upper)
    assert kept(np.array(missed), 0.05)


def test_the_bounds_hold_for_dependent_rows_and_would_not_without_their_groups() -> None:
    def missed(known: bool) -> np.ndarray:
        out = []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            y, p = sharp(rng, 600)
            y, p = np.repeat(exchanged(y, 0.05, 2, rng), 12), np.repeat(p, 12, axis=0)
            groups = np.repeat(np.arange(600), 12) if known else None
            wrong = beyond_doubt(contradictions(y, p, groups)).wrong
            out.append(not wrong.lower <= 0.05 <= wrong.upper)
        return np.array(out)

    assert kept(missed(True), 0.05)
    assert not kept(missed(False), 0.05)


def test_the_likelihood_is_that_of_the_rows_one_by_one() -> None:
    rng = np.random.default_rng(3)
    y, p = sharp(rng, 800)
    y = exchanged(y, 0.1, 2, rng)
    rows = contradictions(y, p)

    def minus(shape: np.ndarray, rho: float) -> float:
        total = 0.0005 * float(shape @ shape)
        for odds, likeliest, off in zip(rows.odds, rows.likeliest, rows.off, strict=True):
            sure = 1 / (1 + np.exp(-(np.exp(shape[0]) * odds + shape[1 + likeliest])))
            total -= np.log((1 - sure) * (1 - rho) + rho * sure if off else sure * (1 - rho) + (1 - sure) * rho)
        return total

    profile = profile_of(rows)
    for rho in (0.0, 0.1):
        slow = optimize.minimize(minus, np.zeros(3), args=(rho,), method="Nelder-Mead", options={"maxiter": 90})
        assert profile.fitted(rho)[0] == pytest.approx(-slow.fun, abs=0.5)


def test_the_fit_is_where_the_slope_is_nought() -> None:
    y, p = many(np.random.default_rng(0), 500)
    profile = profile_of(contradictions(y, p))
    for rho in (0.0, 0.07, 0.3):
        _, shape = profile.fitted(rho)
        slope = optimize.approx_fprime(shape, lambda shape, rho=rho: profile.scored(shape, rho)[0], 1e-6)
        np.testing.assert_allclose(slope, 0, atol=0.02)


def test_the_chance_that_a_label_is_wrong_is_what_happens() -> None:
    rng = np.random.default_rng(5)
    honest, p = sharp(rng, 20_000)
    y = exchanged(honest, 0.08, 2, rng)
    rows = contradictions(y, p)
    found: Chance = beyond_doubt(rows)
    chance = found.wrong_chance(rows, found.wrong.estimate)
    assert (chance[~rows.off] == 0).all()
    for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 1.0)):
        some = (chance > low) & (chance <= high)
        assert np.mean((y != honest)[some]) == pytest.approx(chance[some].mean(), abs=0.06)


def test_contradictions_come_from_doubt_and_from_exchange() -> None:
    assert contradicted(np.array([0.9]), 0.0, 2)[0] == pytest.approx(0.1)
    assert contradicted(np.array([0.9]), 0.2, 2)[0] == pytest.approx(0.1 * 0.8 + 0.9 * 0.2)
    assert contradicted(np.array([1.0]), 0.2, 5)[0] == pytest.approx(0.2)


def test_the_surest_rows_are_counted_by_class() -> None:
    odds = np.concatenate([np.arange(1000) / 100, np.arange(1000) / 1000])
    likeliest, off = np.repeat([0, 1], 1000), np.zeros(2000, dtype=bool)
    off[[950, 1999]] = True
    found = surest(Contradictions(odds=odds, likeliest=likeliest, off=off, classes=2))
    assert (found.estimate, found.n) == (0.01, 200)


def test_certain_and_impossible_probabilities_are_taken() -> None:
    y = np.array([0] * 60 + [1] * 60)
    p = two(np.array([0.0] * 59 + [1.0] + [1.0] * 60))
    wrong = beyond_doubt(contradictions(y, p)).wrong
    assert np.isfinite([wrong.estimate, wrong.lower, wrong.upper]).all()


def test_one_row_says_nothing() -> None:
    wrong = beyond_doubt(contradictions(np.array([0]), np.array([[0.7, 0.3]]))).wrong
    assert wrong.lower == 0
    assert wrong.upper > 0.4
