"""Two versions on the same rows, from which neither has learned: what got better, for whom, and is that shown?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from understudy.core.evidence import Evidence
from understudy.core.nouns import Kind
from understudy.evaluation.estimates import estimates, gain
from understudy.evaluation.measures import METRICS
from understudy.evaluation.paired import change_interval, mcnemar, mean_interval
from understudy.evaluation.slices import Slice, SlicePlan, Slices, find_slices

Verdict = Literal["better", "worse", "not shown"]

ALPHA = 0.05
MOST_GROUPS = 12
"""Of a column's values the most frequent ones; the others are compared together."""

OTHERS = "all others"

DRAWN = 2_000
"""Up to so many rows bounds come from a bootstrap, beyond from each row's pull: every metric is drawn three times."""


@dataclass(frozen=True)
class Pair:
    """Rows that two versions have answered.

    Attributes
    ----------
    y : ndarray of shape (n,)
        Class indices or numbers.
    first, second : ndarray of shape (n, k) or (n, 1)
        Their scores.
    kind : Kind
    tolerance : float, optional
        For numbers, how far an answer may be off.
    labels : tuple of str
        Empty for numbers.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    by : mapping of str to ndarray of str
        By column, the group of each row by which the two are compared one by one.
    """

    y: np.ndarray
    first: np.ndarray
    second: np.ndarray
    kind: Kind
    tolerance: float | None = None
    labels: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    by: Mapping[str, np.ndarray] = field(default_factory=dict)

    def right(self, scores: np.ndarray) -> np.ndarray:
        """Where an answer is right (for numbers: within the tolerance)."""
        if self.kind == "classification":
            return np.asarray(scores.argmax(axis=1) == self.y)
        return np.asarray(np.abs(scores[:, 0] - self.y) <= (self.tolerance or 0.0))

    @property
    def differing(self) -> int:
        """How many answers are not the same."""
        if self.kind == "classification":
            return int((self.first.argmax(axis=1) != self.second.argmax(axis=1)).sum())
        return int((self.first[:, 0] != self.second[:, 0]).sum())


