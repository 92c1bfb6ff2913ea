"""What shaken inputs and other folds do: shaken cases are asked one by one, by the row path that serves."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import chi2_contingency

from understudy.evaluation.robustness import FEWEST_ROWS, MOST_PREDICTIONS, MOST_ROWS
from understudy.evaluation.robustness_found import Robustness, Shaken
from understudy.evaluation.shakes import UNSEEN
from understudy.evaluation.stability import FoldSpread

from .ledger import Ledger
from .seen import Seen, share_of

ASKED = 12
"""So many ways are asked again, of many columns those that come first."""


def recompute(seen: Seen, ledger: Ledger) -> None:
    """All of it."""
    found = seen.report.findings
    if found is None:
        return
    if found.robustness is not None:
        ledger.chapter("robustness")
        robustness(seen, found.robustness, ledger)
    if found.stability is not None and found.stability.spread is not None:
        ledger.chapter("stability")
        folds(seen, found.stability.spread, ledger)


def robustness(seen: Seen, told: Robustness, ledger: Ledger) -> None:
    """The unshaken cases, those shaken in ways without a draw, and what follows from the others' own figures."""
    rng, n = np.random.default_rng(seen.version.manifest.seed), len(seen.y)
    rows = np.sort(rng.choice(n, min(MOST_ROWS, n), replace=False))
    most = max(FEWEST_ROWS, MOST_PREDICTIONS // max(1, len(told.shaken)))
    if len(rows) > most:
        rows = np.sort(rng.choice(rows, most, replace=False))
    ledger.same("rows", told.rows, len(rows))
    share_of(ledger, "wrong unshaken", told.error, int(seen.wrong[rows].sum()), len(rows))
    plain = [one for one in told.shaken if one.way in ("lost column", "unseen", "case", "blanks")]
    first = [one for one in plain if one.way in ("case", "blanks")]
    for one in (*first, *(other for other in plain if other not in first))[:ASKED]:
        asked(seen, one, rows, ledger)
    for one in told.shaken:
        if one.error is not None and one.harm is not None and one.changed is not None and one.n == len(rows):
            hits = round(one.error.estimate * one.n)
            share_of(ledger, f"{one.words}: error", one.error, hits, one.n)
            share_of(ledger, f"{one.words}: changed", one.changed, round(one.changed.estimate * one.n), one.n)
            ledger.same(f"{one.words}: harm", one.harm.estimate, (hits - seen.wrong[rows].sum()) / one.n)
            ledger.holds(f"{one.words}: bounds", one.harm.lower <= one.harm.estimate <= one.harm.upper)
    for band in told.bands:
        sure = seen.confidence[rows]
        inside = (sure >= band.low) & ((sure < band.high) | (band.high == 1.0))
        ledger.same(f"sure from {band.low}", band.n, int(inside.sum()))
        share_of(ledger, f"sure from {band.low}", band.changed, round(band.changed.estimate * band.n), band.n)


def shaken_rows(one: Shaken, frame: pl.DataFrame) -> list[dict[str, object]]:
    """The cases as they would come."""

    def change(name: str, value: object) -> object:
        text = frame.schema[name] == pl.String
        if one.way == "lost column" and name == one.subject:
            return None
        if one.way == "unseen" and name == one.subject:
            return UNSEEN
        if one.way == "case" and text and value is not None:
            return str(value).upper()
        if one.way == "blanks" and text and value is not None:
            return f"  {value} "
        return value

    return [{name: change(name, value) for name, value in row.items()} for row in frame.iter_rows(named=True)]


def asked(seen: Seen, one: Shaken, rows: np.ndarray, ledger: Ledger) -> None:
    """One way of shaking, each case read and answered by itself."""
    changed = wrong = strange = 0
    kept, before = 0, 0.0
    read = [seen.version.read(row) for row in shaken_rows(one, seen.inputs[rows])]
    whole = [(place, values) for place, (values, faults) in zip(rows.tolist(), read, strict=True) if not faults]
    for (place, _), said in zip(
        whole, seen.version.predict_values([values for _, values in whole]) if whole else [], strict=True
    ):
        kept += 1
        before += float(seen.wrong[place])
        strange += said.strangeness > seen.task.autonomy.strange_limit
        if seen.labels:
            answer = seen.labels.index(str(said.prediction))
            changed += answer != seen.answers[place]
            wrong += answer != seen.y[place]
        else:
            number = float(said.prediction)
            changed += abs(number - seen.scores[place, 0]) > seen.tolerance
            wrong += abs(number - seen.y[place]) > seen.tolerance
    ledger.same(f"{one.words}: answered", one.n, kept)
    ledger.same(f"{one.words}: refused", one.refused, 1 - kept / len(rows))
    if not kept or one.changed is None or one.error is None or one.harm is None:
        ledger.holds(f"{one.words}: nothing is told of no case", not kept and one.changed is None)
        return
    share_of(ledger, f"{one.words}: changed", one.changed, changed, kept)
    share_of(ledger, f"{one.words}: wrong", one.error, wrong, kept)
    ledger.same(f"{one.words}: harm", one.harm.estimate, (wrong - before) / kept)
    ledger.same(f"{one.words}: strange", one.strange, strange / kept)


def folds(seen: Seen, told: FoldSpread, ledger: Ledger) -> None:
    """Whether the folds differ beyond chance: the χ² test of homogeneity."""
    assert seen.oof is not None
    said = seen.oof.select(pl.exclude("row", "truth", "fold")).to_numpy()
    y = seen.oof["truth"].to_numpy()
    if seen.labels:
        wrong = np.array([int(row.argmax()) != true for row, true in zip(said, y, strict=True)])
    else:
        wrong = np.abs(said[:, 0] - y) > seen.tolerance
    table = []
    for fold in sorted(seen.oof["fold"].unique().to_list()):
        inside = (seen.oof["fold"] == fold).to_numpy()
        table.append([int(wrong[inside].sum()), int((~wrong[inside]).sum())])
    ledger.each("rows of folds", [one.n for one in told.folds], [sum(row) for row in table])
    ledger.each("wrong in folds", [one.loss.estimate for one in told.folds], [row[0] / sum(row) for row in table])
    if seen.groups is not None or not 0 < wrong.sum() < len(wrong):
        return
    found = chi2_contingency(table, correction=False)
    ledger.same("mean", told.mean, float(wrong.mean()))
    ledger.same("Q", told.q, float(found.statistic))
    ledger.same("p", told.p, float(found.pvalue))
