"""A registered version with its report, and what it says of the rows that it was judged on, predicted once more."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from statsmodels.api import OLS
from statsmodels.stats.proportion import proportion_confint

from understudy.core.evidence import Evidence
from understudy.core.task import Task
from understudy.evaluation.report import Report
from understudy.evaluation.worklist import Worklist
from understudy.flows.baseline import today_scores
from understudy.flows.head import Library, load_head
from understudy.flows.judged import Judged, find_judged
from understudy.flows.models import beside
from understudy.flows.version import Version, load_version
from understudy.flows.workspace import open_workspace
from understudy.reports.chapter import Chapter

from .ledger import Ledger


@dataclass(frozen=True)
class Seen:
    """A version, its report, and its rows.

    Attributes
    ----------
    task : Task
    report : Report
    chapters : tuple of Chapter
    worklist : Worklist
    page : str
    version : Version
    judged : Judged
    oof : pl.DataFrame, optional
        The out-of-fold predictions of its search.
    y : ndarray of shape (n,)
        The truth of the test rows.
    scores : ndarray of shape (n, k) or (n, 1)
    confidence : ndarray of shape (n,)
    lower, upper : ndarray of shape (n,), optional
    """

    task: Task
    report: Report
    chapters: tuple[Chapter, ...]
    worklist: Worklist
    page: str
    version: Version
    judged: Judged
    oof: pl.DataFrame | None
    y: np.ndarray
    scores: np.ndarray
    confidence: np.ndarray
    lower: np.ndarray | None
    upper: np.ndarray | None

    @property
    def test(self) -> np.ndarray:
        """The places of the test rows."""
        return self.judged.parts.test

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes; empty for numbers."""
        return self.version.manifest.labels

    @property
    def tolerance(self) -> float:
        """How far a number may be off."""
        return self.task.decision.tolerance or 0.0

    @cached_property
    def answers(self) -> np.ndarray:
        """The most probable class of each test row, or its number."""
        return np.array([max(range(len(row)), key=row.__getitem__) for row in self.scores.tolist()])

    @cached_property
    def wrong(self) -> np.ndarray:
        """1 where the answer is wrong, by a plain loop."""
        if self.labels:
            return np.array([float(said != true) for said, true in zip(self.answers, self.y, strict=True)])
        return np.array(
            [float(abs(said - true) > self.tolerance) for said, true in zip(self.scores[:, 0], self.y, strict=True)]
        )

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The test rows in canonical types, all columns."""
        return self.judged.data.frame[self.test]

    @cached_property
    def inputs(self) -> pl.DataFrame:
        """The columns that the version takes."""
        return self.frame.select(self.version.inputs)

    @cached_property
    def groups(self) -> np.ndarray | None:
        """Which test rows are not independent."""
        together = self.judged.data.together
        return None if together is None else together[self.test]

    @cached_property
    def today(self) -> np.ndarray:
        """The scores of what decides today; of a constant by hand."""
        learned, data = self.judged.learned, self.judged.data
        today = self.task.today
        if today.rules or today.column or today.columns or today.score:
            return today_scores(data, self.task, train=learned, rows=self.test).scores
        known = data.answers.y[learned].tolist()
        if self.labels:
            shares = [known.count(label) / len(known) for label in range(len(self.labels))]
            return np.array([shares] * len(self.y))
        return np.full((len(self.y), 1), sum(known) / len(known))


def see(workspace: Path, name: str, version: str = "latest") -> Seen:
    """A version that is registered, with its rows found again and predicted from their source."""
    work = open_workspace(workspace)
    loaded = load_version(work, name, version)
    head = load_head(Library(work), name)
    judged = find_judged(head, loaded)

    def kept(file: str) -> bytes:
        return beside(work, name, loaded.digest, file)

    try:
        oof = pl.read_parquet(io.BytesIO(kept("oof.parquet"))).drop_nans()
    except KeyError:
        oof = None
    test = judged.parts.test
    said = loaded.predict(judged.data.source[test])
    return Seen(
        task=head.task,
        report=msgspec.json.decode(kept("report.json"), type=Report),
        chapters=msgspec.json.decode(kept("chapters.json"), type=tuple[Chapter, ...]),
        worklist=msgspec.json.decode(kept("worklist.json"), type=Worklist),
        page=kept("report.html").decode(),
        version=loaded,
        judged=judged,
        oof=None if oof is None or oof.is_empty() else oof,
        y=judged.data.answers.y[test],
        scores=np.asarray(said.scores, dtype=np.float64),
        confidence=np.asarray(said.confidence, dtype=np.float64),
        lower=said.lower,
        upper=said.upper,
    )


def share_of(ledger: Ledger, what: str, told: Evidence, hits: int, n: int) -> None:
    """A share with exact bounds, beside those of statsmodels."""
    ledger.same(what, told.estimate, hits / n if n else 0.0)
    if n:
        lower, upper = proportion_confint(hits, n, alpha=1 - told.confidence, method="beta")
        ledger.each(f"{what}, exact bounds", (told.lower, told.upper), (0.0 if hits == 0 else lower, upper))


def mean_of(
    ledger: Ledger, what: str, told: Evidence, values: np.ndarray, groups: np.ndarray | None, *, bounded: bool = True
) -> None:
    """A mean with Student's bounds, beside a regression on nothing but a constant, with errors by groups."""
    kind: dict[str, object] = {"cov_type": "nonrobust"}
    if groups is not None:
        codes = np.unique(groups, return_inverse=True)[1]
        kind = {"cov_type": "cluster", "cov_kwds": {"groups": codes, "df_correction": True}, "use_t": True}
    found = OLS(np.asarray(values, dtype=np.float64), np.ones(len(values))).fit(**kind)
    ledger.same(what, told.estimate, float(found.params[0]))
    if bounded:
        lower, upper = found.conf_int(alpha=1 - told.confidence)[0]
        ledger.each(f"{what}, Student's bounds", (told.lower, told.upper), (lower, upper))


def held(frame: pl.DataFrame, condition: str) -> np.ndarray:
    """In which rows a SQL condition holds, by a query."""
    numbered = frame.with_row_index("__row__")
    found = numbered.sql(f"SELECT __row__ FROM self WHERE {condition}")["__row__"].to_numpy()
    inside = np.zeros(frame.height, dtype=bool)
    inside[found] = True
    return inside
