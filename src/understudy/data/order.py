"""Whether the rows of a table stand in the order of time, or of something else, where nobody has said so."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import lightgbm as lgb
import msgspec
import numpy as np
import polars as pl

from understudy.core.nouns import Kind
from understudy.data.contract import Column, Contract
from understudy.data.profile import average_ranks

FEWEST_ROWS = 100
FEWEST_MOMENTS = 10
SORTED = 0.99
"""The rank correlation of a column with itself sorted from which on rows count as sorted by it."""

ALPHA = 0.01
"""How often the rows of a shuffled table may be said to stand in an order."""

PERMUTATIONS = 299
LAGS = (1, 2, 3, 5, 8)
AT_ONCE = 1_000_000
STRETCHES, STRETCH = 10, 2000
ALIKE = 0.05
"""The least correlation of neighbouring answers that is worth a word."""

DRIFTED = 0.6
"""The least ROC AUC of telling late rows from early ones that is worth a word."""

DRIFT_ROWS, DRIFT_COLUMNS = 4000, 100
CYCLE_STEPS, CYCLE_LEVELS, WHOLE_ROUNDS = 0.8, 400, 0.5
RECORD_TIME = re.compile(
    r"(?i:(^|[_\W\d])(time|timestamp|ts|date|datetime|day|days|month|mnth|year|yr|week|hour|minute|quarter|epoch|period|moment|"
    r"created|received|logged|recorded|at|when)([_\W\d]|$))"
)
OTHER_DATE = re.compile(
    r"(?i:birth|born|dob|death|expir|valid|until|deadline|due|renew|matur|founded|hired|joined|since|built|last|next|"
    r"previous|prev|first|end|ended|closed|resolved|paid|updated|modified)"
)
CALENDARS = (
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
)

SignKind = Literal["date", "sorted", "cycle", "neighbours", "drift", "answers"]


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """Something that speaks for, or against, an order of the rows.

    Attributes
    ----------
    kind : str
        A column of dates ("date"); a column by which the rows are sorted ("sorted"); one that goes round like a clock
        ("cycle"); neighbouring answers that are alike ("neighbours"); late rows that can be told from early ones
        ("drift"); rows that are sorted by their answer ("answers").
    words : str
        What was found, with its figures.
    column : str, optional
    value : float
        The share of steps forwards, the correlation, or the ROC AUC.
    p : float, optional
        Of a permutation test: how often shuffled rows would show as much.
    """

    kind: SignKind
    words: str
    column: str | None = None
    value: float = 1.0
    p: float | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the order of the rows shows.

    Attributes
    ----------
    time : str, optional
        What the task's `time` should be, where the signs are strong enough to go by them: a column or "row order".
    signs : tuple of Sign
    """

    time: str | None
    signs: tuple[Sign, ...]

    @property
    def words(self) -> str:
        """What was found, in a sentence."""
        return "; ".join(sign.words for sign in self.signs)


def find_order(
    source: pl.DataFrame, frame: pl.DataFrame, contract: Contract, y: np.ndarray, *, kind: Kind, seed: int = 0
) -> Order:
    """The order in which rows stand, judged by their columns, their answers, and how late ones differ from early ones.

    Strong enough to go by are a column of dates (but for those of births, deadlines and the like), and the order of the
    rows itself where neighbouring answers are alike and a column says time: one with a name of time by which the rows
    are sorted, or one that goes round like a clock (months, weekdays, half-hours). All else is only told: rows sorted
    by place or by customer have neighbours that are alike, too. Two tests by permutation, of the answers and of a
    classifier, share a probability of 1 % of finding an order in shuffled rows (Holm 1979).

    Parameters
    ----------
    source : pl.DataFrame
        The rows as they were read, in the order in which they were.
    frame : pl.DataFrame
        The same rows in canonical types; holds the used columns.
    contract : Contract
    y : ndarray of shape (n,)
        Class indices or numbers.
    kind : Kind
    seed : int

    Returns
    -------
    Order
    """
    if len(y) < FEWEST_ROWS:
        return Order(time=None, signs=())
    dates = date_signs(frame, contract)
    if sorted_by_answer(y, kind):
        return Order(time=dates[0].column if dates else None, signs=(*dates, BY_ANSWER))
    columns = [*sorted_signs(source, frame, contract), *cycle_signs(frame, contract)]
    left_out = {sign.column for sign in (*dates, *columns)}
    tested = holm([neighbours(y, kind, seed), drift(frame, contract, left_out, seed)])
    signs = (*dates, *columns, *tested)
    if dates:
        return Order(time=dates[0].column, signs=signs)
    alike = any(sign.kind == "neighbours" for sign in tested)
    clocks = [sign for sign in columns if sign.kind == "cycle" or RECORD_TIME.search(sign.column or "")]
    return Order(time="row order" if alike and clocks else None, signs=signs)


BY_ANSWER = Sign(kind="answers", words="the rows are sorted by their answer, so that their order says nothing of time")


