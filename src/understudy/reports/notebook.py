"""A version's report in a notebook: the page itself, its tables as data frames, its pictures one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape, unescape
from typing import TypeVar

import msgspec
import polars as pl

from understudy.core.errors import NotFoundError
from understudy.core.evidence import Evidence
from understudy.core.task import Task
from understudy.evaluation.report import Report as Figures
from understudy.evaluation.worklist import Worklist
from understudy.reports import charts
from understudy.reports.card import card_markdown, model_card
from understudy.reports.chapter import Cell, Chapter, Figure, Part, Table
from understudy.reports.html import metric_rows, render
from understudy.reports.markdown import as_markdown
from understudy.reports.tooltips import with_tooltips

Made = TypeVar("Made")

LIGHT = {
    "var(--model)": "#1f6f8b",
    "var(--other)": "#b7791f",
    "var(--limit)": "#a8324a",
    "var(--line)": "#d9d6cd",
    "currentColor": "#1f2430",
}
"""The colours of the page in light, for a picture that stands by itself."""

COLOURS = re.compile("|".join(re.escape(name) for name in LIGHT))

FRAME = (
    '<iframe sandbox="" title="{title}" srcdoc="{page}" '
    'style="width: 100%; height: 80vh; min-height: 480px; border: 1px solid #8886; border-radius: 6px"></iframe>'
)


@dataclass(frozen=True)
class Picture:
    """One picture of a report, which notebooks show.

    Attributes
    ----------
    title, text : str
        What it is, and what it shows in words.
    svg : str
        With colours of its own, so that it can be saved and opened anywhere.
    """

    title: str
    text: str
    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="background: #fff; padding: 12px; max-width: 720px">{self.svg}</div>'

    def __repr__(self) -> str:
        return f"<Picture {self.title!r}: {self.text}>"


@dataclass(frozen=True)
class Report:
    """A version's report: shown whole by a notebook, and part by part through `frame` and `plot`.

    Attributes
    ----------
    figures : Figures
        Every figure, as a value; see `understudy.evaluation.report`.
    chapters : tuple of Chapter
    worklist : Worklist, optional
        What to do next; None for a version that was registered before worklists were kept.
    task : Task, optional
        As its file stands.
    """

    figures: Figures
    chapters: tuple[Chapter, ...] = ()
    worklist: Worklist | None = None
    task: Task | None = None

    @property
    def frames(self) -> tuple[str, ...]:
        """The names that `frame` knows."""
        return tuple(frames_of(self))

    @property
    def plots(self) -> tuple[str, ...]:
        """The names that `plot` knows."""
        return tuple(plots_of(self))

    def frame(self, name: str = "metrics") -> pl.DataFrame:
        """A table of the report.

        Parameters
        ----------
        name : str
            `metrics`, `worklist`, `checks`, `coverage`, `reliability`, `leaderboard`, `columns`, or a chapter's table:
            its anchor, with `/2` and so on for further ones.

        Returns
        -------
        DataFrame
            A statement with bounds fills the columns `NAME`, `NAME_lower` and `NAME_upper`.

        Raises
        ------
        NotFoundError
            It has no such table.
        """
        return pick(frames_of(self), name, "table")

    def plot(self, name: str = "coverage") -> Picture:
        """A picture of the report.

        Parameters
        ----------
        name : str
            `coverage`, `reliability`, `scores`, `residuals`, or a chapter's picture: its anchor, with `/2` and so on
            for further ones.

        Raises
        ------
        NotFoundError
            It has no such picture.
        """
        return pick(plots_of(self), name, "picture")

    def html(self) -> str:
        """The page as one HTML file."""
        return render(self.figures, self.chapters, self.worklist)

    def markdown(self) -> str:
        """The report as Markdown."""
        return as_markdown(self.figures, self.chapters, self.worklist)

    def card(self) -> str:
        """The model card as Markdown."""
        return card_markdown(self.figures, model_card(self.figures, self.task, self.chapters, self.worklist))

    def _repr_html_(self) -> str:
        return FRAME.format(title=escape(f"Report of {self.figures.task}"), page=escape(self.html()))

    def __repr__(self) -> str:
        return f"<Report of {self.figures.task}, version {self.figures.version[:12]}>"


def frames_of(report: Report) -> dict[str, Callable[[], pl.DataFrame]]:
    """What makes each table, by name."""
    figures = report.figures
    made: dict[str, Callable[[], pl.DataFrame]] = {"metrics": partial(metrics_frame, figures)}
    if report.worklist is not None:
        made["worklist"] = partial(worklist_frame, report.worklist)
    listed: dict[str, Sequence[object]] = {
        "checks": figures.checks,
        "coverage": figures.evaluation.coverage,
        "reliability": figures.evaluation.reliability,
        "leaderboard": figures.leaderboard,
        "columns": figures.columns,
    }
    made |= {name: partial(plain_frame, rows) for name, rows in listed.items() if rows}
    tables = {name: partial(table_frame, part) for name, part in parts(report) if isinstance(part, Table)}
    return made | {name: make for name, make in tables.items() if name not in made}


def plots_of(report: Report) -> dict[str, Callable[[], Picture]]:
    """What makes each picture, by name."""
    figures = report.figures
    drawings = {"coverage": charts.coverage_chart, "reliability": charts.reliability_chart}
    if figures.kind == "regression" or len(figures.labels) == 2:
        drawings["scores"] = charts.score_chart
    if figures.evaluation.residuals:
        drawings["residuals"] = charts.residual_chart
    made: dict[str, Callable[[], Picture]] = {
        name: partial(drawn_picture, name, draw, figures) for name, draw in drawings.items()
    }
    return made | {name: partial(chapter_picture, part) for name, part in parts(report) if isinstance(part, Figure)}


def parts(report: Report) -> list[tuple[str, Part]]:
    """The tables and pictures of the chapters with their names: an anchor, `anchor/2` and so on, kind by kind."""
    named: list[tuple[str, Part]] = []
    for chapter in report.chapters:
        for kind in (Table, Figure):
            same = [part for part in chapter.parts if isinstance(part, kind)]
            named += [(f"{chapter.anchor}/{at}" if at > 1 else chapter.anchor, one) for at, one in enumerate(same, 1)]
    return named


def pick(known: dict[str, Callable[[], Made]], name: str, what: str) -> Made:
    """What a name stands for."""
    if name not in known:
        raise NotFoundError(f"The report has no {what} {name!r}.", hint=f"It has: {', '.join(known)}.")
    return known[name]()


def spread(name: str, cell: Cell) -> dict[str, object]:
    """A cell as the columns that it fills."""
    if not isinstance(cell, Evidence):
        return {name: cell}
    return {name: cell.estimate, f"{name}_lower": cell.lower, f"{name}_upper": cell.upper}


def framed(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Rows as a frame; a column that some rows lack is null there."""
    names = dict.fromkeys(name for row in rows for name in row)
    mixed = {name: [row.get(name) for row in rows] for name in names}
    return pl.DataFrame([pl.Series(name, column, strict=False) for name, column in mixed.items()])


