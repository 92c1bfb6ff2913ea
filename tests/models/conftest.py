"""Small invented tables, as the encoding would hand them over."""

from collections.abc import Callable

import numpy as np
import pytest

from understudy.models.recipes import Effort, Rows

VIEWS = ("number", "number", "number", "flag", "code", "level", "level", "word")
N_CODES = 12


def matrix(n: int, rng: np.random.Generator) -> np.ndarray:
    """An encoded matrix with a feature of every view; code 0 (an unseen level) does not occur."""
    codes = rng.integers(1, N_CODES, n)
    columns = [
        *rng.normal(size=(3, n)),
        rng.integers(0, 2, n),
        codes,
        codes == 2,
        codes == 3,
        np.abs(rng.normal(size=n)) * (rng.random(n) < 0.2),
    ]
    return np.column_stack(columns).astype(np.float32)


def signal(X: np.ndarray) -> np.ndarray:
    """What the target follows: numbers, a flag, codes and a word."""
    effects = np.random.default_rng(99).normal(size=N_CODES)
    return X[:, 0] - np.abs(X[:, 1]) + X[:, 3] + effects[X[:, 4].astype(int)] + 2.0 * X[:, 7]


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., Rows]:
    """Rows with a signal: `k` classes, or numbers where `k` is 0."""

    def make(k: int, n: int = 400, seed: int = 0) -> Rows:
        rng = np.random.default_rng(seed)
        X = matrix(n, rng)
        noisy = signal(X) + 0.5 * rng.normal(size=n)
        if k == 0:
            return Rows("regression", 0, X, 5.0 + 3.0 * noisy, VIEWS)
        cuts = np.quantile(noisy, np.linspace(0, 1, k + 1)[1:-1])
        return Rows("classification", k, X, np.digitize(noisy, cuts).astype(np.int64), VIEWS)

    return make


@pytest.fixture(scope="session")
def effort() -> Effort:
    return Effort(seed=7, threads=1)
