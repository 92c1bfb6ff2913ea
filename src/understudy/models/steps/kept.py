"""Some columns and no others: those that are chosen again and again, or those that a later step can use."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from sklearn.linear_model import lars_path_gram

from understudy.models.nodes import Graph
from understudy.models.rows import Effort, Rows, target_columns
from understudy.models.steps.step import Made, Name, add_columns, after, known_signs, wide

PAIRS = 25
MOST_HALF = 1000
"""How many rows a half has at most."""
MOST_SCREENED = 200
CHOSEN = 0.6
"""A column is kept that is chosen in more of the halves than this."""
FALSE_SHARE = 0.05
"""How many of all columns may be kept that say nothing, on average, at most."""


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """Some columns, in their order.

    Attributes
    ----------
    columns : tuple of int
    """

    columns: tuple[int, ...]

    def apply(self, X: np.ndarray) -> np.ndarray:
        """These columns."""
        return X[:, list(self.columns)]

    def add(self, graph: Graph, source: str) -> str:
        """The same as a node."""
        return add_columns(graph, source, self.columns, f"{source}_kept")

    def names(self, names: Sequence[Name]) -> tuple[Name, ...]:
        """Their names."""
        return tuple(names[place] for place in self.columns)


def keep(rows: Rows, columns: Sequence[int], note: str = "") -> Made:
    """The rows with some columns only."""
    step = Kept(tuple(columns))
    signs = known_signs(rows)[list(columns)]
    return Made(after(step, rows, [rows.views[place] for place in columns], signs=signs), (step,), note)


def fit_stable(rows: Rows, effort: Effort) -> Made:
    """Stability selection (Meinshausen & Bühlmann 2010) with complementary halves (Shah & Samworth 2013).

    From each of 50 halves of the rows the q columns are chosen that enter the path of the lasso first. Columns that
    were chosen in more than 60 % of the halves are kept. The number of useless ones among them is at most q²/(0.2·d) on
    average, if useless columns are chosen no more often than by chance, and q is such that this is a twentieth of all
    d. Where that keeps none, all are.
    """
    d = len(rows.views)
    q = max(1, int(d * np.sqrt(0.2 * FALSE_SHARE)))
    chosen = np.zeros(d)
    rng = np.random.default_rng(effort.seed)
    for _ in range(PAIRS):
        order = rng.permutation(len(rows.y))
        half = min(len(order) // 2, MOST_HALF)
        for some in (order[:half], order[half : 2 * half]):
            chosen[entering(rows, np.sort(some), q)] += 1
    stable = np.flatnonzero(chosen > CHOSEN * 2 * PAIRS)
    if not len(stable) or len(stable) == d:
        return Made(rows)
    return keep(rows, stable.tolist(), f"{len(stable):,} of {d:,} columns are chosen again and again")


def entering(rows: Rows, some: np.ndarray, q: int) -> np.ndarray:
    """The q columns that come first into the lasso's path of a target (Efron et al. 2004), on some of the rows.

    For several classes each has its own path, and its share of the q.
    """
    X = wide(rows.X[some])
    X = X - X.mean(axis=0)
    lengths = np.sqrt((X**2).sum(axis=0))
    X = X / np.where(lengths > 0, lengths, 1.0)
    targets = target_columns(rows)[some]
    share = max(1, q // targets.shape[1])
    found: list[int] = []
    for y in (targets - targets.mean(axis=0)).T:
        likely = np.argsort(-np.abs(X.T @ y), kind="stable")[:MOST_SCREENED]
        part = X[:, likely]
        _, active, _ = lars_path_gram(part.T @ y, part.T @ part, n_samples=len(y), max_iter=share, method="lasso")
        found += likely[active].tolist()
    return np.unique(found[:q]).astype(np.int64)
