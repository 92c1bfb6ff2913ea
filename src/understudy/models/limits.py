"""What a model may cost in service, what its members do cost, and which of them are worth it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from understudy.core.nouns import Kind
from understudy.models.selection import greedy_weights, mean_losses, predicted_by_all, row_shares, truth_scores

MICROS = 170.0
"""Microseconds for one row, where nobody asks for less: with reading, encoding and strangeness it stays below 200."""

LIGHTEST = 0.02
"""A member that counts less is left out."""

CALL, OPERATOR = 4.0, 0.9
"""Microseconds of any call, and of any of its operators."""

VISIT = 0.006
"""Microseconds at a node of a tree that the processor has at hand."""

NEAR_NODES = 50_000
"""Beyond so many nodes most visits wait for memory."""

CRAMPED = 0.7
"""The power of the number of nodes with which they then wait."""

PATH = 1.3
"""How much longer the path of a row is than in a balanced tree."""

NODE_BYTES = 37
"""What a node of a forest for two classes, or for numbers, takes in a compiled model."""

PER_NUMBER = 0.0004
"""Microseconds for a weight, a distance or any other number that is multiplied."""

NATIVE = 5000.0
"""Microseconds for one row of a member that cannot be compiled."""


@dataclass(frozen=True)
class Cost:
    """What a model takes: microseconds for one row, compiled, and bytes."""

    micros: float
    size: int


@dataclass(frozen=True)
class Limits:
    """What a model may take.

    Attributes
    ----------
    micros : float
        Microseconds for one row, compiled.
    size : float
        Bytes.
    """

    micros: float = MICROS
    size: float = math.inf

    def load(self, cost: Cost) -> float:
        """How much of what it may take a model does take: above 1 it is too much."""
        return max(cost.micros / self.micros, cost.size / self.size)


def total_cost(costs: list[Cost]) -> Cost:
    """What members take in one model: a call is made once."""
    return Cost(sum(cost.micros for cost in costs) - CALL * (len(costs) - 1), sum(cost.size for cost in costs))


def counted_micros(model: bytes) -> float:
    """About how long one row takes on one core, counted from what a compiled model consists of.

    It depends on the model alone, so that a choice by it can be repeated on any machine. A tree costs a path from root
    to leaf; a forest that is larger than the processor's memory waits at every step of it.
    """
    graph = onnx.load_model_from_string(model).graph
    numbers = sum(math.prod(constant.dims) for constant in graph.initializer)
    trees = sum(tree_micros(node) for node in graph.node)
    return float(CALL + OPERATOR * len(graph.node) + PER_NUMBER * numbers + trees)


def tree_micros(node: onnx.NodeProto) -> float:
    """About how long the trees of an operator take; 0 where it has none."""
    numbers = next((found.ints for found in node.attribute if found.name == "nodes_treeids"), ())
    return path_micros(len(numbers), numbers[-1] + 1) if numbers else 0.0


def path_micros(nodes: int, trees: int) -> float:
    """About how long it takes to go down so many trees."""
    visits = trees * max(1.0, PATH * math.log2(nodes / trees))
    return float(VISIT * visits * max(1.0, nodes / NEAR_NODES) ** CRAMPED)


def forest_cost(estimator: Any) -> Cost | None:
    """What a forest of scikit-learn takes, without the seconds that it takes to compile; None for anything else."""
    trees = [tree.tree_ for tree in getattr(estimator, "estimators_", ()) if hasattr(tree, "tree_")]
    if not trees:
        return None
    nodes = sum(tree.node_count for tree in trees)
    return Cost(CALL + 3 * OPERATOR + path_micros(nodes, len(trees)), nodes * NODE_BYTES)


def pruned(weights: Mapping[int, float]) -> dict[int, float]:
    """The weights without those that hardly count, with sum 1.

    >>> pruned({3: 0.985, 5: 0.015})
    {3: 1.0}
    """
    kept = {number: weight for number, weight in weights.items() if weight >= LIGHTEST}
    total = sum(kept.values())
    return {number: weight / total for number, weight in kept.items()}


def lightened(
    weights: Mapping[int, float],
    costs: Mapping[int, Cost],
    limits: Limits,
    stack: Mapping[int, np.ndarray],
    y: np.ndarray,
    kind: Kind,
    row_weights: np.ndarray | None = None,
) -> dict[int, float]:
    """The weights of those members that fit the limits together.

    One after the other the member goes whose loss to the blend is the smallest for what it takes; those that are left
    share the answer anew. At least one stays, the lightest if none fits.

    Parameters
    ----------
    weights : mapping of int to float
        The blend, by trial.
    costs : mapping of int to Cost
        What each member takes by itself.
    limits : Limits
    stack : mapping of int to ndarray
        Out-of-fold predictions, as for `greedy_weights`.
    y, kind, row_weights
        As for `greedy_weights`.
    """
    kept = sorted(weights)
    scored, shares = judged([stack[number] for number in kept], y, kind, row_weights)
    while limits.load(total_cost([costs[number] for number in kept])) > 1 and len(kept) > 1:
        worth = worths(np.array([weights[number] for number in kept]), scored, shares, kind)
        worth /= [limits.load(costs[number]) for number in kept]
        gone = int(np.argmin(worth))
        kept, scored = [*kept[:gone], *kept[gone + 1 :]], np.delete(scored, gone, axis=0)
    if limits.load(costs[kept[0]]) > 1 and len(kept) == 1:
        kept = [min(sorted(weights), key=lambda number: limits.load(costs[number]))]
    if len(kept) == len(weights):
        return dict(weights)
    chosen = greedy_weights(np.stack([stack[number] for number in kept]), y, kind, row_weights)
    return pruned(dict(zip(kept, chosen.tolist(), strict=True)))


def judged(
    stack: list[np.ndarray], y: np.ndarray, kind: Kind, row_weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """What the loss of a mean needs of the rows that all members predict, and how much these rows count."""
    whole = predicted_by_all(np.stack(stack))
    scored = truth_scores(np.stack(stack)[:, whole], y[whole], kind)
    return scored, row_shares(None if row_weights is None else row_weights[whole], scored.shape[1])


def worths(weights: np.ndarray, scored: np.ndarray, shares: np.ndarray, kind: Kind) -> np.ndarray:
    """What the blend would lose without each of its members, of shape (m,)."""
    weights = weights / weights.sum()
    mean = weights @ scored
    without = (mean - weights[:, None] * scored) / (1 - weights)[:, None]
    return np.asarray(mean_losses(without, shares, kind) - mean_losses(mean[None], shares, kind))
