"""What the data looks like, and which columns give the answer away."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from understudy.core.nouns import Kind
from understudy.data.contract import Column, Contract

SCORED_ROWS = 100_000
FEWEST_SCORED = 500
"""Of so many rows, if each answer is among them so often, a single column's score is known to a thousandth."""

ALMOST_PERFECT = 0.995
BINS = 64
PRIOR = 1.0
FEWEST_ROWS = 100
"""From this many rows on, a prediction by one column is worth judging."""

FEWEST_IN_LEVEL = 5
MOST_LEVELS = 50
TOP_LEVELS = 5


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One column in figures.

    Attributes
    ----------
    name, kind, note : str
    used : bool
    missing : float
        The share of rows without a value.
    distinct : int
    summary : str
        Range and mean of a number or time, or the most frequent levels.
    """

    name: str
    kind: str
    used: bool
    note: str
    missing: float
    distinct: int
    summary: str


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """A column that alone predicts the target almost perfectly.

    Attributes
    ----------
    column, reason : str
    score : float
        The cross-fitted ROC AUC (the mean over classes) or R² of this column alone.
    """

    column: str
    score: float
    reason: str


def profile(source: pl.DataFrame, frame: pl.DataFrame, contract: Contract) -> tuple[ColumnProfile, ...]:
    """Every column in figures.

    Parameters
    ----------
    source : pl.DataFrame
        The rows as they were read.
    frame : pl.DataFrame
        The same rows in canonical types; holds the used columns.
    contract : Contract
    """
    made = []
    for column in contract.columns:
        values = frame[column.name] if column.name in frame.columns else source[column.name]
        made.append(
            ColumnProfile(
                name=column.name,
                kind=column.kind,
                used=column.used,
                note=column.note,
                missing=values.null_count() / max(1, len(values)),
                distinct=values.n_unique(),
                summary=summary(column, values),
            )
        )
    return tuple(made)


def summary(column: Column, values: pl.Series) -> str:
    """A column's values in a few words."""
    if column.kind in ("number", "integer") and column.used:
        mean = values.mean()
        return f"{column.low:,.6g} to {column.high:,.6g}, mean {mean:,.6g}" if isinstance(mean, float) else ""
    if column.kind == "datetime" and column.used:
        return " to ".join(str(end) for end in (values.min(), values.max()))
    if column.kind in ("category", "boolean") and column.used:
        counts = values.alias("level").drop_nulls().value_counts(sort=True).head(TOP_LEVELS)
        return ", ".join(f"{level} {count / len(values):.0%}" for level, count in counts.iter_rows())
    return ""


def suspected_leaks(
    frame: pl.DataFrame, contract: Contract, y: np.ndarray, *, kind: Kind, seed: int
) -> tuple[Leak, ...]:
    """Columns that alone predict the target almost perfectly, or rename it.

    Each column is cut into at most 64 bins or its levels; the mean target of each bin on one half predicts the other
    half, and the other way round; a number also counts as it stands. A score of 0.995 or more is a suspicion: a person
    should look. So is a column that follows from the target without exception: a copy, a recoding, or a coarser
    grouping of it (`late` for the target `delay`).

    Parameters
    ----------
    frame : pl.DataFrame
        Rows in canonical types.
    contract : Contract
    y : ndarray of shape (n,)
        Class indices or numbers.
    kind : Kind
    seed : int

    Returns
    -------
    tuple of Leak
        The worst first.
    """
    rng = np.random.default_rng(seed)
    looked = enough_rows(y, kind, rng)
    half = rng.permutation(len(looked)) % 2 == 0
    found = []
    for column in contract.used:
        if column.kind == "text":
            continue
        values = frame[column.name]
        if renames(values, y, kind):
            found.append(Leak(column=column.name, score=1.0, reason="it follows from the target in every row"))
            continue
        some = values if len(looked) == len(values) else values[looked]
        score = single_column_score(some, y[looked], half, kind) if frame.height >= FEWEST_ROWS else 0.0
        if score >= ALMOST_PERFECT:
            what = "ROC AUC" if kind == "classification" else "R²"
            reason = f"alone it predicts the target with {what} {score:.4f}"
            found.append(Leak(column=column.name, score=score, reason=reason))
    return tuple(sorted(found, key=lambda leak: -leak.score))


def enough_rows(y: np.ndarray, kind: Kind, rng: np.random.Generator) -> np.ndarray:
    """The rows that a score is taken from: of very many some, unless an answer is too rare among those."""
    everything = np.arange(len(y))
    if len(y) <= SCORED_ROWS:
        return everything
    some = np.sort(rng.choice(len(y), SCORED_ROWS, replace=False))
    if kind == "classification":
        counts = np.bincount(y[some], minlength=int(y.max()) + 1)
        if counts.min() < FEWEST_SCORED:
            return everything
    return some


