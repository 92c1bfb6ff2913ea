"""Whether the labels are right: by cleanlab, and by dictionaries of tuples."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import polars as pl
from cleanlab.count import compute_confident_joint, estimate_latent
from cleanlab.filter import find_label_issues
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.data.judgements import judgements
from understudy.evaluation.conflicts import Conflicts
from understudy.evaluation.human_level import HumanLevel
from understudy.evaluation.label_numbers import NumberErrors
from understudy.evaluation.label_quality import LabelErrors

from .ledger import Ledger
from .seen import Seen, share_of
from .sureness import binned

NORMAL = 1.3489795003921634
"""How far the quartiles of a normal law lie apart, in standard deviations."""


def recompute(seen: Seen, ledger: Ledger) -> None:
    """All of it."""
    found = seen.report.findings
    if found is None:
        return
    if found.conflicts is not None:
        ledger.chapter("conflicts")
        conflicts(seen, found.conflicts, ledger)
    if found.human is not None:
        ledger.chapter("people")
        people(seen, found.human, ledger)
    if seen.oof is None:
        return
    said = seen.oof.select(pl.exclude("row", "truth", "fold")).to_numpy()
    truth = seen.judged.data.answers.y[seen.oof["row"].to_numpy()]
    ledger.chapter("labels")
    ledger.holds("the truth of rows out of fold", bool((seen.oof["truth"].to_numpy() == truth).all()))
    if found.errors is not None:
        errors(seen, found.errors, truth, said, ledger)
    if found.numbers is not None:
        numbers(found.numbers, truth, said[:, 0], ledger)


def errors(seen: Seen, told: LabelErrors, y: np.ndarray, p: np.ndarray, ledger: Ledger) -> None:
    """Suspects, their pairs and the confident joint, by cleanlab."""
    k = len(seen.labels)
    known = np.isfinite(p).all(axis=1)
    often = np.bincount(y[known], minlength=k) >= 5
    known &= often[y]
    ledger.same("rows", told.rows, int(known.sum()))
    ledger.same("unknown", told.unknown, int((~known).sum()))
    y, p = y[known], p[known]
    if not often.all():  # cleanlab knows no classes without labels
        return
    flagged = find_label_issues(y, p, filter_by="confident_learning", n_jobs=1)
    ledger.same("suspects", told.suspects, int(flagged.sum()))
    pairs = Counter(zip(y[flagged].tolist(), p[flagged].argmax(axis=1).tolist(), strict=True))
    for pair in told.pairs:
        own = pairs[seen.labels.index(pair.said), seen.labels.index(pair.probably)]
        ledger.same(pair.words, pair.suspects, own)
    if len(pairs) <= 12:
        ledger.same("all pairs are told", sum(pair.suspects for pair in told.pairs), int(flagged.sum()))
    by_label = Counter(y[flagged].tolist())
    for one in told.classes:
        ledger.same(f"labels {one.label}", one.rows, int((y == seen.labels.index(one.label)).sum()))
        ledger.same(f"suspects {one.label}", one.suspects, by_label[seen.labels.index(one.label)])
    counts = compute_confident_joint(y, p, calibrate=False)
    shares = counts * (np.bincount(y, minlength=k) / counts.sum(axis=1))[:, None] / len(y)
    ledger.same("off the diagonal of the joint", told.confident.estimate, float(1 - np.trace(shares)))
    if told.noise:
        noise = estimate_latent(confident_joint=shares * len(y), labels=y)[1]
        ledger.each("noise", np.ravel(told.noise), noise.ravel())
    contradicted = int((p.argmax(axis=1) != y).sum())
    ledger.same("rows in bins", sum(one.n for one in told.bins), len(y))
    ledger.same("contradicted in all", sum(one.contradicted * one.n for one in told.bins), contradicted)
    for place in told.bins:
        share = Evidence(
            estimate=place.contradicted, lower=place.lower, upper=place.upper, confidence=0.95, n=place.n, method=""
        )
        if seen.groups is None:
            share_of(ledger, "contradicted in a bin", share, round(place.contradicted * place.n), place.n)


def numbers(told: NumberErrors, y: np.ndarray, predicted: np.ndarray, ledger: Ledger) -> None:
    """How many numbers lie far off, by the spread of each bin."""
    known = np.isfinite(predicted)
    off, predicted = (y - predicted)[known], predicted[known]
    n = len(off)
    ledger.same("rows", told.rows, n)
    values = np.empty(n)
    for rows in binned(predicted, min(max(n // 100, 1), 20)):
        low, middle, high = np.percentile(off[rows], [25, 50, 75])
        values[rows] = (off[rows] - middle) / ((high - low) / NORMAL)
    quantiles = np.percentile(values, [5, 25, 75, 95])
    heavy = (quantiles[3] - quantiles[0]) / (quantiles[2] - quantiles[1])

    def of(freedom: float) -> float:
        return float(stats.t.ppf(0.95, freedom) / stats.t.ppf(0.75, freedom))

    if 1.1 < told.freedom < 200:
        ledger.same("heaviness", of(told.freedom), heavy)
    scale = stats.norm.ppf(0.75) / stats.t.ppf(0.75, told.freedom)
    ledger.same("cut", told.cut, float(stats.t.isf(0.0005, told.freedom) * scale))
    ledger.same("suspects", told.suspects, int((np.abs(values) > told.cut).sum()))
    ledger.same("expected", told.expected, 0.001 * n)
    ledger.same("beyond what is expected", told.wrong.estimate, told.suspects / n - 0.001)


def conflicts(seen: Seen, told: Conflicts, ledger: Ledger) -> None:
    """Equal inputs with different answers, by a dictionary."""
    data = seen.judged.data
    sets: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for row, answer in zip(data.frame.select(seen.version.inputs).iter_rows(), data.answers.y.tolist(), strict=True):
        sets[row].append(answer)
    repeated = groups = conflicting = outvoted = 0
    pairs: Counter[tuple[int, int]] = Counter()
    for given in sets.values():
        repeated += len(given) if len(given) > 1 else 0
        if seen.labels:
            counts = Counter(given)
            mostly = min(counts, key=lambda one: (-counts[one], one))
            out = [one for one in given if one != mostly]
            pairs.update((int(one), int(mostly)) for one in out)
        else:
            middle = float(np.median(given))
            out = [one for one in given if abs(one - middle) > seen.tolerance]
        groups += bool(out)
        conflicting += len(given) if out else 0
        outvoted += len(out)
    for name, own in (
        ("rows", len(data.answers.y)),
        ("repeated", repeated),
        ("groups", groups),
        ("conflicting", conflicting),
        ("outvoted", outvoted),
    ):
        ledger.same(name, getattr(told, name), own)
    ledger.same("error", told.error.estimate, outvoted / len(data.answers.y))
    ledger.same("error of repeated rows", told.repeated_error.estimate, outvoted / repeated if repeated else 0.0)
    for pair in told.pairs:
        own = pairs[seen.labels.index(pair.said), seen.labels.index(pair.mostly)]
        ledger.same(f"{pair.said} outvoted by {pair.mostly}", pair.rows, own)


def people(seen: Seen, told: HumanLevel, ledger: Ledger) -> None:
    """How often people are wrong by the outcome, case by case."""
    given = judgements(seen.judged.data.source[seen.test], seen.task.today, seen.task.decision.kind)
    if not told.by_outcome:
        return
    one, all_of_them, model, cases, told_of = [], [], [], 0, 0
    for place, row in enumerate(given.iter_rows()):
        said = [seen.labels.index(word) if seen.labels else float(word) for word in row if word is not None]
        if not said:
            continue
        cases, told_of = cases + 1, told_of + len(said)
        truth = seen.y[place]
        if seen.labels:
            counts = Counter(said)
            together: float = min(counts, key=lambda answer: (-counts[answer], answer))
            off = [answer != truth for answer in said]
            all_of_them.append(together != truth)
        else:
            off = [abs(answer - truth) > seen.tolerance for answer in said]
            all_of_them.append(abs(float(np.median(said)) - truth) > seen.tolerance)
        one.append(sum(off) / len(off))
        model.append(seen.wrong[place])
    ledger.same("cases", told.cases, cases)
    ledger.same("judgements", told.judgements, told_of)
    ledger.same("one person", told.person.estimate, math.fsum(one) / cases)
    if told.together is not None:
        ledger.same("together", told.together.estimate, sum(all_of_them) / cases)
    if told.model is not None:
        ledger.same("model", told.model.estimate, math.fsum(model) / cases)
    if told.gap is not None:
        ledger.same("gap", told.gap.estimate, (math.fsum(model) - math.fsum(one)) / cases)
    if told.gap_together is not None:
        ledger.same("gap to all", told.gap_together.estimate, (math.fsum(model) - sum(all_of_them)) / cases)