def date_signs(frame: pl.DataFrame, contract: Contract) -> list[Sign]:
    """Columns of dates at which a case may have happened, the likeliest first: those that rows are sorted by.

    Where rows are sorted by none of several, none is likelier than another, and none is taken.
    """
    found = []
    for column in contract.used:
        if column.kind != "datetime" or column.nullable or OTHER_DATE.search(column.name):
            continue
        moments = frame[column.name].to_physical().to_numpy()
        distinct = len(np.unique(moments))
        if distinct >= FEWEST_MOMENTS:
            share = abs(sortedness(moments.astype(np.float64)))
            how = "the rows are sorted by it" if share >= SORTED else f"{distinct:,} different times"
            found.append(Sign(kind="date", column=column.name, value=share, words=f"{column.name} is a date ({how})"))
    found.sort(key=lambda sign: -sign.value)
    sure = [sign for sign in found if sign.value >= SORTED]
    return sure or (found if len(found) == 1 else [])


def sortedness(values: np.ndarray) -> float:
    """The rank correlation of values with themselves once sorted, up (1) or down (−1); 0 where all are equal.

    >>> sortedness(np.array([1, 1, 2, 5, 9.0])), sortedness(np.array([3, 2, 1.0]))
    (1.0, -1.0)
    """
    ranks = average_ranks(values)
    ranks = ranks - ranks.mean()
    spread = float(ranks @ ranks) or 1.0
    up, down = float(ranks @ np.sort(ranks)) / spread, float(ranks @ np.sort(ranks)[::-1]) / spread
    return up if up >= down else -down


def sorted_signs(source: pl.DataFrame, frame: pl.DataFrame, contract: Contract) -> list[Sign]:
    """Columns of numbers by which the rows are sorted, upwards; those that only count the rows say nothing."""
    found = []
    for column in contract.columns:
        if column.kind not in ("number", "integer") or column.name not in source.columns:
            continue
        values = numbers(source, frame, column)
        if np.isnan(values).any() or sortedness(values) < SORTED:
            continue
        distinct = len(np.unique(values))
        if distinct >= FEWEST_MOMENTS:
            words = f"the rows are sorted by {column.name} ({distinct:,} different values)"
            found.append(Sign(kind="sorted", column=column.name, words=words))
    return found


def numbers(source: pl.DataFrame, frame: pl.DataFrame, column: Column) -> np.ndarray:
    """A column as numbers, NaN where it says none."""
    values = frame[column.name] if column.name in frame.columns else source[column.name]
    return values.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def cycle_signs(frame: pl.DataFrame, contract: Contract) -> list[Sign]:
    """Columns that go round like a clock, row by row: wherever one changes, it mostly changes to the next value."""
    found = []
    for column in contract.used:
        places = calendar_places(frame[column.name], column)
        if places is None:
            continue
        size, forwards = int(places.max()) + 1, steps_round(places, named=column.kind == "category")
        if size > 2 and forwards >= CYCLE_STEPS:
            words = f"{column.name} goes round from row to row ({forwards:.0%} of its changes are to the next value)"
            found.append(Sign(kind="cycle", column=column.name, value=forwards, words=words))
    return found


def steps_round(places: np.ndarray, *, named: bool) -> float:
    """The share of changes that are to the next place of a cycle; 0 where it does not go round twice.

    A count that begins again at different heights, as the days of one customer after another, is no clock; names of
    months and weekdays are one, even where some are missing.
    """
    changes = places[np.flatnonzero(np.diff(places, prepend=-1))]
    size, steps = int(places.max()) + 1, np.diff(changes)
    back = steps[steps < 0]
    if len(steps) < 2 * size or not len(back) or (not named and np.mean(back == 1 - size) < WHOLE_ROUNDS):
        return 0.0
    return float(np.mean(steps % size == 1))


def calendar_places(values: pl.Series, column: Column) -> np.ndarray | None:
    """The place of each value in its cycle: names of months and weekdays, or a few numbers; None for anything else."""
    if values.null_count():
        return None
    if column.kind == "category":
        short = values.str.to_lowercase().str.slice(0, 3)
        for names in CALENDARS:
            if short.is_in(names).all():
                return short.replace_strict(list(names), list(range(len(names)))).to_numpy()
        return None
    if column.kind not in ("number", "integer") or values.n_unique() > CYCLE_LEVELS:
        return None
    return values.rank("dense").cast(pl.Int64).to_numpy() - 1


def sorted_by_answer(y: np.ndarray, kind: Kind) -> bool:
    """Whether the rows stand in the order of their answers, class by class or from small to large."""
    if kind == "regression":
        return abs(sortedness(y.astype(np.float64))) >= SORTED
    return int(np.count_nonzero(np.diff(y))) < 2 * len(np.unique(y))


def neighbours(y: np.ndarray, kind: Kind, seed: int) -> Sign:
    """How alike the answers of neighbouring rows are: their mean correlation over a few lags, tested by permutation.

    For classes it is the agreement beyond chance, for numbers the correlation of ranks. Of many rows, ten stretches.
    """
    rows = stretches(len(y))
    values = y[rows]
    alike = agreement if kind == "classification" else correlation
    if kind == "regression":
        values = average_ranks(values.ravel().astype(np.float64)).reshape(rows.shape)
    observed = float(alike(values))
    p = share_of_shuffles(values.ravel(), lambda drawn: alike(drawn.reshape(-1, *rows.shape)), observed, seed)
    words = f"the answers of neighbouring rows are alike (correlation {observed:.2f}, p = {p:.3f})"
    return Sign(kind="neighbours", value=observed, p=p, words=words)


