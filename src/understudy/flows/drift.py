"""The drift monitor: live cases counted over the champion's frozen bins, and judged batch by batch.

A batch lasts whole weeks, as many as it takes to 500 cases: a Sunday is unlike the days that the reference is made of,
a week is like other weeks. Its ends follow from the log alone, so that counting at any pace, or from nothing, comes to
the same. What is counted is committed page by page, in transactions of its own, and never holds up a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.core.task import duration
from understudy.data.contract import Contract
from understudy.data.reading import canonical_schema
from understudy.data.values import as_dates
from understudy.evidence.shift import level_of_batch
from understudy.flows.alarms import told
from understudy.flows.head import Head
from understudy.flows.version import Version
from understudy.monitoring.drift import FALSE_ALARMS_A_YEAR, Batch, Drift, Finding, add_cases, judge_drift, open_batch
from understudy.store.database import lock_task
from understudy.store.events import append_event
from understudy.store.ledger import Key, State, keep_state, read_state
from understudy.store.registry import read_deployments
from understudy.store.schema import cases, deployments, events, inputs, predictions

DRIFT = "alarm.drift"
LEAST_CASES = 500
WEEK, DAY = duration("1w"), duration("1d")
PAGE = 5000
"""Cases that are counted at once: a bound on memory and on how long a transaction lasts."""

CALM = 2
"""After so many batches without an alarm a suspicion ends."""

MOST_FIGURES = 10


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs that have drifted, until they are calm again.

    Attributes
    ----------
    reasons : tuple of str
        What has drifted by the last alarm, in a sentence each.
    first, last : int
        The first and the last case of the batch that raised the first alarm.
    since : int
        When that batch ended.
    calm : int
        Batches without an alarm since the last one.
    """

    reasons: tuple[str, ...]
    first: int
    last: int
    since: int
    calm: int = 0


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept for a champion.

    Attributes
    ----------
    seq : int
        The case up to which everything is counted.
    batch : Batch, optional
        The open one; None before the first case.
    first : int
        Its first case.
    began, ends : int
        When it began, and the end of the week that it lasts for at least.
    suspicion : Suspicion, optional
    """

    seq: int
    batch: Batch | None = None
    first: int = 0
    began: int = 0
    ends: int = 0
    suspicion: Suspicion | None = None


class Page(NamedTuple):
    """The next cases: how many, and the last one; the champion's first, and its first after the open batch is over.

    The champion's cases are those of which it said something, whoever answered them: where versions share the cases, it
    may be given only those that suit it.
    """

    cases: int
    last: int
    mine: int | None
    over: int | None


def watch_inputs(
    head: Head, *, actor: str, now: int, may: Callable[[sa.Connection], bool] = lambda _: True
) -> tuple[str, ...]:
    """Count what has come since, judge the batches that are over, and say which alarms that raises.

    A version that was registered before there was a monitor, or that cannot be loaded, is not watched.

    Parameters
    ----------
    head : Head
    actor : str
        Who raises an alarm.
    now : int
    may : callable
        Asked within each transaction whether this process may still write; otherwise it stops.
    """
    champion = head.champion
    if champion is None or not champion.reference.held_out:
        return ()
    newest = newest_case(head)
    alarms: list[str] = []
    while True:
        with head.library.work.store.reading() as connection:
            kept = read_monitor(connection, head.number, champion.digest)
            before = kept or begin_monitor(connection, head)
            after, drift = count_page(connection, head, champion, before, newest)
        if after == before:
            return tuple(alarms)
        with head.library.work.store.writing() as connection:
            lock_task(connection, head.number)
            if not may(connection) or read_monitor(connection, head.number, champion.digest) != kept:
                return tuple(alarms)
            state = State(n=0, body=msgspec.json.encode(after))
            keep_state(connection, key_of(head.number, champion.digest), state, at=now)
            if drift is not None and before.suspicion is None and after.suspicion is not None:
                alarms += raise_alarm(connection, head, after.suspicion, drift, actor=actor, now=now)


def key_of(task: int, version: str) -> Key:
    """Where the monitor of a version is kept."""
    return Key(task=task, name="drift", version=version)


def read_monitor(connection: sa.Connection, task: int, version: str) -> Monitor | None:
    """The monitor of a version as it is kept; None before its first case."""
    state = read_state(connection, key_of(task, version))
    return None if state is None else msgspec.json.decode(state.body, type=Monitor)


def read_suspicion(connection: sa.Connection, task: int, version: str) -> Suspicion | None:
    """What the inputs of a version are suspected of, if anything."""
    monitor = read_monitor(connection, task, version)
    return None if monitor is None else monitor.suspicion


def suspected(connection: sa.Connection, task: int, version: str) -> tuple[str, ...]:
    """What the inputs of a version are suspected of, in a sentence each."""
    suspicion = read_suspicion(connection, task, version)
    return () if suspicion is None else suspicion.reasons


def newest_case(head: Head) -> int:
    """The number of the newest case of any task; none of this one that is still under way has a lower one."""
    with head.library.work.store.writing() as connection:
        lock_task(connection, head.number)
        return connection.execute(sa.select(sa.func.max(cases.c.seq))).scalar_one() or 0


def begin_monitor(connection: sa.Connection, head: Head) -> Monitor:
    """A monitor that begins with the first case after the version became champion."""
    mine = (deployments.c.task == head.number, deployments.c.champion == head.deployed.champion)
    moved = sa.select(events.c.at).join(
        deployments, (deployments.c.task == events.c.task) & (deployments.c.event == events.c.seq)
    )
    since = connection.execute(moved.where(*mine).order_by(deployments.c.revision).limit(1)).scalar_one_or_none()
    later = sa.select(cases.c.seq).where(cases.c.task == head.number, cases.c.received_at >= (since or 0))
    first = connection.execute(later.order_by(cases.c.received_at, cases.c.seq).limit(1)).scalar_one_or_none()
    return Monitor(seq=0 if first is None else first - 1)


def count_page(
    connection: sa.Connection, head: Head, champion: Version, monitor: Monitor, newest: int
) -> tuple[Monitor, Drift | None]:
    """The monitor with the next page in it, or its batch judged and another open; the same where neither is due.

    A page that is not full waits, unless a case after it says that the batch is over: so pages begin at the same cases
    however often one looks.
    """
    page = page_after(connection, champion, monitor, newest)
    if page.mine is not None and monitor.batch is None:
        return open_with(connection, head, champion, monitor, page.mine), None
    if page.over is None and page.cases < PAGE:
        return monitor, None
    last = page.last if page.over is None else page.over - 1
    monitor = replace(monitor, seq=last, batch=with_cases(connection, champion, monitor, last))
    if page.over is None or monitor.batch is None:
        return monitor, None
    if monitor.batch.cases < LEAST_CASES:
        at = connection.execute(sa.select(cases.c.received_at).where(cases.c.seq == page.over)).scalar_one()
        return replace(monitor, ends=monitor.began + ((at - monitor.began) // WEEK + 1) * WEEK), None
    level = level_of_batch(FALSE_ALARMS_A_YEAR, (monitor.ends - monitor.began) / DAY)
    drift = judge_drift(champion.reference, monitor.batch, level=level)
    judged = replace(monitor, suspicion=suspect(monitor, drift))
    return open_with(connection, head, champion, judged, page.over), drift


def page_after(connection: sa.Connection, champion: Version, monitor: Monitor, newest: int) -> Page:
    """The next cases, of any task: by their number alone they are found without a walk through all of one task."""
    columns = (cases.c.seq, cases.c.received_at)
    some = sa.select(*columns).where(cases.c.seq > monitor.seq, cases.c.seq <= newest)
    page = some.order_by(cases.c.seq).limit(PAGE).subquery()
    mine = (predictions.c.seq == page.c.seq) & (predictions.c.version == champion.digest)
    over = sa.case((page.c.received_at >= monitor.ends, predictions.c.seq))
    query = sa.select(
        sa.func.count(), sa.func.max(page.c.seq), sa.func.min(predictions.c.seq), sa.func.min(over)
    ).select_from(page.outerjoin(predictions, mine))
    return Page(*connection.execute(query).one())


def open_with(connection: sa.Connection, head: Head, champion: Version, monitor: Monitor, first: int) -> Monitor:
    """The monitor with a new batch that begins with this case; its limit holds for the whole batch."""
    case = connection.execute(sa.select(cases.c.received_at, cases.c.revision).where(cases.c.seq == first)).one()
    deployed = next(found for found in read_deployments(connection, head.number) if found.revision == case.revision)
    batch = open_batch(champion.reference, deployed.strange_limit)
    return replace(monitor, batch=batch, first=first, began=case.received_at, ends=case.received_at + WEEK)


def with_cases(connection: sa.Connection, champion: Version, monitor: Monitor, last: int) -> Batch | None:
    """The open batch with the champion's cases up to one in it; erased ones are gone."""
    query = sa.select(predictions.c.strangeness, inputs.c.body).join(inputs, inputs.c.seq == predictions.c.seq)
    query = query.where(predictions.c.seq > monitor.seq, predictions.c.seq <= last, inputs.c.body.is_not(None))
    rows = connection.execute(query.where(predictions.c.version == champion.digest)).all()
    if not rows or monitor.batch is None:
        return monitor.batch
    strangeness = np.array([row.strangeness for row in rows], dtype=np.float64)
    frame = as_frame(champion.contract, [row.body for row in rows])
    return add_cases(monitor.batch, champion.reference, frame, strangeness)


