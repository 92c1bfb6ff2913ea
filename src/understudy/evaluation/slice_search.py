"""Which sub-populations of one or two predicates lose most: every one of them is counted, none is guessed.

Rows are counted once for each pair of facets, as a small table of sums over their cells. The sums of any slice are then
products of such tables with the 0/1 matrices of the predicates, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy import stats

from understudy.evaluation.slice_sums import (
    Board,
    Place,
    Sums,
    alone,
    compared,
    crossed,
    difference,
    sum_cells,
    tell,
    tell_apart,
)

FEWEST = 3
"""So many slices are worth a test although luck could explain them; more would cost the better ones their power."""
LEAST_T = 2.0
EXPLAINED = 0.05
"""The level of the test whether a slice is worse than what else one of its predicates takes in."""

Rating = Callable[[np.ndarray, int | None], np.ndarray]
"""Rates slices by their sums: all of one predicate (None), or those of two with the given facet first."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched.

    Attributes
    ----------
    most : int
        The most slices.
    least : int
        The fewest rows of a slice, and outside of it.
    largest : float
        The largest share of all rows, in (0, 1].
    most_facets : int
        So many facets are paired, those whose best predicate tells most.
    pairs : bool
        Whether slices of two predicates are searched.
    """

    most: int
    least: int
    largest: float
    most_facets: int
    pairs: bool


def search(board: Board, terms: Terms) -> tuple[list[tuple[Place, ...]], int]:
    """The slices that lose most, the first one first, and how many were compared.

    A slice is rated by its share of all rows times the lower bound of its excess over the rows outside, at as many
    standard errors as the luckiest of so many slices reaches without any excess. Each next slice is rated on the rows
    that are in none before it. A slice of two predicates must be worse than the other rows of either of them (a test
    at a level of 0.05 divided by the number of predicates); else that predicate explains it. Where another slice has a
    surer excess, and the rows outside of it are not shown to be worse than the rest by the same test, that one explains
    it and takes its place.

    Parameters
    ----------
    board : Board
    terms : Terms

    Returns
    -------
    list of tuple of (int, int)
        At most `terms.most`; from the third on none after the first whose bound lies below 0.
    int
    """
    sizes = (board.holds.sum(axis=2) > 0).sum(axis=1)
    if not len(sizes):
        return [], 0
    order, paired = promising(board, terms)
    ranked, sizes = board.facets(order), sizes[order]
    counted = int(sizes.sum() + (sizes[:paired].sum() ** 2 - (sizes[:paired] ** 2).sum()) // 2)
    sums = sum_cells(ranked, paired)
    rule = Rule(
        least=terms.least,
        z=float(stats.norm.isf(1 / max(counted, 3))),
        parent_t=float(stats.norm.isf(EXPLAINED / sizes.sum())),
        weight=float(sums.total[-3]),
        fits=fitting(ranked.holds, sums, terms.largest),
    )
    found: list[tuple[Place, ...]] = []
    left = np.ones(board.codes.shape[1], dtype=bool)
    while len(found) < terms.most:
        score, places = best(ranked.holds, sums, rule, lambda inside, first: ratings(inside, sums.total, rule, first))
        if not places:
            break
        taken = np.flatnonzero(ranked.inside(places) & left)
        inner = sum_cells(ranked.rows(taken), paired)
        cause = explanation(ranked.holds, sums, inner, rule) if score > 0 else ()
        if cause:
            places = cause
            taken = np.flatnonzero(ranked.inside(places) & left)
            inner = sum_cells(ranked.rows(taken), paired)
        found.append(places)
        if score <= 0 and len(found) >= FEWEST:
            break
        left[taken] = False
        sums.drop(inner)
    return [tuple(sorted((int(order[facet]), at) for facet, at in places)) for places in found], counted


def promising(board: Board, terms: Terms) -> tuple[np.ndarray, int]:
    """The facets, those whose best predicate tells most first, and how many of them are paired."""
    sums = sum_cells(board, 0)
    telling = tell(alone(board.holds, sums), sums.total, terms.least).max(axis=1)
    paired = min(terms.most_facets, len(telling)) if terms.pairs else 0
    return np.argsort(-telling, kind="stable"), paired


@dataclass(frozen=True)
class Rule:
    """How slices are rated.

    Attributes
    ----------
    least : int
    z, parent_t : float
        At how many standard errors the bound of the excess lies, and how many are asked for against either predicate.
    weight : float
        Of all rows.
    fits : dict of ndarray of bool
        Which slices are not too large, by their first facet; under None those of one predicate.
    """

    least: int
    z: float
    parent_t: float
    weight: float
    fits: dict[int | None, np.ndarray]


def fitting(holds: np.ndarray, sums: Sums, largest: float) -> dict[int | None, np.ndarray]:
    """Which slices hold no more than the largest share of all rows."""
    most = largest * sums.total[-3]
    fits: dict[int | None, np.ndarray] = {None: alone(holds, sums)[-3] <= most}
    for first in range(len(sums.pairs) - 1):
        fits[first] = crossed(holds, sums, first)[-3] <= most
    return fits


def best(holds: np.ndarray, sums: Sums, rule: Rule, rate: Rating) -> tuple[float, tuple[Place, ...]]:
    """The slice that is rated highest, and its rating; no place where none is rated."""
    singles = alone(holds, sums)
    rated = rate(singles, None)
    at = np.unravel_index(int(rated.argmax()), rated.shape)
    score = float(rated[at])
    places: tuple[Place, ...] = ((int(at[0]), int(at[1])),) if score > -np.inf else ()
    for first in range(len(sums.pairs) - 1):
        pairs = crossed(holds, sums, first)
        rated = rate(pairs, first)
        better = np.argwhere(rated > score)
        if not len(better):
            continue
        second, one, other = better.T
        child = pairs[:, second, one, other]
        parents = singles[:, first, one], singles[:, first + 1 + second, other]
        kept = np.logical_and(*(worse_than_siblings(child, parent, sums.total, rule) for parent in parents))
        if kept.any():
            scores = np.where(kept, rated[second, one, other], -np.inf)
            pick = int(scores.argmax())
            score = float(scores[pick])
            places = ((first, int(one[pick])), (first + 1 + int(second[pick]), int(other[pick])))
    return score, places


def explanation(holds: np.ndarray, sums: Sums, inner: Sums, rule: Rule) -> tuple[Place, ...]:
    """The slice that explains what is wrong with another one, whose own sums are `inner`; none if none does.

    It has the surest excess of those that leave nothing: the other slice's rows outside of it are not shown to be worse
    than the rows outside of both.
    """
    whole, total = inner.total, sums.total
    gap, error = difference(whole, total - whole, total)

    def rate(inside: np.ndarray, first: int | None) -> np.ndarray:
        common = alone(holds, inner) if first is None else crossed(holds, inner, first)
        ends = (-1, *[1] * (inside.ndim - 1))
        beyond = whole.reshape(ends) - common
        t, rest_t = tell(inside, total, rule.least), tell_apart(beyond, total.reshape(ends) - inside - beyond, total)
        explains = (rest_t < rule.parent_t) & (beyond[0] > 0) & (t > max(float(gap / error), rule.z))
        return np.where(explains & rule.fits[first], t, -np.inf)

    return best(holds, sums, rule, rate)[1]


def ratings(inside: np.ndarray, total: np.ndarray, rule: Rule, first: int | None) -> np.ndarray:
    """Share times the lower bound of the excess, where that is above 0; else how far t falls short of z."""
    gap, error, valid = compared(inside, total, rule.least)
    with np.errstate(divide="ignore", invalid="ignore"):
        t, bound = gap / error, gap - rule.z * error
        score = np.where(bound > 0, inside[-3] / rule.weight * bound, t - rule.z)
    return np.where(valid & rule.fits[first] & (t >= LEAST_T), score, -np.inf)


def worse_than_siblings(child: np.ndarray, parent: np.ndarray, total: np.ndarray, rule: Rule) -> np.ndarray:
    """Whether slices are worse than what else one of their predicates takes in."""
    return np.asarray(tell_apart(child, parent - child, total) >= rule.parent_t)
