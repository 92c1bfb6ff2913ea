"""The rows of a slice search: which are known, which half they go to, where their tail is cut, how columns cut them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from understudy.evaluation.intervals import group_codes
from understudy.evaluation.slice_facets import (
    Facet,
    Measure,
    calendar_levels,
    quoted,
    term_facets,
    truth_levels,
    word_levels,
)
from understudy.evaluation.slice_ranges import number_facet, time_facet
from understudy.evaluation.slice_sums import Board

TAILS = (0.99, 0.95)
FAR = 5.0
"""How many standard deviations above the mean the cut of a tail may lie; else the next lower one is taken."""
FEW_VALUES = 20
"""Losses of no more different values, as 0 and 1 or a table of costs, have no tail to be cut."""


@dataclass(frozen=True)
class Rows:
    """Some rows of a table, with their losses; weights and group codes where there are any.

    Attributes
    ----------
    frame : pl.DataFrame
    at : ndarray of int, shape (n,)
        Their places in the frame.
    loss, weights, groups : ndarray of shape (n,)
    """

    frame: pl.DataFrame
    at: np.ndarray
    loss: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None

    def only(self, chosen: np.ndarray) -> Rows:
        """Some of them."""
        return Rows(
            frame=self.frame,
            at=self.at[chosen],
            loss=self.loss[chosen],
            weights=None if self.weights is None else self.weights[chosen],
            groups=None if self.groups is None else self.groups[chosen],
        )

    @property
    def scale(self) -> np.ndarray:
        """The weights, with a mean of 1."""
        return np.ones(len(self.loss)) if self.weights is None else self.weights / self.weights.mean()

    @property
    def excess(self) -> np.ndarray:
        """Each row's weight times its loss less the mean loss."""
        return np.asarray(self.scale * (self.loss - self.scale @ self.loss / max(len(self.loss), 1)))

    def column(self, name: str) -> pl.Series:
        """Their values of one column."""
        values = self.frame[name].gather(self.at)
        return values.fill_nan(None) if values.dtype.is_float() else values


def known_rows(frame: pl.DataFrame, loss: np.ndarray, weights: np.ndarray | None, groups: np.ndarray | None) -> Rows:
    """The rows whose loss is known and whose weight is not 0.

    Raises
    ------
    ValueError
        Lengths differ, no loss is known, a loss is infinite, or a weight is not a number from 0 on.
    """
    loss = np.asarray(loss, dtype=np.float64)
    for name, array in (("loss", loss), ("weight", weights), ("group", groups)):
        if array is not None and np.shape(array) != (frame.height,):
            raise ValueError(f"one {name} per row: got shape {np.shape(array)} for {frame.height:,} rows")
    if np.isinf(loss).any():
        count = int(np.isinf(loss).sum())
        raise ValueError(f"{count:,} losses are infinite; clip probabilities before taking their logarithm")
    kept = ~np.isnan(loss)
    if weights is not None:
        weights = np.asarray(weights, dtype=np.float64)
        if not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError("each weight is a finite number from 0 on: the number of cases that a row stands for")
        kept &= weights > 0
    if not kept.any():
        raise ValueError(f"none of {frame.height:,} rows has a known loss and a weight: there is nothing to search")
    codes = None if groups is None else group_codes(groups)[1]
    return Rows(frame=frame, at=np.arange(frame.height), loss=loss, weights=weights, groups=codes).only(kept)


