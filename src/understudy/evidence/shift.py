"""Is a batch still like the reference? Tests on counts over frozen cells, without a single label.

The reference is a sample as well: every test here draws both sides from one urn. Whoever takes its shares for the
truth raises false alarms, the more the larger the batches.

Many columns are tested in each batch, and all batches meet the same reference: one that is odd by chance misleads them
all. So nothing here asks for independence. Within a batch, e-values meet e-BH (`discoveries`). Over time the levels of
a year add up to the false alarms that it may have on average, since expectations add up whatever depends on what
(Bonferroni over time). Rules that earn their level back are not for this: LORD and ADDIS need independent batches, and
e-LOND bounds the share of false alarms among all, where the number in a year is asked for.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.stats import chi2, hypergeom

from understudy.evidence.betting import refuse

LEAST_EXPECTED = 5.0
"""What each pooled cell holds of the smaller sample on average; below, the tail of χ² is not to be trusted."""

DAYS_A_YEAR = 365.25
HIGHEST_LEVEL = 0.5


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch lies from the reference.

    Attributes
    ----------
    statistic : float
        χ² for many cells, the count itself for one.
    p : float
        The probability of as much or more where both come from the same source.
    psi : float
        The population stability index, Σ (q − p) ln(q/p), less what chance alone would give: 0 on average where nothing
        has changed, and around 0.1 where a change begins to matter.
    cells : int
        Over how many pooled cells; 1 says that nothing could be compared.
    """

    statistic: float
    p: float
    psi: float
    cells: int


NOTHING = Shift(statistic=0.0, p=1.0, psi=0.0, cells=1)


def compare_cells(reference: np.ndarray, batch: np.ndarray) -> Shift:
    """Whether two samples spread alike over the same cells.

    Pearson's χ² for homogeneity. Neighbouring cells are pooled until the smaller sample holds 5 of each on average;
    pooling looks at the sum of both only, which under the hypothesis says nothing of how they differ. The factor
    (N − 1)/N gives χ² the mean that it has given the sums. Simulated with cells as rare as are left, a p of 10⁻⁴ comes
    up to three times too often; e-BH leaves more room than that for anything but the worst dependence between columns.

    Parameters
    ----------
    reference, batch : ndarray of int, shape (cells,)
        Counts over cells that were fixed without looking at either. Neighbours are those that are pooled first.

    Raises
    ------
    ValueError
        The cells are not the same, or a count is negative.

    >>> found = compare_cells(np.array([500, 300, 200]), np.array([60, 70, 70]))
    >>> round(found.statistic, 1), f"{found.p:.1g}", round(found.psi, 2)
    (32.3, '1e-07', 0.18)
    """
    check_counts(reference, batch)
    n, m = int(reference.sum()), int(batch.sum())
    if not n or not m:
        return NOTHING
    places = pooled(reference + batch, min(n, m) / (n + m))
    cells = int(places[-1]) + 1
    if cells < 2:
        return NOTHING
    r, b = (np.bincount(places, counts, cells) for counts in (reference, batch))
    both, total = r + b, n + m
    statistic = float(((b - m * both / total) ** 2 / both).sum() * total * (total - 1) / (n * m))
    return Shift(statistic=statistic, p=float(chi2.sf(statistic, cells - 1)), psi=debiased_psi(r, b), cells=cells)


def compare_share(reference: int, n: int, batch: int, m: int) -> Shift:
    """Whether one cell has the same share in two samples, however rare it is.

    Fisher's exact test, two-sided by doubling.

    Parameters
    ----------
    reference, n : int
        How many of the n rows of the reference lie in the cell.
    batch, m : int
        The same of the batch.

    Raises
    ------
    ValueError
        A count is negative or more than there are rows.

    >>> f"{compare_share(0, 4000, 3, 500).p:.2g}", f"{compare_share(0, 4000, 15, 500).p:.2g}"
    ('0.0027', '8e-15')
    """
    if not (0 <= reference <= n and 0 <= batch <= m):
        raise ValueError(f"of {n} and {m} rows, {reference} and {batch} cannot lie in the cell")
    if not n or not m or not 0 < reference + batch < n + m:
        return NOTHING
    urn = (n + m, reference + batch, m)
    p = min(1.0, 2 * float(min(hypergeom.sf(batch - 1, *urn), hypergeom.cdf(batch, *urn))))
    r, b = np.array([reference, n - reference]), np.array([batch, m - batch])
    return Shift(statistic=float(batch), p=p, psi=debiased_psi(r, b), cells=2)


def pooled(both: np.ndarray, share: float) -> np.ndarray:
    """The pooled cell of each cell, from 0, so that `share` of what lies in it is 5 or more.

    >>> pooled(np.array([40, 10, 5, 60, 1]), 0.5).tolist()
    [0, 1, 2, 2, 2]
    """
    places, place, held = np.zeros(len(both), dtype=np.int64), 0, 0.0
    for cell, expected in enumerate((both * share).tolist()):
        places[cell] = place
        held += expected
        if held >= LEAST_EXPECTED:
            place, held = place + 1, 0.0
    return np.minimum(places, max(place - 1, 0))


