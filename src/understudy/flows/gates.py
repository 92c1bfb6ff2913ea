"""What the gate of a version begins with and counts, be it champion or challenger."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence

import numpy as np
import polars as pl
import sqlalchemy as sa

from understudy.autonomy.groups import ERASED, answer_of, cell, divided, group_part, known_groups, places
from understudy.autonomy.promise import History, least_propensity
from understudy.autonomy.router import EVERY_ANSWER
from understudy.autonomy.truth import Truth, loss
from understudy.core.nouns import Deployment
from understudy.core.task import Task
from understudy.evidence.gate import GatePlan, GateState, Rows, open_gate, warm_start
from understudy.flows.head import Head
from understudy.store.ledger import Entry
from understudy.store.registry import find_version, read_deployments


def read_history(connection: sa.Connection, head: Head, deployed: Deployment, version: str) -> History:
    """A version's held-out rows that it would be allowed to decide."""
    record = find_version(connection, head.number, version)
    table = pl.read_parquet(io.BytesIO(head.library.work.artifacts.get(record.beside["history.parquet"])))
    allow = head.task.mandate.allow
    table = table.filter(pl.col("strangeness") <= deployed.strange_limit)
    if allow:
        table = table.filter(pl.col("prediction").is_in(allow))
    for missing in {"group", "decided"} - set(table.columns):  # older versions kept neither
        table = table.with_columns(pl.lit(None, dtype=pl.String).alias(missing))
    groups = table["group"].fill_null("").to_list()
    if divided(head.task):
        known = known_groups(groups)
        table = table.filter(pl.col("group").is_in(known))
        groups = table["group"].to_list()
    one_side = head.task.decision.kind == "regression"
    sides = [EVERY_ANSWER] * table.height if one_side else table["prediction"].to_list()
    if head.task.autonomy.groups == "own":
        sides = list(map(cell, sides, groups))
    return History(
        side=np.array(sides, dtype=object),
        confidence=table["confidence"].to_numpy(),
        loss=np.array(past_losses(head.task, table), dtype=np.float64),
        group=np.array(groups, dtype=object) if head.task.autonomy.groups == "shared" else None,
    )


def past_losses(task: Task, table: pl.DataFrame) -> list[float]:
    """What held-out rows say of each answer; NaN where it, or what was decided then, hides the outcome.

    A row with an outcome is one that somebody granted: what would have become of those that the version refuses, such
    rows do not tell, and of those that were refused then they only guess.
    """
    hidden = task.truth.hides_outcome
    found = []
    for said, label, decided in table.select("prediction", "label", "decided").iter_rows():
        cost = loss(task, said, Truth(source="outcome", label=label, propensity=1.0))
        found.append(float("nan") if said in hidden or decided in hidden or cost is None else cost)
    return found


def begin_gate(plan: GatePlan | None, history: History) -> GateState | None:
    """The gate before the first case: history bets first, capped."""
    if plan is None:
        return None
    known = np.flatnonzero(~np.isnan(history.loss))
    groups = np.zeros(len(known), dtype=np.int64)
    if history.group is not None:
        groups = np.array([plan.groups.index(group) for group in history.group[known]], dtype=np.int64)
    rows = Rows(
        side=np.array([plan.sides.index(side) for side in history.side[known]], dtype=np.int64),
        confidence=history.confidence[known],
        loss=history.loss[known],
        weight=np.ones(len(known)),
        group=groups,
    )
    return warm_start(plan, rows) if len(known) else open_gate(plan)


def least_looks(connection: sa.Connection, head: Head) -> dict[int, float]:
    """The smallest probability of a look, by the revision of the deployment."""
    return {found.revision: least_propensity(head.task, found) for found in read_deployments(connection, head.number)}


def gate_rows(plan: GatePlan, entries: Sequence[Entry], least: dict[int, float]) -> Rows:
    """The entries that the gate counts: not strange, inside the mandate, on a side and in a group that it knows.

    A case whose group was erased before it was settled counts against every group where it was wrong, and for none
    where it was right: so nobody can erase an error.
    """
    known = places(plan)
    counted = [(entry, name) for entry in entries if entry.eligible for name in cells_of(entry, known)]
    own, where = [entry for entry, _ in counted], [known[name] for _, name in counted]
    return Rows(
        side=np.array([side for side, _ in where], dtype=np.int64),
        group=np.array([group for _, group in where], dtype=np.int64),
        confidence=np.array([entry.confidence for entry in own], dtype=np.float64),
        loss=np.array([np.nan if entry.loss is None else entry.loss for entry in own], dtype=np.float64),
        weight=np.array([min(1.0, least[entry.revision] / entry.propensity) for entry in own], dtype=np.float64),
    )


def cells_of(entry: Entry, known: Collection[str]) -> tuple[str, ...]:
    """The cells of the gate that an entry counts for."""
    if group_part(entry.side) != ERASED:
        return (entry.side,) if entry.side in known else ()
    return tuple(name for name in known if answer_of(name) == answer_of(entry.side)) if entry.loss else ()
