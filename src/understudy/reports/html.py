"""A version's report as one HTML file that needs no network and runs no script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from understudy.evaluation.measures import METRICS
from understudy.evaluation.report import Report
from understudy.evaluation.words import bounds, estimate
from understudy.evaluation.worklist import Item, Worklist, wins_words
from understudy.reports import charts
from understudy.reports.cells import grouped, is_number, shown, shown_bounds
from understudy.reports.chapter import Chapter
from understudy.reports.tooltips import with_tooltips

WORST_CONFUSIONS = 12
LARGEST_MATRIX = 6
BEST_TRIALS = 10
MARKS = {"pass": "✓", "warn": "!", "fail": "✕"}
WORST = {"pass": 0, "warn": 1, "fail": 2}

EVIDENCE = (
    "checks",
    "measures",
    "bias",
    "slices",
    "labels",
    "diagnosis",
    "stages",
    "explanations",
    "fairness",
    "robustness",
)
"""The chapters on how good it is and where it is wrong, in the order of the report; others follow them."""

ALWAYS = {
    "checks": "Go-live checks",
    "measures": "How good it is",
    "coverage": "How much it could decide",
    "tried": "What was tried",
    "data": "The data",
    "origin": "Where it comes from",
}
"""What stands in every report; a chapter of the same anchor takes its place."""

TAKEN = {"verdict", "worklist", "contents"}
ANCHOR = re.compile(r"[a-z][a-z-]*")


def render(report: Report, chapters: Sequence[Chapter] = (), worklist: Worklist | None = None) -> str:
    """The report as HTML; no row of the data is in it.

    It opens with the verdict and what to do next. Of chapters and pictures alone a page has a size that does not depend
    on the size of the data; about 200 KB without any.

    Parameters
    ----------
    report : Report
    chapters : sequence of Chapter
        They stand in the order of `EVIDENCE`; one with the anchor of a section that is always there takes its place.
    worklist : Worklist, optional

    Raises
    ------
    ValueError
        Two chapters have the same anchor, or one is not made of lower-case letters and `-`.
    """
    page = environment().get_template("report.html.j2")
    two = report.kind == "regression" or len(report.labels) == 2
    sections = arranged(report, chapters)
    return page.render(
        report=report,
        evaluation=report.evaluation,
        sections=sections,
        anchors={anchor: title for anchor, title, _ in sections},
        worklist=worklist,
        metrics=metric_rows(report),
        checks=[(check, MARKS[check.verdict]) for check in sorted(report.checks, key=lambda one: -WORST[one.verdict])],
        passed=not any(check.blocks for check in report.checks),
        best_coverage=best_coverage(report),
        coverage=picture(charts.coverage_chart(report)),
        reliability=picture(charts.reliability_chart(report)),
        scores=picture(charts.score_chart(report)) if two else None,
        residuals=picture(charts.residual_chart(report)) if report.evaluation.residuals else None,
        matrix=len(report.labels) <= LARGEST_MATRIX,
        goal=goal_row(report),
        confusion=confusion_rows(report),
        leaderboard=leaderboard_rows(report),
    )


def arranged(report: Report, chapters: Sequence[Chapter]) -> list[tuple[str, str, Chapter | None]]:
    """The sections in the order of the report: anchor, title, and the chapter that fills it, if one does."""
    given: dict[str, Chapter] = {}
    for chapter in chapters:
        if not ANCHOR.fullmatch(chapter.anchor) or chapter.anchor in TAKEN:
            raise ValueError(
                f"A chapter's anchor must be lower-case letters and '-', and free; got {chapter.anchor!r}."
            )
        if chapter.anchor in given:
            raise ValueError(f"Two chapters have the anchor {chapter.anchor!r}.")
        given[chapter.anchor] = chapter
    always = {anchor: title for anchor, title in ALWAYS.items() if anchor != "tried" or leaderboard_rows(report)}
    others = [anchor for anchor in given if anchor not in EVIDENCE and anchor not in ALWAYS]
    closing = [anchor for anchor in ALWAYS if anchor not in EVIDENCE]
    order = [anchor for anchor in (*EVIDENCE, *others, *closing) if anchor in given or anchor in always]
    return [(anchor, given[anchor].title if anchor in given else always[anchor], given.get(anchor)) for anchor in order]


def picture(svg: str) -> Markup:
    """A drawing of ours, whose texts are escaped."""
    return Markup(with_tooltips(svg))  # noqa: S704


def environment() -> Environment:
    """Templates of this package, with every value escaped."""
    made = Environment(loader=PackageLoader("understudy.reports"), autoescape=True, undefined=StrictUndefined)
    made.filters |= {"figure": figure, "bounds": bounds, "estimate": estimate, "whole": whole, "percent": percent}
    made.filters |= {"picture": picture, "shown": shown, "shown_bounds": shown_bounds, "is_number": is_number}
    made.filters |= {"grouped": grouped, "wins": wins_words, "reach": reach}
    return made


def reach(item: Item, worklist: Worklist) -> dict[str, float]:
    """Where a row's gain and its bounds lie on a scale that all rows share, in per cent of its width."""
    found = [each.wins for each in worklist.items if each.wins is not None]
    wins = item.wins
    if wins is None:
        return {}
    top = max((max(each.estimate, min(each.upper, 2 * each.estimate)) for each in found), default=0.0)
    if top <= 0:
        return {}
    at = {name: min(100.0, max(0.0, 100 * getattr(wins, name) / top)) for name in ("estimate", "lower", "upper")}
    return {name: round(value, 1) for name, value in at.items()}


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
