"""What is usual in each column, and rows made of usual values: all from the frozen bins, none from a row of the data.

The rows are composed column by column, each value as often as the reference has it, and matched at random. So a row is
nobody's, and the columns are independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import numpy as np
import polars as pl

from understudy.data.contract import Column, Contract
from understudy.data.reading import canonical_schema
from understudy.monitoring.bins import MOST_BINS, Bins
from understudy.monitoring.strangeness import Strangeness

MIDDLE = 0.8
"""The share of the reference's values that counts as usual."""

ATOM = 1.5
"""A bin that holds so many times its share is full of one value, its lowest."""

MOST_NAMED = 2
LEAST_SHARE = 0.05
"""A level that fewer have is nothing usual, and may be somebody's own."""
SEED = 20160612
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  canonical times are naive UTC
WORDS = 300


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual in one column.

    Attributes
    ----------
    column, kind : str
    measure : str
        Of what the range is: `number`, `length` of a text in characters, `elapsed` microseconds since 1970; `level`
        where there is none.
    low, high : float, optional
        The middle 80 % of the reference's values that are there.
    levels : tuple of (str, float)
        The most frequent levels with their shares: two at most, and none that less than 5 % have.
    missing : float
        The share without a value.
    """

    column: str
    kind: str
    measure: str
    low: float | None = None
    high: float | None = None
    levels: tuple[tuple[str, float], ...] = ()
    missing: float = 0.0


def usual_values(reference: Strangeness, contract: Contract) -> tuple[Usual, ...]:
    """What is usual in each column that models see, in the contract's order."""
    return tuple(usual_of(column, *counted(reference, column)) for column in contract.used)


def usual_rows(reference: Strangeness, contract: Contract, n: int) -> pl.DataFrame:
    """Rows of usual values in canonical types, always the same.

    Parameters
    ----------
    reference : Strangeness
    contract : Contract
    n : int
        How many rows; each column has its values at n evenly spread ranks.

    >>> from understudy.monitoring.strangeness import fit_strangeness
    >>> contract = Contract(columns=(Column(name="job", kind="category", levels=("cook", "nurse")),))
    >>> jobs = pl.DataFrame({"job": ["cook"] * 75 + ["nurse"] * 25})
    >>> usual_rows(fit_strangeness(jobs, jobs, contract), contract, 8)["job"].sort().to_list()
    ['cook', 'cook', 'cook', 'cook', 'cook', 'cook', 'nurse', 'nurse']
    """
    schema = canonical_schema(contract)
    columns = []
    for place, column in enumerate(contract.used):
        generator = np.random.default_rng([SEED, place])
        values = composed(column, *counted(reference, column), n, generator)
        columns.append(
            pl.Series(column.name, values, dtype=schema[column.name], strict=False).gather(generator.permutation(n))
        )
    return pl.DataFrame(columns)


def counted(reference: Strangeness, column: Column) -> tuple[dict[str, Bins], dict[str, np.ndarray]]:
    """The bins of a column and their counts, both by measure."""
    found = [
        (bins, counts)
        for bins, counts in zip(reference.bins, reference.reference, strict=True)
        if bins.column == column.name
    ]
    return {bins.measure: bins for bins, _ in found}, {bins.measure: np.array(counts) for bins, counts in found}


def usual_of(column: Column, bins: dict[str, Bins], counts: dict[str, np.ndarray]) -> Usual:
    """What is usual in one column."""
    some = next(iter(counts.values()))
    missing = float(some[-1] / max(1, some.sum()))
    if "level" in bins:
        shares = (counts["level"] / max(1, counts["level"].sum())).tolist()
        pairs = zip(bins["level"].levels[:MOST_NAMED], shares, strict=False)
        levels = tuple((name, share) for name, share in pairs if share >= LEAST_SHARE)
        return Usual(column=column.name, kind=column.kind, measure="level", levels=levels, missing=missing)
    measure = next((name for name in ("number", "length", "elapsed") if name in bins), "elapsed")
    if measure not in bins:  # the column that says when: only its hours and weekdays were counted
        ends: tuple[float | None, float | None] = (column.low, column.high)
    else:
        tail, nearest = (1 - MIDDLE) / 2, 0.5 / MOST_BINS
        low, high = at_ranks(bins[measure], counts[measure][:-2], np.array([tail, 1 - tail]) + nearest)
        ends = (low, high)
    return Usual(column=column.name, kind=column.kind, measure=measure, low=ends[0], high=ends[1], missing=missing)


