"""How unlike the training data a case is: 0 ordinary, 1 alien.

Each measure of a column has a surprise, minus the logarithm of the tail probability of its bin in the reference, as in
ECOD (Li, Zhao, Hu, Botta, Ionescu & Chen 2022, IEEE TKDE). A case has their sum, which sees many slightly odd values,
and their maximum, which sees one alien value among fifty ordinary ones. The worse of the two ranks among the reference
is the score, and its conformal p-value (Vovk, Gammerman & Shafer 2005) on rows that served nothing else makes it a
probability: of ordinary cases to come, at most a share ε has a strangeness of 1 − ε or more.

What the reference never showed has the tail probability that leaving each of its rows out in turn says: next to none in
a column of three levels, much in one where many levels occur once. So an unseen level is odd where it is odd.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from understudy.core.errors import DataError
from understudy.data.contract import Contract
from understudy.monitoring.bins import Bins, cells, count, freeze_bins, measured, newcomers, without_itself
from understudy.monitoring.strange_rows import DOUBLING, FARTHEST

MOST_KEPT = 2000


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """How surprising each cell of a measure is.

    Attributes
    ----------
    place : int
        The column's place among the contract's used columns.
    surprise : tuple of float
        For each cell of the bins, in nats.
    """

    place: int
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
        One for each of the bins.
    sums, peaks : tuple of float
        Sorted sums and maxima of surprises in the reference, thinned to at most 2,000.
    calibration : tuple of float
        Sorted scores of the calibration rows, thinned likewise.
    n : int
        How many calibration rows there were.
    held_out : tuple of tuple of int
        The counts, over the same bins, of rows that the bins were not frozen on: what live cases are compared with.
        Empty in versions that were registered without them.
    """

    bins: tuple[Bins, ...]
    reference: tuple[tuple[int, ...], ...]
    measures: tuple[Measure, ...]
    sums: tuple[float, ...]
    peaks: tuple[float, ...]
    calibration: tuple[float, ...]
    n: int
    held_out: tuple[tuple[int, ...], ...] = ()


def fit_strangeness(
    reference: pl.DataFrame,
    calibration: pl.DataFrame,
    contract: Contract,
    *,
    clock_column: str | None = None,
    held_out: pl.DataFrame | None = None,
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
    held_out : pl.DataFrame, optional
        The rows that live cases will be compared with, all of them other than the reference; by default those of the
        calibration.

    Raises
    ------
    DataError
        There is no reference or no calibration row.

    >>> from understudy.data.contract import Column
    >>> contract = Contract(columns=(Column(name="age", kind="integer"),))
    >>> model = fit_strangeness(pl.DataFrame({"age": range(90)}), pl.DataFrame({"age": range(0, 90, 2)}), contract)
    >>> strangeness(model, pl.DataFrame({"age": [44, 88, 900]})).round(2).tolist()
    [0.0, 0.93, 0.98]
    """
    if not reference.height or not calibration.height:
        raise DataError(
            f"Strangeness cannot be learned from {reference.height} rows and calibrated on {calibration.height}.",
            hint="Give at least one row for each, better 1,000.",
        )
    bins = freeze_bins(reference, contract, clock_column=clock_column)
    own = tuple(without_itself(one) for one in bins)
    counters = count(own, reference)
    places = {column.name: place for place, column in enumerate(contract.used)}
    measures = tuple(
        Measure(
            place=places[one.column], surprise=surprises(one, np.array(counts), newcomers(one, reference[one.column]))
        )
        for one, counts in zip(bins, counters.counts, strict=True)
    )
    total, peak = sum_and_peak(own, measures, reference)
    model = Strangeness(
        bins=bins,
        reference=counters.counts,
        measures=measures,
        sums=kept(total),
        peaks=kept(peak),
        calibration=(0.0,),
        n=calibration.height,
        held_out=count(bins, calibration if held_out is None else held_out).counts,
    )
    return msgspec.structs.replace(model, calibration=kept(scores(model, calibration)))


def surprises(bins: Bins, counts: np.ndarray, unseen: int) -> tuple[float, ...]:
    """Minus the logarithm of each cell's tail probability.

    For numbers the tail is everything as far out or further on the nearer side, doubled; for levels everything that is
    as rare or rarer. For what was never seen it is the share that leaving out each row in turn says.

    Parameters
    ----------
    bins : Bins
    counts : ndarray of shape (cells,)
        The reference's.
    unseen : int
        How many reference rows the others do not foresee.
    """
    n = counts.sum()
    inner, beyond, missing = counts[:-2], counts[-2], counts[-1]
    if bins.measure == "level":
        tails = np.array([counts[counts <= size].sum() for size in counts])
    else:
        left, right = np.cumsum(inner), np.cumsum(inner[::-1])[::-1]
        tails = np.concatenate([np.minimum(n, 2 * np.minimum(left, right)), [beyond, missing]])
    tails[-2] = max(tails[-2], unseen)
    return tuple((-np.log((tails + 0.5) / (n + 1.0))).clip(0.0).tolist())


def kept(values: np.ndarray) -> tuple[float, ...]:
    """Sorted values; of more than 2,000 the upper end of each of 2,000 equal shares.

    A share whose upper end reaches a score counts as if all of it did, so that p-values only grow, by at most 1/2,000.
    """
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
        u[outside] = beyond_ranges(measured(bins, values.filter(outside)), bins, measure.surprise[-2])
    return u


def beyond_ranges(numbers: np.ndarray, bins: Bins, rarest: float) -> np.ndarray:
    """The surprise at numbers outside the range; see `strange_rows.beyond_range`."""
    with np.errstate(over="ignore"):  # too far to tell: cut off in the next step
        beside = np.where(numbers < bins.low, bins.low - numbers, numbers - bins.high)
        distance = np.minimum(beside / ((bins.high - bins.low) or 1.0), FARTHEST)
    mantissa, exponent = np.frexp(1.0 + distance)
    return np.asarray(rarest + DOUBLING * (exponent + 2.0 * mantissa - 2.0))


def outranked(ordered: tuple[float, ...], values: np.ndarray) -> np.ndarray:
    """How many of the reference's scores are lower; see `strange_rows.outranked`."""
    places = np.searchsorted(np.array(ordered), values, side="left")
    return np.where(places == len(ordered), places + (values - ordered[-1]), places)


def scores(model: Strangeness, frame: pl.DataFrame) -> np.ndarray:
    """The worse of the two ranks of each row, of shape (n,): how many of the reference's scores are lower."""
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


def contributions(model: Strangeness, frame: pl.DataFrame) -> np.ndarray:
    """Which columns make a row strange: the surprise at each value, all measures of its column added up.

    Parameters
    ----------
    model : Strangeness
    frame : pl.DataFrame
        Rows in canonical types.

    Returns
    -------
    ndarray of float64, shape (n, columns)
        In nats, with the columns in the order of the contract's used ones.
    """
    nats = np.zeros((frame.height, 1 + max((measure.place for measure in model.measures), default=-1)))
    for one, measure in zip(model.bins, model.measures, strict=True):
        nats[:, measure.place] += surprise_of(one, measure, frame[one.column])
    return nats
