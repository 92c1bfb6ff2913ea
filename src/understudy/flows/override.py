"""A failed check that a person overrides, by name and with a reason, so that a version may watch all the same."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from understudy.core.errors import ConflictError, InputError, NotFoundError
from understudy.core.nouns import Check, Deployment, Level, Move, Override
from understudy.core.task_file import parse_task
from understudy.flows.entering import contract_of, let_watch
from understudy.flows.version import load_version
from understudy.flows.workspace import Workspace
from understudy.store.database import lock_task
from understudy.store.events import append_event, read_events
from understudy.store.registry import VersionRecord, current, find_version, move_to
from understudy.store.tasks import TaskRecord, read_task

OVERRIDDEN, WITHDRAWN = "check.overridden", "check.withdrawn"
CODE = re.compile(r"US[0-9]{3}")


class Overriding(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a version after an override, or after one was withdrawn.

    Attributes
    ----------
    task, version : str
    overrides : tuple of Override
        Those that stand.
    blocking : tuple of Check
        Failed checks that still keep it out.
    deployed : Deployment
    """

    task: str
    version: str
    overrides: tuple[Override, ...]
    blocking: tuple[Check, ...]
    deployed: Deployment

    @property
    def role(self) -> str:
        """What has become of the version, in a few words."""
        if self.version == self.deployed.champion:
            return f"it is the champion, at level {self.deployed.level.value}"
        if self.version in self.deployed.challengers:
            return "it is compared with the champion, as a challenger"
        if self.blocking:
            return f"it is kept out by {', '.join(check.code for check in self.blocking)}"
        return "it is not deployed: it takes other columns than the champion"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a stored report that says how the checks went."""

    checks: tuple[Check, ...]


def override_check(work: Workspace, name: str, version: str, code: str, *, actor: str, reason: str) -> Overriding:
    """Override a failed check of a version. Once none is left that blocks, it may watch, as if it had passed.

    The event log keeps who did it, the check with its figures, and the reason.

    Parameters
    ----------
    work : Workspace
    name : str
        The task's.
    version : str
        A digest or the beginning of it, `latest` or `champion`.
    code : str
        The check's, such as `US002`.
    actor, reason : str

    Raises
    ------
    InputError
        There is no reason, or the code is none.
    NotFoundError
        There is no such task, version or check.
    ConflictError
        The check did not fail, does not block, or is overridden already.
    ModelError, StoreError
        The version cannot be loaded; nothing has changed.
    """
    require_reason(actor, reason)
    wanted = as_code(code)
    loaded = load_version(work, name, version)
    now = work.clock.now()
    with work.store.writing() as connection:
        task, record = held(connection, name, loaded.digest)
        checks = read_checks(work, record)
        standing = read_overrides(connection, task.number, record.version)
        check = overridable(checks, standing, wanted, record)
        body = {"version": record.version, "check": check, "reason": reason.strip()}
        append_event(connection, task.number, at=now, actor=actor, kind=OVERRIDDEN, body=body)
        standing = read_overrides(connection, task.number, record.version)
        deployed = current(connection, task.number)
        if not still_blocking(checks, standing):
            deployed = let_watch(
                connection,
                work,
                task.number,
                parse_task(task.body.decode(), file=f"tasks/{name}.toml"),
                task.revision,
                version=record.version,
                contract=contract_of(work, record.version),
                reasons=watch_reasons(checks, standing),
                actor=actor,
                at=now,
            )
    return outcome(name, record, checks, standing, deployed)


def withdraw_override(
    work: Workspace, name: str, version: str, code: str, *, actor: str, reason: str = ""
) -> Overriding:
    """Take an override back. Where the version watches or decides by it, people decide again, and it leaves.

    Raises
    ------
    NotFoundError
        There is no such task, version or override.
    """
    if not actor.strip():
        raise InputError("Whoever withdraws an override has a name.")
    wanted = as_code(code)
    now = work.clock.now()
    with work.store.writing() as connection:
        task = read_task(connection, name)
        task, record = held(connection, name, find_version(connection, task.number, version).version)
        standing = read_overrides(connection, task.number, record.version)
        taken = next((found for found in standing if found.check.code == wanted), None)
        if taken is None:
            raise NotFoundError(f"{wanted} is not overridden for version {record.version[:12]}.")
        why = reason.strip() or "By hand."
        body = {"version": record.version, "check": wanted, "reason": why}
        append_event(connection, task.number, at=now, actor=actor, kind=WITHDRAWN, body=body)
        said = f"The override of {wanted} ({taken.check.name}) by {taken.actor} is withdrawn: {why}"
        deployed = leave(connection, task.number, record.version, said, actor=actor, at=now)
        standing = read_overrides(connection, task.number, record.version)
    return outcome(name, record, read_checks(work, record), standing, deployed)


def leave(connection: sa.Connection, number: int, version: str, why: str, *, actor: str, at: int) -> Deployment:
    """Take a version out of what is deployed; where it was champion, people decide again and nothing is compared."""
    deployed = current(connection, number)
    if version == deployed.champion:
        to = msgspec.structs.replace(
            deployed,
            level=Level.HUMAN,
            champion="",
            challengers=(),
            traffic=None,
            thresholds={},
            raised_from={},
            epoch=deployed.epoch + 1,
        )
        left = f"Version {version[:12]} leaves, and people decide."
        return move_to(connection, number, Move(kind="step_down", to=to, reasons=(why, left)), actor=actor, at=at)
    if version in deployed.challengers:
        others = tuple(other for other in deployed.challengers if other != version)
        shared = deployed.traffic is not None and version in deployed.traffic.shares
        to = msgspec.structs.replace(deployed, challengers=others, traffic=None if shared else deployed.traffic)
        left = f"Version {version[:12]} is no longer compared with the champion."
        return move_to(connection, number, Move(kind="retire", to=to, reasons=(why, left)), actor=actor, at=at)
    return deployed


def held(connection: sa.Connection, name: str, version: str) -> tuple[TaskRecord, VersionRecord]:
    """A task and one of its versions, while the transaction holds the task's lock."""
    lock_task(connection, read_task(connection, name).number)
    task = read_task(connection, name)
    return task, find_version(connection, task.number, version)


