"""Which rule tells most about some rows?

Rules are told apart by how many nats of log likelihood they tell: of the classes at their shares, or of numbers at
their means with one spread for all.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np

from understudy.models.ensemble import rounded_down
from understudy.models.recipes.recipe import Params
from understudy.models.recipes.rule_list import Condition, LearnedRule
from understudy.models.rows import Rows

CUTS = 19
"""At so many places a number may be parted."""
KEPT_CONDITIONS = 300
"""Of all conditions those that tell most by themselves go on."""
BEAM = 8
"""So many first conditions are tried with every second one."""
CHUNK = 256
PRIOR = 1.0
"""What a rule says is drawn to what is so of all rows, as by so many more of them."""


class Found(NamedTuple):
    """What a rule tells, less its price, and its conditions: their places in the table, and which side holds."""

    gain: float
    sides: tuple[tuple[int, bool], ...]


class Table(NamedTuple):
    """What is learned from: which condition holds where, and what is to be told.

    Attributes
    ----------
    holds : ndarray of bool, shape (n, c)
        Whether the feature of each condition is above its threshold.
    conditions : list of (int, float)
        The feature and the threshold of each.
    tells : ndarray of float64, shape (n, k)
        Ones and zeros by class, or 1, the number and its square; times the row's weight.
    logistic : bool
    """

    holds: np.ndarray
    conditions: list[tuple[int, float]]
    tells: np.ndarray
    logistic: bool


def what_is_told(rows: Rows) -> tuple[np.ndarray, np.ndarray | None]:
    """The weighted sufficient statistics of each row, and the classes that occur."""
    weights = np.ones(len(rows.y)) if rows.weights is None else rows.weights
    if rows.kind == "regression":
        return weights[:, None] * np.column_stack([np.ones(len(rows.y)), rows.y, rows.y**2]), None
    classes = np.unique(rows.y)
    return weights[:, None] * (rows.y[:, None] == classes), classes


def screened(rows: Rows, tells: np.ndarray) -> Table:
    """The conditions that tell most by themselves, the best first."""
    logistic = rows.kind == "classification"
    conditions = [(feature, cut) for feature, view in enumerate(rows.views) for cut in cuts(rows.X[:, feature], view)]
    if not conditions:
        raise ValueError("no feature varies")
    whole = tells.sum(axis=0)
    chunks = [conditions[start : start + CHUNK] for start in range(0, len(conditions), CHUNK)]
    inside = np.concatenate([above(rows.X, chunk).T.astype(np.float64) @ tells for chunk in chunks])
    gains = gain(inside, whole, logistic=logistic)
    kept = [conditions[place] for place in np.argsort(-gains, kind="stable")[:KEPT_CONDITIONS]]
    return Table(above(rows.X, kept), kept, tells, logistic)


def cuts(values: np.ndarray, view: str) -> list[float]:
    """Where a feature may be parted: between neighbours for a number, between 0 and more for the rest.

    >>> cuts(np.array([1, 1, 2, 2], dtype=np.float32), "number"), cuts(np.zeros(3, dtype=np.float32), "word")
    ([1.5], [])
    """
    distinct = np.unique(values)
    if len(distinct) < 2:
        return []
    if view in ("level", "flag"):
        return [0.5]
    if view == "word":
        return [0.0] if distinct[0] <= 0 else []
    places = np.linspace(0, len(values), CUTS + 2)[1:-1].astype(np.int64)
    below = np.unique(np.sort(values)[places])
    below = below[below < distinct[-1]]
    after = distinct[np.searchsorted(distinct, below) + 1]
    middle = rounded_down((below.astype(np.float64) + after) / 2)
    return [float(cut) for cut in np.maximum(middle, below)]  # neighbours in float32 have no middle


def above(X: np.ndarray, conditions: list[tuple[int, float]]) -> np.ndarray:
    """Which rows are above each threshold, of shape (n, c)."""
    features = [feature for feature, _ in conditions]
    return np.asarray(X[:, features] > np.array([cut for _, cut in conditions], dtype=np.float32))


def gain(inside: np.ndarray, whole: np.ndarray, *, logistic: bool) -> np.ndarray:
    """How many nats of log likelihood it tells to part some rows from the rest, for each of c ways, of shape (c,)."""
    told = likelihood(inside, logistic=logistic) + likelihood(whole - inside, logistic=logistic)
    if logistic:
        return np.asarray(told - likelihood(whole, logistic=True))
    # the squared error that is left has one spread, whatever the part: n/2·ln of its ratio
    before, after = -likelihood(whole, logistic=False), -told
    n = whole[0]
    return np.asarray(n / 2 * np.log(np.maximum(before, 1e-12 * n) / np.maximum(after, 1e-12 * n)))


def likelihood(sums: np.ndarray, *, logistic: bool) -> np.ndarray:
    """The log likelihood of rows at their own shares, or minus their squared error at their own mean; shape (c,)."""
    if logistic:
        total = sums.sum(axis=-1, keepdims=True)
        shares = np.divide(sums, total, out=np.ones_like(sums), where=(total > 0) & (sums > 0))
        return np.asarray((sums * np.log(shares)).sum(axis=-1))
    n, first, second = np.moveaxis(sums, -1, 0)
    error = second - np.divide(first**2, n, out=np.zeros_like(first), where=n > 0)
    return np.asarray(-np.maximum(error, 0.0))


def best_rule(table: Table, left: np.ndarray, params: Params) -> tuple[tuple[int, bool], ...]:
    """The rule that tells most about the rows that are left, after what it costs; empty where none is worth it."""
    holds, tells = table.holds[left], table.tells[left]
    whole = tells.sum(axis=0)
    n = float(mass(whole, logistic=table.logistic))
    if n < 2 * params["fewest"]:
        return ()
    answers = tells.shape[1] - 1 if table.logistic else 1
    price = log(2 * table.holds.shape[1]) + answers / 2 * log(max(n, 2.0))
    inside = holds.T.astype(np.float64) @ tells
    found = [one_condition(table, inside, whole, params, price)]
    if params["conditions"] > 1:
        order = np.argsort(-gain(inside, whole, logistic=table.logistic), kind="stable")[:BEAM]
        found += [
            two_conditions(table, holds, tells, int(first), side, params, price)
            for first in order
            for side in (True, False)
        ]
    best = max(found, key=lambda one: one.gain)
    return best.sides if best.gain > 0 else ()


def holding(table: Table, sides: tuple[tuple[int, bool], ...]) -> np.ndarray:
    """The rows for which all conditions hold."""
    return np.asarray(np.logical_and.reduce([table.holds[:, place] == side for place, side in sides]))


def one_condition(table: Table, inside: np.ndarray, whole: np.ndarray, params: Params, price: float) -> Found:
    """The best single condition, and the side of it that is surer."""
    gains = priced(inside, whole, params, price, logistic=table.logistic)
    place = int(np.argmax(gains))
    side = surer(inside[place], whole - inside[place], logistic=table.logistic)
    return Found(float(gains[place]), ((place, side),))


def two_conditions(
    table: Table, holds: np.ndarray, tells: np.ndarray, first: int, side: bool, params: Params, price: float
) -> Found:
    """The best second condition beside a first one."""
    among = holds[:, first] == side
    within = tells[among].sum(axis=0)
    inside = holds[among].T.astype(np.float64) @ tells[among]
    both = np.concatenate([inside, within - inside])
    gains = priced(both, tells.sum(axis=0), params, price + log(2 * len(inside)), logistic=table.logistic)
    place = int(np.argmax(gains))
    return Found(float(gains[place]), ((first, side), (place % len(inside), place < len(inside))))


def priced(inside: np.ndarray, whole: np.ndarray, params: Params, price: float, *, logistic: bool) -> np.ndarray:
    """What each way to part the rows tells, less its price; minus infinity where too few rows are on one side."""
    told = gain(inside, whole, logistic=logistic) - price
    few = np.minimum(mass(inside, logistic=logistic), mass(whole - inside, logistic=logistic)) < params["fewest"]
    return np.where(few, -np.inf, told)


def mass(sums: np.ndarray, *, logistic: bool) -> np.ndarray:
    """The weight of rows."""
    return np.asarray(sums.sum(axis=-1) if logistic else sums[..., 0])


def surer(inside: np.ndarray, outside: np.ndarray, *, logistic: bool) -> bool:
    """Whether the rows inside are nearer to one answer than those outside."""
    sides = np.stack([inside, outside])
    mean = likelihood(sides, logistic=logistic) / mass(sides, logistic=logistic)
    return bool(mean[0] >= mean[1])


def as_rule(table: Table, sides: tuple[tuple[int, bool], ...], tells: np.ndarray) -> LearnedRule:
    """A rule and what it says: shares of the classes, drawn a little to those of all rows, or a mean."""
    sums, whole = tells.sum(axis=0), table.tells.sum(axis=0)
    n = float(mass(sums, logistic=table.logistic))
    if table.logistic:
        says = (sums + PRIOR * whole / whole.sum()) / (n + PRIOR)
    else:
        says = np.array([(sums[1] + PRIOR * whole[1] / whole[0]) / (n + PRIOR)])
    conditions = tuple(
        Condition(feature=table.conditions[place][0], threshold=table.conditions[place][1], above=side)
        for place, side in sides
    )
    return LearnedRule(conditions=conditions, says=tuple(says.tolist()), rows=n)
