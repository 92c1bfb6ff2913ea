"""From a fitted member and its head to one ONNX model, and how far the two differ.

The usual converters answer wrongly for several parts without a word (a split threshold that is rounded up to the next
float32 sends a row down the other branch), so every node is written here. Whatever is compiled is compared with the
original before it serves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

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

    def model(self, width: int, target: onnx.ValueInfoProto) -> onnx.ModelProto:
        """The finished model from the matrix `X` to the target."""
        source = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, width])
        graph = helper.make_graph(self.nodes, "understudy", [source], [target], self.constants)
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
        A model with one input `X`, float32 of shape (n, width), and one output: `probabilities`, float32 of shape
        (n, k), or `value`, float64 of shape (n, 1), since float32 would blur a number far from 0.

    Raises
    ------
    ModelError
        The member has a part that cannot be expressed, or the model would be too large to serve.
    """
    if fitted.recipe not in MEMBERS:
        raise ModelError(f"A member of kind {fitted.recipe!r} has no compiled form.")
    graph = Graph()
    graph.add("Gather", ["X", graph.constant("columns", fitted.columns, np.int64)], "part", axis=1)
    MEMBERS[fitted.recipe](fitted, graph)
    if fitted.kind == "regression":
        add_number_head(fitted, graph)
        target = helper.make_tensor_value_info("value", TensorProto.DOUBLE, [None, 1])
    else:
        add_probability_head(head, graph)
        target = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, fitted.n_classes])
    model = graph.model(width, target)
    if model.ByteSize() > LARGEST_MODEL:
        raise ModelError(f"The compiled model would have {model.ByteSize() / 1e6:.0f} MB.")
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"The compiled model is not valid: {error}") from error
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def add_number_head(fitted: Fitted, graph: Graph) -> None:
    """Bring the member's numbers back to the target's own scale."""
    graph.add("Cast", ["raw"], "unscaled", to=TensorProto.DOUBLE)
    graph.add("Mul", ["unscaled", graph.constant("target_scale", [[fitted.scale]], np.float64)], "scaled")
    graph.add("Add", ["scaled", graph.constant("target_center", [[fitted.center]], np.float64)], "value")


def add_probability_head(head: Head, graph: Graph) -> None:
    """The calibration as nodes: clip, logarithm, slope and bias, softmax."""
    if not head.bias:
        graph.add("Identity", ["raw"], "probabilities")
        return
    graph.add("Clip", ["raw", graph.constant("lowest", LOWEST), graph.constant("highest", 1 - LOWEST)], "clipped")
    graph.add("Log", ["clipped"], "logs")
    graph.add("Mul", ["logs", graph.constant("slope", [[head.slope]])], "sloped")
    graph.add("Add", ["sloped", graph.constant("bias", [list(head.bias)])], "scores")
    graph.add("Softmax", ["scores"], "probabilities", axis=1)


def add_weighted_sums(graph: Graph, weights: np.ndarray, bias: np.ndarray, output: str) -> None:
    """Add X Wᵀ + b in float64: in float32 large inputs that cancel would not."""
    graph.add("Cast", ["part"], "wide", to=TensorProto.DOUBLE)
    constants = [graph.constant("weights", weights, np.float64), graph.constant("intercept", bias, np.float64)]
    graph.add("Gemm", ["wide", *constants], output, transB=1)


def add_logistic(fitted: Fitted, graph: Graph) -> None:
    """Logits and softmax; a class without training rows gets a logit of minus infinity, nearly."""
    estimator, k = fitted.estimator, fitted.n_classes
    weights, bias = estimator.coef_, estimator.intercept_
    if len(estimator.classes_) == 2:
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, bias[0]])
    all_weights, all_bias = np.zeros((k, weights.shape[1])), np.full(k, -1e30)
    all_weights[estimator.classes_], all_bias[estimator.classes_] = weights, bias
    add_weighted_sums(graph, all_weights, all_bias, "logits")
    graph.add("Softmax", ["logits"], "shares", axis=1)
    graph.add("Cast", ["shares"], "raw", to=TensorProto.FLOAT)


def add_ridge(fitted: Fitted, graph: Graph) -> None:
    """A weighted sum."""
    weights, intercept = fitted.estimator.coef_.reshape(1, -1), np.array([fitted.estimator.intercept_])
    add_weighted_sums(graph, weights, intercept, "raw")


