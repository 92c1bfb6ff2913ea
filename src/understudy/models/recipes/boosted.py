"""Boosted trees as plain arrays, whichever library grew them: they answer, are kept and are compiled without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.special import expit, softmax

from understudy.models.ensemble import Ensemble, add_link
from understudy.models.nodes import Graph
from understudy.models.recipes.recipe import Fitted
from understudy.models.rows import Rows

CHECKED_ROWS = 2000
SAME = 1e-5
"""How far, relative to its size, an answer of the arrays may lie from the library's own."""


class Tree(NamedTuple):
    """A tree of m nodes: rows go left where x ≤ threshold, as float32; `left` is negative for a leaf."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray


class BoostedTrees(msgspec.Struct, frozen=True, tag="boosted_trees"):
    """Sums of trees.

    Attributes
    ----------
    feature, left, right : ndarray of int64, shape (m,)
        The nodes of all trees, one tree after the other; branches are places within the tree.
    threshold : ndarray of float64, shape (m,)
        Each is a float32.
    value : ndarray of float64, shape (m, k)
        What a leaf adds to each of the k sums.
    sizes : ndarray of int64
        How many nodes each tree has.
    start : ndarray of float64, shape (k,)
        What the sums begin with. There is one for a number and for two classes, that of the second.
    classes_ : ndarray of int64, optional
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    sizes: np.ndarray
    start: np.ndarray
    classes_: np.ndarray | None = None

    def trees(self) -> list[Tree]:
        """The trees, one by one."""
        columns = (self.feature, self.threshold, self.left, self.right, self.value)
        ends = np.cumsum(self.sizes)[:-1]
        return [Tree(*parts) for parts in zip(*(np.split(column, ends) for column in columns), strict=True)]

    def sums(self, X: np.ndarray) -> np.ndarray:
        """The sums of the leaves that each row comes to, of shape (n, k)."""
        total = np.tile(self.start, (len(X), 1))
        rows = np.arange(len(X))
        for tree in self.trees():
            place = np.zeros(len(X), dtype=np.int64)
            while (tree.left[place] >= 0).any():
                goes_left = X[rows, tree.feature[place]] <= tree.threshold[place]
                below = np.where(goes_left, tree.left[place], tree.right[place])
                place = np.where(tree.left[place] < 0, place, below)
            total += tree.value[place]
        return total

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Numbers of shape (n,)."""
        return self.sums(X)[:, 0]

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of shape (n, k), by the logistic function or the softmax."""
        sums = self.sums(X)
        if sums.shape[1] > 1:
            return np.asarray(softmax(sums, axis=1))
        positive = expit(sums[:, 0])
        return np.column_stack([1 - positive, positive])


def known_classes(rows: Rows) -> tuple[np.ndarray | None, np.ndarray]:
    """The classes that occur and each row's place among them; None and the numbers for regression.

    Raises
    ------
    ValueError
        There is one class only.
    """
    if rows.kind == "regression":
        return None, rows.y
    classes, y = np.unique(rows.y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"there are rows of one class only, {classes[0]}")
    return classes, y


def gathered(trees: Sequence[Tree], start: np.ndarray, classes: np.ndarray | None) -> BoostedTrees:
    """Trees as one value."""
    feature, threshold, left, right, value = (np.concatenate(column) for column in zip(*trees, strict=True))
    sizes = np.array([len(tree.left) for tree in trees])
    return BoostedTrees(feature, threshold, left, right, value, sizes, start, classes)


def check_sums(trees: BoostedTrees, X: np.ndarray, sums: np.ndarray, library: str) -> BoostedTrees:
    """The trees, if they answer as the library that grew them.

    Raises
    ------
    ValueError
        They do not: this version of the library keeps its trees otherwise.
    """
    own = trees.sums(X)
    apart = np.abs(own - sums.reshape(own.shape)) / np.maximum(1.0, np.abs(own))
    if apart.size and not apart.max() <= SAME:
        raise ValueError(f"the trees read from {library} answer otherwise than it does, by {apart.max():.2g}")
    return trees


def add_boosted(fitted: Fitted, graph: Graph) -> None:
    """The trees and what they begin with, then the link from sums to probabilities."""
    estimator: BoostedTrees = fitted.estimator
    ensemble = Ensemble()
    classes = np.zeros(0, dtype=np.int64) if estimator.classes_ is None else estimator.classes_
    targets = ensemble.add_start(estimator.start, classes, fitted.n_classes)
    for tree in estimator.trees():
        ensemble.add_tree(tree.feature, tree.threshold, tree.left, tree.right, tree.value, targets)
    add_link(graph, ensemble, fitted.n_classes)
