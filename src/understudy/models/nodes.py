"""An ONNX graph in the making."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
ML_OPSET = 3
IR_VERSION = 9
ABSENT = -1e30
"""The logit of a class without training rows: minus infinity, nearly."""


class Graph:
    """Nodes and constants of an ONNX graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: Any, dtype: type = np.float32) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, *more: str, **attributes: Any) -> str:
        """Add a node and return its first output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output, *more], name=output, **attributes))
        return output

    def model(self, width: int, target: onnx.ValueInfoProto) -> onnx.ModelProto:
        """The finished model from the matrix `X` to the target."""
        source = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, width])
        graph = helper.make_graph(self.nodes, "understudy", [source], [target], self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="understudy")


def add_wide(graph: Graph) -> str:
    """The features as float64: in float32 large inputs that cancel would not."""
    return graph.add("Cast", ["part"], "wide", to=TensorProto.DOUBLE)


def add_weighted_sums(graph: Graph, weights: np.ndarray, bias: np.ndarray, output: str) -> None:
    """Add X Wᵀ + b in float64, for weights of shape (k, d)."""
    add_wide(graph)
    constants = [graph.constant("weights", weights, np.float64), graph.constant("intercept", bias, np.float64)]
    graph.add("Gemm", ["wide", *constants], output, transB=1)


def add_distances(graph: Graph, X: np.ndarray) -> str:
    """Add the squared distances from each row to each of those given, of shape (m, d), in float64."""
    wide, rows = add_wide(graph), graph.constant("axis", [1], np.int64)
    own = graph.add("ReduceSumSquare", [wide, rows], "own", keepdims=1)
    constants = [
        graph.constant("kept", -2.0 * X, np.float64),
        graph.constant("lengths", (X**2).sum(axis=1), np.float64),
    ]
    return graph.add("Add", [own, graph.add("Gemm", [wide, *constants], "other", transB=1)], "distances")


def add_shares(graph: Graph, logits: str) -> None:
    """The softmax of float64 logits, as `raw`."""
    graph.add("Softmax", [logits], "shares", axis=1)
    graph.add("Cast", ["shares"], "raw", to=TensorProto.FLOAT)


def placed(scores: np.ndarray, classes: np.ndarray, n_classes: int, absent: float) -> np.ndarray:
    """Rows, or numbers, of the classes that were seen among those of all classes.

    >>> placed(np.array([3.0, 4.0]), np.array([0, 2]), 3, -9.0).tolist()
    [3.0, -9.0, 4.0]
    """
    everything = np.full((n_classes, *scores.shape[1:]), absent)
    everything[classes] = scores
    return everything
