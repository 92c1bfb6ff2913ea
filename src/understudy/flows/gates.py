"""What the gate of a version begins with and counts, be it champion or challenger."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import polars as pl
import sqlalchemy as sa

from understudy.autonomy.promise import History, least_propensity
from understudy.autonomy.router import EVERY_ANSWER
from understudy.autonomy.truth import Truth, loss
from understudy.core.nouns import Deployment
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
    costs = [
        loss(head.task, said, Truth(source="outcome", label=label, propensity=1.0))
        for said, label in table.select("prediction", "label").iter_rows()
    ]
    one_side = head.task.decision.kind == "regression"
    return History(
        side=np.array([EVERY_ANSWER] * table.height if one_side else table["prediction"].to_list(), dtype=object),
        confidence=table["confidence"].to_numpy(),
        loss=np.array(costs, dtype=np.float64),
    )


def begin_gate(plan: GatePlan | None, history: History) -> GateState | None:
    """The gate before the first case: history bets first, capped."""
    if plan is None:
        return None
    rows = Rows(
        side=np.array([plan.sides.index(side) for side in history.side], dtype=np.int64),
        confidence=history.confidence,
        loss=history.loss,
        weight=np.ones(len(history.loss)),
    )
    return warm_start(plan, rows) if len(history.loss) else open_gate(plan)


def least_looks(connection: sa.Connection, head: Head) -> dict[int, float]:
    """The smallest probability of a look, by the revision of the deployment."""
    return {found.revision: least_propensity(head.task, found) for found in read_deployments(connection, head.number)}


def gate_rows(plan: GatePlan, entries: Sequence[Entry], least: dict[int, float]) -> Rows:
    """The entries that the gate counts: not strange, inside the mandate, on a side that it knows."""
    places = {side: place for place, side in enumerate(plan.sides)}
    own = [entry for entry in entries if entry.eligible and entry.side in places]
    return Rows(
        side=np.array([places[entry.side] for entry in own], dtype=np.int64),
        confidence=np.array([entry.confidence for entry in own], dtype=np.float64),
        loss=np.array([np.nan if entry.loss is None else entry.loss for entry in own], dtype=np.float64),
        weight=np.array([min(1.0, least[entry.revision] / entry.propensity) for entry in own], dtype=np.float64),
    )
