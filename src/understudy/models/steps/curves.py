"""Curves for sums of weighted features: each number becomes its trend, and a ramp between each two of its knots."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from understudy.models.nodes import Graph
from understudy.models.rows import Effort, Rows, sampled
from understudy.models.steps.step import (
    Made,
    Name,
    add_beside,
    add_columns,
    add_wide,
    after,
    beside,
    known_signs,
    others,
    places,
    wide,
)

ROWS_A_KNOT = 100
FEWEST_KNOTS, MOST_KNOTS = 5, 40
MOST_RAMPS = 400
BY_ROWS = 0.6
"""The share of the knots that stand at quantiles of the rows; the others stand at quantiles of the distinct values."""
HEIGHT = 0.5
"""What a ramp rises by: a bend counts half as much as a trend over two standard deviations."""
MOST_CELLS = 10_000_000
"""More rows than have ramps in so many cells are left out: curves move no more with them, and fits take seconds."""


class Curves(msgspec.Struct, frozen=True, tag="curves"):
    """Numbers as piecewise linear curves that are level beyond their outermost knots.

    Ramp j of column c is (min(max(x_c, low_j), high_j) − center_j) · rate_j. It only rises, so that a curve keeps to a
    direction where its weights do.

    Attributes
    ----------
    kept : tuple of int
        The columns that pass.
    columns : tuple of int, length r
        The column of each ramp.
    low, high, center, rate : ndarray of float64, shape (r,)
    """

    kept: tuple[int, ...]
    columns: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    rate: np.ndarray

    def apply(self, X: np.ndarray) -> np.ndarray:
        """The columns that pass, and the ramps, as float64."""
        values = wide(X)
        ramps = np.minimum(np.maximum(values[:, list(self.columns)], self.low), self.high)
        return beside(values, self.kept, (ramps - self.center) * self.rate)

    def add(self, graph: Graph, source: str) -> str:
        """The same, node by node in float64."""
        values, name = add_wide(graph, source), f"{source}_ramps"
        low, high, center, rate = (
            graph.constant(f"{name}_{part}", getattr(self, part), np.float64)
            for part in ("low", "high", "center", "rate")
        )
        raised = graph.add("Max", [add_columns(graph, values, self.columns, f"{name}_of"), low], f"{name}_raised")
        cut = graph.add("Min", [raised, high], f"{name}_cut")
        made = graph.add("Mul", [graph.add("Sub", [cut, center], f"{name}_centered"), rate], name)
        return add_beside(graph, values, self.kept, made, f"{source}_curves")

    def names(self, names: Sequence[Name]) -> tuple[Name, ...]:
        """Each ramp by the two values between which it rises."""
        ramps = [
            Name(f"{names[column].text} from {names[column].unit(low)} to {names[column].unit(high)}")
            for column, low, high in zip(self.columns, self.low.tolist(), self.high.tolist(), strict=True)
        ]
        return (*(names[place] for place in self.kept), *ramps)


def knots(values: np.ndarray, many: int) -> np.ndarray:
    """Increasing values between which a curve is straight.

    Where most rows say the same, as the many zeros of a capital gain, quantiles of the rows alone would leave the rest
    without a knot; so there some stand at quantiles of the distinct values.

    >>> knots(np.array([0.0] * 93 + [1.0, 2, 3, 4, 5, 6, 7, 8]), 5).tolist()
    [0.0, 4.0, 8.0]
    """
    by_rows = max(3, round(BY_ROWS * many))
    distinct = np.unique(values)
    if len(distinct) <= many:
        return wide(distinct)
    if len(distinct) > len(values) / 2:
        return np.unique(np.quantile(wide(values), np.linspace(0, 1, many)))
    asked = [np.quantile(wide(values), np.linspace(0, 1, by_rows))]
    asked.append(np.quantile(wide(distinct), np.linspace(0, 1, max(3, many - by_rows))))
    return np.unique(np.concatenate(asked))


def fit_curves(rows: Rows, effort: Effort) -> Made:
    """Linear splines (de Boor 2001, chapter I) with knots at quantiles, for the numbers with three knots or more.

    How many knots there are grows with the rows. Beyond the outermost ones a curve stays level: a value that is far off
    counts as the largest one that was seen.
    """
    numbers = places(rows, "number")
    if not numbers:
        return Made(rows)
    many = int(np.clip(len(rows.y) // ROWS_A_KNOT, FEWEST_KNOTS, MOST_KNOTS))
    many = max(FEWEST_KNOTS, min(many, MOST_RAMPS // len(numbers)))
    rows, note = sampled(rows, MOST_CELLS // (many * len(numbers)), effort.seed)
    found = {place: knots(rows.X[:, place], many) for place in numbers}
    bent = {place: edges for place, edges in found.items() if len(edges) > 2}
    if not bent:
        return Made(rows, note=note)
    sizes = [len(edges) - 1 for edges in bent.values()]
    columns = (*bent, *np.repeat(list(bent), sizes).tolist())
    low = np.concatenate([[edges[0] for edges in bent.values()], *(edges[:-1] for edges in bent.values())])
    high = np.concatenate([[edges[-1] for edges in bent.values()], *(edges[1:] for edges in bent.values())])
    rate = np.where(np.arange(len(columns)) < len(bent), 1.0, HEIGHT / (high - low))
    step = centered(rows, others(rows, tuple(bent)), columns, low, high, rate)
    made = ["number"] * len(bent) + ["bend"] * sum(sizes)
    signs = known_signs(rows)[[*step.kept, *step.columns]]
    views = [*(rows.views[place] for place in step.kept), *made]
    return Made(after(step, rows, views, signs=signs), (step,), note)


def centered(
    rows: Rows, kept: tuple[int, ...], columns: tuple[int, ...], low: np.ndarray, high: np.ndarray, rate: np.ndarray
) -> Curves:
    """Ramps whose mean is 0 on these rows."""
    ends = zip(columns, low, high, strict=True)
    center = np.array([float(np.mean(np.clip(wide(rows.X[:, place]), least, most))) for place, least, most in ends])
    return Curves(kept, columns, low, high, center, rate)
