"""Changes of the deployment by hand, and task files that have changed: each a transaction with its event."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

import msgspec
import sqlalchemy as sa

from understudy.autonomy.groups import answer_of
from understudy.autonomy.ladder import override, pause, previous_champion, resume, rollback, step_down, under
from understudy.autonomy.router import EVERY_ANSWER
from understudy.core.errors import ConflictError, InputError, TaskFileError
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.flows.override import require_fit
from understudy.flows.version import Manifest, load_version
from understudy.flows.workspace import Workspace
from understudy.store.database import lock_task
from understudy.store.registry import current, find_version, move_to, read_deployments
from understudy.store.schema import task_revisions
from understudy.store.tasks import TaskRecord, read_task, read_tasks, save_task


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A task file as the store now knows it."""

    task: str
    revision: int
    changed: bool
    level: Level


def set_level(
    work: Workspace,
    name: str,
    level: Level,
    *,
    actor: str,
    why: str = "",
    thresholds: Mapping[str, float] | None = None,
    overriding: bool = False,
) -> Deployment:
    """Change a task's level by hand. Down is always possible, and needs no model; up needs proof, or an override.

    Raises
    ------
    ConflictError
        It is a step up that nothing proves, and no override.
    InputError
        An override that the task file does not allow, or without a reason.
    """

    def move(task: Task, deployed: Deployment) -> Move:
        if level.height < deployed.level.height:
            return step_down(deployed, level, why or "By hand.")
        if not overriding:
            raise ConflictError(
                f"{name} stands at {deployed.level.value}; a step up to {level.value} is not proven.",
                hint="Wait for the evidence, or override with a reason: the event log keeps it.",
            )
        check_thresholds(work, deployed.champion, thresholds or {})
        return override(deployed, task, level, dict(thresholds or {}), why)

    return make(work, name, move, actor=actor)


def check_thresholds(work: Workspace, champion: str, thresholds: Mapping[str, float]) -> None:
    """Refuse thresholds for answers that the champion never gives.

    Raises
    ------
    InputError
        An answer is unknown.
    """
    if not thresholds or not champion:
        return
    known = msgspec.json.decode(work.artifacts.get(champion), type=Manifest).labels or (EVERY_ANSWER,)
    for answer in thresholds:
        if answer not in known and answer_of(answer) not in known:
            raise InputError(f"The answer {answer!r} is unknown.", hint=f"The answers are: {', '.join(known)}.")


def set_paused(work: Workspace, name: str, paused: bool, *, actor: str, why: str = "") -> Deployment:
    """Stop automation at once, or let it go on. Asking twice changes nothing."""

    def move(_: Task, deployed: Deployment) -> Move | None:
        if deployed.paused == paused:
            return None
        return pause(deployed, why) if paused else resume(deployed, why)

    return make(work, name, move, actor=actor)


def roll_back(work: Workspace, name: str, *, actor: str, version: str = "", why: str = "") -> Deployment:
    """Bring an earlier champion back: the one before this, or the one that is named. It must load first.

    Raises
    ------
    ConflictError
        There is none, or a failed check keeps it out since an override was withdrawn.
    NotFoundError
        There is no such version.
    ModelError, StoreError
        It cannot be loaded; nothing has changed.
    """
    with work.store.reading() as connection:
        number = read_task(connection, name).number
        history = read_deployments(connection, number)
        wanted = find_version(connection, number, version).version if version else previous_champion(history)
        require_fit(work, connection, number, wanted)
    if wanted not in {deployed.champion for deployed in history}:
        raise ConflictError(f"The version {wanted[:12]} was never champion; a rollback goes back.")
    load_version(work, name, wanted)

    def move(_: Task, deployed: Deployment) -> Move | None:
        return None if deployed.champion == wanted else rollback(deployed, wanted, why)

    return make(work, name, move, actor=actor)


def make(work: Workspace, name: str, decide: Callable[[Task, Deployment], Move | None], *, actor: str) -> Deployment:
    """Make the move that is decided on what is deployed when the transaction holds the lock; None makes none."""
    with work.store.writing() as connection:
        record = read_task(connection, name)
        lock_task(connection, record.number)
        deployed = current(connection, record.number)
        move = decide(read_body(record), deployed)
        if move is None:
            return deployed
        return move_to(connection, record.number, move, actor=actor, at=work.clock.now())


def read_body(record: TaskRecord) -> Task:
    """The task that a stored text describes."""
    return parse_task(record.body.decode(), file=f"tasks/{record.name}.toml")


def apply_task(work: Workspace, name: str, *, actor: str) -> Applied:
    """Make the task's file the one that holds. Unchanged, it changes nothing.

    Raises
    ------
    InputError
        There is no such file, or it has faults.
    """
    task = work.read_task(name)
    body = work.task_file(name).read_bytes()
    now = work.clock.now()
    with work.store.writing() as connection:
        number, revision = save_task(connection, name, body, secret=secrets.token_bytes(32), actor=actor, at=now)
        deployed, changed = hold_to(connection, number, task, revision, actor=actor, at=now)
    return Applied(task=name, revision=revision, changed=changed, level=deployed.level)


def hold_to(
    connection: sa.Connection, number: int, task: Task, revision: int, *, actor: str, at: int
) -> tuple[Deployment, bool]:
    """Put the deployment under a revision of the task file, where it is not yet; and whether it was not."""
    lock_task(connection, number)
    deployed = current(connection, number)
    if deployed.revision and deployed.task_revision == revision:
        return deployed, False
    reasons = [f"Revision {revision} of the task file holds."]
    to = under(task, deployed, revision, read_revision(connection, number, deployed.task_revision))
    if deployed.champion and to.epoch != deployed.epoch:
        reasons.append("It promises something else than before, so evidence is gathered anew.")
    move = Move(kind="applied", to=to, reasons=tuple(reasons))
    return move_to(connection, number, move, actor=actor, at=at), True


def read_revision(connection: sa.Connection, number: int, revision: int) -> Task | None:
    """The task by an earlier revision of its file, or None where there is none that can be read today."""
    mine = (task_revisions.c.task == number, task_revisions.c.revision == revision)
    body = connection.execute(sa.select(task_revisions.c.body).where(*mine)).scalar_one_or_none()
    try:
        return None if body is None else parse_task(body.decode())
    except TaskFileError:
        return None


def apply_all(work: Workspace, *, actor: str) -> list[Applied]:
    """Apply every task file of the workspace, or none where one has faults.

    Tasks that only the store knows stay as they are.
    """
    names = work.task_names()
    for name in names:
        work.read_task(name)
    return [apply_task(work, name, actor=actor) for name in names]


def known_tasks(work: Workspace) -> list[str]:
    """The names of the tasks that the store knows."""
    with work.store.reading() as connection:
        return [record.name for record in read_tasks(connection)]