def halves(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """Two halves by lot; the rows of one group stay together."""
    units = len(rows.loss) if rows.groups is None else int(rows.groups.max()) + 1
    lot = np.random.default_rng(seed).permutation(units) < units // 2
    drawn = lot if rows.groups is None else lot[rows.groups]
    return rows.only(drawn), rows.only(~drawn)


def tail_cap(loss: np.ndarray) -> float | None:
    """From where on larger losses count as this much (winsorising; Tukey 1962); None where they take few values.

    It is the 99 % quantile of the losses above 0 or, where a heavy tail reaches beyond five standard deviations even
    then, the 95 % quantile.

    >>> tail_cap(np.array([0.0, 1.0] * 50)), tail_cap(np.arange(0.0, 1001.0))
    (None, 990.01)
    """
    if len(np.unique(loss)) <= FEW_VALUES or not (loss > 0).any():
        return None
    for cap in np.quantile(loss[loss > 0], TAILS).tolist():
        cut = np.minimum(loss, cap)
        if cap <= cut.mean() + FAR * cut.std():
            break
    return float(cap)


def all_facets(rows: Rows, prose: Collection[str], least: int) -> list[Facet]:
    """Every facet of every column."""
    excess = rows.excess
    facets: list[Facet] = []
    for name in rows.frame.columns:
        facets += column_facets(rows.column(name), excess, prose=name in prose, least=least)
    return facets


def column_facets(values: pl.Series, excess: np.ndarray, *, prose: bool, least: int) -> list[Facet]:
    """Every facet of one column; none where its type has neither an order nor levels.

    Parameters
    ----------
    values : pl.Series
        In a canonical type.
    excess : ndarray of shape (n,)
        Each row's weight times its loss less the mean loss; levels, words and cuts are chosen by it.
    prose : bool
        Whether text is to be read by its words.
    least : int
        A level or word in fewer rows is passed over.

    >>> found = column_facets(pl.Series("vip", [True, False] * 20), np.zeros(40), prose=False, least=5)
    >>> [(one.words, one.condition) for one in found[0].predicates[:2]]
    [('vip is false', '"vip" = FALSE'), ('vip is true', '"vip" = TRUE')]
    """
    name, dtype = values.name, values.dtype
    made: Sequence[Facet | None] = []
    if dtype == pl.Boolean:
        made = [truth_levels(values, excess, least)]
    elif dtype == pl.String and prose:
        length = Measure(name, f"length of {name}", f"LENGTH({quoted(name)})", text_lengths)
        made = [number_facet(length, values, excess, least), *term_facets(values, excess, least)]
    elif dtype in (pl.String, pl.Categorical, pl.Enum):
        made = [word_levels(values, excess, least)]
    elif dtype.is_numeric():
        plain = Measure(name, name, quoted(name), itself)
        made = [number_facet(plain, values, excess, least)]
    elif dtype in (pl.Date, pl.Datetime):
        made = time_facets(values, excess, least)
    return [facet for facet in made if facet is not None]


def time_facets(values: pl.Series, excess: np.ndarray, least: int) -> list[Facet | None]:
    """The month, weekday and hour of a time, and before or since when it was."""
    name = values.name
    facets = [time_facet(values, excess, least), *calendar_levels(values, excess, least)]
    if isinstance(values.dtype, pl.Datetime):
        hour = Measure(name, f"hour of {name}", f"EXTRACT(HOUR FROM {quoted(name)})", hours)
        facets.append(number_facet(hour, values, excess, least))
    return facets


def itself(values: pl.Series) -> pl.Series:
    """The values as they are."""
    return values


def text_lengths(values: pl.Series) -> pl.Series:
    """How many characters texts have."""
    return values.str.len_chars()


def hours(values: pl.Series) -> pl.Series:
    """0 to 23."""
    return values.dt.hour()


def board_of(rows: Rows, facets: list[Facet]) -> Board:
    """The rows as cells of facets, with their moments."""
    codes = np.empty((len(facets), len(rows.loss)), dtype=np.uint8)
    for place, facet in enumerate(facets):
        codes[place] = facet.read(rows.column(facet.column))
    shape = [max((facet.holds.shape[axis] for facet in facets), default=0) for axis in (0, 1)]
    holds = np.zeros((len(facets), *shape))
    for place, facet in enumerate(facets):
        holds[place, : facet.holds.shape[0], : facet.holds.shape[1]] = facet.holds
    excess = rows.excess
    moments = (excess, excess**2) if rows.weights is None else (rows.scale, excess, excess**2)
    return Board(codes=codes, holds=holds, moments=moments)
