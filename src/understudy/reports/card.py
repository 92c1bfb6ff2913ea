"""A model card: for those who would use a version, what it is for and what it is not."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.core.task import Task
from understudy.evaluation.measures import METRICS
from understudy.evaluation.report import Report
from understudy.evaluation.worklist import Worklist
from understudy.reports.chapter import Cell, Chapter, Column, Part, Table, Text
from understudy.reports.html import MARKS, environment, metric_rows, percent
from understudy.reports.markdown import chapter_text
from understudy.reports.marks import plain

NOT_STATED = "not stated"
FACTS = (Column(title="What"), Column(title="As stated or measured"))
CAVEATS = 5

STAYS_WITH_PEOPLE = (
    "Any decision outside its mandate, and any case that is unlike those it learned on: they go to people, whatever "
    "the model says."
)
FINDINGS = {"factors": ("slices",), "ethics": ("fairness", "bias"), "caveats": ("labels", "robustness", "diagnosis")}
"""The chapters of the report whose findings a section of the card takes up."""


def model_card(
    report: Report, task: Task | None = None, chapters: Sequence[Chapter] = (), worklist: Worklist | None = None
) -> tuple[Chapter, ...]:
    """The card, section by section: only what was stated or measured; `not stated` where it was not.

    Parameters
    ----------
    report : Report
    task : Task, optional
        As its file stands; says whose the decision is and what was stated of the data.
    chapters : sequence of Chapter
        Of the report; their findings are taken over.
    worklist : Worklist, optional
        Its first rows are caveats.

    References
    ----------
    Mitchell et al. (2019), Model Cards for Model Reporting, FAT*, section 4, for the headings.
    """
    leads = {chapter.anchor: chapter for chapter in chapters}
    return (
        details(report, task),
        intended(report, task),
        factors(report, task, leads),
        metrics(report),
        evaluation_data(report, task),
        training_data(report, task),
        analyses(report),
        ethics(task, leads),
        caveats(leads, worklist),
    )


def card_markdown(report: Report, card: Sequence[Chapter]) -> str:
    """A card as Markdown."""
    head = f"# Model card: {plain(report.question)}"
    return "\n\n".join([head, *(f"## {plain(part.title)}\n\n{chapter_text(part)}" for part in card)]) + "\n"


def card_html(report: Report, card: Sequence[Chapter]) -> str:
    """A card as one HTML file that needs no network and runs no script."""
    return environment().get_template("card.html.j2").render(report=report, card=card)


def facts(caption: str, rows: dict[str, Cell]) -> Table:
    """What is known, one thing in each row."""
    return Table(
        caption=caption,
        columns=FACTS,
        rows=tuple((name, NOT_STATED if value in (None, "") else value) for name, value in rows.items()),
    )


def details(report: Report, task: Task | None) -> Chapter:
    """What it is, and whose."""
    made = ", ".join(f"{name} {version}" for name, version in report.libraries.items())
    rows: dict[str, Cell] = {
        "Decision": report.question,
        "Answers": ", ".join(report.labels) or "a number",
        "Model": report.recipe,
        "Served": "compiled to ONNX" if report.served == "onnx" else f"natively ({report.reason})",
        "Version": report.version,
        "Snapshot it learned from": report.snapshot,
        "Libraries": made,
        "Owner": None if task is None else task.mandate.owner,
        "Licence of the data": None if task is None else task.data.licence,
    }
    return Chapter(anchor="details", title="Model details", lede="", parts=(facts("What it is", rows),))


def intended(report: Report, task: Task | None) -> Chapter:
    """What it may decide, and what not."""
    mandate = None if task is None else task.mandate
    rows: dict[str, Cell] = {
        "Answers that it may give by itself": None if mandate is None else ", ".join(mandate.allow) or "any",
        "Only where": None if mandate is None else " and ".join(mandate.limit) or "everywhere",
        "Never where": None if mandate is None else " or ".join(mandate.never),
        "Leave ends on": None if mandate is None else mandate.expires,
        "Most that it may do": None if task is None else task.autonomy.max_level.value,
        "Promise": f"at most {percent(report.max_error)} of its own answers wrong, with {percent(report.confidence)} "
        "confidence",
    }
    out = Text(text=f"Out of scope: {STAYS_WITH_PEOPLE}")
    return Chapter(anchor="use", title="Intended use", lede="", parts=(facts("What it may decide", rows), out))


def factors(report: Report, task: Task | None, leads: dict[str, Chapter]) -> Chapter:
    """Which groups were looked at."""
    declared = () if task is None else task.decision.groups
    rows: dict[str, Cell] = {
        "Groups declared by the owner": ", ".join(declared),
        "Inputs": ", ".join(str(column["name"]) for column in report.columns if column["used"]),
    }
    parts: tuple[Part, ...] = (facts("What was told apart", rows), *found("factors", leads))
    return Chapter(anchor="factors", title="Factors", lede="", parts=parts)


def metrics(report: Report) -> Chapter:
    """What it was measured by, and why these."""
    goal = METRICS[report.goal].title
    intervals = next(iter(report.evaluation.metrics.values())).method
    lede = f"The goal is {goal}, named in the task; all figures have 95 % intervals ({intervals})."
    return Chapter(anchor="metrics", title="Metrics", lede=lede)


def evaluation_data(report: Report, task: Task | None) -> Chapter:
    """On what it was judged."""
    rows: dict[str, Cell] = {
        "Source": report.source if task is None or task.data.source is None else task.data.source,
        "Rows": report.rows.get("test"),
        "Parted by": report.scheme,
        "Compared with": report.evaluation.baseline.name,
    }
    return Chapter(anchor="judged", title="Evaluation data", lede="", parts=(facts("On what it was judged", rows),))


def training_data(report: Report, task: Task | None) -> Chapter:
    """What it learned from."""
    rows: dict[str, Cell] = {
        "Source": report.source if task is None or task.data.source is None else task.data.source,
        "Rows learned from": report.rows.get("train"),
        "Rows chosen and calibrated on": report.rows.get("validation"),
        "Rows without an answer, left out": report.without_answer,
        "Rows that break the contract, left out": report.quarantined,
        "Columns used": sum(bool(column["used"]) for column in report.columns),
        "Target": report.target,
    }
    return Chapter(anchor="learned", title="Training data", lede="", parts=(facts("What it learned from", rows),))


def analyses(report: Report) -> Chapter:
    """The figures, and the checks."""
    columns = (
        Column(title="Metric"),
        Column(title="This version", form="number"),
        Column(title=report.evaluation.baseline.name, form="number"),
    )
    rows = tuple((row["title"], row["model"], row["baseline"]) for row in metric_rows(report))
    checks = tuple((check.code, check.name, f"{MARKS[check.verdict]} {check.verdict}") for check in report.checks)
    heads = (Column(title="Code", form="code"), Column(title="Check"), Column(title="Verdict"))
    parts = (
        Table(caption="On rows that it never saw, with 95 % intervals", columns=columns, rows=rows),
        Table(caption="Go-live checks", columns=heads, rows=checks),
    )
    return Chapter(anchor="analyses", title="Quantitative analyses", lede="", parts=parts)


def ethics(task: Task | None, leads: dict[str, Chapter]) -> Chapter:
    """Whom it is about, and what was found of fairness."""
    declared = () if task is None else task.decision.groups
    rows: dict[str, Cell] = {
        "Whom a case is about": None if task is None else task.decision.subject,
        "Fairness": "see below" if "fairness" in leads else "not measured" if declared else "no groups declared",
        "Who answers what it may not": "people, who see every case outside its mandate and a random share of the rest",
        "How long cases are kept": None if task is None else task.decision.keep,
    }
    parts: tuple[Part, ...] = (facts("Whom it concerns", rows), *found("ethics", leads))
    return Chapter(anchor="ethics", title="Ethical considerations", lede="", parts=parts)


def caveats(leads: dict[str, Chapter], worklist: Worklist | None) -> Chapter:
    """What is known to be wrong with it."""
    todo = [] if worklist is None else [item for item in worklist.items if item.state != "done"][:CAVEATS]
    known: list[Part] = list(found("caveats", leads))
    if todo:
        rows = tuple((item.action.what, item.action.why) for item in todo)
        columns = (Column(title="Recommended"), Column(title="Because"))
        known.append(Table(caption="What its makers would do next", columns=columns, rows=rows))
    stable = Text(text="The figures hold for cases like those it was judged on; the world may change.")
    return Chapter(anchor="caveats", title="Caveats and recommendations", lede="", parts=(stable, *known))


def found(section: str, leads: dict[str, Chapter]) -> tuple[Text, ...]:
    """The findings of the report that a section takes up."""
    return tuple(
        Text(text=f"{leads[anchor].title}: {leads[anchor].lede}")
        for anchor in FINDINGS[section]
        if anchor in leads and leads[anchor].lede
    )