class MetricChange(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of both versions.

    Attributes
    ----------
    metric : str
    first, second : Evidence
    gain : Evidence
        How much better the second is than the first, paired; positive means better, whatever the metric. Each holds by
        itself, not all metrics together.
    """

    metric: str
    first: Evidence
    second: Evidence
    gain: Evidence

    @property
    def verdict(self) -> Verdict:
        """Whether the second is shown to be better or worse."""
        return verdict(self.gain)


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers of some cases became right, and how many became wrong.

    Attributes
    ----------
    of : str
        Which cases.
    n : int
    first, second : float
        The share that is wrong.
    mended, broken : int
        Wrong answers that are right now, and right ones that are wrong now.
    gain : Evidence
        Right answers per case more than before.
    p : float, optional
        Of McNemar's exact test; None where rows are not independent.
    """

    of: str
    n: int
    first: float
    second: float
    mended: int
    broken: int
    gain: Evidence
    p: float | None

    @property
    def verdict(self) -> Verdict:
        """Whether the second is shown to be better or worse."""
        return verdict(self.gain)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the same rows.

    Attributes
    ----------
    n : int
    differing : int
        Answers that are not the same.
    metrics : tuple of MetricChange
        That which the task is to be good at first.
    all : Switch
    labels : tuple of Switch
        By truth; empty for numbers. Their bounds hold together.
    groups : dict of tuple of Switch
        By column and value. The bounds of all of them hold together.
    better, worse : Slices
        Where the share of wrong answers fell more, or rose more, than elsewhere: losses are 1 where an answer became
        wrong and -1 where it became right, or the other way round. Both searches together raise a false alarm with a
        chance of 5 % at most.
    """

    n: int
    differing: int
    metrics: tuple[MetricChange, ...]
    all: Switch
    labels: tuple[Switch, ...]
    groups: dict[str, tuple[Switch, ...]]
    better: Slices
    worse: Slices

    @property
    def gained(self) -> tuple[Slice, ...]:
        """The slices in which more answers became right than elsewhere, and more became right than wrong."""
        return tuple(one for one in self.better.significant if one.loss > 0)

    @property
    def lost(self) -> tuple[Slice, ...]:
        """The slices in which more answers became wrong than elsewhere, and more became wrong than right."""
        return tuple(one for one in self.worse.significant if one.loss > 0)


def verdict(gain: Evidence) -> Verdict:
    """What bounds show."""
    if gain.lower > 0:
        return "better"
    return "worse" if gain.upper < 0 else "not shown"


def compare(pair: Pair, frame: pl.DataFrame, *, goal: str, prose: Collection[str] = (), seed: int = 0) -> Compared:
    """What the second version does better or worse than the first, in all and for whom.

    Parameters
    ----------
    pair : Pair
    frame : pl.DataFrame
        The cases, in canonical types, which are searched for slices.
    goal : str
        The metric that the task is to be good at.
    prose : collection of str
        Columns of text that are searched by their words.
    seed : int
        Of the bootstrap, and of the halves that slices are found and tested on.

    Raises
    ------
    ValueError
        There is no row, or lengths differ.

    >>> y = np.array([0, 1] * 200)
    >>> pair = Pair(y, np.eye(2)[y * 0], np.eye(2)[y], "classification", labels=("no", "yes"))
    >>> found = compare(pair, pl.DataFrame({"x": y}), goal="f1")
    >>> found.all.mended, found.all.broken, found.all.verdict
    (200, 0, 'better')
    """
    n = len(pair.y)
    if not n or any(len(each) != n for each in (pair.first, pair.second, frame)):
        raise ValueError(f"two versions are compared on the same rows, at least one; got {n} answers")
    was, now = pair.right(pair.first), pair.right(pair.second)
    change = was.astype(np.float64) - now
    return Compared(
        n=n,
        differing=pair.differing,
        metrics=metric_changes(pair, goal, seed),
        all=switch("all", was, now, np.ones(n, dtype=bool), pair.groups, 1),
        labels=label_switches(pair, was, now),
        groups=group_switches(pair, was, now),
        better=sliced(pair, frame, -change, prose, seed),
        worse=sliced(pair, frame, change, prose, seed),
    )


def sliced(pair: Pair, frame: pl.DataFrame, loss: np.ndarray, prose: Collection[str], seed: int) -> Slices:
    """Where a loss is larger than elsewhere; each of both directions has half of the chance of a false alarm."""
    return find_slices(frame, loss, SlicePlan(alpha=ALPHA / 2, seed=seed), prose=prose, groups=pair.groups)


def metric_changes(pair: Pair, goal: str, seed: int) -> tuple[MetricChange, ...]:
    """Every metric that is defined on these rows, the goal first."""
    names = [name for name, metric in METRICS.items() if metric.kind == pair.kind]
    first, second = (
        estimates(pair.y, scores, names, seed=seed, groups=pair.groups, many=DRAWN)
        for scores in (pair.first, pair.second)
    )
    both = {"model": pair.second, "baseline": pair.first}
    found = [
        MetricChange(
            metric=name,
            first=first[name],
            second=second[name],
            gain=gain(pair.y, both, name, seed=seed, groups=pair.groups, many=DRAWN),
        )
        for name in names
        if name in first and name in second
    ]
    return tuple(sorted(found, key=lambda one: one.metric != goal))


def switch(
    of: str, was: np.ndarray, now: np.ndarray, inside: np.ndarray, groups: np.ndarray | None, together: int
) -> Switch:
    """What became of the answers to some cases."""
    before, after = was[inside], now[inside]
    mended, broken, n = int((~before & after).sum()), int((before & ~after).sum()), int(inside.sum())
    if groups is None:
        gained = change_interval(mended, broken, n, alpha=ALPHA, together=together)
    else:
        gained = mean_interval(after.astype(np.float64) - before, alpha=ALPHA, groups=groups[inside], together=together)
    return Switch(
        of=of,
        n=n,
        first=float(1 - before.mean()),
        second=float(1 - after.mean()),
        mended=mended,
        broken=broken,
        gain=gained,
        p=mcnemar(mended, broken) if groups is None else None,
    )


def label_switches(pair: Pair, was: np.ndarray, now: np.ndarray) -> tuple[Switch, ...]:
    """By truth."""
    present = [place for place in range(len(pair.labels)) if (pair.y == place).any()]
    return tuple(switch(pair.labels[place], was, now, pair.y == place, pair.groups, len(present)) for place in present)


def group_switches(pair: Pair, was: np.ndarray, now: np.ndarray) -> dict[str, tuple[Switch, ...]]:
    """By the values of each column."""
    masks = {column: common(values) for column, values in pair.by.items()}
    together = max(1, sum(len(each) for each in masks.values()))
    return {
        column: tuple(switch(of, was, now, inside, pair.groups, together) for of, inside in each.items())
        for column, each in masks.items()
    }


def common(values: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of each of the most frequent values, the most frequent first, and those of all others together."""
    distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept, left = order[:MOST_GROUPS], order[MOST_GROUPS:]
    masks = {str(distinct[place]): codes == place for place in kept}
    return masks | ({OTHERS: np.isin(codes, left)} if len(left) else {})
