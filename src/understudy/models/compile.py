"""From a fitted member and its head to one ONNX model, and how far the two differ.

Converters answer wrongly for several parts without a word, so linear models, forests and the head are written here node
by node; only boosted trees go through a converter. Whatever is compiled is compared with the original before it serves.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.calibrate import LOWEST, Head
from understudy.models.recipes import Fitted

OPSET = 18
ML_OPSET = 3
CONVERTER_OPSET = 15  # the newest that the converter knows; its nodes mean the same at 18
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


def logistic_model(fitted: Fitted) -> onnx.ModelProto:
    """Logits and softmax; a class without training rows gets a logit of minus infinity, nearly."""
    estimator, k = fitted.estimator, fitted.n_classes
    weights, bias = estimator.coef_, estimator.intercept_
    if len(estimator.classes_) == 2:
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, bias[0]])
    all_weights, all_bias = np.zeros((k, weights.shape[1])), np.full(k, -1e30)
    all_weights[estimator.classes_], all_bias[estimator.classes_] = weights, bias
    graph = Graph()
    inputs = ["member_in", graph.constant("weights", all_weights), graph.constant("intercept", all_bias)]
    graph.add("Gemm", inputs, "logits", transB=1)
    graph.add("Softmax", ["logits"], "member_out", axis=1)
    return graph.model("member_in", weights.shape[1], "member_out", k)


def ridge_model(fitted: Fitted) -> onnx.ModelProto:
    """A weighted sum."""
    weights = fitted.estimator.coef_.reshape(1, -1)
    graph = Graph()
    inputs = ["member_in", graph.constant("weights", weights), graph.constant("intercept", [fitted.estimator.intercept_])]
    graph.add("Gemm", inputs, "member_out", transB=1)
    return graph.model("member_in", weights.shape[1], "member_out", 1)


def forest_model(fitted: Fitted) -> onnx.ModelProto:
    """The trees, node by node; leaves vote with their class shares, or their mean."""
    outputs = fitted.n_classes or 1
    trees = [tree.tree_ for tree in fitted.estimator.estimators_]
    columns: dict[str, list[Any]] = {
        key: []
        for key in (
            "nodes_treeids",
            "nodes_nodeids",
            "nodes_featureids",
            "nodes_values",
            "nodes_modes",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "target_treeids",
            "target_nodeids",
            "target_ids",
            "target_weights",
        )
    }
    classes = fitted.estimator.classes_ if fitted.kind == "classification" else np.array([0])
    for number, tree in enumerate(trees):
        add_tree(columns, number, tree, classes, 1.0 / len(trees))
    graph = Graph()
    graph.add(
        "TreeEnsembleRegressor",
        ["member_in"],
        "member_out",
        domain="ai.onnx.ml",
        n_targets=outputs,
        aggregate_function="SUM",
        post_transform="NONE",
        **columns,
    )
    return graph.model("member_in", len(fitted.columns), "member_out", outputs)


def add_tree(columns: dict[str, list[Any]], number: int, tree: Any, classes: np.ndarray, share: float) -> None:
    """Append one scikit-learn tree to the columns of a TreeEnsemble node."""
    leaf = tree.children_left < 0
    count = tree.node_count
    columns["nodes_treeids"] += [number] * count
    columns["nodes_nodeids"] += range(count)
    columns["nodes_featureids"] += np.where(leaf, 0, tree.feature).tolist()
    columns["nodes_values"] += np.where(leaf, np.float32(0), rounded_down(tree.threshold)).tolist()
    columns["nodes_modes"] += np.where(leaf, "LEAF", "BRANCH_LEQ").tolist()
    columns["nodes_truenodeids"] += np.where(leaf, 0, tree.children_left).tolist()
    columns["nodes_falsenodeids"] += np.where(leaf, 0, tree.children_right).tolist()
    values = tree.value[:, 0, :]
    if len(classes) > 1:
        values = values / values.sum(axis=1, keepdims=True)
    nodes, votes = np.nonzero(leaf[:, None] & (values != 0))
    columns["target_treeids"] += [number] * len(nodes)
    columns["target_nodeids"] += nodes.tolist()
    columns["target_ids"] += classes[votes].tolist()
    columns["target_weights"] += (values[nodes, votes] * share).tolist()


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: then x ≤ t decides alike for every float32 x."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def lightgbm_model(fitted: Fitted) -> onnx.ModelProto:
    """The boosted trees, through the converter."""
    width = len(fitted.columns)
    converted = convert_lightgbm(
        fitted.estimator,
        initial_types=[("member_in", FloatTensorType([None, width]))],
        zipmap=False,
        target_opset=CONVERTER_OPSET,
    )
    wanted = "probabilities" if fitted.kind == "classification" else "variable"
    del converted.graph.output[:]
    converted.graph.node.append(helper.make_node("Identity", [wanted], ["member_out"], name="member_out"))
    outputs = fitted.n_classes or 1
    converted.graph.output.append(helper.make_tensor_value_info("member_out", TensorProto.FLOAT, [None, outputs]))
    del converted.opset_import[:]
    converted.opset_import.extend([helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)])
    converted.ir_version = IR_VERSION
    return converted


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
