"""The chapter on how good it is: metrics beside what decides today and beside a constant, and what misleads."""

from __future__ import annotations

from understudy.evaluation.curves import RankingCurves
from understudy.evaluation.measured import Costs, Intervals, Measures
from understudy.evaluation.measures import METRICS
from understudy.evaluation.report import Evaluation, Report
from understudy.evaluation.thresholds import Thresholds
from understudy.evaluation.words import with_bounds
from understudy.reports.chapter import Cell, Chapter, Column, Figure, Part, Table, Text
from understudy.reports.curve_charts import consistency_chart, cost_chart, gain_chart, precision_chart, roc_chart

ANCHOR = "measures"
LARGEST_MATRIX = 6
MOST_CLASSES = 12
FEWEST_POINTS = 3


def measures_chapter(report: Report) -> Chapter:
    """How good a version is.

    Parameters
    ----------
    report : Report
        Its figures without `evaluation.measures` give the metrics alone.
    """
    evaluation, found = report.evaluation, report.evaluation.measures
    parts: list[Part] = [metric_table(report)]
    if found is not None:
        parts += [flag_table(found)] if found.flags else []
        parts += cost_parts(found)
        parts += [interval_table(found.intervals, evaluation)] if found.intervals is not None else []
        parts += class_parts(report, found)
        for curves in found.ranking:
            parts += curve_figures(curves, alone=len(found.ranking) == 1)
        parts += threshold_parts(report, found.thresholds)
        parts += calibration_figure(report, found)
        parts += [Text(text=f"The band of the curves: {found.ranking[0].method}.", soft=True)] if found.ranking else []
    parts.append(Text(text=how(evaluation), soft=True))
    return Chapter(anchor=ANCHOR, title="How good it is", lede=lede(report), parts=tuple(parts))


def lede(report: Report) -> str:
    """The finding."""
    evaluation = report.evaluation
    baseline = evaluation.baseline
    gain, title = baseline.gain, METRICS[baseline.metric].title
    word = "better than" if gain.lower > 0 else "worse than" if gain.upper < 0 else "not shown to differ from"
    said = [f"{title} {with_bounds(evaluation.metrics[baseline.metric])}: {word} {baseline.name}."]
    accuracy, found = evaluation.metrics.get("accuracy"), evaluation.measures
    if accuracy is not None and found is not None and "accuracy" in found.constant:
        said.append(
            f"It is right in {accuracy.estimate:.1%} of cases; {found.constant_name} is in "
            f"{found.constant['accuracy']:.1%}."
        )
    if found is not None and found.flags:
        count = len(found.flags)
        said.append("One figure misleads on this data." if count == 1 else f"{count} figures mislead on this data.")
    return " ".join(said)


def metric_table(report: Report) -> Table:
    """Every metric beside what decides today and beside a constant."""
    evaluation = report.evaluation
    constant = {} if evaluation.measures is None else evaluation.measures.constant
    name = "a constant" if evaluation.measures is None else evaluation.measures.constant_name
    names = sorted(evaluation.metrics, key=lambda one: one != report.goal)
    rows: list[tuple[Cell, ...]] = []
    for one in names:
        metric = METRICS[one]
        better = "higher" if metric.greater_is_better else "lower"
        note = f"the goal, {better} is better" if one == report.goal else f"{better} is better"
        rows.append(
            (
                f"{metric.title} · {note}",
                evaluation.metrics[one],
                evaluation.baseline.metrics.get(one),
                constant.get(one),
            )
        )
    return Table(
        caption=f"On {report.rows.get('test', 0):,} rows that it never saw, with 95 % intervals; the constant: {name}.",
        columns=(
            Column(title="Metric"),
            Column(title="This version", form="number"),
            Column(title=evaluation.baseline.name, form="number"),
            Column(title="Constant", form="number"),
        ),
        rows=tuple(rows),
    )


def flag_table(found: Measures) -> Table:
    """Which figures mislead, why, and what to look at instead."""
    rows: list[tuple[Cell, ...]] = [
        (
            METRICS[one.metric].title if one.metric else "All of them",
            one.words,
            ", ".join(METRICS[name].title for name in one.instead) or "–",
        )
        for one in found.flags
    ]
    return Table(
        caption="Figures that mislead on this data.",
        columns=(Column(title="Figure"), Column(title="Why"), Column(title="Rather look at")),
        rows=tuple(rows),
    )


def cost_parts(found: Measures) -> list[Part]:
    """What the answers cost."""
    costs = found.costs
    return [] if costs is None else [cost_table(costs), Text(text=cost_words(costs))]


def cost_table(costs: Costs) -> Table:
    """The cost of each way to answer."""
    rows: list[tuple[Cell, ...]] = [
        ("The most probable answer", costs.model),
        ("The answer with the least expected cost", costs.least_expected),
        ("What decides today", costs.today),
        (f"Always {costs.constant_answer}", costs.constant),
    ]
    return Table(
        caption="What the answers cost per case, in the currency of the task file.",
        columns=(Column(title="Answers"), Column(title="Cost per case", form="number")),
        rows=tuple(rows),
    )


def cost_words(costs: Costs) -> str:
    """Whether answering by expected cost would be cheaper."""
    saving = costs.saving
    if saving.lower > 0:
        return f"Answering by expected cost instead of by probability would save {with_bounds(saving)} per case."
    if saving.upper < 0:
        return "Answering by expected cost would cost more: the probabilities are not right enough for it."
    return "Whether answering by expected cost would be cheaper is not shown."


