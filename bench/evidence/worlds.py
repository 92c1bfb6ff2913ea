"""Invented worlds: how the risk grows from the surest case to the least sure one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Curve = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class World:
    """Cases whose rank q runs evenly from 0, the surest, to 1; the confidence is 1 − q.

    Attributes
    ----------
    name : str
    curve : callable
        The risk of a case by its rank, as a multiple of r.
    values : int
        How many values the confidence takes; 0 where it never ties.
    """

    name: str
    curve: Curve
    values: int = 0

    def draw(self, rng: np.random.Generator, n: int, max_error: float) -> tuple[np.ndarray, np.ndarray]:
        """Confidences and losses of n cases."""
        rank = rng.random(n)
        loss = (rng.random(n) < np.minimum(max_error * self.curve(rank), 1)).astype(np.float64)
        if self.values:
            rank = (np.floor(rank * self.values) + 0.5) / self.values
        return 1 - rank, loss

    def grid(self, points: int = 40, floor: float = 0.1) -> tuple[float, ...]:
        """Thresholds that cover from `floor` of the cases to all."""
        if self.values:
            return tuple(1 - (np.arange(self.values) + 0.5) / self.values)
        return tuple((1 - np.linspace(floor, 1, points)).tolist())

    def coverage(self, threshold: float) -> float:
        """The share of cases at or above a threshold."""
        if not self.values:
            return 1 - threshold
        return float(np.mean((np.arange(self.values) + 0.5) / self.values <= 1 - threshold + 1e-9))

    def risk(self, threshold: float) -> float:
        """The risk of the cases at or above a threshold, as a multiple of r."""
        rank = (np.arange(20_000) + 0.5) / 20_000 * self.coverage(threshold)
        return float(self.curve(rank).mean())

    def oracle(self) -> float:
        """The largest coverage at which the risk is below r."""
        grid = 1 - np.linspace(0.001, 1, 1000) if not self.values else np.array(self.grid())
        return max((self.coverage(float(one)) for one in grid if self.risk(float(one)) < 1), default=0.0)


WORLDS = (
    World("linear", lambda q: 6 * q),
    World("steep", lambda q: np.where(q < 0.5, 0.2, 8.0)),
    World("flat", lambda q: np.full_like(q, 0.6)),
    World("plateau", lambda q: np.where(q < 0.3, 0.7, 6.0)),
    World("ties", lambda q: 0.3 + 2.4 * np.floor(q * 5) / 5, values=5),
    World("inverted", lambda q: 1.6 * (1 - q)),
)
"""From 0 to 6 r; good for a half and then hopeless; the same everywhere; close to r for a third and then hopeless; five
values of confidence only; worst where it is surest, and yet good enough on the whole."""
