"""The drift rules of other tools, at their defaults, and ours, on the same rows.

The rules are minimal versions of our own, after the documentation of each:

- Evidently, "Data drift algorithm" (docs.evidentlyai.com): with a reference of more than 1,000 rows a number has
  drifted where its Wasserstein distance over the reference's standard deviation is 0.1 or more, a category where its
  Jensen-Shannon distance is; with 1,000 rows or fewer where p < 0.05 by Kolmogorov & Smirnov, by χ² with the
  reference's shares as if they were the truth, or, for two levels, by a test of two proportions. A dataset has drifted
  where half of its columns have.
- NannyML, "Univariate drift detection" and "Data reconstruction with PCA" (nannyml.readthedocs.io): a column has
  drifted where its Jensen-Shannon distance (to base 2; numbers over Doane's bins) is more than 0.1, a dataset where
  its mean error of reconstruction lies outside the mean ± 3 standard deviations of ten chunks of the reference.
- PSI: more than 0.1 over the deciles of the reference, as in credit scoring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.decomposition import PCA

from understudy.data.contract import Column, Contract
from understudy.evidence.shift import level_of_batch
from understudy.monitoring.drift import add_cases, judge_drift, open_batch
from understudy.monitoring.strangeness import fit_strangeness, strangeness

FARTHEST, SMALL, CHUNKS, LEAST = 0.1, 1000, 10, 1e-4
"""A distance that counts as drift; a small reference; chunks of it; the share that an empty cell gets in a PSI."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table.

    Attributes
    ----------
    numbers : ndarray of float, shape (n, columns)
    levels : ndarray of int, shape (n, columns)
        Categories as codes from 0.
    """

    numbers: np.ndarray
    levels: np.ndarray

    def first(self, n: int) -> Rows:
        """The first n rows."""
        return Rows(self.numbers[:n], self.levels[:n])

    def frame(self) -> pl.DataFrame:
        """The same as a data frame."""
        numbers = {f"number {place}": column for place, column in enumerate(self.numbers.T)}
        levels = {f"category {place}": column for place, column in enumerate(self.levels.T)}
        return pl.DataFrame(numbers | levels)


Judge = Callable[[Rows], dict[str, bool]]
"""Which of its alarms a tool raises for a batch."""


def understudy(frozen: Rows, reference: Rows) -> Judge:
    """Ours: bins frozen on the rows that it was trained on, one false alarm a year with a batch a week."""
    frame = frozen.frame()
    kinds = {name: "category" if name.startswith("category") else "number" for name in frame.columns}
    contract = Contract(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))  # type: ignore[arg-type]
    model = fit_strangeness(frame, reference.frame(), contract)
    level = level_of_batch(1.0, days=7)

    def judge(batch: Rows) -> dict[str, bool]:
        cases = batch.frame()
        counted = add_cases(open_batch(model, 0.99), model, cases, strangeness(model, cases))
        return {"understudy": bool(judge_drift(model, counted, level=level).drifted)}

    return judge


def evidently(reference: Rows) -> Judge:
    """Evidently by distances, and by tests against the first 1,000 rows."""
    spread = reference.numbers.std(axis=0)
    few = reference.first(SMALL)

    def judge(batch: Rows) -> dict[str, bool]:
        pairs = list(zip(reference.numbers.T, batch.numbers.T, strict=True))
        distances = np.array([stats.wasserstein_distance(a, b) for a, b in pairs]) / spread
        levels = [jensenshannon(*shares(a, b)) for a, b in zip(reference.levels.T, batch.levels.T, strict=True)]
        far = np.concatenate([distances, levels]) >= FARTHEST
        p = [stats.ks_2samp(a, b, method="asymp").pvalue for a, b in zip(few.numbers.T, batch.numbers.T, strict=True)]
        p += [p_of_levels(a, b) for a, b in zip(few.levels.T, batch.levels.T, strict=True)]
        return {
            "Evidently, any column": bool(far.any()),
            "Evidently, half of the columns": bool(far.mean() >= 0.5),
            "Evidently, any column, tests": bool((np.array(p) < 0.05).any()),
        }

    return judge


def counts(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often each code that either of them has is met in each."""
    cells = int(max(one.max(), other.max())) + 1
    found = np.bincount(one, minlength=cells), np.bincount(other, minlength=cells)
    met = found[0] + found[1] > 0
    return found[0][met], found[1][met]


