"""The log's own labelled cases, as rows to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.autonomy.schedule import due
from understudy.core.task import Retrain
from understudy.flows.drift import read_suspicion
from understudy.flows.head import Head
from understudy.store.registry import list_versions
from understudy.store.schema import inputs, losses

LABELLED = ("outcome", "review", "silence")
"""Sources that give a label; where one is missing, nothing is known."""


@dataclass(frozen=True)
class LabelledCase:
    """A case whose answer is known.

    Attributes
    ----------
    seq : int
    inputs : dict
        As they were recorded.
    label : str
    weight : float
        How many cases it stands for: where the model decided and only an audit told the answer, as many as went
        without one for each that was drawn. Otherwise what the model decides by itself would vanish from the rows.
    """

    seq: int
    inputs: dict[str, Any]
    label: str
    weight: float


def labelled_cases(connection: sa.Connection, task: int) -> Iterator[LabelledCase]:
    """The labelled cases of a task in the order in which they were decided; erased ones are gone."""
    holds = sa.select(sa.func.max(losses.c.n)).where(losses.c.task == task).group_by(losses.c.place)
    query = (
        sa.select(
            losses.c.case_seq, losses.c.source, losses.c.label, losses.c.automated, losses.c.propensity, inputs.c.body
        )
        .join(inputs, inputs.c.seq == losses.c.case_seq)
        .where(losses.c.task == task, losses.c.n.in_(holds))
        .where(losses.c.label.is_not(None), losses.c.source.in_(LABELLED))
        .where(inputs.c.body.is_not(None))
        .order_by(losses.c.case_seq, losses.c.automated.desc(), losses.c.place)
    )
    last = None
    for row in connection.execute(query):
        if row.case_seq == last:  # another version's entry for the same case
            continue
        last = row.case_seq
        audited = row.automated and row.source == "review"
        weight = 1 / row.propensity if audited else 1.0
        yield LabelledCase(row.case_seq, msgspec.json.decode(row.body), row.label, weight)


def count_labels(connection: sa.Connection, task: int, *, since: int) -> int:
    """How many cases have got a label since a time."""
    query = sa.select(sa.func.count(sa.distinct(losses.c.case_seq))).where(
        losses.c.task == task, losses.c.at > since, losses.c.label.is_not(None), losses.c.n == losses.c.place
    )
    return int(connection.execute(query).scalar_one())


def count_drifted(connection: sa.Connection, head: Head, *, since: int) -> int:
    """How many cases have a label among those since the champion's inputs drifted; 0 if that was before a time.

    A version that was registered after the drift is the answer to it: one drift asks for one new version.
    """
    suspicion = read_suspicion(connection, head.number, head.deployed.champion)
    if suspicion is None or suspicion.since <= since:
        return 0
    query = sa.select(sa.func.count(sa.distinct(losses.c.case_seq))).where(
        losses.c.task == head.number, losses.c.case_seq >= suspicion.first, losses.c.label.is_not(None)
    )
    return int(connection.execute(query).scalar_one())


def retrain_reason(connection: sa.Connection, head: Head, now: int) -> str:
    """Why a new version is to be trained now; empty where it is not."""
    settings = head.task.retrain
    versions = list_versions(connection, head.number)
    if not versions or settings == Retrain():
        return ""
    since = versions[0].at
    drifted = count_drifted(connection, head, since=since) if settings.on_drift else 0
    return due(
        settings,
        waited=now - since,
        labels=count_labels(connection, head.number, since=since),
        drifted=drifted,
    )