def metrics_frame(figures: Figures) -> pl.DataFrame:
    """The metrics beside the baseline's, the goal first."""
    return framed(
        [
            {"metric": row["title"], "goal": row["goal"], "better": row["better"]}
            | spread("estimate", row["model"])
            | spread("baseline", row["baseline"])
            for row in metric_rows(figures)
        ]
    )


def worklist_frame(worklist: Worklist) -> pl.DataFrame:
    """What to do next; gains are wrong decisions per 1,000 cases."""
    return framed(
        [
            {"rank": item.rank, "kind": item.action.kind, "subject": item.action.subject, "what": item.action.what}
            | spread("wins", item.wins)
            | {
                "why": item.action.why,
                "share": item.action.share,
                "gap": item.action.gap,
                "hours": item.hours,
                "tags": list(item.tags),
                "blocking": item.action.blocking,
                "state": item.state,
                "chapter": item.action.chapter,
                "score": item.score,
            }
            for item in worklist.items
        ]
    )


def plain_frame(rows: Sequence[object]) -> pl.DataFrame:
    """Values as a frame; what holds further values is written as JSON."""
    plain = [msgspec.to_builtins(row) for row in rows]
    return framed(
        [
            {
                name: msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
                for name, value in row.items()
            }
            for row in plain
        ]
    )


def table_frame(table: Table) -> pl.DataFrame:
    """A chapter's table, with figures as they were reckoned."""
    return framed(
        [
            {
                name: value
                for column, cell in zip(table.columns, row, strict=True)
                for name, value in spread(column.title, cell).items()
            }
            for row in table.rows
        ]
    )


def drawn_picture(name: str, draw: Callable[[Figures], str], figures: Figures) -> Picture:
    """A picture of the page that always stands there."""
    svg = draw(figures)
    said = re.search(r'aria-label="([^"]*)"', svg)
    return Picture(title=name, text=unescape(said[1]) if said else name, svg=alone(svg))


def chapter_picture(part: Figure) -> Picture:
    """A picture of a chapter."""
    return Picture(title=part.title, text=part.text, svg=alone(part.svg))


def alone(svg: str) -> str:
    """A drawing with colours of its own.

    >>> alone('<svg role="img"><path fill="var(--model)"/></svg>')
    '<svg role="img"><path fill="#1f6f8b"/></svg>'
    """
    return COLOURS.sub(lambda found: LIGHT[found[0]], with_tooltips(svg))
