"""The cases that versions share, as an A/B test: who errs less on what each was given, and whether all are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.autonomy.trial import (
    Drawn,
    Trial,
    expected,
    fold_trial,
    meant,
    mismatch_text,
    mismatches,
    split_evidence,
    total,
    trial_text,
)
from understudy.core.nouns import Deployment
from understudy.core.task import Task
from understudy.flows.alarms import told
from understudy.flows.gates import least_looks
from understudy.flows.head import Head
from understudy.store.casebook import MOST_NAMES
from understudy.store.events import append_event
from understudy.store.ledger import Key, State, drop_states, each_page, keep_state, of_cases, read_state
from understudy.store.registry import read_deployments
from understudy.store.schema import cases

PAGE = 5000
TRIAL, SPLIT = "trial", "alarm.split"
ROUNDING = 1e-9


def watch_trial(
    connection: sa.Connection, head: Head, deployed: Deployment, corrected_from: int | None, now: int, *, actor: str
) -> tuple[str, ...]:
    """Fold what has come of shared cases; where they did not go as was meant, an alarm, once for each epoch."""
    key = trial_key(head.number, deployed)
    if corrected_from is not None:
        drop_states(connection, key, corrected_from)
    state = read_state(connection, key)
    if state is None and deployed.traffic is None:
        return ()
    trial, after = (msgspec.json.decode(state.body, type=Trial), state.n) if state else (Trial(), 0)
    for place, drawn in drawn_pages(connection, head, deployed, after):
        trial = fold_trial(trial, head.task, deployed.champion, drawn)
        keep_state(connection, key, State(n=place, body=msgspec.json.encode(trial)), at=now)
    return raise_split(connection, head, deployed, trial, now, actor=actor)


def trial_key(task: int, deployed: Deployment) -> Key:
    """Where the trial of an epoch is kept."""
    return Key(task=task, name=TRIAL, version=deployed.champion, epoch=deployed.epoch)


def drawn_pages(
    connection: sa.Connection, head: Head, deployed: Deployment, after: int
) -> Iterator[tuple[int, list[Drawn]]]:
    """Settled cases of the epoch that several versions could have got, page by page, each with the last place."""
    least = least_looks(connection, head)
    shares = {found.revision: meant(found) for found in read_deployments(connection, head.number)}
    for page in each_page(connection, head.number, deployed.champion, deployed.epoch, after=after, size=PAGE):
        seqs = [entry.case_seq for entry in page if shares[entry.revision]]
        entries, given = of_cases(connection, head.number, seqs), given_to(connection, seqs)
        first = first_of_units(connection, head.number, deployed, given)
        drawn = []
        for seq in seqs:
            row, share = given[seq], shares[given[seq].revision]
            entry = entries.get((seq, row.version))
            as_meant = abs(share.get(row.version, 0.0) - row.arm_propensity) < ROUNDING
            if entry is None or not as_meant or (row.unit is not None and first.get(row.unit) != seq):
                continue
            drawn.append(
                Drawn(
                    version=row.version,
                    shares=share,
                    loss=entry.loss,
                    look=entry.propensity,
                    least=least[row.revision],
                    heard=entry.source == "outcome",
                )
            )
        yield page[-1].place, drawn


def given_to(connection: sa.Connection, seqs: Sequence[int]) -> dict[int, Any]:
    """For each case the version that it was given to, with what chance, and what it was drawn for."""
    columns = (cases.c.seq, cases.c.version, cases.c.arm_propensity, cases.c.unit, cases.c.revision)
    found: dict[int, Any] = {}
    for start in range(0, len(seqs), MOST_NAMES):
        query = sa.select(*columns).where(cases.c.seq.in_(seqs[start : start + MOST_NAMES]))
        found |= {row.seq: row for row in connection.execute(query)}
    return found


def first_of_units(
    connection: sa.Connection, task: int, deployed: Deployment, given: dict[int, Any]
) -> dict[bytes, int]:
    """The first case of each unit in the epoch: all cases of a unit go by one draw, so it counts once."""
    if not any(row.unit is not None for row in given.values()):
        return {}
    opened = min(found.revision for found in read_deployments(connection, task) if found.epoch == deployed.epoch)
    mine = (cases.c.task == task, cases.c.revision >= opened, cases.c.unit.is_not(None), cases.c.seq <= max(given))
    query = sa.select(cases.c.unit, sa.func.min(cases.c.seq)).where(*mine).group_by(cases.c.unit)
    return {row[0]: row[1] for row in connection.execute(query)}


def raise_split(
    connection: sa.Connection, head: Head, deployed: Deployment, trial: Trial, now: int, *, actor: str
) -> tuple[str, ...]:
    """Put a split that is not the one meant into the event log, once, and say what it is."""
    known, found = raised(connection, head.number, deployed), []
    for what in mismatches(trial, head.task):
        if what in known:
            continue
        body = {
            "version": deployed.champion,
            "epoch": deployed.epoch,
            "what": what,
            "counts": total(trial, what),
            "expected": expected(trial, what),
            "log_e": split_evidence(trial, what),
        }
        append_event(connection, head.number, at=now, actor=actor, kind=SPLIT, body=body)
        found.append(mismatch_text(trial, what))
    return tuple(found)


def raised(connection: sa.Connection, task: int, deployed: Deployment) -> tuple[str, ...]:
    """Of what it was ever proven in this epoch that it did not go as was meant."""
    return tuple(
        str(body["what"])
        for body in told(connection, task, SPLIT)
        if (body["version"], body["epoch"]) == (deployed.champion, deployed.epoch)
    )


def read_trial(connection: sa.Connection, task: int, deployed: Deployment) -> Trial | None:
    """The trial of the present epoch as it is kept; None where no cases were shared."""
    state = read_state(connection, trial_key(task, deployed))
    return None if state is None else msgspec.json.decode(state.body, type=Trial)


def told_trial(connection: sa.Connection, task: Task, number: int, deployed: Deployment) -> tuple[str, ...]:
    """How the trial stands, and what is wrong with it, in sentences, by the last pass."""
    trial = read_trial(connection, number, deployed)
    if trial is None:
        return ()
    return (*trial_text(task, trial), *(mismatch_text(trial, what) for what in raised(connection, number, deployed)))


def replay_trial(connection: sa.Connection, head: Head, deployed: Deployment) -> tuple[Trial, Trial] | None:
    """The trial as it is kept, and folded anew from the ledger; None where nothing is kept."""
    kept = read_trial(connection, head.number, deployed)
    if kept is None:
        return None
    trial = Trial()
    for _, drawn in drawn_pages(connection, head, deployed, 0):
        trial = fold_trial(trial, head.task, deployed.champion, drawn)
    return kept, trial
