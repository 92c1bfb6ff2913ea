"""From fitted members and their head to one ONNX model, and how far the two differ.

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
from understudy.models.blend import Blend, alone
from understudy.models.calibrate import LOWEST, Head
from understudy.models.ensemble import Ensemble
from understudy.models.nodes import Graph
from understudy.models.recipes import RECIPES, Fitted
from understudy.models.recipes.recipe import add_part

AGREEMENT = 1e-5
LARGEST_MODEL = 200_000_000
SHARED = ("X", "")
"""What members do not have each for themselves: the matrix, and inputs that are left out."""


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


def compile_model(model: Blend | Fitted, head: Head, width: int) -> bytes:
    """One ONNX model from the encoded matrix to calibrated scores.

    Parameters
    ----------
    model : Blend or Fitted
        The members, or one of them.
    head : Head
        Their calibration.
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
        A member has a part that cannot be expressed, or the model would be too large to serve.
    """
    blend = model if isinstance(model, Blend) else alone(model)
    graph = Graph()
    raw = [add_member(member, graph, f"{place}_") for place, member in enumerate(blend.members)]
    if blend.kind == "regression":
        add_numbers(blend, raw, graph)
        target = helper.make_tensor_value_info("value", TensorProto.DOUBLE, [None, 1])
    else:
        add_probability_head(head, add_mean(blend, raw, graph), graph)
        target = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, blend.n_classes])
    made = graph.model(width, target)
    if made.ByteSize() > LARGEST_MODEL:
        raise ModelError(f"The compiled model would have {made.ByteSize() / 1e6:.0f} MB.")
    try:
        onnx.checker.check_model(made)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"The compiled model is not valid: {error}") from error
    data: bytes = made.SerializeToString(deterministic=True)
    return data


def add_member(fitted: Fitted, graph: Graph, prefix: str) -> str:
    """Write a member's nodes under names of their own, and return the name of its raw scores."""
    recipe = RECIPES.get(fitted.recipe)
    if recipe is None or recipe.nodes is None:
        raise ModelError(f"A member of kind {fitted.recipe!r} has no compiled form.")
    own = Graph()
    add_part(fitted, own)
    recipe.nodes(fitted, own)
    for constant in own.constants:
        constant.name = prefix + constant.name
    for node in own.nodes:
        node.name = prefix + node.name
        for names in (node.input, node.output):
            names[:] = [name if name in SHARED else prefix + name for name in names]
    graph.constants += own.constants
    graph.nodes += own.nodes
    return f"{prefix}raw"


def add_mean(blend: Blend, raw: list[str], graph: Graph) -> str:
    """The weighted mean of the members' probabilities, as `mean`."""
    if len(raw) == 1:
        return raw[0]
    side_by_side = graph.add("Concat", raw, "side_by_side", axis=1)
    mixing = np.kron(blend.weights[:, None], np.eye(blend.n_classes))
    return graph.add("MatMul", [side_by_side, graph.constant("mixing", mixing)], "mean")


def add_numbers(blend: Blend, raw: list[str], graph: Graph) -> None:
    """The weighted mean of the members' numbers, brought back to the target's own scale, in float64."""
    wide = [graph.add("Cast", [name], f"number_{place}", to=TensorProto.DOUBLE) for place, name in enumerate(raw)]
    side_by_side = wide[0] if len(wide) == 1 else graph.add("Concat", wide, "side_by_side", axis=1)
    scales = [[weight * member.scale] for weight, member in zip(blend.weights, blend.members, strict=True)]
    center = sum(weight * member.center for weight, member in zip(blend.weights, blend.members, strict=True))
    scaled = graph.add("MatMul", [side_by_side, graph.constant("target_scale", scales, np.float64)], "scaled")
    graph.add("Add", [scaled, graph.constant("target_center", [[center]], np.float64)], "value")


def add_probability_head(head: Head, raw: str, graph: Graph) -> None:
    """The calibration as nodes, from `raw` to `probabilities`."""
    if not head.bias and not head.knots:
        graph.add("Identity", [raw], "probabilities")
        return
    bounds = [graph.constant("lowest", LOWEST), graph.constant("highest", 1 - LOWEST)]
    graph.add("Log", [graph.add("Clip", [raw, *bounds], "clipped")], "logs")
    if head.knots:
        add_curves(head, raw, bounds, graph)
        return
    graph.add("Mul", ["logs", graph.constant("slope", [[head.slope]])], "sloped")
    graph.add("Add", ["sloped", graph.constant("bias", [list(head.bias)])], "scores")
    graph.add("Softmax", ["scores"], "probabilities", axis=1)


def add_curves(head: Head, raw: str, bounds: list[str], graph: Graph) -> None:
    """Polylines over the log odds, and what they say made to sum to 1.

    A tree finds the line that a case stands on. Lines meet, so it does not matter on which side of a knot it looks.
    """
    k = len(head.knots)
    graph.add("MatMul", [raw, graph.constant("other_classes", 1 - np.eye(k))], "others")
    graph.add("Log", [graph.add("Clip", ["others", *bounds], "others_clipped")], "others_logs")
    graph.add("Sub", ["logs", "others_logs"], "log_odds")
    lines = Ensemble()
    for place, (knots, levels) in enumerate(zip(map(np.array, head.knots), map(np.array, head.levels), strict=True)):
        slopes = np.diff(levels) / np.diff(knots)
        starts = levels[:-1] - slopes * knots[:-1]
        lines.add_steps(place, knots[1:-1], np.column_stack([starts, slopes]), np.array([place, k + place]))
    lines.write(graph, "lines", 2 * k, source="log_odds")
    graph.add("Split", ["lines"], "starts", "slopes", axis=1, num_outputs=2)
    graph.add("Add", ["starts", graph.add("Mul", ["slopes", "log_odds"], "risen")], "shares")
    graph.add("ReduceSum", ["shares", graph.constant("classes_axis", [1], np.int64)], "whole", keepdims=1)
    graph.add("Div", ["shares", "whole"], "probabilities")


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
