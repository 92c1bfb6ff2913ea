"""Where a version is wrong, off, and for whom: every group of cases is found again by its own SQL condition."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from scipy import stats
from sklearn.metrics import confusion_matrix
from statsmodels.stats.multitest import multipletests

from understudy.evaluation.fairness_found import Fairness, Group
from understudy.evaluation.prediction_bias import Bucket, PredictionBias
from understudy.evaluation.slice_rows import halves, known_rows
from understudy.evaluation.slices import Slice, Slices

from .ledger import Ledger
from .seen import Seen, held, share_of
from .sureness import binned


def recompute(seen: Seen, ledger: Ledger) -> None:
    """All of it."""
    found = seen.report.findings
    if found is None:
        return
    if found.slices is not None:
        ledger.chapter("slices")
        slices(seen, found.slices, ledger)
        learned = seen.judged.data.frame[seen.judged.learned]
        for condition, told in found.learned.items():
            ledger.same(f"learned where {condition}", told, int(held(learned, condition).sum()))
    if found.bias is not None:
        ledger.chapter("bias")
        bias(seen, found.bias, ledger)
    if found.fairness is not None:
        ledger.chapter("fairness")
        fairness(seen, found.fairness, ledger)


def slices(seen: Seen, told: Slices, ledger: Ledger) -> None:
    """The slices, on the half of the rows that tested them; which rows those are is a draw."""
    rows = known_rows(seen.frame, seen.wrong, None, seen.groups)
    searched, tested = halves(rows, seen.version.manifest.seed)
    at, wrong = tested.at, seen.wrong[tested.at]
    ledger.same("searched", told.searched, len(searched.loss))
    ledger.same("tested", told.tested, len(at))
    ledger.same("mean loss", told.loss, math.fsum(wrong) / len(wrong))
    frame = seen.frame[at]
    inside = {one.condition: held(frame, one.condition) for one in told.found}
    for one in told.found:
        mask = inside[one.condition]
        ledger.same(f"{one.words}: rows", one.n, int(mask.sum()))
        ledger.same(f"{one.words}: share", one.share, int(mask.sum()) / len(mask))
        ledger.same(f"{one.words}: loss", one.loss, math.fsum(wrong[mask]) / mask.sum())
        ledger.same(f"{one.words}: loss elsewhere", one.rest, math.fsum(wrong[~mask]) / (~mask).sum())
        excess = float(wrong[mask].mean() - wrong[~mask].mean())
        ledger.same(f"{one.words}: excess", one.excess.estimate, excess)
    if told.found:
        adjusted = multipletests([one.p for one in told.found], method="holm")[1]
        ledger.each("Holm's p-values", [one.adjusted for one in told.found], adjusted)
        for one in told.found:
            ledger.holds(f"{one.words}: significant", one.significant == (one.adjusted <= told.alpha))
        tests(seen, told, at, wrong, inside, ledger)


def tests(
    seen: Seen,
    told: Slices,
    at: np.ndarray,
    wrong: np.ndarray,
    inside: dict[str, np.ndarray],
    ledger: Ledger,
) -> None:
    """What is recoverable, and the p-values: there must be an order of finding that explains all of them."""
    groups = None if seen.groups is None else seen.groups[at]

    def fits(one: Slice, before: np.ndarray) -> bool:
        fresh = inside[one.condition][~before]
        if not 0 < fresh.sum() < len(fresh):
            return False
        excess = float(wrong[~before][fresh].mean() - wrong[~before][~fresh].mean())
        share = float((inside[one.condition] & ~before).mean())
        if abs(one.recoverable.estimate - excess * share) > 1e-9:
            return False
        if groups is not None:
            return True
        worst = max(welch(wrong, inside[one.condition]), welch(wrong[~before], fresh))
        return abs(worst - one.p) <= 1e-9

    def ordered(left: tuple[Slice, ...], before: np.ndarray) -> bool:
        if not left:
            return True
        return any(
            fits(one, before)
            and ordered(tuple(other for other in left if other is not one), before | inside[one.condition])
            for one in left
        )

    ledger.holds("what is recoverable, and p", ordered(told.found, np.zeros(len(wrong), dtype=bool)))


def welch(wrong: np.ndarray, mask: np.ndarray) -> float:
    """Welch's test, where neither side varies less than all rows do; by scipy where both vary more."""
    one, other, least = wrong[mask], wrong[~mask], float(np.var(wrong))
    variances = [max(float(side.var(ddof=1)), least) if len(side) > 1 else least for side in (one, other)]
    apart = one.mean() - other.mean()
    if apart <= 0:
        return 1.0
    found = stats.ttest_ind_from_stats(
        one.mean(), math.sqrt(variances[0]), len(one), other.mean(), math.sqrt(variances[1]), len(other), False
    )
    return float(found.pvalue)


