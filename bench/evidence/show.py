"""Tables as Markdown, pictures as SVG and PNG, and both put into a page between its markers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

COLOURS = ("#8a8f98", "#1f77b4", "#0b7a75", "#c1440e", "#7b4bb7")


@dataclass(frozen=True)
class Part:
    """What one part of the bench came to.

    Attributes
    ----------
    name : str
    tables : dict of str
        Markdown, by the marker that it belongs to.
    chart : altair chart, optional
    """

    name: str
    tables: dict[str, str]
    chart: Any = None


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    lines = [f"| {' | '.join(head)} |", f"| --- | {' | '.join('---:' for _ in head[1:])} |"]
    lines += [f"| {' | '.join(str(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def write(part: Part, folder: Path, page: Path | None) -> None:
    """Write tables and picture into a folder, and, if a page is named, into it and beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(f"<!-- {name} -->\n{one}" for name, one in part.tables.items())
    (folder / f"{part.name}.md").write_text(text + "\n", encoding="utf-8")
    if part.chart is not None:
        spec = styled(part.chart).to_dict()
        svg = vl_convert.vegalite_to_svg(spec)
        (folder / f"{part.name}.svg").write_text(svg, encoding="utf-8")
        (folder / f"{part.name}.png").write_bytes(vl_convert.vegalite_to_png(spec, scale=2))
        if page is not None:
            beside = page.parent / page.stem
            beside.mkdir(exist_ok=True)
            (beside / f"{part.name}.svg").write_text(svg, encoding="utf-8")
    if page is not None:
        page.write_text(filled(page.read_text(encoding="utf-8"), part.tables), encoding="utf-8")


def filled(page: str, tables: dict[str, str]) -> str:
    """The page with the tables between their markers.

    >>> filled("<!-- bench: a -->\\nold\\n<!-- end -->", {"a": "new"})
    '<!-- bench: a -->\\n\\nnew\\n\\n<!-- end -->'
    """
    for name, text in tables.items():
        marked = re.compile(rf"(<!-- bench: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not marked.search(page):
            raise ValueError(f"the page has no place for the table {name!r}: <!-- bench: {name} --> … <!-- end -->")
        page = marked.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)  # type: ignore[misc]
    return page


def styled(chart: Any) -> Any:
    """A chart that is readable on light and dark pages."""
    font = "Helvetica, Arial, sans-serif"
    chart = chart.configure(background="white", font=font, padding=12).configure_view(strokeWidth=0)
    chart = chart.configure_axis(titleFontWeight="normal", gridOpacity=0.5, labelFontSize=11, titleFontSize=12)
    return chart.configure_header(labelFontSize=13, titleFontSize=13).configure_legend(labelFontSize=12)


def data(rows: Iterable[dict[str, Any]]) -> alt.Data:
    """Rows as the data of a chart."""
    return alt.Data(values=list(rows))


def percent(share: float, digits: int = 0) -> str:
    """A share in percent.

    >>> percent(0.123), percent(0.0012, 1)
    ('12 %', '0.1 %')
    """
    return f"{100 * share:.{digits}f} %"