def share_of_shuffles(
    values: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], observed: float, seed: int
) -> float:
    """The p-value of a permutation test: how often shuffled values, of shape (draws, n), show as much."""
    generator, as_much, left = np.random.default_rng(seed), 0, PERMUTATIONS
    while left:
        some = min(left, max(1, AT_ONCE // len(values)))
        shuffled = generator.permuted(np.broadcast_to(values, (some, len(values))), axis=1)
        as_much += int(np.count_nonzero(statistic(shuffled) >= observed))
        left -= some
    return (1 + as_much) / (1 + PERMUTATIONS)


def stretches(n: int) -> np.ndarray:
    """Rows that follow each other: all of them, or evenly spaced stretches of many, of shape (stretches, rows)."""
    if n <= STRETCHES * STRETCH:
        return np.arange(n)[None, :]
    starts = np.linspace(0, n - STRETCH, STRETCHES).astype(np.int64)
    return starts[:, None] + np.arange(STRETCH)[None, :]


def agreement(classes: np.ndarray) -> np.ndarray:
    """How often rows that are a few apart are of one class, beyond chance: 0 where never more, 1 where always.

    Stretches of rows lie along the last axis, their mean is taken over the last but one.
    """
    shares = np.unique(classes, return_counts=True)[1] / classes.size
    chance = float(np.sum(shares**2))
    same = [np.mean(classes[..., lag:] == classes[..., :-lag], axis=(-2, -1)) for lag in LAGS]
    return np.asarray((np.mean(same, axis=0) - chance) / (1 - chance))


def correlation(ranks: np.ndarray) -> np.ndarray:
    """The mean correlation of rows that are a few apart, by stretches as in `agreement`."""
    around = ranks - ranks.mean()
    products = [np.mean(around[..., lag:] * around[..., :-lag], axis=(-2, -1)) for lag in LAGS]
    return np.asarray(np.mean(products, axis=0) / (around.var() or 1.0))


def drift(frame: pl.DataFrame, contract: Contract, left_out: set[str | None], seed: int) -> Sign:
    """How well a small classifier tells the late half of the rows from the early one.

    It learns from a random half of some rows and judges the other half; the labels of those are permuted for the test,
    which is exact whatever it has learned (a classifier two-sample test; Lopez-Paz & Oquab 2017).
    """
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(frame.height)[:DRIFT_ROWS])
    names = [c.name for c in contract.used if c.kind != "text" and c.name not in left_out][:DRIFT_COLUMNS]
    if not names:
        return Sign(kind="drift", value=0.5, p=1.0, words="")
    X = np.column_stack([as_number(frame[name])[chosen] for name in names])
    late = chosen >= frame.height / 2
    learns = generator.permutation(len(chosen)) % 2 == 0
    settings = {
        "objective": "binary",
        "num_leaves": 8,
        "verbose": -1,
        "num_threads": 1,
        "seed": 0,
        "deterministic": True,
    }
    booster = lgb.train(settings, lgb.Dataset(X[learns], late[learns]), 40)
    ranks, judged = average_ranks(np.asarray(booster.predict(X[~learns], num_threads=1))), late[~learns]
    observed = float(areas(judged[None, :], ranks)[0])
    p = share_of_shuffles(judged, lambda drawn: areas(drawn, ranks), observed, seed)
    words = f"late rows can be told from early ones (ROC AUC {observed:.2f}, p = {p:.3f})"
    return Sign(kind="drift", value=observed, p=p, words=words)


def areas(positive: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """The areas under the ROC curve of ranked scores, for labels of shape (draws, n)."""
    n1 = int(positive[0].sum())
    n0 = positive.shape[1] - n1
    if not n1 or not n0:
        return np.full(len(positive), 0.5)
    return np.asarray((positive @ ranks - n1 * (n1 + 1) / 2) / (n1 * n0))


def as_number(values: pl.Series) -> np.ndarray:
    """A column as numbers, NaN where it is missing: its own, or the places of its levels in the alphabet."""
    physical = values.rank("dense") if values.dtype == pl.String else values.to_physical()
    return physical.cast(pl.Float64).fill_null(np.nan).to_numpy()


def holm(tested: list[Sign]) -> tuple[Sign, ...]:
    """The signs that stand up together at `ALPHA`, and whose effect is worth a word."""
    floors = {"neighbours": ALIKE, "drift": DRIFTED}
    kept, open_ = [], len(tested)
    for sign in sorted(tested, key=lambda sign: sign.p or 0.0):
        if (sign.p or 0.0) > ALPHA / open_:
            break
        open_ -= 1
        if sign.value >= floors[sign.kind]:
            kept.append(sign)
    return tuple(kept)