def shares(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same as shares."""
    a, b = counts(one, other)
    return a / len(one), b / len(other)


def p_of_levels(reference: np.ndarray, batch: np.ndarray) -> float:
    """Evidently's p-value for categories against a small reference."""
    before, now = counts(reference, batch)
    n, m = len(reference), len(batch)
    if len(before) == 2:
        both = (before[1] + now[1]) / (n + m)
        z = (before[1] / n - now[1] / m) / np.sqrt(both * (1 - both) * (1 / n + 1 / m))
        return float(2 * stats.norm.sf(abs(z)))
    with np.errstate(divide="ignore"):
        statistic = ((now - before * m / n) ** 2 / (before * m / n)).sum()
    return float(stats.chi2.sf(statistic, len(before) - 1))


def nannyml(reference: Rows) -> Judge:
    """NannyML's univariate distances, and its reconstruction error."""
    edges = [np.histogram_bin_edges(column, bins="doane") for column in reference.numbers.T]
    before = [np.histogram(column, edge)[0] for column, edge in zip(reference.numbers.T, edges, strict=True)]
    error = reconstruction_error(reference)
    chunks = np.array([chunk.mean() for chunk in np.array_split(error(reference), CHUNKS)])
    low, high = chunks.mean() + 3 * chunks.std(ddof=1) * np.array([-1, 1])

    def judge(batch: Rows) -> dict[str, bool]:
        distances = [
            with_rest(was, np.histogram(column, edge)[0], len(column))
            for was, column, edge in zip(before, batch.numbers.T, edges, strict=True)
        ]
        distances += [
            jensenshannon(*shares(a, b), base=2) for a, b in zip(reference.levels.T, batch.levels.T, strict=True)
        ]
        mean = float(error(batch).mean())
        return {
            "NannyML, any column": bool((np.array(distances) > FARTHEST).any()),
            "NannyML, reconstruction": not low <= mean <= high,
        }

    return judge


def with_rest(before: np.ndarray, now: np.ndarray, n: int) -> float:
    """The Jensen-Shannon distance to base 2, what lies beyond the reference's bins in a cell of its own."""
    p, q = np.append(before, 0) / before.sum(), np.append(now, n - now.sum()) / n
    return float(jensenshannon(p, q, base=2))


def reconstruction_error(reference: Rows) -> Callable[[Rows], np.ndarray]:
    """How far each row lies from its image under a PCA of the reference that keeps 65 % of the variance."""
    often = [np.bincount(column, minlength=64) / len(column) for column in reference.levels.T]

    def encoded(rows: Rows) -> np.ndarray:
        levels = [share[column] for share, column in zip(often, rows.levels.T, strict=True)]
        return np.column_stack([rows.numbers, *levels])

    first = encoded(reference)
    mean, spread = first.mean(axis=0), np.maximum(first.std(axis=0), 1e-12)
    pca = PCA(n_components=0.65, random_state=0).fit((first - mean) / spread)

    def error(rows: Rows) -> np.ndarray:
        scaled = (encoded(rows) - mean) / spread
        found: np.ndarray = np.linalg.norm(scaled - pca.inverse_transform(pca.transform(scaled)), axis=1)
        return found

    return error


def psi(reference: Rows) -> Judge:
    """PSI over deciles, and over levels."""
    edges = np.quantile(reference.numbers, np.linspace(0, 1, 11)[1:-1], axis=0).T
    places = [np.searchsorted(edge, column) for edge, column in zip(edges, reference.numbers.T, strict=True)]

    def judge(batch: Rows) -> dict[str, bool]:
        now = [np.searchsorted(edge, column) for edge, column in zip(edges, batch.numbers.T, strict=True)]
        pairs = [*zip(places, now, strict=True), *zip(reference.levels.T, batch.levels.T, strict=True)]
        return {"PSI > 0.1, any column": any(stability_index(*shares(a, b)) > FARTHEST for a, b in pairs)}

    return judge


def stability_index(p: np.ndarray, q: np.ndarray) -> float:
    """Σ (q − p) ln(q/p), an empty cell holding 0.0001."""
    p, q = np.maximum(p, LEAST), np.maximum(q, LEAST)
    return float(((q - p) * np.log(q / p)).sum())
