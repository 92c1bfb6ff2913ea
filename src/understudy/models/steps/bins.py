"""Numbers as stairs: whether a number is above each of a few quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from onnx import TensorProto

from understudy.models.nodes import Graph
from understudy.models.rows import Effort, Rows
from understudy.models.steps.curves import knots
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

STAIRS = 12


class Bins(msgspec.Struct, frozen=True, tag="bins"):
    """Numbers as ones and zeros, one for each edge that they are above.

    Unlike a one for each bin, these only rise with the number: a direction is kept by the signs of the weights.

    Attributes
    ----------
    kept : tuple of int
        The columns that pass.
    columns : tuple of int, length r
    edges : ndarray of float64, shape (r,)
    """

    kept: tuple[int, ...]
    columns: tuple[int, ...]
    edges: np.ndarray

    def apply(self, X: np.ndarray) -> np.ndarray:
        """The columns that pass, and the stairs, as float64."""
        values = wide(X)
        return beside(values, self.kept, wide(values[:, list(self.columns)] > self.edges))

    def add(self, graph: Graph, source: str) -> str:
        """The same, node by node in float64."""
        values, name = add_wide(graph, source), f"{source}_stairs"
        edges = graph.constant(f"{name}_edges", self.edges, np.float64)
        above = graph.add("Greater", [add_columns(graph, values, self.columns, f"{name}_of"), edges], f"{name}_above")
        made = graph.add("Cast", [above], name, to=TensorProto.DOUBLE)
        return add_beside(graph, values, self.kept, made, f"{source}_bins")

    def names(self, names: Sequence[Name]) -> tuple[Name, ...]:
        """Each stair by its edge."""
        stairs = [
            Name(f"{names[column].text} > {names[column].unit(edge)}")
            for column, edge in zip(self.columns, self.edges.tolist(), strict=True)
        ]
        return (*(names[place] for place in self.kept), *stairs)


def fit_bins(rows: Rows, _: Effort) -> Made:
    """Quantile binning (Dougherty, Kohavi & Sahami 1995), for the numbers with three distinct values or more."""
    found = {place: knots(rows.X[:, place], STAIRS)[:-1] for place in places(rows, "number")}
    stairs = {place: edges for place, edges in found.items() if len(edges) > 1}
    if not stairs:
        return Made(rows)
    columns = tuple(np.repeat(list(stairs), [len(edges) for edges in stairs.values()]).tolist())
    step = Bins(others(rows, tuple(stairs)), columns, np.concatenate(list(stairs.values())))
    views = [rows.views[place] for place in step.kept] + ["flag"] * len(columns)
    signs = known_signs(rows)[[*step.kept, *columns]]
    return Made(after(step, rows, views, signs=signs), (step,))