def bias(seen: Seen, told: PredictionBias, ledger: Ledger) -> None:
    """The mean prediction beside the mean outcome in every bucket."""
    if told.scale == "sureness":
        predicted, came = seen.confidence, 1 - seen.wrong
    else:
        predicted, came = seen.scores[:, -1], seen.y.astype(np.float64)

    def bucket(one: Bucket, rows: np.ndarray) -> None:
        n, what = int(rows.sum()), one.words
        ledger.same(f"{what}: rows", one.n, n)
        ledger.same(f"{what}: share", one.share, n / len(predicted))
        ledger.same(f"{what}: predicted", one.predicted, math.fsum(predicted[rows]) / n)
        ledger.same(f"{what}: observed", one.observed, math.fsum(came[rows]) / n)
        ledger.same(f"{what}: bias", one.bias.estimate, math.fsum(came[rows] - predicted[rows]) / n)
        ledger.holds(f"{what}: bounds", one.bias.lower <= one.bias.estimate <= one.bias.upper)
        ledger.holds(f"{what}: significant", one.significant == (one.adjusted <= told.alpha))

    bucket(told.overall, np.ones(len(predicted), dtype=bool))
    tenths = [np.isin(np.arange(len(predicted)), rows) for rows in binned(predicted, 10)]
    tenths = [rows for rows in tenths if rows.sum() >= 50]
    ledger.same("buckets by prediction", len(told.deciles), len(tenths))
    for one, rows in zip(told.deciles, tenths, strict=False):
        bucket(one, rows)
    known = seen.judged.data.frame[seen.judged.parts.train]
    for one in (*told.found, *(each for around in told.around for each in around)):
        if one.kind == "prediction":
            ledger.holds(f"{one.words} is one of the tenths", one.n in [tenth.n for tenth in told.deciles])
        elif one.kind in ("unseen", "rare"):
            bucket(one, by_knowledge(seen.inputs[one.column], known[one.column], one.kind))
        elif one.kind == "period":
            continue  # its column is none of the inputs; the others show that conditions are read rightly
        elif one.kind != "all":
            bucket(one, held(seen.inputs, one.condition))


def by_knowledge(values: pl.Series, known: pl.Series, kind: str) -> np.ndarray:
    """Which values training never saw, or hardly."""
    counts: dict[str, int] = {}
    for value in known.cast(pl.String).to_list():
        counts[value] = counts.get(value, 0) + 1
    met = [None if value is None else counts.get(value, 0) for value in values.cast(pl.String).to_list()]
    return np.array([seen is not None and (seen == 0 if kind == "unseen" else 0 < seen < 30) for seen in met])


def fairness(seen: Seen, told: Fairness, ledger: Ledger) -> None:
    """Rates and errors of every group, beside all other cases."""
    source = seen.judged.data.source[seen.test]
    columns = [(seen.frame if name in seen.frame.columns else source)[name].alias(name) for name in told.columns]
    frame = pl.DataFrame(columns)
    ledger.same("rows", told.rows, len(seen.y))
    ledger.same("error", told.error, float(seen.wrong.mean()))
    for one in (*told.groups, *told.crossed):
        group(seen, one, held(frame, one.condition), told, ledger)
    for column in told.columns:
        parts = [one for one in told.groups if one.predicates[0].column == column]
        ledger.same(f"{column}: all rows are in one group", sum(one.n for one in parts), len(seen.y))
    for pick in told.selection:
        able = [one for one in told.of(pick.column) if one.n >= told.plan.least]
        rates = {
            one.words: float((seen.answers == told.plan.favourable)[held(frame, one.condition)].mean()) for one in able
        }
        ledger.same(f"{pick.column}: the lowest rate", rates[pick.lowest], min(rates.values()))
        ledger.same(f"{pick.column}: the highest rate", rates[pick.highest], max(rates.values()))
        low, high = min(rates.values()), max(rates.values())
        ledger.same(f"{pick.column}: selection", pick.ratio.estimate, low / high if high else 1.0)


def group(seen: Seen, one: Group, mask: np.ndarray, told: Fairness, ledger: Ledger) -> None:
    """The figures of one group."""
    ledger.same(f"{one.words}: rows", one.n, int(mask.sum()))
    ledger.same(f"{one.words}: share", one.share, float(mask.mean()))
    inside, outside = rates(seen, mask, told), rates(seen, ~mask, told)
    for name, figure in one.figures.items():
        if name not in inside:
            ledger.holds(f"{one.words}: {name} is told though no case has it", False)
            continue
        value, hits, n = inside[name]
        what = f"{one.words}: {name}"
        if hits is not None and seen.groups is None:
            share_of(ledger, what, figure.rate, hits, n)
        else:
            ledger.same(what, figure.rate.estimate, value)
        ledger.same(f"{what}, together", figure.together.estimate, value)
        if figure.rest is not None:
            ledger.same(f"{what} elsewhere", figure.rest, outside[name][0])
        if figure.difference is not None:
            ledger.same(f"{what}, difference", figure.difference.estimate, value - outside[name][0])
        if figure.ratio is not None:
            ledger.same(f"{what}, ratio", figure.ratio.estimate, value / outside[name][0])


def rates(seen: Seen, mask: np.ndarray, told: Fairness) -> dict[str, tuple[float, int | None, int]]:
    """By measure the value, and for shares the hits and the rows."""
    n = int(mask.sum())
    wrong, sure, y = seen.wrong[mask], seen.confidence[mask], seen.y[mask]

    def mean(values: np.ndarray) -> tuple[float, None, int]:
        return math.fsum(values) / len(values), None, len(values)

    def share(hits: int, of: int) -> tuple[float, int, int]:
        return hits / of, int(hits), int(of)

    if not n:
        return {}
    found: dict[str, tuple[float, int | None, int]] = {
        "error": share(int(wrong.sum()), n),
        "surprise": mean(wrong - (1 - sure)),
    }
    if not seen.labels:
        off = seen.scores[mask, 0] - y
        found |= {"bias": mean(off), "size": mean(np.abs(off))}
    elif len(seen.labels) == 2:
        good = told.plan.favourable
        cells = confusion_matrix(y == good, seen.answers[mask] == good, labels=[False, True])
        (tn, fp), (fn, tp) = cells.tolist()
        found["selected"], found["base"] = share(fp + tp, n), share(fn + tp, n)
        if tn + fp:
            found["false_positive"] = share(fp, tn + fp)
        if fn + tp:
            found["false_negative"] = share(fn, fn + tp)
        found["calibration"] = mean(seen.scores[mask, good] - (y == good))
    if told.plan.threshold is not None:
        found["automated"] = share(int((sure >= told.plan.threshold).sum()), n)
    return found
