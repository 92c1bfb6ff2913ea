"""Trees as one ONNX node.

Every threshold is rounded down to float32, since x ≤ t then decides alike for every float32 x; rounded to the nearest
it would send half of the rows that stand on it down the other branch.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx

from understudy.models.nodes import ABSENT, Graph, placed


class Ensemble:
    """A TreeEnsembleRegressor node in the making, as arrays by tree: a large forest has millions of nodes.

    A node is its number, feature, threshold, mode, and where it leads if true and if false; a leaf its number, the
    target that it adds to, and how much.
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[np.ndarray, ...]] = []
        self.leaves: list[tuple[np.ndarray, ...]] = []

    def add_tree(
        self,
        feature: np.ndarray,
        threshold: np.ndarray,
        left: np.ndarray,
        right: np.ndarray,
        values: np.ndarray,
        targets: np.ndarray,
        above: np.ndarray | None = None,
    ) -> None:
        """Append a tree of m nodes, whose rows go left where x ≤ t; where `above`, where x > t.

        Several nodes may lead to one on their left, and only there.

        Parameters
        ----------
        feature, threshold : ndarray of shape (m,)
        left, right : ndarray of int64, shape (m,)
            The places of the branches; negative for a leaf.
        values : ndarray of shape (m, k)
            What a leaf adds to each target.
        targets : ndarray of int64, shape (k,)
        above : ndarray of bool, shape (m,), optional
        """
        leaf = left < 0
        branch = b"BRANCH_LEQ" if above is None else np.where(above, b"BRANCH_GT", b"BRANCH_LEQ")
        self.nodes.append(
            (
                np.arange(len(left)),
                np.where(leaf, 0, feature),
                np.where(leaf, np.float32(0), rounded_down(threshold)),
                np.where(leaf, b"LEAF", branch),
                np.where(leaf, 0, left),
                np.where(leaf, 0, right),
            )
        )
        counted = values != 0
        counted[:, 0] |= ~counted.any(axis=1)  # every leaf needs an entry
        places, votes = np.nonzero(leaf[:, None] & counted)
        self.leaves.append((places, targets[votes], values[places, votes]))

    def add_forest_tree(self, tree: Any, classes: np.ndarray, share: float) -> None:
        """Append a scikit-learn tree; its leaves vote with their class shares, or their mean."""
        values = tree.value[:, 0, :]
        if len(classes) > 1:
            values = values / values.sum(axis=1, keepdims=True)
        self.add_tree(tree.feature, tree.threshold, tree.children_left, tree.children_right, values * share, classes)

    def add_steps(self, feature: int, edges: np.ndarray, values: np.ndarray, targets: np.ndarray) -> None:
        """Append a function of one feature that is constant between edges, as a balanced tree.

        Parameters
        ----------
        feature : int
        edges : ndarray of shape (m,)
            Increasing; at an edge the value is that below it.
        values : ndarray of shape (m + 1, k)
        targets : ndarray of int64, shape (k,)
        """
        m = len(edges)
        threshold, left, right = np.zeros(2 * m + 1), np.full(2 * m + 1, -1), np.full(2 * m + 1, -1)
        held = np.zeros((2 * m + 1, values.shape[1]))
        free = itertools.count(1)
        waiting = [(0, 0, m)]
        while waiting:
            place, low, high = waiting.pop()
            if low == high:
                held[place] = values[low]
                continue
            middle = (low + high) // 2
            threshold[place], left[place], right[place] = edges[middle], next(free), next(free)
            waiting += [(left[place], low, middle), (right[place], middle + 1, high)]
        self.add_tree(np.full(2 * m + 1, feature), threshold, left, right, held, targets)

    def add_start(self, start: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
        """Append what the sums of boosted trees begin with, and return the targets that the trees of a round add to.

        For numbers and two classes there is one sum. Where only two of more classes were seen there is one too, that of
        the second; classes that were not seen begin so low that they stay improbable.
        """
        if n_classes <= 2:
            targets, values = np.zeros(1, dtype=np.int64), start
        else:
            targets = classes[1:] if len(classes) == 2 else classes
            values = placed(np.zeros(len(classes)), classes, n_classes, ABSENT)
            values[targets] = start
        self.add_steps(0, np.zeros(0), values[None, :], np.arange(len(values)))
        return targets

    def add_splits(self, root: dict[str, Any], target: int) -> None:
        """Append a tree of nested splits that adds to one target, as LightGBM's `Booster.dump_model` gives it.

        A split on a set of codes becomes a chain of equalities that share their left branch.
        """
        nodes: list[tuple[int, int, float, bytes, int, int]] = []
        leaves: list[tuple[int, int, float]] = []
        identities = itertools.count(1)
        waiting = [(root, 0)]
        while waiting:
            node, identity = waiting.pop()
            if "leaf_value" in node:
                nodes.append((identity, 0, 0.0, b"LEAF", 0, 0))
                leaves.append((identity, target, float(node["leaf_value"])))
                continue
            left, right, feature = next(identities), next(identities), node["split_feature"]
            waiting += [(node["left_child"], left), (node["right_child"], right)]
            if node["decision_type"] == "<=":
                limit = float(rounded_down(np.array(node["threshold"])))
                nodes.append((identity, feature, limit, b"BRANCH_LEQ", left, right))
                continue
            codes = [float(code) for code in node["threshold"].split("||")]
            chain = [identity, *itertools.islice(identities, len(codes) - 1), right]
            for code, here, after in zip(codes, chain, chain[1:], strict=False):
                nodes.append((here, feature, code, b"BRANCH_EQ", left, after))
        self.nodes.append(tuple(np.array(column) for column in zip(*sorted(nodes), strict=True)))
        self.leaves.append(tuple(np.array(column) for column in zip(*leaves, strict=True)))

    def write(self, graph: Graph, output: str, targets: int, source: str = "part") -> None:
        """Add the ensemble to a graph: the sum of its leaves, from `source` to `output`."""
        node_names = ("nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
        leaf_names = ("nodeids", "ids", "weights")
        columns = {f"nodes_{name}": column for name, column in zip(node_names, joined(self.nodes), strict=True)}
        columns |= {f"target_{name}": column for name, column in zip(leaf_names, joined(self.leaves), strict=True)}
        columns["nodes_treeids"] = tree_numbers(self.nodes)
        columns["target_treeids"] = tree_numbers(self.leaves)
        settings = {"n_targets": targets, "aggregate_function": "SUM", "post_transform": "NONE"}
        graph.add("TreeEnsembleRegressor", [source], output, domain="ai.onnx.ml", **settings)
        graph.nodes[-1].attribute.extend(attribute(name, column) for name, column in columns.items())


def joined(parts: list[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """Each column over all trees, one after the other."""
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def tree_numbers(parts: list[tuple[np.ndarray, ...]]) -> np.ndarray:
    """The number of the tree that each entry belongs to."""
    return np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])


def attribute(name: str, values: np.ndarray) -> onnx.AttributeProto:
    """A list of numbers or words as an attribute; ONNX's own helper looks at each value several times."""
    made = onnx.AttributeProto(name=name)
    if values.dtype.kind == "i":
        made.type = onnx.AttributeProto.INTS
        made.ints.extend(values.tolist())
    elif values.dtype.kind == "f":
        made.type = onnx.AttributeProto.FLOATS
        made.floats.extend(values.tolist())
    else:
        made.type = onnx.AttributeProto.STRINGS
        made.strings.extend(values.tolist())
    return made


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: then x ≤ t decides alike for every float32 x.

    >>> float(rounded_down(np.array(0.1))) <= 0.1 < float(np.float32(0.1))
    True
    """
    with np.errstate(over="ignore"):  # beyond float32 the nearest is infinite, and the largest finite one below it
        near = thresholds.astype(np.float32)
        return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def add_link(graph: Graph, ensemble: Ensemble, n_classes: int) -> None:
    """Write an ensemble of logits, one for two classes, and the shares that follow; for numbers its sum is `raw`."""
    sums = 1 if n_classes <= 2 else n_classes
    if not n_classes:
        ensemble.write(graph, "raw", sums)
        return
    ensemble.write(graph, "sums", sums)
    logits = "sums"
    if n_classes == 2:
        logits = graph.add("MatMul", ["sums", graph.constant("second_class", [[0.0, 1.0]])], "logits")
    graph.add("Softmax", [logits], "raw", axis=1)
