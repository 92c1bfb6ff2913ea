"""Products of two columns, for sums of weighted features: that one matters differently by the other."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.stats import norm
from sklearn.linear_model import Ridge

from understudy.models.nodes import Graph
from understudy.models.rows import Effort, Rows, sampled
from understudy.models.steps.step import (
    Made,
    Name,
    add_columns,
    add_wide,
    after,
    known_signs,
    places,
    wide,
)

MOST_CROSSES = 40
MOST_CANDIDATES = 120
MOST_CLASSES = 5
"""With more classes crosses are looked for in the most frequent ones."""
MOST_JUDGED_ROWS = 20_000
FARTHEST = 4.0
"""A factor counts at most so many standard deviations from its mean."""
CHANCE = 0.05
"""How likely it is to take any cross where none is real, in all."""


class Crosses(msgspec.Struct, frozen=True, tag="crosses"):
    """All columns, and products of some pairs of them.

    The factor of a column is min(max(x, low), high) − center: products of far values stay in bounds.

    Attributes
    ----------
    first, second : tuple of int, length r
    low, high, center : ndarray of float64, shape (2, r)
        For the first and for the second factor.
    rate : ndarray of float64, shape (r,)
        What a product is multiplied with, so that it varies about as a number in standard units.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    rate: np.ndarray

    def apply(self, X: np.ndarray) -> np.ndarray:
        """All columns, and the products, as float64."""
        values = wide(X)
        one, other = (
            np.minimum(np.maximum(values[:, list(columns)], self.low[side]), self.high[side]) - self.center[side]
            for side, columns in enumerate((self.first, self.second))
        )
        return np.hstack([values, one * other * self.rate])

    def add(self, graph: Graph, source: str) -> str:
        """The same, node by node in float64."""
        values, name = add_wide(graph, source), f"{source}_crosses"
        sides = []
        for side, columns in enumerate((self.first, self.second)):
            own = f"{name}_{side}"
            low, high, center = (
                graph.constant(f"{own}_{part}", getattr(self, part)[side], np.float64)
                for part in ("low", "high", "center")
            )
            raised = graph.add("Max", [add_columns(graph, values, columns, f"{own}_of"), low], f"{own}_raised")
            sides.append(graph.add("Sub", [graph.add("Min", [raised, high], f"{own}_cut"), center], own))
        product = graph.add("Mul", sides, f"{name}_product")
        made = graph.add("Mul", [product, graph.constant(f"{name}_rate", self.rate, np.float64)], f"{name}_made")
        return graph.add("Concat", [values, made], name, axis=1)

    def names(self, names: Sequence[Name]) -> tuple[Name, ...]:
        """Each product by its factors."""
        pairs = zip(self.first, self.second, strict=True)
        return (*names, *(Name(f"{names[one].text} × {names[other].text}") for one, other in pairs))


def fit_crosses(rows: Rows, effort: Effort) -> Made:
    """The pairs whose product goes with what a sum of the columns leaves unexplained.

    A pair is taken if its score test, with a variance that holds for unequal errors, is beyond what chance would make
    of all pairs together (Bonferroni). Columns with a known direction are left alone: a product would break it.
    """
    part, _ = sampled(rows, MOST_JUDGED_ROWS, effort.seed)
    signs = known_signs(rows)
    able = [place for place in places(rows, "number", "flag", "level") if not signs[place]]
    some = wide(part.X[:, able])
    spread = some.std(axis=0)
    chosen = np.sort(np.argsort(-spread, kind="stable")[:MOST_CANDIDATES])
    chosen = chosen[spread[chosen] > 0]
    if len(chosen) < 2:
        return Made(rows)
    able, some, spread = [able[place] for place in chosen], some[:, chosen], spread[chosen]
    middle = some.mean(axis=0)
    least, most = (
        np.maximum(some.min(axis=0), middle - FARTHEST * spread),
        np.minimum(some.max(axis=0), middle + FARTHEST * spread),
    )
    factors = (np.clip(some, least, most) - middle) / spread
    one, other = strongest(factors, residuals(part))
    if not len(one):
        return Made(rows)
    pairs = np.stack([one, other])
    step = Crosses(
        tuple(able[place] for place in one),
        tuple(able[place] for place in other),
        least[pairs],
        most[pairs],
        middle[pairs],
        1 / (spread[one] * spread[other]),
    )
    crossed = after(step, rows, [*rows.views, *["cross"] * len(one)], signs=np.pad(signs, (0, len(one))))
    return Made(crossed, (step,))


def residuals(rows: Rows) -> np.ndarray:
    """What a ridge regression on the columns leaves of each target, of shape (n, k)."""
    if rows.kind == "regression":
        targets = rows.y[:, None]
    else:
        frequent = np.argsort(-np.bincount(rows.y, minlength=rows.n_classes), kind="stable")[:MOST_CLASSES]
        targets = (rows.y[:, None] == (frequent[:1] if rows.n_classes == 2 else frequent)).astype(np.float64)
    explained = Ridge(1.0).fit(wide(rows.X), targets, rows.weights).predict(wide(rows.X))
    left = np.asarray(targets - explained.reshape(targets.shape))
    return left if rows.weights is None else left * (rows.weights / rows.weights.mean())[:, None]


def strongest(factors: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that pass the test, the strongest first."""
    one, other = np.triu_indices(factors.shape[1], 1)
    tests = np.zeros(len(one))
    squares = factors**2
    for error in left.T:
        sums = (factors * error[:, None]).T @ factors
        variances = (squares * (error**2)[:, None]).T @ squares
        score = np.abs(sums) / np.sqrt(np.where(variances > 0, variances, np.inf))
        tests = np.maximum(tests, score[one, other])
    order = np.argsort(-tests, kind="stable")[:MOST_CROSSES]
    order = order[tests[order] > norm.isf(CHANCE / (2 * len(one) * left.shape[1]))]
    return one[order], other[order]