def debiased_psi(reference: np.ndarray, batch: np.ndarray) -> float:
    """The population stability index less its mean under chance, (cells − 1)(1/n + 1/m).

    With B cells PSI is about (1/n + 1/m)·χ² with B − 1 degrees of freedom (Yurdakul & Naranjo 2020, "Statistical
    properties of the population stability index", J. Risk Model Validation 14(4)). Half a case is added to each cell,
    so that an empty one does not make it infinite.

    Parameters
    ----------
    reference, batch : ndarray, shape (cells,)

    >>> round(debiased_psi(np.array([500, 500]), np.array([35, 65])), 2)
    0.08
    """
    n, m, cells = reference.sum(), batch.sum(), len(reference)
    p, q = (reference + 0.5) / (n + cells / 2), (batch + 0.5) / (m + cells / 2)
    return float(((q - p) * np.log(q / p)).sum() - (cells - 1) * (1 / n + 1 / m))


def strange_excess(strange: int, cases: int, *, limit: float, calibration: int) -> float:
    """The probability of as many strange cases or more, where cases come from where the calibration rows did.

    A case is strange where its conformal p-value over n calibration scores is below 1 − limit: where it beats the k-th
    highest of them. Of m cases the number that do follows a beta-binomial law with k and n + 1 − k (Marques F. 2025,
    "Universal distribution of the empirical coverage in split conformal prediction", Statist. Probab. Lett. 219): they
    all meet one threshold, which lies by chance too high or too low. Its tail is that of an urn: b strange cases or
    more mean that of the highest b + k − 1 of all n + m scores at least b are the batch's. Ties make p only larger.

    Parameters
    ----------
    strange, cases : int
    limit : float
        Cases stranger than this are strange, in (0, 1).
    calibration : int
        n.

    Raises
    ------
    ValueError
        A count is negative or more than there are cases.

    >>> round(strange_excess(9, 500, limit=0.99, calibration=4000), 3)
    0.079
    """
    if not 0 <= strange <= cases:
        raise ValueError(f"of {cases} cases, {strange} cannot be strange")
    rank = strange_rank(limit, calibration)
    if not strange or not rank:
        return 1.0
    return float(hypergeom.sf(strange - 1, calibration + cases, strange + rank - 1, cases))


def strange_rank(limit: float, calibration: int) -> int:
    """k: a case is strange where fewer than k of the calibration scores are as high as its own.

    0 says that there are too few of them for any case to be strange.

    >>> strange_rank(0.99, 4000), strange_rank(0.99, 90)
    (40, 0)
    """
    above = np.arange(calibration + 1)
    return int((1.0 - (1.0 + above) / (calibration + 1.0) > limit).sum())


def log_evidence(p: np.ndarray, level: float) -> np.ndarray:
    """E-values from p-values, in nats: what `discoveries.e_bh` takes.

    Of all calibrators (Vovk & Wang 2021, "E-values: calibration, combination and applications", Ann. Statist. 49(3))
    the one with which it discovers what the step-up of Benjamini & Yekutieli (2001, Ann. Statist. 29(4)) rejects: with
    k tests e = k/(level·j) for p in ((j − 1)·s, j·s], s = level/(k·(1 + 1/2 + … + 1/k)), j = 1 … k; beyond, 0. It needs
    k and the level beforehand, and then asks for no more evidence than it can use.

    Parameters
    ----------
    p : ndarray, shape (tests,)
        All p-values of a batch, also those that say nothing.
    level : float
        The level at which the evidence will be compared, in (0, 1).

    Raises
    ------
    ValueError
        `level` lies outside (0, 1).

    >>> np.exp(log_evidence(np.array([1e-9, 0.02, 0.5]), 0.1)).round(1).tolist()
    [30.0, 15.0, 0.0]
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not at {level}")
    tests = len(p)
    found = np.full(tests, -np.inf)
    step = level / (tests * (1 / np.arange(1, tests + 1)).sum()) if tests else 1.0
    place = np.maximum(np.ceil(p / step), 1.0)
    told = place <= tests
    found[told] = np.log(tests / (place[told] * level))
    return found


def level_of_batch(false_alarms_a_year: float, days: float) -> float:
    """The level of a batch that lasts so many days, when a year may have so many false alarms on average.

    The levels of a year's batches add up to them, and so do their chances of a false alarm: nothing is assumed about
    how the batches depend on each other or on the reference that they share.

    >>> round(level_of_batch(1.0, 7), 4)
    0.0192
    """
    if false_alarms_a_year <= 0 or days <= 0:
        raise ValueError(f"false alarms a year and days are positive, not {false_alarms_a_year} and {days}")
    return min(false_alarms_a_year * days / DAYS_A_YEAR, HIGHEST_LEVEL)


def check_counts(reference: np.ndarray, batch: np.ndarray) -> None:
    """Both count the same cells, and no count is negative.

    Raises
    ------
    ValueError
        They do not.
    """
    if reference.shape != batch.shape or reference.ndim != 1:
        raise ValueError(f"counts over the same cells are needed, not of shapes {reference.shape} and {batch.shape}")
    for counts in (reference, batch):
        refuse(counts, counts < 0, "a count is never negative")
