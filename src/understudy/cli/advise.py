"""`understudy advise`: which recipes fit some data and why, and whether it takes a model at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from understudy.cli.options import (
    After,
    AsJson,
    Data,
    Drop,
    Encoding,
    Kind,
    Name,
    Positive,
    Seed,
    Separator,
    Target,
    Time,
    Workspace,
    split_names,
)
from understudy.cli.run import told_of
from understudy.cli.show import console, errors, number, plain_table, show_json
from understudy.core.evidence import Evidence
from understudy.flows.advise import Advice
from understudy.flows.advise import advise as advise_flow
from understudy.models.advice import Reason, Wishes
from understudy.sources.tables import CsvOptions

ENOUGH = {
    "nothing": "No machine learning: nothing helps yet",
    "today": "No machine learning: what decides today is enough",
    "rules": "No machine learning: rules are enough",
    "model": "A model pays",
}
FITS = {"good": "[green]good[/green]", "possible": "possible", "poor": "[dim]poor[/dim]", "barred": "[red]barred[/red]"}


def advise(
    data: Data,
    target: Target = None,
    workspace: Workspace = Path(),
    name: Name = None,
    interpretable: Annotated[
        bool, typer.Option("--interpretable", help="A person must be able to follow the model.")
    ] = False,
    online: Annotated[bool, typer.Option("--online", help="It must take in row after row.")] = False,
    monotone: Annotated[
        bool, typer.Option("--monotone", help="The direction of a column is known and must be kept.")
    ] = False,
    answer_within: Annotated[
        float | None, typer.Option("--answer-within", help="Milliseconds that an answer may take.", min=0.001)
    ] = None,
    train_within: Annotated[
        float | None, typer.Option("--train-within", help="Seconds that a fit on all rows may take.", min=0.01)
    ] = None,
    seed: Seed = 0,
    time: Time = None,
    drop: Drop = None,
    after: After = None,
    kind: Kind = None,
    positive: Positive = None,
    separator: Separator = None,
    encoding: Encoding = None,
    json: AsJson = False,
) -> None:
    """Say which recipes fit some data and why, and whether it takes a model at all.

    Tries one recipe of each family on folds of some of the rows of DATA, and holds what it finds against what each
    recipe declares and what is asked for. Nothing is stored.
    """
    wishes = Wishes(
        interpretable=interpretable,
        online=online,
        monotone=monotone,
        answer_micros=None if answer_within is None else answer_within * 1000,
        train_seconds=train_within,
    )
    with errors.status("Reading") as status:
        advice = advise_flow(
            data,
            target=target,
            name=name,
            workspace=workspace,
            wishes=wishes,
            seed=seed,
            csv=CsvOptions(separator=separator, encoding=encoding),
            tell=lambda what: status.update(f"Trying: {what}"),
            **told_of(kind=kind, positive=positive, time=time, drop=split_names(drop), after=split_names(after)),
        )
    if json:
        show_json(advice)
    else:
        show_advice(advice)


def show_advice(advice: Advice) -> None:
    """What was found, what was tried, and what it says of each recipe."""
    facts = advice.facts
    answers = f"{facts.classes} answers, the rarest in {facts.rarest:,} rows" if facts.classes else "numbers"
    console.print(f"\n[bold]{escape(advice.target)}[/bold]  {facts.rows:,} rows, {facts.columns} columns, {answers}")
    console.print(f"[bold]{ENOUGH[advice.enough]}[/bold]: {escape(advice.because)}.\n", soft_wrap=True)
    show_probes(advice)
    if advice.more_rows is not None:
        console.print(f"Learning from all of these rows instead of half of them gains {bounds(advice.more_rows)}.\n")
    table = plain_table("recipe", "fits", "why")
    for verdict in advice.recipes:
        table.add_row(verdict.recipe, FITS[verdict.fit], "; ".join(reason_text(reason) for reason in verdict.reasons))
    console.print(table)
    if advice.rules:
        console.print(f"\nThe best short list of rules:\n{advice.rules}", soft_wrap=True, markup=False)


def show_probes(advice: Advice) -> None:
    """What was tried, in a table."""
    tried = f"tried on {advice.facts.measured:,} rows, by {advice.scheme}"
    console.print(f"[dim]{escape(tried)}[/dim]", soft_wrap=True)
    table = plain_table("", advice.goal, "better than nothing by", "behind the best by")
    for probe in advice.probes:
        if probe.value is None or probe.gain is None:
            table.add_row(escape(probe.title), escape(probe.error), "", "")
            continue
        behind = "" if probe.behind is None else bounds(probe.behind)
        table.add_row(escape(probe.title), number(probe.value.estimate), bounds(probe.gain), behind)
    console.print(table)
    console.print(
        "[dim]Intervals hold together with 95 % confidence, roughly: they come from cross-validation.[/dim]\n"
    )


def bounds(evidence: Evidence) -> str:
    """An estimate with its bounds."""
    return f"{number(evidence.estimate)} ({number(evidence.lower)} to {number(evidence.upper)})"


def reason_text(reason: Reason) -> str:
    """A reason with the criterion that it comes from."""
    mark = {"for": "", "against": "[yellow]![/yellow] ", "bars": "[red]✕[/red] "}[reason.bearing]
    return f"{mark}{reason.criterion}: {escape(reason.text)}"
