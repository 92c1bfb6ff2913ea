"""`understudy recipes`: list the ways to build a model."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from understudy.cli.options import AsJson
from understudy.cli.show import console, number, plain_table, show_json
from understudy.core.errors import NotFoundError
from understudy.models.catalogue import Entry, catalogue

READS = {"whole": "all of it", "weights": "its weights", "no": ""}
SHORT = {"classification": "answers", "regression": "numbers"}


def recipes(
    name: Annotated[str | None, typer.Argument(help="One of them, in full.", metavar="RECIPE")] = None,
    json: AsJson = False,
) -> None:
    """List the ways to build a model: what each is good for, and what it costs."""
    entries = catalogue()
    if name is not None:
        entries = tuple(entry for entry in entries if entry.name == name)
        if not entries:
            known = ", ".join(entry.name for entry in catalogue())
            raise NotFoundError(f"There is no recipe {name!r}.", hint=f"The recipes are {known}.")
    if json:
        show_json(entries)
    elif name is not None:
        show_entry(entries[0])
    else:
        show_entries(entries)


def show_entries(entries: tuple[Entry, ...]) -> None:
    """All recipes in a table."""
    table = plain_table(
        "recipe", "for", "a person can read", "rows", "fit", "answer", "onnx", "", right=("fit", "answer")
    )
    table.columns[0].no_wrap = True
    for entry in entries:
        traits = entry.traits
        table.add_row(
            entry.name,
            " and ".join(SHORT[kind] for kind in entry.kinds),
            READS[traits.reads],
            rows_text(entry),
            f"{number(traits.seconds)} s",
            f"{number(traits.micros)} µs",
            "in part" if traits.native else "yes" if entry.onnx else "no",
            escape(remark(entry)),
        )
    console.print(table)
    console.print("\nA fit is that of 10,000 rows of 30 features on one core. `understudy recipes RECIPE` says more.")


def rows_text(entry: Entry) -> str:
    """From and up to how many rows it serves."""
    most = "" if entry.traits.most is None else f" to {entry.traits.most:,}"
    return f"{entry.traits.fewest:,}{most}" if most else f"from {entry.traits.fewest:,}"


def remark(entry: Entry) -> str:
    """Whether it is raced, or has to be installed first."""
    if not entry.installed:
        return f"pip install 'understudy[{entry.extra}]'"
    return "raced by default" if entry.raced else ""


def show_entry(entry: Entry) -> None:
    """One recipe in full."""
    traits = entry.traits
    console.print(f"[bold]{entry.name}[/bold]  {entry.title}: {traits.about}\n", soft_wrap=True)
    table = plain_table("", "")
    facts = {
        "for": " and ".join(SHORT[kind] for kind in entry.kinds),
        "takes": ", ".join(entry.views),
        "rows": rows_text(entry),
        "more features than rows": yes(traits.wide),
        "finds curves": yes(traits.bends),
        "finds interactions": yes(traits.joins),
        "a person can read": READS[traits.reads] or "no",
        "keeps to a known direction": yes(traits.monotone),
        "takes in row after row": yes(traits.online),
        "fit, 10,000 rows": f"{number(traits.seconds)} s, growing with rows^{traits.growth:g}",
        "one answer": f"{number(traits.micros)} µs",
        "onnx": traits.native or yes(entry.onnx),
        "needs": remark(entry),
    }
    for what, said in facts.items():
        if said:
            table.add_row(what, escape(said))
    for place, params in enumerate(entry.portfolio):
        table.add_row("" if place else "tried first", ", ".join(f"{key} {value}" for key, value in params.items()))
    for place, params in enumerate(entry.portfolio_numbers if entry.portfolio_numbers != entry.portfolio else ()):
        table.add_row("" if place else "for numbers", ", ".join(f"{key} {value}" for key, value in params.items()))
    for place, (setting, drawn) in enumerate(entry.space.items()):
        table.add_row("" if place else "then", f"{setting} {drawn}")
    console.print(table)


def yes(holds: bool) -> str:
    """Yes or no."""
    return "yes" if holds else "no"
