"""How a version that may watch comes in: as champion where nothing rests on one yet, else as a challenger."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from understudy.autonomy.challengers import challenge
from understudy.autonomy.ladder import under
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task
from understudy.data.contract import Contract
from understudy.flows.version import Manifest
from understudy.flows.workspace import Workspace
from understudy.store.ledger import next_number
from understudy.store.registry import current, move_to


def let_watch(
    connection: sa.Connection,
    work: Workspace,
    number: int,
    task: Task,
    revision: int,
    *,
    version: str,
    contract: Contract,
    reasons: tuple[str, ...],
    actor: str,
    at: int,
) -> Deployment:
    """Let a version watch, and return what is deployed afterwards.

    The first becomes champion, in shadow. Once evidence rests on a champion, further ones are compared with it first,
    as challengers; one that takes other columns than the champion cannot be, and stays out.

    Parameters
    ----------
    connection : sa.Connection
        A writing transaction that holds the task's lock.
    work : Workspace
    number : int
        The task's.
    task : Task
        As it holds, by its `revision`.
    version : str
    contract : Contract
        What the version takes.
    reasons : tuple of str
        Why it may watch.
    actor : str
    at : int
    """
    deployed = current(connection, number)
    if not is_live(connection, number, deployed):
        to = msgspec.structs.replace(
            under(task, deployed, revision), level=Level.SHADOW, champion=version, epoch=deployed.epoch + 1
        )
        return move_to(connection, number, Move(kind="shadow", to=to, reasons=reasons), actor=actor, at=at)
    known = version in (deployed.champion, *deployed.challengers)
    if known or not reads_alike(champion_contract(work, deployed), contract):
        return deployed
    return move_to(connection, number, challenge(deployed, version, reasons), actor=actor, at=at)


def is_live(connection: sa.Connection, number: int, deployed: Deployment) -> bool:
    """Whether evidence rests on the champion: it does more than watch, or cases are in the ledger."""
    if not deployed.champion:
        return False
    return deployed.level.height > Level.SHADOW.height or next_number(connection, number) > 1


def champion_contract(work: Workspace, deployed: Deployment) -> Contract:
    """What the champion takes."""
    return contract_of(work, deployed.champion)


def contract_of(work: Workspace, version: str) -> Contract:
    """What a version takes."""
    manifest = msgspec.json.decode(work.artifacts.get(version), type=Manifest)
    return msgspec.json.decode(work.artifacts.get(manifest.files["contract.json"]), type=Contract)


def reads_alike(contract: Contract, other: Contract) -> bool:
    """Whether a version with the other contract can predict from values that were read by the first one.

    Cases are read once, by the champion; its challengers take the same columns in the same order.
    """

    def kinds(found: Contract) -> list[tuple[str, str]]:
        return [(column.name, "number" if column.kind == "integer" else column.kind) for column in found.used]

    return kinds(contract) == kinds(other)
