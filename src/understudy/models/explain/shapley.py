"""What each column of one case adds to the model's answer: Shapley values by one batch of calls of the model.

A column's contribution is how much the score changes when its usual values give way to the case's own, averaged over
all orders in which the columns could be told (Shapley 1953; Štrumbelj & Kononenko 2014, "Explaining prediction models
and individual predictions with feature contributions"). Columns that are not told yet take the values of background
rows, whatever the told ones are: the interventional kind, which credits a column only with what the model itself does
with it (Datta, Sen & Zick 2016; Janzing, Minorics & Blöbaum 2020).

Which rows must be scored does not depend on the case, so it is laid down once, as a `Design`. With few columns it holds
every coalition, and the values are exact. With more, each background row is walked through in an order and in its
reverse (antithetic sampling; Mitchell, Cooper, Frank & Holmes 2022, "Sampling permutations for Shapley value
estimation"). In such a pair each of two columns comes first once, so what they do together is halved as it should be:
for models that add up single columns and pairs of columns the values are exact (Mayer & Wüthrich 2025, "Shapley values:
paired-sampling approximations"), as those of additive models are with any order at all. What is left to chance is how
three or more columns share what only they do together: of boosted trees with strong threefold interactions the largest
error is 2.5 % of the largest contribution, on average over cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from understudy.core.errors import DataError

MOST_ROWS = 1300
"""How many rows a case may cost, before equal ones are scored once: most compiled models do so many in 5 to 20 ms."""

MOST_BACKGROUND = 64
FEWEST_BACKGROUND = 8
FEWEST_EXACT = 32
"""Every coalition is scored where that leaves the budget for at least so many background rows."""

SEED = 20160612
"""The orders are the same in each process and on each day, so that a case always has the same reasons."""


@dataclass(frozen=True)
class Design:
    """Which rows to score for one case, and how the columns' contributions follow from the scores.

    Attributes
    ----------
    known : ndarray of bool, shape (m, d)
        Whether a row has the case's own value in a column. Row 0 is the case itself; the next `background` rows have
        none of its values.
    against : ndarray of int64, shape (m,)
        The background row that gives the other values.
    weights : ndarray of float64, shape (d, m)
        Contributions are `weights @ scores`.
    background : int
        How many background rows there are.
    exact : bool
        Whether every coalition is scored.
    """

    known: np.ndarray
    against: np.ndarray
    weights: np.ndarray
    background: int
    exact: bool

    def contributions(self, scores: np.ndarray) -> np.ndarray:
        """What each column adds, of shape (d,), from the scores of the rows, of shape (m,).

        Together they are the score of the case less the mean score of the background.

        >>> plan = design(2)
        >>> case, usual = np.array([3.0, 5.0]), np.zeros((plan.background, 2))
        >>> rows = np.where(plan.known, case, usual[plan.against])
        >>> plan.contributions(rows @ [1.0, 2.0] + rows[:, 0] * rows[:, 1]).round(6).tolist()
        [10.5, 17.5]
        """
        found: np.ndarray = self.weights @ scores
        return found

    def distinct(self, differs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows that need scoring for a case, and for each row which of them it equals.

        Telling a column changes nothing where the case has the background row's own value.

        Parameters
        ----------
        differs : ndarray of bool, shape (background, d)
            Whether the case differs from each background row in each column.

        Returns
        -------
        rows, places : ndarray of int64
            Of shape (r,) and (m,): the scores of all rows are `scores[places]` where those of `rows` are `scores`.
        """
        # Rows are alike where sums of random codes are: of 2,000 rows two others would be with a chance of 1e-13.
        codes = np.random.default_rng(SEED).integers(1, 2**63, self.known.shape[1] + self.background, dtype=np.uint64)
        told = self.known & differs[self.against]
        keys = told.astype(np.uint64) @ codes[self.background :] + codes[self.against]
        _, rows, places = np.unique(keys, return_index=True, return_inverse=True)
        return rows, places

    def base(self, scores: np.ndarray) -> float:
        """The mean score of the background."""
        return float(scores[1 : 1 + self.background].mean())