def read_overrides(connection: sa.Connection, number: int, version: str = "") -> tuple[Override, ...]:
    """The overrides of a task that stand, in the order in which they were made; or those of one version."""
    found: dict[tuple[str, str], Override] = {}
    for event in read_events(connection, number, kinds=(OVERRIDDEN, WITHDRAWN)):
        body = event.body
        if event.kind == WITHDRAWN:
            found.pop((str(body["version"]), str(body["check"])), None)
            continue
        check = msgspec.convert(body["check"], Check)
        made = Override(
            version=str(body["version"]), check=check, actor=event.actor, reason=str(body["reason"]), at=event.at
        )
        found[made.version, check.code] = made
    return tuple(made for made in found.values() if version in ("", made.version))


def read_checks(work: Workspace, record: VersionRecord) -> tuple[Check, ...]:
    """How the checks of a version went when it was registered."""
    return msgspec.json.decode(work.artifacts.get(record.beside["report.json"]), type=Judged).checks


def still_blocking(checks: Iterable[Check], overrides: Iterable[Override]) -> tuple[Check, ...]:
    """The failed checks that keep a version out, those aside that are overridden."""
    overridden = {made.check.code for made in overrides}
    return tuple(check for check in checks if check.blocks and check.code not in overridden)


def require_fit(work: Workspace, connection: sa.Connection, number: int, version: str) -> None:
    """Refuse a version that a failed check keeps out.

    Raises
    ------
    ConflictError
        A check failed, and nobody overrides it, or no longer.
    """
    record = find_version(connection, number, version)
    if record.passed:
        return
    kept_out = still_blocking(read_checks(work, record), read_overrides(connection, number, record.version))
    if kept_out:
        codes = ", ".join(check.code for check in kept_out)
        raise ConflictError(
            f"Version {record.version[:12]} failed {codes}, which nobody overrides.",
            hint="Name another version, or override it: understudy override VERSION --check CODE --reason TEXT",
        )


def overridable(checks: Iterable[Check], standing: Iterable[Override], code: str, record: VersionRecord) -> Check:
    """The failed check of this code.

    Raises
    ------
    NotFoundError
        The version was not checked so.
    ConflictError
        It did not fail, does not block, or is overridden already.
    """
    every = tuple(checks)
    check = next((check for check in every if check.code == code and check.blocks), None)
    if check is None:
        found = next((check for check in every if check.code == code), None)
        if found is None:
            known = ", ".join(check.code for check in every)
            raise NotFoundError(f"Version {record.version[:12]} has no check {code} (checks: {known}).")
        raise ConflictError(f"{code} ({found.name}) does not keep version {record.version[:12]} out: {found.detail}")
    earlier = next((made for made in standing if made.check.code == code), None)
    if earlier is not None:
        raise ConflictError(
            f"{code} is overridden for version {record.version[:12]} already, by {earlier.actor}: {earlier.reason}"
        )
    return check


def watch_reasons(checks: Iterable[Check], overrides: Iterable[Override]) -> tuple[str, ...]:
    """Why a version may watch: what was overridden, by whom and why, and what its other checks said, notes aside."""
    made = tuple(overrides)
    overridden = {one.check.code for one in made}
    others = (check for check in checks if check.code not in overridden and check.severity != "note")
    return (*(one.words for one in made), *(f"{check.code} {check.name}: {check.detail}" for check in others))


def outcome(
    name: str,
    record: VersionRecord,
    checks: tuple[Check, ...],
    standing: tuple[Override, ...],
    deployed: Deployment,
) -> Overriding:
    """What holds for the version now."""
    return Overriding(
        task=name,
        version=record.version,
        overrides=standing,
        blocking=still_blocking(checks, standing),
        deployed=deployed,
    )


def require_reason(actor: str, reason: str) -> None:
    """Refuse an override without a name or a reason."""
    if not actor.strip():
        raise InputError("Whoever overrides a check has a name.", hint="Say it with --actor NAME.")
    if not reason.strip():
        raise InputError("An override needs a reason.", hint="Say why, in a sentence that an auditor will read.")


def as_code(text: str) -> str:
    """A check's code, in capitals.

    >>> as_code("us002")
    'US002'
    """
    code = text.strip().upper()
    if CODE.fullmatch(code) is None:
        raise InputError(f"{text!r} is no code of a check.", hint="Codes look like US002; the report lists them.")
    return code
