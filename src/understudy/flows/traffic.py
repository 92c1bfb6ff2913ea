"""Champion and challengers share the cases: what the ledger says of each, and the shares that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import sqlalchemy as sa

from understudy.autonomy.challengers import Rival
from understudy.autonomy.traffic import Tally, fold_tally, may_answer, open_tally, propose_traffic
from understudy.core.canonical import canonical, digest
from understudy.core.nouns import Deployment
from understudy.flows.gates import least_looks
from understudy.flows.head import Head
from understudy.store.ledger import Entry, Key, State, each_page, keep_state, of_cases, read_state
from understudy.store.registry import move_to
from understudy.store.schema import states

PAGE = 5000
TALLY = "traffic"

Row = tuple[Entry, ...]
"""What holds of one case, for each version that shares the cases."""


def share_traffic(
    connection: sa.Connection,
    head: Head,
    deployed: Deployment,
    rivals: Sequence[Rival],
    corrected_from: int | None,
    now: int,
    *,
    actor: str,
) -> Deployment:
    """The deployment, its cases shared as the task file and the ledger ask for; a move where that changes.

    Parameters
    ----------
    connection : sa.Connection
    head : Head
    deployed : Deployment
    rivals : sequence of Rival
        What the evidence of this epoch says of the challengers.
    corrected_from : int, optional
        The first place that a correction changed.
    now : int
    actor : str
    """
    if corrected_from is not None:
        drop_tallies(connection, head.number, corrected_from)
    if head.task.traffic.mode == "champion" and deployed.traffic is None:
        return deployed
    certified = {rival.version: rival.certified for rival in rivals}
    tally = keep_tally(connection, head, deployed, may_answer(deployed, certified), now)
    move = propose_traffic(head.task, deployed, certified, tally)
    return deployed if move is None else move_to(connection, head.number, move, actor=actor, at=now)


def drop_tallies(connection: sa.Connection, task: int, from_place: int) -> None:
    """Forget every tally that is folded as far as a place or further, whatever versions it is of."""
    mine = (states.c.task == task, states.c.name == TALLY, states.c.n >= from_place)
    connection.execute(states.delete().where(*mine))


def keep_tally(connection: sa.Connection, head: Head, deployed: Deployment, versions: Sequence[str], now: int) -> Tally:
    """What each version has lost in this epoch, with everything that the ledger holds; from the last state that does.

    Another set of versions has a tally of its own, begun with the epoch.
    """
    if len(versions) < 2 or head.task.traffic.mode not in ("bandit", "contextual"):
        return open_tally(len(versions))
    key = tally_key(head.number, deployed, versions)
    state = read_state(connection, key)
    tally = open_tally(len(versions)) if state is None else msgspec.json.decode(state.body, type=Tally)
    least = least_looks(connection, head)
    for place, rows in shared_pages(connection, head.number, deployed, versions, 0 if state is None else state.n):
        tally = fold_rows(tally, rows, least)
        keep_state(connection, key, State(n=place, body=msgspec.json.encode(tally)), at=now)
    return tally


def tally_key(task: int, deployed: Deployment, versions: Sequence[str]) -> Key:
    """Where the tally of some versions is kept."""
    return Key(task=task, name=TALLY, version=digest(canonical(versions)), epoch=deployed.epoch)


def shared_pages(
    connection: sa.Connection, task: int, deployed: Deployment, versions: Sequence[str], after: int
) -> Iterator[tuple[int, list[Row]]]:
    """Cases after a place that any of the versions could be let decide, page by page, each with the last place."""
    for page in each_page(connection, task, deployed.champion, deployed.epoch, after=after, size=PAGE):
        known = of_cases(connection, task, [entry.case_seq for entry in page])
        keys = [[(entry.case_seq, version) for version in versions] for entry in page]
        rows = [tuple(known[key] for key in case) for case in keys if all(key in known for key in case)]
        yield page[-1].place, [row for row in rows if all(entry.eligible for entry in row)]


def fold_rows(tally: Tally, rows: Sequence[Row], least: dict[int, float]) -> Tally:
    """The tally with these cases added, in their order."""
    shape = (len(rows), len(tally.loss))
    return fold_tally(
        tally,
        np.array([[np.nan if entry.loss is None else entry.loss for entry in row] for row in rows]).reshape(shape),
        np.array([[entry.confidence for entry in row] for row in rows]).reshape(shape),
        np.array([min(1.0, least[row[0].revision] / row[0].propensity) for row in rows]),
    )


def replay_tally(
    connection: sa.Connection, head: Head, deployed: Deployment, versions: Sequence[str]
) -> tuple[Tally, Tally] | None:
    """The tally as it is kept, and folded anew from the ledger; None where nothing is kept."""
    kept = read_state(connection, tally_key(head.number, deployed, versions))
    if kept is None:
        return None
    tally, least = open_tally(len(versions)), least_looks(connection, head)
    for _, rows in shared_pages(connection, head.number, deployed, versions, 0):
        tally = fold_rows(tally, rows, least)
    return msgspec.json.decode(kept.body, type=Tally), tally
