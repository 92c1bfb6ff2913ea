"""Which numbers look wrongly recorded? Those further from their prediction than others like them would ever be.

Weaker than what can be said of classes: a number has no second answer that would be right, and a heavy tail looks like
many small mistakes. So the middle nine tenths of the residuals foretell the tail, by a t law of the same spread and
heaviness, and only what lies beyond that is called too many.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
from scipy import optimize, special, stats

from understudy.core.evidence import Evidence
from understudy.evaluation.calibration import equal_bins
from understudy.evidence.fixed import clopper_pearson

FEWEST = 200
"""From fewer numbers no tail can be foretold."""

PER_BIN, MOST_BINS = 100, 20
EXPECTED = 0.001
"""The share of numbers that the t law puts beyond the cut."""

BLOCKS = 20
LIGHTEST, HEAVIEST = 200.0, 1.1
"""The degrees of freedom that are tried: about normal, and about Cauchy."""

QUARTER, TWENTIETH = 0.75, 0.95

ALL_TAIL = 1e6
"""How heavy a tail is taken for where half of the numbers are predicted exactly."""


class NumberErrors(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of wrongly recorded numbers, as aggregates.

    Attributes
    ----------
    rows, unknown : int
        Numbers that were looked at, and those left out because no model that had not seen them predicted them.
    cut : float
        So many times the usual spread of numbers of about the same prediction is suspect.
    suspects : int
        Numbers beyond the cut.
    expected : float
        How many of them the middle of the residuals foretells.
    freedom : float
        The degrees of freedom of its t law: below about 4 the tail is heavy.
    wrong : Evidence
        The share beyond the cut, less the share foretold.
    """

    rows: int
    unknown: int
    cut: float
    suspects: int
    expected: float
    freedom: float
    wrong: Evidence

    @property
    def significant(self) -> bool:
        """Whether there are more than foretold."""
        return self.wrong.lower > 0

    @property
    def sentence(self) -> str:
        """The finding."""
        beyond = f"{self.suspects:,} numbers are more than {self.cut:.1f} times the usual spread from their prediction"
        foretold = f"{self.expected:,.1f} would be by the usual errors"
        if not self.significant:
            return f"{beyond}, where {foretold}: wrongly recorded numbers do not show."
        return (
            f"{beyond}, where {foretold}: {self.wrong.estimate:.2%} of all ({self.wrong.lower:.2%} to "
            f"{self.wrong.upper:.2%}) may be recorded wrongly, or be rare cases."
        )


def find_number_errors(y: np.ndarray, predicted: np.ndarray, *, alpha: float = 0.05) -> NumberErrors:
    """How many numbers lie further from their prediction than the usual errors foretell.

    The bounds are approximate. They hold the count's chance and that of the foretold share, half of `alpha` each.

    Parameters
    ----------
    y : ndarray of shape (n,)
    predicted : ndarray of shape (n,)
        By models that have not seen the row (out of fold); NaN where there is none.
    alpha : float

    Raises
    ------
    ValueError
        Lengths differ, or fewer than 200 numbers have a prediction.

    >>> rng = np.random.default_rng(0)
    >>> predicted = rng.uniform(0, 10, 4000)
    >>> y = predicted + rng.normal(0, 1 + predicted / 5)
    >>> find_number_errors(y, predicted).significant
    False
    >>> y[:40] *= 10
    >>> find_number_errors(y, predicted).significant
    True
    """
    known, apart = standardised(y, predicted)
    n = int(known.sum())
    values = apart[known]
    freedom = freedom_of(heaviness(values))
    blocks = np.array([heaviness(values[np.arange(n) % BLOCKS != block]) for block in range(BLOCKS)])
    spread = float(np.sqrt((BLOCKS - 1) / BLOCKS * np.sum((blocks - blocks.mean()) ** 2)))
    reach = float(stats.t.isf(alpha / 4, BLOCKS - 1)) * spread
    cut = cut_of(freedom)
    foretold = [tail(cut, freedom_of(heaviness(values) + side * reach)) for side in (-1, 1)]
    beyond = clopper_pearson(int(np.sum(np.abs(values) > cut)), n, alpha=alpha / 2)
    wrong = Evidence(
        estimate=beyond.estimate - EXPECTED,
        lower=beyond.lower - foretold[1],
        upper=beyond.upper - foretold[0],
        confidence=1 - alpha,
        n=n,
        method="residuals beyond a t law through their middle, Clopper–Pearson and grouped jackknife",
    )
    return NumberErrors(
        rows=n,
        unknown=len(y) - n,
        cut=cut,
        suspects=round(beyond.estimate * n),
        expected=EXPECTED * n,
        freedom=freedom,
        wrong=wrong,
    )


