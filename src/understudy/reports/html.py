"""A version's report as one HTML file that needs no network and runs no script."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from understudy.evaluation.measures import METRICS
from understudy.evaluation.report import Report
from understudy.evaluation.words import bounds, estimate
from understudy.reports import charts

WORST_CONFUSIONS = 12
LARGEST_MATRIX = 6
BEST_TRIALS = 10
MARKS = {"pass": "✓", "warn": "!", "fail": "✕"}


def render(report: Report) -> str:
    """The report as HTML, about 200 KB whatever the size of the data; no row of the data is in it.

    Parameters
    ----------
    report : Report
    """
    page = environment().get_template("report.html.j2")
    two = report.kind == "regression" or len(report.labels) == 2
    return page.render(
        report=report,
        evaluation=report.evaluation,
        metrics=metric_rows(report),
        checks=[(check, MARKS[check.verdict]) for check in report.checks],
        passed=all(check.verdict != "fail" for check in report.checks),
        best_coverage=best_coverage(report),
        coverage=Markup(charts.coverage_chart(report)),  # noqa: S704  our own drawing, its texts are escaped
        reliability=Markup(charts.reliability_chart(report)),  # noqa: S704
        scores=Markup(charts.score_chart(report)) if two else None,  # noqa: S704
        residuals=Markup(charts.residual_chart(report)) if report.evaluation.residuals else None,  # noqa: S704
        matrix=len(report.labels) <= LARGEST_MATRIX,
        goal=goal_row(report),
        confusion=confusion_rows(report),
        leaderboard=leaderboard_rows(report),
    )


def environment() -> Environment:
    """Templates of this package, with every value escaped."""
    made = Environment(loader=PackageLoader("understudy.reports"), autoescape=True, undefined=StrictUndefined)
    made.filters |= {"figure": figure, "bounds": bounds, "estimate": estimate, "whole": whole, "percent": percent}
    return made


def figure(value: float) -> str:
    """A number with four significant digits.

    >>> figure(0.92345), figure(46123.7)
    ('0.9234', '46,124')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def whole(value: int) -> str:
    """A count with its thousands parted.

    >>> whole(32735)
    '32,735'
    """
    return f"{value:,}"


def percent(value: float) -> str:
    """A share in per cent.

    >>> percent(0.4137)
    '41.4 %'
    """
    return f"{value * 100:.1f} %"


def metric_rows(report: Report) -> list[dict[str, Any]]:
    """The metrics, the goal first, each beside the baseline's."""
    evaluation = report.evaluation
    names = sorted(evaluation.metrics, key=lambda name: name != report.goal)
    return [
        {
            "title": METRICS[name].title,
            "goal": name == report.goal,
            "better": "higher" if METRICS[name].greater_is_better else "lower",
            "model": evaluation.metrics[name],
            "baseline": evaluation.baseline.metrics.get(name),
        }
        for name in names
    ]


def leaderboard_rows(report: Report) -> list[dict[str, Any]]:
    """The best trials, and all that share the answer, the best first."""
    complete = (trial for trial in report.leaderboard if trial["state"] == "complete")
    ranked = sorted(complete, key=lambda trial: trial["score"])
    return [trial for rank, trial in enumerate(ranked) if rank < BEST_TRIALS or trial.get("weight")]


def goal_row(report: Report) -> dict[str, Any]:
    """The metric that the version and the baseline are compared by, with both."""
    baseline = report.evaluation.baseline
    return {
        "title": METRICS[baseline.metric].title,
        "model": report.evaluation.metrics[baseline.metric],
        "baseline": baseline.metrics[baseline.metric],
    }


def best_coverage(report: Report) -> dict[str, float] | None:
    """The largest share of cases at which the error's upper bound keeps the limit, or None where there is no such."""
    able = [point for point in report.evaluation.coverage if point.upper <= report.max_error]
    return {"coverage": able[-1].coverage, "upper": able[-1].upper} if able else None


def confusion_rows(report: Report) -> list[dict[str, Any]]:
    """For each truth what was answered; of many classes only the most frequent mistakes."""
    cells = report.evaluation.confusion
    pairs: list[dict[str, Any]] = [
        {"truth": report.labels[i], "answer": report.labels[j], "n": n, "share": n / max(1, sum(row)), "right": i == j}
        for i, row in enumerate(cells)
        for j, n in enumerate(row)
    ]
    if len(report.labels) <= LARGEST_MATRIX:
        return pairs
    wrong = sorted((pair for pair in pairs if not pair["right"] and pair["n"]), key=lambda pair: -pair["n"])
    return wrong[:WORST_CONFUSIONS]