class Ensemble:
    """A TreeEnsembleRegressor node in the making, as arrays by tree: a large forest has millions of nodes."""

    def __init__(self) -> None:
        self.nodes: list[tuple[np.ndarray, ...]] = []
        self.leaves: list[tuple[np.ndarray, ...]] = []

    def add_forest_tree(self, tree: Any, classes: np.ndarray, share: float) -> None:
        """Append a scikit-learn tree; its leaves vote with their class shares, or their mean."""
        leaf = tree.children_left < 0
        self.nodes.append(
            (
                np.arange(tree.node_count),
                np.where(leaf, 0, tree.feature),
                np.where(leaf, np.float32(0), rounded_down(tree.threshold)),
                np.where(leaf, b"LEAF", b"BRANCH_LEQ"),
                np.where(leaf, 0, tree.children_left),
                np.where(leaf, 0, tree.children_right),
            )
        )
        values = tree.value[:, 0, :]
        if len(classes) > 1:
            values = values / values.sum(axis=1, keepdims=True)
        places, votes = np.nonzero(leaf[:, None] & ((values != 0) | (len(classes) == 1)))
        self.leaves.append((places, classes[votes], values[places, votes] * share))

    def add_boosted_tree(self, root: dict[str, Any], target: int) -> None:
        """Append a LightGBM tree, as `Booster.dump_model` gives it, that adds to one target.

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

    def write(self, graph: Graph, output: str, targets: int) -> None:
        """Add the ensemble to a graph: the sum of its leaves from `part` to `output`."""
        node_names = ("nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
        leaf_names = ("nodeids", "ids", "weights")
        columns = {f"nodes_{name}": column for name, column in zip(node_names, joined(self.nodes), strict=True)}
        columns |= {f"target_{name}": column for name, column in zip(leaf_names, joined(self.leaves), strict=True)}
        columns["nodes_treeids"] = tree_numbers(self.nodes)
        columns["target_treeids"] = tree_numbers(self.leaves)
        settings = {"n_targets": targets, "aggregate_function": "SUM", "post_transform": "NONE"}
        graph.add("TreeEnsembleRegressor", ["part"], output, domain="ai.onnx.ml", **settings)
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


def add_forest(fitted: Fitted, graph: Graph) -> None:
    """The mean of the trees' votes."""
    trees = [tree.tree_ for tree in fitted.estimator.estimators_]
    classes = fitted.estimator.classes_ if fitted.kind == "classification" else np.array([0])
    ensemble = Ensemble()
    for tree in trees:
        ensemble.add_forest_tree(tree, classes, 1.0 / len(trees))
    ensemble.write(graph, "raw", fitted.n_classes or 1)


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: then x ≤ t decides alike for every float32 x.

    >>> float(rounded_down(np.array(0.1))) <= 0.1 < float(np.float32(0.1))
    True
    """
    with np.errstate(over="ignore"):  # beyond float32 the nearest is infinite, and the largest finite one below it
        near = thresholds.astype(np.float32)
        return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def add_lightgbm(fitted: Fitted, graph: Graph) -> None:
    """The boosted trees, node by node, then the objective's link from sums to probabilities."""
    k = fitted.n_classes
    sums = 1 if k <= 2 else k
    ensemble = Ensemble()
    for number, tree in enumerate(fitted.estimator.dump_model()["tree_info"]):
        ensemble.add_boosted_tree(tree["tree_structure"], number % sums)
    if fitted.kind == "regression":
        ensemble.write(graph, "raw", sums)
        return
    ensemble.write(graph, "sums", sums)
    logits = "sums"
    if k == 2:
        logits = graph.add("MatMul", ["sums", graph.constant("second_class", [[0.0, 1.0]])], "logits")
    graph.add("Softmax", [logits], "raw", axis=1)


MEMBERS: dict[str, Callable[[Fitted, Graph], None]] = {
    "logistic": add_logistic,
    "ridge": add_ridge,
    "forest": add_forest,
    "lightgbm": add_lightgbm,
}
"""How each recipe's member is written: nodes from `part`, its own features, to `raw`, its uncalibrated scores."""


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