@lru_cache(maxsize=64)
def design(d: int) -> Design:
    """The design for d columns.

    Raises
    ------
    DataError
        There is no column.
    """
    if d < 1:
        raise DataError("There is no column whose contribution could be told.")
    coalitions = 2**d - 1 if d < 20 else MOST_ROWS
    if MOST_ROWS // coalitions >= FEWEST_EXACT:
        return every_coalition(d, min(MOST_BACKGROUND, MOST_ROWS // coalitions))
    background = int(np.clip(MOST_ROWS // (2 * d - 1), FEWEST_BACKGROUND, MOST_BACKGROUND))
    pairs = max(1, (MOST_ROWS // background - 1) // (2 * (d - 1)))
    return paired_walks(d, background, pairs)


def every_coalition(d: int, background: int) -> Design:
    """All sets of told columns, each beside each background row, with Shapley's own weights."""
    subsets = (np.arange(1, 2**d - 1)[:, None] >> np.arange(d)) & 1 == 1
    known = np.vstack([frame_rows(d, background), np.repeat(subsets, background, axis=0)])
    rows = np.arange(background)
    against = np.concatenate([[0], rows, np.tile(rows, len(subsets))])
    size = known.sum(axis=1)
    rising = np.array([1 / (d * math.comb(d - 1, k - 1)) if k else 0.0 for k in range(d + 1)])
    falling = np.array([1 / (d * math.comb(d - 1, k)) if k < d else 0.0 for k in range(d + 1)])
    share = np.full(len(known), 1 / background)
    share[0] = 1.0
    weights = np.where(known, rising[size][:, None], -falling[size][:, None]).T * share
    return Design(known, against, weights, background, exact=True)


def paired_walks(d: int, background: int, pairs: int) -> Design:
    """From each background row to the case, column by column, in some orders and in their reverses.

    Parameters
    ----------
    d : int
    background : int
        How many background rows.
    pairs : int
        How many orders, each with its reverse, for each of them.
    """
    orders = balanced_orders(d, background * pairs)
    walks, inner = len(orders), 2 * (d - 1)
    steps = np.arange(1, d)
    places = np.argsort(orders, axis=1)
    forward = places[:, None, :] < steps[:, None]
    backward = places[:, None, :] >= d - steps[:, None]
    between = np.concatenate([forward, backward], axis=1).reshape(walks * inner, d)
    known = np.vstack([frame_rows(d, background), between])
    start = np.arange(walks) % background
    against = np.concatenate([[0], np.arange(background), np.repeat(start, inner)])
    first = 1 + background + np.arange(walks)[:, None] * inner + np.arange(d - 1)
    weights = np.zeros((d, len(known)))
    ends = (1 + start)[:, None], np.zeros((walks, 1), dtype=np.int64)
    for order, middle in ((orders, first), (orders[:, ::-1], first + d - 1)):
        chain = np.hstack([ends[0], middle, ends[1]])
        np.add.at(weights, (order, chain[:, 1:]), 0.5 / walks)
        np.add.at(weights, (order, chain[:, :-1]), -0.5 / walks)
    return Design(known, against, weights, background, exact=False)


def frame_rows(d: int, background: int) -> np.ndarray:
    """The case, which has all of its values, and the background rows, which have none."""
    known = np.zeros((1 + background, d), dtype=bool)
    known[0] = True
    return known


def balanced_orders(d: int, wanted: int) -> np.ndarray:
    """Orders of d columns, of shape (wanted, d): all turns of some random ones.

    Among the d turns of an order each column has each place once, so that early and late places are spread evenly.
    """
    generator = np.random.default_rng(SEED)
    turns = (np.arange(d)[:, None] + np.arange(d)) % d
    some = [generator.permutation(d)[turns] for _ in range(-(-wanted // d))]
    orders: np.ndarray = generator.permutation(np.concatenate(some))[:wanted]
    return orders
