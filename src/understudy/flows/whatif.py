"""What other settings would bring, from the log, or from held-out rows where the log cannot tell yet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.promise import History, gate_plan
from understudy.autonomy.whatif import Basis, WhatIf, terms_of, what_if
from understudy.autonomy.whatif_words import assumed
from understudy.core.errors import DataError, InputError
from understudy.core.nouns import Deployment
from understudy.evidence.bands import Answers
from understudy.evidence.gate import GatePlan, Rows, certified
from understudy.flows.champion import champion_pages, read_folded, read_plans
from understudy.flows.gates import gate_rows, least_looks, read_history
from understudy.flows.head import Head, Library, load_head
from understudy.flows.workspace import open_workspace
from understudy.reports.whatif import draw_whatif, render_whatif
from understudy.store.counts import cases_per_year
from understudy.store.registry import find_version

FEWEST_LOOKS = 100
"""From so many looks on the log answers; fewer prove next to nothing."""

DAYS_A_YEAR = 365.25


def whatif(
    task: str,
    *,
    max_error: float | None = None,
    confidence: float | None = None,
    min_coverage: float | None = None,
    review_cost: float | None = None,
    minutes: float = 2.0,
    cases_per_day: float | None = None,
    history: bool = False,
    workspace: str | Path = ".",
) -> WhatIf:
    """What other settings would bring: coverage, error, cost, reviews, with bounds that hold for all settings at once.

    It answers from the log: from the live cases of the present epoch. Where fewer than 100 of them have a truth yet, it
    answers from rows of the data that served nothing else when the version was made, and says so.

    Nothing is changed by it, and nothing certified: thresholds are certified by the gate alone.

    Parameters
    ----------
    task : str
    max_error, confidence : float, optional
        The promise that is asked about; what is left out is as the task file says.
    min_coverage : float, optional
        The share of an answer's cases below which it is left to people.
    review_cost : float, optional
        What a review costs.
    minutes : float
        How long a review takes.
    cases_per_day : float, optional
        How many cases come; by default as in the last 30 days of the log.
    history : bool
        Whether to answer from held-out rows although the log could tell.
    workspace : str or Path

    Raises
    ------
    NotFoundError
        There is no such task, or it has no version yet.
    InputError
        A number lies outside its range.

    >>> import understudy  # doctest: +SKIP
    >>> understudy.whatif("flights", max_error=0.03, review_cost=2).chosen.coverage.estimate  # doctest: +SKIP
    0.41
    """
    work = open_workspace(workspace)
    head = load_head(Library(work), task)
    deployed = head.deployed
    with work.store.reading() as connection:
        version = find_version(connection, head.number, "champion" if deployed.champion else "latest").version
        a_year = cases_per_year(connection, head.number, now=work.clock.now())
        log = None if history else live_basis(connection, head, deployed)
        enough = log is not None and looks(log) >= FEWEST_LOOKS
        basis = log if log is not None and enough else held_out_basis(connection, head, deployed, version)
        proven = certified_now(connection, head, deployed)
    terms = terms_of(
        head.task,
        max_error=max_error,
        confidence=confidence,
        min_coverage=min_coverage,
        review_cost=review_cost,
        minutes=minutes,
        cases_per_day=cases_per_day if cases_per_day is not None or not a_year else a_year / DAYS_A_YEAR,
    )
    result = what_if(head.task, terms, basis, deployed, version=version, certified=proven)
    seen = 0 if log is None else looks(log)
    return replace(result, notes=(*rests_on(head, result, seen, asked=history), *assumed(head.task, terms)))


def looks(basis: Basis) -> int:
    """How many cases have a known truth."""
    return sum(int((~np.isnan(answers.loss)).sum()) for answers in basis.answers.values())


def live_basis(connection: sa.Connection, head: Head, deployed: Deployment) -> Basis | None:
    """The live cases of the present epoch, by the gate's own grid and weights; None where no pass has been made."""
    plans = read_plans(connection, head.number, deployed)
    if plans is None or plans.gate is None:
        return None
    least, cases, pages = least_looks(connection, head), 0, []
    for page in champion_pages(connection, head, deployed, 0):
        cases += len(page)
        pages.append(gate_rows(plans.gate, page, least))
    return Basis(
        "log", cases, dict(zip(plans.gate.sides, plans.gate.grid, strict=True)), by_side(plans.gate, pages, cases)
    )


