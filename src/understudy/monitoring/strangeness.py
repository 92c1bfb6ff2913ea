"""How unlike the training data a case is: 0 ordinary, 1 alien.

Each measure of a column has a surprise, minus the logarithm of the tail probability of its bin in the reference, as in
ECOD (Li, Zhao, Hu, Botta, Ionescu & Chen 2022, IEEE TKDE). A case has their sum, which sees many slightly odd values,
and their maximum, which sees one alien value among fifty ordinary ones. The worse of the two ranks among the reference
is the score, and its conformal p-value (Vovk, Gammerman & Shafer 2005) on rows that served nothing else makes it a
probability: of ordinary cases to come, at most a share ε has a strangeness of 1 − ε or more.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import polars as pl

from understudy.core.errors import DataError
from understudy.data.contract import Contract
from understudy.monitoring.bins import Bins, cells, count, freeze_bins, measured
from understudy.monitoring.strange_rows import beyond_last, beyond_range, rank_surprises

MOST_KEPT = 2000


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one column with its surprises, ready for a row; see `Bins` for the first attributes.

    Attributes
    ----------
    place : int
        The column's place among the contract's used columns.
    timed : bool
        Whether the column holds times.
    surprise : tuple of float
        For each cell of the bins.
    """

    place: int
    measure: str
    timed: bool
    edges: tuple[float, ...]
    low: float
    high: float
    levels: tuple[str, ...]
    vocabulary: tuple[str, ...]
    surprise: tuple[float, ...]


class Strangeness(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted measure of strangeness.

    Attributes
    ----------
    bins : tuple of Bins
        The frozen bins, which are the monitors' as well.
    reference : tuple of tuple of int
        The reference's counts over them.
    measures : tuple of Measure
    sums, peaks : tuple of float
        Sorted sums and maxima of surprises in the reference, thinned to at most 2,000.
    calibration : tuple of float
        Sorted scores of the calibration rows, thinned likewise.
    n : int
        How many calibration rows there were.
    """

    bins: tuple[Bins, ...]
    reference: tuple[tuple[int, ...], ...]
    measures: tuple[Measure, ...]
    sums: tuple[float, ...]
    peaks: tuple[float, ...]
    calibration: tuple[float, ...]
    n: int


def fit_strangeness(
    reference: pl.DataFrame, calibration: pl.DataFrame, contract: Contract, *, clock_column: str | None = None
) -> Strangeness:
    """Freeze what is ordinary.

    Parameters
    ----------
    reference : pl.DataFrame
        Rows in canonical types that the bins are frozen on.
    calibration : pl.DataFrame
        Other rows, which make the strangeness a probability.
    contract : Contract
    clock_column : str, optional
        The column that says when a case happened.

    Raises
    ------
    DataError
        There is no reference or no calibration row.
    """
    if not reference.height or not calibration.height:
        raise DataError("Strangeness needs rows to refer to and rows to be calibrated on.")
    bins = freeze_bins(reference, contract, clock_column=clock_column)
    counters = count(bins, reference)
    places = {column.name: place for place, column in enumerate(contract.used)}
    measures = tuple(
        Measure(
            place=places[one.column],
            measure=one.measure,
            timed=reference[one.column].dtype.is_temporal(),
            edges=one.edges,
            low=one.low,
            high=one.high,
            levels=one.levels,
            vocabulary=one.vocabulary,
            surprise=surprises(one, np.array(counts)),
        )
        for one, counts in zip(bins, counters.counts, strict=True)
    )
    total, peak = sum_and_peak(bins, measures, reference)
    model = Strangeness(
        bins=bins,
        reference=counters.counts,
        measures=measures,
        sums=kept(total),
        peaks=kept(peak),
        calibration=(0.0,),
        n=calibration.height,
    )
    return msgspec.structs.replace(model, calibration=kept(scores(model, calibration)))


def surprises(bins: Bins, counts: np.ndarray) -> tuple[float, ...]:
    """Minus the logarithm of each cell's tail probability.

    For numbers the tail is everything as far out or further on the nearer side, doubled; for levels everything that is
    as rare or rarer. What was never seen is rarer than anything that was.
    """
    n = counts.sum()
    inner, beyond, missing = counts[:-2], counts[-2], counts[-1]
    if bins.measure == "level":
        seen = np.concatenate([inner, [beyond, missing]])
        tails = np.array([seen[seen <= size].sum() for size in seen])
    else:
        left, right = np.cumsum(inner), np.cumsum(inner[::-1])[::-1]
        tails = np.minimum(n, 2 * np.minimum(left, right))
        tails = np.concatenate([tails, [beyond, missing]])
    return tuple((-np.log((tails + 0.5) / (n + 1.0))).clip(0.0).tolist())


def kept(values: np.ndarray) -> tuple[float, ...]:
    """Sorted values; of more than 2,000 the upper end of each of 2,000 equal shares, so that p-values only grow."""
    ordered = np.sort(values)
    if len(ordered) > MOST_KEPT:
        ranks = np.ceil(np.arange(1, MOST_KEPT + 1) * len(ordered) / MOST_KEPT).astype(int) - 1
        ordered = ordered[ranks]
    return tuple(ordered.tolist())


def sum_and_peak(
    bins: tuple[Bins, ...], measures: tuple[Measure, ...], frame: pl.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """The sum and the maximum of each row's surprises, both of shape (n,)."""
    total, peak = np.zeros(frame.height), np.zeros(frame.height)
    for one, measure in zip(bins, measures, strict=True):
        u = surprise_of(one, measure, frame[one.column])
        total += u
        np.maximum(peak, u, out=peak)
    return total, peak


def surprise_of(bins: Bins, measure: Measure, values: pl.Series) -> np.ndarray:
    """The surprise at each value of a column."""
    places = cells(bins, values)
    u: np.ndarray = np.array(measure.surprise)[places]
    if bins.measure != "level" and (outside := places == bins.cells - 2).any():
        numbers = measured(bins, values)[outside].tolist()
        u[outside] = [beyond_range(number, bins.low, bins.high, measure.surprise[-2]) for number in numbers]
    return u


def outranked(ordered: tuple[float, ...], values: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the share of reference scores at least as high, growing on beyond the last."""
    places = np.searchsorted(np.array(ordered), values, side="left")
    surprise = np.array(rank_surprises(len(ordered)))[places]
    higher = places == len(ordered)
    surprise[higher] = [
        beyond_last(math.log(len(ordered) + 1), value - ordered[-1]) for value in values[higher].tolist()
    ]
    return np.asarray(surprise)


def scores(model: Strangeness, frame: pl.DataFrame) -> np.ndarray:
    """The worse of the two ranks of each row, of shape (n,)."""
    total, peak = sum_and_peak(model.bins, model.measures, frame)
    worse: np.ndarray = np.maximum(outranked(model.sums, total), outranked(model.peaks, peak))
    return worse


def strangeness(model: Strangeness, frame: pl.DataFrame) -> np.ndarray:
    """How strange each row is: one minus its conformal p-value.

    Parameters
    ----------
    model : Strangeness
    frame : pl.DataFrame
        Rows in canonical types.

    Returns
    -------
    ndarray of float64, shape (n,)
        From 0, ordinary, to 1, alien.
    """
    ordered = np.array(model.calibration)
    above = len(ordered) - np.searchsorted(ordered, scores(model, frame), side="left")
    strange: np.ndarray = 1.0 - (1.0 + above / len(ordered) * model.n) / (model.n + 1.0)
    return strange
