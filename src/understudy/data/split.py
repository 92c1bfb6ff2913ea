"""Which rows train, which choose, which judge, and which are kept back for the gate."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from understudy.core.errors import DataError
from understudy.data.copies import joined

Scheme = Literal["time", "group", "stratified", "random"]
SHARES = {"train": 0.55, "validation": 0.15, "test": 0.15, "history": 0.15}
FEWEST_ROWS = 20
FIRST_ORIGIN = 0.5


@dataclass(frozen=True)
class Split:
    """Row positions of the four parts.

    Attributes
    ----------
    train : ndarray of int64
        Rows that models are searched and fitted on.
    validation : ndarray of int64
        Rows on which boosting stops and strangeness is calibrated; the final fit includes them.
    test : ndarray of int64
        Rows that only judge.
    history : ndarray of int64
        The newest rows, which serve nothing but the gate's warm start.
    scheme : {"time", "group", "stratified", "random"}
    seed : int
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    history: np.ndarray
    scheme: Scheme
    seed: int

    @property
    def beside_train(self) -> np.ndarray:
        """Rows of all parts but the first, part by part."""
        return np.concatenate([self.validation, self.test, self.history])


@dataclass(frozen=True)
class FoldRows:
    """Positions to fit on, and positions to score."""

    fit: np.ndarray
    score: np.ndarray


def split(
    n: int,
    *,
    strata: np.ndarray | None = None,
    order: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    copies: np.ndarray | None = None,
    seed: int = 0,
) -> Split:
    """Part rows into train, validation, test and history (55, 15, 15 and 15 %).

    By time where there is one (rows of one moment stay together, history is the newest part), by group where there are
    groups (with a time, a group goes where its first row belongs), else at random, with the classes in proportion.
    Copies of one row go where the first of them belongs, whatever the scheme.

    Parameters
    ----------
    n : int
        How many rows there are.
    strata : ndarray of int64, optional
        The class of each row.
    order : ndarray, optional
        When each row happened.
    groups : ndarray of int64, optional
        Rows of one group are not parted.
    copies : ndarray of int64, optional
        Rows of one code repeat each other; most codes stand once.
    seed : int

    Raises
    ------
    DataError
        There are too few rows, moments or groups to part.
    """
    if n < FEWEST_ROWS:
        raise DataError(
            f"{n} rows cannot be parted into train, validation, test and history; {FEWEST_ROWS} are needed."
        )
    scheme: Scheme
    if order is not None:
        scheme = "time"
        units = first_moments(order, copies if groups is None else joined(groups, copies))
    elif groups is not None:
        scheme = "group"
        units = shuffled_groups(joined(groups, copies), seed)
    else:
        scheme = "random" if strata is None else "stratified"
        units = with_first(shuffled_rows(n, strata, seed), copies)
    parts = cut(units)
    for name, part in parts.items():
        if not len(part):
            what = {"time": "moments", "group": "groups"}.get(scheme, "rows")
            raise DataError(
                f"There are too few different {what} in {n:,} rows: nothing is left for the {name} part.",
                hint="Check the task's time and split_group: most rows may share one value.",
            )
    if scheme != "time":
        parts = {name: np.sort(part) for name, part in parts.items()}
    return Split(**parts, scheme=scheme, seed=seed)


def first_moments(order: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """For each row its moment, or its group's first one."""
    if groups is None:
        return np.asarray(order)
    _, codes = np.unique(groups, return_inverse=True)
    first = np.full(codes.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, codes, order)
    places: np.ndarray = first[codes] * (codes.max() + 1.0) + codes
    return places


def shuffled_groups(groups: np.ndarray, seed: int) -> np.ndarray:
    """For each row a random place that its whole group shares."""
    _, codes = np.unique(groups, return_inverse=True)
    places = np.random.default_rng(seed).permutation(int(codes.max()) + 1)
    return np.asarray(places[codes])


def shuffled_rows(n: int, strata: np.ndarray | None, seed: int) -> np.ndarray:
    """For each row a random place; rows of one class are spread evenly over all places."""
    places = np.random.default_rng(seed).permutation(n)
    if strata is None:
        return places
    spread = np.empty(n)
    for label in np.unique(strata):
        rows = np.flatnonzero(strata == label)
        ranks = np.argsort(np.argsort(places[rows]))
        spread[rows] = (ranks + 0.5) / len(rows) + places[rows] * 1e-12
    return spread


def with_first(places: np.ndarray, copies: np.ndarray | None) -> np.ndarray:
    """The places, with that of the first of them for all copies of a row."""
    if copies is None:
        return places
    _, first, codes = np.unique(copies, return_index=True, return_inverse=True)
    return np.asarray(places[first[codes]])


def cut(units: np.ndarray) -> dict[str, np.ndarray]:
    """Part rows by their unit's place, as near to the shares as whole units allow."""
    rows = np.argsort(units, kind="stable")
    ordered = units[rows]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) + 1
    goals = np.cumsum(list(SHARES.values())) * len(units)
    cuts = [0, *(int(ends[np.argmin(np.abs(ends - goal))]) for goal in goals[:-1]), len(units)]
    return {name: rows[cuts[i] : max(cuts[i], cuts[i + 1])] for i, name in enumerate(SHARES)}


def folds(
    scheme: Scheme,
    *,
    n: int,
    k: int,
    strata: np.ndarray | None = None,
    order: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    copies: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[FoldRows, ...]:
    """Folds for cross-validation, by the scheme of the split.

    By time it is a rolling origin: k windows, each fitted on all that came before; the first half is never scored.
    Else every row is scored once. Copies of one row are in one fold.

    Returns
    -------
    tuple of FoldRows
        Fewer than k where there are too few moments or groups; never fewer than one.
    """
    if scheme == "time" and order is not None:
        return rolling(first_moments(order, copies if groups is None else joined(groups, copies)), k)
    if scheme == "group" and groups is not None:
        place = shuffled_groups(joined(groups, copies), seed) % k
    else:
        ranks = np.argsort(np.argsort(shuffled_rows(n, strata, seed), kind="stable"))
        place = with_first(ranks % k if strata is None else stratified_places(ranks, strata, k), copies)
    made = [FoldRows(np.flatnonzero(place != i), np.flatnonzero(place == i)) for i in range(k)]
    return tuple(fold for fold in made if len(fold.fit) and len(fold.score))


def stratified_places(ranks: np.ndarray, strata: np.ndarray, k: int) -> np.ndarray:
    """A fold for each row, the rows of a class dealt out one by one."""
    place = np.empty(len(ranks), dtype=np.int64)
    for shift, label in enumerate(np.unique(strata)):
        rows = np.flatnonzero(strata == label)
        place[rows] = (np.argsort(np.argsort(ranks[rows])) + shift) % k
    return place


def rolling(moments: np.ndarray, k: int) -> tuple[FoldRows, ...]:
    """K windows in time, each with all rows before it; the first half of the rows only trains.

    A model that learned from few rows says little of one that learns from all of them: how long it must boost, how
    much old rows should count, and how good it is differ.
    """
    rows = np.argsort(moments, kind="stable")
    ordered = moments[rows]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) + 1
    goals = np.linspace(FIRST_ORIGIN * len(moments), len(moments), k + 1)
    cuts = sorted({int(ends[np.argmin(np.abs(ends - goal))]) for goal in goals})
    made = [FoldRows(rows[:start], rows[start:stop]) for start, stop in pairwise(cuts)]
    if not made:
        raise DataError(
            f"The training rows have only {len(np.unique(moments))} different moments: no fold can be made by time.",
            hint="Check the task's time.",
        )
    return tuple(made)