def renames(values: pl.Series, y: np.ndarray, kind: Kind) -> bool:
    """Whether a column is the target by another name: each answer always goes with the same one of its few values.

    Of a number to estimate, each stretch goes with one value. Only columns whose every value is there in five rows or
    more can show it: a flag that is set twice may always go with one answer by chance.
    """
    if values.head(SCORED_ROWS).n_unique() > MOST_LEVELS:
        return False
    codes = values.rank("dense").cast(pl.Int64).fill_null(0).to_numpy()
    sizes = np.unique_counts(codes).counts
    if not 2 <= len(sizes) <= MOST_LEVELS or sizes.min() < FEWEST_IN_LEVEL:
        return False
    if kind == "classification":
        both = codes * (int(y.max()) + 1) + y
        return len(np.unique_values(both)) == len(np.unique_values(y))
    order = np.lexsort((codes, y))
    changes = np.flatnonzero(np.diff(codes[order]))
    ties = y[order][changes] == y[order][changes + 1]
    return len(changes) == len(sizes) - 1 and not ties.any()


def single_column_score(values: pl.Series, y: np.ndarray, half: np.ndarray, kind: Kind) -> float:
    """The cross-fitted score of one column, from 0 to 1."""
    if kind == "regression" and values.dtype.is_numeric() and follows(values, y):
        return 1.0
    codes = column_codes(values)
    if kind == "regression":
        predicted = cross_fitted(codes, y.astype(np.float64), half)
        total = float(np.sum((y - y.mean()) ** 2))
        return 1 - float(np.sum((y - predicted) ** 2)) / total if total else 0.0
    fitted = [area(y == label, cross_fitted(codes, (y == label).astype(np.float64), half)) for label in np.unique(y)]
    return max(float(np.mean(fitted)), ranked_area(values, y))


def ranked_area(values: pl.Series, y: np.ndarray) -> float:
    """The area that a number has by itself, up or down, which shows rare answers that bins are too coarse for."""
    if not (values.dtype.is_numeric() or values.dtype.is_temporal()):
        return 0.0
    numbers = values.to_physical().cast(pl.Float64)
    ranks = average_ranks(numbers.fill_null(numbers.median()).to_numpy())
    areas = [area_of_ranks(y == label, ranks) for label in np.unique(y)]
    return float(np.mean([max(one, 1 - one) for one in areas]))


def follows(values: pl.Series, y: np.ndarray) -> bool:
    """Whether a numeric column is the target itself, be it scaled, shifted, or bent but in the same order."""
    known = values.is_not_null().to_numpy()
    numbers = values.cast(pl.Float64).fill_null(0.0).to_numpy()[known]
    if len(numbers) < FEWEST_ROWS or np.std(numbers) == 0 or np.std(y[known]) == 0:
        return False
    straight = np.corrcoef(numbers, y[known])[0, 1]
    ordered = np.corrcoef(average_ranks(numbers), average_ranks(y[known]))[0, 1]
    return bool(max(abs(straight), abs(ordered)) ** 2 >= ALMOST_PERFECT)


def column_codes(values: pl.Series) -> np.ndarray:
    """A bin or level for each row; missing values have one of their own. Levels that occur once share one."""
    if values.dtype.is_numeric() or values.dtype.is_temporal():
        numbers = values.to_physical().cast(pl.Float64).fill_null(np.nan).to_numpy()
        known = numbers[~np.isnan(numbers)]
        if len(np.unique(known[:10_000])) > BINS:
            edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
            return np.where(np.isnan(numbers), len(edges) + 1, np.searchsorted(edges, numbers, side="right"))
    codes = values.rank("dense").cast(pl.Int64).fill_null(0).to_numpy()
    sizes = np.bincount(codes)
    return np.where(sizes[codes] == 1, len(sizes), codes)


def cross_fitted(codes: np.ndarray, target: np.ndarray, half: np.ndarray) -> np.ndarray:
    """The mean target of each row's code, from the other half of the rows, drawn a little to the overall mean."""
    width = int(codes.max()) + 1
    predicted = np.empty(len(codes))
    for side in (half, ~half):
        sums = np.bincount(codes[~side], weights=target[~side], minlength=width)
        counts = np.bincount(codes[~side], minlength=width)
        mean = target[~side].mean()
        predicted[side] = ((sums + PRIOR * mean) / (counts + PRIOR))[codes[side]]
    return predicted


def area(positive: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve, by ranks, ties counting half."""
    return area_of_ranks(positive, average_ranks(scores))


def average_ranks(values: np.ndarray) -> np.ndarray:
    """The place of each value in their order, from 1; equal ones share the mean of theirs."""
    return pl.Series(values).rank("average").to_numpy()


def area_of_ranks(positive: np.ndarray, ranks: np.ndarray) -> float:
    """The area under the ROC curve of scores that are ranked already."""
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    if not n1 or not n0:
        return 0.5
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))
