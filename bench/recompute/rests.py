"""What a version rests on: importances by scikit-learn, effects along columns by plain loops."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.inspection import permutation_importance

from understudy.evaluation.effects import BINS, MOST_LEVEL_ROWS, MOST_ROWS, TAIL, ColumnEffect
from understudy.evaluation.importance import Importance, Importances, taken
from understudy.evaluation.measures import METRICS

from .ledger import Ledger
from .measures import Figure, figures
from .seen import Seen

REPEATS = 8
SIGMAS = 6.0
"""The spread of the draws is itself told by eight of them."""


def recompute(seen: Seen, ledger: Ledger) -> None:
    """All of it."""
    found = seen.report.findings
    if found is None or found.explanations is None:
        return
    ledger.chapter("importances")
    importances(seen, found.explanations.importances, ledger)
    ledger.chapter("effects")
    for one in found.explanations.effects:
        if one.form == "level":
            levels(seen, one, ledger)
        else:
            accumulated(seen, one, ledger)


@dataclass
class ByPlace:
    """A version as scikit-learn sees it: a row of X tells for each column from which row its value is taken."""

    seen: Seen
    frame: pl.DataFrame

    def fit(self, _X: np.ndarray, _y: np.ndarray) -> ByPlace:
        """It is fitted already."""
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The scores of shape (n, k)."""
        rows = {name: self.frame[name].gather(X[:, place]) for place, name in enumerate(self.frame.columns)}
        return np.asarray(self.seen.version.scorer.frame(pl.DataFrame(rows)), dtype=np.float64)


