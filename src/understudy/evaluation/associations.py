"""How strongly columns go together, and which of them therefore stand for each other."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

STRONG = 0.8
"""From here on two columns are taken to stand for each other: they share about two thirds of what they say."""

MOST_LEVELS = 30
MOST_ROWS = 5000


def associations(frame: pl.DataFrame) -> np.ndarray:
    """How strongly each two columns go together, of shape (d, d): 0 not at all, 1 each follows from the other.

    Two numbers by Spearman's rank correlation; two categories by Cramér's V without its bias (Bergsma 2013, "A
    bias-correction for Cramér's V and Tschuprow's T"); a category and a number by the root of the share of the ranks'
    variance that the category explains, adjusted for its levels. Columns of free text go together with none.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows in canonical types; of more than 5,000 as many, evenly spread.

    >>> age = [20, 30, 40, 50, 60, 70]
    >>> associations(pl.DataFrame({"age": age, "born": [2000 - one for one in age]})).round(2).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    if frame.height > MOST_ROWS:
        frame = frame[np.linspace(0, frame.height - 1, MOST_ROWS).astype(int)]
    found = np.eye(frame.width)
    seen = [column_ranks(column) for column in frame]
    for i, (kind, one) in enumerate(seen):
        for j, (other_kind, other) in enumerate(seen[:i]):
            if one is None or other is None:
                continue
            if kind == other_kind == "number":
                value = abs(correlation(one, other))
            elif kind == other_kind:
                value = cramers_v(one, other)
            else:
                codes, ranks = (one, other) if kind == "level" else (other, one)
                value = explained(codes, ranks)
            found[i, j] = found[j, i] = value
    return found


def stand_ins(found: np.ndarray, strong: float = STRONG) -> tuple[tuple[int, ...], ...]:
    """Groups of columns each two of which are at least so strongly associated (complete linkage)."""
    if len(found) < 2:
        return ()
    tree = linkage(squareform(np.clip(1 - found, 0, 1), checks=False), "complete")
    labels = fcluster(tree, 1 - strong + 1e-9, "distance")
    groups = (np.flatnonzero(labels == label) for label in np.unique(labels))
    return tuple(tuple(group.tolist()) for group in groups if len(group) > 1)


def column_ranks(column: pl.Series) -> tuple[str, np.ndarray | None]:
    """Ranks of numbers and times, codes of levels; None for texts and for what never varies."""
    if column.n_unique() < 2:
        return "number", None
    if column.dtype in (pl.String, pl.Boolean):
        if column.n_unique() > 0.5 * len(column) and len(column) > MOST_LEVELS:
            return "level", None
        text = column.cast(pl.String).fill_null("\0missing")
        frequent = text.value_counts(sort=True)[column.name].head(MOST_LEVELS).to_list()
        return "level", text.replace_strict(frequent, range(len(frequent)), default=len(frequent)).to_numpy()
    numbers = column.to_physical().cast(pl.Float64)
    return "number", rankdata(numbers.fill_null(numbers.median()).to_numpy())


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation."""
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / size if size else 0.0


def explained(codes: np.ndarray, ranks: np.ndarray) -> float:
    """The root of the adjusted share of the ranks' variance between levels."""
    n, k = len(codes), int(codes.max()) + 1
    counts = np.bincount(codes, minlength=k)
    off = ranks - ranks.mean()
    sums = np.bincount(codes, off, minlength=k)
    total = float(off @ off)
    levels = int((counts > 0).sum())
    if not total or n <= levels:
        return 0.0
    within = 1 - float((sums**2 / np.maximum(counts, 1)).sum()) / total
    return float(np.sqrt(max(0.0, 1 - within * (n - 1) / (n - levels))))


def cramers_v(one: np.ndarray, other: np.ndarray) -> float:
    """Cramér's V, less what chance would give."""
    n, k = len(one), int(other.max()) + 1
    cells = np.bincount(one * k + other, minlength=(int(one.max()) + 1) * k).reshape(-1, k).astype(float)
    cells = cells[cells.sum(axis=1) > 0][:, cells.sum(axis=0) > 0]
    r, c = cells.shape
    if r < 2 or c < 2 or n < 2:
        return 0.0
    expected = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / n
    phi = max(0.0, float(((cells - expected) ** 2 / expected).sum()) / n - (r - 1) * (c - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > 0 else 0.0
