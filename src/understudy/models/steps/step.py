"""What every step shares: columns that pass as they are, beside columns that it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from onnx import TensorProto

from understudy.models.nodes import Graph
from understudy.models.rows import Rows


class Name(NamedTuple):
    """What a column is called, and how its values are said in their own unit."""

    text: str
    unit: Callable[[float], str] = "{:.3g}".format


class Step(Protocol):
    """A fitted step: a pure function from a matrix to a matrix, which is also written as ONNX nodes."""

    def apply(self, X: np.ndarray) -> np.ndarray:
        """The prepared matrix, of shape (n, e), for one of shape (n, d)."""

    def add(self, graph: Graph, source: str) -> str:
        """Write the same as nodes, from the matrix called `source`, and return the name of the result."""

    def names(self, names: Sequence[Name]) -> tuple[Name, ...]:
        """What each of the e columns is called, given what the d columns are."""


class Made(NamedTuple):
    """The rows as fitted steps leave them, the steps (none where there was nothing to do), and what there is to say."""

    rows: Rows
    steps: tuple[Any, ...] = ()
    note: str = ""


def after(
    step: Step,
    rows: Rows,
    views: Sequence[str],
    *,
    signs: np.ndarray | None = None,
    X: np.ndarray | None = None,
) -> Rows:
    """The rows after a step.

    Parameters
    ----------
    step : Step
    rows : Rows
    views : sequence of str
        What each of the columns that it makes shows.
    signs : ndarray of int64, shape (e,), optional
        What is known of their directions.
    X : ndarray of shape (n, e), optional
        The rows to fit on, where they may not see what the step has learned from themselves.
    """
    return replace(
        rows,
        X=step.apply(rows.X) if X is None else X,
        X_stop=None if rows.X_stop is None else step.apply(rows.X_stop),
        views=tuple(views),
        monotone=None if rows.monotone is None else signs,
    )


def places(rows: Rows, *views: str) -> list[int]:
    """The columns that show one of these."""
    return [place for place, view in enumerate(rows.views) if view in views]


def others(rows: Rows, taken: Sequence[int]) -> tuple[int, ...]:
    """The columns that are not taken, in their order."""
    return tuple(sorted(set(range(len(rows.views))) - set(taken)))


def known_signs(rows: Rows) -> np.ndarray:
    """The direction of each column; 0 where none is known."""
    return np.zeros(len(rows.views), dtype=np.int64) if rows.monotone is None else rows.monotone


def wide(X: np.ndarray) -> np.ndarray:
    """The matrix as float64, in which steps compute."""
    return np.asarray(X, dtype=np.float64)


def beside(X: np.ndarray, kept: Sequence[int], made: np.ndarray) -> np.ndarray:
    """The columns that pass, and those that were made."""
    return np.hstack([X[:, list(kept)], made]) if len(kept) else made


def add_wide(graph: Graph, source: str) -> str:
    """The matrix as float64."""
    return graph.add("Cast", [source], f"{source}_wide", to=TensorProto.DOUBLE)


def add_columns(graph: Graph, source: str, columns: Sequence[int], name: str) -> str:
    """Some columns of a matrix, in any order and as often as they are named."""
    return graph.add("Gather", [source, graph.constant(f"{name}_places", columns, np.int64)], name, axis=1)


def add_beside(graph: Graph, source: str, kept: Sequence[int], made: str, target: str) -> str:
    """Write `beside` as nodes."""
    if not len(kept):
        return made
    return graph.add("Concat", [add_columns(graph, source, kept, f"{target}_kept"), made], target, axis=1)