def suspected_numbers(y: np.ndarray, predicted: np.ndarray) -> pl.DataFrame:
    """The suspected numbers for a person to look at, the strangest first; the parameters as above.

    Returns
    -------
    pl.DataFrame
        `row`, its place; `label`, the number; `probably`, its prediction; `times`, by how many times the usual spread
        it is off.
    """
    known, apart = standardised(y, predicted)
    cut = cut_of(freedom_of(heaviness(apart[known])))
    rows = np.flatnonzero(known & (np.abs(np.where(known, apart, 0.0)) > cut))
    rows = rows[np.argsort(-np.abs(apart[rows]), kind="stable")]
    return pl.DataFrame({"row": rows, "label": y[rows], "probably": predicted[rows], "times": apart[rows]})


def standardised(y: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are known, and how many times the usual spread each is off its usual place; shape (n,).

    Usual is what numbers of about the same prediction do: their median residual, and its quartiles as a normal law has
    them. Where half of them are predicted exactly, the spread of all is taken.
    """
    if y.shape != predicted.shape or y.ndim != 1:
        raise ValueError(f"expected a prediction for each number; got {y.shape} and {predicted.shape}")
    known = np.isfinite(y) & np.isfinite(predicted)
    n = int(known.sum())
    if n < FEWEST:
        raise ValueError(f"{n} numbers have an out-of-fold prediction; a tail is foretold from {FEWEST} on")
    residual = (y - predicted)[known]
    bins = equal_bins(predicted[known], int(np.clip(n // PER_BIN, 1, MOST_BINS)))
    order = np.argsort(bins, kind="stable")
    values = np.empty(n)
    whole = spread_of(residual) or float(residual.std()) or 1.0
    for rows in np.split(order, np.flatnonzero(np.diff(bins[order])) + 1):
        values[rows] = (residual[rows] - np.median(residual[rows])) / (spread_of(residual[rows]) or whole)
    apart = np.full(len(y), np.nan)
    apart[known] = values
    return known, apart


def spread_of(residual: np.ndarray) -> float:
    """The distance of the quartiles, as a share of a normal law's."""
    low, high = np.quantile(residual, [1 - QUARTER, QUARTER])
    return float(high - low) / (2 * float(special.ndtri(QUARTER)))


def heaviness(values: np.ndarray) -> float:
    """How far the outer twentieths lie apart, in distances of the quartiles."""
    q05, q25, q75, q95 = np.quantile(values, [1 - TWENTIETH, 1 - QUARTER, QUARTER, TWENTIETH])
    return float((q95 - q05) / (q75 - q25)) if q75 > q25 else ALL_TAIL


def freedom_of(heavy: float) -> float:
    """The degrees of freedom of the t law that is so heavy.

    >>> round(freedom_of(heaviness(np.random.default_rng(0).standard_t(4, 200_000))), 1)
    4.0
    """

    def over(freedom: float) -> float:
        return float(special.stdtrit(freedom, TWENTIETH) / special.stdtrit(freedom, QUARTER)) - heavy

    if over(HEAVIEST) <= 0:
        return HEAVIEST
    return LIGHTEST if over(LIGHTEST) >= 0 else float(optimize.brentq(over, HEAVIEST, LIGHTEST))


def scale_of(freedom: float) -> float:
    """What one unit of the t law is, in the usual spread."""
    return float(special.ndtri(QUARTER) / special.stdtrit(freedom, QUARTER))


def cut_of(freedom: float) -> float:
    """How far off a share of `EXPECTED` lies, in the usual spread."""
    return -float(special.stdtrit(freedom, EXPECTED / 2)) * scale_of(freedom)


def tail(cut: float, freedom: float) -> float:
    """The share that a t law puts beyond a cut."""
    return float(2 * special.stdtr(freedom, -cut / scale_of(freedom)))
