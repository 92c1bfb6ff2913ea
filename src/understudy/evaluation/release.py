"""What there is to know about the release of a version: what it was parted from, trained on, asked, and how fast."""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.evaluation.repeats import Repeats


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows that a model learned from lie in time beside those that judge it.

    Attributes
    ----------
    fitted, judged : int
        How many rows there are of each.
    late : int
        Rows that it learned from and that are later than the first row that judges it.
    bound : int
        How many of these belong to a group, or repeat a row, that began before: the task keeps such rows together.
    inside : int
        Rows that judge it and are earlier than the last row that it learned from, bound ones aside.
    """

    fitted: int
    judged: int
    late: int
    bound: int
    inside: int


class Required(msgspec.Struct, frozen=True, kw_only=True):
    """A case that must get one answer, and what it gets.

    Attributes
    ----------
    why, expected : str
        As the owner says it.
    answered : str
        What the version answers; or what is wrong with the case.
    kept : bool
        Whether that is what is expected.
    """

    why: str
    expected: str
    answered: str
    kept: bool


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long one answer takes, as it is served: from a row's raw values to the answer, in seconds.

    Attributes
    ----------
    p50, p95 : float
    rows : int
        How many rows were timed, each at its best of several rounds: what else the machine does only adds to it.
    limit : float, optional
        What the task allows.
    """

    p50: float
    p95: float
    rows: int
    limit: float | None = None


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version comes from, and whether it could be made again.

    Attributes
    ----------
    snapshot : str
        The digest of the data that it learned from.
    kept : bool
        Whether that is still there, unchanged.
    seed : int
    libraries : int
        Of how many libraries the versions are recorded.
    planned : bool
        Whether what the run was asked for, and each of its trials, is recorded.
    adopted : bool
        Whether it was trained elsewhere.
    read_from : str
        The name of the file, or what else it was read from.
    source, licence : str, optional
        What the task file says of them.
    """

    snapshot: str
    kept: bool
    seed: int
    libraries: int
    planned: bool
    adopted: bool
    read_from: str
    source: str | None = None
    licence: str | None = None


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """How old the data is, in days.

    Attributes
    ----------
    newest : float, optional
        The age of the newest row; negative where it is dated in the future, None where rows have no date.
    limit : float, optional
        What the task allows.
    """

    newest: float | None
    limit: float | None = None


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks of a release rest on.

    Attributes
    ----------
    overlap : Overlap, optional
        None where the rows of the task have no order in time.
    repeats : Repeats
    required : tuple of Required
    pace : Pace
    lineage : Lineage
    age : Age
    units : int
        How many independent cases judge the version: rows, or groups of them.
    max_error, confidence : float
        The promise.
    """

    overlap: Overlap | None
    repeats: Repeats
    required: tuple[Required, ...]
    pace: Pace
    lineage: Lineage
    age: Age
    units: int
    max_error: float
    confidence: float


def overlap_in_time(order: np.ndarray, fit: np.ndarray, test: np.ndarray, together: np.ndarray | None) -> Overlap:
    """How the rows of two parts lie in time; rows of the same moment do not overlap.

    Parameters
    ----------
    order : ndarray of shape (n,)
        When each row happened, as numbers that sort by time.
    fit, test : ndarray of int
        Rows that the model learned from, and rows that judge it.
    together : ndarray of int, shape (n,), optional
        Codes of rows that are never parted.

    >>> overlap_in_time(np.arange(6), np.array([0, 1, 2, 5]), np.array([3, 4]), None).late
    1
    >>> overlap_in_time(np.arange(6), np.array([0, 1, 2, 5]), np.array([3, 4]), np.array([0, 1, 2, 3, 4, 2])).bound
    1
    """
    first = order[test].min()
    late = order[fit] > first
    bound = np.zeros(len(fit), dtype=bool)
    if together is not None:
        codes = np.unique(together, return_inverse=True)[1]
        began = np.full(int(codes.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(began, codes, order)
        bound = late & (began[codes[fit]] <= first)
    free = order[fit[~bound]]
    inside = int(np.sum(order[test] < free.max())) if len(free) else 0
    return Overlap(fitted=len(fit), judged=len(test), late=int(late.sum()), bound=int(bound.sum()), inside=inside)


def rows_to_see(max_error: float, confidence: float) -> int:
    """How many cases a model that never errs must be judged on before its risk is known to be at most `max_error`.

    The smallest n with (1 − max_error)ⁿ ≤ 1 − confidence, the exact bound for no error in n cases (Hanley &
    Lippman-Hand 1983, "If nothing goes wrong, is everything all right?").

    >>> rows_to_see(0.05, 0.95)
    59
    """
    return int(np.ceil(np.log(1 - confidence) / np.log1p(-max_error) - 1e-9))
