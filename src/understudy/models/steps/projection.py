"""Columns mixed into new ones by weights: standard units, whitened components, topics of words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD

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

MOST_FITTED_ROWS = 20_000
EXPLAINED = 0.99
MOST_COMPONENTS = 100
TOPICS = 64
"""How many components stand for the words of a table."""


class Projection(msgspec.Struct, frozen=True, tag="projection"):
    """Some columns, centered and then mixed.

    Attributes
    ----------
    kept : tuple of int
        The columns that pass.
    columns : tuple of int, length c
        Those that are mixed.
    center : ndarray of float64, shape (c,)
    weights : ndarray of float64, shape (c, e)
    called : str
        What the new columns are called; empty where each is one of the old ones in another unit.
    """

    kept: tuple[int, ...]
    columns: tuple[int, ...]
    center: np.ndarray
    weights: np.ndarray
    called: str = ""

    def apply(self, X: np.ndarray) -> np.ndarray:
        """The columns that pass, and the mixed ones, as float64."""
        values = wide(X)
        return beside(values, self.kept, (values[:, list(self.columns)] - self.center) @ self.weights)

    def add(self, graph: Graph, source: str) -> str:
        """The same, node by node in float64."""
        values, name = add_wide(graph, source), f"{source}_mixed"
        some = add_columns(graph, values, self.columns, f"{name}_of")
        center = graph.constant(f"{name}_center", self.center, np.float64)
        weights = graph.constant(f"{name}_weights", self.weights, np.float64)
        made = graph.add("MatMul", [graph.add("Sub", [some, center], f"{name}_centered"), weights], name)
        return add_beside(graph, values, self.kept, made, f"{source}_projection")

    def names(self, names: Sequence[Name]) -> tuple[Name, ...]:
        """New columns by their numbers, old ones by their names."""
        strongest = np.abs(self.weights).argmax(axis=0)
        made = [
            Name(f"{self.called} {number}" if self.called else names[self.columns[strongest[number - 1]]].text)
            for number in range(1, self.weights.shape[1] + 1)
        ]
        return (*(names[place] for place in self.kept), *made)


def projected(rows: Rows, columns: Sequence[int], center: np.ndarray, weights: np.ndarray, called: str) -> Made:
    """The rows with some columns mixed."""
    step = Projection(others(rows, columns), tuple(columns), center, weights, called)
    views = [rows.views[place] for place in step.kept] + ["number"] * weights.shape[1]
    signs = np.concatenate([known_signs(rows)[list(step.kept)], np.zeros(weights.shape[1], dtype=np.int64)])
    return Made(after(step, rows, views, signs=signs), (step,))


def free(rows: Rows, columns: Sequence[int]) -> list[int]:
    """The columns without a known direction, which a mixture would lose."""
    signs = known_signs(rows)
    return [place for place in columns if not signs[place]]


def fit_standard(rows: Rows, _: Effort) -> Made:
    """Every column by itself around its mean, in units of its standard deviation; a constant is only shifted."""
    some = wide(rows.X)
    center, scale = some.mean(axis=0), some.std(axis=0)
    weights = np.diag(1 / np.where(scale > 0, scale, 1.0))
    step = Projection((), tuple(range(len(rows.views))), center, weights)
    return Made(after(step, rows, rows.views, signs=known_signs(rows)), (step,))


def fit_whitened(rows: Rows, effort: Effort) -> Made:
    """Principal components (Hotelling 1933) of all columns in standard units, each of variance 1."""
    columns = free(rows, range(len(rows.views)))
    some = wide(sampled(rows, MOST_FITTED_ROWS, effort.seed)[0].X[:, columns])
    scale = some.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    most = min(MOST_COMPONENTS, len(columns), len(some))
    if most < 2:
        return Made(rows)
    fitted = PCA(most, svd_solver="full").fit((some - some.mean(axis=0)) / scale)
    enough = int(np.searchsorted(np.cumsum(fitted.explained_variance_ratio_), EXPLAINED)) + 1
    spread = np.sqrt(fitted.explained_variance_[:enough])
    used = spread > 0
    weights = (fitted.components_[:enough][used] / spread[used, None]).T / scale[:, None]
    return projected(rows, columns, some.mean(axis=0), weights, "component") if used.any() else Made(rows)


def fit_topics(rows: Rows, effort: Effort) -> Made:
    """Latent semantic analysis (Deerwester et al. 1990): a truncated SVD of the words' weights."""
    columns = free(rows, places(rows, "word"))
    if len(columns) <= TOPICS:
        return Made(rows)
    some = wide(sampled(rows, MOST_FITTED_ROWS, effort.seed)[0].X[:, columns])
    fitted = TruncatedSVD(min(TOPICS, len(some)), random_state=effort.seed).fit(some)
    spread = np.sqrt(fitted.explained_variance_)
    weights = fitted.components_.T / np.where(spread > 0, spread, 1.0)
    return projected(rows, columns, np.zeros(len(columns)), weights, "topic")
