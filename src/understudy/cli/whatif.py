"""`understudy whatif`: what other settings would bring."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from understudy.autonomy.choices import PER, Choice
from understudy.autonomy.whatif import WhatIf, offers
from understudy.autonomy.whatif_words import conclusion, named
from understudy.cli.options import AsJson, TaskName, Workspace
from understudy.cli.show import console, plain_table, show_json
from understudy.flows.whatif import whatif as whatif_flow
from understudy.flows.whatif import write_whatif


def whatif(
    task: TaskName,
    workspace: Workspace = Path(),
    max_error: Annotated[
        float | None,
        typer.Option(
            "--max-error",
            help="Of its answers, the share that may be wrong; by default as in the task file.",
            metavar="SHARE",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option("--confidence", help="How sure the bounds are; by default as in the task file.", metavar="SHARE"),
    ] = None,
    min_coverage: Annotated[
        float | None,
        typer.Option(
            "--min-coverage", help="The least share of an answer's cases that is worth automating.", metavar="SHARE"
        ),
    ] = None,
    review_cost: Annotated[
        float | None,
        typer.Option("--review-cost", help="What a review costs; by default as in the task file.", metavar="PRICE"),
    ] = None,
    minutes: Annotated[float, typer.Option("--minutes", help="What a review takes, in minutes.")] = 2.0,
    cases_per_day: Annotated[
        float | None,
        typer.Option("--cases-per-day", help="How many cases come; by default as in the last 30 days.", metavar="N"),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Answer from held-out rows although the log could tell.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="An .html page, or an .svg picture.", metavar="OUT")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what other settings would bring: coverage, error, cost and reviews, with bounds for all settings at once.

    It answers from the log; where that cannot tell yet, from rows that served nothing else when the version was made.
    """
    result = whatif_flow(
        task,
        max_error=max_error,
        confidence=confidence,
        min_coverage=min_coverage,
        review_cost=review_cost,
        minutes=minutes,
        cases_per_day=cases_per_day,
        history=history,
        workspace=workspace,
    )
    place = None if out is None else write_whatif(result, out)
    if json:
        show_json(
            {"conclusion": conclusion(result), **{name: getattr(result, name) for name in WhatIf.__struct_fields__}}
        )
        return
    show_whatif(result)
    if place is not None:
        console.print(f"\nPicture → {place}", soft_wrap=True)


def show_whatif(result: WhatIf) -> None:
    """The answer, what can be promised, and what it rests on."""
    console.print(f"\n[bold]{result.task}[/bold]  {escape(result.question)}\n", soft_wrap=True)
    for sentence in conclusion(result):
        console.print(escape(sentence), soft_wrap=True)
    if result.frontier:
        console.print()
        show_offers(result)
    console.print()
    for note in result.notes:
        console.print(f"[dim]{escape(note)}[/dim]", soft_wrap=True)


def show_offers(result: WhatIf) -> None:
    """What can be promised, a line for each promise; the one asked about is bold."""
    daily = result.terms.cases_per_day is not None
    figures = (
        "promise",
        "decides",
        "wrong\nof 100",
        f"cost of\n{PER:,}",
        "reviews\na day" if daily else f"reviews\nof {PER:,}",
    )
    table = plain_table(*figures, "from a confidence of", right=figures)
    for column in table.columns[:-1]:
        column.no_wrap = True
    for promise, choice in offers(result):
        style = "bold" if promise == result.terms.max_error else ""
        reviews = choice.reviews_per_day if daily else choice.reviews
        cells = (f"{100 * promise:.3g} %", f"{choice.coverage.estimate:.1%}", wrong(choice))
        table.add_row(*cells, f"{choice.cost.estimate:,.0f}", f"{reviews:,.0f}", thresholds(choice), style=style)
    console.print(table)


def wrong(choice: Choice) -> str:
    """The estimate of the risk, and its bounds, of 100."""
    risk = choice.risk
    return "" if risk is None else f"{100 * risk.estimate:.2f} ({100 * risk.lower:.2f}–{100 * risk.upper:.2f})"


def thresholds(choice: Choice) -> str:
    """From which confidence which answer would be given."""
    each = (f"{named(name)} {f'{least:.3f}' if least > 0 else 'always'}" for name, least in choice.thresholds.items())
    return escape(", ".join(each))
