"""Which inputs have drifted, and how far: the counts of a batch of live cases against those of the reference.

A measure is tested twice: how the known values spread over its cells, and how many values are gaps, missing or never
seen before. Beside them stands the share of strange cases, which sees what no single column shows. An alarm needs both:
evidence that holds against all the tests of the batch, and an effect that matters.

It says that the inputs are others, and nothing of whether the answers are still right: a suspicion, never a proof.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
import polars as pl

from understudy.evidence.discoveries import e_bh
from understudy.evidence.shift import (
    Shift,
    compare_cells,
    compare_share,
    debiased_psi,
    log_evidence,
    strange_excess,
    strange_rank,
)
from understudy.monitoring.bins import Bins, Counters, count
from understudy.monitoring.strangeness import Strangeness

FALSE_ALARMS_A_YEAR = 1.0
FLOOR = 0.1
"""The debiased PSI from which a change of a column matters."""

TIMES_STRANGE = 2.0
"""How many times their expected share strange cases must have to matter."""

MOST_REASONS = 5
STRANGE = "strange cases"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Test = Literal["values", "gaps", "strange"]


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Live cases as counts; batches of the same cases in other parts add up to the same.

    Attributes
    ----------
    counters : Counters
        Over the reference's bins.
    cases : int
    strange : int
        Cases stranger than the limit.
    limit : float
        In (0, 1).
    """

    counters: Counters
    cases: int = 0
    strange: int = 0
    limit: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one test says of a batch.

    Attributes
    ----------
    name, column : str
        The measure, such as "length of report", and its column; empty for strange cases.
    test : {"values", "gaps", "strange"}
    share, before : float
        The share of the batch that `words` speak of, and that of the reference.
    words : str
        The change that says most, in words.
    statistic, p, e : float
        χ² or a count, the p-value, and the e-value made of it.
    psi : float
        The debiased population stability index.
    drifted : bool
        Whether the evidence holds and the effect matters.
    """

    name: str
    column: str
    test: Test
    share: float
    before: float
    words: str
    statistic: float
    p: float
    e: float
    psi: float
    drifted: bool


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch stands to the reference.

    Attributes
    ----------
    cases, reference : int
        How many cases are compared with how many rows.
    level : float
        The chance of an alarm where nothing has changed, at most.
    findings : tuple of Finding
        Those that have drifted first, the largest effect first.
    """

    cases: int
    reference: int
    level: float
    findings: tuple[Finding, ...]

    @property
    def drifted(self) -> tuple[Finding, ...]:
        """What has drifted; the batch is an alarm where it is not empty."""
        return tuple(finding for finding in self.findings if finding.drifted)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What has drifted, in a sentence each, the largest effect first; of more than five the others are counted."""
        told = tuple(dict.fromkeys(finding.words for finding in self.drifted))
        others = len(told) - MOST_REASONS
        return told if others <= 0 else (*told[:MOST_REASONS], f"{others} more measures have drifted.")


def open_batch(model: Strangeness, limit: float) -> Batch:
    """A batch without a case."""
    return Batch(counters=Counters(counts=tuple((0,) * one.cells for one in model.bins)), limit=limit)


def add_cases(batch: Batch, model: Strangeness, frame: pl.DataFrame, strangeness: np.ndarray) -> Batch:
    """The batch with these cases in it.

    Parameters
    ----------
    batch : Batch
    model : Strangeness
        Its bins are what is counted over.
    frame : pl.DataFrame
        Inputs of n cases in canonical types.
    strangeness : ndarray of shape (n,)
        In [0, 1].
    """
    return Batch(
        counters=batch.counters + count(model.bins, frame),
        cases=batch.cases + frame.height,
        strange=batch.strange + int((strangeness > batch.limit).sum()),
        limit=batch.limit,
    )


def judge_drift(
    model: Strangeness, batch: Batch, *, level: float, floor: float = FLOOR, times_strange: float = TIMES_STRANGE
) -> Drift:
    """Whether the inputs of a batch have drifted, which and how far.

    Parameters
    ----------
    model : Strangeness
        With its held-out counts: the bins were frozen on other rows, so that chance in those rows misleads nobody.
    batch : Batch
    level : float
        The chance of an alarm where nothing has changed, in (0, 1).
    floor, times_strange : float
        What effect matters.

    >>> from understudy.data.contract import Column, Contract
    >>> from understudy.monitoring.strangeness import fit_strangeness
    >>> contract = Contract(columns=(Column(name="amount", kind="number"),))
    >>> rows = [pl.DataFrame({"amount": np.random.default_rng(seed).exponential(400, 3000)}) for seed in (1, 2, 3)]
    >>> model = fit_strangeness(rows[0], rows[1], contract)
    >>> batch = add_cases(open_batch(model, 0.99), model, rows[2] * 1.6, np.zeros(3000))
    >>> judge_drift(model, batch, level=0.02).reasons
    ('amount has drifted: 48 % from 464.6 on, was 30 % (PSI 0.22).',)
    """
    found = [
        finding
        for one, before, now in zip(model.bins, model.held_out, batch.counters.counts, strict=True)
        for finding in of_measure(one, np.array(before), np.array(now), floor)
    ]
    found.append(of_strange_cases(model, batch, times_strange))
    log_e = log_evidence(np.array([finding.p for finding in found]), level)
    proven = e_bh(log_e, level)
    judged = [
        msgspec.structs.replace(finding, e=float(e), drifted=finding.drifted and bool(sure))
        for finding, e, sure in zip(found, np.exp(log_e), proven, strict=True)
    ]
    judged.sort(key=lambda finding: (not finding.drifted, -finding.psi))
    return Drift(
        cases=batch.cases,
        reference=sum(model.held_out[0]) if model.held_out else 0,
        level=level,
        findings=tuple(judged),
    )


def of_measure(bins: Bins, before: np.ndarray, now: np.ndarray, floor: float) -> tuple[Finding, Finding]:
    """What the two tests of a measure say; `drifted` tells only whether the effect matters."""
    values = compare_cells(before[:-2], now[:-2])
    n, m = int(before.sum()), int(now.sum())
    gaps = compare_share(int(before[-2:].sum()), n, int(now[-2:].sum()), m)
    spread = level_change(bins, before, now) if bins.measure == "level" else number_change(bins, before, now)
    return as_finding(bins, "values", values, spread, floor), as_finding(
        bins, "gaps", gaps, gap_change(bins, before, now), floor
    )


Change = tuple[str, str, float, float]
"""Of what, what it is, its share, and its share before."""


def as_finding(bins: Bins, test: Test, shift: Shift, change: Change, floor: float) -> Finding:
    """A test of a measure with the change that says most."""
    of, what, share, before = change
    words = f"{of} has drifted: {percent(share)} {what}, was {percent(before)} (PSI {shift.psi:.2f})."
    return Finding(
        name=bins.name,
        column=bins.column,
        test=test,
        share=share,
        before=before,
        words=words,
        statistic=shift.statistic,
        p=shift.p,
        e=0.0,
        psi=shift.psi,
        drifted=shift.psi >= floor,
    )


def of_strange_cases(model: Strangeness, batch: Batch, times: float) -> Finding:
    """Whether strange cases are more than they should be; `drifted` tells only whether the effect matters."""
    expected, share = 1 - batch.limit, batch.strange / max(batch.cases, 1)
    rank = strange_rank(batch.limit, model.n)
    reference = np.array([rank, model.n + 1 - rank])
    counts = np.array([batch.strange, batch.cases - batch.strange])
    words = f"{percent(share)} of the cases are strange, {percent(expected)} are expected."
    return Finding(
        name=STRANGE,
        column="",
        test="strange",
        share=share,
        before=expected,
        words=words,
        statistic=float(batch.strange),
        p=strange_excess(batch.strange, batch.cases, limit=batch.limit, calibration=model.n),
        e=0.0,
        psi=debiased_psi(reference, counts) if batch.cases else 0.0,
        drifted=share >= times * expected,
    )


def number_change(bins: Bins, before: np.ndarray, now: np.ndarray) -> Change:
    """The edge whose two sides have changed most, on the side that has grown."""
    p, q = (shares(counts[:-2]) for counts in (before, now))
    if len(p) < 2:
        return bins.name, "known values", float(q.sum()), float(p.sum())
    above = [np.cumsum(found[::-1])[::-1][1:] for found in (p, q)]
    edge = int(np.abs(above[1] - above[0]).argmax())
    old, new = float(above[0][edge]), float(above[1][edge])
    at = in_words(bins, bins.edges[edge])
    return (bins.name, f"from {at} on", new, old) if new >= old else (bins.name, f"below {at}", 1 - new, 1 - old)


def level_change(bins: Bins, before: np.ndarray, now: np.ndarray) -> Change:
    """The level whose share has changed most."""
    p, q = (shares(counts[:-2]) for counts in (before, now))
    if not len(p):
        return bins.name, "known values", 0.0, 0.0
    level = int(np.abs(q - p).argmax())
    return bins.name, repr(bins.levels[level]), float(q[level]), float(p[level])


def gap_change(bins: Bins, before: np.ndarray, now: np.ndarray) -> Change:
    """Missing values or those never seen before, whichever has changed more."""
    p, q = (shares(counts) for counts in (before, now))
    beyond, missing = ((float(q[cell]), float(p[cell])) for cell in (-2, -1))
    if abs(missing[0] - missing[1]) > abs(beyond[0] - beyond[1]):
        return bins.column, "missing", *missing
    ends = f"outside {in_words(bins, bins.low)} to {in_words(bins, bins.high)}"
    return bins.name, "never seen before" if bins.measure == "level" else ends, *beyond


def shares(counts: np.ndarray) -> np.ndarray:
    """Counts as shares; zeros where nothing was counted."""
    found: np.ndarray = counts / max(int(counts.sum()), 1)
    return found


def in_words(bins: Bins, number: float) -> str:
    """A value of a measure as people write it."""
    if bins.measure == "elapsed":
        return str(np.datetime64(round(number), "us").astype("datetime64[m]"))
    if bins.measure == "weekday" and 1 <= number <= len(WEEKDAYS):
        return WEEKDAYS[round(number) - 1]
    return f"{number:.4g}" if abs(number) < 1000 else f"{number:,.0f}"


def percent(share: float) -> str:
    """A share in percent.

    >>> percent(0.34), percent(0.012)
    ('34 %', '1.2 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %"
