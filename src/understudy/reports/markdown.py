"""A version's report as Markdown, such as a pull request shows."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.evaluation.report import Report
from understudy.evaluation.words import with_bounds
from understudy.evaluation.worklist import Item, Worklist, wins_words
from understudy.reports.cells import NONE, is_number, shown, shown_bounds
from understudy.reports.chapter import Cell, Chapter, Column, Part, Table, Text
from understudy.reports.html import MARKS, arranged, best_coverage, goal_row, metric_rows, percent
from understudy.reports.marks import code, plain, table

MOST_ROWS = 20
"""A comment is read from its top; the page has the rest."""


def as_markdown(report: Report, chapters: Sequence[Chapter] = (), worklist: Worklist | None = None) -> str:
    """The report as Markdown: verdict, what to do next, then the chapters, folded, with pictures told in words.

    Texts from the data are taken at their face: none of them becomes a link, a tag or a mention.

    Parameters
    ----------
    report : Report
    chapters : sequence of Chapter
        In the order of the page; see `understudy.reports.html.render`.
    worklist : Worklist, optional
    """
    blocks = [f"# {plain(report.question)}", said_first(report)]
    if worklist is not None:
        blocks += ["## What to do next", worklist_text(worklist)]
    always = {"checks": checks_table, "measures": measures_table}
    for anchor, title, chapter in arranged(report, chapters):
        if chapter is not None:
            blocks.append(folded(title, chapter_text(chapter)))
        elif anchor in always:
            blocks += [f"## {title}", always[anchor](report)]
    blocks.append(where_from(report))
    return "\n\n".join(blocks) + "\n"


def said_first(report: Report) -> str:
    """The verdict, and what it rests on."""
    failed = sum(check.verdict == "fail" for check in report.checks)
    may = not any(check.blocks for check in report.checks)
    verdict = "✓ It may watch." if may else "✕ It may not watch yet."
    goal = goal_row(report)
    today = f"{plain(report.evaluation.baseline.name)} {with_bounds(goal['baseline'])}"
    return (
        f"**{verdict}** {len(report.checks) - failed} of {len(report.checks)} checks did not fail. "
        f"{plain(goal['title'])} {with_bounds(goal['model'])}, of {today}.\n\n{limit_text(report)}"
    )


def limit_text(report: Report) -> str:
    """How often it would be wrong, and for how many cases within the limit."""
    best, last, limit = best_coverage(report), report.evaluation.coverage[-1], percent(report.max_error)
    wrong = "wrong by more than the tolerance" if report.kind == "regression" else "wrong"
    every = f"{percent(last.error)} ({percent(last.lower)} to {percent(last.upper)})"
    kept = (
        f"The surest {percent(best['coverage'])} keep the limit of {limit}, looking back."
        if best
        else f"No share of cases keeps the limit of {limit}."
    )
    return f"Answering every case, {every} would be {wrong}. {kept}"


def worklist_text(worklist: Worklist) -> str:
    """What to do next, as a table."""
    heads = ["#", "What to do, and why", "Wins per 1,000 cases", "Of all cases", "Behind people", "Effort"]
    rows = [worklist_row(item) for item in worklist.items]
    said = plain(worklist.headline)
    if not rows:
        return f"{said} Nothing was found that would be worth doing."
    more = f"\n\n{len(worklist.others)} more are not shown." if worklist.others else ""
    return f"{said}\n\n{table(heads, rows, [True, False, True, True, True, False])}{more}"


def worklist_row(item: Item) -> list[str]:
    """One row of the worklist."""
    action, (wins, about) = item.action, wins_words(item)
    marks = ["**✕ blocks**"] * action.blocking
    marks += {"done": ["✓ done"], "again": ["! was set done, shows again"], "open": []}[item.state]
    marks += [code(tag) for tag in item.tags]
    what = f"**{plain(action.what)}**{''.join(f' · {mark}' for mark in marks)}<br>{plain(action.why)}"
    if action.mandate:
        what += f"<br>To hand these to people: {code(f'never = [{toml_text(action.mandate)}]')}"
    shares = [percent(value) if value is not None else NONE for value in (action.share, action.gap)]
    return [str(item.rank), what, f"{wins} ({about})" if wins else "not known", *shares, plain(item.effort)]


def toml_text(text: str) -> str:
    """A text in TOML, in the quotes that it does not hold."""
    return f"'{text}'" if '"' in text and "'" not in text else '"' + text.replace('"', '\\"') + '"'


def checks_table(report: Report) -> str:
    """The go-live checks."""
    rows = [
        [f"{code(check.code)} {plain(check.name)}", f"{MARKS[check.verdict]} {check.verdict}", plain(check.detail)]
        for check in report.checks
    ]
    return table(["Check", "Verdict", "What was found"], rows, [False, False, False])


def measures_table(report: Report) -> str:
    """The metrics beside the baseline's."""
    rows = [
        [
            f"**{plain(row['title'])}** (the goal)" if row["goal"] else plain(row["title"]),
            with_bounds(row["model"]),
            with_bounds(row["baseline"]) if row["baseline"] else NONE,
        ]
        for row in metric_rows(report)
    ]
    return table(["Metric", "This version", plain(report.evaluation.baseline.name)], rows, [False, True, True])


def where_from(report: Report) -> str:
    """What was judged, on what."""
    rows = ", ".join(f"{name} {count:,}" for name, count in report.rows.items())
    return (
        f"Task {code(report.task)}, version {code(report.version[:12])}, {plain(report.recipe)}; "
        f"{plain(report.source)}, rows: {rows}; snapshot {code(report.snapshot[:12])}; seed {report.seed}."
    )


def folded(title: str, text: str) -> str:
    """A chapter that opens when it is asked for; its title is no heading, since it stands in a summary."""
    return f"<details><summary><b>{plain_html(title)}</b></summary>\n\n{text}\n\n</details>"


def plain_html(text: str) -> str:
    """Text within a tag."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def chapter_text(chapter: Chapter) -> str:
    """A chapter: its finding, then its parts."""
    blocks = [f"**{plain(chapter.lede)}**"] if chapter.lede else []
    return "\n\n".join([*blocks, *(part_text(part) for part in chapter.parts)])


def part_text(part: Part) -> str:
    """A paragraph, a table, or what a picture shows."""
    if isinstance(part, Text):
        return plain(part.text)
    if isinstance(part, Table):
        return table_text(part)
    return f"*{plain(part.title)}.* {plain(part.text)}"


def table_text(found: Table) -> str:
    """A table with its caption; of a long one the first rows."""
    rows = [
        [cell_text(cell, column) for cell, column in zip(row, found.columns, strict=True)]
        for row in found.rows[:MOST_ROWS]
    ]
    more = len(found.rows) - MOST_ROWS
    left = f"\n\n{more:,} more rows stand in the page." if more > 0 else ""
    heads = [plain(column.title) for column in found.columns]
    return f"{plain(found.caption)}\n\n{table(heads, rows, [is_number(column) for column in found.columns])}{left}"


def cell_text(cell: Cell, column: Column) -> str:
    """A cell in its column's form, with its bounds."""
    text, about = shown(cell, column.form), shown_bounds(cell, column.form)
    if column.form == "code" and cell is not None:
        return code(text)
    return plain(f"{text} ({about})") if about else plain(text)