def at_ranks(bins: Bins, inner: np.ndarray, ranks: np.ndarray, *, nearer: bool = False) -> list[float]:
    """The values at some ranks in [0, 1]: the lower end of the bin in which they lie, which is a value that occurs.

    The lowest value may lie far out and count for its whole bin; it stands for it only where most of the bin is it. The
    highest never does.

    Parameters
    ----------
    bins : Bins
    inner : ndarray of shape (bins,)
        How many values lie in each.
    ranks : ndarray of shape (n,)
    nearer : bool
        Whether the upper half of a bin takes its upper end, as suits numbers that hardly repeat.
    """
    if not inner.sum():
        return [bins.low] * len(ranks)
    starts = np.array([bins.low, *bins.edges])
    alike = inner >= ATOM * inner.sum() / MOST_BINS
    if bins.edges and not alike[0]:
        starts[0] = bins.edges[0]
    places = cells_at(inner, ranks)
    if nearer:
        within = ranks * inner.sum() - (np.cumsum(inner) - inner)[places]
        up = (within >= inner[places] / 2) & ~alike[places] & (places < len(inner) - 1)
        places = places + up
    values: list[float] = starts[places].tolist()
    return values


def cells_at(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """The cell in which each rank in [0, 1] lies."""
    places = np.searchsorted(np.cumsum(counts), ranks * counts.sum(), side="right")
    return np.asarray(np.minimum(places, len(counts) - 1))


def composed(
    column: Column, bins: dict[str, Bins], counts: dict[str, np.ndarray], n: int, generator: np.random.Generator
) -> Sequence[object]:
    """N values of one column, each as often as the reference has it; missing ones are None."""
    ranks = (np.arange(n) + 0.5) / n
    some = next(iter(counts.values()))
    share = some[-1] / max(1, some.sum())
    there = n - round(share * n) if share < 1 else 0
    inner = (np.arange(there) + 0.5) / max(1, there)
    if "level" in bins:
        return levels_at(column, bins["level"], counts["level"], ranks)
    if "number" in bins:
        whole = column.kind == "integer"
        values = at_ranks(bins["number"], counts["number"][:-2], inner, nearer=not whole)
        found: list[object] = [int(value) if whole else value for value in values]
    elif "length" in bins:
        sizes = at_ranks(bins["length"], counts["length"][:-2], inner)
        found = [text_of(bins["new words"].vocabulary, size, generator) for size in sizes]
    else:
        found = list(moments(column, bins, counts, inner, generator))
    return [*found, *[None] * (n - there)]


def levels_at(column: Column, bins: Bins, counts: np.ndarray, ranks: np.ndarray) -> list[object]:
    """The levels at some ranks; for those that the bins do not tell apart one of the contract's, or none."""
    known = set(bins.levels)
    others = [level for level in column.levels if level not in known]
    named: list[object] = [*bins.levels, others[0] if others else None, None]
    if column.kind == "boolean":
        named = [*(level == "true" for level in bins.levels), None, None]
    return [named[cell] for cell in cells_at(counts, ranks)]


def text_of(vocabulary: tuple[str, ...], size: float, generator: np.random.Generator) -> str:
    """Words of the reference up to a length in characters, a word as often as its rank says (Zipf 1935)."""
    words = vocabulary[:WORDS]
    if not words:
        return ""
    chances = 1 / np.arange(1, len(words) + 1)
    wanted = max(1, round(size / 6))
    return " ".join(words[place] for place in generator.choice(len(words), wanted, p=chances / chances.sum()))


def moments(
    column: Column,
    bins: dict[str, Bins],
    counts: dict[str, np.ndarray],
    ranks: np.ndarray,
    generator: np.random.Generator,
) -> list[datetime]:
    """Times of usual dates, on usual weekdays, at usual hours."""
    low, high = column.low or 0.0, column.high or 0.0
    days = at_ranks(bins["elapsed"], counts["elapsed"][:-2], ranks) if "elapsed" in bins else low + ranks * (high - low)
    weekdays = generator.permutation(at_ranks(bins["weekday"], counts["weekday"][:-2], ranks))
    hours = generator.permutation(at_ranks(bins["hour"], counts["hour"][:-2], ranks))
    found = []
    for micros, weekday, hour in zip(days, weekdays.tolist(), hours.tolist(), strict=True):
        day = as_moment(micros).replace(hour=0, minute=0, second=0, microsecond=0)
        found.append(day + timedelta(days=int(weekday) - day.isoweekday(), hours=int(hour)))
    return found


def as_moment(micros: float) -> datetime:
    """Microseconds since 1970 as a naive time in UTC.

    >>> as_moment(0).isoformat()
    '1970-01-01T00:00:00'
    """
    return EPOCH + timedelta(microseconds=int(micros))
