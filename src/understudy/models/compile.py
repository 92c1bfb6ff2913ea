"""From a fitted member and its head to one ONNX model, and how far the two differ.

The usual converters answer wrongly for several parts without a word (a split threshold that is rounded up to the next
float32 sends a row down the other branch), so every node is written here. Whatever is compiled is compared with the
original before it serves.
"""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.calibrate import LOWEST, Head
from understudy.models.recipes import Fitted

OPSET = 18
ML_OPSET = 3
IR_VERSION = 9
AGREEMENT = 1e-5
LARGEST_MODEL = 200_000_000


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How far two ways to the same scores lie apart.

    Attributes
    ----------
    largest : float
        The largest absolute difference of a probability, or of a number relative to the target's spread.
    rows : int
        How many rows were compared.
    """

    largest: float
    rows: int

    @property
    def agrees(self) -> bool:
        """Whether the two are the same for every purpose: at most 1e-5 apart."""
        return self.largest <= AGREEMENT


class Graph:
    """Nodes and constants of an ONNX graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: Any, dtype: type = np.float32) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node and return its output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def model(self, source: str, width: int, target: str, outputs: int) -> onnx.ModelProto:
        """The finished model from the matrix `source` to the matrix `target`."""
        graph = helper.make_graph(
            self.nodes,
            "understudy",
            [helper.make_tensor_value_info(source, TensorProto.FLOAT, [None, width])],
            [helper.make_tensor_value_info(target, TensorProto.FLOAT, [None, outputs])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="understudy")


def compile_model(fitted: Fitted, head: Head, width: int) -> bytes:
    """One ONNX model from the encoded matrix to calibrated scores.

    Parameters
    ----------
    fitted : Fitted
        The member.
    head : Head
        Its calibration.
    width : int
        How many features the encoded matrix has.

    Returns
    -------
    bytes
        A model with one input `X`, float32 of shape (n, width), and one output, `probabilities` of shape (n, k) or
        `value` of shape (n, 1).

    Raises
    ------
    ModelError
        The member has a part that cannot be expressed.
    """
    pick = Graph()
    pick.add("Gather", ["X", pick.constant("columns", fitted.columns, np.int64)], "part", axis=1)
    front = pick.model("X", width, "part", len(fitted.columns))
    member = compose.add_prefix(MEMBERS[fitted.recipe](fitted), "member/")
    back = head_model(fitted, head)
    joined = compose.merge_models(front, member, io_map=[("part", "member/member_in")])
    joined = compose.merge_models(joined, back, io_map=[("member/member_out", "head_in")])
    try:
        onnx.checker.check_model(joined)
        data: bytes = joined.SerializeToString(deterministic=True)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ModelError(f"The compiled model is not valid: {error}") from error
    if len(data) > LARGEST_MODEL:
        raise ModelError(f"The compiled model would have {len(data) / 1e6:.0f} MB.")
    return data


def head_model(fitted: Fitted, head: Head) -> onnx.ModelProto:
    """The calibration as nodes: clip, logarithm, slope and bias, softmax; for numbers the target's own scale."""
    graph = Graph()
    if fitted.kind == "regression":
        graph.add("Mul", ["head_in", graph.constant("target_scale", [[fitted.scale]])], "scaled")
        graph.add("Add", ["scaled", graph.constant("target_center", [[fitted.center]])], "value")
        return graph.model("head_in", 1, "value", 1)
    low, high = graph.constant("lowest", LOWEST), graph.constant("highest", 1 - LOWEST)
    graph.add("Clip", ["head_in", low, high], "clipped")
    graph.add("Log", ["clipped"], "logs")
    graph.add("Mul", ["logs", graph.constant("slope", [[head.slope]])], "sloped")
    graph.add("Add", ["sloped", graph.constant("bias", [list(head.bias)])], "scores")
    graph.add("Softmax", ["scores"], "probabilities", axis=1)
    return graph.model("head_in", fitted.n_classes, "probabilities", fitted.n_classes)


def weighted_sums(graph: Graph, weights: np.ndarray, bias: np.ndarray) -> str:
    """Add X Wᵀ + b in float64: in float32 large inputs that cancel would not."""
    graph.add("Cast", ["member_in"], "wide", to=TensorProto.DOUBLE)
    constants = [graph.constant("weights", weights, np.float64), graph.constant("intercept", bias, np.float64)]
    return graph.add("Gemm", ["wide", *constants], "sums", transB=1)


def logistic_model(fitted: Fitted) -> onnx.ModelProto:
    """Logits and softmax; a class without training rows gets a logit of minus infinity, nearly."""
    estimator, k = fitted.estimator, fitted.n_classes
    weights, bias = estimator.coef_, estimator.intercept_
    if len(estimator.classes_) == 2:
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, bias[0]])
    all_weights, all_bias = np.zeros((k, weights.shape[1])), np.full(k, -1e30)
    all_weights[estimator.classes_], all_bias[estimator.classes_] = weights, bias
    graph = Graph()
    logits = weighted_sums(graph, all_weights, all_bias)
    graph.add("Softmax", [logits], "shares", axis=1)
    graph.add("Cast", ["shares"], "member_out", to=TensorProto.FLOAT)
    return graph.model("member_in", weights.shape[1], "member_out", k)


def ridge_model(fitted: Fitted) -> onnx.ModelProto:
    """A weighted sum."""
    weights = fitted.estimator.coef_.reshape(1, -1)
    graph = Graph()
    sums = weighted_sums(graph, weights, np.array([fitted.estimator.intercept_]))
    graph.add("Cast", [sums], "member_out", to=TensorProto.FLOAT)
    return graph.model("member_in", weights.shape[1], "member_out", 1)


