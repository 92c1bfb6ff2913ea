"""A version's report as it was registered, in each of its forms, with what its owner has said of the worklist since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec

from understudy.core.errors import DataError
from understudy.core.task import Task
from understudy.flows.models import beside, read_report, snapshot_purged
from understudy.flows.next import kept_worklist, noted
from understudy.flows.workspace import Workspace, open_workspace
from understudy.reports.card import card_html, card_markdown, model_card
from understudy.reports.chapter import Chapter
from understudy.reports.notebook import Report
from understudy.store.registry import find_version
from understudy.store.tasks import task_number

Format = Literal["html", "json", "markdown", "card"]

SUFFIXES: dict[Format, str] = {"html": ".html", "json": ".json", "markdown": ".md", "card": ".md"}
CHAPTERS = "chapters.json"

SNAPSHOT, PURGED = "<dt>Snapshot</dt><dd>", "<dt>Snapshot</dt><dd><strong>snapshot purged</strong> "
"""How the page names the snapshot, and how it does once that was erased."""


def load_report(task: str, *, version: str = "latest", workspace: str | Path = ".") -> Report:
    """Load a version's report from a workspace, to be shown in a notebook and looked at part by part.

    Parameters
    ----------
    task : str
        The task's name.
    version : str
        A digest, the beginning of it, `latest` or `champion`.
    workspace : path
        The workspace's directory.

    Raises
    ------
    NotFoundError
        There is no such task or version.
    TaskFileError
        The task file has faults.

    Examples
    --------
    >>> import understudy
    >>> report = understudy.load_report("flights")  # doctest: +SKIP
    >>> report.frame("worklist")["what"][0]  # doctest: +SKIP
    'Collect 2,000 more cases of long flights'
    """
    work = open_workspace(workspace)
    return replace(kept_report(work, task, version), task=task_as_stated(work, task))


def kept_report(work: Workspace, task: str, version: str) -> Report:
    """What was registered with a version, with the worklist as it stands."""
    with work.store.reading() as connection:
        number = task_number(connection, task)
        record = find_version(connection, number, version)
        worklist = kept_worklist(work, record)
        if worklist is not None:
            worklist, _ = noted(connection, number, record, worklist)
    kept = work.artifacts.get(record.beside[CHAPTERS]) if CHAPTERS in record.beside else b"[]"
    return Report(
        figures=read_report(task, version=record.version, workspace=work.root),
        chapters=msgspec.json.decode(kept, type=tuple[Chapter, ...]),
        worklist=worklist,
    )


def task_as_stated(work: Workspace, task: str) -> Task | None:
    """The task as its file stands, where there is one; only the model card needs it."""
    return work.read_task(task) if work.task_file(task).is_file() else None


def report_text(
    task: str, form: Format = "html", *, version: str = "latest", workspace: str | Path = ".", page: bool = False
) -> str:
    """A version's report in one of its forms.

    Parameters
    ----------
    task : str
    form : {"html", "json", "markdown", "card"}
    version : str
    workspace : path
    page : bool
        The model card as HTML rather than as Markdown.
    """
    makers: dict[Format, Callable[[], str]] = {
        "html": lambda: html_text(task, version, workspace),
        "json": lambda: msgspec.json.format(
            msgspec.json.encode(report_values(task, version=version, workspace=workspace)), indent=2
        ).decode(),
        "markdown": lambda: kept_report(open_workspace(workspace), task, version).markdown(),
        "card": lambda: card_text(load_report(task, version=version, workspace=workspace), page=page),
    }
    return makers[form]()


def card_text(report: Report, *, page: bool) -> str:
    """The model card, as HTML or as Markdown."""
    card = model_card(report.figures, report.task, report.chapters, report.worklist)
    return (card_html if page else card_markdown)(report.figures, card)


def html_text(task: str, version: str, workspace: str | Path) -> str:
    """The page: as it was registered, or with the worklist as it stands."""
    work = open_workspace(workspace)
    report = kept_report(work, task, version)
    text = beside(work, task, version, "report.html").decode() if report.worklist is None else report.html()
    purged = snapshot_purged(task, version=version, workspace=workspace)
    return text.replace(SNAPSHOT, PURGED, 1) if purged else text


def report_values(task: str, *, version: str = "latest", workspace: str | Path = ".") -> dict[str, object]:
    """A version's report as plain values: every figure, the worklist as it stands, whether its snapshot was erased."""
    report = kept_report(open_workspace(workspace), task, version)
    values: dict[str, object] = msgspec.to_builtins(report.figures)
    values["worklist"] = msgspec.to_builtins(report.worklist)
    values["snapshot_purged"] = snapshot_purged(task, version=version, workspace=workspace)
    return values


def write_report(
    task: str, out: Path, *, form: Format = "html", version: str = "latest", workspace: str | Path = "."
) -> Path:
    """Write a version's report to a file, and return its place; a model card to an .html file becomes a page.

    Raises
    ------
    DataError
        There is no such directory.
    """
    if not out.parent.is_dir():
        raise DataError(f"There is no directory {out.parent} to write {out.name} to.")
    page = out.suffix == ".html"
    out.write_text(report_text(task, form, version=version, workspace=workspace, page=page), encoding="utf-8")
    return out
