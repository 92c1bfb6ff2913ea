"""All chapters of a report, from what was found out."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.evaluation.report import Report
from understudy.reports.chapter import Chapter, Text
from understudy.reports.chapters.bias import bias_chapter
from understudy.reports.chapters.checks import checks_chapter
from understudy.reports.chapters.diagnosis import diagnosis_chapter
from understudy.reports.chapters.explanations import explanations_chapter
from understudy.reports.chapters.fairness import fairness_chapter
from understudy.reports.chapters.labels import labels_chapter
from understudy.reports.chapters.measures import measures_chapter
from understudy.reports.chapters.robustness import robustness_chapter
from understudy.reports.chapters.slices import slices_chapter
from understudy.reports.chapters.stages import stages_chapter
from understudy.reports.charts import unchecked

TITLES = {
    "slices": "Where it is wrong",
    "bias": "Where predictions are off",
    "labels": "Whether the labels are right",
    "diagnosis": "What holds it back",
    "stages": "Which stage the errors come from",
    "explanations": "What it rests on",
    "fairness": "For whom",
    "robustness": "When inputs are not clean",
}
"""What a chapter is called that could not be written."""


def chapters_of(report: Report) -> tuple[Chapter, ...]:
    """Every chapter that there is anything to say in, and for those that could not be written the reason."""
    with unchecked():
        written = tuple(written_chapters(report))
    there = {chapter.anchor for chapter in written}
    left = {} if report.findings is None else report.findings.left_out
    missing = (
        Chapter(anchor=anchor, title=TITLES[anchor], lede="This could not be looked at.", parts=(Text(text=why),))
        for anchor, why in left.items()
        if anchor not in there
    )
    return (*written, *missing)


def written_chapters(report: Report) -> Iterator[Chapter]:
    """The chapters in the order in which they were found out."""
    yield checks_chapter(report.checks)
    yield measures_chapter(report)
    found = report.findings
    if found is None:
        return
    if found.slices is not None:
        yield slices_chapter(found.slices, learned=found.learned)
    if found.bias is not None:
        yield bias_chapter(found.bias)
    labels = labels_chapter(found.errors, found.numbers, found.conflicts, found.human)
    if labels is not None:
        yield labels
    if found.diagnosis is not None:
        yield diagnosis_chapter(found.diagnosis)
    if found.stages is not None:
        yield stages_chapter(found.stages)
    if found.explanations is not None:
        yield explanations_chapter(found.explanations)
    if found.fairness is not None:
        yield fairness_chapter(found.fairness)
    if found.robustness is not None:
        yield robustness_chapter(found.robustness, found.stability)
