"""What the answer usually is at a level: a code becomes the mean of the target among its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from onnx import TensorProto
from scipy.special import logit

from understudy.data.prepare import MOST_HOT
from understudy.models.nodes import Graph
from understudy.models.rows import Effort, Rows, target_columns
from understudy.models.steps.kept import keep
from understudy.models.steps.step import Made, Name, add_beside, after, beside, known_signs, others, places

MANY_CODES = 9
"""Trees do well by themselves where a column has fewer codes."""
MORE_CODES = MOST_HOT + 3
"""Where a column has fewer codes, each of its levels has a feature of its own."""
MOST_CLASSES = 10
PARTS = 5
SMOOTHING = 20.0
"""The mean of all rows counts as so many rows more of each level."""
CERTAIN = 1e-4


class TargetMeans(msgspec.Struct, frozen=True, tag="target_means"):
    """Tables from codes to what is usual there: a number, or the log odds of classes.

    A code beyond the table gets its last entry, which is what all rows together say.

    Attributes
    ----------
    kept : tuple of int
        The columns that pass.
    columns : tuple of int, length c
        Columns of codes.
    tables : tuple of c ndarray of shape (m, k)
        float32 numbers held as float64.
    """

    kept: tuple[int, ...]
    columns: tuple[int, ...]
    tables: tuple[np.ndarray, ...]

    def apply(self, X: np.ndarray) -> np.ndarray:
        """The columns that pass, and the means, as float32."""
        made = [
            table[np.clip(X[:, column].astype(np.int64), 0, len(table) - 1)]
            for column, table in zip(self.columns, self.tables, strict=True)
        ]
        return beside(X.astype(np.float32), self.kept, np.hstack(made).astype(np.float32))

    def add(self, graph: Graph, source: str) -> str:
        """The same, node by node in float32."""
        name = f"{source}_means"
        narrow = graph.add("Cast", [source], f"{name}_narrow", to=TensorProto.FLOAT)
        codes = graph.add("Cast", [source], f"{name}_whole", to=TensorProto.INT64)
        made = []
        for number, (column, table) in enumerate(zip(self.columns, self.tables, strict=True)):
            own = f"{name}_{number}"
            code = graph.add("Gather", [codes, graph.constant(f"{own}_place", column, np.int64)], f"{own}_code", axis=1)
            bounds = [
                graph.constant(f"{own}_{part}", bound, np.int64) for part, bound in (("0", 0), ("last", len(table) - 1))
            ]
            cut = graph.add("Clip", [code, *bounds], f"{own}_cut")
            made.append(graph.add("Gather", [graph.constant(f"{own}_table", table), cut], own, axis=0))
        means = made[0] if len(made) == 1 else graph.add("Concat", made, name, axis=1)
        return add_beside(graph, narrow, self.kept, means, f"{source}_meant")

    def names(self, names: Sequence[Name]) -> tuple[Name, ...]:
        """Each mean by its column, and its class where there are several."""
        made = []
        for column, table in zip(self.columns, self.tables, strict=True):
            several = table.shape[1] > 1
            made += [
                Name(f"usual at {names[column].text}{f', class {place}' if several else ''}")
                for place in range(table.shape[1])
            ]
        return (*(names[place] for place in self.kept), *made)


def fit_target_means(*, fewest: int, keep_codes: bool) -> Callable[[Rows, Effort], Made]:
    """How to fit target means of columns with so many codes or more, beside all codes or in their place."""

    def fit(rows: Rows, effort: Effort) -> Made:
        """Target encoding (Micci-Barreca 2001), cross-fitted: no row sees its own answer, or those of its part.

        Each fifth of the rows gets the means of the four others; rows that come later get those of all rows.
        """
        codes = places(rows, "code")
        many = [place for place in codes if rows.X[:, place].max() + 1 >= fewest]
        if not many or rows.n_classes > MOST_CLASSES:
            return Made(rows) if keep_codes or not codes else keep(rows, others(rows, codes))
        kept = others(rows, [] if keep_codes else codes)
        targets = target_columns(rows)
        weights = np.ones(len(rows.y)) if rows.weights is None else rows.weights
        part = np.random.default_rng(effort.seed).permutation(len(rows.y)) % PARTS
        tables, means = [], []
        for place in many:
            column = rows.X[:, place].astype(np.int64)
            sums = part_sums(column, part, targets, weights)
            total = sums.sum(axis=0)
            tables.append(table_of(total, rows))
            without = np.stack([table_of(total - own, rows) for own in sums])
            means.append(without[part, column])
        step = TargetMeans(kept, tuple(many), tuple(tables))
        made = sum(table.shape[1] for table in tables)
        X = beside(rows.X.astype(np.float32), kept, np.hstack(means).astype(np.float32))
        views = [*(rows.views[place] for place in kept), *["mean"] * made]
        signs = np.pad(known_signs(rows)[list(kept)], (0, made))
        return Made(after(step, rows, views, signs=signs, X=X), (step,))

    return fit


def part_sums(column: np.ndarray, part: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums of the targets, and of the weights, by part and code, of shape (parts, m, k + 1)."""
    most = int(column.max()) + 1
    place = part * most + column
    columns = [*(weights * target for target in targets.T), weights]
    sums = [np.bincount(place, each, minlength=PARTS * most) for each in columns]
    return np.stack(sums, axis=-1).reshape(PARTS, most, len(columns))


def table_of(sums: np.ndarray, rows: Rows) -> np.ndarray:
    """Smoothed means by code, and at the end that of all rows, of shape (m + 1, k), rounded to float32.

    >>> rows = Rows("regression", 0, np.zeros((0, 1)), np.zeros(0), ["code"])
    >>> table_of(np.array([[50.0, 20.0], [0.0, 0.0]]), rows).tolist()  # 20 rows of mean 2.5, and a code without rows
    [[2.5], [2.5], [2.5]]
    """
    everything = sums.sum(axis=0)
    middle = everything[:-1] / max(everything[-1], 1e-12)
    means = (sums[:, :-1] + SMOOTHING * middle) / (sums[:, -1:] + SMOOTHING)
    means = np.vstack([means, middle])
    if rows.kind == "classification":
        means = logit(np.clip(means, CERTAIN, 1 - CERTAIN))
    return np.asarray(means.astype(np.float32).astype(np.float64))
