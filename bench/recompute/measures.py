"""The chapter on how good a version is, by scikit-learn, statsmodels and plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier, DummyRegressor

from understudy.evaluation.measured import Costs, Measures
from understudy.evaluation.measures import METRICS
from understudy.evaluation.thresholds import Thresholds, folds

from .ledger import Ledger
from .seen import Seen, mean_of, share_of

DRAWS = 400
AREA_CLOSE = 1e-9
Figure = Callable[[np.ndarray, np.ndarray], float]


def figures(labels: tuple[str, ...]) -> dict[str, Figure]:
    """Every metric by scikit-learn: from truth and scores to a number."""
    if not labels:
        return {
            "rmse": lambda y, s: float(sk.root_mean_squared_error(y, s[:, 0])),
            "mae": lambda y, s: float(sk.mean_absolute_error(y, s[:, 0])),
            "r2": lambda y, s: float(sk.r2_score(y, s[:, 0])),
        }
    k = len(labels)
    two = k == 2

    def hard(score: Callable[..., float], **also: object) -> Figure:
        how: dict[str, object] = {"average": "binary"} if two else {"average": "macro"}
        return lambda y, s: float(score(y, s.argmax(axis=1), **how, **also))

    def ranked(score: Callable[..., float]) -> Figure:
        if two:
            return lambda y, s: float(score(y, s[:, 1]))
        return lambda y, s: float(np.mean([score(y == one, s[:, one]) for one in np.unique(y)]))

    def brier(y: np.ndarray, s: np.ndarray) -> float:
        truth = np.eye(k)[y]
        return float(sk.brier_score_loss(y, s[:, 1])) if two else float(((truth - s) ** 2).sum(axis=1).mean())

    def log_loss(y: np.ndarray, s: np.ndarray) -> float:
        return -sum(math.log(min(max(row[true], 1e-15), 1.0)) for row, true in zip(s.tolist(), y, strict=True)) / len(y)

    def balanced(y: np.ndarray, s: np.ndarray) -> float:
        said = s.argmax(axis=1)
        return float(np.mean([(said[y == one] == one).mean() for one in np.unique(y)]))

    return {
        "accuracy": lambda y, s: float(sk.accuracy_score(y, s.argmax(axis=1))),
        "balanced_accuracy": balanced,
        "precision": hard(sk.precision_score, zero_division=0),
        "recall": hard(sk.recall_score, zero_division=0),
        "f1": hard(sk.f1_score, zero_division=0),
        "f05": hard(sk.fbeta_score, beta=0.5, zero_division=0),
        "f2": hard(sk.fbeta_score, beta=2.0, zero_division=0),
        "mcc": lambda y, s: float(sk.matthews_corrcoef(y, s.argmax(axis=1))),
        "roc_auc": ranked(sk.roc_auc_score),
        "pr_auc": ranked(sk.average_precision_score),
        "log_loss": log_loss,
        "brier": brier,
    }


def recompute(seen: Seen, ledger: Ledger) -> None:
    """All of it."""
    ledger.chapter("metrics")
    metrics(seen, ledger)
    measures = seen.report.evaluation.measures
    if measures is None:
        return
    ledger.chapter("constant")
    constant(seen, measures, ledger)
    if not seen.labels:
        return
    ledger.chapter("classes")
    classes(seen, measures, ledger)
    ledger.chapter("curves")
    curves(seen, measures, ledger)
    if measures.thresholds is not None:
        ledger.chapter("thresholds")
        thresholds(seen, measures.thresholds, ledger)
    if measures.costs is not None:
        ledger.chapter("costs")
        costs(seen, measures.costs, ledger)


def metrics(seen: Seen, ledger: Ledger) -> None:
    """Every metric of the version and of what decides today, and the gain."""
    evaluation, y = seen.report.evaluation, seen.y
    known = figures(seen.labels)
    ledger.holds("every metric is known to scikit-learn", set(evaluation.metrics) <= set(known))
    for name, told in evaluation.metrics.items():
        ledger.same(name, told.estimate, known[name](y, seen.scores))
        ledger.holds(f"{name}: its bounds hold its estimate", told.lower <= told.estimate <= told.upper)
    for name, told in evaluation.baseline.metrics.items():
        ledger.same(f"{name} of today", told.estimate, known[name](y, seen.today))
    bounds(seen, known, ledger)
    baseline = evaluation.baseline
    sign = 1 if METRICS[baseline.metric].greater_is_better else -1
    better = known[baseline.metric](y, seen.scores) - known[baseline.metric](y, seen.today)
    ledger.same("gain", baseline.gain.estimate, sign * better)


def bounds(seen: Seen, known: dict[str, Figure], ledger: Ledger) -> None:
    """The bounds: exact ones by statsmodels, those of the goal by drawing rows anew."""
    evaluation, y = seen.report.evaluation, seen.y
    for name, told in evaluation.metrics.items():
        if told.method != "Clopper–Pearson":
            continue
        said = seen.scores.argmax(axis=1)
        which = {"accuracy": said == y}
        if len(seen.labels) == 2:
            which |= {"precision": (y == 1)[said == 1], "recall": (said == 1)[y == 1]}
        share_of(ledger, name, told, int(which[name].sum()), len(which[name]))
    goal = evaluation.baseline.metric
    told, rng = evaluation.metrics[goal], np.random.default_rng(7)
    units = np.arange(len(y)) if seen.groups is None else np.unique(seen.groups, return_inverse=True)[1]
    members = np.split(np.argsort(units, kind="stable"), np.flatnonzero(np.diff(np.sort(units))) + 1)
    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([members[unit] for unit in rng.integers(len(members), size=len(members))])
        if not seen.labels or len(np.unique(y[rows])) == len(np.unique(y)):
            drawn.append(known[goal](y[rows], seen.scores[rows]))
    lower, upper = np.quantile(drawn, [0.025, 0.975])
    # A quantile of 400 draws is off by about an eighth of the half width, one of 1,000 by half of that; of few rows
    # multinomial and Poisson draws differ by a little more. Three times that is allowed.
    reach = 0.45 * (upper - lower) / 2
    ledger.near(f"{goal}: lower bound", told.lower, float(lower), reach)
    ledger.near(f"{goal}: upper bound", told.upper, float(upper), reach)


def constant(seen: Seen, measures: Measures, ledger: Ledger) -> None:
    """What one and the same answer to all cases gets."""
    known, y, nothing = figures(seen.labels), seen.y, np.zeros((len(seen.y), 1))
    for name, told in measures.constant.items():
        if seen.labels:
            shares = np.zeros((len(y), len(seen.labels)))
            fitted = DummyClassifier(strategy="prior").fit(nothing, y)
            shares[:, fitted.classes_] = fitted.predict_proba(nothing)
            own = known[name](y, shares)
        else:
            fitted = DummyRegressor(strategy="median" if name == "mae" else "mean").fit(nothing, y)
            own = known[name](y, np.reshape(fitted.predict(nothing), (-1, 1)))
        ledger.same(f"constant {name}", told, own)


def classes(seen: Seen, measures: Measures, ledger: Ledger) -> None:
    """Each class by itself, the averages, and the confusion matrix."""
    y, said, k = seen.y, seen.answers, len(seen.labels)
    table = sk.confusion_matrix(y, said, labels=range(k))
    ledger.each("confusion", np.ravel(seen.report.evaluation.confusion), table.ravel())
    precision, recall, f1, support = sk.precision_recall_fscore_support(y, said, labels=range(k), zero_division=0)
    for one in measures.classes:
        at = seen.labels.index(one.label)
        ledger.same(f"{one.label}: rows", one.truth, int(support[at]))
        ledger.same(f"{one.label}: answers", one.said, int(table[:, at].sum()))
        for name, told, own in zip(
            ("precision", "recall", "f1"),
            (one.precision, one.recall, one.f1),
            (precision[at], recall[at], f1[at]),
            strict=True,
        ):
            ledger.same(f"{one.label}: {name}", told.estimate, float(own))
        if seen.groups is None:
            hit = int(table[at, at])
            share_of(ledger, f"{one.label}: precision", one.precision, hit, one.said)
            share_of(ledger, f"{one.label}: recall", one.recall, hit, one.truth)
    if len(measures.classes) == k:
        average = sk.precision_recall_fscore_support(y, said, average="weighted", zero_division=0)
        for place, name in enumerate(("precision", "recall", "f1")):
            ledger.same(f"average {name}", measures.averages[name], float(average[place]))


def curves(seen: Seen, measures: Measures, ledger: Ledger) -> None:
    """ROC, precision against recall, and gain, at the thresholds of the report."""
    for told in measures.ranking:
        at = seen.labels.index(told.label)
        y, score = seen.y == at, seen.scores[:, at]
        ledger.same(f"{told.label}: positives", told.positives, float(y.mean()))
        xs, ys, taken = [0.0], [0.0], [0.0]
        for point, place in zip(told.precision, told.roc[1:], strict=True):
            above = score >= point.threshold
            what = f"{told.label} from {point.threshold:.6g} on"
            ledger.same(f"{what}: recall", point.recall, sk.recall_score(y, above))
            ledger.same(f"{what}: precision", point.precision, sk.precision_score(y, above, zero_division=0))
            ledger.same(f"{what}: true positives", place.true_positives, sk.recall_score(y, above))
            ledger.same(f"{what}: false positives", place.false_positives, sk.recall_score(~y, above))
            ledger.holds(f"{what}: bounds", point.lower <= point.precision <= point.upper)
            ledger.holds(f"{what}: bounds", place.lower <= place.true_positives <= place.upper)
            xs.append(place.false_positives)
            ys.append(place.true_positives)
            taken.append(float(above.mean()))
        ledger.each(
            f"{told.label}: its curve ends", (told.roc[-1].false_positives, told.roc[-1].true_positives), (1, 1)
        )
        area, whole = sk.auc(xs, ys), sk.roc_auc_score(y, score)
        # of more distinct scores than points the curve is chords of the whole one: a little below it where that bends,
        # and above it where it dips
        slack = AREA_CLOSE if len(np.unique(score)) == len(told.precision) else 0.005
        ledger.holds(f"{told.label}: area {area} beside {whole}", abs(area - whole) <= slack)
        for gain in told.gain:
            after = next(i for i, share in enumerate(taken) if share >= gain.share - 1e-12)
            width = taken[after] - taken[after - 1]
            part = (gain.share - taken[after - 1]) / width
            own = ys[after - 1] + part * (ys[after] - ys[after - 1])
            ledger.same(f"{told.label}: gain at {gain.share:.3f}", gain.found, own)
            ledger.same(f"{told.label}: lift at {gain.share:.3f}", gain.lift, own / gain.share)


def prices(seen: Seen) -> np.ndarray:
    """What each answer to each truth costs, by a loop."""
    told = seen.task.cost.mistakes
    dearest = max(told.values()) if told else 1.0
    k = len(seen.labels)
    table = np.zeros((k, k))
    for i, truth in enumerate(seen.labels):
        for j, answer in enumerate(seen.labels):
            if i != j:
                table[i, j] = told.get(f"{truth} -> {answer}", dearest)
    return table


def thresholds(seen: Seen, told: Thresholds, ledger: Ledger) -> None:
    """What thresholds cost, and what another one would save."""
    y, score, table = seen.y, seen.scores[:, 1], prices(seen)

    def paid(rows: np.ndarray, threshold: float, costs: np.ndarray = table) -> float:
        yes = score[rows] >= threshold
        false, missed = np.count_nonzero(yes & (y[rows] == 0)), np.count_nonzero(~yes & (y[rows] == 1))
        return float(false * costs[0, 1] + missed * costs[1, 0])

    rows = np.arange(len(y))
    for point in told.points:
        ledger.same(f"cost from {point.threshold:.6g} on", point.cost, paid(rows, point.threshold) / len(y))
    now = (score > 0.5) * 1
    mean_of(ledger, "present cost", told.present, table[y, now], seen.groups)
    mistakes = table[y, now][now != y]
    ledger.same("mean price", told.mean_price, float(mistakes.mean()) if len(mistakes) else 1.0)
    ledger.same("by theory", told.by_theory, table[0, 1] / (table[0, 1] + table[1, 0]))
    ledger.same("cost at the optimum", told.optimum_cost, paid(rows, told.optimum.estimate) / len(y))
    candidates = sorted({*edges(y, score), math.nextafter(0.5, 1), math.nextafter(1, 2)})
    costs = [paid(rows, one) for one in candidates]
    ledger.same("the least cost", told.optimum_cost, min(costs) / len(y))
    if told.saving is None or told.fewer_wrong is None:
        return
    lot, later = folds(len(y), seen.version.manifest.seed, seen.groups), np.zeros(len(y), dtype=bool)
    for fold in np.unique(lot):  # only which rows lie in which fold is taken from the project: that is a draw
        others = rows[lot != fold]
        spent = [paid(others, one) for one in candidates]
        least = min(spent)
        best = min((abs(one - 0.5), one) for one, cost in zip(candidates, spent, strict=True) if cost - least < 1e-9)
        later[lot == fold] = score[lot == fold] >= best[1]
    saved = table[y, now] - table[y, later * 1]
    ledger.same("saving", told.saving.estimate, float(saved.mean()))
    ledger.same("fewer wrong", told.fewer_wrong.estimate, float(np.mean((now != y) * 1.0 - (later != y) * 1.0)))
    ledger.same("changed", told.changed, float(np.mean(later != now)))


def edges(y: np.ndarray, score: np.ndarray, most: int = 1000) -> list[float]:
    """The thresholds that are tried: all distinct scores, or of many the order statistics of either class."""
    distinct = sorted(set(score.tolist()))
    if len(distinct) <= most:
        return distinct
    found: set[float] = set()
    for label in (0, 1):
        ordered, grid = np.sort(score[y == label]), np.linspace(0, 1, most // 2)
        found |= set(np.quantile(ordered, grid, method="inverted_cdf").tolist())
    return sorted(found)


def costs(seen: Seen, told: Costs, ledger: Ledger) -> None:
    """What answers cost where mistakes have prices."""
    y, table, groups = seen.y, prices(seen), seen.groups
    now = seen.answers
    expected = [[sum(p * table[i, j] for i, p in enumerate(row)) for j in range(len(table))] for row in seen.scores]
    later = np.array([min(range(len(row)), key=row.__getitem__) for row in expected])
    model, least = table[y, now], table[y, later]
    mean_of(ledger, "cost", told.model, model, groups)
    mean_of(ledger, "cost of today", told.today, table[y, seen.today.argmax(axis=1)], groups)
    mean_of(ledger, "least expected cost", told.least_expected, least, groups)
    mean_of(ledger, "saving", told.saving, model - least, groups)
    flat = {answer: float(table[y, place].mean()) for place, answer in enumerate(seen.labels)}
    ledger.same("cost of a constant", told.constant, min(flat.values()))
    ledger.same("the constant that is told", flat[told.constant_answer], min(flat.values()))
    ledger.same("changed", told.changed, float(np.mean(now != later)))
    ledger.same("mean price", told.mean_price, float(model[now != y].mean()))
