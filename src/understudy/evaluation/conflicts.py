"""Rows with the same inputs and different answers: no model that sees these columns can be right on all of them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from understudy.core.evidence import Evidence
from understudy.evaluation.label_joint import odds_bounds

MOST_PAIRS = 12


class ConflictPair(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that say one answer where most rows with the same inputs say another."""

    said: str
    mostly: str
    rows: int


class Conflicts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of conflicting duplicates, as aggregates.

    Attributes
    ----------
    rows : int
        All rows.
    repeated : int
        Rows whose inputs another row has too.
    groups : int
        Sets of rows with equal inputs and different answers (for numbers: further apart than the tolerance allows).
    conflicting : int
        The rows in them.
    outvoted : int
        Rows whose answer is not the most frequent one of their inputs (for numbers: beyond the tolerance of their
        median).
    error : Evidence
        Of all rows the share outvoted: on these rows no model that sees these columns does better.
    repeated_error : Evidence
        The same share of the repeated rows. Of cases that never come twice nothing is known; and as sets of two or
        three rows agree by luck too, it is rather more than this.
    pairs : tuple of ConflictPair
        The most frequent ones first; empty for numbers.
    """

    rows: int
    repeated: int
    groups: int
    conflicting: int
    outvoted: int
    error: Evidence
    repeated_error: Evidence
    pairs: tuple[ConflictPair, ...] = ()

    @property
    def sentence(self) -> str:
        """The finding."""
        if not self.repeated:
            return "No two rows have the same inputs."
        if not self.groups:
            return f"{self.repeated:,} rows share their inputs with another one, without contradicting it."
        return (
            f"{self.conflicting:,} rows in {self.groups:,} sets have the same inputs and different answers; whatever a "
            f"model answers, {self.outvoted:,} of these are wrong: {self.error.estimate:.2%} of all rows "
            f"({self.error.lower:.2%} to {self.error.upper:.2%})."
        )


@dataclass(frozen=True)
class Sets:
    """Rows by their inputs.

    Attributes
    ----------
    code : ndarray of int64, shape (n,)
        Rows of one code have equal inputs.
    size : ndarray of int64, shape (codes,)
    mostly : ndarray of shape (codes,)
        The most frequent class, the first of several; for numbers the median.
    outvoted : ndarray of bool, shape (n,)
    """

    code: np.ndarray
    size: np.ndarray
    mostly: np.ndarray
    outvoted: np.ndarray

    @property
    def conflicting(self) -> np.ndarray:
        """Whether the rows of a code contradict each other, shape (codes,)."""
        return np.bincount(self.code, self.outvoted, minlength=len(self.size)) > 0


def find_conflicts(
    frame: pl.DataFrame,
    y: np.ndarray,
    labels: tuple[str, ...] = (),
    *,
    tolerance: float | None = None,
    alpha: float = 0.05,
) -> Conflicts:
    """How many rows have equal inputs and different answers, and what error that implies.

    Parameters
    ----------
    frame : pl.DataFrame
        The columns that a model sees, n rows in canonical types.
    y : ndarray of shape (n,)
        Class indices, or numbers.
    labels : tuple of str
        The classes; empty for numbers.
    tolerance : float, optional
        How far off a number may be.
    alpha : float

    Raises
    ------
    ValueError
        There are no rows or columns, lengths differ, or numbers have no tolerance.

    >>> table = pl.DataFrame({"a": [1, 1, 1, 2, 2, 3], "b": ["x", "x", "x", "y", "y", "z"]})
    >>> found = find_conflicts(table, np.array([0, 0, 1, 1, 1, 0]), ("no", "yes"))
    >>> found.groups, found.conflicting, found.outvoted, found.repeated, found.pairs[0].said
    (1, 3, 1, 5, 'yes')
    """
    sets = find_sets(frame, y, labels, tolerance)
    repeated = (sets.size > 1)[sets.code]
    conflicting = sets.conflicting
    return Conflicts(
        rows=len(y),
        repeated=int(repeated.sum()),
        groups=int(conflicting.sum()),
        conflicting=int(sets.size[conflicting].sum()),
        outvoted=int(sets.outvoted.sum()),
        error=outvoted_share(sets, np.ones(len(y), dtype=bool), alpha),
        repeated_error=outvoted_share(sets, repeated, alpha),
        pairs=conflict_pairs(sets, y, labels),
    )


def conflicting_rows(
    frame: pl.DataFrame, y: np.ndarray, labels: tuple[str, ...] = (), *, tolerance: float | None = None
) -> pl.DataFrame:
    """The rows whose answers contradict those of equal inputs, for a person to settle; the parameters as above.

    Returns
    -------
    pl.DataFrame
        `row`, its place; `set`, the same for equal inputs; `label`; `mostly`, the most frequent answer of the set (for
        numbers the median); `outvoted`, whether the row says something else.

    >>> table = pl.DataFrame({"a": [1, 1, 2]})
    >>> conflicting_rows(table, np.array([0, 1, 1]), ("no", "yes")).rows()
    [(0, 0, 'no', 'no', False), (1, 0, 'yes', 'no', True)]
    """
    sets = find_sets(frame, y, labels, tolerance)
    rows = np.flatnonzero(sets.conflicting[sets.code])
    rows = rows[np.argsort(sets.code[rows], kind="stable")]
    said, mostly = y[rows], sets.mostly[sets.code[rows]]
    if labels:
        names = np.array(labels, dtype=object)
        said, mostly = names[said].tolist(), names[mostly].tolist()
    words = {"row": rows, "set": sets.code[rows], "label": said, "mostly": mostly, "outvoted": sets.outvoted[rows]}
    kind = pl.String if labels else pl.Float64
    return pl.DataFrame(words, schema_overrides={"label": kind, "mostly": kind})


def find_sets(frame: pl.DataFrame, y: np.ndarray, labels: tuple[str, ...], tolerance: float | None) -> Sets:
    """The rows by their inputs."""
    if not frame.height or not frame.width or frame.height != len(y):
        raise ValueError(f"expected rows, columns and an answer for each row; got {frame.shape} and {len(y)} answers")
    if not labels and not (tolerance is not None and tolerance >= 0):
        raise ValueError(f"numbers conflict when they are further apart than a tolerance; got {tolerance}")
    code = codes_of(frame)
    size = np.bincount(code)
    mostly = most_frequent(code, y, len(labels)) if labels else medians(code, y)
    apart = mostly[code] != y if labels else np.abs(mostly[code] - y) > (tolerance or 0.0)
    return Sets(code=code, size=size, mostly=mostly, outvoted=apart & (size > 1)[code])


def codes_of(frame: pl.DataFrame) -> np.ndarray:
    """A number from 0 for each row, the same for equal rows, in the order in which they first appear.

    Rows are first told apart by a hash of 64 bits, in a million rows equal for different ones with a chance of 3 in
    100 million; only those that are equal by it are compared value by value.
    """
    hashes = frame.hash_rows(seed=0)
    alike = hashes.is_duplicated()
    some = frame.filter(alike).with_columns(pl.Series(HASH, hashes.filter(alike)))
    code = np.full(frame.height, -1, dtype=np.int64)
    if some.height:
        firsts = some.with_row_index(FIRST).group_by(pl.exclude(FIRST), maintain_order=True).agg(pl.col(FIRST))
        member = firsts.select(pl.col(FIRST)).with_row_index(SET).explode(FIRST)
        within = np.empty(some.height, dtype=np.int64)
        within[member[FIRST].to_numpy()] = member[SET].to_numpy()
        code[alike.to_numpy()] = within
    alone = code < 0
    code[alone] = code.max() + 1 + np.arange(int(alone.sum()))
    return first_seen(code)


HASH, FIRST, SET = "__hash__", "__first__", "__set__"


def first_seen(code: np.ndarray) -> np.ndarray:
    """Codes numbered in the order in which they first appear."""
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[inverse]


def most_frequent(code: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """The most frequent class of each code, the first of several."""
    pairs, counts = np.unique(code * k + y, return_counts=True)
    order = np.lexsort((pairs % k, -counts, pairs // k))
    ordered = pairs[order]
    first = np.flatnonzero(np.append(True, np.diff(ordered // k) > 0))
    return np.asarray(ordered[first] % k)


def medians(code: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The median answer of each code."""
    order = np.lexsort((y, code))
    size = np.bincount(code)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    return np.asarray((y[order[start + (size - 1) // 2]] + y[order[start + size // 2]]) / 2)


def outvoted_share(sets: Sets, among: np.ndarray, alpha: float) -> Evidence:
    """The share of some rows that is outvoted; rows of one set count as one observation."""
    n = int(among.sum())
    share = float(sets.outvoted[among].mean()) if n else 0.0
    moves = np.bincount(sets.code[among], sets.outvoted[among] - share, minlength=len(sets.size))
    units = len(np.unique(sets.code[among]))
    lower, upper = odds_bounds(share, float(np.sqrt(np.sum(moves**2))) / n, units, alpha) if n else (0.0, 1.0)
    method = "sets of equal inputs, infinitesimal jackknife"
    return Evidence(estimate=share, lower=lower, upper=upper, confidence=1 - alpha, n=units, method=method)


def conflict_pairs(sets: Sets, y: np.ndarray, labels: tuple[str, ...]) -> tuple[ConflictPair, ...]:
    """Which answers are outvoted by which, the most frequent ones first."""
    if not labels:
        return ()
    k, rows = len(labels), np.flatnonzero(sets.outvoted)
    pairs, counts = np.unique(y[rows] * k + sets.mostly[sets.code[rows]], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_PAIRS]
    return tuple(
        ConflictPair(said=labels[pair // k], mostly=labels[pair % k], rows=int(count))
        for pair, count in zip(pairs[order].tolist(), counts[order].tolist(), strict=True)
    )