def importances(seen: Seen, told: Importances, ledger: Ledger) -> None:
    """By how much the metric and the decisions get worse, over other permutations."""
    rows = taken(len(seen.y), len(seen.version.inputs), seen.version.manifest.seed)
    frame, y = seen.inputs[rows], seen.y[rows]
    model, known = ByPlace(seen, frame), figures(seen.labels)[told.metric]
    sign = 1 if METRICS[told.metric].greater_is_better else -1

    def scored(estimator: ByPlace, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
        scores = estimator.predict(X)
        return {"metric": sign * known(y, scores), "wrong": -wrong(seen, y, scores)}

    ledger.same("rows", told.rows, len(rows))
    X = np.repeat(np.arange(len(rows))[:, None], frame.width, axis=1)
    ledger.same("value", told.value, known(y, model.predict(X)))
    found: dict[str, Any] = permutation_importance(model, X, y, scoring=scored, n_repeats=REPEATS, random_state=11)
    for one in told.columns:
        at = frame.columns.index(one.columns[0])
        beside(one, {name: found[name].importances[at] for name in found}, told, seen, y, ledger)
    rng = np.random.default_rng(11)
    for one in told.together:
        moved = [dealt(X, [frame.columns.index(name) for name in one.columns], rng) for _ in range(REPEATS)]
        base = scored(model, X, y)
        lost = {name: np.array([base[name] - scored(model, deal, y)[name] for deal in moved]) for name in base}
        beside(one, lost, told, seen, y, ledger)
    whole(model.predict(X), y, known, told, sign, seen, ledger)
    ledger.holds(
        "the most important column is told first",
        all(one.metric.estimate <= told.columns[0].metric.estimate for one in told.columns),
    )


def dealt(X: np.ndarray, places: list[int], rng: np.random.Generator) -> np.ndarray:
    """Some columns, taken together from other rows."""
    made = X.copy()
    made[:, places] = rng.permutation(len(X))[:, None]
    return made


def wrong(seen: Seen, y: np.ndarray, scores: np.ndarray) -> float:
    """The share of wrong decisions."""
    if seen.labels:
        return float(np.mean(scores.argmax(axis=1) != y))
    return float(np.mean(np.abs(scores[:, 0] - y) > seen.tolerance))


def chance(drawn: np.ndarray, repeats: int, least: float) -> float:
    """How far the means of two sets of draws lie apart by chance."""
    return SIGMAS * float(drawn.std(ddof=1)) * math.sqrt(1 / len(drawn) + 1 / repeats) + least


def beside(
    one: Importance, lost: dict[str, np.ndarray], told: Importances, seen: Seen, y: np.ndarray, ledger: Ledger
) -> None:
    """One importance beside other draws of it; a single case may always be otherwise."""
    case = 1 / len(y)
    scale = 1.0 if seen.labels else float(np.std(y))
    name = " and ".join(one.columns)
    for figure, evidence, least in (("metric", one.metric, case * scale), ("wrong", one.wrong, case)):
        allowed = chance(lost[figure], told.repeats, least)
        ledger.near(f"{name}: {figure}", evidence.estimate, float(lost[figure].mean()), allowed)


def whole(
    scores: np.ndarray, y: np.ndarray, known: Figure, told: Importances, sign: int, seen: Seen, ledger: Ledger
) -> None:
    """All columns dealt out together: then the scores are those of other rows."""
    rng, base = np.random.default_rng(13), known(y, scores)
    lost = np.array([sign * (base - known(y, scores[rng.permutation(len(y))])) for _ in range(10 * REPEATS)])
    least = (1.0 if seen.labels else float(np.std(y))) / len(y)
    ledger.near("all columns", told.whole.estimate, float(lost.mean()), chance(lost, told.repeats, least))


def drawn_rows(seen: Seen, most: int) -> np.ndarray:
    """Which rows a curve rests on: the same draw."""
    n = len(seen.y)
    return (
        np.arange(n)
        if n <= most
        else np.sort(np.random.default_rng(seen.version.manifest.seed).choice(n, most, replace=False))
    )


def scores_of(seen: Seen, frame: pl.DataFrame) -> np.ndarray:
    """What it says of some rows."""
    return np.asarray(seen.version.scorer.frame(frame), dtype=np.float64)


def accumulated(seen: Seen, told: ColumnEffect, ledger: Ledger) -> None:
    """Accumulated local effects of a number (Apley & Zhu 2020), bin by bin."""
    frame = seen.inputs[drawn_rows(seen, MOST_ROWS)].filter(pl.col(told.column).is_not_null())
    column = frame[told.column]
    values = column.to_physical().cast(pl.Float64).to_list()
    ordered, n = sorted(values), len(values)
    edges = [one.at or 0.0 for one in told.points]
    for place in range(BINS + 1):
        # where a share of the rows is a whole number, its rounding decides which of two neighbours is the quantile
        rank = n * (TAIL + (1 - 2 * TAIL) * place / BINS)
        able = {ordered[max(0, math.ceil(rank + off) - 1)] for off in (-1e-9, 1e-9)}
        ledger.holds(f"{told.column}: {able} is a place", not able.isdisjoint(edges))
    ledger.holds(f"{told.column}: its places rise", edges == sorted(set(edges)) and len(edges) <= BINS + 1)
    bins = [min(max(sum(edge < value for edge in edges) - 1, 0), len(edges) - 2) for value in values]

    def moved(ends: list[float]) -> np.ndarray:
        kept = pl.Series(told.column, ends, dtype=pl.Float64).cast(column.to_physical().dtype).cast(column.dtype)
        scores = scores_of(seen, frame.with_columns(kept))
        return scores[:, seen.labels.index(told.answer)] if seen.labels else scores[:, 0]

    rise = moved([edges[place + 1] for place in bins]) - moved([edges[place] for place in bins])
    steps = []
    for place in range(len(edges) - 1):
        own = [rise[row] for row in range(n) if bins[row] == place]
        steps.append(math.fsum(own) / len(own) if own else 0.0)
    heights = [0.0]
    for step in steps:
        heights.append(heights[-1] + step)
    mean = 0.0
    for value, place in zip(values, bins, strict=True):
        part = min(max((value - edges[place]) / (edges[place + 1] - edges[place]), 0.0), 1.0)
        mean += (heights[place] + part * steps[place]) / n
    for point, height in zip(told.points, heights, strict=False):
        ledger.same(f"{told.column} at {point.at:.6g}", point.effect, height - mean)
        ledger.holds(f"{told.column}: its band", point.lower <= point.effect <= point.upper)


def levels(seen: Seen, told: ColumnEffect, ledger: Ledger) -> None:
    """What it would answer if every row had a level, less what it answers."""
    frame = seen.inputs[drawn_rows(seen, MOST_LEVEL_ROWS)]
    column = seen.inputs[told.column]
    counts = Counter(value for value in column.to_list() if value is not None)
    names = {str(value) if not isinstance(value, bool) else ("no", "yes")[value]: value for value in counts}
    own = scores_of(seen, frame)
    place = seen.labels.index(told.answer) if seen.labels else 0
    ledger.same(f"{told.column}: levels", len(told.points), min(8, len(counts)))
    for point in told.points:
        value = names[point.level]
        scores = scores_of(seen, frame.with_columns(pl.Series(told.column, [value] * frame.height, dtype=column.dtype)))
        effect = math.fsum(scores[row, place] - own[row, place] for row in range(frame.height)) / frame.height
        # the scores are single numbers, and their sums are taken in another order
        ledger.same(f"{told.column} is {point.level}", point.effect, effect)
        ledger.same(f"{told.column} is {point.level}: share", point.share, counts[value] / len(column))