def as_frame(contract: Contract, bodies: Sequence[bytes]) -> pl.DataFrame:
    """Recorded inputs, which are canonical JSON, as a frame in canonical types.

    >>> from understudy.data.contract import Column
    >>> contract = Contract(columns=(Column(name="age", kind="integer"), Column(name="job", kind="category")))
    >>> as_frame(contract, [b'{"age":41,"job":"cook"}', b'{"other":1}']).rows()
    [(41, 'cook'), (None, None)]
    """
    rows = msgspec.json.decode(b"[" + b",".join(bodies) + b"]", type=list[dict[str, Any]])
    columns = {}
    for name, dtype in canonical_schema(contract).items():
        values = [row.get(name) for row in rows]
        if isinstance(dtype, pl.Datetime):
            columns[name] = as_dates(pl.Series(values, dtype=pl.String), None)
        else:
            columns[name] = pl.Series(values, dtype=dtype, strict=False)
    return pl.DataFrame(columns)


def suspect(monitor: Monitor, drift: Drift) -> Suspicion | None:
    """The suspicion after a batch: it begins with an alarm, and ends after two batches without one."""
    old = monitor.suspicion
    if drift.drifted:
        new = Suspicion(reasons=drift.reasons, first=monitor.first, last=monitor.seq, since=monitor.ends)
        return new if old is None else replace(old, reasons=drift.reasons, calm=0)
    if old is None or old.calm + 1 >= CALM:
        return None
    return replace(old, calm=old.calm + 1)


def raise_alarm(
    connection: sa.Connection, head: Head, suspicion: Suspicion, drift: Drift, *, actor: str, now: int
) -> tuple[str, ...]:
    """Put the beginning of a suspicion into the event log, once, and say what it is."""
    version = head.deployed.champion
    if any(
        (body["version"], body["first"]) == (version, suspicion.first) for body in told(connection, head.number, DRIFT)
    ):
        return ()
    body = {
        "version": version,
        "first": suspicion.first,
        "last": suspicion.last,
        "cases": drift.cases,
        "reference": drift.reference,
        "level": drift.level,
        "reasons": suspicion.reasons,
        "figures": [figures(finding) for finding in drift.drifted[:MOST_FIGURES]],
    }
    append_event(connection, head.number, at=now, actor=actor, kind=DRIFT, body=body)
    return tuple(f"Among {drift.cases:,} cases: {reason}" for reason in suspicion.reasons)


def figures(finding: Finding) -> dict[str, object]:
    """What the log keeps of a finding."""
    names = ("name", "column", "test", "share", "before", "statistic", "p", "e", "psi")
    return {name: getattr(finding, name) for name in names}
