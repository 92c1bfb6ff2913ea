"""Which rows are the same case twice, exactly or nearly, and so must not stand on both sides of a split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from understudy.data.contract import Contract

STEP = 1e-3
"""Numbers that differ by less than this share of their standard deviation are nearly equal."""

MOST_LIFT = 10.0
"""How much more often equal rows may agree in a column than any rows do, and still be equal by chance."""

TELLING = 0.03
"""In columns, or a few together, where at most this share of all pairs agrees, agreement says something."""

LARGEST = 0.05
"""A case that is met in more than this share of the rows is what the world is like, not a copy."""

MOST_BLOCKS = 20
DIGITS, SEPARATORS = r"[0-9]+", r"[^\p{L}0]+"


@dataclass(frozen=True)
class Copies:
    """Rows that repeat each other.

    Attributes
    ----------
    codes : ndarray of int64, shape (n,)
        Rows of one code are copies of one another; most codes stand once.
    exact, near : int
        How many rows repeat an earlier one exactly, and how many more do so nearly.
    sets : int
        How many cases stand more than once.
    """

    codes: np.ndarray
    exact: int
    near: int
    sets: int

    @property
    def words(self) -> str:
        """What was found, in a sentence."""
        said = [f"{self.exact:,} rows repeat another"] if self.exact else []
        said += [f"{self.near:,} rows nearly repeat another"] if self.near else []
        return f"{' and '.join(said)}: each is kept on one side of every split"


def find_copies(frame: pl.DataFrame, contract: Contract) -> Copies | None:
    """Rows whose inputs were copied; None where there are none, or where repeats are what chance brings.

    Two rows are nearly equal if their numbers agree when each is rounded to a thousandth of its column's standard
    deviation, and their texts when case, digits, blanks and punctuation are set aside. Values that a rounding happens
    to part are missed.

    In a table of few levels the same inputs come again and again without any copying, and a model will meet them again
    too: those stay where they fall. Which it is, pairs show that agree in all columns but a few. Where rows repeat by
    chance, such pairs agree in the few about as often as any pair does, or at most ten times as often; where they were
    copied, far more often. Equal texts are always taken for copies, and a case that fills a twentieth of the table
    never.

    Parameters
    ----------
    frame : pl.DataFrame
        Rows in canonical types; the used columns only.
    contract : Contract

    >>> from understudy.data.contract import infer_contract
    >>> rng = np.random.default_rng(0)
    >>> table = pl.DataFrame({"length": rng.normal(size=100), "width": rng.normal(size=100)})
    >>> table = pl.concat([table, table[:3]])
    >>> found = find_copies(table, infer_contract(table))
    >>> found.words
    '3 rows repeat another: each is kept on one side of every split'
    """
    if frame.height < 2 or not frame.width:
        return None
    hashes = [
        near_values(frame[column.name], column.kind).hash(seed=place) for place, column in enumerate(contract.used)
    ]
    columns = [values.to_numpy() for values in hashes]
    rows = np.add.reduce(columns)
    _, codes, sizes = np.unique(rows, return_inverse=True, return_counts=True)
    common = sizes[codes] > max(2.0, LARGEST * len(rows))
    prose = any(column.kind == "text" for column in contract.used)
    if sizes.max() == 1 or (not prose and by_chance([column[~common] for column in columns], rows[~common])):
        return None
    codes = apart_where(codes, common)
    kept = np.unique(codes, return_counts=True)[1]
    repeats = int(np.sum(kept - 1))
    if not repeats:
        return None
    exact = repeated(frame, codes)
    return Copies(codes=codes, exact=exact, near=repeats - exact, sets=int(np.sum(kept > 1)))


def near_values(values: pl.Series, kind: str) -> pl.Series:
    """A column in which values that are nearly equal are equal."""
    if kind == "text":
        return values.str.to_lowercase().str.replace_all(DIGITS, "0").str.replace_all(SEPARATORS, " ").str.strip_chars()
    if not values.dtype.is_float():
        return values.to_physical()
    spread = values.std()
    step = STEP * spread if isinstance(spread, float) and np.isfinite(spread) and spread > 0 else 1.0
    return (values / step).round() + 0.0  # no negative zeros


def by_chance(columns: list[np.ndarray], rows: np.ndarray) -> bool:
    """Whether equal rows are no more than the columns' own agreement brings."""
    all_pairs = len(rows) * (len(rows) - 1) / 2
    if not all_pairs:
        return True
    blocks = telling_blocks(columns, all_pairs)
    if len(blocks) < 2:
        return True
    equal = pairs(rows)
    return any(equal / pairs(rows - block) <= MOST_LIFT * pairs(block) / all_pairs for block in blocks)


def telling_blocks(columns: list[np.ndarray], all_pairs: float) -> list[np.ndarray]:
    """Columns, or sums of several, in which few pairs of rows agree, so that agreement there says something."""
    agreement = np.array([pairs(column) for column in columns]) / all_pairs
    blocks, block, chance = [], np.zeros(len(columns[0]), dtype=np.uint64), 1.0
    for place in np.argsort(agreement, kind="stable"):
        block, chance = block + columns[place], chance * float(agreement[place])
        if chance <= TELLING:
            blocks.append(block)
            block, chance = np.zeros_like(block), 1.0
        if len(blocks) == MOST_BLOCKS:
            break
    return blocks


def pairs(codes: np.ndarray) -> float:
    """How many pairs of rows are equal."""
    sizes = np.unique(codes, return_counts=True)[1].astype(np.float64)
    return float(np.sum(sizes * (sizes - 1)) / 2)


def apart_where(codes: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """The codes, with one of its own for each row that stands alone."""
    made = codes.astype(np.int64)
    made[alone] = codes.max() + 1 + np.arange(int(alone.sum()))
    return made


def repeated(frame: pl.DataFrame, codes: np.ndarray) -> int:
    """How many rows repeat an earlier row of their code exactly."""
    several = np.flatnonzero(np.unique(codes, return_counts=True)[1][np.unique(codes, return_inverse=True)[1]] > 1)
    part = frame[several]
    return int(part.height - part.n_unique())


def joined(groups: np.ndarray, copies: np.ndarray | None) -> np.ndarray:
    """Codes of the rows that must stay together: those of one group, their copies, and their copies' groups.

    >>> joined(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
    [0, 0, 0, 1]
    """
    if copies is None:
        return groups
    one = np.unique(groups, return_inverse=True)[1]
    other = np.unique(copies, return_inverse=True)[1] + one.max() + 1
    size = int(other.max()) + 1
    links = coo_array((np.ones(len(one), dtype=bool), (one, other)), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1][one], dtype=np.int64)