class Ensemble:
    """The columns of a TreeEnsembleRegressor node in the making."""

    def __init__(self) -> None:
        self.nodes: list[tuple[int, int, int, float, str, int, int]] = []
        self.leaves: list[tuple[int, int, int, float]] = []

    def add_forest_tree(self, number: int, tree: Any, classes: np.ndarray, share: float) -> None:
        """Append a scikit-learn tree; its leaves vote with their class shares, or their mean."""
        leaf = tree.children_left < 0
        columns = [
            np.full(tree.node_count, number),
            np.arange(tree.node_count),
            np.where(leaf, 0, tree.feature),
            np.where(leaf, np.float32(0), rounded_down(tree.threshold)),
            np.where(leaf, "LEAF", "BRANCH_LEQ"),
            np.where(leaf, 0, tree.children_left),
            np.where(leaf, 0, tree.children_right),
        ]
        self.nodes += zip(*(column.tolist() for column in columns), strict=True)
        values = tree.value[:, 0, :]
        if len(classes) > 1:
            values = values / values.sum(axis=1, keepdims=True)
        places, votes = np.nonzero(leaf[:, None] & (values != 0))
        weights = (values[places, votes] * share).tolist()
        targets = classes[votes].tolist()
        self.leaves += zip([number] * len(places), places.tolist(), targets, weights, strict=True)

    def add_boosted(self, number: int, root: dict[str, Any], target: int) -> None:
        """Append a LightGBM tree, as `Booster.dump_model` gives it, that adds to one target.

        A split on a set of codes becomes a chain of equalities that share their left branch.
        """
        identities = itertools.count(1)
        waiting = [(root, 0)]
        while waiting:
            node, identity = waiting.pop()
            if "leaf_value" in node:
                self.nodes.append((number, identity, 0, 0.0, "LEAF", 0, 0))
                self.leaves.append((number, identity, target, node["leaf_value"]))
                continue
            left, right, feature = next(identities), next(identities), node["split_feature"]
            waiting += [(node["left_child"], left), (node["right_child"], right)]
            if node["decision_type"] == "<=":
                limit = float(rounded_down(np.array([node["threshold"]]))[0])
                self.nodes.append((number, identity, feature, limit, "BRANCH_LEQ", left, right))
                continue
            codes = [float(code) for code in node["threshold"].split("||")]
            chain = [identity, *itertools.islice(identities, len(codes) - 1), right]
            for code, here, after in zip(codes, chain, chain[1:], strict=False):
                self.nodes.append((number, here, feature, code, "BRANCH_EQ", left, after))

    def write(self, graph: Graph, output: str, targets: int) -> None:
        """Add the ensemble to a graph: the sum of its leaves from `member_in` to `output`."""
        node_columns = [list(column) for column in zip(*sorted(self.nodes, key=lambda node: node[:2]), strict=True)]
        leaf_columns = [list(column) for column in zip(*self.leaves, strict=True)]
        node_names = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
        leaf_names = ("treeids", "nodeids", "ids", "weights")
        attributes = {f"nodes_{name}": column for name, column in zip(node_names, node_columns, strict=True)}
        attributes |= {f"target_{name}": column for name, column in zip(leaf_names, leaf_columns, strict=True)}
        attributes |= {"n_targets": targets, "aggregate_function": "SUM", "post_transform": "NONE"}
        graph.add("TreeEnsembleRegressor", ["member_in"], output, domain="ai.onnx.ml", **attributes)


def forest_model(fitted: Fitted) -> onnx.ModelProto:
    """The mean of the trees' votes."""
    trees = [tree.tree_ for tree in fitted.estimator.estimators_]
    classes = fitted.estimator.classes_ if fitted.kind == "classification" else np.array([0])
    ensemble, graph = Ensemble(), Graph()
    for number, tree in enumerate(trees):
        ensemble.add_forest_tree(number, tree, classes, 1.0 / len(trees))
    ensemble.write(graph, "member_out", fitted.n_classes or 1)
    return graph.model("member_in", len(fitted.columns), "member_out", fitted.n_classes or 1)


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: then x ≤ t decides alike for every float32 x."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def lightgbm_model(fitted: Fitted) -> onnx.ModelProto:
    """The boosted trees, node by node, then the objective's link from sums to probabilities."""
    k, width = fitted.n_classes, len(fitted.columns)
    sums = 1 if k <= 2 else k
    ensemble = Ensemble()
    for number, tree in enumerate(fitted.estimator.dump_model()["tree_info"]):
        ensemble.add_boosted(number, tree["tree_structure"], number % sums)
    graph = Graph()
    if fitted.kind == "regression":
        ensemble.write(graph, "member_out", sums)
        return graph.model("member_in", width, "member_out", 1)
    ensemble.write(graph, "sums", sums)
    logits = "sums"
    if k == 2:
        logits = graph.add("MatMul", ["sums", graph.constant("second_class", [[0.0, 1.0]])], "logits")
    graph.add("Softmax", [logits], "member_out", axis=1)
    return graph.model("member_in", width, "member_out", k)


MEMBERS = {
    "logistic": logistic_model,
    "ridge": ridge_model,
    "forest": forest_model,
    "lightgbm": lightgbm_model,
}


def difference(native: np.ndarray, compiled: np.ndarray, *, kind: Kind, scale: float = 1.0) -> Difference:
    """The largest difference between two score matrices of shape (n, k).

    Parameters
    ----------
    native, compiled : ndarray
    kind : Kind
    scale : float
        For numbers, the target's standard deviation. Numbers beyond it are compared relative to their own size.
    """
    apart = np.abs(native - compiled)
    if kind == "regression":
        apart = apart / np.maximum(scale, np.abs(native))
    worst = float(apart.max()) if apart.size else 0.0
    return Difference(largest=worst if np.isfinite(worst) else float("inf"), rows=len(native))