def interval_table(intervals: Intervals, evaluation: Evaluation) -> Table:
    """How good the intervals of numbers are."""
    rows: list[tuple[Cell, ...]] = []
    if evaluation.interval_coverage is not None:
        rows.append(("Share of truths that it holds", evaluation.interval_coverage, 0.9))
    rows += [
        ("Mean width", intervals.width, None),
        ("Pinball loss of its lower end", intervals.lower_pinball, intervals.constant_pinball[0]),
        ("Pinball loss of its upper end", intervals.upper_pinball, intervals.constant_pinball[1]),
    ]
    return Table(
        caption="The 90 % interval. Beside it what it should be, or what one interval for all cases would get.",
        columns=(
            Column(title="Figure"),
            Column(title="This version", form="number"),
            Column(title="Beside", form="number"),
        ),
        rows=tuple(rows),
    )


def class_parts(report: Report, found: Measures) -> list[Part]:
    """Each class by itself, and which is taken for which."""
    if not found.classes:
        return []
    shown = found.classes[:MOST_CLASSES]
    rows: list[tuple[Cell, ...]] = [
        (one.label, one.truth, one.said, one.precision, one.recall, one.f1) for one in shown
    ]
    if len(found.classes) > 2:
        averages = found.averages
        rows.append(("mean, by frequency", None, None, averages["precision"], averages["recall"], averages["f1"]))
    more = "" if len(shown) == len(report.labels) else f" {len(shown)} of {len(report.labels)} are shown."
    table = Table(
        caption=f"Class by class: how many are so, are answered so, and how good the answers are.{more}",
        columns=(
            Column(title="Class"),
            Column(title="True", form="count"),
            Column(title="Answered", form="count"),
            Column(title="Precision", form="percent"),
            Column(title="Recall", form="percent"),
            Column(title="F1", form="number"),
        ),
        rows=tuple(rows),
    )
    cells = report.evaluation.confusion
    if not cells or len(cells) > LARGEST_MATRIX:
        return [table]
    return [table, confusion_table(report)]


def confusion_table(report: Report) -> Table:
    """How often each truth got each answer."""
    rows: list[tuple[Cell, ...]] = [
        (label, *(f"{n:,} ({n / max(1, sum(row)):.1%})" for n in row))
        for label, row in zip(report.labels, report.evaluation.confusion, strict=True)
    ]
    return Table(
        caption="Answers by truth, at the most probable answer; shares are of each truth.",
        columns=(Column(title="truth ↓ · answer →"), *(Column(title=label) for label in report.labels)),
        rows=tuple(rows),
    )


def curve_figures(curves: RankingCurves, *, alone: bool) -> list[Part]:
    """ROC, precision and recall, and gain of one class; of several classes the second only."""
    of = "" if alone else f": {curves.label}"
    precision = Figure(
        title=f"Precision and recall{of}",
        caption="How right the answers are when more of them are found; the dashed line is what drawing lots gets.",
        svg=precision_chart(curves),
        text=f"Precision against recall of {curves.label}, at {len(curves.precision)} thresholds.",
    )
    if not alone:
        return [precision]
    return [
        Figure(
            title="ROC curve",
            caption="Found against falsely taken; the dashed line is what drawing lots gets.",
            svg=roc_chart(curves),
            text=f"The receiver operating characteristic of {curves.label}.",
        ),
        precision,
        Figure(
            title="Gain",
            caption="If only the cases with the highest scores are looked at, how many are found.",
            svg=gain_chart(curves),
            text=f"The share of {curves.label} among the highest scores.",
        ),
    ]


def threshold_parts(report: Report, found: Thresholds | None) -> list[Part]:
    """What another threshold would cost."""
    if found is None:
        return []
    unit = "Cost" if found.priced else "Wrong answers"
    return [
        Figure(
            title=f"{unit} by threshold",
            caption=f"From which probability of {report.labels[1]} on it answers so. {threshold_words(found)}",
            svg=cost_chart(found),
            text=f"{unit} per case at each threshold. {threshold_words(found)}",
        )
    ]


def threshold_words(found: Thresholds) -> str:
    """Whether another threshold is better."""
    if found.saving is None:
        return "There are too few rows to tell whether another threshold is better."
    what = "cost per case" if found.priced else "of all cases"
    if found.better:
        return f"One chosen on other rows saves {with_bounds(found.saving)} {what}."
    saving = with_bounds(found.saving)
    return f"No other threshold is shown to be better: what one chosen on other rows saves is {saving} {what}."


def calibration_figure(report: Report, found: Measures) -> list[Part]:
    """Whether probabilities come true."""
    if len(found.consistency) < FEWEST_POINTS:
        return []
    what = report.labels[1] if len(report.labels) == 2 else "right"
    outside = sum(one.outside for one in found.consistency)
    said = (
        f"{outside} of {len(found.consistency)} points lie outside, all points counted."
        if outside
        else "No point lies outside of it, all points counted."
    )
    return [
        Figure(
            title="Whether probabilities come true",
            caption=f"The grey band is what a model with right probabilities would show by chance. {said}",
            svg=consistency_chart(found.consistency, what),
            text=f"Observed share by predicted probability of {what}. {said}",
        )
    ]


def how(evaluation: Evaluation) -> str:
    """How the intervals were made."""
    methods: dict[str, list[str]] = {}
    for name, one in evaluation.metrics.items():
        methods.setdefault(one.method, []).append(METRICS[name].title)
    parts = [f"{', '.join(names)}: {method}" for method, names in methods.items()]
    return f"How the 95 % intervals were made: {'; '.join(parts)}."
