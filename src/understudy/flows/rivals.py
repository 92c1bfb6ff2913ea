"""The evidence about challengers: a gate of their own, and the paired comparison with the champion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.challengers import Rival, pair_plan, turn_of
from understudy.autonomy.groups import by_cell
from understudy.autonomy.promise import gate_delta, gate_plan
from understudy.core.nouns import Deployment
from understudy.evidence.gate import GatePlan, GateState, certified, fold_gate, how_far
from understudy.evidence.pairs import PairPlan, PairState, fold_pairs, lead, open_pairs
from understudy.flows.gates import begin_gate, gate_rows, least_looks, read_history
from understudy.flows.head import Head
from understudy.store.ledger import Entry, Key, State, drop_states, each_page, keep_state, of_cases, read_state
from understudy.store.registry import read_deployments

PAGE = 5000
FOLDED, PLANNED = "rival", "rival plans"


class RivalPlans(msgspec.Struct, frozen=True, kw_only=True):
    """What is folded for a challenger in an epoch; fixed when it is first asked for."""

    gate: GatePlan | None
    pairs: PairPlan


class Duel(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is folded for a challenger in an epoch."""

    gate: GateState | None
    pairs: PairState


Pair = tuple[Entry, Entry | None]
"""A challenger's entry, and the champion's for the same case."""


def compare(
    connection: sa.Connection, head: Head, deployed: Deployment, corrected_from: int | None, now: int
) -> tuple[Rival, ...]:
    """What the evidence says of each challenger, with everything that the ledger holds."""
    least = least_looks(connection, head) if deployed.challengers else {}
    found = []
    for version in deployed.challengers:
        plans = rival_plans(connection, head, deployed, version, now)
        duel = fold_rival(connection, head, deployed, version, plans, least, corrected_from, now)
        found.append(stand_rival(version, plans, duel))
    return tuple(found)


def rival_plans(connection: sa.Connection, head: Head, deployed: Deployment, version: str, now: int) -> RivalPlans:
    """The plans for a challenger in the present epoch: fixed when they are first asked for, and the same ever after.

    Its gate gets the share of δ of the epoch that its promotion would open; each further challenger of the same epoch
    gets that of the next one, since any of them may be the one that is promoted.
    """
    known = read_rival_plans(connection, head, version, deployed.epoch)
    if known is not None:
        return known
    turn = turn_of(read_deployments(connection, head.number), version, deployed.epoch)
    share = gate_delta(head.task, deployed.epoch + 1 + turn.place)
    plans = RivalPlans(
        gate=gate_plan(head.task, read_history(connection, head, deployed, version), share),
        pairs=pair_plan(head.task, turn),
    )
    body = msgspec.json.encode(plans)
    keep_state(connection, rival_key(head, PLANNED, version, deployed.epoch), State(n=0, body=body), at=now)
    return plans


def read_rival_plans(connection: sa.Connection, head: Head, version: str, epoch: int) -> RivalPlans | None:
    """The plans that were made for a challenger in an epoch, if any were."""
    state = read_state(connection, rival_key(head, PLANNED, version, epoch))
    return None if state is None else msgspec.json.decode(state.body, type=RivalPlans)


def rival_key(head: Head, name: str, version: str, epoch: int) -> Key:
    """Where a challenger's state of an epoch is kept."""
    return Key(task=head.number, name=name, version=version, epoch=epoch)


def fold_rival(
    connection: sa.Connection,
    head: Head,
    deployed: Deployment,
    version: str,
    plans: RivalPlans,
    least: dict[int, float],
    corrected_from: int | None,
    now: int,
) -> Duel:
    """A challenger's evidence of the present epoch; from the last state that still holds."""
    key = rival_key(head, FOLDED, version, deployed.epoch)
    if corrected_from is not None:
        drop_states(connection, key, corrected_from)
    state = read_state(connection, key)
    if state is None:
        duel, after = begin_duel(connection, head, deployed, version, plans), 0
    else:
        duel, after = msgspec.json.decode(state.body, type=Duel), state.n
    for pairs in rival_pages(connection, head, deployed, version, after):
        duel = fold_some(duel, plans, pairs, least, named=head.task.decision.kind == "classification")
        place = pairs[-1][0].place
        keep_state(connection, key, State(n=place, body=msgspec.json.encode(duel)), at=now)
    return duel


def begin_duel(connection: sa.Connection, head: Head, deployed: Deployment, version: str, plans: RivalPlans) -> Duel:
    """The evidence before the first case."""
    gate = begin_gate(plans.gate, read_history(connection, head, deployed, version))
    return Duel(gate=gate, pairs=open_pairs(plans.pairs))


def rival_pages(
    connection: sa.Connection, head: Head, deployed: Deployment, version: str, after: int
) -> Iterator[list[Pair]]:
    """A challenger's entries after a place, each beside the champion's for the same case, page by page."""
    for page in each_page(connection, head.number, version, deployed.epoch, after=after, size=PAGE):
        known = of_cases(connection, head.number, [entry.case_seq for entry in page])
        yield [(entry, known.get((entry.case_seq, deployed.champion))) for entry in page]


def fold_some(duel: Duel, plans: RivalPlans, pairs: Sequence[Pair], least: dict[int, float], *, named: bool) -> Duel:
    """The evidence with these entries added, in their order; `named` where answers are names, not numbers."""
    gate = duel.gate
    if gate is not None and plans.gate is not None:
        gate = fold_gate(gate, plans.gate, gate_rows(plans.gate, [entry for entry, _ in pairs], least))
    difference, weight = differences(pairs, least, named=named)
    return replace(duel, gate=gate, pairs=fold_pairs(duel.pairs, plans.pairs, difference, weight))


def differences(pairs: Sequence[Pair], least: dict[int, float], *, named: bool) -> tuple[np.ndarray, np.ndarray]:
    """What the champion's answer cost more than the challenger's, NaN where nobody looked, and how much it counts.

    Where both answer the same the difference is 0, and known without a look.
    """
    found: list[tuple[float, float]] = []
    for entry, champion in pairs:
        if champion is None:
            continue
        same = named and champion.side == entry.side
        known = entry.loss is not None and champion.loss is not None
        difference = 0.0 if same else (champion.loss or 0.0) - (entry.loss or 0.0) if known else np.nan
        found.append((difference, min(1.0, least[entry.revision] / (1.0 if same else entry.propensity))))
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def stand_rival(version: str, plans: RivalPlans, duel: Duel) -> Rival:
    """What the evidence says of a challenger."""
    gate, plan = duel.gate, plans.gate
    return Rival(
        version=version,
        lead=lead(duel.pairs, plans.pairs),
        certified={} if gate is None or plan is None else by_cell(plan, certified(gate, plan)),
        distances={} if gate is None or plan is None else how_far(gate, plan),
    )


def replay_rival(connection: sa.Connection, head: Head, deployed: Deployment, version: str) -> tuple[Duel, Duel] | None:
    """A challenger's evidence as it is kept, and folded anew from the ledger; None where nothing is folded yet."""
    kept = read_state(connection, rival_key(head, FOLDED, version, deployed.epoch))
    plans = read_rival_plans(connection, head, version, deployed.epoch)
    if kept is None or plans is None:
        return None
    least = least_looks(connection, head)
    duel = begin_duel(connection, head, deployed, version, plans)
    for pairs in rival_pages(connection, head, deployed, version, 0):
        duel = fold_some(duel, plans, pairs, least, named=head.task.decision.kind == "classification")
    return msgspec.json.decode(kept.body, type=Duel), duel
