"""Model versions and what is deployed."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.core.canonical import canonical
from understudy.core.errors import NotFoundError
from understudy.core.nouns import Deployment, Move
from understudy.store.database import lock_task
from understudy.store.events import append_event
from understudy.store.schema import deployments, heads, models, snapshots


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version.

    Attributes
    ----------
    version : str
        The SHA-256 of its manifest, under which the manifest itself is kept.
    recipe, snapshot, served : str
    seed : int
    passed : bool
        Whether it passed its go-live checks.
    environment : dict of str
        The versions of Python and the libraries.
    beside : dict of str
        Files that belong to it but are not part of its digest, such as its report, by name.
    at : int
        When it was registered, in microseconds since 1970 UTC.
    """

    version: str
    recipe: str
    snapshot: str
    served: str
    seed: int
    passed: bool
    environment: dict[str, str]
    beside: dict[str, str]
    at: int


def keep_snapshot(connection: sa.Connection, task: int, *, digest: str, source: str, rows: int, at: int) -> None:
    """Note a snapshot, once."""
    lock_task(connection, task)
    known = sa.select(snapshots.c.digest).where(snapshots.c.task == task, snapshots.c.digest == digest)
    if connection.execute(known).one_or_none() is None:
        connection.execute(snapshots.insert().values(task=task, digest=digest, source=source, rows=rows, at=at))


def register(connection: sa.Connection, task: int, record: VersionRecord, *, actor: str) -> bool:
    """Add a version to the registry, and say whether it is new. The same version again changes nothing."""
    lock_task(connection, task)
    known = sa.select(models.c.version).where(models.c.task == task, models.c.version == record.version)
    if connection.execute(known).one_or_none() is not None:
        return False
    plain = {field: getattr(record, field) for field in record.__struct_fields__}
    plain |= {"environment": canonical(record.environment), "beside": canonical(record.beside)}
    connection.execute(models.insert().values(task=task, **plain))
    body = {"version": record.version, "recipe": record.recipe, "served": record.served, "passed": record.passed}
    append_event(connection, task, at=record.at, actor=actor, kind="model.registered", body=body)
    return True


def list_versions(connection: sa.Connection, task: int) -> list[VersionRecord]:
    """All versions of a task, the newest first."""
    query = sa.select(models).where(models.c.task == task).order_by(models.c.at.desc(), models.c.version)
    return [read_record(row) for row in connection.execute(query)]


def read_record(row: sa.Row[Any]) -> VersionRecord:
    """A row of the table as a record."""
    plain = {str(key): value for key, value in row._mapping.items() if key != "task"}
    plain |= {key: msgspec.json.decode(plain[key]) for key in ("environment", "beside")}
    return msgspec.convert(plain, VersionRecord)


def find_version(connection: sa.Connection, task: int, name: str) -> VersionRecord:
    """A version by its digest, the beginning of it, `latest` or `champion`.

    Raises
    ------
    NotFoundError
        There is no such version, or several begin like this.
    """
    versions = list_versions(connection, task)
    if not versions:
        raise NotFoundError("The task has no version yet.", hint="Train one with: understudy run")
    if name == "latest":
        return versions[0]
    if name == "champion":
        name = current(connection, task).champion
        if not name:
            raise NotFoundError("The task has no champion: no version has passed its checks yet.")
    found = [record for record in versions if record.version.startswith(name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(record.version[:12] for record in (found or versions)[:10])
    what = f"{len(found)} versions begin with" if found else "There is no version"
    raise NotFoundError(f"{what} {name!r} (versions: {known}).")


def current(connection: sa.Connection, task: int) -> Deployment:
    """What is deployed now; before the first move, people decide."""
    query = (
        sa.select(deployments.c.body)
        .join(heads, (heads.c.task == deployments.c.task) & (heads.c.revision == deployments.c.revision))
        .where(deployments.c.task == task)
    )
    body = connection.execute(query).scalar_one_or_none()
    return Deployment() if body is None else msgspec.json.decode(body, type=Deployment)


def read_deployments(connection: sa.Connection, task: int) -> list[Deployment]:
    """Everything that was ever deployed, the oldest first."""
    query = sa.select(deployments.c.body).where(deployments.c.task == task).order_by(deployments.c.revision)
    return [msgspec.json.decode(body, type=Deployment) for body in connection.execute(query).scalars()]


def move_to(connection: sa.Connection, task: int, move: Move, *, actor: str, at: int) -> Deployment:
    """Make a move: a new deployment, the head that points to it, and an event, in the caller's transaction.

    Waits for the decisions under way; once it is committed, no case is decided under the old deployment.
    """
    lock_task(connection, task)
    revision = connection.execute(sa.select(heads.c.revision).where(heads.c.task == task)).scalar_one() + 1
    deployed = msgspec.structs.replace(move.to, revision=revision)
    body = {"reasons": move.reasons, "to": deployed}
    event = append_event(connection, task, at=at, actor=actor, kind=f"moved.{move.kind}", body=body)
    connection.execute(
        deployments.insert().values(
            task=task,
            revision=revision,
            level=deployed.level.value,
            champion=deployed.champion,
            body=canonical(deployed),
            event=event,
        )
    )
    connection.execute(heads.update().where(heads.c.task == task).values(revision=revision))
    return deployed
