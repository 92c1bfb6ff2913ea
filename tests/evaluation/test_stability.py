"""Folds are told apart no more often than promised, and churn is counted."""

import msgspec
import numpy as np
import pytest
from scipy import stats

from evidence.promises import kept
from understudy.evaluation.stability import Stability, churn, fold_spread


def test_folds_alike_are_rarely_told_apart() -> None:
    rng = np.random.default_rng(0)
    folds = np.arange(1000) % 5
    broken = [fold_spread((rng.random(1000) < 0.2) * 1.0, folds).p <= 0.05 for _ in range(1500)]
    assert kept(np.array(broken), 0.05)


def households(rng: np.random.Generator, *, known: bool) -> bool:
    home = np.repeat(np.arange(150), 6)
    wrong = (rng.random(150) < 0.2)[home] * 1.0
    return fold_spread(wrong, home % 5, home if known else None).p <= 0.05


def test_rows_of_one_household_are_not_independent() -> None:
    rng = np.random.default_rng(0)
    assert kept(np.array([households(rng, known=True) for _ in range(500)]), 0.06)
    assert not kept(np.array([households(rng, known=False) for _ in range(100)]), 0.06)


def test_for_errors_it_is_the_test_of_homogeneity() -> None:
    rng = np.random.default_rng(1)
    folds = rng.integers(0, 4, 800)
    wrong = rng.random(800) < 0.1 + 0.1 * (folds == 2)
    counts = [[wrong[folds == fold].sum(), (~wrong)[folds == fold].sum()] for fold in range(4)]
    expected = stats.chi2_contingency(counts, correction=False)
    found = fold_spread(wrong * 1.0, folds)
    assert found.q == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)
    assert [fold.loss.estimate for fold in found.folds] == pytest.approx([wrong[folds == f].mean() for f in range(4)])
    assert found.mean == pytest.approx(wrong.mean())


def test_a_fold_that_stands_out_is_told_with_what_lies_between() -> None:
    rng = np.random.default_rng(2)
    folds = np.arange(5000) % 5
    found = fold_spread((rng.random(5000) < np.array([0.1, 0.1, 0.1, 0.1, 0.3])[folds]) * 1.0, folds)
    assert found.p < 1e-6
    assert found.between == pytest.approx(np.std([0.1, 0.1, 0.1, 0.1, 0.3], ddof=1), abs=0.03)


def test_nothing_is_told_of_one_fold_or_none_and_of_equal_losses() -> None:
    assert fold_spread(np.ones(10), np.zeros(10, dtype=int)) is None
    assert fold_spread(np.full(10, np.nan), np.arange(10) % 2) is None
    same = fold_spread(np.ones(10), np.arange(10) % 2)
    assert (same.q, same.p, same.between) == (0.0, 1.0, 0.0)


def test_churn_counts_what_another_seed_changes() -> None:
    y = np.zeros(200, dtype=int)

    def refit(seed: int) -> np.ndarray:
        said = np.arange(200) < 10 * seed
        return np.column_stack([~said, said]).astype(float)

    found = churn(refit, y, seeds=(1, 3))
    assert found.changed.estimate == 20 / 200
    assert found.errors == (10 / 200, 30 / 200)
    numbers = churn(lambda seed: np.full((200, 1), float(seed)), y * 1.0, seeds=(0, 3), tolerance=2.0)
    assert (numbers.changed.estimate, numbers.errors) == (1.0, (0.0, 1.0))
    with pytest.raises(ValueError, match="two different seeds"):
        churn(refit, y, seeds=(1, 1))


def test_it_is_stored_and_read_again() -> None:
    found = Stability(spread=fold_spread(np.arange(20) % 3 * 1.0, np.arange(20) % 2))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Stability) == found
