"""From a fitted member and its head to one ONNX model, and how far the two differ.

The usual converters answer wrongly for several parts without a word (a split threshold that is rounded up to the next
float32 sends a row down the other branch), so every node is written here. Whatever is compiled is compared with the
original before it serves.
"""

from __future__ import annotations

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.calibrate import LOWEST, Head
from understudy.models.nodes import Graph
from understudy.models.recipes import RECIPES, Fitted

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
    recipe = RECIPES.get(fitted.recipe)
    if recipe is None or recipe.nodes is None:
        raise ModelError(f"A member of kind {fitted.recipe!r} has no compiled form.")
    graph = Graph()
    graph.add("Gather", ["X", graph.constant("columns", fitted.columns, np.int64)], "part", axis=1)
    recipe.nodes(fitted, graph)
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