def by_side(plan: GatePlan, pages: Sequence[Rows], cases: int) -> dict[str, Answers]:
    """The cases of each answer."""
    side, confidence, loss, weight = (
        np.concatenate([np.empty(0), *(getattr(page, kind) for page in pages)])
        for kind in ("side", "confidence", "loss", "weight")
    )
    masks = {name: side == place for place, name in enumerate(plan.sides)}
    return {
        name: Answers(confidence=confidence[own], loss=loss[own], weight=weight[own], cases=cases)
        for name, own in masks.items()
    }


def held_out_basis(connection: sa.Connection, head: Head, deployed: Deployment, version: str) -> Basis:
    """The held-out rows of a version, on the grid that its gate has or would have."""
    if not deployed.champion:
        deployed = replace(deployed, strange_limit=head.task.autonomy.strange_limit)
    rows = read_history(connection, head, deployed, version)
    plan = gate_plan(head.task, rows, 1 - head.task.autonomy.confidence)
    cases = history_size(connection, head, version)
    if plan is None:
        return Basis("history", cases, {}, {})
    return Basis(
        "history", cases, dict(zip(plan.sides, plan.grid, strict=True)), history_sides(plan.sides, rows, cases)
    )


def history_sides(sides: Sequence[str], rows: History, cases: int) -> Mapping[str, Answers]:
    """The held-out rows of each answer."""
    masks = {name: rows.side == name for name in sides}
    return {
        name: Answers(confidence=rows.confidence[own], loss=rows.loss[own], weight=np.ones(own.sum()), cases=cases)
        for name, own in masks.items()
    }


def history_size(connection: sa.Connection, head: Head, version: str) -> int:
    """How many held-out rows a version has, those included that it would not be allowed to decide."""
    record = find_version(connection, head.number, version)
    body = head.library.work.artifacts.get(record.beside["history.parquet"])
    return pl.read_parquet(io.BytesIO(body), columns=["strangeness"]).height


def certified_now(connection: sa.Connection, head: Head, deployed: Deployment) -> dict[str, float]:
    """The thresholds that the gate has certified by the last pass."""
    plans, folded = read_plans(connection, head.number, deployed), read_folded(connection, head.number, deployed)
    if plans is None or plans.gate is None or folded is None or folded.gate is None:
        return {}
    return certified(folded.gate, plans.gate)


AGAINST = {
    "outcome": "the outcome",
    "review": "what reviewers say",
    "blind_review": "what blind reviewers say",
}


def rests_on(head: Head, result: WhatIf, live: int, *, asked: bool) -> list[str]:
    """What the figures rest on."""
    task = head.task
    together = (
        f"All bounds hold together, for the {result.settings} thresholds, with {100 * result.terms.confidence:g} %"
    )
    if result.source == "log":
        rows = f"By {result.cases:,} live cases, those settled in this epoch"
        found = [
            f"{rows}; for {result.looked:,} that it could decide the truth is known: {AGAINST[task.truth.source]}.",
            f"{together} confidence, at all times, if cases stay alike.",
        ]
    else:
        why = "as was asked" if asked else f"the log has {live:,} looks, and answers from {FEWEST_LOOKS} on"
        found = [
            f"From history, not live ({why}): {result.cases:,} held-out rows of version {result.version[:12]}.",
            f"{together} confidence, for one look, if cases to come are like these rows.",
        ]
        if task.mandate.limit or task.mandate.never:
            found.append("Held-out rows that [mandate] limit or never bar are counted all the same.")
        if task.truth.hides_outcome:
            hidden = ", ".join(map(repr, task.truth.hides_outcome))
            found.append(f"The outcome is hidden after {hidden}: no held-out row tells of such an answer.")
    return found


def write_whatif(result: WhatIf, out: str | Path) -> Path:
    """Write the pictures to a file: a page with all figures as `.html`, the one picture as `.svg`.

    Raises
    ------
    InputError
        The file ends in something else.
    DataError
        There is no such directory.
    """
    out = Path(out)
    write = {".html": render_whatif, ".svg": draw_whatif}.get(out.suffix.lower())
    if write is None:
        raise InputError(f"A what-if is written as .html or .svg, not to {out.name}.")
    if not out.parent.is_dir():
        raise DataError(f"There is no directory {out.parent} to write {out.name} to.")
    out.write_text(write(result), encoding="utf-8")
    return out
